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
 * So the first thread watches who notifies (crowd.h) and sets the flag by it. The other threads
 * sleep on a futex; they are called only when there are several tasks and one is found to have
 * waited through the handling of another, and leave when that no longer happens. Pinning a thread
 * to each CPU was tried as well: it serves storms of opens by two tasks better, and one task and
 * builds worse.
 */
#pragma once

#include <linux/seccomp.h>

#include "base/util.h"

#define RECEIVERS_MAX 8

struct receivers_config {
	int listener;           /* borrowed; must outlive the receivers */
	unsigned max_receivers; /* from 1 to RECEIVERS_MAX; no more than there are CPUs are started
				 */
	/* A thread's own context, made in the thread that starts them. Return: NULL: out of memory.
	 */
	void *(*thread_new)(void *arg);
	void (*thread_free)(void *context);
	/* Answers @n or keeps its id for later. */
	void (*handle)(void *context, struct seccomp_notif *n);
	void *arg;
	bool sync_wake_up; /* the kernel has the flag, and it is set */
};

struct receivers;

/*
 * Starts the threads, all signals blocked in them but SIGRTMAX, which wakes them and does nothing
 * else. Return: 0, -ENOMEM, -errno of the first thread (fewer threads than asked for is no error).
 */
int receivers_start(const struct receivers_config *config, struct receivers **ret) _must_check_;
/*
 * Lets each thread finish what it handles, then joins them; for after the listener hung up and for
 * a shutdown. Frees @r and the contexts. NULL-safe.
 */
void receivers_stop(struct receivers *r);
