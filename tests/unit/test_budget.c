/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdio.h>

#include "engine/budget.h"
#include "engine/window.h"

#include "tests/unit/unit.h"

#define START (UINT64_C(1000) * NS_PER_SEC)

static const struct policy_vars vars = {.home = "/home/u", .project = "/home/u/p", .tmp = "/tmp"};
static const struct budget_action an_exec = {.ops = OP_BIT(OP_EXEC), .is_exec = true};
static const struct budget_action a_connect = {.ops = OP_BIT(OP_CONNECT), .is_connect = true};
static const struct budget_action a_write = {.ops = OP_BIT(OP_WRITE)};
static const struct budget_action a_read = {.ops = OP_BIT(OP_READ)};

struct fixture {
	struct policy_stack *stack;
	struct budget *budget;
	struct budget_answer answer;
};

/* Each of @budgets is the text of one policy's `budget`; "audit " in front makes it advise only. */
static struct fixture fixture_new(const char *const *budgets, size_t n)
{
	struct policy *policies[POLICY_MAX_STACK];
	struct fixture f = {};
	struct diag d = {};

	for (size_t i = 0; i < n; i++) {
		bool is_audit = strncmp(budgets[i], "audit ", 6) == 0;
		char text[512];

		(void)snprintf(text, sizeof(text),
			       "version: 1\nname: p%zu\ndefault: allow\nmode: %s\nbudget: %s\n", i,
			       is_audit ? "audit" : "enforce", budgets[i] + (is_audit ? 6 : 0));
		if (policy_parse("test", bytes_of(text), &vars, &policies[i], &d) != 0)
			fail_msg("line %u: %s", d.line, d.message);
	}
	assert_int_equal(policy_stack_new(policies, n, false, &f.stack, &d), 0);
	assert_int_equal(budget_new(f.stack, START, &f.budget), 0);
	return f;
}

static struct fixture one(const char *budget)
{
	return fixture_new(&budget, 1);
}

static void fixture_fini(struct fixture *f)
{
	budget_free(f->budget);
	policy_stack_free(f->stack);
}

static enum verdict charge_at(struct fixture *f, const struct budget_action *a, uint64_t now_ns)
{
	budget_charge(f->budget, a, false, now_ns, &f->answer);
	return f->answer.verdict;
}

static enum verdict charge(struct fixture *f, const struct budget_action *a)
{
	return charge_at(f, a, START);
}

static struct budget_action costing(double cost)
{
	return (struct budget_action){.ops = OP_BIT(OP_EXEC), .is_exec = true, .cost = cost};
}

static void test_execs_and_connects_are_counted_apart(void **state)
{
	struct fixture f = one("{max_execs: 2, max_connects: 1}");

	(void)state;
	assert_int_equal(charge(&f, &an_exec), VERDICT_ALLOW);
	assert_int_equal(charge(&f, &a_connect), VERDICT_ALLOW);
	assert_int_equal(charge(&f, &an_exec), VERDICT_ALLOW);
	assert_int_equal(charge(&f, &an_exec), VERDICT_DENY);
	assert_string_equal(f.answer.reason, "budget: max_execs 2 reached");
	assert_false(f.answer.is_stop);
	assert_int_equal(charge(&f, &a_connect), VERDICT_DENY);
	assert_string_equal(f.answer.reason, "budget: max_connects 1 reached");
	assert_int_equal(charge(&f, &a_write), VERDICT_ALLOW);
	fixture_fini(&f);
}

static void test_checking_counts_nothing(void **state)
{
	struct fixture f = one("{max_execs: 1}");

	(void)state;
	for (int i = 0; i < 3; i++) {
		budget_check(f.budget, &an_exec, START, &f.answer);
		assert_int_equal(f.answer.verdict, VERDICT_ALLOW);
	}
	assert_int_equal(charge(&f, &an_exec), VERDICT_ALLOW);
	budget_check(f.budget, &an_exec, START, &f.answer);
	assert_int_equal(f.answer.verdict, VERDICT_DENY);
	fixture_fini(&f);
}

static void test_the_sum_may_reach_what_there_is_but_not_pass_it(void **state)
{
	struct fixture f = one("{max_spend: 0.75}");
	struct budget_action half = costing(0.5), quarter = costing(0.25), cent = costing(0.01);
	struct budget_totals totals;

	(void)state;
	assert_int_equal(charge(&f, &half), VERDICT_ALLOW);
	assert_int_equal(charge(&f, &half), VERDICT_DENY);
	assert_int_equal(charge(&f, &quarter), VERDICT_ALLOW);
	assert_int_equal(charge(&f, &cent), VERDICT_DENY);
	assert_string_equal(f.answer.reason,
			    "budget: max_spend 0.75 reached: 0.75 is spent, and this costs 0.01");
	assert_int_equal(charge(&f, &an_exec), VERDICT_ALLOW); /* costs nothing */
	budget_get_totals(f.budget, &totals);
	assert_true(totals.spent == 0.75 && totals.remaining == 0 && totals.has_remaining);
	fixture_fini(&f);
}

