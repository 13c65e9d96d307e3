/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a document may hold and what it is refused with: position and a word of the message.
 */
#include "tests/unit/policy_harness.h"

#define HEAD        "version: 1\nname: t\n"
#define RULE(match) HEAD "rules:\n- name: r\n  action: deny\n  match: " match "\n"

struct refusal {
	const char *text;
	unsigned line, column;
	const char *says;
};

static void check_refusals(const struct refusal *cases, size_t n)
{
	unsigned int wrong = 0;

	for (size_t i = 0; i < n; i++) {
		struct diag d;

		harness_parse_error(cases[i].text, strlen(cases[i].text), &d);
		if (d.line == cases[i].line && d.column == cases[i].column &&
		    strstr(d.message, cases[i].says) && streq(d.file, "test.yaml"))
			continue;
		print_error("%zu: %u:%u: %s\n   expected %u:%u ...%s...\n", i, d.line, d.column,
			    d.message, cases[i].line, cases[i].column, cases[i].says);
		wrong++;
	}
	assert_int_equal(wrong, 0);
}

static void test_structure_is_refused_with_position(void **state)
{
	static const struct refusal cases[] = {
		{"", 1, 1, "empty"},
		{"# only a comment\n", 1, 1, "empty"},
		{"{}", 1, 1, "empty"},
		{"- a", 1, 1, "must be a map"},
		{"allow", 1, 1, "must be a map"},
		{"version: 1\n", 1, 1, "has no 'name'"},
		{"name: t\ndefault: allow\n", 1, 1, "has no 'version'"},
		{HEAD, 1, 1, "neither 'default' nor 'rules'"},
		{HEAD "default: allow\n---\nname: u\n", 4, 1, "second document"},
		{HEAD "default: allow\nname: u\n", 4, 1, "twice"},
		{HEAD "defualt: allow\n", 3, 1, "did you mean 'default'"},
		{HEAD "zzzz: 5\n", 3, 1, "there are version, name"},
		{HEAD "budget: 5\n", 3, 9, "must be a map"},
		{HEAD "default: &a allow\n", 3, 10, "anchors"},
		{HEAD "default: *a\n", 3, 10, "aliases"},
		{HEAD "default: !!str allow\n", 3, 10, "tags"},
		{HEAD "default: !x {tool: allow}\n", 3, 10, "tags"},
		{HEAD "<<: {default: allow}\n", 3, 1, "unknown key"},
		{HEAD "default: allow\nrules:\n- name: a\n\taction: deny\n", 6, 1,
		 "not valid YAML"},
		{HEAD "default: [allow\n", 4, 1, "not valid YAML"},
		{HEAD "? [a]\n: b\n", 3, 3, "a key of"},
		{"version: 2\nname: t\ndefault: deny\n", 1, 10, "number 1"},
		{"version: '1'\nname: t\ndefault: deny\n", 1, 10, "number 1"},
		{"version: [1]\nname: t\ndefault: deny\n", 1, 10, "found a list"},
		{"version: 1\nname: a b\ndefault: deny\n", 2, 7, "letters, digits"},
		{"version: 1\nname: no\ndefault: deny\n", 2, 7, "boolean"},
		{"version: 1\nname: ''\ndefault: deny\n", 2, 7, "empty"},
		{"version: 1\nname: ~\ndefault: deny\n", 2, 7, "null"},
		{HEAD "mode: warn\ndefault: deny\n", 3, 7, "enforce or audit"},
		{HEAD "default: no\n", 3, 10, "allow, flag, ask or deny, found 'no'"},
		{HEAD "default: true\n", 3, 10, "found 'true'"},
		{HEAD "default: Allow\n", 3, 10, "found 'Allow'"},
		{HEAD "default:\n", 3, 9, "found ''"},
		{HEAD "default: {}\n", 3, 10, "empty"},
		{HEAD "default: [deny]\n", 3, 10, "found a list"},
		{HEAD "default: {raed: allow}\n", 3, 11, "did you mean 'read'"},
		{HEAD "default: {read: allow, read: deny}\n", 3, 24, "twice"},
		{HEAD "default: deny\nlog_reads: yes\n", 4, 12, "true or false"},
		{HEAD "default: deny\ngrant: [ptrase]\n", 4, 9, "did you mean 'ptrace'"},
		{HEAD "default: deny\ngrant: []\n", 4, 8, "empty list"},
	};

	(void)state;
	check_refusals(cases, ARRAY_SIZE(cases));
}

