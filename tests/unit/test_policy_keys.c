/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What single keys of `match` and `unless` match, and what they make of doubt.
 */
#include "policy/apiaction.h"
#include "policy/domain.h"
#include "policy/week.h"

#include "tests/unit/policy_harness.h"

#define HEAD       "version: 1\nname: t\ndefault: ask\nrules:\n"
#define ALLOW(map) "- {name: a, match: " map ", action: allow}\n"
#define DENY(map)  "- {name: d, match: " map ", action: deny}\n"

static struct policy_result eval(struct harness *h, const struct policy_query *q)
{
	struct policy_result r;

	policy_stack_eval(h->stack, h->scratch, q, &r);
	return r;
}

/* One policy, one query. */
static enum verdict verdict_of(const char *text, const struct policy_query *q)
{
	struct harness h = harness_one(text);
	enum verdict v = eval(&h, q).verdict;

	harness_fini(&h);
	return v;
}

#define assert_verdict(text, q, v) assert_int_equal(verdict_of(HEAD text, (q)), (v))

/* ---- argv */

struct exec {
	struct policy_query q;
	struct policy_name names[4];
	struct bytes argv[8];
	char command[256];
};

/* @command is split at blanks; argv[0] is its first word, the image is @image. */
static const struct policy_query *exec_of(struct exec *e, const char *image, const char *command)
{
	char *at = e->command, *word;

	*e = (struct exec){};
	(void)snprintf(e->command, sizeof(e->command), "%s", command);
	e->names[0].name = BYTES_LIT("bash");
	e->names[1].name = BYTES_LIT("shell");
	e->names[2].name = BYTES_LIT("exec");
	e->names[3].name = bytes_base_name(bytes_of(image));
	e->q = (struct policy_query){.kind = KIND_TOOL,
				     .op = OP_EXEC,
				     .names = e->names,
				     .n_names = 4,
				     .args = bytes_of(command),
				     .path = bytes_of(image),
				     .argv = e->argv,
				     .minute_of_week = POLICY_TIME_UNKNOWN};
	while ((word = strsep(&at, " ")))
		e->argv[e->q.argc++] = bytes_of(word);
	return &e->q;
}

static void test_argv_is_a_prefix_element_by_element(void **state)
{
	static const char *const rule = HEAD DENY("{argv: [git, [push, fetch], '~^-f', 'o*']}");
	static const struct {
		const char *command;
		enum verdict verdict;
	} cases[] = {
		{"git push -f origin main", VERDICT_DENY},
		{"git fetch -ff o", VERDICT_DENY},
		{"git push -f a/b", VERDICT_ASK},
		{"git pull -f origin", VERDICT_ASK},
		{"git push -f", VERDICT_ASK},
		{"git -C x push -f origin", VERDICT_ASK},
		{"git pushy -f origin", VERDICT_ASK},
		{"hg push -f origin", VERDICT_DENY},
	};
	struct exec e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (verdict_of(rule, exec_of(&e, "/usr/bin/git", cases[i].command)) !=
		    cases[i].verdict)
			fail_msg("%s", cases[i].command);
	/* What it was called by counts for a deny, as it is or its base name. */
	assert_int_equal(verdict_of(rule, exec_of(&e, "/opt/x", "git push -f o")), VERDICT_DENY);
	assert_int_equal(verdict_of(rule, exec_of(&e, "/opt/x", "/bin/git push -f o")),
			 VERDICT_DENY);
	assert_int_equal(verdict_of(rule, exec_of(&e, "/opt/x", "x push -f o")), VERDICT_ASK);
}

static void test_argv_0_never_serves_an_allow(void **state)
{
	struct exec e;

	(void)state;
	assert_verdict(ALLOW("{argv: [git, status]}"), exec_of(&e, "/usr/bin/git", "git status"),
		       VERDICT_ALLOW);
	assert_verdict(ALLOW("{argv: [git, status]}"), exec_of(&e, "/tmp/evil", "git status"),
		       VERDICT_ASK);
	assert_verdict(ALLOW("{argv: [/usr/bin/git]}"), exec_of(&e, "/tmp/evil", "/usr/bin/git x"),
		       VERDICT_ASK);
	assert_verdict(ALLOW("{argv: [/usr/bin/git]}"), exec_of(&e, "/usr/bin/git", "x y"),
		       VERDICT_ALLOW);
	(void)exec_of(&e, "/tmp/evil", "x status");
	e.names[3] = (struct policy_name){.name = BYTES_LIT("git"), .is_untrusted = true};
	assert_verdict(ALLOW("{argv: [git, status]}"), &e.q, VERDICT_ASK);
	assert_verdict(DENY("{argv: [git, status]}"), &e.q, VERDICT_DENY);
}

