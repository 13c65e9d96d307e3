/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verdicts on sessions' files (bpf/lsm.bpf.c). As with net.h, the programs are loaded once, and
 * serve as many sessions as they have slots.
 */
#pragma once

#include "loader/bpf/peer.h"

struct lsm_bpf;

struct lsm_programs {
	struct lsm_bpf *bpf; /* NULL: they could not be loaded, or it was not tried */
	bool is_tried;
	int error;
	char reason[LAYERS_REASON_MAX]; /* for people, if there is an error */
};

/* Loads and attaches them; tried once. Return: 0, the error. */
int lsm_programs_load(struct lsm_programs *p);

/* What of a session its slot holds. */
enum lsm_map {
	LSM_MAP_CELLS,
	LSM_MAP_VERDICTS,
	LSM_MAP_COUNTERS,
	LSM_MAP_EVENTS,
	LSM_MAP_REFUSED,
	_LSM_MAP_MAX,
};

/* What there is of a session for others to clean up, should its process die. */
struct lsm_place {
	bool has_maps;    /* in the slot */
	uint32_t session; /* the last number of the slot; 0: there was none */
};

struct lsm_layers {
	struct lsm_programs *programs; /* borrowed */
	uint32_t slot;                 /* nobody else's */
	struct lsm_place *place;       /* borrowed */
	int maps[_LSM_MAP_MAX];        /* all -1: not made yet */
	bool is_started;
};

#define LSM_LAYERS_NONE                                                                            \
	(struct lsm_layers)                                                                        \
	{                                                                                          \
		.maps = { -1, -1, -1, -1, -1 }                                                     \
	}

/* Makes the session's maps, and ties them to the slot: net_prepare() says why before it is there.
 * Return: 0, -errno. */
int lsm_prepare(struct lsm_layers *l) _must_check_;
/*
 * Takes the tables in the file @tables, and sees a canary be refused. Return: 0, with descriptors
 * that stay ours in @ret_fds, *ret_n of them; -errno with words for people in @reterr_reason, and
 * nobody can join.
 */
int lsm_start(struct lsm_layers *l, const struct peer *peer, const struct layers_lsm *request,
	      int tables, int ret_fds[static _LAYERS_LSM_FD_MAX], size_t *ret_n,
	      char reterr_reason[static LAYERS_REASON_MAX]) _must_check_;
/* Has a child of the peer's bound. Return: as above. */
int lsm_join(const struct lsm_layers *l, const struct peer *peer, int pidfd,
	     char reterr_reason[static LAYERS_REASON_MAX]) _must_check_;
/* The session is over, or its supervisor was killed: waits some time for its processes to end, and
 * whoever is there then is refused everything. */
void lsm_end(struct lsm_layers *l);
/* Of a session whose loader has ended: once nobody is in it, the tables go. Return: whether the
 * slot is free. */
bool lsm_clear_slot(struct lsm_programs *programs, uint32_t slot, struct lsm_place *place);
