/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AgentPolicy documents on what processes do, and their accounting. Actions given as text are
 * compared with the original's rules in tests/compat/test_agentpolicy.py.
 */
#include <math.h>

#include "policy/account.h"
#include "tests/unit/policy_harness.h"

static struct harness load(const char *text)
{
	const struct policy_load l = {
		.file = "test.yaml",
		.text = bytes_of(text),
		.language = POLICY_LANGUAGE_AGENTPOLICY,
		.vars = &harness_vars,
	};
	struct harness h = {};
	struct policy *p = NULL;
	struct diag d = {};

	if (policy_load(&l, &p, &d) < 0)
		fail_msg("the policy does not load: %s", d.message);
	assert_int_equal(policy_stack_new(&p, 1, false, &h.stack, &d), 0);
	h.scratch = policy_scratch_new(h.stack);
	assert_non_null(h.scratch);
	return h;
}

static void assert_answer(const struct policy_result *r, enum verdict verdict, const char *rule,
			  const char *reason)
{
	assert_string_equal(r->source.reason, reason);
	assert_int_equal(r->verdict, verdict);
	if (rule)
		assert_string_equal(r->source.rule, rule);
	else
		assert_null(r->source.rule);
}

static void test_exec_is_blocked_under_any_name(void **state)
{
	struct harness h = load("{\"tools\": {\"block\": [\"curl\", \"shell\"]}}");
	struct policy_result r = harness_tool(&h, "curl x.org", NULL);

	(void)state;
	assert_answer(&r, VERDICT_DENY, "tools.block", "Tool 'curl' denied by tools.block policy");
	assert_int_equal(r.source.line, 1);
	assert_string_equal(r.source.word, "deny");
	r = harness_tool(&h, "ls", NULL);
	assert_answer(&r, VERDICT_DENY, "tools.block", "Tool 'shell' denied by tools.block policy");
	assert_int_equal(policy_stack_decided_ops(h.stack) & (OPS_PATH | OPS_NETWORK),
			 OP_BIT(OP_CONNECT) | OP_BIT(OP_SEND) | OP_BIT(OP_RESOLVE));
	harness_fini(&h);
}

static void test_exec_needs_a_trusted_name_in_the_allow_list(void **state)
{
	struct harness h = load("{\"tools\": {\"allow\": [\"git\"]}}");
	const struct policy_name untrusted[] = {{.name = BYTES_LIT("bash")},
						{.name = BYTES_LIT("git"), .is_untrusted = true}};
	const struct policy_query q = {.kind = KIND_TOOL,
				       .op = OP_EXEC,
				       .names = untrusted,
				       .n_names = ARRAY_SIZE(untrusted)};
	struct policy_result r = harness_tool(&h, "git push", NULL);

	(void)state;
	assert_answer(&r, VERDICT_ALLOW, NULL, "Action allowed");
	r = harness_tool(&h, "curl x.org", NULL);
	assert_answer(&r, VERDICT_DENY, "tools.allow",
		      "Tool 'curl' denied because it is not in tools.allow");
	policy_stack_eval(h.stack, h.scratch, &q, &r);
	assert_answer(&r, VERDICT_DENY, "tools.allow",
		      "Tool 'git' denied because it is not in tools.allow");
	harness_fini(&h);
}

static void test_untrusted_name_is_blocked(void **state)
{
	struct harness h = load("{\"tools\": {\"block\": [\"git\"]}}");
	const struct policy_name name = {.name = BYTES_LIT("git"), .is_untrusted = true};
	const struct policy_query q = {
		.kind = KIND_TOOL, .op = OP_EXEC, .names = &name, .n_names = 1};
	struct policy_result r;

	(void)state;
	policy_stack_eval(h.stack, h.scratch, &q, &r);
	assert_int_equal(r.verdict, VERDICT_DENY);
	harness_fini(&h);
}

static void test_files_are_not_asked_of_an_allow_list_without_file_tools(void **state)
{
	struct harness h = load("{\"tools\": {\"allow\": [\"search\"]}}");
	struct policy_result r = harness_path(&h, OP_WRITE, "/home/u/x");

	(void)state;
	assert_int_equal(r.verdict, VERDICT_ALLOW);
	assert_int_equal(policy_stack_decided_ops(h.stack) & OPS_PATH, 0);
	harness_fini(&h);
}