static void test_reported_spend_is_counted_even_beyond_the_budget(void **state)
{
	struct fixture f = one("{max_spend: 1}");
	struct budget_totals totals;

	(void)state;
	budget_spend(f.budget, 1, &f.answer);
	assert_int_equal(f.answer.verdict, VERDICT_ALLOW);
	assert_int_equal(charge(&f, &an_exec), VERDICT_ALLOW);
	budget_spend(f.budget, 0.5, &f.answer);
	assert_int_equal(f.answer.verdict, VERDICT_DENY);
	assert_string_equal(f.answer.reason, "budget: max_spend 1.00 exceeded: 1.50 is spent");
	budget_get_totals(f.budget, &totals);
	assert_true(totals.spent == 1.5 && totals.reported == 1.5 && totals.remaining == 0);
	assert_int_equal(totals.n_reports, 2);
	/* Nothing more is begun, even if it costs nothing; what runs may go on. */
	assert_int_equal(charge(&f, &an_exec), VERDICT_DENY);
	assert_int_equal(charge(&f, &a_connect), VERDICT_DENY);
	assert_int_equal(charge(&f, &a_write), VERDICT_ALLOW);
	fixture_fini(&f);
}

static void test_the_soft_limit_flags_once(void **state)
{
	struct fixture f = one("{max_spend: 10, soft_limit: 0.5}");
	struct budget_action a = costing(2);

	(void)state;
	assert_int_equal(charge(&f, &a), VERDICT_ALLOW);
	assert_int_equal(charge(&f, &a), VERDICT_ALLOW);
	assert_int_equal(charge(&f, &a), VERDICT_FLAG);
	assert_string_equal(f.answer.reason,
			    "budget: soft limit reached: 6.00 of max_spend 10.00 is spent");
	assert_int_equal(charge(&f, &a), VERDICT_ALLOW);
	fixture_fini(&f);
}

static void test_on_limit_asks_or_stops(void **state)
{
	static const char *const budgets[] = {"{max_execs: 1, on_limit: ask}",
					      "{max_execs: 2, on_limit: stop}"};
	struct fixture f = fixture_new(budgets, 2);

	(void)state;
	assert_int_equal(charge(&f, &an_exec), VERDICT_ALLOW);
	assert_int_equal(charge(&f, &an_exec), VERDICT_ASK);
	assert_string_equal(policy_name(f.answer.policy), "p0");
	/* A person's yes lifts the first, and is counted. */
	budget_charge(f.budget, &an_exec, true, START, &f.answer);
	assert_int_equal(f.answer.verdict, VERDICT_ALLOW);
	/* But not the second. */
	budget_charge(f.budget, &an_exec, true, START, &f.answer);
	assert_int_equal(f.answer.verdict, VERDICT_DENY);
	assert_true(f.answer.is_stop);
	assert_string_equal(policy_name(f.answer.policy), "p1");
	fixture_fini(&f);
}

static void test_audit_policies_only_advise(void **state)
{
	struct fixture f = one("audit {max_execs: 1, max_seconds: 5, on_limit: stop}");

	(void)state;
	assert_int_equal(charge(&f, &an_exec), VERDICT_ALLOW);
	assert_int_equal(charge(&f, &an_exec), VERDICT_ALLOW);
	assert_int_equal(f.answer.advised, VERDICT_DENY);
	assert_string_equal(f.answer.advised_reason, "budget: max_execs 1 reached");
	assert_false(f.answer.is_stop);
	assert_true(budget_stop_ns(f.budget) == UINT64_MAX);
	assert_false(budget_must_stop(f.budget, START + 60 * NS_PER_SEC, &f.answer));
	fixture_fini(&f);
}

static void test_time_runs_out_for_everything(void **state)
{
	struct fixture f = one("{max_seconds: 5}");
	uint64_t end = START + 5 * NS_PER_SEC;

	(void)state;
	assert_int_equal(charge_at(&f, &a_read, end - 1), VERDICT_ALLOW);
	assert_int_equal(charge_at(&f, &a_read, end), VERDICT_DENY);
	assert_string_equal(f.answer.reason, "budget: max_seconds 5 reached");
	assert_true(budget_stop_ns(f.budget) == UINT64_MAX); /* it denies, it does not stop */
	fixture_fini(&f);
}

