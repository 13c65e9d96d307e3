/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/receivers_harness.h"

static void check_all_answered(unsigned max, int tasks, int times)
{
	struct seen s = {};
	struct receivers *r = NULL;
	pid_t pid = start(&s, tasks, times);
	struct receivers_config config = config_of(&s, max);

	assert_int_equal(receivers_start(&config, &r), 0);
	assert_int_equal(exit_status(pid), 0);
	assert_true(receivers_stop(r));
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
	assert_true(receivers_stop(r));
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
		assert_true(receivers_stop(r));
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
	assert_true(receivers_stop(r));
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
