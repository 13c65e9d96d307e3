/* SPDX-License-Identifier: Apache-2.0 */
/* Receivers whose calls block, and jobs that are posted to them. */
#include "tests/unit/receivers_harness.h"

struct bench {
	struct seen seen;
	struct receivers *receivers;
	pid_t server;
};

static void order(int n)
{
	int got;

	assert_int_equal(write(orders[1], &n, sizeof(n)), sizeof(n));
	assert_int_equal(read(reports[0], &got, sizeof(got)), sizeof(got));
	if (n == 0)
		assert_int_equal(got, ANSWER);
}

static int order_answer(void)
{
	int n = 0, got;

	assert_int_equal(write(orders[1], &n, sizeof(n)), sizeof(n));
	assert_int_equal(read(reports[0], &got, sizeof(got)), sizeof(got));
	return got;
}

static void wait_for(atomic_uint *value, unsigned wanted)
{
	while (atomic_load(value) != wanted) /* the alarm ends it */
		(void)usleep(1000);
}

static void bench_start(struct bench *b, unsigned max)
{
	struct receivers_config config;

	*b = (struct bench){};
	assert_int_equal(pipe2(b->seen.release, O_CLOEXEC), 0);
	assert_int_equal(pipe2(orders, O_CLOEXEC), 0);
	assert_int_equal(pipe2(reports, O_CLOEXEC), 0);
	b->server = start(&b->seen, -1, 0);
	(void)close(orders[0]);
	(void)close(reports[1]);
	config = config_of(&b->seen, max);
	assert_int_equal(receivers_start(&config, &b->receivers), 0);
}

static void release(struct bench *b, unsigned n)
{
	char bytes[512] = {};

	assert_true(n <= sizeof(bytes));
	assert_int_equal(write(b->seen.release[1], bytes, n), (ssize_t)n);
}

static void bench_stop(struct bench *b)
{
	(void)close(orders[1]);
	assert_int_equal(exit_status(b->server), 0);
	assert_true(receivers_stop(b->receivers));
	assert_int_equal(atomic_load(&b->seen.failed), 0);
	assert_int_equal(atomic_load(&b->seen.contexts), 0);
	(void)close(reports[0]);
	(void)close(b->seen.listener);
	(void)close(b->seen.release[0]);
	(void)close(b->seen.release[1]);
}

static void test_blocked_calls_keep_nobody_else_waiting(void **state)
{
	struct bench b;
	uint64_t start_ns, ns, worst_ns = 0;

	(void)state;
	bench_start(&b, RECEIVERS_MAX);
	order(100);
	wait_for(&b.seen.blocked, 100);
	for (int i = 0; i < 200; i++) {
		start_ns = clock_monotonic_ns();
		order(0);
		ns = clock_monotonic_ns() - start_ns;
		worst_ns = MAX(worst_ns, ns);
	}
	assert_true(worst_ns < NS_PER_SEC);
	release(&b, 100);
	wait_for(&b.seen.blocked, 0);
	assert_int_equal(atomic_load(&b.seen.interrupted), 0);
	bench_stop(&b);
}

static void test_threads_are_given_back(void **state)
{
	struct bench b;

	(void)state;
	bench_start(&b, 1);
	order(50);
	wait_for(&b.seen.blocked, 50);
	assert_true(atomic_load(&b.seen.contexts) > 50);
	release(&b, 50);
	/* The leader, a spare and the warden. */
	wait_for(&b.seen.contexts, 3);
	order(0);
	bench_stop(&b);
}

static void test_when_all_are_blocked_calls_wait_and_then_are_refused(void **state)
{
	struct bench b;
	uint64_t start_ns;

	(void)state;
	bench_start(&b, 1);
	order(RECEIVERS_BLOCKED_MAX + 100);
	wait_for(&b.seen.refused, 100 - RECEIVERS_MAX - 2);
	(void)usleep(100000); /* no more are refused than found no thread */
	assert_int_equal(atomic_load(&b.seen.refused), 100 - RECEIVERS_MAX - 2);
	assert_int_equal(atomic_load(&b.seen.blocked), RECEIVERS_BLOCKED_MAX + RECEIVERS_MAX + 2);
	start_ns = clock_monotonic_ns();
	assert_int_equal(order_answer(), REFUSED);
	assert_true(clock_monotonic_ns() - start_ns < RECEIVERS_FULL_NS);
	release(&b, 1);
	while (order_answer() != ANSWER)
		;
	release(&b, RECEIVERS_BLOCKED_MAX + RECEIVERS_MAX + 1);
	wait_for(&b.seen.blocked, 0);
	order(0);
	bench_stop(&b);
}

