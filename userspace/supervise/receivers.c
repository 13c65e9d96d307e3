/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The receiver threads and their duties. Who has which duty is settled in take_duty() and by the
 * warden (warden.c), under the lock.
 */
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/clock.h"

#include "loader/features.h"

#include "supervise/receivers_private.h"

/* receivers_stop() repeats the signal this often: one that comes just before RECV is lost. */
#define WAKE_INTERVAL_NS (5 * NS_PER_MSEC)
/* A helper leaves after so many notifications in a row after which no other one waited. */
#define HELPER_PATIENCE 16u
/* A spare thread that was not needed for so long ends. */
#define SPARE_KEEP_NS (2 * NS_PER_SEC)

enum receive_result {
	RECEIVE_HANDLED,
	RECEIVE_NOTHING,  /* interrupted, or the task went away in between */
	RECEIVE_RELIEVED, /* handled, and meanwhile another took over */
	RECEIVE_OVER,     /* no task is under the filter any more */
};

bool receivers_listener_has(const struct receivers *r, short events)
{
	struct pollfd p = {.fd = r->config.listener, .events = events};

	return poll(&p, 1, 0) == 1 && (p.revents & events) != 0;
}

/* ---- one call */

static _Thread_local struct receiver *self; /* NULL in other threads */

static void wake_warden(struct receivers *r)
{
	pthread_mutex_lock(&r->lock);
	atomic_store(&r->is_warden_asleep, false);
	(void)pthread_cond_signal(&r->warden);
	pthread_mutex_unlock(&r->lock);
}

static void call_begin(struct receiver *t, uint64_t id, uint32_t task)
{
	atomic_store_explicit(&t->id, id, memory_order_relaxed);
	atomic_store_explicit(&t->task, task, memory_order_relaxed);
	do
		t->last_call++;
	while (t->last_call == CALL_NONE || t->last_call == CALL_RELIEVED);
	atomic_store_explicit(&t->is_sealed, false, memory_order_relaxed);
	/* In one order with the warden's "asleep, then look at the calls": one sees the other. */
	atomic_store(&t->call, t->last_call);
	if (atomic_load(&t->all->is_warden_asleep))
		wake_warden(t->all);
}

/* Return: false when the thread was relieved. */
static bool call_end(struct receiver *t)
{
	uint32_t expected = t->last_call;

	return atomic_compare_exchange_strong(&t->call, &expected, CALL_NONE);
}

/*
 * The warden asks for the seal under the lock before it sends the signal. If it missed the seal, it
 * relieved this thread before and has the lock: then the signal is pending once the lock is ours,
 * and comes before the next system call returns.
 */
void receivers_seal(void)
{
	if (!self)
		return;
	atomic_store(&self->is_sealed, true);
	if (atomic_load(&self->call) != CALL_RELIEVED)
		return;
	pthread_mutex_lock(&self->all->lock);
	pthread_mutex_unlock(&self->all->lock);
	(void)syscall(__NR_gettid);
}

static void leader_note(struct receivers *r, uint32_t task)
{
	bool was_crowded = r->crowd.is_crowded;
	bool is_crowded = crowd_note(&r->crowd, task);

	if (is_crowded != was_crowded && r->config.sync_wake_up)
		(void)features_set_sync_wake_up(r->config.listener, !is_crowded);
}

static enum receive_result receive(struct receiver *t)
{
	struct receivers *r = t->all;
	struct seccomp_notif n = {}; /* the kernel refuses a buffer that is not cleared */

	if (ioctl(r->config.listener, SECCOMP_IOCTL_NOTIF_RECV, &n) == 0) {
		if (t->duty == DUTY_LEAD)
			leader_note(r, n.pid); /* before it can be relieved of leading */
		call_begin(t, n.id, n.pid);
		r->config.handle(t->context, &n);
		return call_end(t) ? RECEIVE_HANDLED : RECEIVE_RELIEVED;
	}
	if (errno == EINTR)
		return RECEIVE_NOTHING;
	/* Newer kernels say ENOENT at once, again and again, when the last task has ended; older
	 * ones sleep on. */
	if (errno == ENOENT)
		return receivers_listener_has(r, POLLHUP) ? RECEIVE_OVER : RECEIVE_NOTHING;
	/* Not a listener: our own mistake. Nobody would answer the agent; without us the kernel
	 * does. */
	abort();
}

