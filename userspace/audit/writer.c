/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/io.h"

#include "audit/internal.h"
#include "audit/tail.h"

#define AUDIT_BATCH_BYTES ((size_t)64 * 1024)
#define AUDIT_GATHER_NS   (5 * NS_PER_MSEC)
#define AUDIT_IDLE_LOOKS  4 /* empty looks before the writer sleeps */

int audit_new(struct audit **ret)
{
	pthread_condattr_t monotonic;
	struct audit *a;

	a = calloc(1, sizeof(*a));
	if (!a)
		return -ENOMEM;
	a->file = LOGFILE_NULL;
	a->ring = RING_NULL;
	if (chain_new(&a->chain) < 0) {
		free(a);
		return -ENOMEM;
	}
	a->text = STRBUF_INIT(AUDIT_BATCH_BYTES + MAX(CODEC_LINE_MAX, 2 * CODEC_EVENT_MAX));
	/* None of these can fail on Linux with these arguments. */
	(void)pthread_mutex_init(&a->lock, NULL);
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&a->work, &monotonic);
	(void)pthread_cond_init(&a->progress, NULL);
	(void)pthread_condattr_destroy(&monotonic);
	*ret = a;
	return 0;
}

struct audit *audit_free(struct audit *a)
{
	if (!a)
		return NULL;
	(void)pthread_mutex_destroy(&a->lock);
	(void)pthread_cond_destroy(&a->work);
	(void)pthread_cond_destroy(&a->progress);
	strbuf_fini(&a->text);
	chain_free(a->chain);
	ring_close(&a->ring);
	logfile_fini(&a->file);
	free(a);
	return NULL;
}

void audit_freep(struct audit **a)
{
	*a = audit_free(*a);
}

int audit_begin_at_end(struct audit *a)
{
	struct tail tail;
	int r;

	r = tail_take(a->file.fd, a->chain, &tail);
	if (r < 0)
		return r;
	a->done.file_bytes = tail.file_bytes;
	a->prev = tail.link;
	return 0;
}

/* Writes a->text. What a failed write left behind is cut off again, so that the file always ends
 * with a whole line. */
static int write_text(struct audit *a)
{
	int r;

	r = io_write_all(a->file.fd, a->text.p, a->text.len);
	if (r < 0 && ftruncate(a->file.fd, (off_t)a->done.file_bytes) < 0)
		return -errno;
	return r;
}

/* Appends the viewed record's line to a->text. Return: 0, -errno. */
static int add_line(struct audit *a, struct chain_link *prev)
{
	size_t start = a->text.len;
	int r;

	codec_add_line(&a->view, ring_session(&a->ring), ring_agent(&a->ring), prev, &a->text);
	r = strbuf_error(&a->text);
	if (r < 0)
		return r;
	return chain_hash(a->chain,
			  (struct bytes){.p = a->text.p + start, .len = a->text.len - 1 - start},
			  prev);
}

/* Turns up to @max records before @head into lines and writes them. Return: 0, -errno. */
static int drain_some(struct audit *a, uint64_t head, size_t max)
{
	uint64_t tail = a->done.tail;
	struct chain_link prev = a->prev;
	size_t n = 0;
	int r = 0;

	strbuf_reset(&a->text);
	while (tail < head && n < max && a->text.len < AUDIT_BATCH_BYTES) {
		size_t offset = tail & (a->ring.capacity - 1);
		struct bytes in = {.p = a->ring.data + offset,
				   .len = MIN((size_t)(head - tail), a->ring.capacity - offset)};
		ssize_t size;

		size = codec_view(in, &a->view);
		if (size < 0)
			return (int)size;
		if (a->view.type != WIRE_PAD) {
			r = add_line(a, &prev);
			if (r < 0)
				return r;
			n++;
		}
		tail += (uint64_t)size;
	}
	if (a->text.len)
		r = write_text(a);
	if (r < 0)
		return r;
	a->lines += (int)n;
	a->prev = prev;
	a->done.tail = tail;
	a->done.file_bytes += a->text.len;
	ring_set_commit(&a->ring, a->done);
	return 0;
}

/* As above for one batch; when the place is full, as many whole lines as still fit. */
static int drain_batch(struct audit *a, uint64_t head)
{
	int r;

	r = drain_some(a, head, SIZE_MAX);
	if (r == 0)
		return 0;
	do
		r = drain_some(a, head, 1);
	while (r == 0 && a->done.tail < head);
	return r;
}

/* Everything up to now, in this thread: before the writer runs, and in a recovery. */
int audit_drain(struct audit *a)
{
	while (a->error == 0 && a->done.tail < ring_head(&a->ring))
		a->error = drain_batch(a, ring_head(&a->ring));
	a->tail = a->done.tail;
	return a->error;
}

static bool is_drained(const struct audit *a)
{
	return ring_head(&a->ring) == a->tail;
}

/* Waits for something to do: asleep when it has been quiet, else for the gathering time. */
static void writer_wait(struct audit *a, unsigned int idle_looks)
{
	uint64_t until;
	struct timespec ts;
	int r = 0;

	if (idle_looks >= AUDIT_IDLE_LOOKS) {
		while (is_drained(a) && !a->is_urgent && !a->is_stopping) {
			a->is_sleeping = true;
			(void)pthread_cond_wait(&a->work, &a->lock);
		}
		a->is_sleeping = false;
	}
	until = clock_monotonic_ns() + AUDIT_GATHER_NS;
	ts = (struct timespec){.tv_sec = (time_t)(until / NS_PER_SEC),
			       .tv_nsec = (long)(until % NS_PER_SEC)};
	while (r == 0 && !a->is_urgent && !a->is_stopping)
		r = pthread_cond_timedwait(&a->work, &a->lock, &ts);
	a->is_urgent = false;
}

void *audit_writer_main(void *arg)
{
	unsigned int idle_looks = 0;
	struct audit *a = arg;
	int r = 0;

	(void)pthread_mutex_lock(&a->lock);
	while (r == 0 && !(a->is_stopping && is_drained(a))) {
		writer_wait(a, idle_looks);
		idle_looks = is_drained(a) ? idle_looks + 1 : 0;
		while (r == 0 && !is_drained(a)) {
			uint64_t head = ring_head(&a->ring);

			(void)pthread_mutex_unlock(&a->lock);
			r = drain_batch(a, head);
			(void)pthread_mutex_lock(&a->lock);
			a->tail = a->done.tail;
			a->error = r;
			if (a->waiters)
				(void)pthread_cond_broadcast(&a->progress);
		}
	}
	(void)pthread_mutex_unlock(&a->lock);
	return NULL;
}

/* Everything is in the file: a reader shall not find an empty ring. */
void audit_finish(struct audit *a)
{
	(void)unlinkat(a->file.dirfd, a->file.ring_name, 0);
}
