/* SPDX-License-Identifier: Apache-2.0 */
/* Execs of processes that somebody traces: who is watched by whom. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "supervise/execs_private.h"

static struct execs_traced traced;

static pid_t sleeper(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			(void)pause();
	}
	assert_true(pid > 0);
	return pid;
}

static void end(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}

static struct action exec_of(pid_t pid)
{
	return (struct action){.pid = pid, .tid = pid};
}

/* Seizes @pid from a process of its own. Return: that one, when it has done so. */
static pid_t tracer_of(pid_t pid)
{
	int done[2];
	pid_t tracer;
	char c;

	assert_int_equal(pipe(done), 0);
	tracer = fork();
	if (tracer == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0 || write(done[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			(void)pause();
	}
	(void)close(done[1]);
	assert_int_equal(read(done[0], &c, 1), 1);
	(void)close(done[0]);
	return tracer;
}

static void test_process_that_nobody_traces_is_not_left_alone(void **state)
{
	pid_t pid = sleeper();
	struct action a = exec_of(pid);

	(void)state;
	assert_int_equal(execs_traced_add(&traced, &a), -EPERM);
	end(pid);
}

/* What became our tracee by PTRACE_TRACEME has nobody who looks at its execs. */
static void test_process_that_we_trace_ourselves_is_not_left_alone(void **state)
{
	pid_t pid = sleeper();
	struct action a = exec_of(pid);

	(void)state;
	assert_int_equal(ptrace(PTRACE_SEIZE, pid, NULL, NULL), 0);
	assert_int_equal(execs_traced_add(&traced, &a), -EPERM);
	end(pid);
}

/* Its image is still the old one: the call goes on, or has failed. */
static void test_process_of_a_debugger_is_remembered_until_its_next_call(void **state)
{
	pid_t pid = sleeper(), tracer = tracer_of(pid);
	struct action a = exec_of(pid), other = exec_of(pid);

	(void)state;
	assert_int_equal(execs_traced_add(&traced, &a), 0);
	other.tid = pid + 1;
	assert_false(execs_traced_is_changed(&traced, &other));
	assert_int_equal(atomic_load(&traced.n), 1);
	assert_false(execs_traced_is_changed(&traced, &a));
	assert_int_equal(atomic_load(&traced.n), 0);
	end(tracer);
	end(pid);
}

/* Another image than the judged one, and not that from before either. */
static void test_another_image_is_found_at_the_next_call(void **state)
{
	pid_t pid = sleeper(), tracer = tracer_of(pid);
	struct action a = exec_of(pid);

	(void)state;
	assert_int_equal(execs_traced_add(&traced, &a), 0);
	traced.all[0].old_ino++;
	assert_true(execs_traced_is_changed(&traced, &a));
	assert_int_equal(atomic_load(&traced.n), 0);
	end(tracer);
	end(pid);
}

static void test_there_is_an_end_to_what_is_remembered(void **state)
{
	pid_t pids[EXECS_TRACED_MAX + 1], tracers[EXECS_TRACED_MAX + 1];
	struct action a;

	(void)state;
	for (size_t i = 0; i <= EXECS_TRACED_MAX; i++) {
		pids[i] = sleeper();
		tracers[i] = tracer_of(pids[i]);
		a = exec_of(pids[i]);
		assert_int_equal(execs_traced_add(&traced, &a), i < EXECS_TRACED_MAX ? 0 : -EMFILE);
	}
	/* A dead one makes room. */
	end(tracers[0]);
	end(pids[0]);
	assert_int_equal(execs_traced_add(&traced, &a), 0);
	for (size_t i = 1; i <= EXECS_TRACED_MAX; i++) {
		end(tracers[i]);
		end(pids[i]);
	}
}

static int setup(void **state)
{
	(void)state;
	execs_traced_init(&traced);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	execs_traced_fini(&traced);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_process_that_nobody_traces_is_not_left_alone),
		TEST(test_process_that_we_trace_ourselves_is_not_left_alone),
		TEST(test_process_of_a_debugger_is_remembered_until_its_next_call),
		TEST(test_another_image_is_found_at_the_next_call),
		TEST(test_there_is_an_end_to_what_is_remembered),
	};

	return cmocka_run_group_tests_name("supervise/execs_traced", tests, NULL, NULL);
}