static void test_allow_list_with_a_file_tool_speaks_of_changes_not_of_reads(void **state)
{
	struct harness h = load("{\"tools\": {\"allow\": [\"read_file\"]}}");
	struct policy_result r = harness_path(&h, OP_WRITE, "/home/u/x");

	(void)state;
	assert_answer(&r, VERDICT_DENY, "tools.allow",
		      "Tool 'file_write' denied because it is not in tools.allow");
	r = harness_path(&h, OP_READ, "/lib/libc.so.6");
	assert_int_equal(r.verdict, VERDICT_ALLOW);
	harness_fini(&h);
	h = load("{\"tools\": {\"allow\": [\"edit\"]}}");
	r = harness_path(&h, OP_WRITE, "/home/u/x");
	assert_int_equal(r.verdict, VERDICT_ALLOW);
	r = harness_path(&h, OP_READ, "/lib/libc.so.6");
	assert_int_equal(r.verdict, VERDICT_ALLOW);
	harness_fini(&h);
}

static void test_block_list_names_reads_and_deletes_apart(void **state)
{
	struct harness h = load("{\"tools\": {\"block\": [\"delete_file\", \"read\"]}}");
	struct policy_result r = harness_path(&h, OP_DELETE, "/home/u/x");

	(void)state;
	assert_answer(&r, VERDICT_DENY, "tools.block",
		      "Tool 'delete_file' denied by tools.block policy");
	r = harness_path(&h, OP_WRITE, "/home/u/x");
	assert_int_equal(r.verdict, VERDICT_ALLOW);
	r = harness_path(&h, OP_READ, "/home/u/x");
	assert_int_equal(r.verdict, VERDICT_DENY);
	harness_fini(&h);
}

static struct policy_result connect_to(struct harness *h, const char *domain, const char *ip,
				       uint16_t port)
{
	const struct policy_address a = harness_address(ip, port, POLICY_PROTO_TCP);
	const struct bytes name = bytes_of(domain);
	const struct policy_query q = {.kind = KIND_NETWORK,
				       .op = OP_CONNECT,
				       .address = &a,
				       .domains = &name,
				       .n_domains = domain ? 1 : 0};
	struct policy_result r;

	policy_stack_eval(h->stack, h->scratch, &q, &r);
	return r;
}

static void test_connect_is_listed_by_domain_or_address(void **state)
{
	static const struct {
		const char *entry, *domain, *ip;
		bool is_listed;
	} cases[] = {
		{"x.org", "X.org", "192.0.2.1", true},
		{"x.org:443", "x.org", "192.0.2.1", true},
		{"x.org:80", "x.org", "192.0.2.1", false},
		{"X.org", "X.org", "192.0.2.1", false},
		{"192.0.2.1", NULL, "192.0.2.1", true},
		{"192.0.2.1:443", "x.org", "192.0.2.1", true},
		{"[2001:db8::1]", NULL, "2001:db8::1", true},
		{"[2001:db8::1]:443", NULL, "2001:db8::1", true},
		{"2001:db8::1", NULL, "2001:db8::1", true},
		{"2001:db8::", NULL, "2001:db8::1", false},
	};
	char text[200];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct harness h;
		struct policy_result r;

		(void)snprintf(text, sizeof(text), "{\"network\": {\"block\": [\"%s\"]}}",
			       cases[i].entry);
		h = load(text);
		r = connect_to(&h, cases[i].domain, cases[i].ip, 443);
		assert_int_equal(r.verdict, cases[i].is_listed ? VERDICT_DENY : VERDICT_ALLOW);
		harness_fini(&h);
		(void)snprintf(text, sizeof(text), "{\"network\": {\"allow\": [\"%s\"]}}",
			       cases[i].entry);
		h = load(text);
		r = connect_to(&h, cases[i].domain, cases[i].ip, 443);
		assert_int_equal(r.verdict, cases[i].is_listed ? VERDICT_ALLOW : VERDICT_DENY);
		harness_fini(&h);
	}
}

