/* SPDX-License-Identifier: Apache-2.0 */
/* Rules on who listens on a unix socket: `listener`, `listener_user`. */
#include "tests/unit/policy_harness.h"

#define RULES                                                                                      \
	"version: 1\nname: t\ndefault: {tool: allow, unix: deny}\nrules:\n"                        \
	"- {name: bad, match: {path: /run/x, listener: bad}, action: deny}\n"                      \
	"- {name: root, match: {path: /run/x, listener_user: root}, action: allow}\n"              \
	"- {name: own, match: {path: /run/x, listener: /usr/bin/*, listener_user: [self, 107]},"   \
	" action: ask}\n"                                                                          \
	"- {name: not, match: {path: /run/u}, unless: {listener_user: self}, action: deny}\n"      \
	"- {name: plain, match: {path: [/run/y, /run/u]}, action: allow}\n"

static struct harness h;

static struct policy_query query_of(const char *path, struct policy_address *a,
				    const struct policy_listener *who)
{
	*a = (struct policy_address){.protocol = POLICY_PROTO_UNIX};
	return (struct policy_query){.kind = KIND_NETWORK,
				     .op = OP_CONNECT,
				     .address = a,
				     .path = bytes_of(path),
				     .listener = who};
}

static const char *decide(const char *path, const struct policy_listener *who)
{
	struct policy_address a;
	const struct policy_query q = query_of(path, &a, who);
	struct policy_result r;

	policy_stack_eval(h.stack, h.scratch, &q, &r);
	return r.source.rule ? r.source.rule : verdict_name(r.verdict);
}

static const char *decide_text(const char *path, const char *text)
{
	struct policy_listener who;

	assert_int_equal(policy_listener_parse(bytes_of(text), &who), 0);
	return decide(path, &who);
}

static int setup(void **state)
{
	(void)state;
	h = harness_one(RULES);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	harness_fini(&h);
	return 0;
}

static void test_who_listens(void **state)
{
	(void)state;
	assert_string_equal(decide_text("/run/x", "uid 0 /usr/sbin/d"), "root");
	assert_string_equal(decide_text("/run/x", "uid 0 /opt/bad"), "bad");
	assert_string_equal(decide_text("/run/x", "uid 107 /usr/bin/d"), "own");
	assert_string_equal(decide_text("/run/x", "uid 1000 (self) /usr/bin/d"), "own");
	assert_string_equal(decide_text("/run/x", "uid 1000 /usr/bin/d"), "deny");
	assert_string_equal(decide_text("/run/x", "uid 107 /usr/bin/d/e"), "deny");
	assert_string_equal(decide_text("/run/u", "uid 1000 (self)"), "plain");
	assert_string_equal(decide_text("/run/u", "uid 0"), "not");
}

/* What is not known closes and does not open. */
static void test_unknown(void **state)
{
	(void)state;
	assert_string_equal(decide_text("/run/x", "uid 0"), "bad");
	assert_string_equal(decide("/run/x", NULL), "bad");
	assert_string_equal(decide("/run/u", NULL), "not");
	assert_string_equal(decide("/run/y", NULL), "plain");
}

/* The most that can come of it, so that what it denies needs nobody to be met. */
static void test_ahead(void **state)
{
	const struct policy_listener ahead = {.is_ahead = true};

	(void)state;
	assert_string_equal(decide("/run/x", &ahead), "root");
	assert_string_equal(decide("/run/u", &ahead), "plain");
	assert_string_equal(decide("/run/z", &ahead), "deny");
}

static bool wants(const char *path, enum action_op op)
{
	struct policy_address a;
	struct policy_query q = query_of(path, &a, NULL);

	q.op = op;
	return policy_stack_wants_listener(h.stack, &q);
}

static void test_wants(void **state)
{
	(void)state;
	assert_true(wants("/run/x", OP_CONNECT));
	assert_true(wants("/run/u", OP_CONNECT));
	assert_false(wants("/run/y", OP_CONNECT));
	assert_false(wants("/run/x", OP_SEND));
	assert_false(wants("/run/x", OP_BIND));
}

static void test_text(void **state)
{
	static const char *const good[] = {"uid 0", "uid 4294967294 (self)", "uid 12 /a b",
					   "uid 1 (self) /x (deleted)"};
	static const char *const bad[] = {
		"",           "uid",     "uid ",        "uid x",         "uid 4294967295",
		"uid 1 ",     "uid 1 x", "uid 1(self)", "uid 1 (self)x", "uid 99999999999999999999",
		"uid 1 (own)"};
	char out[POLICY_LISTENER_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct policy_listener who;

		assert_int_equal(policy_listener_parse(bytes_of(good[i]), &who), 0);
		assert_string_equal(policy_listener_format(&who, out), good[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct policy_listener who;

		assert_int_equal(policy_listener_parse(bytes_of(bad[i]), &who), -EINVAL);
	}
}

static void test_refused(void **state)
{
	static const char *const matches[] = {
		"{listener: x, port: 80}",     "{listener: x, protocol: tcp}",
		"{listener: x, domain: a.x}",  "{listener_user: alice}",
		"{listener_user: -1}",         "{listener: x, op: bind}",
		"{listener_user: 4294967295}", "{listener: x, op: read}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(matches); i++) {
		_cleanup_(strbuf_fini) struct strbuf b = STRBUF_INIT(1024);
		struct policy *p = NULL;
		struct diag diag = {};

		strbuf_add_fmt(
			&b, "version: 1\nname: t\nrules:\n- {name: r, match: %s, action: deny}\n",
			matches[i]);
		assert_int_equal(policy_parse("t", strbuf_bytes(&b), &harness_vars, &p, &diag),
				 -EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_listens), cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_ahead),       cmocka_unit_test(test_wants),
		cmocka_unit_test(test_text),        cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
