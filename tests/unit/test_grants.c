/* SPDX-License-Identifier: Apache-2.0 */
/* Grants: what they cover, the set that threads look at, and their text. */
#include "approve/grantlist.h"
#include "engine/grants.h"

#include "unit.h"

#define NOW_NS (1000 * NS_PER_SEC)

static struct action_step steps[2];

static struct action tool(const char *image, const char *cwd)
{
	steps[0] =
		(struct action_step){.kind = KIND_TOOL, .op = OP_EXEC, .object = bytes_of(image)};
	return (struct action){.kind = KIND_TOOL,
			       .op = OP_EXEC,
			       .object = bytes_of(image),
			       .cwd = bytes_of(cwd),
			       .steps = {steps[0]},
			       .n_steps = 1};
}

static struct action file(enum action_op op, const char *path)
{
	return (struct action){.kind = KIND_PATH,
			       .op = op,
			       .object = bytes_of(path),
			       .steps = {{.kind = KIND_PATH, .op = op, .object = bytes_of(path)}},
			       .n_steps = 1};
}

static struct grant_subject subject_of(const struct action *a, const struct policy_ask *ask)
{
	const struct policy_source source = {.policy = "p", .rule = "r", .ask = ask};
	struct grant_subject s;

	grant_subject_of(a, &source, 0, &s);
	return s;
}

static struct grant_rule rule_from(const struct action *a, enum answer_scope scope,
				   enum answer_life life)
{
	struct grant_subject s = subject_of(a, NULL);
	struct grant_rule g;

	assert_int_equal(grant_rule_from(&s, scope, &g), 0);
	memcpy(g.id, "abcdefgh", sizeof(g.id));
	g.term.life = life;
	g.agent = BYTES_LIT("agent");
	return g;
}

static bool covers(const struct grant_rule *g, const struct action *a, const struct policy_ask *ask)
{
	struct grant_subject s = subject_of(a, ask);

	return grant_rule_covers(g, &s);
}

static void test_a_directory_is_whole_components_and_like_operations(void **state)
{
	struct action a = file(OP_WRITE, "/d/sub/f");
	struct grant_rule g = rule_from(&a, ANSWER_DIR, ANSWER_SESSION);
	struct action same = file(OP_CREATE, "/d/sub/x/y"), beside = file(OP_WRITE, "/d/subway/f");
	struct action other = file(OP_DELETE, "/d/sub/f"), above = file(OP_WRITE, "/d/f");

	(void)state;
	assert_true(covers(&g, &same, NULL));
	assert_false(covers(&g, &beside, NULL));
	assert_false(covers(&g, &other, NULL));
	assert_false(covers(&g, &above, NULL));
}

static struct grant_subject connection(enum action_op op, const char *to, const char *name)
{
	static struct policy_address tcp = {.protocol = POLICY_PROTO_TCP};
	struct action a = {.kind = KIND_NETWORK,
			   .op = op,
			   .object = bytes_of(to),
			   .steps = {{.kind = KIND_NETWORK,
				      .op = op,
				      .object = bytes_of(to),
				      .address = &tcp}},
			   .n_steps = 1};
	struct grant_subject s = subject_of(&a, NULL);

	if (name)
		s.names[s.n_names++] = bytes_of(name);
	return s;
}

static void test_a_name_is_granted_with_its_port_at_any_address(void **state)
{
	static const struct {
		enum action_op op;
		const char *to, *name;
		bool is_covered;
	} rows[] = {
		{OP_CONNECT, "192.0.2.1:443", "api.example", true},
		{OP_CONNECT, "[2001:db8::1]:443", "api.example", true},
		{OP_SEND, "192.0.2.9:443", "api.example", true},
		{OP_RESOLVE, "api.example", "api.example", true},
		{OP_CONNECT, "192.0.2.1:80", "api.example", false},
		{OP_CONNECT, "192.0.2.1:44", "api.example", false},
		{OP_CONNECT, "192.0.2.1:443", "evil.example", false},
		{OP_CONNECT, "192.0.2.1:443", "x.api.example", false},
		{OP_CONNECT, "192.0.2.1:443", NULL, false},
		{OP_BIND, "192.0.2.1:443", "api.example", false},
		{OP_RESOLVE, "evil.example", "evil.example", false},
	};
	struct grant_subject s = connection(OP_CONNECT, "192.0.2.1:443", "api.example");
	_cleanup_(strbuf_fini) struct strbuf words = STRBUF_INIT(400);
	struct grant_rule g, only;

	(void)state;
	assert_int_equal(grant_rule_from(&s, ANSWER_DOMAIN, &g), 0);
	grant_rule_describe(&g, &words);
	assert_string_equal(strbuf_str(&words),
			    "connect, send, resolve to api.example, port 443 (tcp), whatever its "
			    "address, by any program");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		s = connection(rows[i].op, rows[i].to, rows[i].name);
		if (grant_rule_covers(&g, &s) != rows[i].is_covered)
			fail_msg("row %zu", i);
	}
	/* What has no name has no such scope; of a question alone no connection comes. */
	s = connection(OP_CONNECT, "192.0.2.1:443", NULL);
	assert_int_equal(grant_rule_from(&s, ANSWER_DOMAIN, &only), -ENOTSUP);
	s = connection(OP_RESOLVE, "api.example", "api.example");
	assert_int_equal(grant_rule_from(&s, ANSWER_DOMAIN, &only), 0);
	assert_true(grant_rule_covers(&only, &s));
	s = connection(OP_CONNECT, "192.0.2.1:443", "api.example");
	assert_false(grant_rule_covers(&only, &s));
}

