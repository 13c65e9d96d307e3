/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/policy_harness.h"

#define HEAD "version: 1\nname: t\n"

static void test_defaults_by_class(void **state)
{
	struct harness h = harness_one(HEAD "default: {tool: flag, path: allow, write: ask, "
					    "network: flag, listen: deny, unix: ask}\n");

	(void)state;
	assert_int_equal(harness_tool(&h, "ls", NULL).verdict, VERDICT_FLAG);
	assert_int_equal(harness_path(&h, OP_READ, "/a").verdict, VERDICT_ALLOW);
	assert_int_equal(harness_path(&h, OP_WRITE, "/a").verdict, VERDICT_ASK);
	assert_int_equal(harness_path(&h, OP_TIMES, "/a").verdict, VERDICT_ASK);
	assert_int_equal(harness_ip(&h, OP_CONNECT, "1.2.3.4", 1, POLICY_PROTO_TCP).verdict,
			 VERDICT_FLAG);
	assert_int_equal(harness_ip(&h, OP_BIND, "1.2.3.4", 1, POLICY_PROTO_TCP).verdict,
			 VERDICT_FLAG);
	assert_int_equal(harness_ip(&h, OP_LISTEN, "1.2.3.4", 1, POLICY_PROTO_TCP).verdict,
			 VERDICT_DENY);
	assert_int_equal(harness_unix(&h, OP_LISTEN, "/a").verdict, VERDICT_ASK);
	harness_fini(&h);
}

static void test_what_is_not_given_is_denied(void **state)
{
	struct harness h = harness_one(HEAD "default: {read: allow, connect: allow}\n");

	(void)state;
	assert_int_equal(harness_tool(&h, "ls", NULL).verdict, VERDICT_DENY);
	assert_int_equal(harness_path(&h, OP_READ, "/a").verdict, VERDICT_ALLOW);
	assert_int_equal(harness_path(&h, OP_MKDIR, "/a").verdict, VERDICT_DENY);
	assert_int_equal(harness_ip(&h, OP_CONNECT, "1.2.3.4", 1, POLICY_PROTO_TCP).verdict,
			 VERDICT_ALLOW);
	assert_int_equal(harness_ip(&h, OP_SEND, "1.2.3.4", 1, POLICY_PROTO_UDP).verdict,
			 VERDICT_DENY);
	assert_int_equal(harness_unix(&h, OP_CONNECT, "/a").verdict, VERDICT_DENY);
	harness_fini(&h);
	h = harness_one(HEAD "rules: [{name: r, match: {path: /a}, action: allow}]\n");
	assert_int_equal(harness_path(&h, OP_READ, "/a").verdict, VERDICT_ALLOW);
	assert_int_equal(harness_path(&h, OP_READ, "/b").verdict, VERDICT_DENY);
	assert_null(harness_path(&h, OP_READ, "/b").source.rule);
	harness_fini(&h);
}

static void test_lower_priority_first_then_file_order(void **state)
{
	struct harness h =
		harness_one(HEAD "default: deny\nrules:\n"
				 "- {name: a, match: {path: '/x/**'}, action: flag}\n"
				 "- {name: b, match: {path: '/x/y'}, action: allow}\n"
				 "- {name: c, match: {path: '**/z'}, action: ask, priority: 50}\n"
				 "- {name: d, match: {op: read}, action: deny, priority: 101}\n");
	struct policy_result r;

	(void)state;
	r = harness_path(&h, OP_READ, "/x/y");
	assert_string_equal(r.source.rule, "a");
	assert_int_equal(r.source.line, 5);
	assert_string_equal(r.source.policy, "t");
	assert_string_equal(r.source.file, "test.yaml");
	assert_int_equal(r.verdict, VERDICT_FLAG);
	assert_string_equal(harness_path(&h, OP_READ, "/x/z").source.rule, "c");
	assert_string_equal(harness_path(&h, OP_READ, "/q").source.rule, "d");
	assert_null(harness_path(&h, OP_WRITE, "/q").source.rule);
	harness_fini(&h);
}