/* ---- duties; each returns when the thread was relieved, is wanted elsewhere, or all end */

static void futex_wait(atomic_uint *word, unsigned value)
{
	(void)syscall(__NR_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake(atomic_uint *word, int n)
{
	(void)syscall(__NR_futex, word, FUTEX_WAKE_PRIVATE, n, NULL, NULL, 0);
}

void receivers_call_helpers(struct receivers *r, int n)
{
	atomic_fetch_add(&r->calls, 1);
	futex_wake(&r->calls, n);
}

static void note_over(struct receivers *r)
{
	pthread_mutex_lock(&r->lock);
	atomic_store(&r->is_over, true);
	(void)pthread_cond_broadcast(&r->spares);
	pthread_mutex_unlock(&r->lock);
}

static void lead(struct receiver *t)
{
	struct receivers *r = t->all;
	enum receive_result result;

	while (!receivers_end(r)) {
		result = receive(t);
		if (result == RECEIVE_OVER)
			note_over(r);
		if (result == RECEIVE_RELIEVED)
			return;
		/* Whoever waits now has waited while we handled another: more hands are needed. */
		if (r->crowd.is_crowded && atomic_load(&r->n_asleep) > 0 &&
		    receivers_listener_has(r, POLLIN))
			receivers_call_helpers(r, 1);
	}
}

static void help(struct receiver *t)
{
	struct receivers *r = t->all;
	enum receive_result result;
	unsigned patience = 0;
	unsigned seen = atomic_load(&r->calls);

	while (!receivers_end(r) && !atomic_load(&r->wants_hands)) {
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
		result = receive(t);
		if (result == RECEIVE_OVER)
			note_over(r);
		if (result == RECEIVE_RELIEVED)
			return;
		patience = receivers_listener_has(r, POLLIN) ? HELPER_PATIENCE : patience - 1;
	}
}

static struct receivers_job *next_job(struct receivers *r)
{
	struct receivers_job *job;

	pthread_mutex_lock(&r->lock);
	job = receivers_take_job(r);
	pthread_mutex_unlock(&r->lock);
	return job;
}

static void work(struct receiver *t)
{
	struct receivers *r = t->all;
	struct receivers_job *job;

	while (!receivers_end(r) && (job = next_job(r))) {
		call_begin(t, job->id, job->task);
		job->run(t->context, job, false);
		if (!call_end(t))
			return;
	}
}

/* ---- who has which duty */

struct receivers_job *receivers_take_job(struct receivers *r)
{
	struct receivers_job *job = r->jobs;

	if (!job)
		return NULL;
	r->jobs = job->next;
	if (!r->jobs)
		r->jobs_end = &r->jobs;
	return job;
}

enum duty receivers_vacancy(const struct receivers *r)
{
	if (r->at_work[DUTY_LEAD] == 0)
		return DUTY_LEAD;
	if (r->jobs && r->at_work[DUTY_JOBS] == 0)
		return DUTY_JOBS;
	if (r->at_work[DUTY_HELP] < r->n_helpers)
		return DUTY_HELP;
	return DUTY_NONE;
}

/* CLOCK_MONOTONIC, as the conditions are set to. Return: false when the time is over. */
static bool wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t until_ns)
{
	struct timespec until = {.tv_sec = (time_t)(until_ns / NS_PER_SEC),
				 .tv_nsec = (long)(until_ns % NS_PER_SEC)};

	return pthread_cond_timedwait(cond, lock, &until) == 0;
}

/* Gives back what @t did before, if anything. Under the lock. */
static void become_spare(struct receiver *t)
{
	struct receivers *r = t->all;

	if (t->state == THREAD_BLOCKED)
		r->n_blocked--;
	else if (t->state == THREAD_STARTING) {
		r->n_starting--;
		r->do_starts_fail = false;
	} else
		r->at_work[t->duty]--;
	t->state = THREAD_SPARE;
	t->duty = DUTY_NONE;
	atomic_store(&t->call, CALL_NONE);
}

/* Return: what to do next; DUTY_NONE: to end. */
static enum duty take_duty(struct receiver *t)
{
	struct receivers *r = t->all;
	uint64_t until_ns = clock_monotonic_ns() + SPARE_KEEP_NS;
	enum duty duty = DUTY_NONE;

	pthread_mutex_lock(&r->lock);
	become_spare(t);
	r->n_spare++;
	while (!receivers_end(r) && (duty = receivers_vacancy(r)) == DUTY_NONE) {
		if (r->n_spare <= SPARES_MIN)
			(void)pthread_cond_wait(&r->spares, &r->lock);
		else if (!wait_until(&r->spares, &r->lock, until_ns) && r->n_spare > SPARES_MIN)
			break;
	}
	r->n_spare--;
	if (duty != DUTY_NONE) {
		t->state = THREAD_AT_WORK;
		t->duty = duty;
		r->at_work[duty]++;
	}
	if (duty == DUTY_LEAD && !r->is_started) {
		r->is_started = true;
		(void)pthread_cond_signal(&r->started);
	}
	pthread_mutex_unlock(&r->lock);
	return duty;
}

static void thread_ends(struct receiver *t, int error)
{
	struct receivers *r = t->all;

	pthread_mutex_lock(&r->lock);
	if (t->state == THREAD_STARTING)
		r->n_starting--;
	t->state = THREAD_ENDED;
	if (error) {
		r->hire_after_ns = clock_monotonic_ns() + HIRE_RETRY_NS;
		r->do_starts_fail = true;
		r->start_error = error;
		(void)pthread_cond_signal(&r->started);
	}
	atomic_store(&r->is_warden_asleep, false);
	(void)pthread_cond_signal(&r->warden);
	pthread_mutex_unlock(&r->lock);
}

void *receiver_main(void *receiver)
{
	static void (*const duties[_DUTY_MAX])(struct receiver *) = {
		[DUTY_LEAD] = lead,
		[DUTY_HELP] = help,
		[DUTY_JOBS] = work,
	};
	struct receiver *t = receiver;
	const struct receivers_config *config = &t->all->config;
	enum duty duty;

	self = t;
	t->context = config->thread_new(config->arg);
	if (!t->context) {
		thread_ends(t, -ENOMEM);
		return NULL;
	}
	while ((duty = take_duty(t)) != DUTY_NONE)
		duties[duty](t);
	config->thread_free(t->context);
	thread_ends(t, 0);
	return NULL;
}

/* ---- from outside */

static void wake_handler(int sig)
{
	(void)sig; /* only there so that a call returns EINTR */
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

static void cond_init_monotonic(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

static struct receivers *receivers_new(const struct receivers_config *config)
{
	struct receivers *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->config = *config;
	r->n_helpers = threads_wanted(config) - 1;
	r->jobs_end = &r->jobs;
	pthread_mutex_init(&r->lock, NULL);
	cond_init_monotonic(&r->spares);
	cond_init_monotonic(&r->warden);
	cond_init_monotonic(&r->started);
	return r;
}

static void receivers_free(struct receivers *r)
{
	pthread_cond_destroy(&r->started);
	pthread_cond_destroy(&r->warden);
	pthread_cond_destroy(&r->spares);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

/* The warden makes the others, and they inherit the mask that is set here. */
static int start_warden(struct receivers *r)
{
	sigset_t mask, saved;
	int e;

	sigfillset(&mask);
	sigdelset(&mask, WAKE_SIGNAL);
	(void)pthread_sigmask(SIG_SETMASK, &mask, &saved);
	e = pthread_create(&r->warden_thread, NULL, warden_main, r);
	r->has_warden = e == 0;
	(void)pthread_sigmask(SIG_SETMASK, &saved, NULL);
	return -e;
}

int receivers_start(const struct receivers_config *config, struct receivers **ret)
{
	struct receivers *r;
	int result;

	result = install_wake_signal();
	if (result < 0)
		return result;
	r = receivers_new(config);
	if (!r)
		return -ENOMEM;
	result = start_warden(r);
	if (result < 0) {
		receivers_free(r);
		return result;
	}
	pthread_mutex_lock(&r->lock);
	while (!r->is_started && !r->start_error)
		(void)pthread_cond_wait(&r->started, &r->lock);
	/* A tight RLIMIT_NPROC costs helpers, not the session. */
	result = r->is_started ? 0 : r->start_error;
	pthread_mutex_unlock(&r->lock);
	if (result < 0)
		(void)!receivers_stop(r); /* nobody has handled anything: nothing can block */
	else
		*ret = r;
	return result;
}

void receivers_post(struct receivers *r, struct receivers_job *job)
{
	job->next = NULL;
	pthread_mutex_lock(&r->lock);
	*r->jobs_end = job;
	r->jobs_end = &job->next;
	if (r->at_work[DUTY_JOBS] == 0) {
		(void)pthread_cond_signal(&r->spares);
		atomic_store(&r->is_warden_asleep, false);
		(void)pthread_cond_signal(&r->warden);
	}
	pthread_mutex_unlock(&r->lock);
}

/* Return: whether @thread ended before @until_ns; it is sent the wake-up again and again. */
static bool join_thread(struct receivers *r, pthread_t thread, uint64_t until_ns)
{
	uint64_t next;
	struct timespec deadline;

	do {
		receivers_call_helpers(r, INT_MAX);
		(void)pthread_kill(thread, WAKE_SIGNAL);
		next = clock_monotonic_ns() + WAKE_INTERVAL_NS;
		deadline = (struct timespec){.tv_sec = (time_t)(next / NS_PER_SEC),
					     .tv_nsec = (long)(next % NS_PER_SEC)};
		if (pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &deadline) == 0)
			return true;
	} while (next < until_ns);
	return false;
}

/*
 * The lock orders what the thread did before what the caller frees: joining does so as well, but
 * TSan does not know pthread_clockjoin_np(3). Return: false: it goes on; true: it is, or was
 * before, joined, which must be done once only.
 */
static bool end_thread(struct receivers *r, struct receiver *t, uint64_t until_ns)
{
	bool is_free;

	pthread_mutex_lock(&r->lock);
	is_free = t->state == THREAD_FREE;
	pthread_mutex_unlock(&r->lock);
	if (is_free)
		return true;
	if (!join_thread(r, t->thread, until_ns))
		return false;
	pthread_mutex_lock(&r->lock);
	t->state = THREAD_FREE;
	pthread_mutex_unlock(&r->lock);
	return true;
}

bool receivers_stop(struct receivers *r)
{
	uint64_t until_ns = clock_monotonic_ns() + RECEIVERS_STOP_NS;
	bool have_all_ended;

	if (!r)
		return true;
	pthread_mutex_lock(&r->lock);
	atomic_store(&r->is_stopping, true);
	(void)pthread_cond_broadcast(&r->spares);
	(void)pthread_cond_signal(&r->warden);
	pthread_mutex_unlock(&r->lock);
	/* First the warden: it joins threads, too. */
	have_all_ended = !r->has_warden || join_thread(r, r->warden_thread, until_ns);
	r->has_warden = !have_all_ended;
	for (size_t i = 0; have_all_ended && i < THREADS_MAX; i++)
		have_all_ended = end_thread(r, &r->threads[i], until_ns);
	if (have_all_ended)
		receivers_free(r);
	return have_all_ended;
}
