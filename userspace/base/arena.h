/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bump allocator for what lives as long as one notification. It is filled, then reset as a whole;
 * after the first few notifications it has reached its working size and no longer calls malloc
 * (style rule 30). Not thread-safe: each receiver owns one.
 */
#pragma once

#include "base/util.h"

struct arena_chunk;

struct arena {
	struct arena_chunk *first;
	struct arena_chunk *current;
	size_t used;  /* bytes of all chunks, the current one's rest counted as free */
	size_t limit; /* bytes; an allocation past it fails */
};

#define ARENA_INIT(limit_bytes) ((struct arena){.limit = (limit_bytes)})

void arena_fini(struct arena *a);
/* Forgets every allocation; keeps one chunk of ordinary size and frees larger ones. */
void arena_reset(struct arena *a);
/* Return: @size bytes aligned to 16, not cleared; NULL past the limit or out of memory. */
void *arena_alloc(struct arena *a, size_t size) _must_check_;
/* Return: a NUL-terminated copy; .p is NULL on failure. */
struct bytes arena_copy(struct arena *a, const void *p, size_t len) _must_check_;
/* Gives back the end of the newest allocation: it began at @p and keeps @keep bytes. */
void arena_trim(struct arena *a, void *p, size_t keep);
