/* SPDX-License-Identifier: Apache-2.0 */
/* What the engine tells the policies, and what it makes of budgets. */
#include <stdio.h>
#include <time.h>

#include "engine/engine.h"

#include "tests/unit/unit.h"

#define START (UINT64_C(1000) * NS_PER_SEC)
#define ALLOW "version: 1\nname: p\ndefault: allow\n"
/* 2026-11-21, a Saturday, 13:30 UTC */
#define SATURDAY (UINT64_C(1795267800) * NS_PER_SEC)

static const struct policy_vars vars = {.home = "/home/u", .project = "/home/u/p", .tmp = "/tmp"};

struct fixture {
	struct policy_stack *stack;
	struct budget *budget;
	struct engine *engine;
	struct engine_time now;
	struct decision d;
};

static struct fixture fixture_new(const char *text, enum ask_mode ask)
{
	struct fixture f = {.now = {.monotonic_ns = START, .realtime_ns = SATURDAY}};
	struct engine_config config = {
		.ask = ask,
		.supervisor = 4242,
		.launcher = 4241,
		.protected_paths = {"/run/holdfast"},
		.n_protected = 1,
		.spend_socket = "/run/holdfast/s.spend",
		.agent = "claude",
	};
	struct policy *p;
	struct diag d = {};

	if (policy_parse("test.yaml", bytes_of(text), &vars, &p, &d) != 0)
		fail_msg("line %u: %s", d.line, d.message);
	assert_int_equal(policy_stack_new(&p, 1, false, &f.stack, &d), 0);
	assert_int_equal(budget_new(f.stack, START, &f.budget), 0);
	config.stack = f.stack;
	config.budget = f.budget;
	assert_int_equal(engine_new(&config, &f.engine), 0);
	return f;
}

static void fixture_fini(struct fixture *f)
{
	engine_free(f->engine);
	budget_free(f->budget);
	policy_stack_free(f->stack);
}

static enum verdict decide(struct fixture *f, const struct action *a)
{
	engine_decide(f->engine, a, &f->now, &f->d);
	return f->d.verdict;
}

static enum verdict decide_once(const char *text, const struct action *a)
{
	struct fixture f = fixture_new(text, ASK_QUEUE);
	enum verdict v = decide(&f, a);

	fixture_fini(&f);
	return v;
}

static const struct bytes ls_argv[] = {{"ls", 2}, {"-l", 2}};

static struct action exec_action(void)
{
	struct action a = {.kind = KIND_TOOL,
			   .op = OP_EXEC,
			   .object = BYTES_LIT("/usr/bin/ls"),
			   .exe = BYTES_LIT("/usr/bin/bash"),
			   .cwd = BYTES_LIT("/home/u/p"),
			   .argv = ls_argv,
			   .argc = 2,
			   .argc_total = 2,
			   .n_steps = 1};

	a.steps[0] = (struct action_step){.kind = KIND_TOOL,
					  .op = OP_EXEC,
					  .object = a.object,
					  .args = BYTES_LIT("ls -l"),
					  .names = {{.name = BYTES_LIT("ls")}},
					  .n_names = 1};
	return a;
}

static struct action connect_action(const char *object, const struct policy_address *address)
{
	struct action a = {
		.kind = KIND_NETWORK, .op = OP_CONNECT, .object = bytes_of(object), .n_steps = 1};

	a.steps[0] = (struct action_step){
		.kind = KIND_NETWORK, .op = OP_CONNECT, .object = a.object, .address = address};
	return a;
}

static void test_the_policy_is_told_all_of_it(void **state)
{
	static const struct {
		const char *match;
		enum verdict want;
	} rows[] = {
		{"{tool: ls, argv: [ls, \"-l\"]}", VERDICT_DENY},
		{"{tool: ls, argv: [ls, \"-a\"]}", VERDICT_ALLOW},
		{"{tool: ls, cwd: \"/home/u/**\"}", VERDICT_DENY},
		{"{tool: ls, cwd: \"/srv/**\"}", VERDICT_ALLOW},
		{"{tool: ls, parent: bash}", VERDICT_DENY},
		{"{tool: ls, parent: zsh}", VERDICT_ALLOW},
		{"{tool: ls, agent: claude}", VERDICT_DENY},
		{"{tool: ls, agent: codex}", VERDICT_ALLOW},
		{"{tool: ls, time: \"sat 13:00-14:00\"}", VERDICT_DENY},
		{"{tool: ls, time: \"sat 14:00-15:00\"}", VERDICT_ALLOW},
		{"{tool: ls, time: \"sun 13:00-14:00\"}", VERDICT_ALLOW},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct action a = exec_action();
		char text[256];

		(void)snprintf(text, sizeof(text),
			       ALLOW "rules: [{name: r, action: deny, match: %s}]\n",
			       rows[i].match);
		if (decide_once(text, &a) != rows[i].want)
			fail_msg("%s", rows[i].match);
	}
}