static void test_the_root_is_no_directory_to_grant(void **state)
{
	struct action a = file(OP_WRITE, "/f");
	struct grant_subject s = subject_of(&a, NULL);
	struct grant_rule g;

	(void)state;
	assert_int_equal(grant_rule_from(&s, ANSWER_DIR, &g), -ENOTSUP);
	assert_int_equal(grant_rule_from(&s, ANSWER_TOOL, &g), -ENOTSUP);
	assert_int_equal(grant_rule_from(&s, ANSWER_ADDRESS, &g), -ENOTSUP);
}

static void test_exact_is_each_argument_and_the_directory(void **state)
{
	const struct bytes push[] = {BYTES_LIT("git"), BYTES_LIT("push")};
	const struct bytes joined[] = {BYTES_LIT("git push")};
	struct action a = tool("/bin/git", "/w"), b = tool("/bin/git", "/w"), c = a;
	struct grant_rule g;

	(void)state;
	a.argv = c.argv = push;
	a.argc = a.argc_total = c.argc = c.argc_total = 2;
	b.argv = joined;
	b.argc = b.argc_total = 1;
	g = rule_from(&a, ANSWER_EXACT, ANSWER_SESSION);
	assert_true(covers(&g, &a, NULL));
	assert_false(covers(&g, &b, NULL));
	c.cwd = BYTES_LIT("/elsewhere");
	assert_false(covers(&g, &c, NULL));
	c.cwd = a.cwd;
	c.exe = BYTES_LIT("/bin/other-parent");
	assert_false(covers(&g, &c, NULL));
}

static void test_a_mode_is_part_of_the_exact_action(void **state)
{
	struct action a = file(OP_CHMOD, "/d/f"), b = file(OP_CHMOD, "/d/f");
	struct grant_rule g;

	(void)state;
	a.act.kind = b.act.kind = ACT_CHANGE;
	a.act.change.number[0] = 0644;
	b.act.change.number[0] = 04755;
	g = rule_from(&a, ANSWER_EXACT, ANSWER_SESSION);
	assert_true(covers(&g, &a, NULL));
	assert_false(covers(&g, &b, NULL));
}

static void test_what_was_cut_is_never_exact(void **state)
{
	struct action a = tool("/bin/git", "/w");
	struct grant_subject s;
	struct grant_rule g;

	(void)state;
	a.argc_total = 3; /* of which none was read */
	s = subject_of(&a, NULL);
	assert_int_equal(grant_rule_from(&s, ANSWER_EXACT, &g), -ENOTSUP);
}

static void test_the_asking_rule_bounds_what_covers_it(void **state)
{
	const struct policy_ask little = {.has_max_scope = true, .max_scope = ANSWER_EXACT};
	const struct policy_ask brief = {.has_max_term = true,
					 .max_term = {ANSWER_DURATION, 60 * NS_PER_SEC}};
	const char *const names[] = {"alice"};
	const struct policy_ask theirs = {.approvers = names, .n_approvers = 1};
	struct action a = file(OP_READ, "/d/f");
	struct grant_rule g = rule_from(&a, ANSWER_AGENT, ANSWER_SESSION);

	(void)state;
	assert_true(covers(&g, &a, NULL));
	assert_false(covers(&g, &a, &little));
	assert_false(covers(&g, &a, &brief));
	/* It was made at the question of a rule without approvers. */
	assert_false(covers(&g, &a, &theirs));
	g.terms = subject_of(&a, &theirs).terms;
	assert_true(covers(&g, &a, &theirs));
	g.is_deny = true; /* a no needs nobody's leave */
	assert_true(covers(&g, &a, &little));
}

