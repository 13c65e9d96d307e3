/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include "tests/unit/unit.h"

static void test_allocations_are_aligned_and_do_not_overlap(void **state)
{
	struct arena a = ARENA_INIT((size_t)1 << 20);
	unsigned char *p[64];

	(void)state;
	for (unsigned int i = 0; i < 64; i++) {
		p[i] = arena_alloc(&a, i + 1);
		assert_non_null(p[i]);
		assert_int_equal((uintptr_t)p[i] % 16, 0);
		memset(p[i], (int)i, i + 1);
	}
	for (unsigned int i = 0; i < 64; i++)
		for (unsigned int k = 0; k <= i; k++)
			assert_int_equal(p[i][k], i);
	arena_fini(&a);
}

static void test_the_limit_itself_can_be_had_and_no_more(void **state)
{
	struct arena a = ARENA_INIT(256);
	void *first, *second;

	(void)state;
	first = arena_alloc(&a, 256);
	second = arena_alloc(&a, 1);
	assert_non_null(first);
	assert_null(second);
	arena_fini(&a);
}

static void test_a_size_past_the_limit_fails(void **state)
{
	struct arena a = ARENA_INIT(256);

	(void)state;
	assert_null(arena_alloc(&a, 257));
	assert_null(arena_alloc(&a, SIZE_MAX));
	assert_null(arena_copy(&a, "x", SIZE_MAX).p);
	arena_fini(&a);
}

static void test_reset_gives_the_limit_back(void **state)
{
	struct arena a = ARENA_INIT((size_t)300 * 1024);

	(void)state;
	for (int round = 0; round < 3; round++) {
		assert_non_null(arena_alloc(&a, (size_t)200 * 1024));
		assert_null(arena_alloc(&a, (size_t)200 * 1024));
		arena_reset(&a);
		assert_int_equal(a.used, 0);
	}
	arena_fini(&a);
}

static void test_a_copy_keeps_nuls_and_is_terminated(void **state)
{
	struct arena a = ARENA_INIT(4096);
	struct bytes b = arena_copy(&a, "a\0b", 3);

	(void)state;
	assert_int_equal(b.len, 3);
	assert_memory_equal(b.p, "a\0b", 4);
	arena_fini(&a);
}

static void test_an_empty_copy_is_not_null(void **state)
{
	struct arena a = ARENA_INIT(4096);
	struct bytes b = arena_copy(&a, NULL, 0);

	(void)state;
	assert_non_null(b.p);
	assert_int_equal(b.len, 0);
	assert_string_equal(b.p, "");
	arena_fini(&a);
}

static void test_trim_gives_back_the_end(void **state)
{
	struct arena a = ARENA_INIT(4096);
	char *p = arena_alloc(&a, 4096), *q;

	(void)state;
	assert_non_null(p);
	assert_null(arena_alloc(&a, 16));
	memset(p, 'k', 20);
	arena_trim(&a, p, 20);
	q = arena_alloc(&a, 4096 - 32);
	assert_ptr_equal(q, p + 32);
	assert_memory_equal(p, "kkkkkkkkkkkkkkkkkkkk", 20);
	arena_fini(&a);
}

static void test_chunks_larger_than_usual_are_whole(void **state)
{
	struct arena a = ARENA_INIT((size_t)4 << 20);
	char *small = arena_alloc(&a, 10), *large = arena_alloc(&a, (size_t)1 << 20);
	char *after = arena_alloc(&a, 10);

	(void)state;
	assert_non_null(small);
	assert_non_null(large);
	assert_non_null(after);
	memset(large, 'x', (size_t)1 << 20);
	memset(after, 'y', 10);
	assert_int_equal(large[((size_t)1 << 20) - 1], 'x');
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_allocations_are_aligned_and_do_not_overlap),
		cmocka_unit_test(test_the_limit_itself_can_be_had_and_no_more),
		cmocka_unit_test(test_a_size_past_the_limit_fails),
		cmocka_unit_test(test_reset_gives_the_limit_back),
		cmocka_unit_test(test_a_copy_keeps_nuls_and_is_terminated),
		cmocka_unit_test(test_an_empty_copy_is_not_null),
		cmocka_unit_test(test_trim_gives_back_the_end),
		cmocka_unit_test(test_chunks_larger_than_usual_are_whole),
	};

	return cmocka_run_group_tests_name("base/arena", tests, NULL, NULL);
}
