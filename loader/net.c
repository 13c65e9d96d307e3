/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "base/io.h"

#include "loader/net.h"
#include "loader/probe.h"
#include "loader/ring.h"

#define PATIENCE_MS 30000
#define NET_PROBE   "ebpf-net"         /* in PROBE_WITHOUT */
#define BACKLOG_MAX ((size_t)64 << 20) /* a million connections; then the rings fill up */
#define TAKE        64                 /* records at a time */
#define HAND_OUT    64                 /* between looks at the rings */

/*
 * What was taken out of a ring and not handed out yet. To write a record takes a hundred times as
 * long as to take it out, and a ring is full within some 20 ms of a flood.
 */
struct backlog {
	char *data;
	size_t begin, end, size;
};

struct net {
	struct layers layers;
	int fds[_LAYERS_NET_FD_MAX];
	struct ring rings[_NET_RING_MAX];
	struct backlog backlogs[_NET_RING_MAX];
	const struct net_lost *counters;
	struct net_lost told;
};

static const struct {
	enum layers_net_fd fd;
	size_t bytes;
} rings[_NET_RING_MAX] = {
	[NET_RING_EVENTS] = {LAYERS_NET_FD_EVENTS, NET_RING_BYTES},
	[NET_RING_REFUSED] = {LAYERS_NET_FD_REFUSED, NET_RING_BYTES},
};

