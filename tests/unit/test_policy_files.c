/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files that a policy is made of, and the variables of their patterns.
 */
#include "tests/unit/document_harness.h"

/* ---- variables */

static void test_variables_are_refused_with_position(void **state)
{
	static const struct refusal cases[] = {
		{ANY "vars: []\n", 4, 7, "must be a map"},
		{ANY "vars: {}\n", 4, 7, "empty"},
		{ANY "vars: {a: }\n", 4, 11, "null"},
		{ANY "vars: {a: [b]}\n", 4, 11, "must be a string"},
		{ANY "vars: {a-b: c}\n", 4, 8, "letters, digits and '_'"},
		{ANY "vars: {1a: c}\n", 4, 8, "a letter first"},
		{ANY "vars: {home: /x}\n", 4, 8, "Holdfast itself"},
		{ANY "vars: {a: b, a: c}\n", 4, 14, "twice"},
		{ANY "vars: {a: '${b}', b: c}\n", 4, 11, "unknown variable '${b}'"},
		{HEAD "vars: {source: /x}\nrules:\n"
		      "- {name: r, action: deny, match: {path: '${sorce}/x'}}\n",
		 5, 41, "did you mean '${source}'?"},
		{HEAD "rules:\n- {name: r, action: deny, match: {args_pattern: 'a${nothing}'}}\n",
		 4, 49, "unknown variable '${nothing}'; there are ${home}"},
		{HEAD "rules:\n- {name: r, action: deny, match: {tool: x}, unless: {cwd: "
		      "'/x/${prject}'}}\n",
		 4, 59, "did you mean '${project}'?"},
		{HEAD "vars: {a: x/y}\nrules:\n- {name: r, action: deny, match: {path: '${a}'}}\n",
		 5, 41, "would be relative"},
	};

	(void)state;
	check_refusals(cases, ARRAY_SIZE(cases));
}

static void test_variables_stand_for_themselves_in_globs(void **state)
{
	struct harness h = harness_one(
		HEAD "default: deny\n"
		     "vars: {all: '*', odd: 'a{b,c}[d]?\\e', src: '${project}/src', own: '~/own'}\n"
		     "rules:\n"
		     "- {name: a, match: {path: '/x/${all}/y'}, action: allow}\n"
		     "- {name: b, match: {path: '/z/{${odd},f}'}, action: allow}\n"
		     "- {name: c, match: {path: ['${src}/*', '${own}/**']}, action: allow}\n"
		     "- {name: d, match: {path: '/w/\\${all}'}, action: allow}\n"
		     "- {name: e, match: {tool: 'x${all}'}, action: allow}\n");

	(void)state;
	assert_int_equal(harness_path(&h, OP_READ, "/x/*/y").verdict, VERDICT_ALLOW);
	assert_int_equal(harness_path(&h, OP_READ, "/x/q/y").verdict, VERDICT_DENY);
	assert_int_equal(harness_path(&h, OP_READ, "/z/a{b,c}[d]?\\e").verdict, VERDICT_ALLOW);
	assert_int_equal(harness_path(&h, OP_READ, "/z/f").verdict, VERDICT_ALLOW);
	assert_int_equal(harness_path(&h, OP_READ, "/z/ab").verdict, VERDICT_DENY);
	assert_int_equal(harness_path(&h, OP_READ, "/home/u/proj/src/a").verdict, VERDICT_ALLOW);
	assert_int_equal(harness_path(&h, OP_READ, "/home/u/proj/src/a/b").verdict, VERDICT_DENY);
	assert_int_equal(harness_path(&h, OP_READ, "/home/u/own/a/b").verdict, VERDICT_ALLOW);
	assert_int_equal(harness_path(&h, OP_READ, "/w/${all}").verdict, VERDICT_ALLOW);
	assert_int_equal(eval_exec(&h, "x*", "").verdict, VERDICT_ALLOW);
	assert_int_equal(eval_exec(&h, "xy", "").verdict, VERDICT_DENY);
	harness_fini(&h);
}