static void test_a_deny_goes_first_and_what_has_expired_is_none(void **state)
{
	struct action a = file(OP_READ, "/d/f");
	struct grant_rule allow = rule_from(&a, ANSWER_AGENT, ANSWER_ALWAYS);
	struct grant_rule deny = rule_from(&a, ANSWER_EXACT, ANSWER_DURATION);
	const struct grant_rule *const both[] = {&allow, &deny};
	struct grant_subject s = subject_of(&a, NULL);
	struct grant_answer answer;
	struct grant_set *set;
	struct grants *g;

	(void)state;
	memcpy(deny.id, "zzzzzzzz", sizeof(deny.id));
	deny.is_deny = true;
	deny.expires_ns = NOW_NS;
	assert_int_equal(grants_new(&g), 0);
	assert_false(grants_find(g, &s, NOW_NS, true, &answer));
	assert_int_equal(grant_set_new(both, 2, &set), 0);
	grants_swap(g, set);
	assert_true(grants_find(g, &s, NOW_NS - 1, true, &answer));
	assert_true(answer.is_deny);
	assert_string_equal(answer.approver, "grant:zzzzzzzz");
	assert_true(grants_find(g, &s, NOW_NS, true, &answer));
	assert_false(answer.is_deny);
	/* Uses are counted on when the set is another. */
	assert_int_equal(grant_set_new(both, 1, &set), 0);
	grants_swap(g, set);
	assert_true(grants_find(g, &s, NOW_NS, true, &answer));
	assert_int_equal(grants_used(g, "abcdefgh"), 2);
	assert_int_equal(grants_used(g, "zzzzzzzz"), 0);
	grants_swap(g, NULL);
	assert_false(grants_find(g, &s, NOW_NS, true, &answer));
	grants_free(g);
}

static void test_a_list_is_read_as_it_was_written(void **state)
{
	struct action a = file(OP_WRITE, "/d/\x1b[31m\xff/f");
	struct grant_rule g = rule_from(&a, ANSWER_DIR, ANSWER_DURATION);
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(GRANTLIST_MAX_BYTES);
	_cleanup_(strbuf_fini) struct strbuf again = STRBUF_INIT(GRANTLIST_MAX_BYTES);
	_cleanup_(grantlist_fini) struct grantlist l = {}, read = {};
	struct diag d = {};
	char *scope;

	(void)state;
	g.term.duration_ns = 60 * NS_PER_SEC;
	g.expires_ns = NOW_NS;
	memcpy(g.boot, "df9d1abc-e98a-4481-96ee-cdb381fa08b6", sizeof(g.boot));
	assert_int_equal(grantlist_add(&l, &g), 0);
	grantlist_write(&l, &text);
	assert_int_equal(grantlist_parse("f", strbuf_bytes(&text), &read, &d), 0);
	assert_int_equal(read.n, 1);
	grantlist_write(&read, &again);
	assert_string_equal(strbuf_str(&text), strbuf_str(&again));
	grantlist_expire(&read, NOW_NS - 1, g.boot);
	assert_int_equal(read.n, 1);
	grantlist_expire(&read, NOW_NS - 1, "another boot");
	assert_int_equal(read.n, 0);
	/* The same with another meaning is refused, and leaves nothing behind. */
	scope = strstr(text.p, "\"dir\"");
	assert_non_null(scope);
	memcpy(scope, "\"DIR\"", 5);
	assert_int_equal(grantlist_parse("f", strbuf_bytes(&text), &read, &d), -EINVAL);
	assert_int_equal(read.n, 0);
}

static void test_terms_and_scopes_are_within_each_other(void **state)
{
	const struct answer_term session = {.life = ANSWER_SESSION},
				 always = {.life = ANSWER_ALWAYS};
	const struct answer_term minute = {ANSWER_DURATION, 60 * NS_PER_SEC};
	const struct answer_term hour = {ANSWER_DURATION, 3600 * NS_PER_SEC};
	struct answer_term t;

	(void)state;
	assert_true(answer_term_is_within(&minute, &hour));
	assert_false(answer_term_is_within(&hour, &minute));
	assert_false(answer_term_is_within(&session, &hour));
	assert_false(answer_term_is_within(&minute, &session));
	assert_true(answer_term_is_within(&session, &always));
	assert_false(answer_scope_is_within(ANSWER_TOOL, ANSWER_DIR));
	assert_int_equal(answer_term_parse(BYTES_LIT("29s"), &t), -ENOENT);
	assert_int_equal(answer_term_parse(BYTES_LIT("30s"), &t), 0);
	assert_int_equal(answer_term_parse(BYTES_LIT("12h"), &t), 0);
	assert_int_equal(answer_term_parse(BYTES_LIT("13h"), &t), -ENOENT);
	assert_int_equal(answer_term_parse(BYTES_LIT("721m"), &t), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_directory_is_whole_components_and_like_operations),
		cmocka_unit_test(test_a_name_is_granted_with_its_port_at_any_address),
		cmocka_unit_test(test_the_root_is_no_directory_to_grant),
		cmocka_unit_test(test_exact_is_each_argument_and_the_directory),
		cmocka_unit_test(test_a_mode_is_part_of_the_exact_action),
		cmocka_unit_test(test_what_was_cut_is_never_exact),
		cmocka_unit_test(test_the_asking_rule_bounds_what_covers_it),
		cmocka_unit_test(test_a_deny_goes_first_and_what_has_expired_is_none),
		cmocka_unit_test(test_a_list_is_read_as_it_was_written),
		cmocka_unit_test(test_terms_and_scopes_are_within_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