/* Return: a file with the tables, as struct layers_net has it; -errno. */
static int write_tables(const struct net_tables *t)
{
	_cleanup_(fd_closep) int fd = memfd_create("holdfast-net", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r = fd < 0 ? -errno : 0;

	if (r == 0)
		r = io_write_all(fd, (const char *)t->prefixes,
				 t->n_prefixes * sizeof(*t->prefixes));
	if (r == 0)
		r = io_write_all(fd, (const char *)t->port_classes, NET_PORTS);
	if (r == 0)
		r = io_write_all(fd, (const char *)t->verdicts, t->n_verdicts);
	if (r == 0 &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		r = -errno;
	return r < 0 ? r : TAKE_FD(fd);
}

static int map(struct net *n)
{
	void *p;
	int r = 0;

	for (size_t i = 0; r == 0 && i < _NET_RING_MAX; i++)
		r = ring_map(&n->rings[i], n->fds[rings[i].fd], rings[i].bytes);
	if (r < 0)
		return r;
	p = mmap(NULL, sizeof(*n->counters), PROT_READ, MAP_SHARED, n->fds[LAYERS_NET_FD_COUNTERS],
		 0);
	if (p == MAP_FAILED)
		return -errno;
	n->counters = p;
	return 0;
}

static int start(struct net *n, const struct net_tables *t, struct layers_net *request,
		 char reterr_reason[static LAYERS_REASON_MAX])
{
	_cleanup_(fd_closep) int tables = write_tables(t);
	int r;

	if (tables < 0)
		return tables;
	request->header = (struct layers_header){
		.version = LAYERS_VERSION, .type = LAYERS_NET, .size = sizeof(*request)};
	r = layers_ask_started(&n->layers, &request->header, tables, LAYERS_NETTED, PATIENCE_MS,
			       n->fds, ARRAY_SIZE(n->fds), reterr_reason);
	return r < 0 ? r : map(n);
}

int net_start(const struct net_tables *t, bool is_audit, bool opens_unix, struct net **ret,
	      char reterr_reason[static LAYERS_REASON_MAX])
{
	struct layers_net request = {.n_prefixes = (uint32_t)t->n_prefixes,
				     .n_port_classes = (uint32_t)t->n_port_classes,
				     .is_audit = is_audit,
				     .opens_unix = opens_unix};
	struct net *n = calloc(1, sizeof(*n));
	int r = n ? 0 : -ENOMEM;

	*reterr_reason = '\0';
	if (r == 0) {
		n->layers.fd = -1;
		memset(n->fds, -1, sizeof(n->fds));
		r = probe_is_taken_away(NET_PROBE) ? -EOPNOTSUPP
						   : layers_start(true, &n->layers, reterr_reason);
	}
	if (r == 0)
		r = start(n, t, &request, reterr_reason);
	if (r == 0) {
		*ret = n;
		return 0;
	}
	if (!*reterr_reason)
		(void)snprintf(reterr_reason, LAYERS_REASON_MAX, "%s",
			       r == -EOPNOTSUPP ? "taken away by " PROBE_WITHOUT : strerror(-r));
	(void)net_free(n);
	return r;
}

int net_join(const struct net *n, char reterr_reason[static LAYERS_REASON_MAX])
{
	return layers_join(&n->layers, LAYERS_JOIN, PATIENCE_MS, reterr_reason);
}

int net_cgroup_fd(const struct net *n)
{
	return n->fds[LAYERS_NET_FD_CGROUP];
}

int net_cgroup_path(const struct net *n, char *ret, size_t size)
{
	char link[32];
	ssize_t length;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", n->fds[LAYERS_NET_FD_CGROUP]);
	length = readlink(link, ret, size);
	if (length < 0 || (size_t)length == size)
		return length < 0 ? -errno : -ENAMETOOLONG;
	ret[length] = '\0';
	return 0;
}

/* The loader removes it as well, in case that we are killed or may not; here for the case that it
 * was. */
static void remove_cgroup(const struct net *n)
{
	char path[PATH_MAX];

	if (net_cgroup_path(n, path, sizeof(path)) == 0)
		(void)rmdir(path);
}

struct net *net_free(struct net *n)
{
	if (!n)
		return NULL;
	if (n->fds[LAYERS_NET_FD_CGROUP] >= 0)
		remove_cgroup(n);
	layers_stop(&n->layers);
	for (size_t i = 0; i < _NET_RING_MAX; i++) {
		ring_unmap(&n->rings[i]);
		free(n->backlogs[i].data);
	}
	if (n->counters)
		(void)munmap((void *)(uintptr_t)n->counters, sizeof(*n->counters));
	for (size_t i = 0; i < ARRAY_SIZE(n->fds); i++)
		(void)fd_close(n->fds[i]);
	free(n);
	return NULL;
}

int net_ring_fd(const struct net *n, enum net_ring which)
{
	return n->fds[rings[which].fd];
}

bool net_is_readable(const struct net *n)
{
	bool is = net_is_urgent(n);

	for (size_t i = 0; i < _NET_RING_MAX; i++)
		is = is || ring_used(&n->rings[i]) > 0;
	return is;
}

bool net_is_urgent(const struct net *n)
{
	bool is = false;

	for (size_t i = 0; i < _NET_RING_MAX; i++)
		is = is || ring_used(&n->rings[i]) > n->rings[i].bytes / 2 ||
		     n->backlogs[i].begin < n->backlogs[i].end;
	return is;
}

/* Whether so much more fits; what was handed out makes room first. */
static bool make_room(struct backlog *b, size_t more)
{
	size_t size = b->size ? b->size : 1 << 16;
	char *data;

	if (b->size - b->end >= more)
		return true;
	if (b->begin) {
		memmove(b->data, b->data + b->begin, b->end - b->begin);
		b->end -= b->begin;
		b->begin = 0;
	}
	while (size - b->end < more)
		size *= 2;
	if (size > BACKLOG_MAX)
		return false;
	data = realloc(b->data, size);
	if (!data)
		return false;
	b->data = data;
	b->size = size;
	return true;
}

/* There is room. */
static void keep(const void *record, size_t size, void *arg)
{
	struct backlog *b = arg;

	if (size != sizeof(struct net_event) && size != sizeof(struct net_unix_event))
		return;
	memcpy(b->data + b->end, &size, sizeof(size));
	memcpy(b->data + b->end + sizeof(size), record, size);
	b->end += sizeof(size) + size;
}

static void take(struct net *n)
{
	const size_t most = TAKE * (sizeof(size_t) + sizeof(struct net_unix_event));

	for (size_t i = 0; i < _NET_RING_MAX; i++)
		while (make_room(&n->backlogs[i], most) &&
		       ring_read(&n->rings[i], TAKE, keep, &n->backlogs[i]) == TAKE)
			;
}

/* The oldest. Return: false: there is none. */
static bool next(struct backlog *b, struct net_unix_event *ret)
{
	size_t size;

	if (b->begin == b->end)
		return false;
	memcpy(&size, b->data + b->begin, sizeof(size));
	*ret = (struct net_unix_event){};
	memcpy(ret, b->data + b->begin + sizeof(size), size);
	b->begin += sizeof(size) + size;
	if (b->begin == b->end)
		b->begin = b->end = 0;
	return true;
}

bool net_read(struct net *n, size_t max,
	      void (*fn)(const struct net_event *event, struct bytes name, void *arg), void *arg)
{
	struct net_unix_event event;

	take(n);
	for (size_t i = 0; i < max; i++) {
		struct bytes name = {.p = event.name};

		if (!next(&n->backlogs[NET_RING_REFUSED], &event) &&
		    !next(&n->backlogs[NET_RING_EVENTS], &event))
			return false;
		if (event.head.family == AF_UNIX)
			name.len = MIN((size_t)event.head.port, sizeof(event.name));
		fn(&event.head, name, arg);
		if (i % HAND_OUT == HAND_OUT - 1)
			take(n);
	}
	return true;
}

static __u64 grown(const __u64 *counter, __u64 *told)
{
	uint64_t now = __atomic_load_n(counter, __ATOMIC_RELAXED);
	uint64_t n = now - *told;

	*told = now;
	return n;
}

bool net_take_lost(struct net *n, struct net_lost *ret)
{
	*ret = (struct net_lost){
		.refused = grown(&n->counters->refused, &n->told.refused),
		.unwritten = grown(&n->counters->unwritten, &n->told.unwritten),
		.allowed = grown(&n->counters->allowed, &n->told.allowed),
	};
	return ret->refused || ret->unwritten || ret->allowed;
}