static void test_reason_names_the_domain_that_is_not_listed(void **state)
{
	struct harness h = load("{\"network\": {\"allow\": []}}");
	struct policy_result r = connect_to(&h, "x.org", "192.0.2.1", 443);

	(void)state;
	assert_answer(&r, VERDICT_DENY, "network.allow",
		      "Domain 'x.org' denied because it is not in network.allow");
	r = connect_to(&h, NULL, "192.0.2.1", 443);
	assert_answer(&r, VERDICT_DENY, "network.allow",
		      "Domain '192.0.2.1' denied because it is not in network.allow");
	harness_fini(&h);
}

static void test_unix_bind_and_listen_are_no_http_actions(void **state)
{
	struct harness h = load("{\"network\": {\"allow\": []}}");
	struct policy_result r = harness_unix(&h, OP_CONNECT, "/run/x");

	(void)state;
	assert_int_equal(r.verdict, VERDICT_ALLOW);
	r = harness_ip(&h, OP_BIND, "0.0.0.0", 80, POLICY_PROTO_TCP);
	assert_int_equal(r.verdict, VERDICT_ALLOW);
	r = harness_ip(&h, OP_SEND, "192.0.2.1", 53, POLICY_PROTO_UDP);
	assert_int_equal(r.verdict, VERDICT_DENY);
	assert_int_equal(policy_stack_decided_ops(h.stack) & (OPS_NETWORK | OPS_PATH),
			 OP_BIT(OP_CONNECT) | OP_BIT(OP_SEND) | OP_BIT(OP_RESOLVE));
	harness_fini(&h);
}

static void test_approval_asks_of_processes_too(void **state)
{
	struct harness h = load("{\"approval\": {\"require_for\": [{\"tool\": \"git\"}, "
				"{\"domain\": \"x.org\"}, {\"tool\": \"edit\"}]}}");
	struct policy_result r = harness_tool(&h, "git push", NULL);

	(void)state;
	assert_answer(&r, VERDICT_ASK, "approval.require_for #1",
		      "Action requires approval by rule #1: tool=git");
	assert_string_equal(r.source.word, "require_approval");
	r = connect_to(&h, "x.org", "192.0.2.1", 443);
	assert_answer(&r, VERDICT_ASK, "approval.require_for #2",
		      "Action requires approval by rule #2: domain=x.org");
	r = harness_path(&h, OP_WRITE, "/x");
	assert_answer(&r, VERDICT_ASK, "approval.require_for #3",
		      "Action requires approval by rule #3: tool=edit");
	r = harness_path(&h, OP_READ, "/x");
	assert_int_equal(r.verdict, VERDICT_ALLOW);
	assert_true(policy_stack_can_ask(h.stack));
	assert_false(policy_stack_decided_ops(h.stack) & OP_BIT(OP_READ));
	harness_fini(&h);
}

static void test_approval_rule_without_a_tool_leaves_files_alone(void **state)
{
	struct harness h = load("{\"approval\": {\"require_for\": [{\"action_type\": \"tool\"}]}}");
	struct policy_result r = harness_path(&h, OP_READ, "/lib/libc.so.6");

	(void)state;
	assert_int_equal(r.verdict, VERDICT_ALLOW);
	r = harness_tool(&h, "ls", NULL);
	assert_int_equal(r.verdict, VERDICT_ASK);
	r = connect_to(&h, "x.org", "192.0.2.1", 443);
	assert_int_equal(r.verdict, VERDICT_ALLOW);
	harness_fini(&h);
}