static void test_variables_stand_for_themselves_in_regular_expressions(void **state)
{
	struct harness h = harness_one(
		HEAD
		"default: deny\n"
		"vars: {dot: 'a.b', odd: '^(x|y)+$ \\d[z]{2}#-*?'}\n"
		"rules:\n"
		"- {name: a, match: {tool: git, args_pattern: '^${dot}$'}, action: allow}\n"
		"- {name: b, match: {tool: '~^${dot}$'}, action: allow}\n"
		"- {name: c, match: {tool: ls, args_pattern: '${odd}'}, action: allow}\n"
		"- {name: d, match: {tool: cat, args_pattern: '^${home}/x$'}, action: allow}\n"
		"- {name: e, match: {tool: id, args_pattern: 'a{2}\\${dot}'}, action: allow}\n");

	(void)state;
	assert_int_equal(eval_exec(&h, "git", "a.b").verdict, VERDICT_ALLOW);
	assert_int_equal(eval_exec(&h, "git", "axb").verdict, VERDICT_DENY);
	assert_int_equal(eval_exec(&h, "a.b", "").verdict, VERDICT_ALLOW);
	assert_int_equal(eval_exec(&h, "axb", "").verdict, VERDICT_DENY);
	assert_int_equal(eval_exec(&h, "ls", "_^(x|y)+$ \\d[z]{2}#-*?_").verdict, VERDICT_ALLOW);
	assert_int_equal(eval_exec(&h, "cat", "/home/u/x").verdict, VERDICT_ALLOW);
	assert_int_equal(eval_exec(&h, "id", "aa${dot}").verdict, VERDICT_ALLOW);
	harness_fini(&h);
}

/* ---- include */

static void test_included_rules_come_after_in_order(void **state)
{
	struct files files = {{
		{"d.yaml", ANY "include: [a.yaml, b.yaml]\n" FRAGMENT_RULE("own", "x", "deny")},
		{"a.yaml", "include: ./c.yaml\n" FRAGMENT_RULE("a", "'[xyw]'", "ask")},
		{"b.yaml", FRAGMENT_RULE("b", "'[xyzw]'", "flag")},
		{"./c.yaml", "rules:\n- {name: c, match: {tool: '[xyz]'}, action: deny}\n"
			     "- {name: p, match: {tool: w}, action: deny, priority: 5}\n"},
	}};
	struct harness h = harness_files(&files);
	struct policy_result r = eval_exec(&h, "x", "");

	(void)state;
	assert_string_equal(r.source.rule, "own");
	assert_string_equal(r.source.file, "d.yaml");
	assert_int_equal(r.source.line, 6);
	r = eval_exec(&h, "y", "");
	assert_string_equal(r.source.rule, "a");
	assert_string_equal(r.source.file, "a.yaml");
	assert_int_equal(r.source.line, 3);
	assert_string_equal(r.source.policy, "t");
	r = eval_exec(&h, "z", "");
	assert_string_equal(r.source.rule, "c");
	assert_string_equal(r.source.file, "./c.yaml");
	assert_string_equal(eval_exec(&h, "w", "").source.rule, "p");
	assert_int_equal(policy_rule_count(policy_stack_get(h.stack, 0)), 5);
	harness_fini(&h);
}

static void test_variables_of_fragments_are_shared(void **state)
{
	struct files files = {{
		{"d.yaml", HEAD "default: deny\ninclude: [a.yaml, b.yaml, b.yaml]\n"
				"vars: {top: one}\n" FRAGMENT_RULE("own", "'${low}'", "allow")},
		{"a.yaml",
		 "vars: {top: two, low: three}\n" FRAGMENT_RULE("a", "'${top}'", "allow")},
		{"b.yaml", "vars: {low: three}\n"},
	}};
	struct harness h = harness_files(&files);

	(void)state;
	assert_string_equal(eval_exec(&h, "three", "").source.rule, "own");
	assert_string_equal(eval_exec(&h, "one", "").source.rule, "a");
	assert_int_equal(eval_exec(&h, "two", "").verdict, VERDICT_DENY);
	harness_fini(&h);
}

