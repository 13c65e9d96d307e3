/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/clock.h"

#include "loader/features.h"
#include "supervise/crowd.h"

#include "supervise/receivers.h"

#define WAKE_SIGNAL SIGRTMAX
/* receivers_stop() repeats the signal this often: one that comes just before RECV is lost. */
#define WAKE_INTERVAL_NS (5 * NS_PER_MSEC)
/* A helper leaves after so many notifications in a row after which no other one waited. */
#define HELPER_PATIENCE 16u

struct receiver {
	struct receivers *all;
	void *context;
	pthread_t thread;
};

struct receivers {
	struct receivers_config config;
	unsigned n_threads;
	atomic_bool is_stopping;
	/* Helpers sleep on this futex until it changes. */
	atomic_uint calls;
	atomic_uint n_asleep;
	struct receiver threads[RECEIVERS_MAX]; /* the first leads, the others help */
};

enum receive_result {
	RECEIVE_HANDLED,
	RECEIVE_NOTHING, /* interrupted, or the task went away in between */
	RECEIVE_OVER,    /* no task is under the filter any more */
};

static bool listener_has(int listener, short events)
{
	struct pollfd p = {.fd = listener, .events = events};

	return poll(&p, 1, 0) == 1 && (p.revents & events) != 0;
}

/* @note is NULL, or learns who notified before the notification is answered. */
static enum receive_result receive(struct receiver *t, void (*note)(void *arg, uint32_t tid),
				   void *arg)
{
	const struct receivers_config *config = &t->all->config;
	struct seccomp_notif n = {}; /* the kernel refuses a buffer that is not cleared */

	if (ioctl(config->listener, SECCOMP_IOCTL_NOTIF_RECV, &n) == 0) {
		if (note)
			note(arg, n.pid);
		config->handle(t->context, &n);
		return RECEIVE_HANDLED;
	}
	if (errno == EINTR)
		return RECEIVE_NOTHING;
	/* Newer kernels say ENOENT at once, again and again, when the last task has ended; older
	 * ones sleep on. */
	if (errno == ENOENT)
		return listener_has(config->listener, POLLHUP) ? RECEIVE_OVER : RECEIVE_NOTHING;
	/* Not a listener: our own mistake. Nobody would answer the agent; without us the kernel
	 * does. */
	abort();
}

