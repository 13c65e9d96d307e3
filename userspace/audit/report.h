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

struct report;

int report_new(struct report **ret) _must_check_;
struct report *report_free(struct report *r);
void report_freep(struct report **r);
/* Takes the next line of the log. A session_start begins anew: the last session is what counts.
 * Return: 0, -ENOMEM. */
int report_add(struct report *r, const struct reader_line *line);
void report_add_damaged(struct report *r);
/*
 * The report as a JSON object, as docs/audit.md describes it. @log is the file's name; @is_live: a
 * session writes to it. Return: a new reference; NULL: out of memory.
 */
json_t *report_finish(struct report *r, const char *log, bool is_live);
/* The text form of what report_finish() gave. */
void report_show(const json_t *report, struct strbuf *out);
