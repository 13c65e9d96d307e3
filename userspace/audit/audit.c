/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Producers and the writer meet at one mutex, held for the copy of a record and no longer. The
 * writer is not woken for each record: after its first it gathers for some milliseconds, and only
 * when several looks in a row found nothing does it sleep, so that under load no producer makes a
 * system call and no wakeup pulls the writer onto a receiver's CPU. (A futex or an eventfd per
 * record was rejected: a wakeup costs several times what the copy does.)
 */
#include <fcntl.h>
#include <signal.h>

#include "base/clock.h"

#include "audit/internal.h"
#include "audit/place.h"

#define AUDIT_STACK_BYTES ((size_t)256 * 1024)

static void count(_Atomic uint64_t *c)
{
	/* All changes are made under the lock, so no locked instruction is needed. */
	atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + 1,
			      memory_order_relaxed);
}

static void count_record(struct ring_counts *c, const struct audit_record *r)
{
	if (r->event == AUDIT_HELD)
		count(&c->held);
	if (r->event != AUDIT_ACTION)
		return;
	count(&c->total);
	count(&c->by_verdict[r->verdict]);
	count(&c->would_have[r->would_have]);
	count(&c->by_kind[r->kind]);
	if (r->held.p && r->verdict < VERDICT_ASK)
		count(&c->approved);
	if (r->held.p && bytes_eq_str(r->approver, "timeout"))
		count(&c->timed_out);
}

/* Waits, with the lock held, until the writer got further. */
static void wait_for_writer(struct audit *a)
{
	if (!a->is_started) {
		(void)audit_drain(a); /* its error is a->error, which every caller looks at */
		return;
	}
	a->is_urgent = true;
	a->is_sleeping = false;
	(void)pthread_cond_signal(&a->work);
	a->waiters++;
	(void)pthread_cond_wait(&a->progress, &a->lock);
	a->waiters--;
}

/* Makes room for @size bytes in one piece, with the lock held. Return: 0, -errno. */
static int reserve(struct audit *a, size_t size, uint64_t *ret_position)
{
	for (;;) {
		uint64_t head = ring_head(&a->ring);
		size_t left = a->ring.capacity - (head & (a->ring.capacity - 1));
		size_t pad = left < size ? left : 0;

		if (a->error)
			return a->error;
		if (a->ring.capacity - (size_t)(head - a->tail) >= pad + size) {
			if (pad)
				codec_pack_pad(pad, a->ring.data + (a->ring.capacity - left));
			*ret_position = head + pad;
			return 0;
		}
		wait_for_writer(a);
	}
}

/* Publishes up to @head, with the lock held. Return: true: the writer is to be signalled. */
static bool publish(struct audit *a, uint64_t head)
{
	bool wake = a->is_sleeping;

	ring_publish(&a->ring, head);
	a->ring.header->next_seq++;
	a->is_sleeping = false;
	if (!a->is_urgent && head - a->tail >= a->ring.capacity / 2) {
		a->is_urgent = true;
		wake = true;
	}
	return wake;
}

static char *ring_at(struct audit *a, uint64_t position)
{
	return a->ring.data + (position & (a->ring.capacity - 1));
}

static int append(struct audit *a, const struct audit_record *r)
{
	struct codec_plan plan;
	bool wake = false;
	uint64_t position;
	int ret;

	codec_plan_record(r, &plan);
	(void)pthread_mutex_lock(&a->lock);
	ret = reserve(a, plan.size, &position);
	if (ret == 0) {
		codec_pack_record(r, &plan, a->ring.header->next_seq, ring_at(a, position));
		count_record(&a->ring.header->counts, r);
		wake = publish(a, position + plan.size);
	}
	(void)pthread_mutex_unlock(&a->lock);
	if (wake)
		(void)pthread_cond_signal(&a->work);
	return ret;
}

int audit_append(struct audit *a, const struct audit_record *r)
{
	struct audit_record copy;
	int ret;

	if (!a->scratch || r->is_redacted)
		return append(a, r);
	copy = *r;
	(void)pthread_mutex_lock(&a->redact_lock);
	redact_record(a->config.redact, a->scratch, &copy);
	ret = append(a, &copy);
	(void)pthread_mutex_unlock(&a->redact_lock);
	return ret;
}

/* Waits, with the lock held, until everything before @target is written. */
static int flush_to(struct audit *a, uint64_t target)
{
	while (a->error == 0 && a->tail < target)
		wait_for_writer(a);
	return a->error;
}

