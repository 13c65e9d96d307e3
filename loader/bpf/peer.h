/* SPDX-License-Identifier: Apache-2.0 */
/* Who is at the other end of a connection, as the kernel says it. */
#pragma once

#include "loader/layers.h"

struct peer {
	int pidfd; /* owned */
	pid_t pid; /* of our process namespace */
	uid_t uid;
};

/* Return: 0; -ESRCH: it has ended; -errno. */
int peer_of(int socket, struct peer *ret) _must_check_;
/*
 * Whether the process at @pidfd may be bound by what @peer has asked for, and, unless @cgroup is
 * NULL, lives where the peer does: in the cgroup that is parent of the one at @cgroup. Return: 0,
 * and its process id in *ret; -EPERM: no; -errno; with words for people in @reterr_reason.
 */
int peer_check_child(const struct peer *peer, int pidfd, const char *cgroup, pid_t *ret,
		     char reterr_reason[static LAYERS_REASON_MAX]) _must_check_;
