/* SPDX-License-Identifier: Apache-2.0 */
/* What `holdfast learn` makes of names, paths, commands and addresses. */
#include <jansson.h>
#include <stdio.h>

#include "unit.h"

#include "cli/learn_private.h"

#define MANY 40

static const struct policy_vars vars = {.home = "/home/u", .project = "/home/u/p", .tmp = "/tmp"};

/* ---- names */

static void test_random_parts_of_names_become_wildcards(void **state)
{
	static const struct {
		const char *name, *glob;
		bool is_scratch;
	} cases[] = {
		{"Makefile", "Makefile", false},
		{"libz.so.1.2.13", "libz.so.1.2.13", false},
		{"python3.11", "python3.11", false},
		{"CMakeLists.txt", "CMakeLists.txt", true},
		{"README2", "README2", true},
		{"tmpdirectory", "tmpdirectory", false},
		{"tmpabcdefgh", "tmp*", true},
		{"tmpdir_2x", "tmpdir_2x", false},
		{"tmp_obj_aB3dE9", "tmp_obj_*", false},
		{"tmp.aBcDeFgHiJ", "tmp.*", true},
		{"ccWJbLig.s", "cc*.s", true},
		{"bundle-x1Y2z3", "bundle-*", true},
		{"job4242.log", "job*.log", false}, /* a process */
		{"job4243.log", "job4243.log", false},
		{"x.140234567890.pyc", "x.*.pyc", false},
		{"3f786850e387550fdab836ed7e6dc881de23001b", "*", false},
		{"pack-3f786850e387550fdab836ed7e6dc881de23001b.idx", "pack-*.idx", false},
		{"123e4567-e89b-12d3-a456-426614174000.json", "*.json", false},
		{"log-2026-11-21.txt", "log-*.txt", false},
		{"20261121T101112", "*T*", false},
		{"123456-123456", "*-*", false},
		{"a*b?[c]{d}$e\\", "a\\*b\\?\\[c\\]\\{d\\}\\$e\\\\", false},
		{"a\nb\x1b\xff", "a?b??", false},
		{"stra\xc3\x9f"
		 "e",
		 "stra\xc3\x9f"
		 "e",
		 false},
		{"\xe2\x80\xaetxt", "???txt", false},
	};
	struct learn_pids pids = {};

	(void)state;
	learn_pids_add(&pids, 4242);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct strbuf out = STRBUF_INIT(1000);

		learn_add_name(&out, bytes_of(cases[i].name), &pids, cases[i].is_scratch);
		if (!streq(strbuf_str(&out), cases[i].glob))
			print_message("'%s'\n", cases[i].name);
		assert_string_equal(strbuf_str(&out), cases[i].glob);
		strbuf_fini(&out);
	}
	free(pids.slots);
}

/* ---- whole policies */

/* The operation; the object, with "%d" many of them; the arguments, one blank between; another
 * string: object2, interpreter. */
typedef const char *act_t[4];

static void take(struct learn *l, const act_t a, int number)
{
	struct bytes op = bytes_of(a[0]);
	bool is_exec = streq(a[0], "exec"), is_host = streq(a[0], "connect") || streq(a[0], "bind");
	char object[256];
	json_t *words = json_array(), *record;
	const char *percent = strstr(a[1], "%d");
	const uint32_t opens = OP_BIT(OP_READ) | OP_BIT(OP_WRITE) | OP_BIT(OP_CREATE);
	enum action_op parsed;

	assert_int_equal(op_parse(op, &parsed), 0);
	(void)snprintf(object, sizeof(object), "%.*s", percent ? (int)(percent - a[1]) : 255, a[1]);
	if (percent)
		(void)snprintf(object + strlen(object), sizeof(object) - strlen(object), "%c%s",
			       'a' + number % 26, percent + 2);
	for (const char *w = a[2]; w && *w;) {
		size_t n = strcspn(w, " ");

		json_array_append_new(words, json_stringn(w, n));
		w += n + (w[n] == ' ');
	}
	record = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:s*, s:s*}", "event", "action",
			   "kind",
			   is_exec   ? "tool"
			   : is_host ? "network"
				     : "path",
			   "op", a[0], "verdict", "allow", "object", object, "syscall",
			   OP_BIT(parsed) & opens ? "openat" : "other", "argv", words,
			   is_exec ? "interpreter" : "object2", a[3], "policy", "p");
	assert_non_null(record);
	assert_int_equal(learn_take(l, record), 0);
	json_decref(record);
}

