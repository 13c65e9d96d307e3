/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent-action-policy's and MeshGuard's documents and what a process does. What they say of actions
 * of their own is compared with oracles in tests/compat.
 */
#include "policy/dialect.h"

#include "tests/unit/policy_harness.h"

static const struct policy_name exec_names[] = {
	{.name = BYTES_LIT("git")},
	{.name = BYTES_LIT("link"), .is_untrusted = true},
	{.name = BYTES_LIT("bash")},
};

static struct policy_query exec_query(const char *command)
{
	return (struct policy_query){
		.kind = KIND_TOOL,
		.op = OP_EXEC,
		.names = exec_names,
		.n_names = ARRAY_SIZE(exec_names),
		.args = bytes_of(command),
		.path = BYTES_LIT("/usr/bin/git"),
		.minute_of_week = POLICY_TIME_UNKNOWN,
	};
}

static struct policy_result ask(struct harness *h, const struct policy_query *q)
{
	struct policy_result r;

	policy_scratch_reset(h->scratch);
	policy_stack_eval(h->stack, h->scratch, q, &r);
	return r;
}

static enum verdict verdict_of(const char *document, const char *command)
{
	struct harness h = harness_one(document);
	const struct policy_query q = exec_query(command);
	struct policy_result r = ask(&h, &q);

	harness_fini(&h);
	return r.verdict;
}

static uint32_t decided_by(const char *document)
{
	struct harness h = harness_one(document);
	uint32_t ops = policy_stack_decided_ops(h.stack) & ~OP_BIT(OP_SYSCALL);

	harness_fini(&h);
	return ops;
}

#define RULE(match, action)                                                                        \
	"policies:\n- {name: r, action: " action ", match: {" match "}}\n"                         \
	"- {name: other, action: approve, match: {tool: nothing}}\n"

static void test_any_name_of_a_process_matches(_unused_ void **state)
{
	assert_int_equal(verdict_of(RULE("tool: git", "deny"), "git push"), VERDICT_DENY);
	assert_int_equal(verdict_of(RULE("tool: bash", "deny"), "git push"), VERDICT_DENY);
	assert_int_equal(verdict_of(RULE("tool: '~^gi'", "escalate"), "git push"), VERDICT_ASK);
	assert_int_equal(verdict_of(RULE("tool: 'g?t'", "deny"), "git push"), VERDICT_DENY);
	assert_int_equal(verdict_of(RULE("tool: sh", "deny"), "git push"), VERDICT_ALLOW);
}

static void test_an_untrusted_name_approves_nothing(_unused_ void **state)
{
	static const char document[] =
		"policies:\n- {name: a, action: approve, match: {tool: link}}\n"
		"- {name: b, action: deny}\n";

	assert_int_equal(verdict_of(document, "x"), VERDICT_DENY);
	assert_int_equal(verdict_of(RULE("tool: link", "deny"), "x"), VERDICT_DENY);
}

static void test_a_processs_text_is_argument_and_path(_unused_ void **state)
{
	assert_int_equal(verdict_of(RULE("args_pattern: '^git push$'", "deny"), "git push"),
			 VERDICT_DENY);
	assert_int_equal(verdict_of(RULE("path_patterns: 'git *'", "deny"), "git push"),
			 VERDICT_DENY);
	assert_int_equal(verdict_of(RULE("path_patterns: '*'", "deny"), ""), VERDICT_ALLOW);
}

static void test_what_raises_is_denied_to_a_process(_unused_ void **state)
{
	struct harness h = harness_one(RULE("tool: '~('", "approve"));
	const struct policy_query q = exec_query("git push");
	struct policy_result r = ask(&h, &q);

	assert_int_equal(r.verdict, VERDICT_DENY);
	assert_non_null(strstr(r.source.error, "re.error"));
	harness_fini(&h);
}

static void test_a_search_over_its_limit_is_denied(_unused_ void **state)
{
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(1 << 20);
	struct harness h = harness_one(RULE("args_pattern: x", "approve"));
	struct policy_query q = exec_query("");
	struct policy_result r;

	while (text.len <= REGEX_SUBJECT_MAX)
		strbuf_add_str(&text, "aaaaaaaaaaaaaaaa");
	q.args = strbuf_bytes(&text);
	r = ask(&h, &q);
	assert_int_equal(r.verdict, VERDICT_DENY);
	assert_string_equal(r.source.reason, "regex-limit");
	harness_fini(&h);
}

static void test_only_what_rules_can_reach_is_decided(_unused_ void **state)
{
	assert_int_equal(decided_by(RULE("tool: bash", "deny")), OP_BIT(OP_EXEC));
	assert_int_equal(decided_by(RULE("tool: 'my_*'", "escalate")), OP_BIT(OP_EXEC));
	assert_int_equal(decided_by(RULE("tool: read", "deny")), OP_BIT(OP_EXEC) | OP_BIT(OP_READ));
	assert_int_equal(decided_by(RULE("tool: delete_file", "deny")),
			 OP_BIT(OP_EXEC) | OP_BIT(OP_DELETE));
	assert_int_equal(decided_by(RULE("tool: '~fetch'", "deny")), OP_BIT(OP_EXEC) | OPS_NETWORK);
	assert_int_equal(decided_by(RULE("args_pattern: x", "deny")),
			 OP_BIT(OP_EXEC) | OPS_PATH | OPS_NETWORK);
	assert_int_equal(decided_by(RULE("", "approve")), 0);
	assert_int_equal(decided_by(RULE("args_pattern: '('", "deny")), 0);
	/* Found by fuzzing: the tool raises before the arguments are looked at. */
	assert_int_equal(decided_by(RULE("tool: '~(', args_pattern: '('", "deny")),
			 OP_BIT(OP_EXEC) | OPS_PATH | OPS_NETWORK);
	assert_int_equal(decided_by(RULE("tool: bash, args_pattern: 5", "approve")),
			 OP_BIT(OP_EXEC));
}