static void futex_wait(atomic_uint *word, unsigned value)
{
	(void)syscall(__NR_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake(atomic_uint *word, int n)
{
	(void)syscall(__NR_futex, word, FUTEX_WAKE_PRIVATE, n, NULL, NULL, 0);
}

static void call_helper(struct receivers *r, int n)
{
	atomic_fetch_add(&r->calls, 1);
	futex_wake(&r->calls, n);
}

struct leader {
	struct receivers *all;
	struct crowd crowd;
};

static void leader_note(void *arg, uint32_t tid)
{
	struct leader *l = arg;
	bool was_crowded = l->crowd.is_crowded;
	bool is_crowded = crowd_note(&l->crowd, tid);

	if (is_crowded != was_crowded && l->all->config.sync_wake_up)
		(void)features_set_sync_wake_up(l->all->config.listener, !is_crowded);
}

static void *leader_main(void *arg)
{
	struct receiver *t = arg;
	struct receivers *r = t->all;
	struct leader l = {.all = r};

	while (!atomic_load(&r->is_stopping)) {
		if (receive(t, leader_note, &l) == RECEIVE_OVER)
			break;
		/* Whoever waits now has waited while we handled another: more hands are needed. */
		if (l.crowd.is_crowded && atomic_load(&r->n_asleep) > 0 &&
		    listener_has(r->config.listener, POLLIN))
			call_helper(r, 1);
	}
	return NULL;
}

static void *helper_main(void *arg)
{
	struct receiver *t = arg;
	struct receivers *r = t->all;
	unsigned patience = 0;
	unsigned seen = atomic_load(&r->calls);

	while (!atomic_load(&r->is_stopping)) {
		if (patience == 0) {
			atomic_fetch_add(&r->n_asleep, 1);
			futex_wait(&r->calls, seen);
			atomic_fetch_sub(&r->n_asleep, 1);
			if (atomic_load(&r->calls) == seen)
				continue;
			seen = atomic_load(&r->calls);
			patience = HELPER_PATIENCE;
			continue;
		}
		if (receive(t, NULL, NULL) == RECEIVE_OVER)
			break;
		patience =
			listener_has(r->config.listener, POLLIN) ? HELPER_PATIENCE : patience - 1;
	}
	return NULL;
}

static void wake_handler(int sig)
{
	(void)sig; /* only there so that RECV returns EINTR */
}

static int install_wake_signal(void)
{
	struct sigaction sa = {.sa_handler = wake_handler}; /* no SA_RESTART */

	sigemptyset(&sa.sa_mask);
	return sigaction(WAKE_SIGNAL, &sa, NULL) < 0 ? -errno : 0;
}

static unsigned threads_wanted(const struct receivers_config *config)
{
	unsigned n = MIN(config->max_receivers, (unsigned)RECEIVERS_MAX);
	cpu_set_t cpus;

	if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0)
		n = MIN(n, (unsigned)CPU_COUNT(&cpus));
	return MAX(n, 1u);
}

static int start_thread(struct receivers *r, struct receiver *t)
{
	int e;

	t->all = r;
	t->context = r->config.thread_new(r->config.arg);
	if (!t->context)
		return -ENOMEM;
	e = pthread_create(&t->thread, NULL, t == r->threads ? leader_main : helper_main, t);
	if (e) {
		r->config.thread_free(t->context);
		return -e;
	}
	(void)pthread_setname_np(t->thread, "hf-receiver");
	return 0;
}

/* The threads inherit the mask that is set here. */
static int start_threads(struct receivers *r)
{
	unsigned wanted = threads_wanted(&r->config);
	sigset_t mask;
	sigset_t saved;
	int result = 0;

	sigfillset(&mask);
	sigdelset(&mask, WAKE_SIGNAL);
	(void)pthread_sigmask(SIG_SETMASK, &mask, &saved);
	while (r->n_threads < wanted) {
		result = start_thread(r, &r->threads[r->n_threads]);
		if (result < 0)
			break;
		r->n_threads++;
	}
	(void)pthread_sigmask(SIG_SETMASK, &saved, NULL);
	/* A tight RLIMIT_NPROC costs helpers, not the session. */
	return r->n_threads > 0 ? 0 : result;
}

int receivers_start(const struct receivers_config *config, struct receivers **ret)
{
	_cleanup_(freep) struct receivers *r = NULL;
	int result;

	result = install_wake_signal();
	if (result < 0)
		return result;
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->config = *config;
	result = start_threads(r);
	if (result < 0)
		return result;
	*ret = TAKE_PTR(r);
	return 0;
}

static void join_thread(struct receivers *r, struct receiver *t)
{
	uint64_t until;
	struct timespec deadline;

	do {
		call_helper(r, INT_MAX);
		(void)pthread_kill(t->thread, WAKE_SIGNAL);
		until = clock_monotonic_ns() + WAKE_INTERVAL_NS;
		deadline = (struct timespec){.tv_sec = (time_t)(until / NS_PER_SEC),
					     .tv_nsec = (long)(until % NS_PER_SEC)};
	} while (pthread_clockjoin_np(t->thread, NULL, CLOCK_MONOTONIC, &deadline) != 0);
	r->config.thread_free(t->context);
}

void receivers_stop(struct receivers *r)
{
	if (!r)
		return;
	atomic_store(&r->is_stopping, true);
	for (unsigned i = 0; i < r->n_threads; i++)
		join_thread(r, &r->threads[i]);
	free(r);
}