static void test_fragments_are_refused_with_their_own_position(void **state)
{
	static const struct {
		const char *document, *fragment, *file;
		unsigned line, column;
		const char *says;
	} cases[] = {
		{ANY "include: a.yaml\n", "", "a.yaml", 1, 1, "empty"},
		{ANY "include: a.yaml\n", "{}", "a.yaml", 1, 1, "empty"},
		{ANY "include: a.yaml\n", "mode: audit\n", "a.yaml", 1, 1,
		 "unknown key 'mode' in an included file; there are rules, vars, include"},
		{ANY "include: a.yaml\n", "rules:\n- {name: x, match: {tol: x}, action: deny}\n",
		 "a.yaml", 2, 21, "did you mean 'tool'"},
		{ANY "include: a.yaml\n", FRAGMENT_RULE("a", "'${x}'", "deny"), "a.yaml", 2, 27,
		 "unknown variable"},
		{ANY "include: a.yaml\n" FRAGMENT_RULE("a", "x", "deny"),
		 FRAGMENT_RULE("a", "y", "deny"), "a.yaml", 2, 10, "first at d.yaml:6"},
		{ANY "include: a.yaml\n", "include: a.yaml\n", "a.yaml", 1, 10,
		 "in a loop; take one out: d.yaml -> a.yaml -> a.yaml"},
		{ANY "include: a.yaml\n", "include: d.yaml\n", "a.yaml", 1, 10,
		 "in a loop; take one out: d.yaml -> a.yaml -> d.yaml"},
		{ANY "include: nope.yaml\n", "", "d.yaml", 4, 10, "there is no 'nope.yaml'"},
		{ANY "include: name\n", "", "d.yaml", 4, 10, "write ./name.yaml"},
		{ANY "include: []\n", "", "d.yaml", 4, 10, "empty list"},
		{ANY "include: {a: b}\n", "", "d.yaml", 4, 10, "found a map"},
		{ANY "include: [a.yaml, b.yaml]\n", "vars: {x: 1}\n", "b.yaml", 1, 8,
		 "another value at a.yaml:1"},
		{ANY "include: a.yaml\n", "rules: &x []\n", "a.yaml", 1, 8, "anchors"},
		{ANY "include: a.yaml\n",
		 "rules:\n- {name: x, match: {tool: x}, action: deny,\n"
		 "   examples: {match: [y]}}\n",
		 "a.yaml", 3, 23, "does not match this example"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct files files = {{{"d.yaml", cases[i].document},
				       {"a.yaml", cases[i].fragment},
				       {"b.yaml", "vars: {x: 2}\n"}}};

		check_file_refusal(&files, cases[i].file, cases[i].line, cases[i].column,
				   cases[i].says);
	}
}

static void test_a_document_as_text_alone_names_no_files(void **state)
{
	static const struct refusal cases[] = {
		{ANY "include: a.yaml\n", 4, 10, "cannot name other files"},
		{ANY "extends: a\n", 4, 10, "cannot name other files"},
	};

	(void)state;
	check_refusals(cases, ARRAY_SIZE(cases));
}

/* d.yaml includes 1.yaml, which includes 2.yaml and so on; @n files in all. */
static void make_chain(struct files *files, char text[][32], char names[][16], size_t n)
{
	for (size_t i = 0; i < n; i++) {
		(void)snprintf(names[i], 16, "%zu.yaml", i);
		if (i + 1 < n)
			(void)snprintf(text[i], 32, "include: %zu.yaml\n", i + 1);
		else
			(void)snprintf(text[i], 32, "vars: {x: y}\n");
		files->files[i] = (struct file){.name = names[i], .text = text[i]};
	}
	files->files[0].text = ANY "include: 1.yaml\n";
}

static void test_depth_of_files_has_a_limit(void **state)
{
	struct files files = {};
	char text[12][32], names[12][16];
	struct harness h;

	(void)state;
	make_chain(&files, text, names, 9);
	h = harness_files(&files);
	harness_fini(&h);
	make_chain(&files, text, names, 10);
	check_file_refusal(&files, "8.yaml", 1, 10,
			   "more than 8 files deep: 0.yaml -> 1.yaml -> 2.yaml -> 3.yaml -> 4.yaml "
			   "-> 5.yaml -> 6.yaml -> 7.yaml -> 8.yaml -> 9.yaml");
}

static void test_number_of_files_has_a_limit(void **state)
{
	char document[2048] = ANY "include: [", names[66][16];
	size_t limit = strlen(document);
	struct files files = {{{"d.yaml", document}}};
	struct harness h;

	(void)state;
	for (size_t i = 1; i < 66; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "%zu.yaml", i);
		files.files[i] = (struct file){.name = names[i], .text = "vars: {x: y}\n"};
	}
	for (size_t i = 1; i < 64; i++)
		limit += (size_t)snprintf(document + limit, sizeof(document) - limit, "%zu.yaml, ",
					  i);
	document[limit] = ']';
	h = harness_files(&files);
	harness_fini(&h);
	(void)snprintf(document + limit, sizeof(document) - limit, "64.yaml]");
	check_file_refusal(&files, "d.yaml", 4, (unsigned int)(limit - strlen(ANY)) + 1,
			   "at most 64 files");
}

