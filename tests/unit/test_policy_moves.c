/* SPDX-License-Identifier: Apache-2.0 */
/* What a rename does to the names of everything below: policy_stack_eval_move(). */
#include "tests/unit/policy_harness.h"

#define HEAD "version: 1\nname: p\ndefault: allow\nrules:\n"

struct move_case {
	const char *rules;
	const char *from, *to;
	enum verdict directory, file; /* what is moved was a directory, or none */
};

static void test_a_move_leads_round_no_rule(void **state)
{
	static const char ssh[] = "  - {name: ssh, match: {path: [\"~/.ssh/**\"]}, action: deny}\n";
	static const char env[] = "  - {name: env, match: {path: [\"**/.env\"]}, action: deny}\n";
	static const char aws[] =
		"  - {name: aws, match: {path: [\"**/.aws/key\"]}, action: ask}\n";
	static const char one[] =
		"  - {name: f, match: {path: [/home/u/proj/d/secret]}, action: deny}\n";
	static const char users[] =
		"  - {name: u, match: {path: [\"/srv/*/keys/**\"]}, action: deny}\n";
	static const char inner[] =
		"  - {name: mine, match: {path: [\"/home/u/proj/**\"]}, action: allow}\n"
		"  - {name: rest, match: {path: [\"/home/**\"]}, action: deny}\n";
	static const char reads[] =
		"  - {name: mine, match: {path: [\"/home/u/proj/**\"], op: [read]}, action: allow}\n"
		"  - {name: rest, match: {path: [\"/home/**\"]}, action: deny}\n";
	static const char sockets[] =
		"  - {name: s, match: {path: [\"/srv/x/**\"], op: [connect]}, action: deny}\n";
	static const struct move_case cases[] = {
		/* An ancestor takes it along, and what takes its place plants it. */
		{ssh, "/home/u", "/tmp/h", VERDICT_DENY, VERDICT_DENY},
		{ssh, "/home", "/tmp/h", VERDICT_DENY, VERDICT_DENY},
		{ssh, "/tmp/h", "/home/u", VERDICT_DENY, VERDICT_DENY},
		{ssh, "/home/u/.ssh", "/home/u/x", VERDICT_DENY, VERDICT_ALLOW},
		{ssh, "/home/u/proj", "/home/u/proj2", VERDICT_ALLOW, VERDICT_ALLOW},
		{ssh, "/home/u/.sshx", "/home/u/y", VERDICT_ALLOW, VERDICT_ALLOW},
		{one, "/home/u/proj/d", "/home/u/proj/e", VERDICT_DENY, VERDICT_DENY},
		{one, "/home/u/proj/d2", "/home/u/proj/e", VERDICT_ALLOW, VERDICT_ALLOW},
		/* Wherever it is, it stays what it is. */
		{env, "/home/u/proj/a", "/home/u/proj/b", VERDICT_ALLOW, VERDICT_ALLOW},
		{env, "/home/u", "/tmp/h", VERDICT_ALLOW, VERDICT_ALLOW},
		/* A part of the pattern is in the name that moves. */
		{aws, "/home/u/.aws", "/home/u/x", VERDICT_ASK, VERDICT_ALLOW},
		{aws, "/home/u", "/tmp/h", VERDICT_ALLOW, VERDICT_ALLOW},
		{aws, "/tmp/x", "/tmp/.aws", VERDICT_ASK, VERDICT_ALLOW},
		{users, "/srv/a", "/srv/b", VERDICT_ALLOW, VERDICT_ALLOW},
		{users, "/srv/a", "/tmp/b", VERDICT_DENY, VERDICT_ALLOW},
		{users, "/srv", "/tmp/b", VERDICT_DENY, VERDICT_DENY},
		/* What was allowed before the rule is asked about no more. */
		{inner, "/home/u/proj/a", "/tmp/a", VERDICT_ALLOW, VERDICT_ALLOW},
		{inner, "/tmp/a", "/home/u/proj/a", VERDICT_ALLOW, VERDICT_ALLOW},
		{inner, "/home/u/x", "/tmp/a", VERDICT_DENY, VERDICT_ALLOW},
		{inner, "/home/u", "/tmp/a", VERDICT_DENY, VERDICT_ALLOW},
		{reads, "/home/u/proj/a", "/tmp/a", VERDICT_DENY, VERDICT_ALLOW},
		/* Sockets are not reached by the names of files alone. */
		{sockets, "/srv", "/tmp/a", VERDICT_ALLOW, VERDICT_ALLOW},
	};
	char text[1024];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct move_case *c = &cases[i];
		struct policy_result d, f;
		struct harness h;

		(void)snprintf(text, sizeof(text), "%s%s", HEAD, c->rules);
		h = harness_one(text);
		(void)policy_stack_eval_move(h.stack, bytes_of(c->from), bytes_of(c->to), true, &d);
		(void)policy_stack_eval_move(h.stack, bytes_of(c->from), bytes_of(c->to), false,
					     &f);
		if (d.verdict != c->directory || f.verdict != c->file)
			fail_msg("%s -> %s: directory %s, file %s; %s", c->from, c->to,
				 verdict_name(d.verdict), verdict_name(f.verdict), c->rules);
		harness_fini(&h);
	}
}

static void test_the_rule_is_named_and_the_strictest_counts(void **state)
{
	struct policy_result r;
	struct harness h = harness_one(
		HEAD "  - {name: asks, match: {path: [/a/b/c]}, action: ask}\n"
		     "  - {name: denies, match: {path: [/a/b/d]}, action: deny, reason: why}\n");

	(void)state;
	assert_true(policy_stack_eval_move(h.stack, BYTES_LIT("/a"), BYTES_LIT("/x"), true, &r));
	assert_int_equal(r.verdict, VERDICT_DENY);
	assert_string_equal(r.source.rule, "denies");
	assert_string_equal(r.source.reason, "why");
	assert_false(policy_stack_eval_move(h.stack, BYTES_LIT("/q"), BYTES_LIT("/x"), true, &r));
	harness_fini(&h);
}

static void test_advice_is_kept_apart(void **state)
{
	struct policy_result r;
	struct harness h =
		harness_one("version: 1\nname: p\nmode: audit\ndefault: allow\nrules:\n"
			    "  - {name: denies, match: {path: [/a/b/d]}, action: deny}\n");

	(void)state;
	assert_true(policy_stack_eval_move(h.stack, BYTES_LIT("/a"), BYTES_LIT("/x"), true, &r));
	assert_int_equal(r.verdict, VERDICT_ALLOW);
	assert_int_equal(r.advised, VERDICT_DENY);
	harness_fini(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_move_leads_round_no_rule),
		cmocka_unit_test(test_the_rule_is_named_and_the_strictest_counts),
		cmocka_unit_test(test_advice_is_kept_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
