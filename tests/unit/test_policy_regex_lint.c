/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/regex_lint.h"

#include "tests/unit/unit.h"

static const char *const prone[] = {
	"(a+)+b",
	"(a*)*b",
	"^(\\w+\\s?)*$",
	"^(([a-z])+.)+[A-Z]([a-z])+$",
	"(a|a)*b",
	"(a|\\w)+x",
	"(\\d|[0-9a])*x",
	"(?:a|aa)+b",
	"(a|ab?)*c",
	"(.*,)+x",
	"(?:[a-z]+-?)+@",
	"^(?:\\.?\\d+)+$",
	"(x+x+)+y",
	"((ab)*)*c",
	"(a?a)*b",
	"(?i)(a|A)*b",
	"(?x) ( a + ) + b # comment",
	"(?:(?:a+)b?)*c",
	"(\\S+\\d?)+:",
	"(a+){2,}b",
	"(?<n>a+)+b",
	"\\s*\\s*x",
	"\\d+\\d*$",
	".*.*x",
	"a.*\\s+x",
	"\\w+(?:-x)?\\w+@",
	"(\xc3\xa9|\\w)+x",
};

static const char *const harmless[] = {
	"a+b",
	"(a+b)+c",
	"(ab+)*c",
	"^(\\w+\\s+)*$",
	"(?:\\w+,)*x",
	"(a|b)*c",
	"(?:foo|bar)+x",
	"(?:GET|POST|PUT)\\s+\\S",
	"git\\s+push\\s+--force.*\\b(main|master)\\b",
	"git\\s+(push\\s+--force|reset\\s+--hard|clean\\s+-[fd]|branch\\s+-D)",
	"rm\\s+-[rf]{2,}",
	"\\bpush\\b.*(--force\\b|-f\\b|\\+\\S)",
	"(?i)(DROP|TRUNCATE|ALTER|CREATE)\\s+(TABLE|DATABASE|INDEX|SCHEMA)",
	"UPDATE\\s+\\w+\\s+SET(?!.*WHERE)",
	"(export|unset|env)\\s+\\w*(?:KEY|SECRET|TOKEN|PASSWORD)",
	"(127\\.0\\.0\\.1|localhost|0\\.0\\.0\\.0|\\[::1\\]|169\\.254)",
	"(?>a+)+b",
	"(a++)+b",
	"(a+)++b",
	"(?:(?>a+)b?)*+c",
	"(\\d{1,3}\\.){3}\\d{1,3}",
	"^\\d+\\.\\d+$",
	"\\w+\\s*=\\s*\\w+",
	"^[a-z]+(-[a-z]+)*$",
	"^/(?:[^/]+/)*x$",
	"\"(?:[^\"\\\\]|\\\\.)*\"",
	".*",
	".*.*",
	"a{2}{3}",
	"(a?)+b",
	"(a){0,5}b",
	"(a|b?)*c",
	"(?i)(?:drop|table)+;",
	"(?:\\W|_)*x",
	"[[:alpha:]]+@",
	"\\\\+x",
	"[]a]+[^]a]+x",
	"(?#(a+)+)x",
	"a|b|",
	"",
	"(",
};

static void test_prone_patterns_are_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(prone); i++) {
		char why[REGEX_WHY_SIZE] = "";

		if (!regex_is_redos_prone(bytes_of(prone[i]), why))
			fail_msg("'%s' is not found", prone[i]);
		assert_int_not_equal(why[0], '\0');
		if (!pyregex_is_redos_prone(bytes_of(prone[i]), why) && !strstr(prone[i], "(?<n>"))
			fail_msg("'%s' is not found as Python's", prone[i]);
	}
}

static void test_harmless_patterns_are_not(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(harmless); i++) {
		char why[REGEX_WHY_SIZE] = "";

		if (regex_is_redos_prone(bytes_of(harmless[i]), why))
			fail_msg("'%s': %s", harmless[i], why);
		if (pyregex_is_redos_prone(bytes_of(harmless[i]), why))
			fail_msg("'%s' as Python's: %s", harmless[i], why);
	}
}

static void test_large_patterns_end(void **state)
{
	static const char *const pieces[] = {"(a+b?)+", "(", "a*|", "(?:a|", "[a-z]*", "(a|b)*(c"};
	char why[REGEX_WHY_SIZE];
	char pattern[8192];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		size_t len = strlen(pieces[i]);

		for (size_t n = 0; n + len <= sizeof(pattern); n += len)
			memcpy(pattern + n, pieces[i], len);
		(void)regex_is_redos_prone(
			(struct bytes){.p = pattern, .len = sizeof(pattern) / len * len}, why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prone_patterns_are_found),
		cmocka_unit_test(test_harmless_patterns_are_not),
		cmocka_unit_test(test_large_patterns_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