static void test_all_keys_must_match_and_any_value_does(void **state)
{
	struct harness h = harness_one(
		HEAD
		"default: allow\nrules:\n"
		"- {name: n, match: {address: [10.0.0.0/8, 'fd00::/8'], port: [22, 8000-8999],\n"
		"   protocol: tcp, op: connect}, action: deny}\n"
		"- {name: p, match: {path: ['/a', '/b/*'], op: [write, delete]}, action: deny}\n"
		"- {name: g, match: {tool: [git, hub], args_pattern: ['push', 'pull']}, "
		"action: deny}\n");

	(void)state;
	assert_int_equal(harness_ip(&h, OP_CONNECT, "10.1.2.3", 22, POLICY_PROTO_TCP).verdict,
			 VERDICT_DENY);
	assert_int_equal(harness_ip(&h, OP_CONNECT, "fd12::1", 8500, POLICY_PROTO_TCP).verdict,
			 VERDICT_DENY);
	assert_int_equal(harness_ip(&h, OP_CONNECT, "10.1.2.3", 9000, POLICY_PROTO_TCP).verdict,
			 VERDICT_ALLOW);
	assert_int_equal(harness_ip(&h, OP_CONNECT, "11.1.2.3", 22, POLICY_PROTO_TCP).verdict,
			 VERDICT_ALLOW);
	assert_int_equal(harness_ip(&h, OP_CONNECT, "10.1.2.3", 22, POLICY_PROTO_UDP).verdict,
			 VERDICT_ALLOW);
	assert_int_equal(harness_ip(&h, OP_BIND, "10.1.2.3", 22, POLICY_PROTO_TCP).verdict,
			 VERDICT_ALLOW);
	assert_int_equal(harness_path(&h, OP_WRITE, "/a").verdict, VERDICT_DENY);
	assert_int_equal(harness_path(&h, OP_DELETE, "/b/c").verdict, VERDICT_DENY);
	assert_int_equal(harness_path(&h, OP_CREATE, "/b/c").verdict, VERDICT_ALLOW);
	assert_int_equal(harness_path(&h, OP_WRITE, "/b/c/d").verdict, VERDICT_ALLOW);
	assert_int_equal(harness_tool(&h, "git pull", NULL).verdict, VERDICT_DENY);
	assert_int_equal(harness_tool(&h, "git fetch", NULL).verdict, VERDICT_ALLOW);
	assert_int_equal(harness_tool(&h, "svn pull", NULL).verdict, VERDICT_ALLOW);
	harness_fini(&h);
}

static void test_addresses_with_tools_check_both(void **state)
{
	struct harness h = harness_one(HEAD "default: allow\nrules:\n"
					    "- {name: n, match: {tool: http_request, address: "
					    "10.0.0.0/8}, action: deny}\n");

	(void)state;
	assert_int_equal(harness_ip(&h, OP_CONNECT, "10.1.2.3", 22, POLICY_PROTO_TCP).verdict,
			 VERDICT_DENY);
	assert_int_equal(harness_ip(&h, OP_CONNECT, "9.1.2.3", 22, POLICY_PROTO_TCP).verdict,
			 VERDICT_ALLOW);
	harness_fini(&h);
}

static void test_mapped_ipv6_in_a_rule_is_ipv4(void **state)
{
	struct harness h = harness_one(
		HEAD "default: allow\nrules:\n"
		     "- {name: m, match: {address: '::ffff:1.2.3.4'}, action: deny}\n"
		     "- {name: z, match: {address: '::/0'}, action: ask}\n"
		     "- {name: y, match: {address: 0.0.0.0/0, port: 7}, action: flag}\n");

	(void)state;
	assert_int_equal(harness_ip(&h, OP_CONNECT, "1.2.3.4", 1, POLICY_PROTO_TCP).verdict,
			 VERDICT_DENY);
	assert_int_equal(harness_ip(&h, OP_CONNECT, "::1", 1, POLICY_PROTO_TCP).verdict,
			 VERDICT_ASK);
	assert_int_equal(harness_ip(&h, OP_CONNECT, "9.9.9.9", 7, POLICY_PROTO_TCP).verdict,
			 VERDICT_FLAG);
	harness_fini(&h);
}

static struct policy_result eval_names(struct harness *h, const char *trusted,
				       const char *untrusted)
{
	const struct policy_name names[] = {
		{.name = bytes_of(trusted)},
		{.name = bytes_of(untrusted), .is_untrusted = true},
	};
	const struct policy_query q = {.kind = KIND_TOOL,
				       .op = OP_EXEC,
				       .names = names,
				       .n_names = 2,
				       .args = BYTES_LIT("x"),
				       .path = BYTES_LIT("/usr/bin/x")};
	struct policy_result r;

	policy_stack_eval(h->stack, h->scratch, &q, &r);
	return r;
}

