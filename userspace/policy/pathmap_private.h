/* SPDX-License-Identifier: Apache-2.0 */
/* How a struct pathmap is made: pathmap.c collects the globs, pathmap_states.c runs them together.
 */
#pragma once

#include "policy/document.h"
#include "policy/pathmap.h"

#define SET_MAX 4096

/* One alternative of one rule's globs; its places are first ... first + size - 1. */
struct alternative {
	const struct glob *glob;
	uint32_t list;
	uint32_t first;
	enum pathmap_part part;
};

/* The globs of one `match` or of one map of `unless`: one that matches is enough. */
struct list {
	uint32_t policy, rank;
	uint32_t ops;
	bool decides; /* `match`, and nothing else has to be so */
};

struct ranked {
	const struct rule *rule;
	uint32_t list;
};

/* A set of places, sorted. */
struct state {
	const uint32_t *places;
	uint32_t n;
	bool is_after_slash;
	uint32_t hash_next; /* or NONE */
};

struct pathmap_building {
	struct arena mem;
	struct alternative *alternatives;
	size_t n_alternatives;
	struct list *lists; /* the last: of what is kept from everybody */
	size_t n_lists;
	uint32_t *owner; /* the alternative of each place */
	size_t n_places;
	struct state *states;
	size_t n_states, room;
	uint32_t *heads; /* HASH_SIZE of them: states, or NONE */
	uint32_t set[SET_MAX];
	size_t n_set;
	bool is_too_large;
	uint8_t representative[256]; /* of each class of bytes */
	/* The policies that enforce: their rules in order, each with the first of its lists. */
	struct {
		const enum verdict *otherwise; /* by operation */
		struct ranked *rules;
		size_t n;
	} judges[POLICY_MAX_STACK];
	size_t n_judges;
};

/* Prefix, tokens, "all was matched", and "whatever follows is". */
static inline size_t pathmap_places(const struct glob *g)
{
	return g->prefix.len + g->n_tokens + 2U;
}

/* Classes of bytes and states of all parts, from the alternatives. Return: 0; -EOPNOTSUPP: there
 * are too many; -ENOMEM. */
int pathmap_build_states(struct pathmap_building *b, struct pathmap *m) _must_check_;