struct learned {
	struct strbuf text;
	struct learn_result result;
	struct policy *policy;
};

static void learn_acts(const struct learn_config *config, const act_t *acts, size_t n,
		       struct learned *ret)
{
	struct learn *l = NULL;
	struct diag d = {};

	*ret = (struct learned){.text = STRBUF_INIT(POLICY_MAX_BYTES)};
	assert_int_equal(learn_new(config, &l), 0);
	for (size_t i = 0; i < n; i++)
		for (int k = 0; k < (strstr(acts[i][1], "%d") ? MANY : 1); k++)
			take(l, acts[i], k);
	assert_int_equal(learn_write(l, &ret->text, &ret->result, &d), 0);
	assert_int_equal(policy_parse("x", strbuf_bytes(&ret->text), &vars, &ret->policy, &d), 0);
	assert_int_equal(policy_rule_count(ret->policy), ret->result.n_rules);
	learn_free(l);
}

static void learned_fini(struct learned *x)
{
	policy_free(x->policy);
	strbuf_fini(&x->text);
}

static struct learn_config plain_config(void)
{
	return (struct learn_config){.vars = vars,
				     .name = "learned",
				     .from = "a test",
				     .fallback = VERDICT_DENY,
				     .max_rules = LEARN_MAX_RULES};
}

static void assert_line(const struct learned *x, const char *line)
{
	if (!strstr(strbuf_str(&x->text), line))
		print_message("no '%s' in:\n%s\n", line, strbuf_str(&x->text));
	assert_non_null(strstr(strbuf_str(&x->text), line));
}

static void assert_no_line(const struct learned *x, const char *line)
{
	if (strstr(strbuf_str(&x->text), line))
		print_message("'%s' in:\n%s\n", line, strbuf_str(&x->text));
	assert_null(strstr(strbuf_str(&x->text), line));
}

static void test_paths_are_generalised_where_enough_were_seen(void **state)
{
	static const struct {
		act_t acts[3];
		const char *has, *has_not;
	} cases[] = {
		{{{"read", "/home/u/p/a"}}, "\"${project}/a\"", "**"},
		{{{"read", "/home/u/p/src/%d.c"}}, "\"${project}/src/*.c\"", "/**\""},
		{{{"read", "/home/u/p/src/%d"}},
		 "\"${project}/src/**\"",
		 "path: [\"${project}/src/a"},
		{{{"read", "/home/u/p/%d/x"}}, "\"${project}/**\"", NULL},
		{{{"create", "/tmp/tmpab3d5f7h/x"}, {"create", "/tmp/tmpab3d5f7h/y"}},
		 "\"${tmp}/tmp*/**\"",
		 NULL},
		{{{"create", "/tmp/%d"}}, "\"${tmp}/a\"", "${tmp}/**"},
		{{{"read", "/home/u/%d"}}, "\"~/a\"", "~/**"},
		{{{"read", "/home/u/.config/%d/x"}}, "\"~/.config/a/x\"", ".config/**"},
		{{{"read", "/home/u/.cache/x/%d"}}, "\"~/.cache/x/**\"", NULL},
		{{{"read", "/etc/%d"}}, "\"/etc/a\"", "/etc/**"},
		{{{"read", "/etc/alternatives/%d"}},
		 "\"/etc/alternatives/a\"",
		 "/etc/alternatives/*"},
		{{{"read", "/usr/lib/x/y"}}, "\"/usr/**\"", "path: [\"/usr/lib"},
		{{{"write", "/usr/lib/x/%d"}}, "\"/usr/lib/x/a\"", "/usr/**"},
		{{{"read", "/proc/4242/status"}}, "\"/proc/*/status\"", "4242/status\"]"},
		{{{"read", "/proc/12/task/13/comm"}}, "\"/proc/*/task/*/comm\"", NULL},
		{{{"read", "/proc/sys/kernel/osrelease"}}, "\"/proc/sys/kernel/osrelease\"", NULL},
		{{{"write", "/dev/pts/7"}}, "\"/dev/pts/*\"", NULL},
		{{{"mkdir", "/home/u/p/.git/objects/3f"}}, "\"${project}/.git/objects/*\"", NULL},
		{{{"mkdir", "/tmp/work-abcdef"}, {"delete", "/tmp/work-abcdef"}},
		 "\"${tmp}/work-*\"",
		 NULL},
		{{{"bind", "unix:/tmp/s"}}, "op: [create, bind]", NULL},
	};
	const struct learn_config config = plain_config();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct learned x;
		size_t n = 0;

		while (n < 3 && cases[i].acts[n][0])
			n++;
		learn_acts(&config, cases[i].acts, n, &x);
		assert_line(&x, cases[i].has);
		if (cases[i].has_not) {
			/* The denies of secrets stand above, with globs of their own. */
			char *denies = strstr(x.text.p, "name: secrets-1");
			char *end = denies ? strstr(denies, "  - name:") : NULL;

			if (end)
				memset(denies, ' ', (size_t)(end - denies));
			assert_no_line(&x, cases[i].has_not);
		}
		learned_fini(&x);
	}
}

