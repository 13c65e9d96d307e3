/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The warden: makes the receiver threads, relieves those that are blocked, interrupts calls whose
 * task died or got a signal, and refuses what waits when nobody is left. It sleeps while nothing
 * happens: who begins a call wakes it, then it looks every TICK_NS until all is quiet.
 *
 * Looking by time was chosen over a timer for each call, which would cost every call a system call,
 * and over a clock in each call: that a number has not changed between two looks says enough.
 */
#include <limits.h>
#include <poll.h>
#include <sys/ioctl.h>

#include "base/clock.h"

#include "supervise/receivers_private.h"

#define TICK_NS (4 * NS_PER_MSEC)
/* At the same call for so long, while others wait; and while nobody does, so that who comes next
 * does not have to wait until somebody has looked. */
#define BLOCKED_NS       (4 * NS_PER_MSEC)
#define BLOCKED_ALONE_NS (100 * NS_PER_MSEC)
/* How often blocked calls are asked about: each costs a read of /proc. */
#define SCAN_NS (50 * NS_PER_MSEC)
/* Nothing was begun for so long: the warden sleeps. */
#define QUIET_NS (100 * NS_PER_MSEC)
/* The decoder and the engine keep what is large on the heap. */
#if defined(__SANITIZE_ADDRESS__)
#define STACK_BYTES ((size_t)2 << 20)
#else
#define STACK_BYTES ((size_t)256 << 10)
#endif

struct look {
	uint64_t now_ns;
	bool is_busy; /* somebody began or was at a call since the last look */
	bool has_asked, is_somebody_waiting;
};

/* ---- making and ending threads; all under the lock */

static struct receiver *free_slot(struct receivers *r)
{
	for (size_t i = 0; i < THREADS_MAX; i++)
		if (r->threads[i].state == THREAD_FREE)
			return &r->threads[i];
	return NULL;
}

static int start_thread(struct receivers *r)
{
	struct receiver *t = free_slot(r);
	pthread_attr_t attr;
	int e;

	if (!t)
		return -EAGAIN;
	r->n_slots = MAX(r->n_slots, (unsigned)(t - r->threads) + 1);
	t->all = r;
	t->duty = DUTY_NONE;
	t->state = THREAD_STARTING;
	atomic_store(&t->call, CALL_NONE);
	pthread_attr_init(&attr);
	(void)pthread_attr_setstacksize(&attr, STACK_BYTES);
	e = pthread_create(&t->thread, &attr, receiver_main, t);
	pthread_attr_destroy(&attr);
	if (e) {
		t->state = THREAD_FREE;
		return -e;
	}
	r->n_threads++;
	r->n_starting++;
	return 0;
}

static void reap(struct receivers *r)
{
	for (size_t i = 0; i < r->n_slots; i++) {
		struct receiver *t = &r->threads[i];

		if (t->state != THREAD_ENDED)
			continue;
		(void)pthread_join(t->thread, NULL); /* it ends without the lock */
		t->state = THREAD_FREE;
		r->n_threads--;
	}
	while (r->n_slots && r->threads[r->n_slots - 1].state == THREAD_FREE)
		r->n_slots--;
}

/*
 * A thread that only has to be given a CPU, on a machine that has none to spare, is somebody. Not
 * so where there is room for threads and none for what they need: each try would put off for good
 * what is to be done when nobody comes.
 */
static bool nobody_comes(const struct receivers *r)
{
	return r->n_spare + (r->do_starts_fail ? 0 : r->n_starting) == 0;
}

