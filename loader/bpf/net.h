/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verdicts on sessions' connections. The programs are loaded once, and serve as many sessions
 * as they have slots; a session has tables, rings and a cgroup, which its slot ties to them.
 */
#pragma once

#include <limits.h>

#include "bpf/abi.h"

#include "loader/bpf/peer.h"

struct net_bpf;

struct net_programs {
	struct net_bpf *bpf; /* NULL: they could not be loaded, or it was not tried */
	bool is_tried;
	int error;
	char reason[LAYERS_REASON_MAX]; /* for people, if there is an error */
};

/* Tried once. Return: 0, the error. */
int net_programs_load(struct net_programs *p);

/* What of a session its slot holds. */
enum net_part {
	NET_PREFIXES4,
	NET_PREFIXES6,
	NET_TABLE,
	NET_COUNTERS,
	NET_EVENTS,
	NET_REFUSED,
	_NET_PART_MAX,
};

/* What there is of a session for others to clean up, should its process die. */
struct net_place {
	bool has_maps;       /* in the slot */
	char path[PATH_MAX]; /* of the cgroup; "": there is none */
};

struct net_layers {
	struct net_programs *programs; /* borrowed */
	uint32_t slot;                 /* nobody else's */
	struct net_place *place;       /* borrowed */
	int cgroup;                    /* -1: there is none */
	int maps[_NET_PART_MAX];       /* all -1: not made yet */
	struct net_config config;
};

/*
 * Makes the session's maps, and ties them to the slot, for which the kernel waits until no program
 * can still see what was there: some 15 ms in which nothing is computed. Better done before the
 * session is there. Return: 0, -errno.
 */
int net_prepare(struct net_layers *n) _must_check_;

#define NET_LAYERS_NONE                                                                            \
	(struct net_layers)                                                                        \
	{                                                                                          \
		.cgroup = -1, .maps = { -1, -1, -1, -1, -1, -1 }                                   \
	}
/*
 * Makes a cgroup below the peer's, with the tables in the file @tables, and sees a canary be
 * refused. Return: 0, with descriptors that are the caller's in @ret_fds; -errno with words for
 * people in @reterr_reason, and nothing is left.
 */
int net_start(struct net_layers *n, const struct peer *peer, const struct layers_net *request,
	      int tables, int ret_fds[static _LAYERS_NET_FD_MAX],
	      char reterr_reason[static LAYERS_REASON_MAX]) _must_check_;
/* Moves a child of the peer's into it. Return: as above. */
int net_join(const struct net_layers *n, const struct peer *peer, int pidfd,
	     char reterr_reason[static LAYERS_REASON_MAX]) _must_check_;
/*
 * The session is over, or its supervisor was killed: removes the cgroup, and waits some time for
 * processes that are being killed in it. What then is there is bound by the tables still.
 */
void net_end(struct net_layers *n);
/* Of a session whose loader has ended: if its cgroup can be removed, or was, the tables go. Return:
 * whether the slot is free. */
bool net_clear_slot(struct net_programs *programs, uint32_t slot, struct net_place *place);