static void test_size_of_all_files_has_a_limit(void **state)
{
	char *half = malloc(POLICY_MAX_BYTES);
	const char *head = "vars: {x: y}\n#";
	struct files files = {{{"d.yaml", ANY "include: a.yaml\n"}, {"a.yaml", half}}};

	(void)state;
	assert_non_null(half);
	memset(half, 'x', POLICY_MAX_BYTES);
	memcpy(half, head, strlen(head));
	half[POLICY_MAX_BYTES - 1] = '\0';
	check_file_refusal(&files, "d.yaml", 4, 10, "larger than 16 MiB");
	free(half);
}

/* ---- extends */

#define BASE                                                                                       \
	"version: 1\nname: base\ndefault: {tool: flag}\nmode: audit\nlog_reads: true\n"            \
	"grant: [ptrace]\nbudget: {max_execs: 7}\n"                                                \
	"rules:\n- {name: one, match: {tool: x}, action: deny}\n"                                  \
	"- {name: two, match: {tool: '[xy]'}, action: ask}\n"

static void test_a_base_holds_where_the_document_is_silent(void **state)
{
	struct files files = {{{"d.yaml", HEAD "extends: base\n"}, {"base", BASE}}};
	struct harness h = harness_files(&files);
	const struct policy *p = policy_stack_get(h.stack, 0);
	struct policy_source source;

	(void)state;
	assert_string_equal(policy_name(p), "t");
	assert_int_equal(policy_get_mode(p), POLICY_MODE_AUDIT);
	assert_true(policy_stack_logs_reads(h.stack));
	assert_true(policy_stack_advises_grant(h.stack, GRANT_PTRACE, &source));
	assert_int_equal(policy_get_budget(p)->max_execs, 7);
	assert_int_equal(eval_exec(&h, "q", "").advised, VERDICT_FLAG);
	assert_string_equal(eval_exec(&h, "x", "").advised_source.rule, "one");
	assert_string_equal(eval_exec(&h, "x", "").advised_source.file, "base");
	harness_fini(&h);
}

static void test_a_document_counts_before_its_base(void **state)
{
	struct files files = {{
		{"d.yaml", ANY "extends: base\ninclude: f.yaml\nmode: enforce\nlog_reads: false\n"
			       "grant: bpf\nbudget: {max_connects: 3}\n"
			       "rules:\n- {name: one, match: {tool: z}, action: deny}\n"},
		{"base", BASE},
		{"f.yaml", FRAGMENT_RULE("three", "y", "deny")},
	}};
	struct harness h = harness_files(&files);
	const struct policy *p = policy_stack_get(h.stack, 0);
	struct policy_source source;

	(void)state;
	assert_int_equal(policy_get_mode(p), POLICY_MODE_ENFORCE);
	assert_false(policy_stack_logs_reads(h.stack));
	assert_false(policy_stack_grants(h.stack, GRANT_PTRACE, &source));
	assert_true(policy_stack_grants(h.stack, GRANT_BPF, &source));
	assert_int_equal(policy_get_budget(p)->max_connects, 3);
	assert_int_equal(policy_get_budget(p)->max_execs, 0);
	assert_int_equal(policy_rule_count(p), 3);
	assert_int_equal(eval_exec(&h, "q", "").verdict, VERDICT_ALLOW);
	assert_string_equal(eval_exec(&h, "z", "").source.rule, "one");
	assert_string_equal(eval_exec(&h, "z", "").source.file, "d.yaml");
	/* The base's rule of that name is gone, and a fragment's comes before the base's. */
	assert_string_equal(eval_exec(&h, "x", "").source.rule, "two");
	assert_string_equal(eval_exec(&h, "y", "").source.rule, "three");
	harness_fini(&h);
}

