/* SPDX-License-Identifier: Apache-2.0 */
/* The verdicts on a session's files (bpf/lsm.bpf.c): programs, their links and tables. */
#pragma once

#include "loader/bpf/peer.h"

struct lsm_bpf;

struct lsm_layers {
	struct lsm_bpf *programs; /* NULL: nothing is loaded */
	int supervisor;           /* pidfd, until it is sealed; else -1 */
};

/*
 * Loads them with the tables in the file @tables, attaches them, sees a canary be refused, and
 * marks @peer, the supervisor. Return: 0, with descriptors that stay ours in @ret_fds, *ret_n of
 * them; -errno with words for people in @reterr_reason, and nothing is left.
 */
int lsm_start(struct lsm_layers *l, const struct peer *peer, const struct layers_lsm *request,
	      int tables, int ret_fds[static _LAYERS_LSM_FD_MAX], size_t *ret_n,
	      char reterr_reason[static LAYERS_REASON_MAX]);
/* Takes the supervisor's mark away. Return: 0, -errno. */
int lsm_seal(struct lsm_layers *l);
/* The session is over, or its supervisor was killed: the programs stay until its processes are
 * gone. */
void lsm_end(struct lsm_layers *l);
