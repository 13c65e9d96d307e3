/* SPDX-License-Identifier: Apache-2.0 */
/* The verdicts on a session's connections: programs, tables, and the cgroup that they bind. */
#pragma once

#include <limits.h>

#include "loader/layers.h"

struct net_bpf;

struct net_layers {
	struct net_bpf *programs; /* NULL: nothing is loaded */
	int cgroup;               /* -1: there is none */
	char path[PATH_MAX];      /* of it */
};

/*
 * Loads them with the tables in the file @tables, attaches them to a new cgroup, and sees a canary
 * be refused. Return: 0, with descriptors that stay ours in @ret_fds; -errno with words for people
 * in @reterr_reason, and nothing is left.
 */
int net_start(struct net_layers *n, const struct layers_net *request, int tables,
	      int ret_fds[static _LAYERS_NET_FD_MAX], char reterr_reason[static LAYERS_REASON_MAX]);
/*
 * The session is over, or its supervisor was killed: removes the cgroup, and waits for processes
 * that are being killed in it.
 */
void net_end(struct net_layers *n);
