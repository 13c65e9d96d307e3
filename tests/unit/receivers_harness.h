/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Receivers with a real listener: tasks of our own under a filter that traps getppid(2), and a
 * callback that answers it with a number of its choice. getppid takes no argument, so the first
 * register is free to say what the callback should do.
 */
#pragma once

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/clock.h"

#include "supervise/receivers.h"

#include "tests/unit/unit.h"

#define ANSWER      4711
#define INTERRUPTED 4712
#define REFUSED     4713
#define BLOCK       0x10000 /* ask: the callback reads a byte from a pipe first */
#define DEADLINE    30      /* seconds until SIGALRM ends a test that hangs */

struct seen {
	int listener;
	bool keeps;                /* the callback does not answer */
	bool seals;                /* it seals its call before it blocks */
	atomic_bool begins_slowly; /* as a new thread does that gets no CPU */
	atomic_bool lacks_memory;  /* new threads find none for their context */
	atomic_uint beginning;     /* that do so just now */
	atomic_uint contexts;
	atomic_uint handled;
	atomic_uint failed;
	int kept; /* a pipe: a byte for each notification that was kept */
	/* What a blocking call waits for: a byte for each. */
	int release[2];
	atomic_uint blocked;
	atomic_uint interrupted;
	atomic_uint refused;
	atomic_uint signalled; /* the task whose calls are to be interrupted */
	_Atomic uint64_t last_id;
};

static void respond(struct seen *s, uint64_t id, int64_t value)
{
	struct seccomp_notif_resp response = {.id = id, .val = value};

	if (ioctl(s->listener, SECCOMP_IOCTL_NOTIF_SEND, &response) < 0)
		atomic_fetch_add(&s->failed, 1);
}

/* As a call that blocks: a FIFO without a writer. Return: what it answers. */
static int64_t block(struct seen *s)
{
	ssize_t n;
	char byte;

	atomic_fetch_add(&s->blocked, 1);
	if (s->seals) {
		/* After it was relieved, as a thread that was slow to get there. */
		(void)usleep(200000);
		receivers_seal();
	}
	n = read(s->release[0], &byte, 1);
	atomic_fetch_sub(&s->blocked, 1);
	if (n == 1)
		return ANSWER;
	atomic_fetch_add(&s->interrupted, 1);
	return INTERRUPTED;
}

static void *context_new(void *arg)
{
	struct seen *s = arg;

	if (atomic_load(&s->lacks_memory))
		return NULL;
	if (atomic_load(&s->begins_slowly)) {
		atomic_fetch_add(&s->beginning, 1);
		(void)usleep(RECEIVERS_FULL_NS / 1000 * 3 / 2);
		atomic_fetch_sub(&s->beginning, 1);
	}
	atomic_fetch_add(&s->contexts, 1);
	return s;
}

static void context_free(void *context)
{
	struct seen *s = context;

	atomic_fetch_sub(&s->contexts, 1);
}

static _unused_ void *context_none(void *arg)
{
	(void)arg;
	return NULL;
}

static void answer(void *context, struct seccomp_notif *n)
{
	struct seen *s = context;

	atomic_fetch_add(&s->handled, 1);
	atomic_store(&s->last_id, n->id);
	if (s->keeps) {
		if (write(s->kept, "", 1) != 1)
			atomic_fetch_add(&s->failed, 1);
		return;
	}
	respond(s, n->id, n->data.args[0] == BLOCK ? block(s) : ANSWER);
}

static void refuse(void *context, const struct seccomp_notif *n)
{
	struct seen *s = context;

	atomic_fetch_add(&s->refused, 1);
	respond(s, n->id, REFUSED);
}

static bool is_signalled(void *arg, uint32_t task)
{
	struct seen *s = arg;

	return atomic_load(&s->signalled) == task;
}

static int load_filter(void)
{
	struct sock_filter insns[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = ARRAY_SIZE(insns), .filter = insns};

	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return (int)syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
			    &program);
}

static _Noreturn void call(int times)
{
	for (int i = 0; i < times; i++)
		if (syscall(__NR_getppid, 0) != ANSWER)
			_exit(1);
	_exit(0);
}

/*
 * A task that does what it is told through a pipe: a number N asks N blocking children, who end
 * with status 0 when they got an answer, 2 when it was "interrupted"; 0 asks once itself, and tells
 * what it got.
 */
static _Noreturn void serve(int orders, int reports)
{
	int n;

	while (read(orders, &n, sizeof(n)) == sizeof(n)) {
		int got = (int)(n ? 0 : syscall(__NR_getppid, 0));

		for (int i = 0; i < n; i++) {
			got = fork();
			if (got == 0) {
				long answer = syscall(__NR_getppid, BLOCK);

				_exit(answer == ANSWER ? 0 : answer == INTERRUPTED ? 2 : 1);
			}
		}
		if (write(reports, &got, sizeof(got)) != sizeof(got))
			_exit(1);
	}
	_exit(0);
}

static int orders[2], reports[2];

/* The child of CLONE_FILES: its listener is ours, too. Its @tasks children call getppid; none: it
 * serves orders. */
static _Noreturn void run_tasks(int tell, int tasks, int times)
{
	int listener = load_filter();
	int status, failed = 0;

	/* A table of its own, or our own copy would keep the listener from hanging up. */
	if (syscall(__NR_unshare, CLONE_FILES) < 0)
		_exit(1);
	if (write(tell, &listener, sizeof(listener)) != sizeof(listener) || listener < 0)
		_exit(1);
	if (tasks < 0 && (dup2(orders[0], 3) < 0 || dup2(reports[1], 4) < 0))
		_exit(1);
	if (syscall(__NR_close_range, tasks < 0 ? 5U : 3U, ~0U, 0) < 0)
		_exit(1);
	if (tasks < 0)
		serve(3, 4);
	for (int i = 0; i < tasks; i++)
		if (fork() == 0)
			call(times);
	while (wait(&status) > 0)
		failed |= status;
	_exit(failed != 0);
}

static pid_t start(struct seen *s, int tasks, int times)
{
	int ends[2];
	pid_t pid;

	(void)alarm(DEADLINE);
	assert_int_equal(pipe(ends), 0);
	pid = (pid_t)syscall(__NR_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0)
		run_tasks(ends[1], tasks, times);
	assert_true(pid > 0);
	assert_int_equal(read(ends[0], &s->listener, sizeof(s->listener)), sizeof(s->listener));
	assert_true(s->listener >= 0);
	(void)close(ends[0]);
	return pid;
}

static struct receivers_config config_of(struct seen *s, unsigned max)
{
	return (struct receivers_config){
		.listener = s->listener,
		.max_receivers = max,
		.thread_new = context_new,
		.thread_free = context_free,
		.handle = answer,
		.refuse = refuse,
		.is_interrupted = is_signalled,
		.arg = s,
		.sync_wake_up = true,
	};
}

static int exit_status(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}
