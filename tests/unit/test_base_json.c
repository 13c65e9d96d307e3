/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "base/json.h"

#include "tests/unit/unit.h"

static void test_nesting_and_commas(void **state)
{
	struct strbuf b = STRBUF_INIT(4096);
	struct json j = JSON_INIT(&b);

	(void)state;
	json_begin_object(&j);
	json_key_u64(&j, "a", 1);
	json_key(&j, "list");
	json_begin_array(&j);
	json_u64(&j, 1);
	json_begin_object(&j);
	json_end_object(&j);
	json_begin_array(&j);
	json_end_array(&j);
	json_none(&j);
	json_end_array(&j);
	json_key_bool(&j, "t", true);
	json_key(&j, "f");
	json_bool(&j, false);
	json_end_object(&j);
	assert_string_equal(strbuf_str(&b),
			    "{\"a\":1,\"list\":[1,{},[],null],\"t\":true,\"f\":false}");
	strbuf_fini(&b);
}

static void test_the_largest_and_smallest_numbers(void **state)
{
	struct strbuf b = STRBUF_INIT(4096);
	struct json j = JSON_INIT(&b);

	(void)state;
	json_begin_array(&j);
	json_u64(&j, UINT64_MAX);
	json_i64(&j, INT64_MIN);
	json_i64(&j, INT64_MAX);
	json_i64(&j, -1);
	json_end_array(&j);
	assert_string_equal(strbuf_str(&b),
			    "[18446744073709551615,-9223372036854775808,9223372036854775807,-1]");
	strbuf_fini(&b);
}

static void test_no_bytes_is_null_and_empty_bytes_are_an_empty_string(void **state)
{
	struct strbuf b = STRBUF_INIT(4096);
	struct json j = JSON_INIT(&b);

	(void)state;
	json_begin_object(&j);
	json_key_str(&j, "null", BYTES_NULL);
	json_key_str(&j, "empty", BYTES_LIT(""));
	json_key_cstr(&j, "c", "x\"y");
	json_key_cstr(&j, "cnull", NULL);
	json_end_object(&j);
	assert_string_equal(strbuf_str(&b),
			    "{\"null\":null,\"empty\":\"\",\"c\":\"x\\\"y\",\"cnull\":null}");
	strbuf_fini(&b);
}

static void test_doubles_are_the_shortest_that_read_back(void **state)
{
	static const struct {
		double value;
		const char *text;
	} cases[] = {
		{0, "0"},
		{0.1, "0.1"},
		{0.1 + 0.2, "0.30000000000000004"},
		{12.5, "12.5"},
		{1.0 / 3, "0.3333333333333333"},
		{5e-324, "4.94065645841247e-324"},
		{INFINITY, "null"},
		{NAN, "null"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct strbuf b = STRBUF_INIT(64);
		struct json j = JSON_INIT(&b);

		json_double(&j, cases[i].value);
		assert_string_equal(strbuf_str(&b), cases[i].text);
		strbuf_fini(&b);
	}
}

static void test_a_full_buffer_shows_in_its_error(void **state)
{
	struct strbuf b = STRBUF_INIT(8);
	struct json j = JSON_INIT(&b);

	(void)state;
	json_str(&j, BYTES_LIT("much longer than that"));
	assert_int_equal(strbuf_error(&b), -EMSGSIZE);
	strbuf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nesting_and_commas),
		cmocka_unit_test(test_the_largest_and_smallest_numbers),
		cmocka_unit_test(test_no_bytes_is_null_and_empty_bytes_are_an_empty_string),
		cmocka_unit_test(test_doubles_are_the_shortest_that_read_back),
		cmocka_unit_test(test_a_full_buffer_shows_in_its_error),
	};

	return cmocka_run_group_tests_name("base/json", tests, NULL, NULL);
}
