/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines of the log in other people's formats: CSV (RFC 4180), OCSF and ECS events (one JSON object
 * a line, pure ASCII). Each line of any log gives exactly one valid record, whatever it says: keys
 * of wrong types count as missing. Strings keep the log's own \xNN form of bytes that are no text.
 * docs/audit.md describes what comes out. Memory failures show in strbuf_error(out).
 */
#pragma once

#include "audit/reader.h"

enum format {
	FORMAT_CSV,
	FORMAT_OCSF,
	FORMAT_ECS,
	_FORMAT_MAX,
};

/* What a record of the middle of a log does not say itself; learned from session_start. */
struct format_context {
	const char *version; /* of Holdfast, borrowed; NULL: not told */
	json_t *start;       /* the last session_start; NULL: none yet. Owned */
};

/* "csv", "ocsf", "ecs". Return: 0, -EINVAL. */
int format_parse(struct bytes word, enum format *ret);
const char *format_name(enum format f);
void format_context_fini(struct format_context *c);
/* Takes note of a session_start; format_line() does so itself, but for lines that a filter drops.
 */
void format_learn(struct format_context *c, const struct reader_line *line);
/* What stands before the first record: CSV's names of columns; nothing for the others. */
void format_begin(enum format f, struct strbuf *out);
/* One sentence about @line for people, in printable ASCII. */
void format_message(const struct reader_line *line, struct strbuf *out);
/* Appends @line (its root and time_ns), newline included. */
void format_line(enum format f, struct format_context *c, const struct reader_line *line,
		 struct strbuf *out);
