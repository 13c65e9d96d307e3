/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include "audit/internal.h"

/* Each time that the writer comes, some call finds a CPU less. Where many are made, it comes more
 * seldom than for each hundredth: what one in a hundred takes is then not what the log takes. */
#define AUDIT_GATHER_NS      (5 * NS_PER_MSEC)
#define AUDIT_GATHER_BUSY_NS (20 * NS_PER_MSEC)
#define AUDIT_BUSY_RECORDS   64 /* of a batch after which it is the longer time */
#define AUDIT_SYNC_NS        NS_PER_SEC
#define AUDIT_IDLE_LOOKS     4 /* empty looks before the writer sleeps */

int audit_new(struct audit **ret)
{
	pthread_condattr_t monotonic;
	struct audit *a;

	a = calloc(1, sizeof(*a));
	if (!a)
		return -ENOMEM;
	a->file = LOGFILE_NULL;
	a->ring = RING_NULL;
	a->keys_fd = -1;
	if (chain_new(&a->chain) < 0) {
		free(a);
		return -ENOMEM;
	}
	a->text = STRBUF_INIT(AUDIT_TEXT_MAX);
	/* None of these can fail on Linux with these arguments. */
	(void)pthread_mutex_init(&a->lock, NULL);
	(void)pthread_mutex_init(&a->redact_lock, NULL);
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
	(void)pthread_mutex_destroy(&a->redact_lock);
	redact_scratch_free(a->scratch);
	(void)pthread_cond_destroy(&a->work);
	(void)pthread_cond_destroy(&a->progress);
	audit_end_compression(a);
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

static bool is_drained(const struct audit *a)
{
	return ring_head(&a->ring) == a->tail;
}

/* Waits for a signal, at most for @ns. Return: whether there was one. */
static bool wait_ns(struct audit *a, uint64_t ns)
{
	uint64_t until = clock_monotonic_ns() + ns;
	const struct timespec ts = {.tv_sec = (time_t)(until / NS_PER_SEC),
				    .tv_nsec = (long)(until % NS_PER_SEC)};

	return pthread_cond_timedwait(&a->work, &a->lock, &ts) == 0;
}

/* Waits for something to do: asleep when it has been quiet, else for the gathering time. */
static void writer_wait(struct audit *a, unsigned int idle_looks, uint64_t gather_ns)
{
	bool goes_on = true;

	if (idle_looks >= AUDIT_IDLE_LOOKS) {
		while (goes_on && is_drained(a) && !a->is_urgent && !a->is_stopping) {
			a->is_sleeping = true;
			if (a->is_dirty && a->config.storage.sync == AUDIT_SYNC_SECOND)
				goes_on = wait_ns(a, AUDIT_SYNC_NS);
			else
				(void)pthread_cond_wait(&a->work, &a->lock);
		}
		a->is_sleeping = false;
	}
	while (goes_on && !a->is_urgent && !a->is_stopping)
		goes_on = wait_ns(a, gather_ns);
	a->is_urgent = false;
}

/* What the writer does with the lock released. */
static int writer_work(struct audit *a, uint64_t head)
{
	int r = 0;

	if (a->at.commit.tail != head)
		r = audit_drain_batch(a, head);
	return r < 0 ? r : audit_sync(a, false);
}

/* One batch, with the lock held but for the work. What comes meanwhile is gathered for the next. */
static int write_batch(struct audit *a, uint64_t *ret_gather_ns)
{
	const uint64_t seq = a->at.commit.last_seq, head = ring_head(&a->ring);
	int r;

	(void)pthread_mutex_unlock(&a->lock);
	r = writer_work(a, head);
	(void)pthread_mutex_lock(&a->lock);
	a->tail = a->at.commit.tail;
	a->error = r;
	if (a->waiters)
		(void)pthread_cond_broadcast(&a->progress);
	*ret_gather_ns = a->at.commit.last_seq - seq >= AUDIT_BUSY_RECORDS ? AUDIT_GATHER_BUSY_NS
									   : AUDIT_GATHER_NS;
	return r;
}

void *audit_writer_main(void *arg)
{
	uint64_t gather_ns = AUDIT_GATHER_NS;
	unsigned int idle_looks = 0;
	struct audit *a = arg;
	int r = 0;

	(void)pthread_mutex_lock(&a->lock);
	while (r == 0 && !(a->is_stopping && is_drained(a))) {
		writer_wait(a, idle_looks, gather_ns);
		idle_looks = is_drained(a) ? idle_looks + 1 : 0;
		r = write_batch(a, &gather_ns);
	}
	(void)pthread_mutex_unlock(&a->lock);
	return NULL;
}

/* Everything is in the file: a reader shall not find an empty ring. */
void audit_finish(struct audit *a)
{
	if (a->keeps_ring)
		ring_retire(a->file.dirfd, a->file.ring_name, &a->ring);
	else
		(void)unlinkat(a->file.dirfd, a->file.ring_name, 0);
}
