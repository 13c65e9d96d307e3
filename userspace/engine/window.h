/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often something happened lately. Pure, and without allocation; callers serialise, and give
 * times that never step back.
 *
 * A window slides: it keeps the times of what it counted, neighbours within a thousandth of its
 * length together. Those leave it together, with the latest of them, so that what it says is never
 * too little, and at worst a thousandth of its length too old.
 */
#pragma once

#include "base/util.h"

#define WINDOW_PARTS 1024
#define WINDOW_SLOTS (WINDOW_PARTS + 4)
/* Events that a loop guard remembers. Whoever does more different things within its window is not
 * in a loop. */
#define LOOP_EVENTS 2048

struct window_slot {
	uint64_t first, last;
	uint64_t n;
};

/* Zero-initialised. */
struct window {
	uint64_t sum;
	size_t head, used; /* a ring: the oldest, and how many */
	struct window_slot slots[WINDOW_SLOTS];
};

/* How many there were in the @per_ns until @now_ns. */
uint64_t window_count(struct window *w, uint64_t per_ns, uint64_t now_ns);
void window_add(struct window *w, uint64_t per_ns, uint64_t now_ns);

struct loop_event {
	uint64_t hash;
	uint64_t at;
};

/* Zero-initialised. */
struct loop_guard {
	size_t next, used;
	struct loop_event events[LOOP_EVENTS];
};

/* How often @hash was added in the @window_ns until @now_ns. */
unsigned loop_count(const struct loop_guard *g, uint64_t hash, uint64_t window_ns, uint64_t now_ns);
void loop_add(struct loop_guard *g, uint64_t hash, uint64_t now_ns);