static void test_an_untrusted_name_closes_but_never_opens(void **state)
{
	struct harness h = harness_one(HEAD "default: deny\nrules:\n"
					    "- {name: a, match: {tool: good}, action: allow}\n"
					    "- {name: f, match: {tool: 'fla*'}, action: flag}\n"
					    "- {name: q, match: {tool: '~^quest'}, action: ask}\n"
					    "- {name: d, match: {tool: bad}, action: deny}\n");

	(void)state;
	assert_int_equal(eval_names(&h, "good", "x").verdict, VERDICT_ALLOW);
	assert_null(eval_names(&h, "x", "good").source.rule);
	assert_null(eval_names(&h, "x", "flag").source.rule);
	assert_string_equal(eval_names(&h, "x", "question").source.rule, "q");
	assert_string_equal(eval_names(&h, "x", "bad").source.rule, "d");
	harness_fini(&h);
}

static void test_framework_names_reach_files(void **state)
{
	struct harness h = harness_one(HEAD "default: allow\nrules:\n"
					    "- {name: r, match: {tool: file_read, args_pattern: "
					    "'secret'}, action: deny}\n");

	(void)state;
	assert_int_equal(harness_path(&h, OP_READ, "/a/secret").verdict, VERDICT_DENY);
	assert_int_equal(harness_path(&h, OP_WRITE, "/a/secret").verdict, VERDICT_ALLOW);
	assert_int_equal(policy_stack_decided_ops(h.stack) & OPS_PATH, OP_BIT(OP_READ));
	harness_fini(&h);
}

static void test_scopes(void **state)
{
	struct harness h =
		harness_one(HEAD "default: allow\nrules:\n"
				 "- {name: image, match: {tool: '/opt/**'}, action: deny}\n"
				 "- {name: path, match: {path: '/run/**'}, action: deny}\n"
				 "- {name: args, match: {args_pattern: 'needle'}, action: deny}\n");

	(void)state;
	assert_int_equal(harness_tool(&h, "x", "/opt/bin/x").verdict, VERDICT_DENY);
	assert_int_equal(harness_path(&h, OP_READ, "/opt/bin/x").verdict, VERDICT_ALLOW);
	/* path rules: files and unix sockets, not commands */
	assert_int_equal(harness_tool(&h, "x", "/run/x").verdict, VERDICT_ALLOW);
	assert_int_equal(harness_unix(&h, OP_BIND, "/run/x").verdict, VERDICT_DENY);
	assert_int_equal(harness_path(&h, OP_CHMOD, "/run/x").verdict, VERDICT_DENY);
	/* args_pattern alone: commands only */
	assert_int_equal(harness_tool(&h, "x needle", NULL).verdict, VERDICT_DENY);
	assert_int_equal(harness_path(&h, OP_READ, "/needle").verdict, VERDICT_ALLOW);
	harness_fini(&h);
}

static void test_the_strictest_of_the_stack_counts(void **state)
{
	static const char *const texts[] = {
		"version: 1\nname: one\ndefault: allow\n",
		"version: 1\nname: two\ndefault: flag\n",
		"version: 1\nname: three\nmode: audit\ndefault: deny\n",
	};
	struct harness h = harness_stack(texts, 3, false);
	struct policy_result r = harness_path(&h, OP_READ, "/a");

	(void)state;
	assert_int_equal(r.verdict, VERDICT_FLAG);
	assert_string_equal(r.source.policy, "two");
	assert_int_equal(r.advised, VERDICT_DENY);
	assert_string_equal(r.advised_source.policy, "three");
	assert_false(policy_stack_is_audit(h.stack));
	harness_fini(&h);
}

static void test_audit_refuses_nothing_and_says_what_it_would(void **state)
{
	static const char *const texts[] = {
		"version: 1\nname: one\ndefault: ask\n",
		"version: 1\nname: two\ndefault: deny\n",
	};
	struct harness h = harness_stack(texts, 2, true);
	struct policy_result r = harness_path(&h, OP_READ, "/a");

	(void)state;
	assert_int_equal(r.verdict, VERDICT_ALLOW);
	assert_string_equal(r.source.policy, "one");
	assert_int_equal(r.advised, VERDICT_DENY);
	assert_string_equal(r.advised_source.policy, "two");
	assert_true(policy_stack_is_audit(h.stack));
	assert_false(policy_stack_can_ask(h.stack));
	harness_fini(&h);
}