static void test_overspent_session_runs_nothing_more(void **state)
{
	struct harness h = load("{\"budget\": {\"max_spend\": 1}}");
	const struct policy_name name = {.name = BYTES_LIT("ls")};
	struct policy_query q = {
		.kind = KIND_TOOL, .op = OP_EXEC, .names = &name, .n_names = 1, .spent = 1.0};
	struct policy_result r;

	(void)state;
	policy_stack_eval(h.stack, h.scratch, &q, &r);
	assert_int_equal(r.verdict, VERDICT_ALLOW);
	q.spent = 1.5;
	policy_stack_eval(h.stack, h.scratch, &q, &r);
	assert_answer(&r, VERDICT_DENY, "budget.max_spend",
		      "Budget exceeded: $1.5000 would exceed $1.00");
	q = (struct policy_query){.kind = KIND_PATH, .op = OP_WRITE, .spent = 1.5};
	policy_stack_eval(h.stack, h.scratch, &q, &r);
	assert_int_equal(r.verdict, VERDICT_ALLOW);
	harness_fini(&h);
}

struct told {
	size_t n;
	const char *rules[8];
	bool is_deciding[8];
};

static void tell(void *ctx, const struct policy_match *match)
{
	struct told *t = ctx;

	assert_in_range(t->n, 0, ARRAY_SIZE(t->rules) - 1);
	t->is_deciding[t->n] = match->is_deciding;
	t->rules[t->n++] = match->source.rule;
}

static void test_each_tells_of_every_rule_that_matches(void **state)
{
	struct harness h = load("{\"tools\": {\"block\": [\"git\"], \"allow\": []}, "
				"\"approval\": {\"require_for\": [{\"tool\": \"x\"}, {}]}}");
	const struct policy_name name = {.name = BYTES_LIT("git")};
	const struct policy_query q = {
		.kind = KIND_TOOL, .op = OP_EXEC, .names = &name, .n_names = 1};
	struct told t = {};

	(void)state;
	policy_stack_each(h.stack, h.scratch, &q, tell, &t);
	assert_int_equal(t.n, 4);
	assert_string_equal(t.rules[0], "tools.block");
	assert_true(t.is_deciding[0]);
	assert_string_equal(t.rules[1], "tools.allow");
	assert_string_equal(t.rules[2], "approval.require_for #2");
	assert_null(t.rules[3]);
	assert_false(t.is_deciding[3]);
	harness_fini(&h);
}

/* ---- accounting */

static struct account *open_account(const struct account_config *config)
{
	struct account *a;

	assert_int_equal(account_new(config, &a), 0);
	return a;
}

static void test_guard_trips_at_the_tenth_call_and_forgets_after_a_minute(void **state)
{
	const struct account_config config = {.budget = 100,
					      .loop_repeats = ACCOUNT_LOOP_REPEATS,
					      .loop_window = ACCOUNT_LOOP_WINDOW};
	struct account *a = open_account(&config);

	(void)state;
	for (int i = 0; i < 9; i++)
		assert_int_equal(account_charge(a, "k", 1, 1000 + i), ACCOUNT_OK);
	assert_int_equal(account_charge(a, "other", 1, 1009), ACCOUNT_OK);
	assert_int_equal(account_charge(a, "k", 1, 1009), ACCOUNT_LOOP);
	assert_int_equal(account_charge(a, "k", 1, 1010), ACCOUNT_LOOP);
	assert_true(account_spent(a) == 12);
	/* Exactly a minute ago is no longer in the window. */
	assert_int_equal(account_charge(a, "k", 1, 1062), ACCOUNT_OK);
	account_free(a);
}

static void test_guard_watches_the_keys_that_are_in_use(void **state)
{
	const struct account_config config = {.budget = 1e9, .loop_repeats = 3, .loop_window = 60};
	struct account *a = open_account(&config);
	char key[200];

	(void)state;
	for (int i = 0; i < 200; i++) {
		(void)snprintf(key, sizeof(key), "source %d", i);
		assert_int_equal(account_charge(a, key, 1, 1000 + i), ACCOUNT_OK);
	}
	(void)memset(key, 'x', sizeof(key));
	key[sizeof(key) - 1] = '\0';
	assert_int_equal(account_charge(a, key, 1, 2000), ACCOUNT_OK);
	assert_int_equal(account_charge(a, key, 1, 2001), ACCOUNT_OK);
	assert_int_equal(account_charge(a, key, 1, 2002), ACCOUNT_LOOP);
	account_free(a);
}

