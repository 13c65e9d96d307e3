/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys of a native document beside `match`: who it applies to, budgets, what a rule says
 * besides what it matches, examples, and how all of it is shown.
 */
#include "tests/unit/document_harness.h"

/* ---- rules */

static void test_rule_keys_are_refused_with_position(void **state)
{
	static const struct refusal cases[] = {
		{RULE("suggest: ''"), 4, 56, "must not be empty"},
		{RULE("suggest: [a]"), 4, 56, "must be a string"},
		{RULE("flag: yes"), 4, 53, "true or false"},
		{RULE("flag: true"), 4, 53, "'action: deny' somebody hears of it anyway"},
		{ASK("flag: true"), 4, 52, "'action: ask' somebody hears of it anyway"},
		{RULE("cost: -1"), 4, 53, "must not be negative"},
		{RULE("cost: nan"), 4, 53, "amount of money"},
		{RULE("cost: inf"), 4, 53, "amount of money"},
		{RULE("cost: 0x10"), 4, 53, "amount of money"},
		{RULE("cost: 1e13"), 4, 53, "amount of money"},
		{RULE("cost: 5 USD"), 4, 53, "amount of money"},
		{RULE("cost: [1]"), 4, 53, "found a list"},
		{RULE("cost: ''"), 4, 53, "amount of money"},
		{HEAD "rules:\n- {name: r, action: deny, match: {path: /x, op: read}, cost: 1}\n",
		 4, 62, "matches neither"},
		{RULE("ask: {timeout: 1}"), 4, 52, "'action: deny' never does"},
		{ASK("ask: {}"), 4, 51, "empty"},
		{ASK("ask: 30s"), 4, 51, "must be a map"},
		{ASK("ask: {timeout: 0}"), 4, 61, "30s, 10m or 2h"},
		{ASK("ask: {timeout: 25h}"), 4, 61, "at most 86400 seconds"},
		{ASK("ask: {timeout: 1d}"), 4, 61, "30s, 10m or 2h"},
		{ASK("ask: {timeout: -5s}"), 4, 61, "30s, 10m or 2h"},
		{ASK("ask: {timeout: 1.5h}"), 4, 61, "30s, 10m or 2h"},
		{ASK("ask: {timeout: s}"), 4, 61, "30s, 10m or 2h"},
		{ASK("ask: {timeuot: 1}"), 4, 52, "did you mean 'timeout'"},
		{ASK("ask: {approvers: []}"), 4, 63, "empty list"},
		{ASK("ask: {approvers: [a b]}"), 4, 64, "name of a user"},
		{ASK("ask: {approvers: ['@']}"), 4, 64, "name of a user"},
		{ASK("ask: {approvers: [-x]}"), 4, 64, "name of a user"},
		{HEAD "rules:\n- {name: r, action: flag, flag: true, match: {tool: git}}\n", 4, 33,
		 "says already"},
	};

	(void)state;
	check_refusals(cases, ARRAY_SIZE(cases));
}

static void test_what_a_rule_says_comes_with_the_verdict(void **state)
{
	struct harness h = harness_one(
		ANY "rules:\n"
		    "- {name: a, match: {tool: git}, action: ask, cost: '$0.05', reason: why,\n"
		    "   suggest: instead, ask: {timeout: 10m, approvers: [root, '@adm']}}\n"
		    "- {name: b, match: {tool: ls}, action: allow, flag: true, cost: 2}\n"
		    "- {name: c, match: {tool: id}, action: allow, flag: false}\n");
	struct policy_result r = eval_exec(&h, "git", "git");

	(void)state;
	assert_int_equal(r.verdict, VERDICT_ASK);
	assert_string_equal(r.source.suggest, "instead");
	assert_string_equal(r.source.reason, "why");
	assert_true(r.cost == 0.05);
	assert_true(r.source.ask->timeout_ns == 600 * NS_PER_SEC);
	assert_int_equal(r.source.ask->n_approvers, 2);
	assert_string_equal(r.source.ask->approvers[0], "root");
	assert_string_equal(r.source.ask->approvers[1], "@adm");
	r = eval_exec(&h, "ls", "ls");
	assert_int_equal(r.verdict, VERDICT_FLAG);
	assert_true(r.cost == 2);
	assert_null(r.source.ask);
	assert_int_equal(eval_exec(&h, "id", "id").verdict, VERDICT_ALLOW);
	harness_fini(&h);
}

