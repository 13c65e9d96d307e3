/* SPDX-License-Identifier: Apache-2.0 */
#include "supervise/crowd.h"

#include "tests/unit/unit.h"

/* Notes @rounds turns of the tasks 1 to @tasks. Return: how many notifications came before the
 * crowd was seen, -1 if it never was. */
static int take_turns(struct crowd *c, unsigned tasks, int rounds)
{
	int noted = 0;

	for (int i = 0; i < rounds; i++)
		for (uint32_t tid = 1; tid <= tasks; tid++, noted++)
			if (crowd_note(c, tid))
				return noted;
	return -1;
}

static void test_one_task_is_no_crowd(void **state)
{
	struct crowd c = {};

	(void)state;
	assert_int_equal(take_turns(&c, 1, 10000), -1);
}

static void test_two_tasks_that_take_turns_are_a_crowd_at_once(void **state)
{
	struct crowd c = {};

	(void)state;
	assert_in_range(take_turns(&c, 2, 10), 2, 8);
}

static void test_as_many_tasks_as_are_remembered_are_a_crowd(void **state)
{
	struct crowd c = {};

	(void)state;
	assert_in_range(take_turns(&c, CROWD_TASKS, 3), CROWD_TASKS, 2 * CROWD_TASKS);
}

static void test_programs_one_after_the_other_are_no_crowd(void **state)
{
	struct crowd c = {};

	(void)state;
	for (uint32_t tid = 100; tid < 5000; tid++)
		for (int i = 0; i < 3; i++)
			assert_false(crowd_note(&c, tid));
}

static void test_a_parent_between_its_children_is_no_crowd(void **state)
{
	struct crowd c = {};

	(void)state;
	for (uint32_t tid = 100; tid < 5000; tid++) {
		for (int i = 0; i < 12; i++)
			assert_false(crowd_note(&c, tid));
		assert_false(crowd_note(&c, 1));
	}
}

static void test_a_crowd_ends_when_one_task_is_left(void **state)
{
	struct crowd c = {};
	int left = 0;

	(void)state;
	assert_int_not_equal(take_turns(&c, 2, 10), -1);
	for (int i = 0; i < 1000; i++)
		(void)crowd_note(&c, (uint32_t)(i % 2));
	assert_true(c.is_crowded);
	while (left < 1000 && crowd_note(&c, 7))
		left++;
	assert_in_range(left, 16, 256);
}

static void test_a_crowd_lasts_through_runs_of_one_of_its_tasks(void **state)
{
	struct crowd c = {};

	(void)state;
	assert_int_not_equal(take_turns(&c, 2, 10), -1);
	for (int i = 0; i < 1000; i++)
		assert_true(crowd_note(&c, (uint32_t)(1 + i / 4 % 2)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_task_is_no_crowd),
		cmocka_unit_test(test_two_tasks_that_take_turns_are_a_crowd_at_once),
		cmocka_unit_test(test_as_many_tasks_as_are_remembered_are_a_crowd),
		cmocka_unit_test(test_programs_one_after_the_other_are_no_crowd),
		cmocka_unit_test(test_a_parent_between_its_children_is_no_crowd),
		cmocka_unit_test(test_a_crowd_ends_when_one_task_is_left),
		cmocka_unit_test(test_a_crowd_lasts_through_runs_of_one_of_its_tasks),
	};

	return cmocka_run_group_tests_name("supervise/crowd", tests, NULL, NULL);
}
