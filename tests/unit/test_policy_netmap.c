/* SPDX-License-Identifier: Apache-2.0 */
/* The tables for the kernel say what the stack says, of every address and port. */
#include "policy/address.h"
#include "policy/naming.h"
#include "policy/netmap.h"

#include "tests/unit/policy_harness.h"

#define ROUNDS 20000

static const char *obstacle_of(const char *text)
{
	struct harness h = harness_one(text);
	struct netmap *m = NULL;
	const char *why = NULL;
	int r = netmap_new(h.stack, "agent", &m, &why);

	assert_true(r == 0 || r == -EOPNOTSUPP);
	assert_int_equal(r == 0, why == NULL);
	netmap_free(m);
	harness_fini(&h);
	return why;
}

static size_t longest(const struct netmap *m, const struct policy_address *a)
{
	size_t best = SIZE_MAX;

	for (size_t i = 0; i < m->n_prefixes; i++) {
		struct address_range range = {.bits = m->prefixes[i].bits,
					      .is_v4 = m->prefixes[i].is_v4};

		memcpy(range.ip, m->prefixes[i].ip, 16);
		if (address_range_has(&range, a) &&
		    (best == SIZE_MAX || m->prefixes[i].bits > m->prefixes[best].bits))
			best = i;
	}
	assert_true(best != SIZE_MAX);
	return best;
}

static enum verdict ask_stack(const struct harness *h, enum action_op op,
			      const struct policy_address *a)
{
	struct policy_name names[POLICY_MAX_NAMES];
	struct policy_query q = {.kind = KIND_NETWORK,
				 .op = op,
				 .names = names,
				 .address = a,
				 .agent = BYTES_LIT("agent"),
				 .minute_of_week = 77};
	struct policy_result r;

	q.n_names = policy_names_init(names, op);
	policy_stack_eval(h->stack, h->scratch, &q, &r);
	return r.verdict;
}

