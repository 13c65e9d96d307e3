/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When the rings that programs in the kernel write are read: in batches, some time after the first
 * record, so that a storm of them costs the main thread little; at once when a ring fills. What is
 * in a ring stays there until then. Knows nothing of what the records say. Main thread only.
 */
#pragma once

#include "base/util.h"

struct ring_reader_ops {
	/* Takes out and records what is there, as much as lets others have their turn. Return:
	 * whether there may be more. */
	bool (*drain)(void *arg);
	bool (*is_readable)(const void *arg); /* something is there, or is being written */
	bool (*is_urgent)(const void *arg);   /* a ring fills: it is not waited any longer */
};

/* Zero-initialised: reads nothing. */
struct ring_reader {
	const struct ring_reader_ops *ops;
	void *arg;        /* borrowed: of the ops */
	uint64_t next_ns; /* CLOCK_MONOTONIC: ring_reader_tick() is due; 0: there is nothing */
};

/*
 * Has the rings @fds (borrowed) watched by @epoll as @source, for edges, and begins with what came
 * before. Return: 0, -errno.
 */
int ring_reader_watch(struct ring_reader *r, int epoll, const int *fds, size_t n,
		      uint32_t source) _must_check_;
/* One of them has something: ring_reader_tick() will be due. */
void ring_reader_wake(struct ring_reader *r);
/* Reads if that is due, or urgent. */
void ring_reader_tick(struct ring_reader *r);
/* When ring_reader_tick() is due; UINT64_MAX: never. */
uint64_t ring_reader_next(const struct ring_reader *r);
/* Reads what there still is, when nobody writes any more, and is as zero-initialised. */
void ring_reader_end(struct ring_reader *r);