static void test_argv_does_not_know_the_names_of_every_command(void **state)
{
	struct exec e;

	(void)state;
	assert_verdict(ALLOW("{argv: [bash, -c]}"), exec_of(&e, "/usr/bin/python", "python -c x"),
		       VERDICT_ASK);
	assert_verdict(DENY("{argv: [bash, -c]}"), exec_of(&e, "/usr/bin/python", "python -c x"),
		       VERDICT_ASK);
	assert_verdict(ALLOW("{argv: [bash, -c]}"), exec_of(&e, "/usr/bin/bash", "bash -c x"),
		       VERDICT_ALLOW);
}

static void test_arguments_that_were_not_read_close(void **state)
{
	struct exec e;

	(void)state;
	(void)exec_of(&e, "/usr/bin/git", "git push");
	e.q.is_argv_cut = true;
	assert_verdict(DENY("{argv: [git, push, -f]}"), &e.q, VERDICT_DENY);
	assert_verdict(DENY("{argv: [git, pull, -f]}"), &e.q, VERDICT_ASK);
	assert_verdict(ALLOW("{argv: [git, push, -f]}"), &e.q, VERDICT_ASK);
	assert_verdict(ALLOW("{argv: [git, push]}"), &e.q, VERDICT_ALLOW);
	assert_verdict("- {name: a, match: {tool: git}, unless: {argv: [git, push, -f]}, "
		       "action: allow}\n",
		       &e.q, VERDICT_ASK);
	e.q.argv = NULL;
	e.q.argc = 0;
	e.q.is_argv_cut = false;
	assert_verdict(DENY("{argv: [git, push, -f]}"), &e.q, VERDICT_DENY);
	assert_verdict(DENY("{argv: [hg, push, -f]}"), &e.q, VERDICT_ASK);
	assert_verdict(ALLOW("{argv: [git, push]}"), &e.q, VERDICT_ASK);
}

static void test_argv_elements_may_be_paths_with_variables(void **state)
{
	struct exec e;

	(void)state;
	assert_verdict(DENY("{argv: [rm, '${project}/**']}"),
		       exec_of(&e, "/bin/rm", "rm /home/u/proj/a/b"), VERDICT_DENY);
	assert_verdict(DENY("{argv: [rm, '~/*']}"), exec_of(&e, "/bin/rm", "rm /home/u/x"),
		       VERDICT_DENY);
	assert_verdict(DENY("{argv: [rm, '~/*']}"), exec_of(&e, "/bin/rm", "rm /home/u/x/y"),
		       VERDICT_ASK);
	assert_verdict(DENY("{argv: [rm, '/h*']}"), exec_of(&e, "/bin/rm", "rm /home/u/x"),
		       VERDICT_DENY);
}

/* ---- domains */