static void test_what_stops_the_session_without_an_action(void **state)
{
	struct fixture f =
		one("{max_seconds: 5, max_bytes_written: 100, max_spend: 1, on_limit: stop}");

	(void)state;
	assert_true(budget_stop_ns(f.budget) == START + 5 * NS_PER_SEC);
	assert_true(budget_limits_bytes(f.budget));
	assert_false(budget_must_stop(f.budget, START, &f.answer));
	assert_true(budget_must_stop(f.budget, START + 5 * NS_PER_SEC, &f.answer));
	assert_string_equal(f.answer.reason, "budget: max_seconds 5 reached");
	budget_set_bytes_written(f.budget, 99);
	assert_false(budget_must_stop(f.budget, START, &f.answer));
	budget_set_bytes_written(f.budget, 100);
	assert_true(budget_must_stop(f.budget, START, &f.answer));
	assert_string_equal(f.answer.reason,
			    "budget: max_bytes_written 100 reached: 100 are written");
	fixture_fini(&f);
	f = one("{max_spend: 1, on_limit: stop}");
	budget_spend(f.budget, 1, &f.answer);
	assert_false(budget_must_stop(f.budget, START, &f.answer));
	budget_spend(f.budget, 0.1, &f.answer);
	assert_true(f.answer.is_stop);
	assert_true(budget_must_stop(f.budget, START, &f.answer));
	fixture_fini(&f);
}

static void test_written_bytes_deny_changes_only(void **state)
{
	struct fixture f = one("{max_bytes_written: 100}");

	(void)state;
	budget_set_bytes_written(f.budget, 200);
	budget_set_bytes_written(f.budget, 150); /* never less than before */
	assert_int_equal(charge(&f, &a_write), VERDICT_DENY);
	assert_string_equal(f.answer.reason,
			    "budget: max_bytes_written 100 reached: 200 are written");
	assert_int_equal(charge(&f, &a_read), VERDICT_ALLOW);
	assert_int_equal(charge(&f, &an_exec), VERDICT_ALLOW);
	fixture_fini(&f);
}

static void test_a_rate_slides(void **state)
{
	struct fixture f = one("{rate: {per: second, execs: 2}}");

	(void)state;
	assert_int_equal(charge_at(&f, &an_exec, START), VERDICT_ALLOW);
	assert_int_equal(charge_at(&f, &an_exec, START + NS_PER_SEC / 2), VERDICT_ALLOW);
	assert_int_equal(charge_at(&f, &an_exec, START + NS_PER_SEC - 1), VERDICT_DENY);
	assert_string_equal(f.answer.reason, "budget: rate of 2 execs per second reached");
	assert_int_equal(charge_at(&f, &an_exec, START + NS_PER_SEC), VERDICT_ALLOW);
	assert_int_equal(charge_at(&f, &an_exec, START + NS_PER_SEC + 1), VERDICT_DENY);
	assert_int_equal(charge_at(&f, &a_connect, START + NS_PER_SEC + 1), VERDICT_ALLOW);
	fixture_fini(&f);
}

/* `questions` counts by itself, whatever the budget does at its own limits. */
static void test_questions_of_a_minute(void **state)
{
	static const char *const texts[] = {
		"{max_execs: 5, on_limit: ask}\nquestions: {per_minute: 2}",
		"{max_execs: 5, on_limit: stop}\nquestions: {per_minute: 3}",
	};
	const struct budget_action question = {.ops = OP_BIT(OP_RESOLVE)};
	struct fixture f = fixture_new(texts, 2);

	(void)state;
	assert_int_equal(charge(&f, &question), VERDICT_ALLOW);
	assert_int_equal(charge(&f, &a_connect), VERDICT_ALLOW);
	assert_int_equal(charge(&f, &question), VERDICT_ALLOW);
	assert_int_equal(charge(&f, &question), VERDICT_DENY);
	assert_false(f.answer.is_stop);
	assert_string_equal(f.answer.reason, "questions: per_minute 2 reached");
	assert_string_equal(policy_name(f.answer.policy), "p0");
	assert_int_equal(charge(&f, &an_exec), VERDICT_ALLOW);
	assert_int_equal(charge_at(&f, &question, START + 61 * NS_PER_SEC), VERDICT_ALLOW);
	fixture_fini(&f);
}

/* Against the times themselves: never more than the limit in any window. */
static void test_a_window_never_says_too_little(void **state)
{
	const uint64_t per = 1000000;
	static uint64_t times[4000];
	struct window *w = calloc(1, sizeof(*w));
	uint64_t now = START, seed = 1;

	(void)state;
	assert_non_null(w);
	for (size_t n = 0; n < ARRAY_SIZE(times); n++) {
		uint64_t exact = 0, told;

		seed = seed * 6364136223846793005u + 1442695040888963407u;
		now += (seed >> 33) % (n / 1000 % 2 ? 20 : 3000);
		told = window_count(w, per, now);
		for (size_t i = 0; i < n; i++)
			exact += now - times[i] < per;
		assert_true(told >= exact);
		if (n > 0 && now - times[n - 1] >= per + per / WINDOW_PARTS)
			assert_int_equal(told, 0);
		window_add(w, per, now);
		times[n] = now;
	}
	free(w);
}

