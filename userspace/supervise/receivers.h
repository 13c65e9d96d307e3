/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The threads that take notifications from the listener. They know nothing of what a notification
 * means: each hands what it received to a callback, which answers it.
 *
 * How many threads, and on which CPU, is a matter of measurement (docs/performance.md):
 *
 * - One task alone is served fastest by one thread and SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP: thread
 *   and task hand one CPU to each other. A second thread in RECV would be woken each time as well
 *   (the kernel wakes all), and without the flag each way wakes an idle CPU.
 * - Several tasks at once are served badly by that: an answer pulls its task onto the thread's CPU,
 *   where it stays with the others while a CPU idles. Without the flag the scheduler places the
 *   task as it does after any other sleep, and a build costs about what it does bare.
 *
 * So the thread that leads watches who notifies (crowd.h) and sets the flag by it. Helpers sleep on
 * a futex; they are called only when there are several tasks and one is found to have waited
 * through the handling of another, and leave when that no longer happens. Pinning a thread to each
 * CPU was tried as well: it serves storms of opens by two tasks better, and one task and builds
 * worse.
 *
 * Handling may block: in a FIFO, a connect, a file system that hangs. So a further thread, the
 * warden (warden.c), looks every few milliseconds while there is work. A receiver that is still at
 * the same call while others wait is relieved: a spare thread, or a new one, takes over its duty,
 * and it becomes a spare when its call returns. Up to RECEIVERS_BLOCKED_MAX may be blocked so. When
 * all are, further calls wait, and after RECEIVERS_FULL_NS the warden has them refused: an agent
 * that blocks many calls slows itself down and then is denied, but nothing ever waits for good.
 * Signals (rather than a thread for each call from the start) would not do: a FUSE server that has
 * the request cannot be interrupted.
 */
#pragma once

#include <linux/seccomp.h>

#include "base/util.h"

#define RECEIVERS_MAX         8   /* that take notifications at the same time */
#define RECEIVERS_BLOCKED_MAX 256 /* besides these, inside of calls that take long */
#define RECEIVERS_FULL_NS     (1 * NS_PER_SEC)
/* A thread that blocks beyond this when all are to end is left behind. */
#define RECEIVERS_STOP_NS (2 * NS_PER_SEC)

/* Something to be done by a receiver thread: the answer to a notification that was kept. */
struct receivers_job {
	struct receivers_job *next; /* private */
	uint64_t id;                /* of the notification */
	uint32_t task;              /* the thread that waits for it */
	/* @job is the callee's again. @is_refused: there is nobody to do it; must not block. */
	void (*run)(void *context, struct receivers_job *job, bool is_refused);
};

struct receivers_config {
	int listener;           /* borrowed; must outlive the receivers */
	unsigned max_receivers; /* from 1 to RECEIVERS_MAX; no more than there are CPUs are started
				 */
	/* A thread's own context; both in that thread. Return: NULL: out of memory. */
	void *(*thread_new)(void *arg);
	void (*thread_free)(void *context);
	/* Answers @n or keeps its id for later. May block; WAKE_SIGNAL makes what blocks return. */
	void (*handle)(void *context, struct seccomp_notif *n);
	/* Refuses @n: there are too many blocked calls. Must not block. */
	void (*refuse)(void *context, const struct seccomp_notif *n);
	/* Whether the call that thread @task waits for is to be interrupted (it got a signal). */
	bool (*is_interrupted)(void *arg, uint32_t task);
	void *arg;
	bool sync_wake_up; /* the kernel has the flag, and it is set */
};

struct receivers;

/*
 * Starts the threads, all signals blocked in them but SIGRTMAX, which makes a blocking call return
 * with EINTR and does nothing else. Return: 0, -ENOMEM, -errno of the first thread (fewer threads
 * than asked for is no error).
 */
int receivers_start(const struct receivers_config *config, struct receivers **ret) _must_check_;
/* Queues @job, which the callee keeps until it runs. Never blocks for longer than a lock. */
void receivers_post(struct receivers *r, struct receivers_job *job);
/*
 * From here on nothing interrupts the call that the calling thread handles; for what waits while it
 * answers. SECCOMP_IOCTL_NOTIF_ADDFD with SEND above all: interrupted before the task has run, it
 * leaves the call answered with 0 and without the descriptor (Linux 5.14 to 6.18 at least).
 */
void receivers_seal(void);
/*
 * Lets each thread finish what it handles, then joins them; for after the listener hung up and for
 * a shutdown. Jobs that are left are run as refused. NULL-safe. Return: true, and @r and the
 * contexts are freed; false: some are blocked for good, and what they use must stay until exit(3),
 * or until another call returned true.
 */
bool receivers_stop(struct receivers *r) _must_check_;