static void test_domains_match_by_labels(void **state)
{
	static const struct {
		const char *pattern, *name;
		bool matches;
	} cases[] = {
		{"x.org", "x.org", true},
		{"x.org", "X.oRG.", true},
		{"X.ORG.", "x.org", true},
		{"x.org", "a.x.org", false},
		{"x.org", "ax.org", false},
		{"x.org", "x.org..", false},
		{"*.x.org", "a.x.org", true},
		{"*.x.org", "b.A.X.org.", true},
		{"*.x.org", "x.org", false},
		{"*.x.org", ".x.org", false},
		{"*.x.org", "ax.org", false},
		{"*.x.org", "a.x.org.evil", false},
		{"*", "anything", true},
		{"*", "", false},
		{"*", ".", false},
		{"*.org", "a.b.org", true},
		{"xn--bcher-kva.de", "XN--BCHER-KVA.de", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct arena mem = ARENA_INIT(4096);
		char why[DOMAIN_WHY_SIZE];
		struct domain_pattern p;

		assert_int_equal(domain_pattern_parse(&mem, bytes_of(cases[i].pattern), &p, why),
				 0);
		if (domain_match(&p, bytes_of(cases[i].name)) != cases[i].matches)
			fail_msg("%s on %s", cases[i].pattern, cases[i].name);
		arena_fini(&mem);
	}
}

static const struct policy_query *connect_of(struct policy_query *q, const struct bytes *domains,
					     size_t n)
{
	static struct policy_address a;

	a = harness_address("203.0.113.9", 443, POLICY_PROTO_TCP);
	*q = (struct policy_query){.kind = KIND_NETWORK,
				   .op = OP_CONNECT,
				   .args = BYTES_LIT("x"),
				   .domains = domains,
				   .n_domains = n,
				   .address = &a};
	return q;
}

static void test_names_that_share_an_address_close_alone_and_open_together(void **state)
{
	static const struct bytes good[] = {BYTES_LIT("a.x.org"), BYTES_LIT("b.x.org")};
	static const struct bytes mixed[] = {BYTES_LIT("a.x.org"), BYTES_LIT("evil.net")};
	struct policy_query q;

	(void)state;
	assert_verdict(ALLOW("{domain: '*.x.org'}"), connect_of(&q, good, 2), VERDICT_ALLOW);
	assert_verdict(ALLOW("{domain: [a.x.org, b.x.org]}"), connect_of(&q, good, 2),
		       VERDICT_ALLOW);
	assert_verdict(ALLOW("{domain: a.x.org}"), connect_of(&q, good, 2), VERDICT_ASK);
	assert_verdict(ALLOW("{domain: '*.x.org'}"), connect_of(&q, mixed, 2), VERDICT_ASK);
	assert_verdict(DENY("{domain: '*.net'}"), connect_of(&q, mixed, 2), VERDICT_DENY);
	assert_verdict(ALLOW("{domain: '*'}"), connect_of(&q, NULL, 0), VERDICT_ASK);
	assert_verdict(DENY("{domain: '*'}"), connect_of(&q, NULL, 0), VERDICT_ASK);
	/* In unless it is the other way round. */
	assert_verdict("- {name: d, match: {port: 443}, unless: {domain: '*.x.org'}, action: deny}",
		       connect_of(&q, mixed, 2), VERDICT_DENY);
	assert_verdict("- {name: d, match: {port: 443}, unless: {domain: '*.x.org'}, action: deny}",
		       connect_of(&q, good, 2), VERDICT_ASK);
	assert_verdict("- {name: a, match: {port: 443}, unless: {domain: '*.net'}, action: allow}",
		       connect_of(&q, mixed, 2), VERDICT_ASK);
}

static void test_a_domain_goes_with_port_address_and_protocol(void **state)
{
	static const struct bytes name = BYTES_LIT("x.org");
	struct policy_query q;
	struct policy_address planned = {.protocol = POLICY_PROTO_TCP, .port = 443};

	(void)state;
	assert_verdict(ALLOW("{domain: x.org, port: 443, protocol: tcp, cidr: 203.0.113.0/24}"),
		       connect_of(&q, &name, 1), VERDICT_ALLOW);
	assert_verdict(ALLOW("{domain: x.org, port: 80}"), connect_of(&q, &name, 1), VERDICT_ASK);
	assert_verdict(ALLOW("{domain: x.org, cidr: 10.0.0.0/8}"), connect_of(&q, &name, 1),
		       VERDICT_ASK);
	/* A name that has no address yet has a port already. */
	q.address = &planned;
	assert_verdict(ALLOW("{domain: x.org, port: 443}"), &q, VERDICT_ALLOW);
	assert_verdict(ALLOW("{port: 443}"), &q, VERDICT_ALLOW);
	assert_verdict(ALLOW("{domain: x.org, cidr: 0.0.0.0/0}"), &q, VERDICT_ASK);
	planned.protocol = POLICY_PROTO_OTHER;
	assert_verdict(ALLOW("{port: 443}"), &q, VERDICT_ASK);
}

static void test_a_name_longer_than_any_domain_meets_what_it_is_below(void **state)
{
	char text[300];
	const struct bytes name = {.p = text, .len = sizeof(text)};
	struct policy_query q;

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text + sizeof(text) - 6, ".x.org", 6);
	assert_verdict(DENY("{domain: '*.x.org'}"), connect_of(&q, &name, 1), VERDICT_DENY);
	assert_verdict(DENY("{domain: '*'}"), connect_of(&q, &name, 1), VERDICT_DENY);
	assert_verdict(DENY("{domain: x.org}"), connect_of(&q, &name, 1), VERDICT_ASK);
}

/* ---- who and when */