#define MESH(rules)                                                                                \
	"name: m\nversion: '1'\nappliesTo: {tags: [t]}\ndefaultEffect: allow\nrules:\n" rules

static void test_mesh_decides_on_what_its_actions_name(_unused_ void **state)
{
	assert_int_equal(decided_by(MESH("- {effect: deny, actions: ['read:file']}\n")),
			 OP_BIT(OP_READ));
	assert_int_equal(decided_by(MESH("- {effect: deny, actions: ['delete:*']}\n")),
			 OP_BIT(OP_DELETE));
	assert_int_equal(decided_by(MESH("- {effect: allow, actions: ['read:*']}\n"
					 "- {effect: deny, actions: ['*']}\n")) &
				 (OP_BIT(OP_READ) | OP_BIT(OP_CONNECT)),
			 0);
	assert_int_equal(decided_by(MESH("- {effect: deny, actions: ['pay:*']}\n")), 0);
	assert_int_equal(decided_by("name: m\nrules:\n- {effect: allow, actions: ['pay:*']}\n"),
			 OP_BIT(OP_EXEC) | OPS_PATH | OPS_NETWORK);
}

static void test_mesh_unknown_time_opens_nothing(_unused_ void **state)
{
	assert_int_equal(verdict_of(MESH("- {effect: deny, actions: ['*'], conditions: "
					 "{time_range: '09:00-18:00'}}\n"),
				    "ls"),
			 VERDICT_DENY);
	assert_int_equal(verdict_of("name: m\nrules:\n- {effect: allow, actions: ['*'], "
				    "conditions: {time_range: '09:00-18:00'}}\n",
				    "ls"),
			 VERDICT_DENY);
}

static void test_mesh_rate_limits_are_a_budget(_unused_ void **state)
{
	struct policy *p = harness_parse(MESH("- {effect: allow, actions: ['*']}\n"
					      "rateLimits: {requestsPerMinute: 5, "
					      "requestsPerHour: 50}\n"));
	const struct policy_budget *b = policy_get_budget(p);

	assert_non_null(b);
	assert_int_equal(b->n_rates, 2);
	assert_int_equal(b->rates[0].n, 5);
	assert_int_equal(b->rates[0].per_ns, 60 * NS_PER_SEC);
	assert_int_equal(b->rates[1].n, 50);
	assert_int_equal(b->rates[0].ops, OP_BIT(OP_EXEC) | OP_BIT(OP_CONNECT));
	policy_free(p);
}

static void test_mesh_applies_to_who_is_not_known(_unused_ void **state)
{
	static const char *const other[] = {"u"}, *const same[] = {"u", "t"};
	struct policy *p = harness_parse(MESH("- {effect: allow, actions: ['*']}\n"));

	assert_true(policy_applies_to(p, &(struct policy_subject){.agent = "a"}));
	assert_true(policy_applies_to(
		p, &(struct policy_subject){.agent = "a", .tags = same, .n_tags = 2}));
	assert_false(policy_applies_to(
		p, &(struct policy_subject){.agent = "a", .tags = other, .n_tags = 1}));
	assert_string_equal(policy_name(p), "m");
	policy_free(p);
}

static const char *const whole_documents[] = {
	RULE("tool: '~x', args_pattern: \"'\\\"\", path_patterns: [a, '~b']", "deny"),
	MESH("- {effect: deny, actions: ['*'], reason: \"a\\nb\", conditions: {resource: "
	     "{matches: x}, 'context.a': {lte: 5}, time_range: '09:00-18:00'}}\n"),
};

static void test_documents_are_shown(_unused_ void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(whole_documents); i++) {
		_cleanup_(strbuf_fini) struct strbuf out = STRBUF_INIT(1 << 16);
		struct policy *p = harness_parse(whole_documents[i]);

		policy_show(p, &out);
		assert_int_equal(strbuf_error(&out), 0);
		assert_non_null(strstr(strbuf_str(&out), i ? "\"x\"" : "\"~b\""));
		policy_free(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_name_of_a_process_matches),
		cmocka_unit_test(test_an_untrusted_name_approves_nothing),
		cmocka_unit_test(test_a_processs_text_is_argument_and_path),
		cmocka_unit_test(test_what_raises_is_denied_to_a_process),
		cmocka_unit_test(test_a_search_over_its_limit_is_denied),
		cmocka_unit_test(test_only_what_rules_can_reach_is_decided),
		cmocka_unit_test(test_mesh_decides_on_what_its_actions_name),
		cmocka_unit_test(test_mesh_unknown_time_opens_nothing),
		cmocka_unit_test(test_mesh_rate_limits_are_a_budget),
		cmocka_unit_test(test_mesh_applies_to_who_is_not_known),
		cmocka_unit_test(test_documents_are_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