static void test_the_time_goes_on(void **state)
{
	struct fixture f = fixture_new(
		ALLOW
		"rules: [{name: r, action: deny, match: {tool: ls, time: \"13:31-14:00\"}}]\n",
		ASK_QUEUE);
	struct action a = exec_action();

	(void)state;
	assert_int_equal(decide(&f, &a), VERDICT_ALLOW);
	f.now.realtime_ns += 59 * NS_PER_SEC;
	assert_int_equal(decide(&f, &a), VERDICT_ALLOW);
	f.now.realtime_ns += NS_PER_SEC;
	assert_int_equal(decide(&f, &a), VERDICT_DENY);
	fixture_fini(&f);
}

static void test_the_spend_socket_is_the_one_that_can_be_reached(void **state)
{
	static const char shut[] = "version: 1\nname: p\ndefault: deny\nbudget: {max_seconds: 1}\n";
	struct policy_address address = {.protocol = POLICY_PROTO_UNIX};
	struct action a = connect_action("unix:/run/holdfast/s.spend", &address);
	struct fixture f = fixture_new(shut, ASK_QUEUE);

	(void)state;
	f.now.monotonic_ns += 5 * NS_PER_SEC;
	assert_int_equal(decide(&f, &a), VERDICT_ALLOW);
	assert_string_equal(f.d.source.policy, "builtin");
	assert_string_equal(f.d.source.rule, "spend");
	a.op = a.steps[0].op = OP_BIND;
	assert_int_equal(decide(&f, &a), VERDICT_DENY);
	a = connect_action("unix:/run/holdfast/s.spend2", &address);
	assert_int_equal(decide(&f, &a), VERDICT_DENY);
	a = connect_action("unix:/run/holdfast/s.sock", &address);
	assert_int_equal(decide(&f, &a), VERDICT_DENY);
	assert_string_equal(f.d.source.rule, "own-files");
	a = connect_action("/run/holdfast/s.spend", &address);
	assert_int_equal(decide(&f, &a), VERDICT_DENY);
	fixture_fini(&f);
}

static void test_a_dialects_reason_is_the_records(void **state)
{
	struct fixture f = fixture_new("tools: {block: [ls]}\n", ASK_QUEUE);
	struct action a = exec_action();

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(decide(&f, &a), VERDICT_DENY);
		assert_string_equal(f.d.source.reason, "Tool 'ls' denied by tools.block policy");
	}
	fixture_fini(&f);
}

/* Texts made for a decision are forgotten by the next, or a long session would run out of room. */
static void test_reasons_do_not_pile_up(void **state)
{
	static char name[4001];
	struct fixture f;
	struct action a = exec_action();
	char text[4100];

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	(void)snprintf(text, sizeof(text), "tools: {block: [%s]}\n", name);
	f = fixture_new(text, ASK_QUEUE);
	a.steps[0].names[0].name = bytes_of(name);
	for (int i = 0; i < 20000; i++) /* more than the scratch may hold */
		assert_int_equal(decide(&f, &a), VERDICT_DENY);
	assert_non_null(strstr(f.d.source.reason, "denied by tools.block policy"));
	fixture_fini(&f);
}

static void test_a_rules_cost_is_charged_when_it_goes_ahead(void **state)
{
	struct fixture f = fixture_new(
		ALLOW "budget: {max_spend: 0.5}\n"
		      "rules:\n"
		      "  - {name: dear, action: allow, cost: 0.25, match: {tool: ls}}\n",
		ASK_QUEUE);
	struct action a = exec_action();

	(void)state;
	assert_int_equal(decide(&f, &a), VERDICT_ALLOW);
	assert_true(f.d.cost == 0.25);
	assert_int_equal(decide(&f, &a), VERDICT_ALLOW);
	assert_true(budget_spent(f.budget) == 0.5);
	assert_int_equal(decide(&f, &a), VERDICT_DENY);
	assert_string_equal(f.d.source.rule, "budget");
	assert_string_equal(f.d.source.policy, "p");
	assert_true(f.d.cost == 0);
	assert_int_equal(f.d.deny_errno, EACCES);
	fixture_fini(&f);
}

static void test_what_is_held_is_charged_by_whoever_approves(void **state)
{
	static const char text[] =
		ALLOW "budget: {max_execs: 1}\n"
		      "rules:\n"
		      "  - {name: ask, action: ask, cost: 0.25, match: {tool: ls}}\n";
	struct fixture f = fixture_new(text, ASK_QUEUE);
	struct action a = exec_action();
	struct budget_answer answer;

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(decide(&f, &a), VERDICT_ASK);
	assert_true(budget_spent(f.budget) == 0);
	assert_true(f.d.charge.is_exec && f.d.charge.cost == 0.25);
	budget_charge(f.budget, &f.d.charge, true, START, &answer);
	assert_int_equal(answer.verdict, VERDICT_ALLOW);
	/* Now there is nothing left, so nobody need be asked. */
	assert_int_equal(decide(&f, &a), VERDICT_DENY);
	assert_string_equal(f.d.source.reason, "budget: max_execs 1 reached");
	fixture_fini(&f);
	f = fixture_new(text, ASK_ALLOW);
	assert_int_equal(decide(&f, &a), VERDICT_ALLOW);
	assert_true(budget_spent(f.budget) == 0.25);
	assert_string_equal(f.d.approver, "--ask allow");
	assert_int_equal(decide(&f, &a), VERDICT_DENY);
	assert_null(f.d.approver);
	fixture_fini(&f);
}

