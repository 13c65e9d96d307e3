/* SPDX-License-Identifier: Apache-2.0 */
/* What tests/compat cannot see: PCRE2's own ways, sizes, messages, bytes that are no text. */
#include "policy/fnmatch.h"
#include "policy/pyregex.h"

#include "tests/unit/unit.h"

/* Return: as regex_search(); fails when the pattern is refused. */
static int search(bool is_python, struct bytes pattern, struct bytes subject)
{
	struct regex_scratch *scratch = regex_scratch_new();
	char why[REGEX_WHY_SIZE] = "";
	struct regex *regex = NULL;
	size_t offset;
	int r;

	assert_non_null(scratch);
	r = is_python ? pyregex_new(pattern, &regex, why, &offset)
		      : regex_new(pattern, &regex, why, &offset);
	if (r < 0)
		fail_msg("%.*s: %s", (int)pattern.len, pattern.p, why);
	r = regex_search(regex, scratch, subject);
	regex_free(regex);
	regex_scratch_free(scratch);
	return r;
}

static void test_a_bad_byte_is_a_character(void **state)
{
	static const struct {
		const char *pattern, *subject;
		int expected;
	} cases[] = {
		{"^ls(?!.*;)", "ls \xff; rm", 0},
		{"rm.*/", "rm -rf \xff /", 1},
		{"^a\\z", "a\xff", 0},
		{"^a.\\z", "a\xff", 1},
		{"^a...\\z", "a\xe2\x82z", 1},
		{"^a.\\z", "a\xed\xa0\x80", 1},
		{"^a.\\z", "a\xc3\xa9", 1},
		{"^.{4}\\z", "\xf4\x90\x80\x80", 1},
		{"\\w", "\xff", 0},
		{"\\s", "\xff", 0},
		{"(?<!.)a",
		 "\xff"
		 "a",
		 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(
			search(false, bytes_of(cases[i].pattern), bytes_of(cases[i].subject)),
			cases[i].expected);
		if (!strstr(cases[i].pattern, "\\z"))
			assert_int_equal(search(true, bytes_of(cases[i].pattern),
						bytes_of(cases[i].subject)),
					 cases[i].expected);
	}
}

static void test_a_subject_of_bad_bytes_is_searched_to_its_end(void **state)
{
	char *subject = malloc(REGEX_SUBJECT_MAX + 1);

	(void)state;
	assert_non_null(subject);
	memset(subject, 0xff, REGEX_SUBJECT_MAX + 1);
	subject[REGEX_SUBJECT_MAX - 1] = 'z';
	assert_int_equal(
		search(false, BYTES_LIT("z\\z"), (struct bytes){subject, REGEX_SUBJECT_MAX}), 1);
	assert_int_equal(
		search(false, BYTES_LIT("z"), (struct bytes){subject, REGEX_SUBJECT_MAX + 1}),
		-E2BIG);
	free(subject);
}

/* PCRE2 10.42's JIT compiler fails on these without a guard. */
static void test_leading_repeats_are_found(void **state)
{
	static const struct {
		const char *pattern, *subject;
		int expected;
	} cases[] = {
		{"(?:b|)c*b", "b", 1},
		{"x|(?:b|)c*b", "b", 1},
		{"(*NO_AUTO_POSSESS)(?:b|)c*b", "b", 1},
		{"(?x)(?:b|)c*b # comment", "b", 1},
		{"(?:b|)c*\\Qb", "b", 1},
		{"a(?>.+? b|a) ", "ba_aa b", 0},
		{"a)|(?:b", "b", -EINVAL},
		{"(", "b", -EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char why[REGEX_WHY_SIZE];
		struct regex *regex;
		size_t offset;

		if (cases[i].expected != -EINVAL)
			assert_int_equal(search(false, bytes_of(cases[i].pattern),
						bytes_of(cases[i].subject)),
					 cases[i].expected);
		else
			assert_int_equal(
				regex_new(bytes_of(cases[i].pattern), &regex, why, &offset),
				-EINVAL);
	}
}

static void test_refusals_say_where(void **state)
{
	static const struct {
		const char *pattern, *why;
		size_t offset;
		int error;
	} cases[] = {
		{"\xc3\xa9\\h", "bad escape \\h", 2, -EINVAL},
		{"a**", "multiple repeat", 2, -EINVAL},
		{"(a", "missing ), unterminated subpattern", 0, -EINVAL},
		{"a(?i)", "global flags not at the start of the expression", 1, -EINVAL},
		{"(?<=a*)b", "look-behind requires fixed-width pattern", 0, -EINVAL},
		{"a\xff", "not valid UTF-8", 1, -EINVAL},
		{"\xed\xa0\x80[", "unterminated character set", 3, -EINVAL},
		{"x\\N{DASH}",
		 "characters cannot be given by name here: write \\uXXXX for \\N{...}", 1,
		 -EOPNOTSUPP},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char why[REGEX_WHY_SIZE] = "";
		struct regex *regex = NULL;
		size_t offset = 99;

		assert_int_equal(pyregex_new(bytes_of(cases[i].pattern), &regex, why, &offset),
				 cases[i].error);
		assert_string_equal(why, cases[i].why);
		assert_int_equal(offset, cases[i].offset);
	}
}

static int compile_repeated(const char *piece, size_t n)
{
	_cleanup_(strbuf_fini) struct strbuf pattern = STRBUF_INIT((size_t)1 << 20);
	char why[REGEX_WHY_SIZE] = "";
	struct regex *regex = NULL;
	size_t offset;
	int r;

	for (size_t i = 0; i < n; i++)
		strbuf_add_str(&pattern, piece);
	r = pyregex_new(strbuf_bytes(&pattern), &regex, why, &offset);
	regex_free(regex);
	return r;
}

static void test_sizes_are_bounded(void **state)
{
	(void)state;
	assert_int_equal(compile_repeated("a", REGEX_MAX_BYTES), 0);
	assert_int_equal(compile_repeated("a", REGEX_MAX_BYTES + 1), -EOPNOTSUPP);
	assert_int_equal(compile_repeated("(", REGEX_MAX_BYTES), -EOPNOTSUPP);
	assert_int_equal(compile_repeated("()", REGEX_MAX_BYTES / 2), 0);
	assert_int_equal(compile_repeated("[a-\xef\xbf\xbf]", REGEX_MAX_BYTES / 7), 0);
	assert_int_equal(compile_repeated("\\s", REGEX_MAX_BYTES / 2), -EOPNOTSUPP);
}

static void test_fnmatch_takes_bytes(void **state)
{
	(void)state;
	assert_true(pyfnmatch(BYTES_LIT("a?b"), BYTES_LIT("a\xff"
							  "b")));
	assert_true(pyfnmatch(BYTES_LIT("a[!x]b"), BYTES_LIT("a\xff"
							     "b")));
	assert_false(pyfnmatch(BYTES_LIT("a[x\xff]b"), BYTES_LIT("a\xff"
								 "b")));
	assert_false(pyfnmatch(BYTES_LIT("\xff"), BYTES_LIT("\xff")));
	assert_true(pyfnmatch(BYTES_LIT("??"), BYTES_LIT("\xe2\x82")));
	assert_true(pyfnmatch(BYTES_LIT("a\0*"), BYTES_LIT("a\0b")));
	assert_true(pyfnmatch(BYTES_NULL, BYTES_NULL));
	assert_true(pyfnmatch(BYTES_LIT("*"), BYTES_NULL));
	assert_false(pyfnmatch(BYTES_NULL, BYTES_LIT("a")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_bad_byte_is_a_character),
		cmocka_unit_test(test_a_subject_of_bad_bytes_is_searched_to_its_end),
		cmocka_unit_test(test_leading_repeats_are_found),
		cmocka_unit_test(test_refusals_say_where),
		cmocka_unit_test(test_sizes_are_bounded),
		cmocka_unit_test(test_fnmatch_takes_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
