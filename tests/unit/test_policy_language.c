/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which language a document is taken for, and what is refused because it could be two, or none.
 */
#include "tests/unit/policy_harness.h"

#define NATIVE "version: 1\nname: t\n"
#define ACTION "policies:\n- {name: r, action: deny, match: {tool: bash}}\n"
#define AGENT  "tools: {block: [bash]}\n"
#define MESH   "name: m\nrules:\n- {effect: deny, actions: ['read:*']}\n"

static int load_as(const char *file, const char *text, enum policy_language language,
		   struct policy **ret, struct diag *d)
{
	const struct policy_load load = {
		.file = file, .text = bytes_of(text), .vars = &harness_vars, .language = language};

	*d = (struct diag){};
	*ret = NULL;
	return policy_load(&load, ret, d);
}

static void test_top_keys_tell_the_language(void **state)
{
	static const struct {
		const char *text;
		enum policy_language language;
	} cases[] = {
		{NATIVE "default: deny\n", POLICY_LANGUAGE_NATIVE},
		{"default: deny\n" NATIVE, POLICY_LANGUAGE_NATIVE},
		{NATIVE "rules: [{name: r, action: deny, match: {tool: x}}]\n",
		 POLICY_LANGUAGE_NATIVE},
		{NATIVE "default: deny\nbudget: {max_execs: 5}\n", POLICY_LANGUAGE_NATIVE},
		{"budget: {max_execs: 5}\n" NATIVE "default: deny\n", POLICY_LANGUAGE_NATIVE},
		{ACTION, POLICY_LANGUAGE_ACTION_POLICY},
		{"\xef\xbb\xbf" ACTION, POLICY_LANGUAGE_ACTION_POLICY},
		{"# c\n---\n" ACTION "...\n", POLICY_LANGUAGE_ACTION_POLICY},
		{"description: d\nauthor: me\n" ACTION, POLICY_LANGUAGE_ACTION_POLICY},
		{"{\"policies\": [{\"name\": \"r\", \"match\": {\"tool\": \"x\"}}]}",
		 POLICY_LANGUAGE_ACTION_POLICY},
		{"policies: []\n", POLICY_LANGUAGE_ACTION_POLICY},
		{"x: &x {name: r}\npolicies: [*x]\n", POLICY_LANGUAGE_ACTION_POLICY},
		{AGENT, POLICY_LANGUAGE_AGENTPOLICY},
		{"network: {allow: [x]}\n", POLICY_LANGUAGE_AGENTPOLICY},
		{"approval: {require_for: [{tool: x}]}\n", POLICY_LANGUAGE_AGENTPOLICY},
		{"budget: {max_spend: $5}\n", POLICY_LANGUAGE_AGENTPOLICY},
		{"budget: {max_spend: 5}\n" AGENT, POLICY_LANGUAGE_AGENTPOLICY},
		{"budget: {}\n" AGENT, POLICY_LANGUAGE_AGENTPOLICY},
		{MESH, POLICY_LANGUAGE_MESHGUARD},
		{"version: 1\n" MESH, POLICY_LANGUAGE_MESHGUARD},
		{"defaultEffect: deny\n" MESH, POLICY_LANGUAGE_MESHGUARD},
		{"appliesTo: {tags: [x]}\n" MESH, POLICY_LANGUAGE_MESHGUARD},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct policy *p = NULL;
		struct diag d;

		if (load_as("t.yaml", cases[i].text, POLICY_LANGUAGE_AUTO, &p, &d) < 0)
			fail_msg("%s: %u:%u: %s", cases[i].text, d.line, d.column, d.message);
		assert_string_equal(policy_language_name(policy_get_language(p)),
				    policy_language_name(cases[i].language));
		policy_free(p);
	}
}