static void test_variables_of_a_base_are_its_own(void **state)
{
	struct files files = {{
		{"d.yaml",
		 HEAD "extends: base\nvars: {v: child}\n" FRAGMENT_RULE("a", "'a${v}'", "allow")},
		{"base",
		 HEAD "default: deny\nvars: {v: base}\n" FRAGMENT_RULE("b", "'b${v}'", "allow")},
	}};
	struct harness h = harness_files(&files);

	(void)state;
	assert_int_equal(eval_exec(&h, "achild", "").verdict, VERDICT_ALLOW);
	assert_int_equal(eval_exec(&h, "bbase", "").verdict, VERDICT_ALLOW);
	assert_int_equal(eval_exec(&h, "bchild", "").verdict, VERDICT_DENY);
	harness_fini(&h);
}

static void test_examples_of_a_base_hold_in_what_extends_it(void **state)
{
	struct files files = {{
		{"d.yaml", HEAD "extends: base\n" FRAGMENT_RULE("own", "'*'", "deny")},
		{"base", ANY "rules:\n- {name: b, match: {tool: x}, action: allow,\n"
			     "   examples: {match: [x], not_match: [z]}}\n"},
	}};
	struct harness h = harness_files(&files);

	(void)state;
	assert_string_equal(eval_exec(&h, "x", "").source.rule, "own");
	harness_fini(&h);
	files.files[1].text = ANY "rules:\n- {name: b, match: {tool: x}, action: allow,\n"
				  "   examples: {match: [z]}}\n";
	check_file_refusal(&files, "base", 6, 23, "does not match this example");
}

static void test_bases_are_refused_with_position(void **state)
{
	static const struct {
		const char *document, *base, *file;
		unsigned line, column;
		const char *says;
	} cases[] = {
		{ANY "extends: [base]\n", BASE, "d.yaml", 4, 10, "must be a string"},
		{ANY "extends: nope\n", BASE, "d.yaml", 4, 10, "there is no 'nope'"},
		{ANY "extends: base\n", "version: 1\nname: b\n", "base", 1, 1, "decides nothing"},
		{ANY "extends: base\n", "rules: []\n", "base", 1, 1, "a file for 'include'"},
		{ANY "extends: base\n", "policies: []\n", "base", 1, 1,
		 "only a native policy can be extended"},
		{ANY "extends: base\n", "default: deny\n", "base", 1, 1, "has no 'version: 1'"},
		{ANY "extends: base\n", ANY "extends: d.yaml\n", "base", 4, 10,
		 "loop; take one out: d.yaml -> base -> d.yaml"},
		{ANY "extends: base\n", ANY "mode: warn\n", "base", 4, 7, "enforce or audit"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct files files = {{{"d.yaml", cases[i].document}, {"base", cases[i].base}}};

		check_file_refusal(&files, cases[i].file, cases[i].line, cases[i].column,
				   cases[i].says);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_variables_are_refused_with_position),
		cmocka_unit_test(test_variables_stand_for_themselves_in_globs),
		cmocka_unit_test(test_variables_stand_for_themselves_in_regular_expressions),
		cmocka_unit_test(test_included_rules_come_after_in_order),
		cmocka_unit_test(test_variables_of_fragments_are_shared),
		cmocka_unit_test(test_fragments_are_refused_with_their_own_position),
		cmocka_unit_test(test_a_document_as_text_alone_names_no_files),
		cmocka_unit_test(test_depth_of_files_has_a_limit),
		cmocka_unit_test(test_number_of_files_has_a_limit),
		cmocka_unit_test(test_size_of_all_files_has_a_limit),
		cmocka_unit_test(test_a_base_holds_where_the_document_is_silent),
		cmocka_unit_test(test_a_document_counts_before_its_base),
		cmocka_unit_test(test_variables_of_a_base_are_its_own),
		cmocka_unit_test(test_examples_of_a_base_hold_in_what_extends_it),
		cmocka_unit_test(test_bases_are_refused_with_position),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