static void hire(struct receivers *r, uint64_t now_ns)
{
	unsigned lacking = r->n_helpers - MIN(r->at_work[DUTY_HELP], r->n_helpers);
	bool is_urgent = false;
	unsigned wanted;
	int e = 0;

	if (r->at_work[DUTY_LEAD] == 0 || (r->jobs && r->at_work[DUTY_JOBS] == 0))
		is_urgent = true;
	lacking += (r->at_work[DUTY_LEAD] == 0) + (r->jobs && r->at_work[DUTY_JOBS] == 0);
	if (lacking && r->n_spare)
		(void)pthread_cond_broadcast(&r->spares);
	/* The others a tick later: they would take the CPU that the command starts with, and a
	 * command of one moment never needs them. */
	wanted = r->is_started ? lacking + SPARES_MIN : 1;
	while (e == 0 && now_ns >= r->hire_after_ns && wanted > r->n_spare + r->n_starting)
		e = start_thread(r);
	if (e)
		r->hire_after_ns = now_ns + HIRE_RETRY_NS;
	if (e && r->n_threads == 0 && !r->is_started) {
		r->start_error = e;
		(void)pthread_cond_signal(&r->started);
	}
	/* Nobody can be had: who helps takes the place. */
	atomic_store(&r->wants_hands, is_urgent && nobody_comes(r));
	if (atomic_load(&r->wants_hands) && atomic_load(&r->n_asleep) > 0)
		receivers_call_helpers(r, INT_MAX);
}

/* ---- relief */

static bool is_somebody_waiting(struct receivers *r, struct look *look, enum duty duty)
{
	if (duty == DUTY_JOBS)
		return r->jobs != NULL;
	if (!look->has_asked)
		look->is_somebody_waiting = receivers_listener_has(r, POLLIN);
	look->has_asked = true;
	return look->is_somebody_waiting;
}

static void relieve_if_blocked(struct receivers *r, struct receiver *t, struct look *look)
{
	uint32_t call = atomic_load(&t->call);
	uint64_t since_ns;

	if (call != t->seen_call) {
		t->seen_call = call;
		t->seen_ns = look->now_ns;
		look->is_busy = true;
		return;
	}
	if (call == CALL_NONE)
		return;
	look->is_busy = true;
	since_ns = look->now_ns - t->seen_ns;
	if (since_ns < BLOCKED_NS ||
	    (since_ns < BLOCKED_ALONE_NS && !is_somebody_waiting(r, look, t->duty)))
		return;
	if (!atomic_compare_exchange_strong(&t->call, &call, CALL_RELIEVED))
		return;
	r->at_work[t->duty]--;
	r->n_blocked++;
	t->state = THREAD_BLOCKED;
}

static bool is_answered(const struct receivers *r, uint64_t id)
{
	return ioctl(r->config.listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) < 0;
}

/*
 * Under the lock, so that the thread is still at that call when it gets the signal. It may come
 * just before the call that blocks: then the next scan sends another.
 */
static void interrupt_blocked(struct receivers *r)
{
	for (size_t i = 0; i < r->n_slots; i++) {
		struct receiver *t = &r->threads[i];

		if (t->state == THREAD_BLOCKED && !atomic_load(&t->is_sealed) &&
		    (is_answered(r, atomic_load(&t->id)) ||
		     r->config.is_interrupted(r->config.arg, atomic_load(&t->task))))
			(void)pthread_kill(t->thread, WAKE_SIGNAL);
	}
}

/* ---- when nobody is left */

/* Since when the duty has been without anybody. */
static uint64_t vacant_for(struct receivers *r, enum duty duty, bool is_vacant, uint64_t now_ns)
{
	if (!is_vacant) {
		r->vacant_ns[duty] = 0;
		return 0;
	}
	if (r->vacant_ns[duty] == 0)
		r->vacant_ns[duty] = now_ns;
	return now_ns - r->vacant_ns[duty];
}

/*
 * While the lock is held nobody begins a duty, and without a leader and helpers nobody is in RECV:
 * what poll(2) says is there, RECV takes without blocking.
 */
static bool nobody_receives(const struct receivers *r)
{
	return r->at_work[DUTY_LEAD] == 0 && r->at_work[DUTY_HELP] == 0;
}

static bool nobody_works(const struct receivers *r)
{
	return r->jobs && r->at_work[DUTY_JOBS] == 0;
}