static void test_a_budget_that_asks_or_stops(void **state)
{
	struct fixture f = fixture_new(ALLOW "budget: {max_execs: 1, on_limit: ask}\n", ASK_QUEUE);
	struct action a = exec_action();

	(void)state;
	assert_int_equal(decide(&f, &a), VERDICT_ALLOW);
	assert_int_equal(decide(&f, &a), VERDICT_ASK);
	assert_int_equal(f.d.would_have, VERDICT_ASK);
	assert_false(f.d.is_stop);
	fixture_fini(&f);
	f = fixture_new(ALLOW "budget: {max_execs: 1, on_limit: stop}\n", ASK_QUEUE);
	assert_int_equal(decide(&f, &a), VERDICT_ALLOW);
	assert_int_equal(decide(&f, &a), VERDICT_DENY);
	assert_true(f.d.is_stop);
	fixture_fini(&f);
}

static void test_an_audit_policys_budget_only_advises(void **state)
{
	struct fixture f = fixture_new(
		ALLOW "mode: audit\nbudget: {max_execs: 1, on_limit: stop}\n", ASK_QUEUE);
	struct action a = exec_action();

	(void)state;
	(void)decide(&f, &a);
	assert_int_equal(decide(&f, &a), VERDICT_ALLOW);
	assert_int_equal(f.d.would_have, VERDICT_DENY);
	assert_string_equal(f.d.source.reason, "budget: max_execs 1 reached");
	assert_false(f.d.is_stop);
	fixture_fini(&f);
}

static void test_what_counts_as_a_connection(void **state)
{
	struct policy_address ip = {.protocol = POLICY_PROTO_TCP, .has_ip = true, .is_v4 = true};
	struct policy_address local = {.protocol = POLICY_PROTO_UNIX};
	struct fixture f = fixture_new(ALLOW "budget: {max_connects: 2}\n", ASK_QUEUE);
	struct action a = connect_action("unix:/run/x", &local);

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_int_equal(decide(&f, &a), VERDICT_ALLOW);
	a = connect_action("0.0.0.0:0", &ip);
	assert_int_equal(decide(&f, &a), VERDICT_ALLOW);
	a.op = a.steps[0].op = OP_SEND;
	assert_int_equal(decide(&f, &a), VERDICT_ALLOW);
	assert_int_equal(decide(&f, &a), VERDICT_DENY);
	a.op = a.steps[0].op = OP_LISTEN;
	assert_int_equal(decide(&f, &a), VERDICT_ALLOW);
	fixture_fini(&f);
}

static void test_the_loop_guard_tells_actions_apart_by_their_arguments(void **state)
{
	static const struct bytes other_argv[] = {{"ls", 2}, {"-a", 2}};
	struct fixture f = fixture_new(ALLOW "budget: {loop: {repeats: 2}}\n", ASK_QUEUE);
	struct action a = exec_action(), b = exec_action(), c = exec_action();

	(void)state;
	b.argv = other_argv;
	c.argc_total = 3; /* not all of it was read: it may differ there */
	assert_int_equal(decide(&f, &a), VERDICT_ALLOW);
	assert_int_equal(decide(&f, &b), VERDICT_ALLOW);
	assert_int_equal(decide(&f, &c), VERDICT_ALLOW);
	assert_int_equal(decide(&f, &a), VERDICT_DENY);
	fixture_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_policy_is_told_all_of_it),
		cmocka_unit_test(test_the_time_goes_on),
		cmocka_unit_test(test_the_spend_socket_is_the_one_that_can_be_reached),
		cmocka_unit_test(test_a_dialects_reason_is_the_records),
		cmocka_unit_test(test_reasons_do_not_pile_up),
		cmocka_unit_test(test_a_rules_cost_is_charged_when_it_goes_ahead),
		cmocka_unit_test(test_what_is_held_is_charged_by_whoever_approves),
		cmocka_unit_test(test_a_budget_that_asks_or_stops),
		cmocka_unit_test(test_an_audit_policys_budget_only_advises),
		cmocka_unit_test(test_what_counts_as_a_connection),
		cmocka_unit_test(test_the_loop_guard_tells_actions_apart_by_their_arguments),
	};

	(void)setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests_name("engine/query", tests, NULL, NULL);
}
