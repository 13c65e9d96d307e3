/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The session's files as the kernel decides on them (bpf/lsm.bpf.c), loaded by holdfast-loader.
 * Main thread only.
 */
#pragma once

#include "bpf/abi.h"
#include "loader/layers.h"

struct lsm;

/* What the programs look paths up in: the parts of struct layers_lsm's file. Borrowed. */
struct lsm_tables {
	const uint8_t *classes; /* 256 of them */
	size_t n_classes;
	const uint16_t *cells; /* n_states rows of n_classes + 1 */
	size_t n_states;
	const uint32_t *verdicts;
	size_t n_verdicts;
	struct lsm_part parts[LSM_PARTS];
};

/* LSM_BIT()s, as struct lsm_config has them. */
struct lsm_wishes {
	uint32_t floor, decides, records;
	bool is_audit;
};

/*
 * Has the programs take @tables. Return: 0; -ENOENT: there is no loader; -errno; with words for
 * people in @reterr_reason.
 */
int lsm_start(const struct lsm_tables *tables, const struct lsm_wishes *wishes, struct lsm **ret,
	      char reterr_reason[static LAYERS_REASON_MAX]) _must_check_;
/*
 * Called by a child of who started it, with no_new_privs set: it is bound from here on, with what
 * it starts. Return: 0; -errno with words for people in @reterr_reason.
 */
int lsm_join(const struct lsm *l, char reterr_reason[static LAYERS_REASON_MAX]) _must_check_;
/* The programs go when the session's processes have. NULL-safe. Return: NULL. */
struct lsm *lsm_free(struct lsm *l);

/* To be watched for EPOLLIN. Borrowed. */
enum lsm_ring {
	LSM_RING_EVENTS,
	LSM_RING_REFUSED,
	_LSM_RING_MAX,
};
int lsm_ring_fd(const struct lsm *l, enum lsm_ring which);
bool lsm_is_readable(const struct lsm *l);
/* More than half of a ring is full: it should be read now. */
bool lsm_is_urgent(const struct lsm *l);
/* Hands out what was refused, then what was let through, at most @max of each, oldest first. @event
 * and
 * @path are valid until @fn returns. Return: whether there may be more. */
bool lsm_read(struct lsm *l, size_t max,
	      void (*fn)(const struct lsm_event *event, struct bytes path, void *arg), void *arg);
/* What was lost since the last time. Return: whether anything was. */
bool lsm_take_lost(struct lsm *l, struct lsm_lost *ret);
