/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a log file, where a writer takes up: its size, and the link that the next line needs.
 * Private to audit/.
 */
#pragma once

#include "audit/chain.h"

/* A line that is longer cannot be a record (READER_LINE_MAX). */
#define TAIL_LINE_MAX ((uint64_t)2 << 20)

struct tail {
	uint64_t file_bytes;
	uint64_t lines;
	struct chain_link link; /* the `prev` of the next line */
};

/*
 * Looks at the end of @fd. A line that somebody left unfinished is finished first: with its own
 * `prev`, so that the chain holds across it though it is no record. Return: 0; -EMSGSIZE: the last
 * line is longer than TAIL_LINE_MAX; -errno.
 */
int tail_take(int fd, struct chain *c, struct tail *ret);