/* Near what the rules name, where a mistake would be. */
static void choose(struct policy_address *a, const struct netmap *m, unsigned *seed)
{
	static const enum policy_protocol protocols[] = {POLICY_PROTO_TCP, POLICY_PROTO_UDP,
							 POLICY_PROTO_OTHER};
	const struct netmap_prefix *p = &m->prefixes[(size_t)rand_r(seed) % m->n_prefixes];
	size_t size = p->is_v4 ? 4 : 16;
	unsigned bit = (unsigned)rand_r(seed) % ((unsigned)size * 8);

	*a = (struct policy_address){.has_ip = true,
				     .is_v4 = p->is_v4,
				     .protocol = protocols[(unsigned)rand_r(seed) % 3]};
	memcpy(a->ip, p->ip, size);
	for (size_t i = p->bits / 8U; i < size; i++)
		if (rand_r(seed) % 3)
			a->ip[i] |= (uint8_t)((unsigned)rand_r(seed) &
					      (i == p->bits / 8U ? 0xffu >> p->bits % 8 : 0xffu));
	if (rand_r(seed) % 2)
		a->ip[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
	a->port = (uint16_t)(rand_r(seed) % 4 ? 75 + (unsigned)rand_r(seed) % 20
					      : (unsigned)rand_r(seed));
}

static void compare(const char *const *texts, size_t n, bool can_ask)
{
	static const enum action_op ops[] = {OP_CONNECT, OP_SEND, OP_BIND};
	struct harness h = harness_stack(texts, n, false);
	struct netmap *m = NULL;
	const char *why = NULL;
	unsigned seed = 11;
	unsigned met[_VERDICT_MAX] = {};

	if (netmap_new(h.stack, "agent", &m, &why) < 0)
		fail_msg("%s", why);
	assert_int_equal(m->can_ask, can_ask);
	for (int i = 0; i < ROUNDS; i++) {
		enum netmap_op op = (enum netmap_op)((unsigned)rand_r(&seed) % _NETMAP_OP_MAX);
		struct policy_address a;
		size_t cell;

		choose(&a, m, &seed);
		cell = netmap_cell(m, op, a.protocol, longest(m, &a), m->ports[a.port]);
		assert_true(cell < m->n_verdicts);
		assert_int_equal(m->verdicts[cell], ask_stack(&h, ops[op], &a));
		met[m->verdicts[cell]]++;
	}
	assert_true(met[VERDICT_ALLOW] && met[VERDICT_DENY]);
	netmap_free(m);
	harness_fini(&h);
}

static const char nested[] =
	"version: 1\nname: n\ndefault: {network: deny}\nrules:\n"
	"  - {name: a, match: {address: [10.0.0.0/8, '2001:db8::/32'], port: [80, 82-85]}, action: allow}\n"
	"  - {name: b, match: {address: 10.1.0.0/16}, action: deny, priority: 5}\n"
	"  - {name: c, match: {address: 10.1.2.0/24, protocol: tcp}, action: allow, priority: 4}\n"
	"  - {name: d, match: {address: ['10.1.2.3', '10.1.2.255', '::1']}, action: flag, priority: 3,\n"
	"     unless: {port: 84}}\n"
	"  - {name: e, match: {op: bind, port: 0}, action: allow}\n"
	"  - {name: f, match: {address: [0.0.0.0/1, 128.0.0.0/1], op: send, protocol: udp, port: 79}, action: allow}\n";

static void test_nested(void **state)
{
	const char *const texts[] = {nested};

	(void)state;
	compare(texts, 1, false);
}

static void test_stack(void **state)
{
	const char *const texts[] = {
		nested,
		"version: 1\nname: m\ndefault: {network: allow}\nrules:\n"
		"  - {name: x, match: {address: 10.1.2.0/25, port: 81-90}, action: ask}\n"
		"  - {name: y, match: {agent: other, address: 10.0.0.0/8}, action: deny}\n",
		"version: 1\nname: o\nmode: audit\ndefault: {network: deny}\n",
	};

	(void)state;
	compare(texts, ARRAY_SIZE(texts), true);
}

static void test_obstacles(void **state)
{
	(void)state;
#define RULE(keys)                                                                                 \
	"version: 1\nname: n\ndefault: {network: deny}\nrules:\n"                                  \
	"  - {name: a, match: {" keys "}, action: allow}\n"
	assert_string_equal(obstacle_of(RULE("domain: example.org")), "a rule names hosts");
	assert_string_equal(obstacle_of(RULE("op: connect, cwd: /x")),
			    "a rule on connections has `cwd`");
	assert_string_equal(obstacle_of(RULE("op: connect, parent: curl")),
			    "a rule on connections has `parent`");
	assert_string_equal(obstacle_of(RULE("op: connect, time: '09:00-17:00'")),
			    "a rule on connections has `time`");
	/* Of other actions, and of unix sockets, they say nothing of addresses. */
	assert_null(obstacle_of(RULE("tool: curl, cwd: /x")));
	assert_null(obstacle_of(RULE("op: connect, path: /run/x, cwd: /x")));
	assert_null(obstacle_of(RULE("op: connect, protocol: unix, cwd: /x")));
	assert_string_equal(
		obstacle_of(
			"version: 1\nname: n\ndefault: {network: deny}\nbudget: {max_connects: 3}\n"),
		"a policy has a budget, which counts connections");
}

static bool is_unix_open(const char *text)
{
	struct harness h = harness_one(text);
	const char *why = NULL;
	bool is_open = netmap_unix_is_open(h.stack, &why);

	assert_int_equal(is_open, why == NULL);
	harness_fini(&h);
	return is_open;
}

static void test_unix(void **state)
{
#define UNIX(action, keys)                                                                         \
	"version: 1\nname: n\ndefault: {network: deny, unix: allow}\nrules:\n"                     \
	"  - {name: a, match: {" keys "}, action: " action "}\n"
	(void)state;
	assert_true(is_unix_open(UNIX("deny", "address: 10.0.0.0/8")));
	assert_true(is_unix_open(UNIX("deny", "op: connect, protocol: tcp")));
	assert_true(is_unix_open(UNIX("allow", "op: connect, path: /run/x")));
	assert_false(is_unix_open(UNIX("deny", "op: connect, path: /run/x")));
	assert_false(is_unix_open(UNIX("flag", "op: [connect, read], path: '**'")));
	assert_false(is_unix_open(UNIX("deny", "op: connect")));
	assert_false(is_unix_open(UNIX("ask", "protocol: unix")));
	assert_false(is_unix_open("version: 1\nname: n\ndefault: {network: allow, unix: deny}\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nested),
		cmocka_unit_test(test_stack),
		cmocka_unit_test(test_obstacles),
		cmocka_unit_test(test_unix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