static void test_operations_stay_apart(void **state)
{
	static const act_t acts[] = {{"read", "/home/u/p/src/%d"},
				     {"delete", "/home/u/p/src/a"},
				     {"rename", "/home/u/p/x", NULL, "/home/u/p/y"}};
	const struct learn_config config = plain_config();
	struct learned x;

	(void)state;
	learn_acts(&config, acts, ARRAY_SIZE(acts), &x);
	assert_line(&x, "path: [\"${project}/src/a\"]\n      op: [delete]");
	assert_line(&x, "path: [\"${project}/src/**\"]\n      op: [read]");
	assert_line(&x, "path: [\"${project}/x\"]\n      op: [rename]");
	assert_line(&x, "path: [\"${project}/y\"]\n      op: [create, rename]");
	learned_fini(&x);
}

static void test_commands_become_beginnings(void **state)
{
	static const struct {
		act_t acts[4];
		const char *has;
	} cases[] = {
		{{{"exec", "/usr/bin/git", "git commit -m x"},
		  {"exec", "/usr/bin/git", "git add ."}},
		 "argv: [\"/usr/bin/git\", [\"add\", \"commit\"]]"},
		{{{"exec", "/usr/bin/git", "git -C /x commit -m x"}},
		 "argv: [\"/usr/bin/git\", \"-C\", \"*\", \"commit\"]"},
		{{{"exec", "/usr/bin/git", "git --git-dir=/x/y log"}},
		 "argv: [\"/usr/bin/git\", \"--git-dir=*\", \"log\"]"},
		{{{"exec", "/usr/bin/git", "git remote add x y"}},
		 "argv: [\"/usr/bin/git\", \"remote\", \"add\"]"},
		{{{"exec", "/usr/bin/git", "git"}}, "args_pattern: \"^\\\\S*$\""},
		{{{"exec", "/usr/bin/npm", "npm run build", "/usr/bin/node"}},
		 "argv: [\"/usr/bin/npm\", \"run\", \"build\"]"},
		{{{"exec", "/usr/bin/npm", "npm run build", "/usr/bin/node"}},
		 "tool: [\"/usr/bin/node\"]"},
		{{{"exec", "/usr/bin/python3.11", "python3 -c print(1)"}},
		 "tool: [\"/usr/bin/python3.11\"]"},
		{{{"exec", "/usr/bin/python3.11", "python3 -m unittest -q"}},
		 "argv: [\"/usr/bin/python3.11\", \"-m\", \"unittest\"]"},
		{{{"exec", "/usr/bin/dash", "sh /home/u/p/x.sh a"}},
		 "argv: [\"/usr/bin/dash\", \"${project}/x.sh\"]"},
		{{{"exec", "/usr/bin/dash", "sh ~x"}}, "argv: [\"/usr/bin/dash\", \"\\\\~x\"]"},
		{{{"exec", "/usr/bin/make", "make all"}}, "tool: [\"/usr/bin/make\"]"},
		{{{"exec", "/usr/bin/frob", "frob once"}}, "tool: [\"/usr/bin/frob\"]"},
		{{{"exec", "/home/u/p/build/%d", "x"}}, "tool: [\"${project}/build/**\"]"},
	};
	const struct learn_config config = plain_config();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct learned x;
		size_t n = 0;

		while (n < 4 && cases[i].acts[n][0])
			n++;
		learn_acts(&config, cases[i].acts, n, &x);
		assert_line(&x, cases[i].has);
		assert_line(&x, "examples:");
		learned_fini(&x);
	}
}

