/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/toml.h"

#include "tests/unit/unit.h"

static struct arena mem;

static const struct value *parse(const char *text)
{
	struct value *root = NULL;
	struct diag d = {};
	int r = toml_parse("t.toml", bytes_of(text), &mem, &root, &d);

	if (r < 0)
		fail_msg("%s: %u:%u: %s", text, d.line, d.column, d.message);
	return root;
}

static void assert_refused(const char *text, unsigned line, const char *message)
{
	struct value *root = NULL;
	struct diag d = {};

	assert_int_equal(toml_parse("t.toml", bytes_of(text), &mem, &root, &d), -EINVAL);
	assert_int_equal(d.line, line);
	if (!strstr(d.message, message))
		fail_msg("'%s' is not in '%s'", message, d.message);
}

static const char *text_at(const struct value *map, const char *key)
{
	const struct value *v = value_get(map, key);

	assert_non_null(v);
	return v->text.p;
}

static int setup(void **state)
{
	(void)state;
	mem = ARENA_INIT((size_t)64 << 20);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_fini(&mem);
	return 0;
}

static void test_strings(void **state)
{
	const struct value *v = parse("a = \"x\\ty\\u00e9\\U0001F600\\\"\" # comment\n"
				      "b = 'C:\\new'\n"
				      "c = \"\"\"\none\n  two \\\n   three\"\"\"\n"
				      "d = '''\nit's\n'''''\n"
				      "\"quoted key\" = ''\n");

	(void)state;
	assert_string_equal(text_at(v, "a"), "x\ty\xc3\xa9\xf0\x9f\x98\x80\"");
	assert_string_equal(text_at(v, "b"), "C:\\new");
	assert_string_equal(text_at(v, "c"), "one\n  two three");
	assert_string_equal(text_at(v, "d"), "it's\n''");
	assert_string_equal(text_at(v, "quoted key"), "");
}

static void test_numbers_and_words(void **state)
{
	const struct value *v = parse("a = 1_000\nb = -17\nc = 0xdead\nd = 0o17\ne = 0b101\n"
				      "f = 1.5e3\ng = true\nh = false\ni = 1979-05-27 07:32:00Z\n"
				      "j = inf\n");

	(void)state;
	assert_string_equal(text_at(v, "a"), "1000");
	assert_string_equal(text_at(v, "b"), "-17");
	assert_string_equal(text_at(v, "c"), "57005");
	assert_string_equal(text_at(v, "d"), "15");
	assert_string_equal(text_at(v, "e"), "5");
	assert_true(value_get(v, "f")->number == 1500);
	assert_true(value_get(v, "g")->is_true);
	assert_false(value_get(v, "h")->is_true);
	assert_int_equal(value_get(v, "i")->type, VALUE_OTHER);
	assert_string_equal(text_at(v, "i"), "1979-05-27 07:32:00Z");
	assert_int_equal(value_get(v, "j")->type, VALUE_FLOAT);
}

static void test_tables(void **state)
{
	const struct value *v = parse("top = 1\n[a.b]\nc.d = 2\n[[r]]\nx = 1\n[r.sub]\ny = 2\n"
				      "[[r]]\nx = {p = 3, q = [1,\n 2, # two\n]}\n");
	const struct value *r = value_get(v, "r");

	(void)state;
	assert_string_equal(text_at(value_get(value_get(value_get(v, "a"), "b"), "c"), "d"), "2");
	assert_int_equal(r->n, 2);
	assert_string_equal(text_at(value_get(r->first, "sub"), "y"), "2");
	assert_int_equal(value_get(value_get(r->first->next, "x"), "q")->n, 2);
}

static void test_what_is_wrong_is_told_with_its_line(void **state)
{
	static const struct {
		const char *text;
		unsigned line;
		const char *message;
	} cases[] = {
		{"a = 1\na = 2\n", 2, "stands twice"},
		{"a = \"x\n", 1, "has no end"},
		{"\n\na = \"\\q\"\n", 3, "no such escape"},
		{"a = \"\\ud800\"\n", 1, "no Unicode character"},
		{"a 1\n", 1, "expected '='"},
		{"a = 1 2\n", 1, "end of the line"},
		{"[a\n", 1, "expected ']'"},
		{"a = word\n", 1, "expected a value"},
		{"a = 99999999999999999999\n", 1, "past 64 bits"},
		{"a = [1 2]\n", 1, "expected ',' or ']'"},
		{"a = {x = 1\n", 1, "expected ',' or '}'"},
		{"a = 1\n[a]\n", 2, "no table"},
		{"a = 1\n[[a]]\n", 2, "no array of tables"},
		{"= 1\n", 1, "expected a key"},
	};
	char deep[1000];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_refused(cases[i].text, cases[i].line, cases[i].message);
	memcpy(deep, "a = ", 4);
	memset(deep + 4, '[', sizeof(deep) - 5);
	deep[sizeof(deep) - 1] = '\0';
	assert_refused(deep, 1, "nested too deep");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_strings, setup, teardown),
		cmocka_unit_test_setup_teardown(test_numbers_and_words, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tables, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_wrong_is_told_with_its_line, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
