/* SPDX-License-Identifier: Apache-2.0 */
/* What verify.c (the walk), verify_record.c (what a line says) and verify_chain.c (what was done to
 * the chain) share. */
#pragma once

#include <jansson.h>

#include "audit/lines.h"
#include "audit/verify.h"

#define VERIFY_NOT_JSON   "is not JSON"
#define VERIFY_BREAKS_MAX ((size_t)1000)

/* A line whose `prev` is not the hash of the line before it. */
struct verify_break {
	size_t file;          /* in verify.files */
	uint64_t line, index; /* in the file; of all lines, from 0 */
	struct chain_link prev;
	uint64_t seq, seq_before; /* 0: unknown, or of different sessions */
};

/* What was read of a line. */
struct verify_record {
	uint64_t seq;
	char event[32];
	char session[128];
	json_t *root; /* of a checkpoint or `rotated` record; else NULL */
};

struct verify {
	const struct verify_config *config;
	struct verify_result result;
	char **files; /* in their order */
	size_t n_files, file;

	struct chain_link link; /* the hash of the line before */
	bool has_chain;         /* a line with a `prev` was seen */
	uint64_t unchained;     /* lines before that */
	uint64_t lines_of_file;
	uint64_t from; /* the closed file that this one says it follows, or 0 */
	bool has_half_line;
	struct strbuf last; /* the last line's text */
	bool has_former;    /* a signature of a former key was told */
	bool is_last_read;  /* its first keys could be read */
	uint64_t last_number;
	uint64_t seq;
	char session[128];                     /* "": none yet */
	bool has_ended;                        /* this session */
	bool is_end_chained;                   /* its end has a `prev` */
	bool has_checkpoint;                   /* after its end */
	uint64_t signed_line, last_checkpoint; /* in this file; right, any */
	uint64_t removed; /* the highest number of a closed file that a record says was removed */

	struct verify_break *breaks;
	size_t n_breaks;
};

void verify_tell(struct verify *v, enum verify_what what, uint64_t line, const char *fmt, ...)
	_printf_(4, 5);
/* Reads the keys of a line. Return: NULL, or what is wrong with it; borrowed. */
const char *verify_read(const struct lines_line *line, struct verify_record *ret);
/* Checks a checkpoint's numbers and its signature. */
void verify_checkpoint(struct verify *v, const struct lines_line *line,
		       const struct verify_record *record);
/* Says what was done where the chain is broken. Return: 0, -errno with @reterr_diag. */
int verify_explain_breaks(struct verify *v, struct diag *reterr_diag);