static void test_a_regex_that_hits_its_limit_denies(void **state)
{
	struct harness h =
		harness_one(HEAD "default: allow\nrules:\n"
				 "- {name: slow, match: {tool: x, args_pattern: '^(a+)+$'}, "
				 "action: allow}\n");
	char command[4096] = "x ";
	struct policy_result r;

	(void)state;
	memset(command + 2, 'a', sizeof(command) - 4);
	command[sizeof(command) - 2] = '!';
	/* Anchored behind a name that is all 'a' too, so that the search cannot fail early. */
	memset(command, 'a', 2);
	{
		const struct policy_name name = {.name = BYTES_LIT("x")};
		const struct policy_query q = {.kind = KIND_TOOL,
					       .op = OP_EXEC,
					       .names = &name,
					       .n_names = 1,
					       .args = bytes_of(command)};

		policy_stack_eval(h.stack, h.scratch, &q, &r);
	}
	assert_int_equal(r.verdict, VERDICT_DENY);
	assert_string_equal(r.source.reason, "regex-limit");
	assert_string_equal(r.source.rule, "slow");
	harness_fini(&h);
}

static void test_a_subject_over_its_size_denies_and_one_at_it_does_not(void **state)
{
	struct harness h = harness_one(HEAD "default: allow\nrules:\n"
					    "- {name: r, match: {tool: x, args_pattern: 'zz'}, "
					    "action: flag}\n");
	const size_t limit = (size_t)256 * 1024;
	char *args = malloc(limit + 1);
	const struct policy_name name = {.name = BYTES_LIT("x")};
	struct policy_query q = {.kind = KIND_TOOL,
				 .op = OP_EXEC,
				 .names = &name,
				 .n_names = 1,
				 .args = {.p = args, .len = limit}};
	struct policy_result r;

	(void)state;
	assert_non_null(args);
	memset(args, 'a', limit + 1);
	policy_stack_eval(h.stack, h.scratch, &q, &r);
	assert_int_equal(r.verdict, VERDICT_ALLOW);
	q.args.len = limit + 1;
	policy_stack_eval(h.stack, h.scratch, &q, &r);
	assert_int_equal(r.verdict, VERDICT_DENY);
	free(args);
	harness_fini(&h);
}

static void test_invalid_utf8_is_searched_all_the_same(void **state)
{
	struct harness h =
		harness_one(HEAD "default: allow\nrules:\n"
				 "- {name: r, match: {tool: x, args_pattern: '\\bevil\\b'}, "
				 "action: deny}\n");

	(void)state;
	assert_int_equal(harness_tool(&h, "x \xff\xfe evil \xc0", NULL).verdict, VERDICT_DENY);
	assert_int_equal(harness_tool(&h, "x \xff\xfe good \xc0", NULL).verdict, VERDICT_ALLOW);
	harness_fini(&h);
}

static void test_a_query_that_makes_no_sense_denies(void **state)
{
	struct harness h = harness_one(HEAD "default: allow\n");
	const struct policy_query q = {.kind = KIND_TOOL, .op = OP_READ};
	struct policy_result r;

	(void)state;
	policy_stack_eval(h.stack, h.scratch, &q, &r);
	assert_int_equal(r.verdict, VERDICT_DENY);
	assert_string_equal(r.source.reason, "internal-error");
	harness_fini(&h);
}

static void test_decided_operations(void **state)
{
	static const struct {
		const char *text;
		uint32_t ops;
	} cases[] = {
		{HEAD "default: allow\n", 0},
		{HEAD "default: {tool: allow, read: allow, write: ask, network: allow}\n",
		 OPS_CHANGE},
		{HEAD "default: {tool: allow, path: allow, network: allow, unix: deny}\n",
		 OPS_NETWORK_CALLS},
		{HEAD "default: allow\nrules: [{name: r, match: {path: /x}, action: allow}]\n", 0},
		{HEAD "default: allow\nrules: [{name: r, match: {path: /x, op: [write]}, action: "
		      "flag}]\n",
		 OP_BIT(OP_WRITE)},
		{HEAD "default: allow\nrules: [{name: r, match: {path: /x}, action: deny}]\n",
		 OPS_PATH | OPS_NETWORK_CALLS},
		{HEAD "default: allow\nrules: [{name: r, match: {tool: sudo}, action: deny}]\n",
		 OP_BIT(OP_EXEC)},
		{HEAD "default: allow\nrules: [{name: r, match: {tool: '~^sudo'}, action: deny}]\n",
		 OP_BIT(OP_EXEC)},
		{HEAD "default: allow\nrules: [{name: r, match: {tool: 'read*'}, action: deny}]\n",
		 OP_BIT(OP_EXEC) | OP_BIT(OP_READ)},
		{HEAD
		 "default: allow\nrules: [{name: r, match: {tool: '~delete'}, action: deny}]\n",
		 OP_BIT(OP_EXEC) | OP_BIT(OP_DELETE)},
		{HEAD "default: allow\nrules: [{name: r, match: {port: 22}, action: deny}]\n",
		 OPS_NETWORK},
		{HEAD "default: allow\nrules: [{name: r, match: {args_pattern: x}, action: ask}]\n",
		 OP_BIT(OP_EXEC)},
		{HEAD "mode: audit\ndefault: allow\nrules: [{name: r, match: {op: read}, action: "
		      "deny}]\n",
		 OP_BIT(OP_READ)},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct harness h = harness_one(cases[i].text);

		if ((policy_stack_decided_ops(h.stack) & ~OP_BIT(OP_SYSCALL)) != cases[i].ops)
			fail_msg("%x instead of %x: %s", policy_stack_decided_ops(h.stack),
				 cases[i].ops, cases[i].text);
		harness_fini(&h);
	}
}

