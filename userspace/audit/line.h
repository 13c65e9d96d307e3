/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line of a log, cut into the raw values of the keys that a replay looks at: many times faster
 * than a JSON library, because nothing is copied and nothing of the rest is looked into. Takes any
 * object without blanks between its parts, in any order of keys; of every other line it says that
 * it is not sure. Strings are checked when they are decoded.
 */
#pragma once

#include "base/arena.h"
#include "base/strbuf.h"

enum line_key {
	LINE_V,
	LINE_SEQ,
	LINE_TIME,
	LINE_EVENT,
	LINE_SESSION,
	LINE_AGENT,
	LINE_PID,
	LINE_TID,
	LINE_PPID,
	LINE_EXE,
	LINE_KIND,
	LINE_OP,
	LINE_SYSCALL,
	LINE_OBJECT,
	LINE_OBJECT2,
	LINE_ASKED,
	LINE_DOMAINS,
	LINE_ALIASES,
	LINE_ARGV,
	LINE_ARGC,
	LINE_ARGV_TRUNCATED,
	LINE_CWD,
	LINE_VERDICT,
	LINE_WOULD_HAVE,
	LINE_POLICY,
	LINE_RULE,
	LINE_REASON,
	LINE_HELD,
	LINE_APPROVER,
	LINE_COST,
	LINE_STEPS,
	LINE_REDACTED,
	LINE_UTC_OFFSET,
	LINE_LAYERS,
	_LINE_KEY_MAX,
};

struct line {
	struct bytes values[_LINE_KEY_MAX]; /* JSON, borrowed; .p NULL: the key is not there */
};

#define LINE_WHY_SIZE 256

/*
 * A line of a log, whoever wrote it so: what is not written as Holdfast writes it is read by the
 * library, and written anew in @mem. It has v, event and time. Return: 0; 1: it is damaged, @why
 * says how; -ENOMEM.
 */
int line_take(struct bytes text, struct arena *mem, struct line *ret,
	      char why[static LINE_WHY_SIZE]) _must_check_;
/* Return: true; false: not sure, @ret is undefined. */
bool line_split(struct bytes text, struct line *ret);

/* Is the value there, and not null? */
bool line_has(const struct line *l, enum line_key key);
/* A string that has no escapes, in place. .p NULL: it is none, or has some. */
struct bytes line_word(const struct line *l, enum line_key key);
/* Return: true; false: no whole number >= 0. */
bool line_u64(const struct line *l, enum line_key key, uint64_t *ret);
/*
 * The bytes of a string, its escapes undone: in place when it has none, else in @mem. Null or
 * missing: .p NULL. Return: 0; -EBADMSG: not a string; -ENOMEM.
 */
int line_string(const struct line *l, enum line_key key, struct arena *mem,
		struct bytes *ret) _must_check_;
/* The same for an array of strings. Null or missing: *ret is NULL. */
int line_strings(const struct line *l, enum line_key key, struct arena *mem,
		 const struct bytes **ret, size_t *ret_n) _must_check_;