static void test_words_that_come_again_are_subcommands(void **state)
{
	static const act_t acts[] = {{"exec", "/usr/bin/frob", "frob start x"},
				     {"exec", "/usr/bin/frob", "frob start y"},
				     {"exec", "/usr/bin/frob", "frob start z"},
				     {"exec", "/usr/bin/frob", "frob stop x"},
				     {"exec", "/usr/bin/frob", "frob stop y"},
				     {"exec", "/usr/bin/frob", "frob stop z"}};
	const struct learn_config config = plain_config();
	struct learned x;

	(void)state;
	learn_acts(&config, acts, ARRAY_SIZE(acts), &x);
	assert_line(&x, "argv: [\"/usr/bin/frob\", [\"start\", \"stop\"]]");
	learned_fini(&x);
}

static void test_strict_keeps_what_a_shell_was_given(void **state)
{
	static const act_t acts[] = {{"exec", "/usr/bin/dash", "sh -c make"}};
	struct learn_config config = plain_config();
	struct learned x;

	(void)state;
	config.is_strict = true;
	learn_acts(&config, acts, ARRAY_SIZE(acts), &x);
	assert_line(&x, "argv: [\"/usr/bin/dash\", \"-c\", \"make\"]");
	learned_fini(&x);
}

static void test_addresses(void **state)
{
	static const act_t acts[] = {{"connect", "127.0.0.1:5432"},
				     {"connect", "127.0.0.1:41234"},
				     {"bind", "0.0.0.0:0"},
				     {"connect", "192.0.2.7:443"},
				     {"connect", "[2001:db8::1]:443"},
				     {"connect", "family:42"}};
	const struct learn_config config = plain_config();
	struct learned x;

	(void)state;
	learn_acts(&config, acts, ARRAY_SIZE(acts), &x);
	assert_line(&x, "op: [connect]\n      address: [\"127.0.0.0/8\"]\n      port: 5432");
	assert_line(&x, "address: [\"127.0.0.0/8\"]\n      port: 32768-65535");
	assert_line(&x, "op: [bind]\n      address: [\"0.0.0.0\"]\n      port: 0");
	assert_line(&x, "address: [\"192.0.2.7\", \"2001:db8::1\"]\n      port: 443");
	assert_int_equal(x.result.n_dropped, 1);
	learned_fini(&x);
}

static void test_secrets_are_comments_and_denied_before_trees(void **state)
{
	static const act_t acts[] = {{"read", "/home/u/p/%d"},
				     {"read", "/home/u/.ssh/id_rsa"},
				     {"read", "/home/u/.ssh/known_hosts"},
				     {"read", "/home/u/p/.env"},
				     {"read", "/proc/77/environ"}};
	const struct learn_config config = plain_config();
	struct learned x;
	const char *deny, *tree;

	(void)state;
	learn_acts(&config, acts, ARRAY_SIZE(acts), &x);
	assert_int_equal(x.result.n_secrets, 3);
	assert_line(&x, "\n#      path: [\"~/.ssh/id_rsa\"]\n");
	assert_line(&x, "\n#      path: [\"${project}/.env\"]\n");
	assert_line(&x, "\n      path: [\"~/.ssh/known_hosts\"]\n");
	deny = strstr(x.text.p, "name: secrets-1");
	tree = strstr(x.text.p, "\"${project}/**\"");
	assert_non_null(deny);
	assert_non_null(tree);
	assert_true(deny < tree);
	learned_fini(&x);
}

static void test_there_are_no_more_rules_than_asked_for(void **state)
{
	static const act_t acts[] = {
		{"read", "/home/u/p/%d"},        {"write", "/home/u/p/x/%d"},
		{"delete", "/srv/a/b/%d"},       {"exec", "/usr/bin/git", "git commit"},
		{"exec", "/usr/bin/git", "git"}, {"connect", "192.0.2.1:1"},
		{"connect", "192.0.2.1:2"},      {"connect", "192.0.2.1:3"}};
	struct learn_config config = plain_config();
	struct learned x;

	(void)state;
	config.max_rules = 4;
	learn_acts(&config, acts, ARRAY_SIZE(acts), &x);
	assert_int_equal(x.result.n_rules, 4);
	assert_true(x.result.n_dropped > 0);
	assert_line(&x, "name: secrets-1"); /* never left out */
	learned_fini(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_parts_of_names_become_wildcards),
		cmocka_unit_test(test_paths_are_generalised_where_enough_were_seen),
		cmocka_unit_test(test_operations_stay_apart),
		cmocka_unit_test(test_commands_become_beginnings),
		cmocka_unit_test(test_words_that_come_again_are_subcommands),
		cmocka_unit_test(test_strict_keeps_what_a_shell_was_given),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_secrets_are_comments_and_denied_before_trees),
		cmocka_unit_test(test_there_are_no_more_rules_than_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
