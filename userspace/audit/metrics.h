/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logs as metrics, in OpenMetrics text. Counted from the records themselves, so the numbers of a
 * log only grow. Labels come from policies and from whoever wrote the log: their values are
 * escaped, and only METRICS_MAX_SERIES different ones are kept, the others are counted together.
 */
#pragma once

#include "audit/reader.h"

#define METRICS_MAX_SERIES ((size_t)512)

struct metrics;

/* Return: 0, -ENOMEM. */
int metrics_new(struct metrics **ret);
struct metrics *metrics_free(struct metrics *m);
void metrics_freep(struct metrics **m);
/* Return: 0, -ENOMEM. */
int metrics_add(struct metrics *m, const struct reader_line *line);
void metrics_add_damaged(struct metrics *m);
/* The end of one log, the older files of which were added before it; @is_live: a session still
 * writes, and @lag_bytes of records wait for the writer. */
void metrics_end_log(struct metrics *m, bool is_live, uint64_t lag_bytes);
/* Appends everything, "# EOF" included. */
void metrics_show(const struct metrics *m, struct strbuf *out);

/* What waits in the ring of the log @path, in bytes; 0 when there is no ring. */
uint64_t metrics_lag(const char *path);