static void refuse_notifications(struct receivers *r)
{
	while (!receivers_end(r) && nobody_receives(r) && receivers_listener_has(r, POLLIN)) {
		struct seccomp_notif n = {};

		if (ioctl(r->config.listener, SECCOMP_IOCTL_NOTIF_RECV, &n) < 0)
			return;
		pthread_mutex_unlock(&r->lock);
		r->config.refuse(r->warden_context, &n);
		pthread_mutex_lock(&r->lock);
	}
}

static void refuse_one_job(struct receivers *r)
{
	struct receivers_job *job = receivers_take_job(r);

	pthread_mutex_unlock(&r->lock);
	job->run(r->warden_context, job, true);
	pthread_mutex_lock(&r->lock);
}

static void refuse_what_waits(struct receivers *r, uint64_t now_ns)
{
	if (vacant_for(r, DUTY_LEAD, nobody_receives(r) && nobody_comes(r), now_ns) >=
	    RECEIVERS_FULL_NS)
		refuse_notifications(r);
	if (vacant_for(r, DUTY_JOBS, nobody_works(r) && nobody_comes(r), now_ns) <
	    RECEIVERS_FULL_NS)
		return;
	while (!receivers_end(r) && nobody_works(r))
		refuse_one_job(r);
}

/* ---- the round */

static void sleep_for(struct receivers *r, uint64_t ns)
{
	uint64_t until_ns = clock_monotonic_ns() + ns;
	struct timespec until = {.tv_sec = (time_t)(until_ns / NS_PER_SEC),
				 .tv_nsec = (long)(until_ns % NS_PER_SEC)};

	if (ns == UINT64_MAX)
		(void)pthread_cond_wait(&r->warden, &r->lock);
	else
		(void)pthread_cond_timedwait(&r->warden, &r->lock, &until);
}

static bool has_call(const struct receivers *r)
{
	for (size_t i = 0; i < r->n_slots; i++)
		if (r->threads[i].state == THREAD_AT_WORK &&
		    atomic_load(&r->threads[i].call) != CALL_NONE)
			return true;
	return false;
}

/* @is_idle: nothing was seen for QUIET_NS. */
static void rest(struct receivers *r, bool is_idle)
{
	enum duty vacancy = receivers_vacancy(r);

	if (!is_idle || vacancy == DUTY_LEAD || vacancy == DUTY_JOBS) {
		sleep_for(r, TICK_NS);
		return;
	}
	atomic_store(&r->is_warden_asleep, true);
	if (!has_call(r)) /* see call_begin() */
		sleep_for(r, r->n_blocked           ? SCAN_NS
			     : vacancy != DUTY_NONE ? HIRE_RETRY_NS
						    : UINT64_MAX);
	atomic_store(&r->is_warden_asleep, false);
}

static void watch(struct receivers *r)
{
	uint64_t scan_ns = 0, busy_ns = 0;

	while (!receivers_end(r)) {
		struct look look = {.now_ns = clock_monotonic_ns()};

		for (size_t i = 0; i < r->n_slots; i++)
			if (r->threads[i].state == THREAD_AT_WORK)
				relieve_if_blocked(r, &r->threads[i], &look);
		if (r->n_blocked && look.now_ns >= scan_ns) {
			interrupt_blocked(r);
			scan_ns = look.now_ns + SCAN_NS;
		}
		reap(r);
		hire(r, look.now_ns);
		refuse_what_waits(r, look.now_ns);
		if (look.is_busy)
			busy_ns = look.now_ns;
		rest(r, look.now_ns - busy_ns >= QUIET_NS);
	}
}

void *warden_main(void *receivers)
{
	struct receivers *r = receivers;

	r->warden_context = r->config.thread_new(r->config.arg);
	pthread_mutex_lock(&r->lock);
	if (r->warden_context) {
		watch(r);
		while (!atomic_load(&r->is_stopping)) /* the listener hung up */
			(void)pthread_cond_wait(&r->warden, &r->lock);
		while (r->jobs)
			refuse_one_job(r);
	} else {
		r->start_error = -ENOMEM;
		(void)pthread_cond_signal(&r->started);
	}
	pthread_mutex_unlock(&r->lock);
	if (r->warden_context)
		r->config.thread_free(r->warden_context);
	return NULL;
}
