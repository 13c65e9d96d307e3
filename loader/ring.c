/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Its form is of the kernel's ABI (Documentation/bpf/ringbuf.rst, kernel/bpf/ringbuf.c): a page
 * with the consumer's position, which we write; a page with the producer's; then the data, mapped
 * twice in a row so that no record is cut at the end. A record is a length with two flags, 4 bytes
 * that are the kernel's, and the data, in units of 8 bytes.
 */
#include <sys/mman.h>

#include "loader/ring.h"

#define RECORD_BUSY    (UINT32_C(1) << 31)
#define RECORD_DISCARD (UINT32_C(1) << 30)
#define RECORD_HEADER  8U

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

int ring_map(struct ring *r, int fd, size_t bytes)
{
	const size_t page = page_size();
	void *consumer = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	void *producer;
	int e;

	if (consumer == MAP_FAILED)
		return -errno;
	producer = mmap(NULL, page + 2 * bytes, PROT_READ, MAP_SHARED, fd, (off_t)page);
	if (producer == MAP_FAILED) {
		e = -errno;
		(void)munmap(consumer, page);
		return e;
	}
	*r = (struct ring){.bytes = bytes,
			   .consumer = consumer,
			   .producer = producer,
			   .data = (const char *)producer + page};
	return 0;
}

void ring_unmap(struct ring *r)
{
	const size_t page = page_size();

	if (!r->consumer)
		return;
	(void)munmap(r->consumer, page);
	(void)munmap((void *)(uintptr_t)r->producer, page + 2 * r->bytes);
	*r = (struct ring){};
}

size_t ring_used(const struct ring *r)
{
	return __atomic_load_n(r->producer, __ATOMIC_ACQUIRE) -
	       __atomic_load_n(r->consumer, __ATOMIC_RELAXED);
}

size_t ring_read(struct ring *r, size_t max, void (*fn)(const void *record, size_t size, void *arg),
		 void *arg)
{
	/* Ours to write, and nobody else does. */
	unsigned long position = __atomic_load_n(r->consumer, __ATOMIC_RELAXED);
	size_t n = 0;

	while (n < max && position < __atomic_load_n(r->producer, __ATOMIC_ACQUIRE)) {
		const char *record = r->data + (position & (r->bytes - 1));
		uint32_t length =
			__atomic_load_n((const uint32_t *)(const void *)record, __ATOMIC_ACQUIRE);

		if (length & RECORD_BUSY)
			break;
		if (!(length & RECORD_DISCARD)) {
			fn(record + RECORD_HEADER, length, arg);
			n++;
		}
		length &= ~(RECORD_BUSY | RECORD_DISCARD);
		position += (length + RECORD_HEADER + 7U) & ~7UL;
		__atomic_store_n(r->consumer, position, __ATOMIC_RELEASE);
		/* The kernel wakes us for a record that finds us at its position: either we see
		 * that record, or it sees us. */
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	}
	return n;
}
