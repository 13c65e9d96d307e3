/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks over the lines of one file of a log as bytes, each with its hash, in bounded memory however
 * long a line is. Private to audit/.
 */
#pragma once

#include "audit/chain.h"
#include "audit/stream.h"
#include "base/strbuf.h"

#define LINES_LINE_MAX ((size_t)2 << 20) /* READER_LINE_MAX */

struct lines_line {
	struct bytes text;      /* without the newline; the first LINES_LINE_MAX bytes at most */
	uint64_t number;        /* from 1 */
	uint64_t offset;        /* of its first byte in the file */
	struct chain_link hash; /* of all of it */
	bool is_too_long;
	bool is_half; /* the end of the file, not a newline, ended it */
};

/* @each: 0 to go on. Return: 0, what @each returned, -errno with @reterr_diag. */
int lines_walk(const char *path, int (*each)(const struct lines_line *line, void *arg), void *arg,
	       struct diag *reterr_diag);