static void test_who_is_only_slow_to_begin_is_waited_for(void **state)
{
	struct bench b;

	(void)state;
	bench_start(&b, 1);
	wait_for(&b.seen.contexts, 3); /* the leader, a spare and the warden */
	atomic_store(&b.seen.begins_slowly, true);
	order(2);
	wait_for(&b.seen.blocked, 2);
	assert_int_equal(order_answer(), ANSWER);
	atomic_store(&b.seen.begins_slowly, false);
	release(&b, 2);
	wait_for(&b.seen.blocked, 0);
	wait_for(&b.seen.beginning, 0); /* or it is not stopped in time */
	bench_stop(&b);
}

/* Each is made, finds no memory and ends: the tries must not put off the refusal for good. */
static void test_threads_that_cannot_begin_are_nobody(void **state)
{
	struct bench b;

	(void)state;
	bench_start(&b, 1);
	wait_for(&b.seen.contexts, 3); /* the leader, a spare and the warden */
	atomic_store(&b.seen.lacks_memory, true);
	order(2);
	wait_for(&b.seen.blocked, 2);
	assert_int_equal(order_answer(), REFUSED);
	atomic_store(&b.seen.lacks_memory, false);
	while (order_answer() != ANSWER)
		;
	release(&b, 2);
	wait_for(&b.seen.blocked, 0);
	order(0);
	bench_stop(&b);
}

static pid_t child_of(pid_t parent)
{
	char path[64];
	FILE *f;
	int pid;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", parent, parent);
	f = fopen(path, "re");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%d", &pid), 1);
	(void)fclose(f);
	return pid;
}

static void test_a_blocked_call_of_a_dead_task_is_interrupted(void **state)
{
	struct bench b;

	(void)state;
	bench_start(&b, 2);
	order(1);
	wait_for(&b.seen.blocked, 1);
	assert_int_equal(kill(child_of(b.server), SIGKILL), 0);
	wait_for(&b.seen.blocked, 0);
	assert_int_equal(atomic_load(&b.seen.interrupted), 1);
	assert_int_equal(atomic_load(&b.seen.failed), 1); /* there is nobody to answer */
	atomic_store(&b.seen.failed, 0);
	order(0);
	bench_stop(&b);
}

static void test_a_blocked_call_of_a_signalled_task_is_interrupted(void **state)
{
	struct bench b;

	(void)state;
	bench_start(&b, 2);
	order(1);
	wait_for(&b.seen.blocked, 1);
	(void)usleep(300000); /* nothing interrupts it by itself */
	assert_int_equal(atomic_load(&b.seen.blocked), 1);
	atomic_store(&b.seen.signalled, (unsigned)child_of(b.server));
	wait_for(&b.seen.blocked, 0);
	assert_int_equal(atomic_load(&b.seen.interrupted), 1);
	bench_stop(&b);
}

static void test_a_sealed_call_is_not_interrupted(void **state)
{
	struct bench b;

	(void)state;
	bench_start(&b, 2);
	b.seen.seals = true;
	order(3);
	wait_for(&b.seen.blocked, 3);
	(void)usleep(300000);
	atomic_store(&b.seen.signalled, (unsigned)child_of(b.server));
	(void)usleep(300000);
	assert_int_equal(atomic_load(&b.seen.blocked), 3);
	assert_int_equal(atomic_load(&b.seen.interrupted), 0);
	release(&b, 3);
	wait_for(&b.seen.blocked, 0);
	bench_stop(&b);
}

/* ---- jobs */

struct test_job {
	struct receivers_job job;
	struct seen *seen;
	bool blocks;
	atomic_uint done; /* 1: done, 2: refused */
};

static void run_job(void *context, struct receivers_job *job, bool is_refused)
{
	struct test_job *j = (struct test_job *)job;

	assert_ptr_equal(context, j->seen);
	if (j->blocks)
		(void)block(j->seen);
	atomic_store(&j->done, is_refused ? 2 : 1);
}