static void test_soft_limit_is_told_once(void **state)
{
	const struct account_config config = {.budget = 10, .soft_limit = 0.9};
	struct account *a = open_account(&config);

	(void)state;
	assert_int_equal(account_charge(a, NULL, 8.9, 1), ACCOUNT_OK);
	assert_int_equal(account_charge(a, NULL, 0.1, 2), ACCOUNT_SOFT_LIMIT);
	assert_int_equal(account_charge(a, NULL, 0.5, 3), ACCOUNT_OK);
	assert_true(account_remaining(a) == 10 - (8.9 + 0.1 + 0.5));
	account_free(a);
}

static void test_remaining_is_pythons_max(void **state)
{
	static const double budgets[] = {0.0, -0.0, (double)NAN, (double)INFINITY};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(budgets); i++) {
		const struct account_config config = {.budget = budgets[i]};
		struct account *a = open_account(&config);

		assert_true(signbit(account_remaining(a)) == (i == 1));
		(void)account_charge(a, "k", 2, 1);
		if (isnan(budgets[i]))
			assert_true(isnan(account_remaining(a)));
		else
			assert_true(account_remaining(a) == (isinf(budgets[i]) ? budgets[i] : 0));
		account_free(a);
	}
}

static void test_kernel_actions_are_reported_as_what_they_are_to_agentpolicy(void **state)
{
	const struct account_config config = {.keeps_decisions = true};
	struct account *a = open_account(&config);
	const struct policy_name names[] = {{.name = BYTES_LIT("bash")},
					    {.name = BYTES_LIT("g\xffit\"")}};
	const struct policy_address address = harness_address("2001:db8::1", 443, POLICY_PROTO_TCP);
	const struct policy_query exec = {
		.kind = KIND_TOOL, .op = OP_EXEC, .names = names, .n_names = 2};
	const struct policy_query connect = {
		.kind = KIND_NETWORK, .op = OP_CONNECT, .address = &address};
	const struct policy_result r = {.verdict = VERDICT_DENY, .source = {.reason = "no"}};
	struct strbuf out = STRBUF_INIT(10000);

	(void)state;
	(void)account_record_query(a, &exec, &r, 5.5, NULL);
	(void)account_record_query(a, &connect, &r, 6, NULL);
	account_add_report(a, 5, 7, &out);
	assert_non_null(strstr(strbuf_str(&out), "\"denied_tools\": [\"g\\udcffit\\\"\"], "
						 "\"denied_domains\": [\"[2001:db8::1]:443\"]"));
	assert_non_null(strstr(strbuf_str(&out), "\"duration_seconds\": 2.0, "));
	assert_non_null(strstr(strbuf_str(&out), "\"session_id\": null, "));
	strbuf_fini(&out);
	account_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exec_is_blocked_under_any_name),
		cmocka_unit_test(test_exec_needs_a_trusted_name_in_the_allow_list),
		cmocka_unit_test(test_untrusted_name_is_blocked),
		cmocka_unit_test(test_files_are_not_asked_of_an_allow_list_without_file_tools),
		cmocka_unit_test(test_allow_list_with_a_file_tool_speaks_of_changes_not_of_reads),
		cmocka_unit_test(test_block_list_names_reads_and_deletes_apart),
		cmocka_unit_test(test_connect_is_listed_by_domain_or_address),
		cmocka_unit_test(test_reason_names_the_domain_that_is_not_listed),
		cmocka_unit_test(test_unix_bind_and_listen_are_no_http_actions),
		cmocka_unit_test(test_approval_asks_of_processes_too),
		cmocka_unit_test(test_approval_rule_without_a_tool_leaves_files_alone),
		cmocka_unit_test(test_overspent_session_runs_nothing_more),
		cmocka_unit_test(test_each_tells_of_every_rule_that_matches),
		cmocka_unit_test(test_guard_trips_at_the_tenth_call_and_forgets_after_a_minute),
		cmocka_unit_test(test_guard_watches_the_keys_that_are_in_use),
		cmocka_unit_test(test_soft_limit_is_told_once),
		cmocka_unit_test(test_remaining_is_pythons_max),
		cmocka_unit_test(test_kernel_actions_are_reported_as_what_they_are_to_agentpolicy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
