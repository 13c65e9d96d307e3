/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line of a log, cut into the raw values of its keys: many times faster than a JSON library,
 * because nothing is copied. The one reader of lines that Holdfast itself writes (known keys in
 * their fixed order, ASCII); of every other line it says that it is not sure, and the library reads
 * it. What it takes, the library takes, too: tests/fuzz/fuzz_log_scan.c and fuzz_log_replay.c.
 */
#pragma once

#include "base/arena.h"
#include "base/strbuf.h"

/* In the order in which codec_add_line() writes them. */
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
	LINE_LISTENER,
	LINE_ARGV,
	LINE_ARGC,
	LINE_ARGV_TRUNCATED,
	LINE_INTERPRETER,
	LINE_CWD,
	LINE_VERDICT,
	LINE_WOULD_HAVE,
	LINE_MODE,
	LINE_POLICY,
	LINE_RULE,
	LINE_REASON,
	LINE_LAYER,
	LINE_LATENCY,
	LINE_RESULT,
	LINE_ERRNO,
	LINE_HELD,
	LINE_APPROVER,
	LINE_SUGGEST,
	LINE_COST,
	LINE_SPENT,
	LINE_NOTE,
	LINE_REDACTED,
	LINE_STEPS,
	LINE_PREV,
	/* of session_start, whose other keys only the library knows */
	LINE_UTC_OFFSET,
	LINE_LAYERS,
	_LINE_KEY_MAX,
};

struct line {
	struct bytes values[_LINE_KEY_MAX]; /* JSON, borrowed; .p NULL: the key is not there */
};

#define LINE_WHY_SIZE 256

/*
 * A line of a log, whoever wrote it so: of what is not written as Holdfast writes it the library
 * reads the values, into @mem. It has v, event and time. Return: 0; 1: it is damaged, @why
 * says how; -ENOMEM.
 */
int line_take(struct bytes text, struct arena *mem, struct line *ret,
	      char why[static LINE_WHY_SIZE]) _must_check_;
/* The key of this name; _LINE_KEY_MAX: it is none of them. */
enum line_key line_key_find(const char *name);
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