static void test_the_loop_guard_sees_equal_actions_only(void **state)
{
	struct fixture f = one("{loop: {repeats: 3, window: 10}}");
	struct budget_action a = an_exec, b = an_exec;

	(void)state;
	a.hash = 1;
	b.hash = 2;
	assert_true(budget_needs_hash(f.budget));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(charge(&f, &a), VERDICT_ALLOW);
		assert_int_equal(charge(&f, &b), VERDICT_ALLOW);
	}
	assert_int_equal(charge(&f, &a), VERDICT_DENY);
	assert_string_equal(f.answer.reason,
			    "budget: loop guard: the same action 3 times within 10 s");
	/* What was denied is not counted: when the window has passed, it goes on. */
	assert_int_equal(charge_at(&f, &a, START + 10 * NS_PER_SEC), VERDICT_ALLOW);
	fixture_fini(&f);
}

static void test_others_on_the_account_count(void **state)
{
	static const char *const budgets[] = {"{max_spend: 5}", "{max_spend: 1, account: team}"};
	struct fixture f = fixture_new(budgets, 2);
	struct budget_action half = costing(0.5);
	struct budget_totals totals;

	(void)state;
	assert_string_equal(budget_account(f.budget, 0), "team");
	assert_null(budget_account(f.budget, 1));
	budget_set_others(f.budget, 0, 0.5);
	assert_int_equal(charge(&f, &half), VERDICT_ALLOW);
	assert_int_equal(charge(&f, &half), VERDICT_DENY);
	assert_string_equal(policy_name(f.answer.policy), "p1");
	budget_get_totals(f.budget, &totals);
	assert_true(totals.spent == 0.5 && totals.remaining == 0);
	fixture_fini(&f);
}

static void test_without_a_budget_spend_is_counted_all_the_same(void **state)
{
	static const char text[] = "version: 1\nname: p\ndefault: allow\n";
	struct budget_action half = costing(0.5);
	struct fixture f = {};
	struct policy *p;
	struct diag d;

	(void)state;
	assert_int_equal(policy_parse("test", bytes_of(text), &vars, &p, &d), 0);
	assert_int_equal(policy_stack_new(&p, 1, false, &f.stack, &d), 0);
	assert_int_equal(budget_new(f.stack, START, &f.budget), 0);
	assert_int_equal(charge(&f, &half), VERDICT_ALLOW);
	assert_true(budget_spent(f.budget) == 0.5);
	assert_false(budget_needs_hash(f.budget));
	fixture_fini(&f);
}

#define THREADS 4
#define ROUNDS  20000

static void *charge_many(void *arg)
{
	struct fixture f = *(struct fixture *)arg;
	uintptr_t allowed = 0;

	for (int i = 0; i < ROUNDS; i++)
		allowed += charge(&f, &an_exec) == VERDICT_ALLOW;
	return (void *)allowed;
}

static void test_threads_together_get_no_more_than_the_limit(void **state)
{
	struct fixture f = one("{max_execs: 50000}");
	pthread_t threads[THREADS];
	uintptr_t sum = 0;

	(void)state;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, charge_many, &f), 0);
	for (int i = 0; i < THREADS; i++) {
		void *allowed;

		assert_int_equal(pthread_join(threads[i], &allowed), 0);
		sum += (uintptr_t)allowed;
	}
	assert_int_equal(sum, 50000);
	fixture_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_execs_and_connects_are_counted_apart),
		cmocka_unit_test(test_checking_counts_nothing),
		cmocka_unit_test(test_the_sum_may_reach_what_there_is_but_not_pass_it),
		cmocka_unit_test(test_reported_spend_is_counted_even_beyond_the_budget),
		cmocka_unit_test(test_the_soft_limit_flags_once),
		cmocka_unit_test(test_on_limit_asks_or_stops),
		cmocka_unit_test(test_audit_policies_only_advise),
		cmocka_unit_test(test_time_runs_out_for_everything),
		cmocka_unit_test(test_what_stops_the_session_without_an_action),
		cmocka_unit_test(test_written_bytes_deny_changes_only),
		cmocka_unit_test(test_a_rate_slides),
		cmocka_unit_test(test_questions_of_a_minute),
		cmocka_unit_test(test_a_window_never_says_too_little),
		cmocka_unit_test(test_the_loop_guard_sees_equal_actions_only),
		cmocka_unit_test(test_others_on_the_account_count),
		cmocka_unit_test(test_without_a_budget_spend_is_counted_all_the_same),
		cmocka_unit_test(test_threads_together_get_no_more_than_the_limit),
	};

	return cmocka_run_group_tests_name("engine/budget", tests, NULL, NULL);
}
