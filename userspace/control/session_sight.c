/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's own account of the session's processes goes into the log, in batches: one record for
 * what there is, at most SIGHT_BATCH processes. The ring holds what comes meanwhile, and what it
 * has no room for is counted.
 */
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "base/clock.h"

#include "control/session_private.h"

/* Of some 150 bytes each: a record has room for 256 KiB. */
#define SIGHT_BATCH 1024
/* What one tick takes before it lets others have their turn. */
#define SIGHT_BATCHES_MAX 32

static const char *const kinds[_SIGHT_KIND_MAX] = {
	[SIGHT_FORK] = "fork",
	[SIGHT_EXEC] = "exec",
	[SIGHT_EXIT] = "exit",
};

void session_sight_init(struct session *s)
{
	struct plan_part *part = &s->parts[LAYER_SIGHT];

	if (layer_is_wished(&s->plan_config.wishes, LAYER_SIGHT, &part->why))
		part->why = sight_start(&s->sight, s->sight_reason) < 0 ? s->sight_reason : "";
	part->is_there = s->sight != NULL;
}

int session_sight_seal(struct session *s)
{
	int r = s->sight ? sight_seal(s->sight) : 0;

	if (r == 0)
		return 0;
	session_sight_end(s);
	s->plan.parts[LAYER_SIGHT] =
		(struct plan_part){.why = "holdfast-loader ended while the session began"};
	return s->plan_config.wishes.forced & LAYER_BIT(LAYER_SIGHT) ? r : 0;
}

static void add_event(const struct sight_event *e, void *arg)
{
	const uint64_t offset_ns = clock_realtime_ns() - clock_monotonic_ns();
	char time[CLOCK_RFC3339_SIZE];
	char device[32];
	struct json *j = arg;
	const int status = (int)e->status;

	if (e->kind >= _SIGHT_KIND_MAX)
		return;
	clock_format_rfc3339(e->time_ns + offset_ns, time);
	json_begin_object(j);
	json_key_cstr(j, "time", time);
	json_key_cstr(j, "what", kinds[e->kind]);
	json_key_u64(j, "pid", e->pid);
	json_key_u64(j, "ppid", e->parent);
	json_key_str(j, "comm",
		     (struct bytes){.p = e->comm, .len = strnlen(e->comm, sizeof(e->comm))});
	if (e->kind == SIGHT_EXEC) {
		/* The kernel keeps 20 bits of minor, whatever dev_t outside looks like. */
		(void)snprintf(device, sizeof(device), "%u:%u", e->device >> 20,
			       e->device & 0xfffff);
		json_key_cstr(j, "device", device);
		json_key_u64(j, "inode", e->inode);
	}
	if (e->kind == SIGHT_EXIT && WIFSIGNALED(status))
		json_key_u64(j, "signal", (uint64_t)WTERMSIG(status));
	else if (e->kind == SIGHT_EXIT)
		json_key_u64(j, "exit", (uint64_t)WEXITSTATUS(status));
	json_end_object(j);
}

struct batch {
	struct session *s;
	size_t n;
};

static void add_batch(struct json *j, void *arg)
{
	struct batch *batch = arg;

	json_key(j, "list");
	json_begin_array(j);
	batch->n = sight_read(batch->s->sight, SIGHT_BATCH, add_event, j);
	json_end_array(j);
}

static void add_lost(struct json *j, void *arg)
{
	const struct sight_lost *lost = arg;

	for (size_t i = 0; i < _SIGHT_KIND_MAX; i++)
		json_key_u64(j, kinds[i], lost->events[i]);
	json_key_u64(j, "unmarked", lost->unmarked);
}

/* Return: whether there may be more. */
static bool record(struct session *s)
{
	struct batch batch = {.s = s};

	if (!sight_is_readable(s->sight))
		return false;
	return audit_append_event(s->audit, "processes", add_batch, &batch) == 0 &&
	       batch.n == SIGHT_BATCH;
}

static bool drain(void *arg)
{
	struct session *s = arg;
	struct sight_lost lost;
	int n = 0;

	while (n < SIGHT_BATCHES_MAX && record(s))
		n++;
	if (sight_take_lost(s->sight, &lost))
		(void)audit_append_event(s->audit, "lost", add_lost, &lost);
	return n == SIGHT_BATCHES_MAX;
}

static bool is_readable(const void *arg)
{
	const struct session *s = arg;

	return sight_is_readable(s->sight);
}

static bool is_urgent(const void *arg)
{
	const struct session *s = arg;

	return sight_is_urgent(s->sight);
}

/* The loader says nothing more, so that its connection is readable means that it has ended. */
int session_sight_watch(struct session *s, uint32_t ring, uint32_t loader)
{
	static const struct ring_reader_ops ops = {drain, is_readable, is_urgent};
	struct epoll_event loader_event = {.events = EPOLLIN, .data.u32 = loader};
	struct ring_reader *reader = &s->readers[LAYER_SIGHT];
	int fd;

	if (!s->sight)
		return 0;
	if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, sight_loader_fd(s->sight), &loader_event) < 0)
		return -errno;
	fd = sight_fd(s->sight);
	*reader = (struct ring_reader){.ops = &ops, .arg = s};
	return ring_reader_watch(reader, s->epoll, &fd, 1, ring);
}

void session_sight_lose(struct session *s)
{
	session_notice(s, BYTES_LIT("holdfast-loader has ended: from here on the log does not have "
				    "the kernel's account of processes"));
	session_sight_end(s);
}

void session_sight_end(struct session *s)
{
	if (!s->sight)
		return;
	ring_reader_end(&s->readers[LAYER_SIGHT]);
	(void)epoll_ctl(s->epoll, EPOLL_CTL_DEL, sight_fd(s->sight), NULL);
	(void)epoll_ctl(s->epoll, EPOLL_CTL_DEL, sight_loader_fd(s->sight), NULL);
	s->sight = sight_free(s->sight);
}