static void test_rules_are_refused_with_position(void **state)
{
	static const struct refusal cases[] = {
		{HEAD "rules: []\n", 3, 8, "empty"},
		{HEAD "rules: {a: b}\n", 3, 8, "list of maps"},
		{HEAD "rules: [a]\n", 3, 9, "must be a map"},
		{HEAD "rules:\n- name: a\n  match: {tool: x}\n", 4, 3, "has no 'action'"},
		{HEAD "rules:\n- action: deny\n  match: {tool: x}\n", 4, 3, "has no 'name'"},
		{HEAD "rules:\n- action: deny\n  name: a\n", 4, 3, "has no 'match'"},
		{HEAD "rules:\n- {name: a, match: {tool: x}, action: no}\n", 4, 39, "found 'no'"},
		{HEAD "rules:\n- {name: a, match: {tool: x}, action: deny, exmaples: 1}\n", 4, 45,
		 "did you mean 'examples'"},
		{HEAD "rules:\n- {name: a, match: {tool: x}, action: deny}\n"
		      "- {name: a, match: {tool: y}, action: deny}\n",
		 5, 10, "used twice, first on line 4"},
		{HEAD "rules:\n- {name: a, match: {tool: x}, action: deny, priority: high}\n", 4,
		 55, "whole number"},
		{HEAD "rules:\n- {name: a, match: {tool: x}, action: deny, priority: 010}\n", 4, 55,
		 "whole number"},
		{RULE("{}"), 6, 10, "matches everything"},
		{RULE("tool"), 6, 10, "must be a map"},
		{RULE("{tools: x}"), 6, 11, "did you mean 'tool'"},
		{RULE("{tool: []}"), 6, 17, "empty list"},
		{RULE("{tool: [a, [b]]}"), 6, 21, "found a list"},
		{RULE("{tool: {a}}"), 6, 17, "found a map"},
		{RULE("{tool: yes}"), 6, 17, "boolean"},
		{RULE("{tool: '~('}"), 6, 17, "missing closing parenthesis"},
		{RULE("{tool: bin/x}"), 6, 17, "relative"},
		{RULE("{args_pattern: '(a'}"), 6, 25, "at byte 3"},
		{RULE("{args_pattern: ''}"), 6, 25, "empty"},
		{RULE("{args_pattern: '\\C'}"), 6, 25, "not a regular expression"},
		{RULE("{path: src}"), 6, 17, "relative"},
		{RULE("{path: *.pem}"), 6, 18, "quote"},
		{RULE("{path: '*.pem'}"), 6, 17, "relative"},
		{RULE("{path: '/a/../b'}"), 6, 17, "'..'"},
		{RULE("{path: '/a//b'}"), 6, 17, "'//'"},
		{RULE("{path: '/a/'}"), 6, 17, "/**"},
		{RULE("{path: '~root/x'}"), 6, 17, "~user"},
		{RULE("{path: '${homes}/x'}"), 6, 17, "unknown variable"},
		{RULE("{path: '/x/${tmp}'}"), 6, 17, "must come first"},
		{RULE("{path: '/x/[a'}"), 6, 17, "no ']'"},
		{RULE("{path: '/x/[z-a]'}"), 6, 17, "wrong way round"},
		{RULE("{path: '/x/[a/b]'}"), 6, 17, "never matches '/'"},
		{RULE("{path: '/x/[[:alpha:]]'}"), 6, 17, "not supported"},
		{RULE("{path: '/x/{a'}"), 6, 17, "no partner"},
		{RULE("{path: '/x/a}'}"), 6, 17, "no partner"},
		{RULE("{path: '/x\\'}"), 6, 17, "backslash"},
		{RULE("{op: reed, path: /x}"), 6, 15, "did you mean 'read'"},
		{RULE("{op: syscall}"), 6, 15, "no operation"},
		{RULE("{op: exec, path: /x}"), 6, 10, "never match"},
		{RULE("{address: 10.0.0.1/8}"), 6, 20, "write 10.0.0.0/8"},
		{RULE("{address: 010.0.0.1}"), 6, 20, "leading zeros"},
		{RULE("{address: 10.0.0.0/33}"), 6, 20, "from 0 to 32"},
		{RULE("{address: 10.0.0.0/08}"), 6, 20, "from 0 to 32"},
		{RULE("{address: example.com}"), 6, 20, "not an IP address"},
		{RULE("{address: 'fe80::1%eth0'}"), 6, 20, "zone"},
		{RULE("{address: 1.2.3.4, cidr: 1.2.3.4}"), 6, 35, "same key"},
		{RULE("{port: 70000}"), 6, 17, "not a port"},
		{RULE("{port: 090}"), 6, 17, "not a port"},
		{RULE("{port: 20-10}"), 6, 17, "wrong way round"},
		{RULE("{protocol: icmp}"), 6, 21, "no protocol"},
		{RULE("{path: /x, address: 1.2.3.4}"), 6, 10, "never matches"},
		{RULE("{path: /x, protocol: tcp}"), 6, 10, "never matches"},
		{RULE("{protocol: unix, port: 1}"), 6, 10, "never matches"},
		{RULE("{args_pattern: x, path: /x}"), 6, 10, "without 'tool'"},
		{RULE("{port: 1, op: read}"), 6, 10, "never match"},
	};

	(void)state;
	check_refusals(cases, ARRAY_SIZE(cases));
}