static void test_jobs_run_beside_blocked_calls_and_jobs(void **state)
{
	enum {
		N = 100
	};
	static struct test_job jobs[N];
	struct bench b;
	char byte;

	(void)state;
	bench_start(&b, 1);
	b.seen.keeps = true;
	b.seen.kept = b.seen.release[1];
	order(1); /* keeps its notification: jobs are about one that waits */
	assert_int_equal(read(b.seen.release[0], &byte, 1), 1);
	b.seen.keeps = false;
	for (size_t i = 0; i < N; i++) {
		jobs[i] =
			(struct test_job){.job = {.id = b.seen.last_id, .task = 1, .run = run_job},
					  .seen = &b.seen,
					  .blocks = i % 10 == 0};
		receivers_post(b.receivers, &jobs[i].job);
	}
	for (size_t i = 0; i < N; i++)
		if (!jobs[i].blocks)
			wait_for(&jobs[i].done, 1);
	wait_for(&b.seen.blocked, N / 10);
	order(0);
	release(&b, N / 10);
	for (size_t i = 0; i < N; i++)
		wait_for(&jobs[i].done, 1);
	assert_int_equal(kill(child_of(b.server), SIGKILL), 0);
	bench_stop(&b);
}

static void test_jobs_left_over_are_refused(void **state)
{
	static struct test_job jobs[3];
	struct bench b;
	int left = 0;

	(void)state;
	bench_start(&b, 1);
	(void)close(orders[1]);
	assert_int_equal(exit_status(b.server), 0);
	for (size_t i = 0; i < ARRAY_SIZE(jobs); i++) {
		jobs[i] = (struct test_job){.job = {.run = run_job}, .seen = &b.seen};
		receivers_post(b.receivers, &jobs[i].job);
	}
	assert_true(receivers_stop(b.receivers));
	for (size_t i = 0; i < ARRAY_SIZE(jobs); i++)
		left += atomic_load(&jobs[i].done) == 0; /* one may have been done before */
	assert_int_equal(left, 0);
	(void)close(b.seen.listener);
}

/* As a file system that hangs: no signal ends the wait. */
static void block_for_good(void *context, struct seccomp_notif *n)
{
	struct seen *s = context;
	char byte;

	(void)n;
	atomic_fetch_add(&s->blocked, 1);
	while (read(s->release[0], &byte, 1) < 0)
		;
}

static void test_stop_leaves_behind_what_blocks_for_good(void **state)
{
	struct receivers_config config;
	struct bench b = {};

	(void)state;
	assert_int_equal(pipe2(b.seen.release, O_CLOEXEC), 0);
	b.server = start(&b.seen, 1, 1);
	config = config_of(&b.seen, 1);
	config.handle = block_for_good;
	assert_int_equal(receivers_start(&config, &b.receivers), 0);
	wait_for(&b.seen.blocked, 1);
	assert_false(receivers_stop(b.receivers));
	/* Then it goes on, with all that it needs still there. */
	release(&b, 1);
	assert_true(receivers_stop(b.receivers));
	assert_int_equal(atomic_load(&b.seen.contexts), 0);
	(void)close(b.seen.listener);
	assert_int_not_equal(exit_status(b.server), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocked_calls_keep_nobody_else_waiting),
		cmocka_unit_test(test_threads_are_given_back),
		cmocka_unit_test(test_when_all_are_blocked_calls_wait_and_then_are_refused),
		cmocka_unit_test(test_who_is_only_slow_to_begin_is_waited_for),
		cmocka_unit_test(test_threads_that_cannot_begin_are_nobody),
		cmocka_unit_test(test_a_blocked_call_of_a_dead_task_is_interrupted),
		cmocka_unit_test(test_a_blocked_call_of_a_signalled_task_is_interrupted),
		cmocka_unit_test(test_a_sealed_call_is_not_interrupted),
		cmocka_unit_test(test_jobs_run_beside_blocked_calls_and_jobs),
		cmocka_unit_test(test_jobs_left_over_are_refused),
		cmocka_unit_test(test_stop_leaves_behind_what_blocks_for_good),
	};

	return cmocka_run_group_tests_name("supervise/blocked", tests, NULL, NULL);
}
