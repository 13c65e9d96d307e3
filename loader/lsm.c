/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>

#include "base/io.h"

#include "loader/lsm.h"
#include "loader/probe.h"
#include "loader/ring.h"

/* Some thousand instructions are verified for each of two dozen programs. */
#define PATIENCE_MS 30000
/* In PROBE_WITHOUT: the mechanism, and the layer. */
#define LSM_PROBE   "ebpf-lsm"
#define FILES_PROBE "ebpf-files"

struct lsm {
	struct layers layers;
	int fds[_LAYERS_LSM_FD_MAX];
	struct ring rings[_LSM_RING_MAX];
	const struct lsm_lost *counters; /* the kernel counts in it */
	struct lsm_lost told;
};

static const struct {
	enum layers_lsm_fd fd;
	size_t bytes;
} rings[_LSM_RING_MAX] = {
	[LSM_RING_EVENTS] = {LAYERS_LSM_FD_EVENTS, LSM_RING_BYTES},
	[LSM_RING_REFUSED] = {LAYERS_LSM_FD_REFUSED, LSM_REFUSED_BYTES},
};

/* Return: a file with the tables, as struct layers_lsm has it; -errno. */
static int write_tables(const struct lsm_tables *t)
{
	const struct bytes parts[] = {
		{.p = (const char *)t->classes, .len = 256},
		{.p = (const char *)t->cells,
		 .len = t->n_states * (t->n_classes + 1) * sizeof(*t->cells)},
		{.p = (const char *)t->verdicts, .len = t->n_verdicts * sizeof(*t->verdicts)},
	};
	_cleanup_(fd_closep) int fd = memfd_create("holdfast-lsm", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r = fd < 0 ? -errno : 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(parts); i++)
		r = io_write_all(fd, parts[i].p, parts[i].len);
	if (r == 0 &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		r = -errno;
	return r < 0 ? r : TAKE_FD(fd);
}

static int map(struct lsm *l)
{
	void *p;
	int r = 0;

	for (size_t i = 0; r == 0 && i < _LSM_RING_MAX; i++)
		r = ring_map(&l->rings[i], l->fds[rings[i].fd], rings[i].bytes);
	if (r < 0)
		return r;
	p = mmap(NULL, sizeof(*l->counters), PROT_READ, MAP_SHARED, l->fds[LAYERS_LSM_FD_COUNTERS],
		 0);
	if (p == MAP_FAILED)
		return -errno;
	l->counters = p;
	return 0;
}

static int start(struct lsm *l, const struct lsm_tables *t, const struct lsm_wishes *wishes,
		 char reterr_reason[static LAYERS_REASON_MAX])
{
	struct layers_lsm request = {
		.header = {.version = LAYERS_VERSION, .type = LAYERS_LSM, .size = sizeof(request)},
		.floor = wishes->floor,
		.decides = wishes->decides,
		.records = wishes->records,
		.is_audit = wishes->is_audit,
		.n_classes = (uint32_t)t->n_classes,
		.n_states = (uint32_t)t->n_states,
		.n_verdicts = (uint32_t)t->n_verdicts};
	_cleanup_(fd_closep) int tables = write_tables(t);
	int r;

	if (tables < 0)
		return tables;
	for (size_t i = 0; i < LSM_PARTS; i++) {
		request.parts[i].first = t->parts[i].first;
		request.parts[i].n_kinds = t->parts[i].n_kinds;
	}
	r = layers_ask_started(&l->layers, &request.header, tables, LAYERS_LSMED, PATIENCE_MS,
			       l->fds, ARRAY_SIZE(l->fds), reterr_reason);
	return r < 0 ? r : map(l);
}

int lsm_start(const struct lsm_tables *tables, const struct lsm_wishes *wishes, struct lsm **ret,
	      char reterr_reason[static LAYERS_REASON_MAX])
{
	struct lsm *l = calloc(1, sizeof(*l));
	int r = l ? 0 : -ENOMEM;

	*reterr_reason = '\0';
	if (r == 0) {
		l->layers.fd = -1;
		memset(l->fds, -1, sizeof(l->fds));
		r = probe_is_taken_away(LSM_PROBE) || probe_is_taken_away(FILES_PROBE)
			    ? -EOPNOTSUPP
			    : layers_start(true, &l->layers, reterr_reason);
	}
	if (r == 0)
		r = start(l, tables, wishes, reterr_reason);
	if (r == 0) {
		*ret = l;
		return 0;
	}
	if (!*reterr_reason)
		(void)snprintf(reterr_reason, LAYERS_REASON_MAX, "%s",
			       r == -EOPNOTSUPP ? "taken away by " PROBE_WITHOUT : strerror(-r));
	(void)lsm_free(l);
	return r;
}

int lsm_join(const struct lsm *l, char reterr_reason[static LAYERS_REASON_MAX])
{
	return layers_join(&l->layers, LAYERS_LSM_JOIN, PATIENCE_MS, reterr_reason);
}

struct lsm *lsm_free(struct lsm *l)
{
	if (!l)
		return NULL;
	layers_stop(&l->layers);
	for (size_t i = 0; i < _LSM_RING_MAX; i++)
		ring_unmap(&l->rings[i]);
	if (l->counters)
		(void)munmap((void *)(uintptr_t)l->counters, sizeof(*l->counters));
	for (size_t i = 0; i < ARRAY_SIZE(l->fds); i++)
		(void)fd_close(l->fds[i]);
	free(l);
	return NULL;
}

int lsm_ring_fd(const struct lsm *l, enum lsm_ring which)
{
	return l->fds[rings[which].fd];
}

bool lsm_is_readable(const struct lsm *l)
{
	bool is = false;

	for (size_t i = 0; i < _LSM_RING_MAX; i++)
		is = is || ring_used(&l->rings[i]) > 0;
	return is;
}

bool lsm_is_urgent(const struct lsm *l)
{
	bool is = false;

	for (size_t i = 0; i < _LSM_RING_MAX; i++)
		is = is || ring_used(&l->rings[i]) > l->rings[i].bytes / 2;
	return is;
}

struct reading {
	void (*fn)(const struct lsm_event *event, struct bytes path, void *arg);
	void *arg;
};

static void hand_out(const void *record, size_t size, void *arg)
{
	const struct reading *reading = arg;
	struct lsm_event event;

	if (size < sizeof(event))
		return;
	memcpy(&event, record, sizeof(event));
	if (event.n_path > size - sizeof(event))
		return;
	reading->fn(&event,
		    (struct bytes){.p = (const char *)record + sizeof(event), .len = event.n_path},
		    reading->arg);
}

bool lsm_read(struct lsm *l, size_t max,
	      void (*fn)(const struct lsm_event *event, struct bytes path, void *arg), void *arg)
{
	struct reading reading = {.fn = fn, .arg = arg};
	bool has_more = ring_read(&l->rings[LSM_RING_REFUSED], max, hand_out, &reading) == max;

	return ring_read(&l->rings[LSM_RING_EVENTS], max, hand_out, &reading) == max || has_more;
}

static uint64_t grown(const __u64 *counter, __u64 *told)
{
	uint64_t now = __atomic_load_n(counter, __ATOMIC_RELAXED);
	uint64_t n = now - *told;

	*told = now;
	return n;
}

bool lsm_take_lost(struct lsm *l, struct lsm_lost *ret)
{
	ret->refused = grown(&l->counters->refused, &l->told.refused);
	ret->unwritten = grown(&l->counters->unwritten, &l->told.unwritten);
	return ret->refused || ret->unwritten;
}
