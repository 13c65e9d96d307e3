/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the receivers and their warden share. Not for other modules.
 *
 * The lock is for changes of duty; a notification that is handled in time takes no lock. A thread
 * announces each call it handles by a number in ->call. The warden relieves it by changing that
 * number to CALL_RELIEVED; the thread, when the call returns, fails to change it to CALL_NONE and
 * so knows that its place was given to another.
 */
#pragma once

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "behalf/behalf.h"

#include "supervise/crowd.h"
#include "supervise/receivers.h"

#define WAKE_SIGNAL BEHALF_WAKE_SIGNAL

#define CALL_NONE     0u
#define CALL_RELIEVED UINT32_MAX

/* Kept even when all is quiet: where processes are limited, none may be had when it is needed. */
#define SPARES_MIN    1
#define HIRE_RETRY_NS (100 * NS_PER_MSEC) /* after no thread could be had */
/* One does jobs. */
#define THREADS_MAX (RECEIVERS_MAX + 1 + SPARES_MIN + RECEIVERS_BLOCKED_MAX)

enum duty {
	DUTY_NONE, /* a spare, or one whose place was given away */
	DUTY_LEAD, /* takes notifications, and calls helpers; one at a time */
	DUTY_HELP, /* takes notifications when it is called */
	DUTY_JOBS, /* works through what was posted; one at a time */
	_DUTY_MAX,
};

enum thread_state {
	THREAD_FREE, /* there is none in this slot */
	THREAD_STARTING,
	THREAD_SPARE,
	THREAD_AT_WORK,
	THREAD_BLOCKED, /* relieved, and still inside of its call */
	THREAD_ENDED,   /* to be joined */
};

struct receiver {
	struct receivers *all;
	void *context; /* its own */
	pthread_t thread;
	_Atomic uint32_t call;
	_Atomic uint64_t id;   /* of the notification of this call */
	_Atomic uint32_t task; /* that waits for it */
	/* This call is being answered: it may wait for that, but must not be interrupted. */
	atomic_bool is_sealed;
	uint32_t last_call; /* its own */
	/* Under the lock. */
	enum thread_state state;
	enum duty duty;
	/* The warden's: since when the call has been the same. */
	uint32_t seen_call;
	uint64_t seen_ns;
};

struct receivers {
	struct receivers_config config;
	unsigned n_helpers; /* as many are wanted */
	atomic_bool is_stopping;
	atomic_bool is_over; /* the listener hung up */
	/* Helpers sleep on this futex until it changes. */
	atomic_uint calls;
	atomic_uint n_asleep;
	/* No thread can be had for a place that must be filled: helpers take it. */
	atomic_bool wants_hands;
	/* The warden sleeps until somebody does something: who begins a call wakes it. */
	atomic_bool is_warden_asleep;
	struct crowd crowd; /* the leader's */

	pthread_mutex_t lock;
	pthread_cond_t spares;  /* something for a spare to do */
	pthread_cond_t warden;  /* something for the warden to see */
	pthread_cond_t started; /* is_started or start_error has changed */
	bool is_started;
	int start_error;
	unsigned n_threads, n_starting, n_spare, n_blocked;
	unsigned n_slots; /* of ->threads: those after them are free */
	unsigned at_work[_DUTY_MAX];
	struct receivers_job *jobs, **jobs_end;

	pthread_t warden_thread;
	bool has_warden;
	void *warden_context;
	uint64_t hire_after_ns;        /* the last try failed */
	bool do_starts_fail;           /* the last thread found no memory, and none began since */
	uint64_t vacant_ns[_DUTY_MAX]; /* since when nobody has had the duty; 0: somebody has */
	struct receiver threads[THREADS_MAX];
};

/* receivers.c */
void *receiver_main(void *receiver);
bool receivers_listener_has(const struct receivers *r, short events);
void receivers_call_helpers(struct receivers *r, int n);
/* Under the lock: the most urgent duty that nobody has. */
enum duty receivers_vacancy(const struct receivers *r);
/* Under the lock. NULL: none waits. */
struct receivers_job *receivers_take_job(struct receivers *r);
static inline bool receivers_end(const struct receivers *r)
{
	return atomic_load(&r->is_stopping) || atomic_load(&r->is_over);
}

/* warden.c */
void *warden_main(void *receivers);
