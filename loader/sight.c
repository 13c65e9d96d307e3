/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ring is read without libbpf. Its form is of the kernel's ABI (Documentation/bpf/ringbuf.rst,
 * kernel/bpf/ringbuf.c): a page with the consumer's position, which we write; a page with the
 * producer's; then the data, mapped twice in a row so that no record is cut at the end. A record is
 * a length with two flags, 4 bytes that are the kernel's, and the data, in units of 8 bytes.
 */
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "loader/sight.h"

#define RECORD_BUSY    (UINT32_C(1) << 31)
#define RECORD_DISCARD (UINT32_C(1) << 30)
#define RECORD_HEADER  8U

/* Loading takes milliseconds, where a debugging kernel verifies slowly some more. */
#define PATIENCE_MS 10000

struct sight {
	struct layers layers;
	int ring;
	size_t page;
	unsigned long *consumer;
	const unsigned long *producer;
	const char *data;
	const struct sight_lost *lost; /* the kernel counts in it */
	struct sight_lost told;
};

static int map(struct sight *s, int counters)
{
	void *p = mmap(NULL, s->page, PROT_READ | PROT_WRITE, MAP_SHARED, s->ring, 0);

	if (p == MAP_FAILED)
		return -errno;
	s->consumer = p;
	p = mmap(NULL, s->page + 2 * (size_t)SIGHT_RING_BYTES, PROT_READ, MAP_SHARED, s->ring,
		 (off_t)s->page);
	if (p == MAP_FAILED)
		return -errno;
	s->producer = p;
	s->data = (const char *)p + s->page;
	p = mmap(NULL, s->page, PROT_READ, MAP_SHARED, counters, 0);
	if (p == MAP_FAILED)
		return -errno;
	s->lost = p;
	return 0;
}

static int start(struct sight *s, char reterr_reason[static LAYERS_REASON_MAX])
{
	const struct layers_header request = {
		.version = LAYERS_VERSION, .type = LAYERS_START, .size = sizeof(request)};
	_cleanup_(fd_closep) int self = (int)syscall(SYS_pidfd_open, getpid(), 0U);
	struct layers_started started = {};
	int fds[_LAYERS_FD_MAX];
	int r;

	if (self < 0)
		return -errno;
	r = layers_ask_fds(&s->layers, &request, self, LAYERS_STARTED, &started, sizeof(started),
			   PATIENCE_MS, fds, ARRAY_SIZE(fds));
	s->ring = fds[LAYERS_FD_RING];
	if (r == 0 && started.error) {
		started.reason[sizeof(started.reason) - 1] = '\0';
		(void)snprintf(reterr_reason, LAYERS_REASON_MAX, "%s", started.reason);
		r = started.error < 0 ? started.error : -EPROTO;
	}
	if (r == 0)
		r = map(s, fds[LAYERS_FD_COUNTERS]);
	(void)fd_close(fds[LAYERS_FD_COUNTERS]);
	return r;
}

int sight_start(struct sight **ret, char reterr_reason[static LAYERS_REASON_MAX])
{
	struct sight *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	*s = (struct sight){.layers.fd = -1, .ring = -1, .page = (size_t)sysconf(_SC_PAGESIZE)};
	*reterr_reason = '\0';
	r = layers_start(true, &s->layers);
	if (r == 0)
		r = start(s, reterr_reason);
	if (r < 0) {
		if (!*reterr_reason)
			(void)snprintf(reterr_reason, LAYERS_REASON_MAX, "%s",
				       r == -ENOENT ? "this build has no holdfast-loader"
						    : strerror(-r));
		(void)sight_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

int sight_seal(struct sight *s)
{
	const struct layers_header request = {
		.version = LAYERS_VERSION, .type = LAYERS_SEAL, .size = sizeof(request)};
	struct layers_header sealed;

	return layers_ask(&s->layers, &request, -1, LAYERS_SEALED, &sealed, sizeof(sealed),
			  PATIENCE_MS);
}

struct sight *sight_free(struct sight *s)
{
	if (!s)
		return NULL;
	layers_stop(&s->layers);
	if (s->consumer)
		(void)munmap(s->consumer, s->page);
	if (s->producer)
		(void)munmap((void *)(uintptr_t)s->producer,
			     s->page + 2 * (size_t)SIGHT_RING_BYTES);
	if (s->lost)
		(void)munmap((void *)(uintptr_t)s->lost, s->page);
	(void)fd_close(s->ring);
	free(s);
	return NULL;
}

int sight_fd(const struct sight *s)
{
	return s->ring;
}

int sight_loader_fd(const struct sight *s)
{
	return s->layers.fd;
}

bool sight_is_readable(const struct sight *s)
{
	return __atomic_load_n(s->consumer, __ATOMIC_RELAXED) <
	       __atomic_load_n(s->producer, __ATOMIC_ACQUIRE);
}

size_t sight_read(struct sight *s, size_t max,
		  void (*fn)(const struct sight_event *event, void *arg), void *arg)
{
	/* Ours to write, and nobody else does. */
	unsigned long position = __atomic_load_n(s->consumer, __ATOMIC_RELAXED);
	size_t n = 0;

	while (n < max && position < __atomic_load_n(s->producer, __ATOMIC_ACQUIRE)) {
		const char *record = s->data + (position & (SIGHT_RING_BYTES - 1));
		uint32_t length =
			__atomic_load_n((const uint32_t *)(const void *)record, __ATOMIC_ACQUIRE);
		struct sight_event event;

		if (length & RECORD_BUSY)
			break;
		if (!(length & RECORD_DISCARD) && length == sizeof(event)) {
			memcpy(&event, record + RECORD_HEADER, sizeof(event));
			fn(&event, arg);
			n++;
		}
		length &= ~(RECORD_BUSY | RECORD_DISCARD);
		position += (length + RECORD_HEADER + 7U) & ~7UL;
		__atomic_store_n(s->consumer, position, __ATOMIC_RELEASE);
		/* The kernel wakes us for a record that finds us at its position: either we see
		 * that record, or it sees us. */
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	}
	return n;
}

bool sight_take_lost(struct sight *s, struct sight_lost *ret)
{
	bool any = false;

	for (size_t i = 0; i < _SIGHT_KIND_MAX; i++) {
		uint64_t now = __atomic_load_n(&s->lost->events[i], __ATOMIC_RELAXED);

		ret->events[i] = now - s->told.events[i];
		s->told.events[i] = now;
		any = any || ret->events[i];
	}
	ret->unmarked = __atomic_load_n(&s->lost->unmarked, __ATOMIC_RELAXED) - s->told.unmarked;
	s->told.unmarked += ret->unmarked;
	return any || ret->unmarked;
}
