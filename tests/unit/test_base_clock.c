/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include "tests/unit/unit.h"

static void test_times_are_written_in_utc_with_nanoseconds(void **state)
{
	char out[CLOCK_RFC3339_SIZE];

	(void)state;
	clock_format_rfc3339(0, out);
	assert_string_equal(out, "1970-01-01T00:00:00.000000000Z");
	clock_format_rfc3339(UINT64_C(1795237672123456789), out);
	assert_string_equal(out, "2026-11-21T05:07:52.123456789Z");
}

static void test_what_is_written_can_be_read(void **state)
{
	uint64_t seed = UNIT_SEED;

	(void)state;
	for (int i = 0; i < 10000; i++) {
		uint64_t t = unit_random(&seed) % (UINT64_C(9000000000) * NS_PER_SEC), back = 0;
		char out[CLOCK_RFC3339_SIZE];

		clock_format_rfc3339(t, out);
		assert_int_equal(clock_parse_rfc3339(out, &back), 0);
		assert_true(t == back);
	}
}

static void test_offsets_and_fractions_are_understood(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} examples[] = {
		{"1970-01-01T00:00:01Z", NS_PER_SEC},
		{"1970-01-01T00:00:00.5Z", NS_PER_SEC / 2},
		{"1970-01-01t01:00:01+01:00", NS_PER_SEC},
		{"1970-01-01T00:00:00-00:30", 1800 * NS_PER_SEC},
		{"1970-01-01 00:00:02z", 2 * NS_PER_SEC},
		{"1970-01-01T00:00:00.1234567899Z", 123456789},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
		uint64_t ns = 0;

		assert_int_equal(clock_parse_rfc3339(examples[i].text, &ns), 0);
		assert_true(ns == examples[i].ns);
	}
}

static void test_what_is_not_a_time_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"now",
		"2026-11-21",
		"2026-11-21T05:07:52",
		"2026-11-21T05:07:52Zx",
		"2026-13-21T05:07:52Z",
		"2026-11-21T25:07:52Z",
		"1969-12-31T23:59:59Z",
		"2026-11-21T05:07:52+1",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		uint64_t ns = 7;

		assert_int_equal(clock_parse_rfc3339(texts[i], &ns), -EINVAL);
		assert_true(ns == 7);
	}
}

static void test_the_monotonic_clock_does_not_go_back(void **state)
{
	uint64_t last = clock_monotonic_ns();

	(void)state;
	for (int i = 0; i < 1000; i++) {
		uint64_t now = clock_monotonic_ns();

		assert_true(now >= last);
		last = now;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times_are_written_in_utc_with_nanoseconds),
		cmocka_unit_test(test_what_is_written_can_be_read),
		cmocka_unit_test(test_offsets_and_fractions_are_understood),
		cmocka_unit_test(test_what_is_not_a_time_is_refused),
		cmocka_unit_test(test_the_monotonic_clock_does_not_go_back),
	};

	return cmocka_run_group_tests_name("base/clock", tests, NULL, NULL);
}