static void test_the_newer_keys_are_refused_with_position(void **state)
{
	static const struct refusal cases[] = {
		{RULE("{argv: git}"), 6, 17, "found a string"},
		{RULE("{argv: []}"), 6, 17, "an empty one"},
		{RULE("{argv: [git, []]}"), 6, 23, "empty list"},
		{RULE("{argv: [bin/x]}"), 6, 18, "relative"},
		{RULE("{argv: [git, '~(']}"), 6, 23, "not a regular expression"},
		{RULE("{argv: [git], path: /x}"), 6, 10, "something else"},
		{RULE("{argv: [git], op: read}"), 6, 10, "never match"},
		{RULE("{domain: x*.org}"), 6, 19, "whole labels"},
		{RULE("{domain: '*x.org'}"), 6, 19, "whole labels"},
		{RULE("{domain: 'a.*.org'}"), 6, 19, "whole labels"},
		{RULE("{domain: b\xc3\xbc"
		      "cher.de}"),
		 6, 19, "xn--"},
		{RULE("{domain: 'https://x.org'}"), 6, 19, "not a domain"},
		{RULE("{domain: 'x.org:443'}"), 6, 19, "under 'port'"},
		{RULE("{domain: x..org}"), 6, 19, "empty label"},
		{RULE("{domain: '*.'}"), 6, 19, "empty label"},
		{RULE("{domain: 10.0.0.1}"), 6, 19, "under 'address'"},
		{RULE("{domain: x y}"), 6, 19, "never occurs"},
		{RULE("{domain: x.org, path: /x}"), 6, 10, "never matches"},
		{RULE("{domain: x.org, protocol: unix}"), 6, 10, "never matches"},
		{RULE("{domain: x.org, op: read}"), 6, 10, "never match"},
		{RULE("{agent: '[z-a]'}"), 6, 18, "wrong way round"},
		{RULE("{cwd: src}"), 6, 16, "relative"},
		{RULE("{parent: 'bin/x'}"), 6, 19, "relative"},
		{RULE("{time: 9-17}"), 6, 17, "write 09:00-17:30"},
		{RULE("{time: '9:00-17:00'}"), 6, 17, "write 09:00-17:30"},
		{RULE("{time: '09:00-24:01'}"), 6, 17, "write 09:00-17:30"},
		{RULE("{time: '09:00-09:00'}"), 6, 17, "whole day"},
		{RULE("{time: 'monday 09:00-17:00'}"), 6, 17, "write 09:00-17:30"},
		{RULE("{time: 'mon- 09:00-17:00'}"), 6, 17, "write 09:00-17:30"},
		{RULE("{domian: x.org}"), 6, 11, "did you mean 'domain'"},
		{RULE("{tool: x}\n  unless: {}"), 7, 11, "empty 'unless'"},
		{RULE("{tool: x}\n  unless: []"), 7, 11, "empty list"},
		{RULE("{tool: x}\n  unless: x"), 7, 11, "must be a map"},
		{RULE("{tool: x}\n  unless: [{tool: y}, {}]"), 7, 23, "empty 'unless'"},
		{RULE("{tool: x}\n  unless: {tol: y}"), 7, 12, "did you mean 'tool'"},
		{RULE("{tool: x}\n  unless: {path: /x}"), 7, 11, "never matches"},
		{RULE("{protocol: tcp}\n  unless: {protocol: udp}"), 7, 11, "never matches"},
	};

	(void)state;
	check_refusals(cases, ARRAY_SIZE(cases));
}