static void test_agent_cwd_and_parent(void **state)
{
	struct exec e;

	(void)state;
	(void)exec_of(&e, "/usr/bin/git", "git push");
	e.q.agent = BYTES_LIT("claude-1");
	e.q.cwd = BYTES_LIT("/home/u/proj/src");
	e.q.parent = BYTES_LIT("/usr/bin/make");
	assert_verdict(ALLOW("{tool: git, agent: 'claude-*'}"), &e.q, VERDICT_ALLOW);
	assert_verdict(ALLOW("{tool: git, agent: [codex, claude]}"), &e.q, VERDICT_ASK);
	assert_verdict(ALLOW("{cwd: '${project}/**'}"), &e.q, VERDICT_ALLOW);
	assert_verdict(ALLOW("{cwd: '${project}/*/*'}"), &e.q, VERDICT_ASK);
	assert_verdict(ALLOW("{parent: make}"), &e.q, VERDICT_ALLOW);
	assert_verdict(ALLOW("{parent: [sh, '/usr/**']}"), &e.q, VERDICT_ALLOW);
	assert_verdict(ALLOW("{parent: '~^ma'}"), &e.q, VERDICT_ALLOW);
	assert_verdict(ALLOW("{parent: ['m?', /bin/make]}"), &e.q, VERDICT_ASK);
}

static void test_what_is_not_known_closes_and_never_opens(void **state)
{
	static const char *const maps[] = {"{tool: git, agent: x}", "{tool: git, cwd: /x}",
					   "{tool: git, parent: x}",
					   "{tool: git, time: '09:00-10:00'}"};
	struct exec e;
	char text[256];

	(void)state;
	(void)exec_of(&e, "/usr/bin/git", "git push");
	for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
		const struct {
			const char *action, *key;
			enum verdict verdict;
		} cases[] = {
			{"allow", "match", VERDICT_ASK},  {"flag", "match", VERDICT_ASK},
			{"deny", "match", VERDICT_DENY},  {"allow", "unless", VERDICT_ASK},
			{"deny", "unless", VERDICT_DENY},
		};

		for (size_t j = 0; j < ARRAY_SIZE(cases); j++) {
			(void)snprintf(text, sizeof(text),
				       HEAD "- {name: r, %s%s: %s, action: %s}\n",
				       cases[j].key[0] == 'u' ? "match: {tool: git}, " : "",
				       cases[j].key, maps[i], cases[j].action);
			if (verdict_of(text, &e.q) != cases[j].verdict)
				fail_msg("%s", text);
		}
	}
}

