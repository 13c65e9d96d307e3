/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a regular expression needs, and that the filter made of it never hides a match.
 */
#include <stdio.h>

#include "base/strbuf.h"

#include "policy/regex.h"

#include "tests/unit/unit.h"

#define PATTERNS 20000
#define SUBJECTS 10

static uint64_t seed = UNIT_SEED;

static size_t below(size_t n)
{
	return (size_t)(unit_random(&seed) % n);
}

static void test_the_longest_plain_text_is_found(void **state)
{
	static const struct {
		const char *pattern, *literal;
	} cases[] = {
		{"\\bpush\\b.*(--force\\b|-f\\b|\\+\\S)", "push"},
		{"git push --force", "git push --force"},
		{"^rm\\s+-rf", "-rf"},
		{"\\.ssh/id_", ".ssh/id_"},
		{"abc?d", "ab"},
		{"abc*d", "ab"},
		{"abc+d", "ab"},
		{"abc{2}d", "ab"},
		{"ab(cdef)?xyz", "xyz"},
		{"[abc]xyz[^]]", "xyz"},
		{"[]a]xyz", "xyz"},
		{"(?:a|b)xyz(?=q)", "xyz"},
		{"a\\d+bcd", "bcd"},
		{"caf\xc3\xa9s", "caf"},
		/* Nothing is known of these. */
		{"abc|def", ""},
		{"(?i)abc", ""},
		{"(*UCP)abc", ""},
		{"abc\\Qdef\\E", ""},
		{"\\x41bcd", ""},
		{"(a\\c)b)cde", ""},
		{"a{[}xyz]bcd", ""},
		{"[[:alpha:]]bcd", ""},
		{"(?#c)bcd", ""},
		{"bcd(?x) a", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char literal[LITERAL_MAX_BYTES];
		const struct bytes found = {.p = literal,
					    .len = literal_of(bytes_of(cases[i].pattern), literal)};

		if (!bytes_eq_str(found, cases[i].literal))
			fail_msg("%s: found '%.*s'", cases[i].pattern, (int)found.len, found.p);
	}
}

static void draw_pattern(struct strbuf *b)
{
	static const char *const atoms[] = {
		"a",     "b",      "ab",   "abc",   "bca",  "cab",   ".",        "\\.",
		"\\b",   "\\w",    "[ab]", "[^]a]", "[]b]", "(ab)",  "(?:a|bc)", "(?=a)",
		"(?!b)", "(?<=a)", "^",    "$",     "\\]",  "{",     "}",        "]",
		"|",     "(?i)",   "\\Qa", "\\E",   "\\cA", "\\x61", "\xc3\xa9", "(?<n>ab)",
	};
	static const char *const quantifiers[] = {"?",  "*",    "+",  "{0}",  "{2}", "{0,2}",
						  "*?", "{1,}", "?+", "{,2}", "{a}", "{2"};

	for (size_t n = 1 + below(6); n > 0; n--) {
		strbuf_add_str(b, atoms[below(ARRAY_SIZE(atoms))]);
		if (below(4) == 0)
			strbuf_add_str(b, quantifiers[below(ARRAY_SIZE(quantifiers))]);
		if (below(24) == 0)
			strbuf_add_str(b, quantifiers[below(ARRAY_SIZE(quantifiers))]);
	}
}

static size_t draw_subject(char *text, size_t size)
{
	static const char bytes[] = "aaaabbbbccc.]{}A,2\xff \n";
	size_t n = below(size);

	for (size_t i = 0; i < n; i++)
		text[i] = bytes[below(sizeof(bytes) - 1)];
	return n;
}

static void test_the_filter_hides_no_match(void **state)
{
	struct regex_scratch *scratch = regex_scratch_new();
	size_t hidden = 0, matched = 0;

	(void)state;
	assert_non_null(scratch);
	for (size_t i = 0; i < PATTERNS; i++) {
		_cleanup_(strbuf_fini) struct strbuf b = STRBUF_INIT(4096);
		char why[REGEX_WHY_SIZE], text[24];
		struct regex *regex = NULL;
		size_t offset;

		draw_pattern(&b);
		if (regex_new(strbuf_bytes(&b), &regex, why, &offset) < 0)
			continue;
		for (size_t j = 0; j < SUBJECTS; j++) {
			struct literal_set set = {};
			const struct bytes subject = {.p = text,
						      .len = draw_subject(text, sizeof(text))};
			int found = regex_search_once(regex, scratch, subject);
			int filtered = regex_search_filtered(regex, scratch, &set, subject);

			if (found != filtered)
				fail_msg("%s on '%.*s'", strbuf_str(&b), (int)subject.len, text);
			matched += found == 1;
			hidden += set.is_built && found == 0;
		}
		regex_free(regex);
	}
	regex_scratch_free(scratch);
	/* It would say nothing if the filter were hardly ever asked, or hardly a pattern matched.
	 */
	assert_true(hidden > PATTERNS / 4);
	assert_true(matched > PATTERNS / 4);
}

static void test_a_long_subject_has_everything(void **state)
{
	static const char text[LITERAL_SUBJECT_MAX + 1];
	const struct literal_grams g = literal_grams_of(BYTES_LIT("needle"));
	struct literal_set set = {};

	(void)state;
	assert_int_equal(g.n, LITERAL_GRAMS);
	literal_set_build(&set, (struct bytes){.p = text, .len = LITERAL_SUBJECT_MAX});
	assert_false(literal_set_has(&set, &g));
	literal_set_build(&set, (struct bytes){.p = text, .len = LITERAL_SUBJECT_MAX + 1});
	assert_true(literal_set_has(&set, &g));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_longest_plain_text_is_found),
		cmocka_unit_test(test_the_filter_hides_no_match),
		cmocka_unit_test(test_a_long_subject_has_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
