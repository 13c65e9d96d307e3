/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The quick reader of a policy's YAML reads what libyaml reads, or leaves it to libyaml.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/io.h"
#include "base/dirs.h"
#include "base/strbuf.h"
#include "policy/policy.h"

#include "tests/node_same.h"
#include "tests/unit/unit.h"

/* The form that policies are written in. */
static const char *const simple[] = {
	"a: b\n",
	"a: b",
	"# c\n\na: b # c\n  # d\n\n\n",
	"a:\n  b: c\n  d:\n    e: f\ng: h\n",
	"a:\n- b\n- c\nd: e\n",
	"a:\n  - b\n  - 'c d' # x\nd: e\n",
	"a:\n  - b: c\n    d: e\n  -   f: g\n      h: i\n",
	"a:\n  - b:\n      - c\n      - d\n    e:\n    - f\ng: h\n",
	"a: {b: c, d: [e, f], g: {}, h: []}\n",
	"a: [b,\n  # x\n  'c', # y\n  {d: e,\n f: \"g\"}\n]\nh: i\n",
	"a: {'b': c, \"d\": e}\n",
	"a: it''s, not [so] {easy} ? x:y #z http://h:1/p#q \"quoted\"\n",
	"a: 'it''s'\nb: ''\nc: \"\"\nd: ''''\n",
	"a: -b\nb: --force\nc: -1\nd: [-1, a-b, x:y]\n",
	"a: \\S+\\s[^x]*$\nb: ~/x\nc: .5\nd: $x\n",
	"a: b   \nc:    d\n",
	"a: # x\n  b: c\n",
	"a: \"b\"\nc: {d: e}   # x\n",
	"# \xc3\xa4\na: b # \xe2\x80\x94\n",
	"a: [b\n]\nc: d",
};

/* Left to libyaml: doubtful, wrong, or another form. */
static const char *const other[] = {
	"",
	"# x\n",
	"a\n",
	" a: b\n",
	"a:\n",
	"a:\nb: c\n",
	"a: b\n c\n",
	"a: b\n c: d\n",
	"a:\n  b: c\n d: e\n",
	"a: b: c\n",
	"a: b:\n",
	"a: 'b\n  c'\n",
	"a: \"b\\n\"\n",
	"a: |\n  b\n",
	"a: &x b\n",
	"a: *x\n",
	"a: !t b\n",
	"a: [b c\n d]\n",
	"a: [b, ]\n",
	"a: [b: c]\n",
	"a: {b, c}\n",
	"a: {b: , c: d}\n",
	"a: {b: [c}\n",
	"a: [b",
	"a: 'b'c\n",
	"a: 'b'#c\n",
	"a: [b]#c\n",
	"a: [\n---\n]\n",
	"a: [\n... ]\n",
	"a: [x :y]\n",
	"a: [x:]\n",
	"a: [x:,y]\n",
	"a: [?x]\n",
	"a: ?x\n",
	"a: :x\n",
	"? a\n: b\n",
	"'a': b\n",
	"a b: c\n",
	"- a\n- b\n",
	"--- \na: b\n",
	"%YAML 1.1\n---\na: b\n",
	"a: b\n---\nc: d\n",
	"a: b\n...\n",
	"a:\tb\n",
	"a: b\t# c\n",
	"a: \xc3\xa4\n",
	"a:\n  - b\n  c: d\n",
	"a:\n  - b\n c: d\n",
	"a:\n- b\n  - c\n",
	"a:\n  - - b\n",
	"a:\n  -\n    b: c\n",
	"a: [b]: c\n",
	"a: b\r\nc: d\r\n",
};

static void test_simple_documents_are_read_the_same(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(simple); i++)
		if (node_read_same(bytes_of(simple[i])) != 1)
			fail_msg("not read by both, or not the same: %s", simple[i]);
}

static void test_other_documents_are_left_to_libyaml(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(other); i++)
		if (node_read_same(bytes_of(other[i])) != 0)
			fail_msg("the quick reader takes it: %s", other[i]);
}

static void test_depth_is_limited_as_libyaml_is(void **state)
{
	char text[256] = "a: ";

	(void)state;
	for (size_t depth = NODE_SAME_DEPTH - 2; depth < NODE_SAME_DEPTH + 2; depth++) {
		memset(text + 3, '[', depth);
		memset(text + 3 + depth, ']', depth);
		text[3 + 2 * depth] = '\0';
		assert_int_equal(node_read_same(bytes_of(text)), depth < NODE_SAME_DEPTH);
	}
}

/* Puts pieces that mean something to YAML together, or into a document of the simple form. */
static void test_random_documents_are_read_the_same(void **state)
{
	static const char *const pieces[] = {
		"a",   "b:", "c: ", "- ", "-",  "\n",  "\n  ", "\n    ", "\n- ",
		", ",  ",",  "[",   "]",  "{",  "}",   ": ",   ":",      "#",
		" #",  " ",  "'",   "\"", "? ", "|\n", "''",   "d: e",   "\t",
		"---", "&x", "!t",  "*x", "\\", "x y", "%",    "\n\n",   "...",
	};
	uint64_t seed = UNIT_SEED;
	size_t n_taken = 0;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		struct strbuf text = STRBUF_INIT(4096);
		size_t n = unit_random(&seed) % 8;
		int r;

		if (unit_random(&seed) % 4) {
			const char *base = simple[unit_random(&seed) % ARRAY_SIZE(simple)];
			size_t cut = unit_random(&seed) % strlen(base);

			strbuf_add(&text, base, cut);
			strbuf_add_str(&text, pieces[unit_random(&seed) % ARRAY_SIZE(pieces)]);
			strbuf_add_str(&text, base + cut + unit_random(&seed) % 2);
		}
		while (n--)
			strbuf_add_str(&text, pieces[unit_random(&seed) % ARRAY_SIZE(pieces)]);
		r = node_read_same(strbuf_bytes(&text));
		if (r < 0)
			fail_msg("read differently: %s", strbuf_str(&text));
		n_taken += r == 1;
		strbuf_fini(&text);
	}
	/* Else nothing was compared. */
	assert_true(n_taken > 4000);
}

/* Each policy that ships, and in which form it is. */
static size_t read_all(const char *dir, size_t *ret_n)
{
	_cleanup_(io_closedirp) DIR *d = opendir(dir);
	const struct dirent *de;
	size_t n_quick = 0;

	assert_non_null(d);
	while ((de = readdir(d))) {
		struct strbuf text = STRBUF_INIT(POLICY_MAX_BYTES);
		_cleanup_(freep) char *path = NULL;
		int r;

		if (!strstr(de->d_name, ".yaml"))
			continue;
		path = str_format("%s/%s", dir, de->d_name);
		assert_int_equal(io_read_file_at(AT_FDCWD, path, &text), 0);
		r = node_read_same(strbuf_bytes(&text));
		if (r < 0)
			fail_msg("read differently: %s", path);
		n_quick += r == 1;
		++*ret_n;
		strbuf_fini(&text);
	}
	return n_quick;
}

static void test_shipped_policies_are_read_the_same(void **state)
{
	size_t n = 0, n_quick;

	(void)state;
	n_quick = read_all("policies", &n) + read_all("policies/templates", &n);
	assert_true(n > 10);
	/* Most are in the simple form. */
	assert_true(n_quick > n / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_simple_documents_are_read_the_same),
		cmocka_unit_test(test_other_documents_are_left_to_libyaml),
		cmocka_unit_test(test_depth_is_limited_as_libyaml_is),
		cmocka_unit_test(test_random_documents_are_read_the_same),
		cmocka_unit_test(test_shipped_policies_are_read_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
