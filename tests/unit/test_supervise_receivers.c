/* SPDX-License-Identifier: Apache-2.0 */
/*
 * With a real listener: tasks of our own under a filter that traps getppid(2), and a callback that
 * answers it with a number of its choice.
 */
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

#include "supervise/receivers.h"

#include "tests/unit/unit.h"

#define ANSWER   4711
#define DEADLINE 20 /* seconds until SIGALRM ends a test that hangs */

struct seen {
	int listener;
	bool keeps; /* the callback does not answer */
	atomic_uint contexts;
	atomic_uint handled;
	atomic_uint failed;
	int kept; /* a pipe: a byte for each notification that was kept */
};

static void *context_new(void *arg)
{
	struct seen *s = arg;

	atomic_fetch_add(&s->contexts, 1);
	return s;
}

static void context_free(void *context)
{
	struct seen *s = context;

	atomic_fetch_sub(&s->contexts, 1);
}

static void *context_none(void *arg)
{
	(void)arg;
	return NULL;
}

static void answer(void *context, struct seccomp_notif *n)
{
	struct seccomp_notif_resp response = {.id = n->id, .val = ANSWER};
	struct seen *s = context;

	atomic_fetch_add(&s->handled, 1);
	if (s->keeps) {
		if (write(s->kept, "", 1) != 1)
			atomic_fetch_add(&s->failed, 1);
		return;
	}
	if (ioctl(s->listener, SECCOMP_IOCTL_NOTIF_SEND, &response) < 0)
		atomic_fetch_add(&s->failed, 1);
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
		if (syscall(__NR_getppid) != ANSWER)
			_exit(1);
	_exit(0);
}

/* The child of CLONE_FILES: its listener is ours, too. Its @tasks children call getppid. */
static _Noreturn void run_tasks(int tell, int tasks, int times)
{
	int listener = load_filter();
	int status, failed = 0;

	if (write(tell, &listener, sizeof(listener)) != sizeof(listener) || listener < 0)
		_exit(1);
	/* A table of its own, or our own copy would keep the listener from hanging up. */
	if (syscall(__NR_close_range, 3U, ~0U, 2U /* CLOSE_RANGE_UNSHARE */) < 0)
		_exit(1);
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

static void check_all_answered(unsigned max, int tasks, int times)
{
	struct seen s = {};
	struct receivers *r = NULL;
	pid_t pid = start(&s, tasks, times);
	struct receivers_config config = config_of(&s, max);

	assert_int_equal(receivers_start(&config, &r), 0);
	assert_int_equal(exit_status(pid), 0);
	receivers_stop(r);
	assert_int_equal(atomic_load(&s.handled), tasks * times);
	assert_int_equal(atomic_load(&s.failed), 0);
	assert_int_equal(atomic_load(&s.contexts), 0);
	(void)close(s.listener);
}

static void test_one_task_gets_every_answer(void **state)
{
	(void)state;
	check_all_answered(1, 1, 2000);
	check_all_answered(RECEIVERS_MAX, 1, 2000);
}

static void test_many_tasks_get_every_answer(void **state)
{
	(void)state;
	check_all_answered(1, 6, 1000);
	check_all_answered(2, 6, 1000);
	check_all_answered(RECEIVERS_MAX, 20, 300);
}

static void test_stop_returns_while_tasks_wait_for_an_answer(void **state)
{
	struct seen s = {.keeps = true};
	struct receivers *r = NULL;
	struct receivers_config config;
	int kept[2];
	char byte;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(kept), 0);
	s.kept = kept[1];
	pid = start(&s, 1, 1);
	config = config_of(&s, RECEIVERS_MAX);
	assert_int_equal(receivers_start(&config, &r), 0);
	assert_int_equal(read(kept[0], &byte, 1), 1);
	receivers_stop(r);
	assert_int_equal(atomic_load(&s.contexts), 0);
	/* The kernel fails the call that nobody answers any more: the task ends with an error. */
	(void)close(s.listener);
	assert_int_not_equal(exit_status(pid), 0);
	(void)close(kept[0]);
	(void)close(kept[1]);
}

static void test_stop_returns_at_once_after_start(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		struct seen s = {};
		struct receivers *r = NULL;
		pid_t pid = start(&s, 0, 0);
		struct receivers_config config = config_of(&s, RECEIVERS_MAX);

		assert_int_equal(receivers_start(&config, &r), 0);
		receivers_stop(r);
		assert_int_equal(exit_status(pid), 0);
		(void)close(s.listener);
	}
}

static void test_no_memory_for_a_context_is_an_error(void **state)
{
	struct seen s = {};
	struct receivers *r = NULL;
	pid_t pid = start(&s, 0, 0);
	struct receivers_config config = config_of(&s, 2);

	(void)state;
	config.thread_new = context_none;
	assert_int_equal(receivers_start(&config, &r), -ENOMEM);
	assert_null(r);
	receivers_stop(r);
	assert_int_equal(exit_status(pid), 0);
	(void)close(s.listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_task_gets_every_answer),
		cmocka_unit_test(test_many_tasks_get_every_answer),
		cmocka_unit_test(test_stop_returns_while_tasks_wait_for_an_answer),
		cmocka_unit_test(test_stop_returns_at_once_after_start),
		cmocka_unit_test(test_no_memory_for_a_context_is_an_error),
	};

	return cmocka_run_group_tests_name("supervise/receivers", tests, NULL, NULL);
}