int audit_flush(struct audit *a)
{
	int r;

	(void)pthread_mutex_lock(&a->lock);
	r = flush_to(a, ring_head(&a->ring));
	(void)pthread_mutex_unlock(&a->lock);
	return r;
}

/* The caller's keys as JSON text without the braces; a text that is too long gives way to a mark.
 */
static int event_text(const struct audit *a, void (*add)(struct json *j, void *arg), void *arg,
		      struct strbuf *out)
{
	struct json j = JSON_INIT(out);

	json_begin_object(&j);
	if (add)
		add(&j, arg);
	json_end_object(&j);
	if (strbuf_error(out) == -EMSGSIZE || out->len > a->ring.capacity / 4) {
		strbuf_reset(out);
		strbuf_add_str(out, "{\"truncated\":true}");
	}
	return strbuf_error(out);
}

int audit_append_event(struct audit *a, const char *event, void (*add)(struct json *j, void *arg),
		       void *arg)
{
	struct strbuf buffer = STRBUF_INIT(CODEC_EVENT_MAX);
	struct bytes text;
	uint64_t position;
	size_t size;
	int r;

	r = event_text(a, add, arg, &buffer);
	if (r < 0) {
		strbuf_fini(&buffer);
		return r;
	}
	text = (struct bytes){.p = buffer.p + 1, .len = buffer.len - 2};
	size = codec_event_size(bytes_of(event), text);
	(void)pthread_mutex_lock(&a->lock);
	r = reserve(a, size, &position);
	if (r == 0) {
		codec_pack_event(bytes_of(event), text, a->ring.header->next_seq,
				 clock_realtime_ns(), ring_at(a, position));
		(void)publish(a, position + size);
		r = flush_to(a, position + size);
	}
	(void)pthread_mutex_unlock(&a->lock);
	strbuf_fini(&buffer);
	return r;
}

int audit_start(struct audit *a)
{
	pthread_attr_t attr;
	sigset_t all, old;
	int r;

	r = -pthread_attr_init(&attr);
	if (r < 0)
		return r;
	(void)pthread_attr_setstacksize(&attr, AUDIT_STACK_BYTES);
	(void)sigfillset(&all);
	a->is_started = true; /* no thread but this one yet */
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	r = -pthread_create(&a->writer, &attr, audit_writer_main, a);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	(void)pthread_attr_destroy(&attr);
	if (r < 0) {
		a->is_started = false;
		return r;
	}
	(void)pthread_setname_np(a->writer, "holdfast-log"); /* only for people who look */
	atomic_store(&a->ring.header->writer, getpid());
	return 0;
}

/* In a directory of logs, such as the default place: beside a file that somebody named nothing is
 * left behind. */
static bool is_among_sessions(const struct audit *a, const struct audit_config *config)
{
	struct bytes name = bytes_of(a->file.name), session = bytes_of(config->session);

	return session.len && bytes_has_prefix(name, session) &&
	       streq(name.p + session.len, PLACE_SUFFIX);
}

/* Makes the ring; the ring of a session that was killed is recovered first. */
static int open_ring(struct audit *a, const struct audit_config *config, struct diag *reterr_diag)
{
	size_t capacity = config->ring_bytes ? config->ring_bytes : RING_DEFAULT_BYTES;
	int r;

	a->keeps_ring = is_among_sessions(a, config);
	r = (a->keeps_ring ? ring_reuse : ring_create)(a->file.dirfd, a->file.ring_name, capacity,
						       config, &a->ring);
	if (r == -EEXIST) {
		r = audit_recover(a->file.path, config->keys_path, reterr_diag);
		if (r == -EBUSY)
			(void)diag_set(reterr_diag, NULL, 0, 0,
				       "the log '%s' is being written by another session; give "
				       "this one a log of its own with --log",
				       a->file.path);
		if (r < 0)
			return r;
		r = ring_create(a->file.dirfd, a->file.ring_name, capacity, config, &a->ring);
	}
	return r < 0 ? logfile_refuse(a->file.path, -r, reterr_diag) : 0;
}

static int open_file(struct audit *a, struct diag *reterr_diag)
{
	int r;

	if (a->file.fd < 0) {
		r = logfile_open(&a->file, true, reterr_diag);
		if (r < 0)
			return r;
	}
	r = audit_begin_at_end(a);
	if (r == -EMSGSIZE)
		return diag_set(
			reterr_diag, NULL, 0, 0,
			"the log '%s' ends in a line of more than 2 MiB, which is no record; "
			"name another place with --log",
			a->file.path);
	if (r < 0)
		return logfile_refuse(a->file.path, -r, reterr_diag);
	ring_set_commit(&a->ring, a->at.commit);
	return 0;
}

