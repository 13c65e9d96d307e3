/* SPDX-License-Identifier: Apache-2.0 */
/* What is loaded for a session: its links and maps, for as long as the process lives. */
#pragma once

#include "loader/layers.h"

struct sight_bpf;

struct session_layers {
	struct sight_bpf *sight; /* NULL: nothing is loaded */
	int supervisor;          /* pidfd, until it is sealed; else -1 */
};

/*
 * Loads and attaches, and marks @supervisor (a pidfd; consumed). Return: 0, with descriptors that
 * stay ours in @ret_fds; -errno with words for people in @reterr_reason, and nothing is loaded.
 */
int session_start(struct session_layers *s, int supervisor, int ret_fds[static _LAYERS_FD_MAX],
		  char reterr_reason[static LAYERS_REASON_MAX]);
/* Takes the supervisor's mark away. Return: 0, -errno. */
int session_seal(struct session_layers *s);
/* The client has gone: the programs go, before what else is to be waited for. */
void session_end(struct session_layers *s);