static void test_characters_that_deceive_are_refused(void **state)
{
	static const struct refusal cases[] = {
		{HEAD "# \xff\n", 3, 3, "0xff is not valid UTF-8"},
		{HEAD "# \xc0\xaf\n", 3, 3, "not valid UTF-8"},
		{HEAD "# caf\xc3\xa9 \xed\xa0\x80\n", 3, 8, "not valid UTF-8"},
		{HEAD "# a\xe2\x80\xa8"
		      "default: allow\n",
		 3, 4, "line separator"},
		{HEAD "# a\rdefault: allow\n", 3, 4, "carriage return"},
		{HEAD "# \xe2\x80\xae\n", 3, 3, "bidirectional"},
		{HEAD "# \x1b[2K\n", 3, 3, "control character"},
		{HEAD "default: allow\n#\xef\xbb\xbf\n", 4, 2, "invisible"},
		{HEAD "description: \"a\\0b\"\ndefault: allow\n", 3, 14, "NUL"},
	};
	struct diag d;

	(void)state;
	check_refusals(cases, ARRAY_SIZE(cases));
	harness_parse_error("version: 1\0", 11, &d);
	assert_non_null(strstr(d.message, "NUL byte"));
}

static void test_crlf_and_byte_order_mark_are_accepted(void **state)
{
	struct harness h;

	(void)state;
	h = harness_one("\xef\xbb\xbfversion: 1\r\nname: t\r\ndefault: allow\r\n");
	assert_string_equal(policy_name(policy_stack_get(h.stack, 0)), "t");
	harness_fini(&h);
}

static void test_depth_has_a_limit(void **state)
{
	char text[256] = HEAD "default: ";
	struct diag d;

	(void)state;
	memset(text + strlen(text), '[', POLICY_MAX_DEPTH + 1);
	harness_parse_error(text, strlen(text), &d);
	assert_non_null(strstr(d.message, "too deeply"));
	/* One less is refused for what it is. */
	text[strlen(text) - 2] = '\0';
	harness_parse_error(text, strlen(text), &d);
	assert_null(strstr(d.message, "too deeply"));
}

static void test_size_has_a_limit(void **state)
{
	char *text = malloc(POLICY_MAX_BYTES + 1);
	const char *head = HEAD "default: allow\n#";
	struct policy *p = NULL;
	struct diag d;

	(void)state;
	assert_non_null(text);
	memset(text, 'x', POLICY_MAX_BYTES + 1);
	memcpy(text, head, strlen(head));
	harness_parse_error(text, POLICY_MAX_BYTES + 1, &d);
	assert_non_null(strstr(d.message, "larger than 16 MiB"));
	assert_int_equal(policy_parse("t", (struct bytes){.p = text, .len = POLICY_MAX_BYTES},
				      &harness_vars, &p, &d),
			 0);
	policy_free(p);
	free(text);
}

static void test_everything_at_once_loads(void **state)
{
	struct harness h;
	const struct policy *p;

	(void)state;
	h = harness_one(
		"version: 1\n"
		"name: all.of_it-1\n"
		"description: every key\n"
		"mode: enforce\n"
		"log_reads: true\n"
		"grant: [ptrace, io_uring]\n"
		"default: {tool: allow, path: ask, read: allow, write: deny, network: deny,\n"
		"  connect: ask, send: ask, bind: flag, listen: flag, unix: allow}\n"
		"rules:\n"
		"- name: a rule\n"
		"  match: {tool: [http_request, 'git-*', '~^py', /usr/bin/**], args_pattern: [a, b],\n"
		"    op: [exec, connect], address: [1.2.3.4, '::1', 10.0.0.0/8],\n"
		"    port: [1, 2-3, '4'], protocol: [tcp, udp]}\n"
		"  action: flag\n"
		"  reason: because\n"
		"  priority: -5\n");
	p = policy_stack_get(h.stack, 0);
	assert_string_equal(policy_name(p), "all.of_it-1");
	assert_string_equal(policy_file(p), "test.yaml");
	assert_int_equal(policy_rule_count(p), 1);
	assert_int_equal(policy_get_mode(p), POLICY_MODE_ENFORCE);
	assert_true(policy_stack_logs_reads(h.stack));
	harness_fini(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_structure_is_refused_with_position),
		cmocka_unit_test(test_rules_are_refused_with_position),
		cmocka_unit_test(test_the_newer_keys_are_refused_with_position),
		cmocka_unit_test(test_characters_that_deceive_are_refused),
		cmocka_unit_test(test_crlf_and_byte_order_mark_are_accepted),
		cmocka_unit_test(test_depth_has_a_limit),
		cmocka_unit_test(test_size_has_a_limit),
		cmocka_unit_test(test_everything_at_once_loads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