static void test_cost_is_charged_for_execs_and_connections_only(void **state)
{
	struct harness h = harness_one(
		ANY "rules:\n- {name: a, match: {tool: '*'}, action: allow, cost: 1}\n");

	(void)state;
	assert_true(eval_exec(&h, "git", "git").cost == 1);
	assert_true(harness_path(&h, OP_READ, "/x").cost == 0);
	harness_fini(&h);
}

/* ---- applies_to */

static void test_applies_to_joins_kinds_and_alternates_values(void **state)
{
	static const char *const tags[] = {"ci", "night"};
	static const struct {
		const char *key;
		struct policy_subject who;
		bool applies;
	} cases[] = {
		{"{agents: 'claude*'}", {.agent = "claude-code"}, true},
		{"{agents: 'claude*'}", {.agent = "codex"}, false},
		{"{agents: 'claude*'}", {}, false},
		{"{agents: [codex, aider]}", {.agent = "aider"}, true},
		{"{tags: ci}", {.tags = tags, .n_tags = 2}, true},
		{"{tags: [x, night]}", {.tags = tags, .n_tags = 2}, true},
		{"{tags: [x]}", {.tags = tags, .n_tags = 2}, false},
		{"{tags: [x]}", {}, false},
		{"{tiers: [prod, test]}", {.tier = "prod"}, true},
		{"{tiers: prod}", {.tier = "dev"}, false},
		{"{tiers: prod}", {}, false},
		{"{agents: a, tiers: prod}", {.agent = "a", .tier = "prod"}, true},
		{"{agents: a, tiers: prod}", {.agent = "a", .tier = "dev"}, false},
		{"{agents: a, tiers: prod, tags: ci}", {.agent = "a", .tier = "prod"}, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[256];
		struct policy *p;

		(void)snprintf(text, sizeof(text), ANY "applies_to: %s\n", cases[i].key);
		p = harness_parse(text);
		if (policy_applies_to(p, &cases[i].who) != cases[i].applies)
			fail_msg("%zu: %s", i, cases[i].key);
		policy_free(p);
	}
}

/* ---- budget */

static void test_budget_is_refused_with_position(void **state)
{
	static const struct refusal cases[] = {
		{ANY "budget: {}\n", 4, 9, "limits nothing"},
		{ANY "budget: {on_limit: ask}\n", 4, 9, "limits nothing"},
		{ANY "budget: {max_spned: 5}\n", 4, 10, "did you mean 'max_spend'"},
		{ANY "budget: {max_spend: -5}\n", 4, 21, "must not be negative"},
		{ANY "budget: {max_spend: .5}\n", 4, 21, "amount of money"},
		{ANY "budget: {max_spend: 5, soft_limit: 80}\n", 4, 36, "between 0 and 1"},
		{ANY "budget: {max_spend: 5, soft_limit: 0}\n", 4, 36, "between 0 and 1"},
		{ANY "budget: {max_execs: 5, soft_limit: 0.5}\n", 4, 9, "part of 'max_spend'"},
		{ANY "budget: {max_execs: 5, account: team}\n", 4, 9, "needs a 'max_spend'"},
		{ANY "budget: {max_spend: 5, account: a b}\n", 4, 33, "letters, digits"},
		{ANY "budget: {max_spend: 5, account: ..}\n", 4, 33, "does not begin with '.'"},
		{ANY "budget: {max_spend: 5, account: a2345678901234567890123456789012"
		     "345678901234567890123456789012345}\n",
		 4, 33, "at most 64 bytes"},
		{ANY "budget: {max_execs: 0}\n", 4, 21, "at least 1; to refuse them all"},
		{ANY "budget: {max_execs: many}\n", 4, 21, "whole number from 1"},
		{ANY "budget: {max_execs: 1.5}\n", 4, 21, "whole number from 1"},
		{ANY "budget: {max_execs: -1}\n", 4, 21, "whole number from 1"},
		{ANY "budget: {max_execs: 99999999999999999999}\n", 4, 21, "whole number from 1"},
		{ANY "budget: {max_connects: [1]}\n", 4, 24, "found a list"},
		{ANY "budget: {max_bytes_written: 10T}\n", 4, 29, "64K, 10M or 2G"},
		{ANY "budget: {max_bytes_written: 99999999999G}\n", 4, 29, "64K, 10M or 2G"},
		{ANY "budget: {max_bytes_written: K}\n", 4, 29, "64K, 10M or 2G"},
		{ANY "budget: {max_seconds: 99999999999}\n", 4, 23, "to 31622400"},
		{ANY "budget: {rate: []}\n", 4, 16, "empty list"},
		{ANY "budget: {rate: {execs: 1}}\n", 4, 16, "has no 'per'"},
		{ANY "budget: {rate: {per: minute}}\n", 4, 16, "limits nothing"},
		{ANY "budget: {rate: {per: day, execs: 1}}\n", 4, 22, "second, minute or hour"},
		{ANY "budget: {rate: {per: hour, execs: 0}}\n", 4, 35, "at least 1"},
		{ANY "budget: {loop: {repeats: 1}}\n", 4, 26, "at least 2"},
		{ANY "budget: {loop: {window: 1m}}\n", 4, 16, "has no 'repeats'"},
		{ANY "budget: {loop: {repeats: 3, window: 0s}}\n", 4, 37, "30s, 10m or 2h"},
		{ANY "budget: {max_execs: 1, on_limit: kill}\n", 4, 34, "deny, ask or stop"},
		{ANY "applies_to: {}\n", 4, 13, "empty"},
		{ANY "applies_to: {agent: x}\n", 4, 14, "did you mean 'agents'"},
		{ANY "applies_to: {agents: []}\n", 4, 22, "empty list"},
		{ANY "applies_to: {agents: '[a'}\n", 4, 22, "no ']'"},
		{ANY "applies_to: {tags: 'a b'}\n", 4, 20, "letters, digits"},
	};

	(void)state;
	check_refusals(cases, ARRAY_SIZE(cases));
}

static void test_rates_have_a_limit(void **state)
{
#define TWO   "{per: hour, execs: 1, writes: 2}, "
#define EIGHT TWO TWO TWO TWO
	const char *too_many = ANY "budget: {rate: [" EIGHT "{per: hour, execs: 1}]}\n";
	struct policy *p = harness_parse(ANY "budget: {rate: [" EIGHT "]}\n");
	struct diag d;

	(void)state;
	assert_int_equal(policy_get_budget(p)->n_rates, POLICY_MAX_RATES);
	policy_free(p);
	harness_parse_error(too_many, strlen(too_many), &d);
	assert_non_null(strstr(d.message, "more than 8 rates"));
}

static void test_every_key_of_a_budget_is_kept(void **state)
{
	struct policy *p = harness_parse(
		ANY
		"budget: {max_spend: '$5.25', soft_limit: 0.75, max_execs: 11, max_connects: 12,\n"
		"  max_bytes_written: 3K, max_seconds: 14, on_limit: stop, account: team-a,\n"
		"  loop: {repeats: 9, window: 2m},\n"
		"  rate: [{per: second, execs: 1, writes: 2}, {per: hour, connects: 3}]}\n");
	const struct policy_budget *b = policy_get_budget(p);

	(void)state;
	assert_true(b->has_spend);
	assert_true(b->max_spend == 5.25);
	assert_true(b->soft_limit == 0.75);
	assert_int_equal(b->max_execs, 11);
	assert_int_equal(b->max_connects, 12);
	assert_int_equal(b->max_bytes_written, 3072);
	assert_int_equal(b->max_seconds, 14);
	assert_int_equal(b->on_limit, POLICY_LIMIT_STOP);
	assert_string_equal(b->account, "team-a");
	assert_int_equal(b->loop_repeats, 9);
	assert_true(b->loop_window_ns == 120 * NS_PER_SEC);
	assert_int_equal(b->n_rates, 3);
	assert_int_equal(b->rates[0].ops, OP_BIT(OP_EXEC));
	assert_int_equal(b->rates[0].n, 1);
	assert_true(b->rates[0].per_ns == NS_PER_SEC);
	assert_int_equal(b->rates[1].ops, OPS_CHANGE);
	assert_string_equal(b->rates[1].word, "writes");
	assert_int_equal(b->rates[2].ops, OP_BIT(OP_CONNECT));
	assert_true(b->rates[2].per_ns == 3600 * NS_PER_SEC);
	policy_free(p);
}

/* ---- examples */

static void test_examples_hold(void **state)
{
	struct policy *p = harness_parse(
		ANY "vars: {app: shop}\n"
		    "rules:\n"
		    "- name: push\n"
		    "  match: {tool: git, args_pattern: '\\bpush\\b.*(--force\\b|-f\\b)'}\n"
		    "  action: deny\n"
		    "  examples: {match: ['git push --force origin \"a b\"', git push -f],\n"
		    "    not_match: [git push origin topic, 'hg push -f']}\n"
		    "- name: all-git\n"
		    "  match: {tool: git}\n"
		    "  action: deny\n"
		    "  examples: {match: [git status]}\n"
		    "- name: keys\n"
		    "  match: {path: ['~/.ssh/**', '/srv/${app}/*'], op: [read, delete]}\n"
		    "  action: deny\n"
		    "  examples: {match: ['~/.ssh/id', '${home}/.ssh', '/srv/${app}/x'],\n"
		    "    not_match: [/srv/shop/x/y, /etc/passwd]}\n"
		    "- name: socket\n"
		    "  match: {path: /run/docker.sock}\n"
		    "  action: deny\n"
		    "  examples: {match: [/run/docker.sock]}\n"
		    "- name: net\n"
		    "  match: {domain: '*.example.com', port: 443}\n"
		    "  action: deny\n"
		    "  examples: {match: ['a.example.com:443'],\n"
		    "    not_match: ['example.com:443', 'a.example.com:80', '10.0.0.1:443']}\n"
		    "- name: address\n"
		    "  match: {cidr: [10.0.0.0/8, 'fd00::/8'], protocol: udp}\n"
		    "  action: deny\n"
		    "  examples: {match: ['10.1.2.3:53', '[fd00::1]:53']}\n"
		    "- name: alias\n"
		    "  match: {tool: [file_read, http_request], args_pattern: 'env$|:22$'}\n"
		    "  action: deny\n"
		    "  examples: {match: [/x/.env, 'a.org:22', 'file_read .env'],\n"
		    "    not_match: [/x/.envs, 'a.org:23', 'cat .env']}\n"
		    "- name: json\n"
		    "  match: {tool: make, cwd: '${project}/**'}\n"
		    "  action: deny\n"
		    "  examples: {match: [{kind: exec, argv: [make, all], cwd: '${project}/x'}],\n"
		    "    not_match: [{kind: exec, argv: [make], cwd: /tmp}]}\n");

	(void)state;
	policy_free(p);
}

#define EXAMPLES(match, x)                                                                         \
	HEAD "default: deny\nrules:\n- {name: first, match: {tool: cp}, action: allow}\n"          \
	     "- name: r\n  action: deny\n  match: " match "\n  examples: " x "\n"

static void test_examples_that_fail_are_refused_with_position(void **state)
{
	static const struct refusal cases[] = {
		{EXAMPLES("{tool: git}", "{}"), 9, 13, "empty"},
		{EXAMPLES("{tool: git}", "[git]"), 9, 13, "must be a map"},
		{EXAMPLES("{tool: git}", "{matches: [git]}"), 9, 14, "did you mean 'match'"},
		{EXAMPLES("{tool: git}", "{match: git}"), 9, 21, "must be a list"},
		{EXAMPLES("{tool: git}", "{match: []}"), 9, 21, "empty list"},
		{EXAMPLES("{tool: git}", "{match: [[git]]}"), 9, 22, "found a list"},
		{EXAMPLES("{tool: git}", "{match: ['']}"), 9, 22, "must not be empty"},
		{EXAMPLES("{tool: git}", "{match: ['git \"x']}"), 9, 22, "no command line"},
		{EXAMPLES("{tool: git}", "{match: [' ']}"), 9, 22, "command line"},
		{EXAMPLES("{tool: git}", "{match: [git, hg]}"), 9, 27,
		 "'r' does not match this example: no rule matches it"},
		{EXAMPLES("{tool: git}", "{match: [cp]}"), 9, 22,
		 "'r' does not match this example: 'first' on line 5 decides it"},
		{EXAMPLES("{tool: '[ac]p'}", "{match: [cp]}"), 9, 22,
		 "comes too late: 'first' on line 5 decides it"},
		{EXAMPLES("{tool: '[ac]p'}", "{not_match: [cp]}"), 9, 26,
		 "'r' matches this example"},
		{EXAMPLES("{path: /x}", "{match: [x]}"), 9, 22, "HOST:PORT"},
		{EXAMPLES("{path: /x, op: read}", "{match: [x]}"), 9, 22, "absolute path"},
		{EXAMPLES("{path: /x, op: read}", "{match: ['${nope}']}"), 9, 22,
		 "unknown variable"},
		{EXAMPLES("{path: /x, op: read}", "{match: [/y]}"), 9, 22, "does not match"},
		{EXAMPLES("{path: /x, op: read}", "{not_match: [/x]}"), 9, 26, "'r' matches this"},
		{EXAMPLES("{port: 1}", "{match: [host]}"), 9, 22, "HOST:PORT"},
		{EXAMPLES("{port: 1}", "{match: ['host:99999']}"), 9, 22, "HOST:PORT"},
		{EXAMPLES("{port: 1}", "{match: ['host:2']}"), 9, 22, "does not match"},
		{EXAMPLES("{tool: git}", "{match: [{kind: exec}]}"), 9, 22, "is no action"},
		{EXAMPLES("{tool: git}", "{match: [{kind: exec, argvv: [git]}]}"), 9, 35,
		 "unknown key 'argvv'"},
		{EXAMPLES("{tool: git}", "{match: [{kind: exec, argv: [hg]}]}"), 9, 22,
		 "does not match"},
		{EXAMPLES("{tool: git, args_pattern: '(a+)+(a+)+(a+)+$'}",
			  "{not_match: [git aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab]}"),
		 9, 26, "hit its limit"},
	};

	(void)state;
	check_refusals(cases, ARRAY_SIZE(cases));
}

/* ---- show */

static char *show(const struct policy *p)
{
	struct strbuf out = STRBUF_INIT(1 << 20);
	char *text;

	policy_show(p, &out);
	assert_int_equal(strbuf_error(&out), 0);
	text = strdup(strbuf_str(&out));
	strbuf_fini(&out);
	assert_non_null(text);
	return text;
}

/* A rule's line is the only thing that may differ between a document and what is shown of it. */
static void blank_lines(char *shown)
{
	for (char *s = shown; (s = strstr(s, "test.yaml:")); s++)
		for (char *digit = s + strlen("test.yaml:"); *digit != '\n'; digit++)
			*digit = '_';
}

static void test_what_is_shown_is_the_document(void **state)
{
	struct policy *p = harness_parse(
		HEAD
		"description: \"line\\none \\u00e9\"\nmode: audit\nlog_reads: true\n"
		"grant: [bpf, perf]\n"
		"default: {tool: flag, read: allow, write: ask, network: ask, send: deny, unix: allow}\n"
		"applies_to: {agents: ['c*', x], tiers: prod}\n"
		"budget: {max_spend: 5, soft_limit: 0.8, account: a, max_execs: 3, loop: {repeats: 4},\n"
		"  rate: {per: minute, execs: 3, writes: 9}, on_limit: ask}\n"
		"vars: {v: 'a*b'}\n"
		"rules:\n"
		"- {name: late one, match: {tool: [git, '~^x'], args_pattern: '\\d ''${v}'},\n"
		"   action: ask, ask: {timeout: 2m, approvers: [root, '@adm']}, cost: 0.000001,\n"
		"   reason: 'a: b', suggest: \"c\\n\"}\n"
		"- {name: early, match: {path: ['~/x', '${project}/${v}/**']}, unless: {op: read},\n"
		"   action: deny, priority: -3}\n");
	char *shown = show(p), *shown_again;
	struct policy *again;

	(void)state;
	assert_non_null(strstr(shown, ": native, 2 rules\n"));
	assert_non_null(strstr(shown, "# 1: test.yaml:16\n- name: early\n"));
	assert_non_null(strstr(shown, "'/home/u/proj/a\\*b/**'"));
	assert_non_null(strstr(shown, "  priority: -3\n"));
	again = harness_parse(shown);
	shown_again = show(again);
	blank_lines(shown);
	blank_lines(shown_again);
	assert_string_equal(shown, shown_again);
	free(shown);
	free(shown_again);
	policy_free(again);
	policy_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rule_keys_are_refused_with_position),
		cmocka_unit_test(test_what_a_rule_says_comes_with_the_verdict),
		cmocka_unit_test(test_cost_is_charged_for_execs_and_connections_only),
		cmocka_unit_test(test_applies_to_joins_kinds_and_alternates_values),
		cmocka_unit_test(test_budget_is_refused_with_position),
		cmocka_unit_test(test_rates_have_a_limit),
		cmocka_unit_test(test_every_key_of_a_budget_is_kept),
		cmocka_unit_test(test_examples_hold),
		cmocka_unit_test(test_examples_that_fail_are_refused_with_position),
		cmocka_unit_test(test_what_is_shown_is_the_document),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