int audit_open(const struct audit_config *config, struct audit **ret, struct diag *reterr_diag)
{
	_cleanup_(audit_freep) struct audit *a = NULL;
	int r;

	r = audit_new(&a);
	if (r < 0)
		return logfile_refuse(config->path, -r, reterr_diag);
	a->config = *config;
	a->synced_ns = clock_monotonic_ns(); /* nothing is to be synced yet */
	if (config->redact) {
		a->scratch = redact_scratch_new();
		if (!a->scratch)
			return logfile_refuse(config->path, ENOMEM, reterr_diag);
	}
	r = logfile_init(config->path, true, &a->file, reterr_diag);
	if (r < 0)
		return r;
	r = logfile_open(&a->file, false, reterr_diag);
	if (r < 0 && r != -ENOENT)
		return r;
	/* The ring before a new file: a log without a ring is a finished one to those who read it.
	 */
	r = open_ring(a, config, reterr_diag);
	if (r < 0)
		return r;
	r = open_file(a, reterr_diag);
	if (r < 0) {
		(void)unlinkat(a->file.dirfd, a->file.ring_name, 0);
		return r;
	}
	*ret = TAKE_PTR(a);
	return 0;
}

void audit_get_counts(const struct audit *a, struct audit_counts *ret)
{
	const struct ring_counts *c = &a->ring.header->counts;

	ret->total = atomic_load_explicit(&c->total, memory_order_relaxed);
	ret->held = atomic_load_explicit(&c->held, memory_order_relaxed);
	ret->approved = atomic_load_explicit(&c->approved, memory_order_relaxed);
	ret->timed_out = atomic_load_explicit(&c->timed_out, memory_order_relaxed);
	for (size_t i = 0; i < _VERDICT_MAX; i++) {
		ret->by_verdict[i] = atomic_load_explicit(&c->by_verdict[i], memory_order_relaxed);
		ret->would_have[i] = atomic_load_explicit(&c->would_have[i], memory_order_relaxed);
	}
	for (size_t i = 0; i < _KIND_MAX; i++)
		ret->by_kind[i] = atomic_load_explicit(&c->by_kind[i], memory_order_relaxed);
}

static void stop_writer(struct audit *a)
{
	(void)pthread_mutex_lock(&a->lock);
	a->is_stopping = true;
	(void)pthread_cond_signal(&a->work);
	(void)pthread_mutex_unlock(&a->lock);
	(void)pthread_join(a->writer, NULL);
	a->is_started = false;
}

struct audit *audit_close(struct audit *a)
{
	pid_t writer;

	if (!a)
		return NULL;
	writer = atomic_load(&a->ring.header->writer);
	/* The launcher's copy, while or after the supervisor wrote: not ours to finish. */
	if (writer != 0 && writer != getpid())
		return audit_free(a);
	if (a->is_started)
		stop_writer(a);
	if (audit_drain(a) == 0 && audit_sync(a, true) == 0)
		audit_finish(a);
	return audit_free(a);
}

void audit_set_key(struct audit *a, const struct signkey *key, int keys_fd)
{
	a->key = key;
	a->keys_fd = keys_fd;
}

int audit_take_unsynced(struct audit *a)
{
	int fd = -1;

	/* Without a writer there is nobody to flush for, and nothing was let go. */
	if (!a || !a->is_started || audit_flush(a) < 0)
		return -1;
	(void)pthread_mutex_lock(&a->lock);
	if (a->is_dirty && a->config.storage.sync == AUDIT_SYNC_SECOND)
		fd = fcntl(a->file.fd, F_DUPFD_CLOEXEC, 0);
	if (fd >= 0)
		a->is_dirty = false;
	(void)pthread_mutex_unlock(&a->lock);
	return fd;
}

struct audit *audit_release(struct audit *a)
{
	return audit_free(a);
}

const char *audit_path(const struct audit *a)
{
	return a->file.path;
}

bool audit_is_live(const char *path)
{
	struct logfile f = LOGFILE_NULL;
	bool is_live;

	if (logfile_init(path, false, &f, NULL) < 0)
		return false;
	is_live = ring_is_live(f.dirfd, f.ring_name) > 0;
	logfile_fini(&f);
	return is_live;
}
