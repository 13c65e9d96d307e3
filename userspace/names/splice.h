/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes from one socket to another without a copy in between (splice(2)). One thread.
 *
 * A pipe is held only while bytes wait in it, so that many idle connections cost no pipes: what one
 * user may have in pipes is limited (pipe(7), pipe-user-pages-soft). Rejected: a sockmap of BPF
 * (it takes privileges, and the kernel's copy is no faster for streams between two sockets).
 */
#pragma once

#include <sys/types.h>

#include "base/util.h"

#define SPLICE_CHUNK ((size_t)1 << 18)
#define PIPES_MAX    32 /* that are kept for the next who needs one */

struct pipes {
	int free[PIPES_MAX][2];
	size_t n;
};

void pipes_fini(struct pipes *p);

struct flow {
	int pipe[2];    /* -1: none */
	size_t in_pipe; /* bytes */
	bool is_eof;    /* nothing more comes */
	bool is_shut;   /* and the other side knows */
};

#define FLOW_INIT ((struct flow){.pipe = {-1, -1}})

void flow_fini(struct pipes *p, struct flow *f);

#define FLOW_WAITS 0 /* for bytes, or for room */
#define FLOW_MORE  1 /* @budget is used up, others should have a turn */
#define FLOW_ENDED 2 /* all has gone through, and the end too */

/*
 * Lets at most @budget bytes through from @from to @to, which do not block; what it let through is
 * taken from it. Return: as above; -errno: one of the two has broken.
 */
int flow_run(struct pipes *p, struct flow *f, int from, int to, size_t *budget) _must_check_;
