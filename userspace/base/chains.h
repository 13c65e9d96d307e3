/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table of chained entries, found by a hash. It owns its entries, which come from malloc() and
 * begin with a struct chain; zeroed memory is an empty one. Locks nothing.
 */
#pragma once

#include "base/util.h"

#define CHAINS 4096 /* a power of two */

struct chain {
	struct chain *next;
};

struct chains {
	size_t n; /* entries */
	struct chain *first[CHAINS];
};

/* Where the entries with this hash begin; any number will do whose low bits differ. */
static inline struct chain **chains_of(struct chains *c, uint32_t hash)
{
	return &c->first[hash & (CHAINS - 1)];
}

/* @at: a place in the chain of its hash, its end as well. Consumes @entry. */
void chains_insert(struct chains *c, struct chain **at, struct chain *entry);
/* The entry there, which is the caller's to free from then on. */
struct chain *chains_take(struct chains *c, struct chain **at);
/* Frees of those in the chain from @at on which @is_over says it of; all do by NULL. */
typedef bool chains_is_over(const struct chain *entry, const void *arg);
void chains_drop(struct chains *c, struct chain **at, chains_is_over *is_over, const void *arg);
/* And of all that are there. */
void chains_drop_all(struct chains *c, chains_is_over *is_over, const void *arg);