static void test_doubtful_documents_are_refused(void **state)
{
	static const struct {
		const char *text;
		unsigned line, column;
		const char *says;
	} cases[] = {
		{"polices: []\n", 1, 1, "did you mean 'policies'"},
		{"tool: {block: [x]}\n", 1, 1, "did you mean 'tools'"},
		{"aproval: {}\nx: 1\n", 1, 1, "did you mean 'approval'"},
		{"zzzzzz: 1\n", 1, 1, "belongs to no policy language"},
		{"'': 1\n", 1, 1, "belongs to no policy language"},
		{"version: 1\npolices: []\n", 2, 1, "unknown key"},
		{NATIVE ACTION, 3, 1, "'policies' belongs to agent-action-policy"},
		{NATIVE AGENT, 3, 1, "'tools' belongs to agentpolicy"},
		{ACTION "version: 1\n", 3, 1, "'version: 1' says"},
		{AGENT "version: 1\n", 2, 1, "'version: 1' says"},
		{ACTION AGENT, 3, 1, "'tools' belongs to agentpolicy"},
		{AGENT ACTION, 2, 1, "'policies' belongs to agent-action-policy"},
		{ACTION "rules: []\n", 3, 1, "'rules' belongs to native policies"},
		{AGENT "default: deny\n", 2, 1, "'default' belongs to native policies"},
		{"name: t\nbudget: {max_spend: 5}\n", 1, 1, "no 'version'"},
		/* One of MeshGuard's keys is enough: its reader says what is missing. */
		{"name: m\nrules:\n- {effect: deny}\n", 3, 3, "no 'actions'"},
		{"name: m\nrules:\n- {actions: ['read:*']}\n", 3, 3, "no 'effect'"},
		{"budget: {max_execs: 5}\n", 1, 9, "without 'max_spend'"},
		{"", 1, 1, "empty"},
		{"---\n...\n", 2, 1, "must be a map"},
		{"[policies]\n", 1, 1, "must be a map"},
		{"policies\n", 1, 1, "must be a map"},
		{"*policies : 1\n", 1, 1, "aliases"},
		{"[1]: 2\n", 1, 1, "a key of"},
		{"policies: [\n", 2, 1, "not valid YAML"},
		{"policies: [*x]\n", 1, 12, "an alias of an anchor"},
		{"policies: []\n---\n", 2, 1, "a second document"},
		{"a: b: c\n", 1, 5, "not valid YAML"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct policy *p = NULL;
		struct diag d;

		if (load_as("t.yaml", cases[i].text, POLICY_LANGUAGE_AUTO, &p, &d) == 0)
			fail_msg("it loads: %s", cases[i].text);
		if (!strstr(d.message, cases[i].says) || d.line != cases[i].line ||
		    d.column != cases[i].column)
			fail_msg("%s: %u:%u: %s", cases[i].text, d.line, d.column, d.message);
	}
}

static void test_the_language_can_be_forced(void **state)
{
	struct policy *p = NULL;
	struct diag d;

	(void)state;
	/* As the originals: other keys do not count. */
	assert_int_equal(load_as("t.yaml", AGENT ACTION "version: 1\n",
				 POLICY_LANGUAGE_ACTION_POLICY, &p, &d),
			 0);
	assert_int_equal(policy_get_language(p), POLICY_LANGUAGE_ACTION_POLICY);
	policy_free(p);
	assert_int_equal(load_as("t.yaml", AGENT ACTION, POLICY_LANGUAGE_AGENTPOLICY, &p, &d), 0);
	assert_int_equal(policy_get_language(p), POLICY_LANGUAGE_AGENTPOLICY);
	policy_free(p);
	assert_int_equal(load_as("t.yaml", ACTION, POLICY_LANGUAGE_NATIVE, &p, &d), -EINVAL);
	assert_non_null(strstr(d.message, "unknown key 'policies'"));
	assert_int_equal(load_as("t.yaml", "", POLICY_LANGUAGE_ACTION_POLICY, &p, &d), -EINVAL);
	assert_int_equal(load_as("t.yaml", "", POLICY_LANGUAGE_AGENTPOLICY, &p, &d), -EINVAL);
}

static void test_a_dialects_policy_is_named_after_its_file(void **state)
{
	static const char *const cases[][2] = {
		{"/etc/x/safe_coding.yaml", "safe_coding"},
		{"a.b.yml", "a.b"},
		{"my policy!.yaml", "my-policy-"},
		{"r\xc3\xa9gle", "r--gle"},
		{".hidden", ".hidden"},
		{"dir/", "policy"},
		{"-", "-"},
		{"", "policy"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct policy *p = NULL;
		struct diag d;

		assert_int_equal(load_as(cases[i][0], ACTION, POLICY_LANGUAGE_AUTO, &p, &d), 0);
		assert_string_equal(policy_name(p), cases[i][1]);
		assert_string_equal(policy_file(p), cases[i][0]);
		policy_free(p);
	}
}

static void count_warning(void *ctx, const struct diag *d)
{
	assert_non_null(strstr(d->message, "given again"));
	assert_int_equal(d->line, 2);
	(*(size_t *)ctx)++;
}

static void test_a_key_given_twice_in_a_dialect_is_a_warning(void **state)
{
	size_t n = 0;
	const struct policy_load load = {
		.file = "t.yaml",
		.text = BYTES_LIT("policies: [{name: a}]\npolicies: [{name: b, action: deny}]\n"),
		.vars = &harness_vars,
		.warn = count_warning,
		.warn_ctx = &n};
	struct policy *p = NULL;
	struct diag d;

	(void)state;
	assert_int_equal(policy_load(&load, &p, &d), 0);
	assert_int_equal(n, 1);
	policy_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_top_keys_tell_the_language),
		cmocka_unit_test(test_doubtful_documents_are_refused),
		cmocka_unit_test(test_the_language_can_be_forced),
		cmocka_unit_test(test_a_dialects_policy_is_named_after_its_file),
		cmocka_unit_test(test_a_key_given_twice_in_a_dialect_is_a_warning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
