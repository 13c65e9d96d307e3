/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session summed up from its log, in bounded memory: of many distinct objects the first ones that
 * were met are kept, and the records about all others are counted.
 */
#pragma once

#include "audit/reader.h"

/* Kept: distinct (kind, operation, object, rule, policy) of each of the three lists, holds and
 * notices. */
#define REPORT_MAX_ITEMS   2048
#define REPORT_MAX_HOLDS   1024
#define REPORT_MAX_NOTICES 64
/* Of a report on several sessions. */
#define REPORT_MAX_SESSIONS 1024
/* Processes of its tree; `holdfast tree --json` has more. */
#define REPORT_MAX_PROCESSES 2048
/* A page stays below this, whatever the log holds. */
#define REPORT_HTML_MAX ((size_t)8 << 20)

struct report;

struct report_config {
	bool is_all;       /* of all sessions that are added, not of the last one */
	uint64_t since_ns; /* realtime: earlier records do not count */
};

/* @config may be NULL. Return: 0, -ENOMEM. */
int report_new(const struct report_config *config, struct report **ret) _must_check_;
struct report *report_free(struct report *r);
void report_freep(struct report **r);
/* Of a report on several sessions: the lines that follow are from this file. */
void report_begin_log(struct report *r, const char *log, bool is_live);
/* Takes the next line of the log. A session_start begins anew: the last session is what counts,
 * unless it is a report on all of them. Return: 0, -ENOMEM. */
int report_add(struct report *r, const struct reader_line *line);
void report_add_damaged(struct report *r);
/*
 * The report as a JSON object, as docs/audit.md describes it. @log is the file's name; @is_live: a
 * session writes to it. Return: a new reference; NULL: out of memory.
 */
json_t *report_finish(struct report *r, const char *log, bool is_live);
/* What report_finish() gave as one HTML page without a script, an external resource or anything
 * else that is not in the report. At most REPORT_HTML_MAX bytes. */
void report_html(const json_t *report, struct strbuf *out);
/* A string of our own bytes, by the log's rule for those that are not UTF-8. NULL: out of memory.
 */
json_t *report_string(const char *s);
/* The text form of what report_finish() gave. */
void report_show(const json_t *report, struct strbuf *out);