static void test_times_of_the_week(void **state)
{
	static const struct {
		const char *range;
		unsigned day, hour, minute;
		bool has;
	} cases[] = {
		{"09:00-17:30", 0, 9, 0, true},
		{"09:00-17:30", 6, 17, 29, true},
		{"09:00-17:30", 0, 17, 30, false},
		{"09:00-17:30", 0, 8, 59, false},
		{"mon-fri 09:00-17:30", 4, 9, 0, true},
		{"mon-fri 09:00-17:30", 5, 9, 0, false},
		{"sat,sun", 6, 23, 59, true},
		{"sat,sun", 0, 0, 0, false},
		{"fri 22:00-06:00", 4, 23, 0, true},
		{"fri 22:00-06:00", 5, 5, 59, true},
		{"fri 22:00-06:00", 4, 5, 0, false},
		{"fri 22:00-06:00", 5, 22, 0, false},
		{"sun 22:00-06:00", 0, 1, 0, true},
		{"sat-mon 00:00-24:00", 0, 12, 0, true},
		{"SAT-Mon 00:00-24:00", 1, 0, 0, false},
		{"mon,wed 12:00-13:00", 2, 12, 0, true},
		{"22:00-00:00", 3, 23, 59, true},
		{"22:00-00:00", 3, 0, 0, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char why[WEEK_WHY_SIZE];
		struct week_range r;

		assert_int_equal(week_range_parse(bytes_of(cases[i].range), &r, why), 0);
		if (week_range_has(&r, (cases[i].day * 24 + cases[i].hour) * 60 +
					       cases[i].minute) != cases[i].has)
			fail_msg("case %zu: %s", i, cases[i].range);
	}
}

/* ---- unless */

static void test_unless_takes_a_rule_back(void **state)
{
	static const char *const text = HEAD "- name: d\n"
					     "  match: {path: '/srv/**'}\n"
					     "  unless:\n"
					     "  - {path: '/srv/pub/**', op: read}\n"
					     "  - {path: '/srv/tmp/**', cwd: /srv}\n"
					     "  action: deny\n";
	struct harness h = harness_one(text);
	struct policy_query q = {.kind = KIND_PATH,
				 .op = OP_READ,
				 .path = BYTES_LIT("/srv/tmp/x"),
				 .cwd = BYTES_LIT("/srv")};

	(void)state;
	assert_int_equal(harness_path(&h, OP_READ, "/srv/x").verdict, VERDICT_DENY);
	assert_int_equal(harness_path(&h, OP_READ, "/srv/pub/x").verdict, VERDICT_ASK);
	assert_int_equal(harness_path(&h, OP_WRITE, "/srv/pub/x").verdict, VERDICT_DENY);
	assert_int_equal(harness_path(&h, OP_READ, "/srv/tmp/x").verdict, VERDICT_DENY);
	assert_int_equal(eval(&h, &q).verdict, VERDICT_ASK);
	harness_fini(&h);
}

static void test_an_untrusted_name_takes_no_deny_back(void **state)
{
	struct exec e;

	(void)state;
	(void)exec_of(&e, "/tmp/x", "x y");
	e.names[3] = (struct policy_name){.name = BYTES_LIT("git"), .is_untrusted = true};
	assert_verdict("- {name: d, match: {tool: '/tmp/**'}, unless: {tool: git}, action: deny}",
		       &e.q, VERDICT_DENY);
	assert_verdict("- {name: a, match: {tool: '/tmp/**'}, unless: {tool: git}, action: allow}",
		       &e.q, VERDICT_ASK);
}

static void test_a_limit_in_unless_is_a_limit(void **state)
{
	static const char *const text = HEAD
		"- {name: a, match: {tool: git}, unless: [{args_pattern: x}, {argv: [git, y]}], "
		"action: allow}\n";
	const size_t size = 256 * 1024 + 1;
	struct harness h = harness_one(text);
	char *args = malloc(size);
	struct policy_result r;
	struct exec e;

	(void)state;
	assert_non_null(args);
	memset(args, 'x', size);
	(void)exec_of(&e, "/usr/bin/git", "git push");
	e.q.args = (struct bytes){.p = args, .len = size};
	r = eval(&h, &e.q);
	assert_int_equal(r.verdict, VERDICT_DENY);
	assert_string_equal(r.source.reason, "regex-limit");
	assert_string_equal(r.source.rule, "a");
	/* Another exception matches for certain. */
	e.argv[1] = BYTES_LIT("y");
	assert_int_equal(eval(&h, &e.q).verdict, VERDICT_ASK);
	free(args);
	harness_fini(&h);
}

/* ---- what the plan asks */

static void test_rules_on_arguments_need_them_whole(void **state)
{
	static const struct {
		const char *text;
		bool needs;
	} cases[] = {
		{HEAD DENY("{tool: git}"), false},
		{HEAD DENY("{tool: git, args_pattern: x}"), true},
		{HEAD DENY("{argv: [git, push]}"), true},
		{HEAD "- {name: d, match: {tool: git}, unless: {argv: [git, x]}, action: deny}",
		 true},
		{HEAD "- {name: d, match: {tool: read}, unless: {tool: read, args_pattern: x}, "
		      "action: deny}",
		 true},
		{HEAD DENY("{tool: read, op: read, args_pattern: x}"), false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct harness h = harness_one(cases[i].text);

		if (policy_stack_needs_args(h.stack) != cases[i].needs)
			fail_msg("%s", cases[i].text);
		harness_fini(&h);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_argv_is_a_prefix_element_by_element),
		cmocka_unit_test(test_argv_0_never_serves_an_allow),
		cmocka_unit_test(test_argv_does_not_know_the_names_of_every_command),
		cmocka_unit_test(test_arguments_that_were_not_read_close),
		cmocka_unit_test(test_argv_elements_may_be_paths_with_variables),
		cmocka_unit_test(test_domains_match_by_labels),
		cmocka_unit_test(test_names_that_share_an_address_close_alone_and_open_together),
		cmocka_unit_test(test_a_domain_goes_with_port_address_and_protocol),
		cmocka_unit_test(test_a_name_longer_than_any_domain_meets_what_it_is_below),
		cmocka_unit_test(test_agent_cwd_and_parent),
		cmocka_unit_test(test_what_is_not_known_closes_and_never_opens),
		cmocka_unit_test(test_times_of_the_week),
		cmocka_unit_test(test_unless_takes_a_rule_back),
		cmocka_unit_test(test_an_untrusted_name_takes_no_deny_back),
		cmocka_unit_test(test_a_limit_in_unless_is_a_limit),
		cmocka_unit_test(test_rules_on_arguments_need_them_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
