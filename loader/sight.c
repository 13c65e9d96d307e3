/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <sys/mman.h>

#include "loader/probe.h"
#include "loader/ring.h"
#include "loader/sight.h"

/* Loading takes milliseconds, where a debugging kernel verifies slowly some more. */
#define PATIENCE_MS 10000
#define SIGHT_PROBE "ebpf-sight" /* in PROBE_WITHOUT */

struct sight {
	struct layers layers;
	int fd;
	struct ring ring;
	size_t page;
	const struct sight_lost *lost; /* the kernel counts in it */
	struct sight_lost told;
};

static int map(struct sight *s, int counters)
{
	void *p;
	int r = ring_map(&s->ring, s->fd, SIGHT_RING_BYTES);

	if (r < 0)
		return r;
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
	int fds[_LAYERS_FD_MAX];
	int r = layers_ask_started(&s->layers, &request, -1, LAYERS_STARTED, PATIENCE_MS, fds,
				   ARRAY_SIZE(fds), reterr_reason);

	s->fd = fds[LAYERS_FD_RING];
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
	*s = (struct sight){.layers.fd = -1, .fd = -1, .page = (size_t)sysconf(_SC_PAGESIZE)};
	*reterr_reason = '\0';
	r = probe_is_taken_away(SIGHT_PROBE) ? -EOPNOTSUPP
					     : layers_start(true, &s->layers, reterr_reason);
	if (r == 0)
		r = start(s, reterr_reason);
	if (r < 0) {
		if (!*reterr_reason)
			(void)snprintf(reterr_reason, LAYERS_REASON_MAX, "%s",
				       r == -EOPNOTSUPP ? "taken away by " PROBE_WITHOUT
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
	ring_unmap(&s->ring);
	if (s->lost)
		(void)munmap((void *)(uintptr_t)s->lost, s->page);
	(void)fd_close(s->fd);
	free(s);
	return NULL;
}

int sight_fd(const struct sight *s)
{
	return s->fd;
}

int sight_loader_fd(const struct sight *s)
{
	return s->layers.fd;
}

bool sight_is_readable(const struct sight *s)
{
	return ring_used(&s->ring) > 0;
}

bool sight_is_urgent(const struct sight *s)
{
	return ring_used(&s->ring) > s->ring.bytes / 2;
}

struct reading {
	void (*fn)(const struct sight_event *event, void *arg);
	void *arg;
};

static void hand_out(const void *record, size_t size, void *arg)
{
	const struct reading *reading = arg;
	struct sight_event event;

	if (size != sizeof(event))
		return;
	memcpy(&event, record, sizeof(event));
	reading->fn(&event, reading->arg);
}

size_t sight_read(struct sight *s, size_t max,
		  void (*fn)(const struct sight_event *event, void *arg), void *arg)
{
	struct reading reading = {.fn = fn, .arg = arg};

	return ring_read(&s->ring, max, hand_out, &reading);
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
