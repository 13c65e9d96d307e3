/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What questions look at in a line of the log. scan_line() reads the lines that audit/line.h
 * splits, many times faster than a JSON library; of every other line it says that it is not sure,
 * and scan_root() takes the same out of what the library read. tests/fuzz/fuzz_log_scan.c holds the
 * two against each other.
 */
#pragma once

#include <jansson.h>

#include "base/strbuf.h"
#include "policy/vocab.h"

/* The keys whose strings are kept, in the order of a line. */
enum scan_text {
	SCAN_SESSION,
	SCAN_AGENT,
	SCAN_EXE,
	SCAN_OBJECT,
	SCAN_OBJECT2,
	SCAN_ASKED,
	SCAN_ARGV,
	SCAN_INTERPRETER,
	SCAN_CWD,
	SCAN_POLICY,
	SCAN_RULE,
	SCAN_REASON,
	SCAN_HELD,
	SCAN_APPROVER,
	SCAN_SUGGEST,
	SCAN_NOTE,
	_SCAN_TEXT_MAX,
};

/* A word that is null, missing or unknown. */
#define SCAN_NONE 0xff

struct scan {
	/* As JSON writes them, without the quotes; SCAN_ARGV: what is between the brackets. .p
	 * NULL: null or missing. Borrowed from the line, or from the @mem of scan_root(). */
	struct bytes texts[_SCAN_TEXT_MAX];
	uint64_t time_ns;
	uint32_t pid, ppid;        /* 0: null or missing */
	uint8_t kind, op, verdict; /* enum action_kind and so on, or SCAN_NONE */
	bool is_plain;             /* the line has no other strings that --text looks at */
};

/* What a run of lines shares; begin with {}. */
struct scanner {
	char date[10]; /* of the last time that was read */
	uint64_t date_ns;
};

/* Return: true; false: not sure, ask the library. */
bool scan_line(struct scanner *s, struct bytes line, struct scan *ret);
/* The same from @root, whose time is @time_ns; the strings are put in @mem, which is emptied first.
 * Return: 0, -ENOMEM. */
int scan_root(json_t *root, uint64_t time_ns, struct strbuf *mem, struct scan *ret);
/* Appends the bytes that @raw (a text of struct scan, but not SCAN_ARGV) stands for. */
void scan_decode(struct bytes raw, struct strbuf *out);
/* Takes the first argument off @argv. Return: false: there is none. */
bool scan_next_argument(struct bytes *argv, struct bytes *ret_raw);
/* Does --text look at what is under this key of a record? */
bool scan_is_searched(const char *key);
