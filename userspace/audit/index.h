/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An index over logs, so that a question about millions of lines reads few of them. It is a cache
 * (SQLite, dirs_cache()/index.sqlite): made and brought up to date when something is asked, thrown
 * away when it is damaged, of another version or not ours. It says where lines are; what they say
 * is read from the log. Logs may grow, shrink, be replaced and be renamed in between.
 *
 * Processes take turns: each holds a lock on index.lock from opening to closing, and closes before
 * it prints. So no SQLite connection ever meets another, and throwing the files away is safe.
 */
#pragma once

#include "audit/query.h"

enum {
	INDEX_E_BUSY = 1, /* another process holds it, and did not let go in time */
	INDEX_E_MANY,     /* more hits than hits.max: reading the files in order is as good */
};

struct hit {
	uint64_t offset;
	uint64_t number;    /* of the line, from 1 */
	uint32_t length;    /* without the newline; more than READER_LINE_MAX: too long */
	uint32_t file : 31; /* which of the paths */
	uint32_t is_damaged : 1;
};

struct hits {
	struct hit *list;
	size_t n, cap;
	size_t n_meant;    /* of them, those that are no damaged lines; only these count for @max */
	size_t max;        /* set by the caller; 0: no limit */
	bool is_newest;    /* set by the caller: at the limit, the last ones are kept */
	bool is_backwards; /* set by the caller: the last one first */
};

#define HITS_NULL ((struct hits){})

void hits_fini(struct hits *h);
/* Return: 0, -ENOMEM. */
int hits_add(struct hits *h, struct hit hit) _must_check_;

/* What is known of a file after it was looked through. */
struct index_file {
	char *path;         /* absolute; set by the caller */
	bool has_half_line; /* it ends in the beginning of a line */
	uint64_t end;       /* of its last whole line, in its text */
	uint64_t n_lines;
};

struct index_config {
	const char *dir; /* NULL: dirs_cache() */
	bool is_fresh;   /* throw away what there is */
	unsigned int wait_s;
	/* Told in a sentence what takes long or was thrown away; may be NULL. */
	void (*tell)(void *ctx, const char *sentence);
	void *ctx;
};

/*
 * Brings the index up to date with @files and finds the lines that @q means, the damaged ones
 * too. Files are asked in their order. @q: NULL: only brings it up to date. Return: 0; INDEX_E_*;
 * -errno with @reterr_diag.
 */
int logindex_ask(const struct index_config *config, struct index_file *files, size_t n_files,
		 struct query *q, struct hits *hits, struct diag *reterr_diag) _must_check_;
/* The same without an index: reads every line. Slow, but needs nothing. Return: 0; INDEX_E_MANY;
 * -errno with @reterr_diag. */
int logindex_scan(struct index_file *files, size_t n_files, struct query *q, struct hits *hits,
		  struct diag *reterr_diag) _must_check_;
