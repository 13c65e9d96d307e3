/* SPDX-License-Identifier: Apache-2.0 */
/* Rules on what a connection says first: `verify`, `http_method`, `http_path`. */
#include "tests/unit/policy_harness.h"

#define RULES                                                                                      \
	"version: 1\nname: t\ndefault: {tool: allow, network: deny}\nrules:\n"                     \
	"- {name: deny, match: {domain: evil.x, verify: sni}, action: deny}\n"                     \
	"- {name: sure, match: {domain: ['*.x'], port: 443, verify: sni}, action: allow}\n"        \
	"- {name: read, match: {domain: r.y, http_method: [GET, HEAD], http_path: /p/**},"         \
	" action: allow}\n"                                                                        \
	"- {name: never, match: {domain: d.y, http_path: /s/**}, action: deny}\n"                  \
	"- {name: d, match: {domain: d.y}, action: allow}\n"

static struct harness h;

static const char *decide_op(enum action_op op, enum policy_look look, const char *name,
			     const char *method, const char *path)
{
	const struct bytes domain = bytes_of(name);
	struct policy_address a = harness_address("192.0.2.1", 443, POLICY_PROTO_TCP);
	const struct policy_query q = {.kind = KIND_NETWORK,
				       .op = op,
				       .address = &a,
				       .domains = &domain,
				       .n_domains = 1,
				       .look = look,
				       .http_method = bytes_of(method),
				       .http_path = bytes_of(path)};
	struct policy_result r;

	policy_stack_eval(h.stack, h.scratch, &q, &r);
	return r.source.rule ? r.source.rule : verdict_name(r.verdict);
}

static const char *decide(enum policy_look look, const char *name, const char *method,
			  const char *path)
{
	return decide_op(OP_CONNECT, look, name, method, path);
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

static void test_verify(void **state)
{
	(void)state;
	assert_string_equal(decide(POLICY_LOOK_AHEAD, "a.x", NULL, NULL), "sure");
	assert_string_equal(decide(POLICY_LOOK_NAME, "a.x", NULL, NULL), "sure");
	assert_string_equal(decide(POLICY_LOOK_REQUEST, "a.x", "GET", "/"), "sure");
	assert_string_equal(decide(POLICY_LOOK_NONE, "a.x", NULL, NULL), "deny");
	assert_string_equal(decide(POLICY_LOOK_OUTER, "a.x", NULL, NULL), "deny");
	/* What closes does so in doubt as well. */
	assert_string_equal(decide(POLICY_LOOK_NONE, "evil.x", NULL, NULL), "deny");
	assert_string_equal(decide(POLICY_LOOK_NAME, "evil.x", NULL, NULL), "deny");
	assert_string_equal(decide_op(OP_RESOLVE, POLICY_LOOK_NONE, "a.x", NULL, NULL), "sure");
}

static void test_requests(void **state)
{
	(void)state;
	assert_string_equal(decide(POLICY_LOOK_AHEAD, "r.y", NULL, NULL), "read");
	assert_string_equal(decide(POLICY_LOOK_REQUEST, "r.y", "GET", "/p/a"), "read");
	assert_string_equal(decide(POLICY_LOOK_REQUEST, "r.y", "HEAD", "/p"), "read");
	assert_string_equal(decide(POLICY_LOOK_REQUEST, "r.y", "POST", "/p/a"), "deny");
	assert_string_equal(decide(POLICY_LOOK_REQUEST, "r.y", "get", "/p/a"), "deny");
	assert_string_equal(decide(POLICY_LOOK_REQUEST, "r.y", "GET", "/q"), "deny");
	assert_string_equal(decide(POLICY_LOOK_REQUEST, "r.y", "GET", NULL), "deny");
	assert_string_equal(decide(POLICY_LOOK_NAME, "r.y", NULL, NULL), "deny");
	/* A deny waits for the request, and takes what it cannot see for one that it means. */
	assert_string_equal(decide(POLICY_LOOK_AHEAD, "d.y", NULL, NULL), "d");
	assert_string_equal(decide(POLICY_LOOK_REQUEST, "d.y", "GET", "/p"), "d");
	assert_string_equal(decide(POLICY_LOOK_REQUEST, "d.y", "GET", "/s/a"), "never");
	assert_string_equal(decide(POLICY_LOOK_REQUEST, "d.y", "GET", NULL), "never");
	assert_string_equal(decide(POLICY_LOOK_NAME, "d.y", NULL, NULL), "never");
	assert_string_equal(decide(POLICY_LOOK_NONE, "d.y", NULL, NULL), "never");
}

static bool wants(const char *name, uint16_t port, enum policy_protocol protocol)
{
	const struct bytes domain = bytes_of(name);
	struct policy_address a = harness_address("192.0.2.1", port, protocol);
	const struct policy_query q = {.kind = KIND_NETWORK,
				       .op = OP_CONNECT,
				       .address = &a,
				       .domains = &domain,
				       .n_domains = 1};

	return policy_stack_wants_look(h.stack, &q);
}

static void test_what_is_looked_at(void **state)
{
	const char *const text = RULES;
	struct harness audit;

	(void)state;
	assert_true(wants("a.x", 443, POLICY_PROTO_TCP));
	assert_false(wants("a.x", 80, POLICY_PROTO_TCP));
	assert_false(wants("a.x", 443, POLICY_PROTO_UDP));
	assert_true(wants("d.y", 22, POLICY_PROTO_TCP));
	assert_false(wants("e.y", 443, POLICY_PROTO_TCP));
	/* Who only advises changes nothing. */
	audit = h;
	h = harness_stack(&text, 1, true);
	assert_false(wants("a.x", 443, POLICY_PROTO_TCP));
	harness_fini(&h);
	h = audit;
}

static void test_what_is_no_rule(void **state)
{
	static const char *const bad[] = {
		"{verify: sni}",
		"{address: 10.0.0.0/8, http_path: /a}",
		"{domain: a.x, verify: sni, protocol: udp}",
		"{domain: a.x, verify: tls}",
		"{domain: a.x, http_method: get}",
		"{domain: a.x, verify: sni, op: listen}",
		"{domain: a.x, http_path: a}",
		"{port: 80}, unless: {http_path: /a}",
		"{domain: a.x}, max_bytes_sent: 10M",
		"{domain: a.x, verify: sni}, max_bytes_sent: 0",
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct diag d;

		(void)snprintf(text, sizeof(text),
			       "version: 1\nname: t\ndefault: deny\nrules:\n"
			       "- {name: r, action: allow, match: %s}\n",
			       bad[i]);
		harness_parse_error(text, strlen(text), &d);
		assert_int_equal(d.line, 5);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verify),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_what_is_looked_at),
		cmocka_unit_test(test_what_is_no_rule),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