static void test_grants_need_every_enforcing_policy(void **state)
{
	static const char *const texts[] = {
		"version: 1\nname: one\ndefault: allow\ngrant: [ptrace, mount]\n",
		"version: 1\nname: two\ndefault: allow\ngrant: ptrace\n",
		"version: 1\nname: three\nmode: audit\ndefault: allow\n",
	};
	struct harness h = harness_stack(texts, 3, false);
	struct policy_source source;

	(void)state;
	assert_true(policy_stack_grants(h.stack, GRANT_PTRACE, &source));
	assert_false(policy_stack_grants(h.stack, GRANT_MOUNT, &source));
	assert_string_equal(source.policy, "two");
	assert_non_null(source.reason);
	assert_false(policy_stack_advises_grant(h.stack, GRANT_PTRACE, &source));
	assert_string_equal(source.policy, "three");
	harness_fini(&h);
}

static void test_the_plans_questions(void **state)
{
	struct harness h = harness_one(HEAD "default: allow\nrules: [{name: r, match: {tool: git, "
					    "args_pattern: x}, action: ask}]\n");

	(void)state;
	assert_true(policy_stack_needs_args(h.stack));
	assert_true(policy_stack_can_ask(h.stack));
	assert_false(policy_stack_logs_reads(h.stack));
	harness_fini(&h);
	h = harness_one(HEAD "default: {path: allow, network: ask}\nlog_reads: true\n");
	assert_false(policy_stack_needs_args(h.stack));
	assert_true(policy_stack_can_ask(h.stack));
	assert_true(policy_stack_logs_reads(h.stack));
	harness_fini(&h);
}

static void test_a_stack_has_a_limit(void **state)
{
	struct policy *policies[POLICY_MAX_STACK + 1];
	struct policy_stack *stack = NULL;
	struct diag d = {};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(policies); i++)
		policies[i] = harness_parse(HEAD "default: allow\n");
	assert_int_equal(policy_stack_new(policies, ARRAY_SIZE(policies), false, &stack, &d),
			 -EINVAL);
	assert_non_null(strstr(d.message, "from 1 to 16"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults_by_class),
		cmocka_unit_test(test_what_is_not_given_is_denied),
		cmocka_unit_test(test_lower_priority_first_then_file_order),
		cmocka_unit_test(test_all_keys_must_match_and_any_value_does),
		cmocka_unit_test(test_addresses_with_tools_check_both),
		cmocka_unit_test(test_mapped_ipv6_in_a_rule_is_ipv4),
		cmocka_unit_test(test_an_untrusted_name_closes_but_never_opens),
		cmocka_unit_test(test_framework_names_reach_files),
		cmocka_unit_test(test_scopes),
		cmocka_unit_test(test_the_strictest_of_the_stack_counts),
		cmocka_unit_test(test_audit_refuses_nothing_and_says_what_it_would),
		cmocka_unit_test(test_a_regex_that_hits_its_limit_denies),
		cmocka_unit_test(test_a_subject_over_its_size_denies_and_one_at_it_does_not),
		cmocka_unit_test(test_invalid_utf8_is_searched_all_the_same),
		cmocka_unit_test(test_a_query_that_makes_no_sense_denies),
		cmocka_unit_test(test_decided_operations),
		cmocka_unit_test(test_grants_need_every_enforcing_policy),
		cmocka_unit_test(test_the_plans_questions),
		cmocka_unit_test(test_a_stack_has_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
