/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strbuf.h"

#include "tests/unit/unit.h"

static void test_an_untouched_buffer_is_the_empty_string(void **state)
{
	struct strbuf b = STRBUF_INIT(16);

	(void)state;
	assert_string_equal(strbuf_str(&b), "");
	assert_int_equal(strbuf_bytes(&b).len, 0);
	assert_non_null(strbuf_bytes(&b).p);
	strbuf_fini(&b);
}

static void test_pieces_are_joined_in_order(void **state)
{
	struct strbuf b = STRBUF_INIT(256);

	(void)state;
	strbuf_add_str(&b, "a");
	strbuf_add_char(&b, 'b');
	strbuf_add_u64(&b, UINT64_MAX);
	strbuf_add_fmt(&b, "-%s-%d", "c", -1);
	strbuf_add_bytes(&b, BYTES_LIT("d"));
	assert_string_equal(strbuf_str(&b), "ab18446744073709551615-c--1d");
	assert_int_equal(strbuf_error(&b), 0);
	strbuf_fini(&b);
}

static void test_zero_is_written_as_one_digit(void **state)
{
	struct strbuf b = STRBUF_INIT(16);

	(void)state;
	strbuf_add_u64(&b, 0);
	assert_string_equal(strbuf_str(&b), "0");
	strbuf_fini(&b);
}

static void test_nuls_are_content(void **state)
{
	struct strbuf b = STRBUF_INIT(16);

	(void)state;
	strbuf_add(&b, "a\0b", 3);
	assert_int_equal(b.len, 3);
	assert_memory_equal(b.p, "a\0b", 4);
	strbuf_fini(&b);
}

static void test_the_maximum_itself_fits(void **state)
{
	struct strbuf b = STRBUF_INIT(8);

	(void)state;
	strbuf_add_str(&b, "12345678");
	assert_int_equal(strbuf_error(&b), 0);
	assert_string_equal(strbuf_str(&b), "12345678");
	strbuf_fini(&b);
}

static void test_one_byte_past_the_maximum_changes_nothing_and_sticks(void **state)
{
	struct strbuf b = STRBUF_INIT(8);

	(void)state;
	strbuf_add_str(&b, "1234567");
	strbuf_add_str(&b, "89");
	assert_int_equal(strbuf_error(&b), -EMSGSIZE);
	assert_string_equal(strbuf_str(&b), "1234567");
	strbuf_add_char(&b, '8');
	assert_string_equal(strbuf_str(&b), "1234567");
	strbuf_fini(&b);
}

static void test_a_formatted_text_past_the_maximum_is_an_error(void **state)
{
	struct strbuf b = STRBUF_INIT(8);

	(void)state;
	strbuf_add_fmt(&b, "%s", "123456789");
	assert_int_equal(strbuf_error(&b), -EMSGSIZE);
	assert_string_equal(strbuf_str(&b), "");
	strbuf_fini(&b);
}

static void test_a_length_that_would_overflow_is_refused(void **state)
{
	struct strbuf b = STRBUF_INIT(SIZE_MAX);

	(void)state;
	strbuf_add_str(&b, "x");
	assert_int_not_equal(strbuf_reserve(&b, SIZE_MAX), 0);
	assert_string_equal(strbuf_str(&b), "x");
	strbuf_fini(&b);
}

static void test_reset_clears_content_and_error(void **state)
{
	struct strbuf b = STRBUF_INIT(2);

	(void)state;
	strbuf_add_str(&b, "123");
	assert_int_equal(strbuf_error(&b), -EMSGSIZE);
	strbuf_reset(&b);
	assert_int_equal(strbuf_error(&b), 0);
	strbuf_add_str(&b, "12");
	assert_string_equal(strbuf_str(&b), "12");
	strbuf_fini(&b);
}

static void test_truncate_keeps_the_string_terminated(void **state)
{
	struct strbuf b = STRBUF_INIT(16);

	(void)state;
	strbuf_add_str(&b, "abcdef");
	strbuf_truncate(&b, 3);
	assert_string_equal(strbuf_str(&b), "abc");
	strbuf_truncate(&b, 0);
	assert_string_equal(strbuf_str(&b), "");
	strbuf_fini(&b);
}

static void test_growing_keeps_what_was_there(void **state)
{
	struct strbuf b = STRBUF_INIT((size_t)1 << 20);

	(void)state;
	for (unsigned int i = 0; i < 100000; i++)
		strbuf_add_char(&b, (char)('a' + i % 26));
	assert_int_equal(b.len, 100000);
	for (unsigned int i = 0; i < 100000; i++)
		assert_int_equal(b.p[i], 'a' + i % 26);
	strbuf_fini(&b);
}

static void test_fini_may_be_called_twice(void **state)
{
	struct strbuf b = STRBUF_INIT(16);

	(void)state;
	strbuf_add_str(&b, "x");
	strbuf_fini(&b);
	strbuf_fini(&b);
	assert_string_equal(strbuf_str(&b), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_untouched_buffer_is_the_empty_string),
		cmocka_unit_test(test_pieces_are_joined_in_order),
		cmocka_unit_test(test_zero_is_written_as_one_digit),
		cmocka_unit_test(test_nuls_are_content),
		cmocka_unit_test(test_the_maximum_itself_fits),
		cmocka_unit_test(test_one_byte_past_the_maximum_changes_nothing_and_sticks),
		cmocka_unit_test(test_a_formatted_text_past_the_maximum_is_an_error),
		cmocka_unit_test(test_a_length_that_would_overflow_is_refused),
		cmocka_unit_test(test_reset_clears_content_and_error),
		cmocka_unit_test(test_truncate_keeps_the_string_terminated),
		cmocka_unit_test(test_growing_keeps_what_was_there),
		cmocka_unit_test(test_fini_may_be_called_twice),
	};

	return cmocka_run_group_tests_name("base/strbuf", tests, NULL, NULL);
}
