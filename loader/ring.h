/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A BPF_MAP_TYPE_RINGBUF as user space reads it, without libbpf: one reader, records in the order
 * in which they were begun.
 */
#pragma once

#include "base/util.h"

struct ring {
	size_t bytes;
	unsigned long *consumer; /* NULL: not mapped */
	const unsigned long *producer;
	const char *data;
};

/* Maps the ring at @fd, of @bytes. Return: 0, -errno, with nothing mapped. */
int ring_map(struct ring *r, int fd, size_t bytes) _must_check_;
void ring_unmap(struct ring *r);
/* How many bytes wait, with what is being written. */
size_t ring_used(const struct ring *r);
/*
 * Hands out what is there, oldest first, at most @max records; @record is valid until @fn returns.
 * Return: how many.
 */
size_t ring_read(struct ring *r, size_t max, void (*fn)(const void *record, size_t size, void *arg),
		 void *arg);
