/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compiler of filters against a naive evaluation of the same rules: those of sessions, and
 * random ones, for the values that the rules speak of and their neighbours.
 */
#include <linux/audit.h>

#include "loader/filter.h"
#include "loader/filter_rules.h"

#include "tests/unit/bpf_harness.h"

#define ARCH    AUDIT_ARCH_X86_64
#define X32     0x40000000u
#define HIGHEST 500u
#define UNKNOWN (SECCOMP_RET_ERRNO | 38)

static const struct filter_frame frame = {.arch = ARCH,
					  .foreign = SECCOMP_RET_USER_NOTIF,
					  .foreign_from = X32,
					  .highest = HIGHEST,
					  .unknown = UNKNOWN};

static uint64_t seed = UNIT_SEED;

static uint64_t any(void)
{
	return unit_random(&seed);
}

static uint64_t below(uint64_t n)
{
	return any() % n;
}

/* ---- the oracle */

static bool holds(const struct filter_cmp *c, const struct seccomp_data *d)
{
	uint64_t v = d->args[c->arg];

	switch (c->op) {
	case FILTER_EQ:
		return v == c->value;
	case FILTER_NE:
		return v != c->value;
	case FILTER_GT:
		return v > c->value;
	case FILTER_MASKED:
		return (v & c->mask) == c->value;
	}
	return false;
}

static uint32_t evaluate(const struct filter_rules *rules, const struct seccomp_data *d)
{
	if (d->arch != ARCH)
		return SECCOMP_RET_USER_NOTIF;
	if ((uint32_t)d->nr >= X32)
		return d->nr == -1 ? SECCOMP_RET_ALLOW : SECCOMP_RET_USER_NOTIF;
	if ((uint32_t)d->nr > HIGHEST)
		return UNKNOWN;
	for (size_t i = 0; i < rules->n; i++) {
		const struct filter_rule *r = &rules->rules[i];
		bool all = r->nr == d->nr;

		for (unsigned int k = 0; all && k < r->n; k++)
			all = holds(&r->cmp[k], d);
		if (all)
			return r->action;
	}
	return SECCOMP_RET_ALLOW;
}

/* ---- questions */

/* What @c speaks of, or nearly. */
static uint64_t value_near(const struct filter_cmp *c)
{
	static const uint64_t changes[] = {
		0, 1, UINT64_MAX, UINT64_C(1) << 32, UINT64_C(1) << 31, UINT64_C(1) << 63};
	uint64_t v = c->value;

	switch (below(4)) {
	case 0:
		return v;
	case 1:
		return v + changes[below(ARRAY_SIZE(changes))];
	case 2:
		return v ^ (UINT64_C(1) << below(64));
	default:
		return c->op == FILTER_MASKED ? (any() & ~c->mask) | v : any();
	}
}

static void ask_near(const struct filter_rules *rules, struct seccomp_data *ret)
{
	const struct filter_rule *r = &rules->rules[below(rules->n)];

	*ret = (struct seccomp_data){.nr = r->nr, .arch = ARCH};
	if (below(16) == 0)
		ret->nr = (int)(uint32_t)(any() >> below(32));
	if (below(64) == 0)
		ret->nr = -1;
	if (below(64) == 0)
		ret->arch = AUDIT_ARCH_I386;
	for (size_t i = 0; i < ARRAY_SIZE(ret->args); i++)
		ret->args[i] = below(4) ? below(4) : any();
	for (unsigned int k = 0; k < r->n; k++)
		ret->args[r->cmp[k].arg] = value_near(&r->cmp[k]);
}

static int check(const struct filter_rules *rules, int questions)
{
	struct sock_filter *insns = malloc(BPF_MAXINSNS * sizeof(*insns));
	struct seccomp_data d;
	int n;

	assert_non_null(insns);
	n = filter_compile(rules, &frame, insns);
	for (int i = 0; n >= 0 && i < questions; i++) {
		uint32_t got, expected;

		ask_near(rules, &d);
		got = bpf_run(insns, (size_t)n, &d);
		expected = evaluate(rules, &d);
		if (got != expected)
			fail_msg("seed %#llx: call %d (%#llx, %#llx, %#llx): %#x, expected %#x",
				 (unsigned long long)seed, d.nr, (unsigned long long)d.args[0],
				 (unsigned long long)d.args[1], (unsigned long long)d.args[2], got,
				 expected);
	}
	free(insns);
	return n;
}

/* ---- rules */

static struct filter_cmp any_cmp(void)
{
	struct filter_cmp c = {.arg = (unsigned int)below(6), .op = (enum filter_op)below(4)};

	c.value = any() >> below(64);
	if (c.op != FILTER_MASKED)
		return c;
	switch (below(3)) {
	case 0:
		c.mask = UINT32_MAX;
		break;
	case 1:
		c.mask = UINT64_C(1) << below(64);
		break;
	default:
		c.mask = any() | 1;
		break;
	}
	c.value = below(8) ? any() & c.mask : c.mask;
	return c;
}

static void any_rules(struct filter_rules *ret, size_t n, unsigned int numbers)
{
	static const uint32_t actions[] = {SECCOMP_RET_USER_NOTIF, SECCOMP_RET_ERRNO | 1,
					   SECCOMP_RET_ERRNO | 22, SECCOMP_RET_ALLOW};

	ret->n = n;
	for (size_t i = 0; i < n; i++) {
		struct filter_rule *r = &ret->rules[i];

		*r = (struct filter_rule){.nr = (int)below(numbers),
					  .action = actions[below(ARRAY_SIZE(actions))],
					  .n = (unsigned int)below(FILTER_CMPS_MAX + 1)};
		/* Rows of looks at one word, as lists of ioctls are. */
		if (below(2))
			r->n = 1;
		for (unsigned int k = 0; k < r->n; k++)
			r->cmp[k] = any_cmp();
		if (i && below(2)) {
			r->nr = r[-1].nr;
			r->cmp[0].arg = r[-1].cmp[0].arg;
		}
	}
}

static void test_random_rules(void **state)
{
	static struct filter_rules rules;

	(void)state;
	for (int i = 0; i < 3000; i++) {
		any_rules(&rules, 1 + below(below(20) ? 12 : 120), 1 + (unsigned int)below(300));
		assert_true(check(&rules, 200) > 0);
	}
}

static void test_the_rules_of_every_plan(void **state)
{
	static struct filter_rules rules;
	struct filter f;

	(void)state;
	for (unsigned int bits = 0; bits < 512; bits++) {
		const struct filter_plan plan = {
			.trap_reads = bits & 1,
			.trap_handles = bits & 2,
			.trap_changes = bits & 4,
			.trap_network = bits & 8,
			.trap_accepts = bits & 16,
			.passes_ip = bits & 32,
			.trap_signals = bits & 64,
			.trap_creds = bits & 128,
			.trap_hiding = bits & 256,
		};

		assert_int_equal(filter_rules_of(&plan, &rules), 0);
		assert_true(check(&rules, 2000) > 0);
		assert_int_equal(filter_build(&plan, &f), 0);
		assert_true(f.len < BPF_MAXINSNS / 4);
		filter_fini(&f);
	}
}

static void test_no_rules_allow_all(void **state)
{
	static struct sock_filter insns[BPF_MAXINSNS];
	static const struct filter_rules none = {};
	struct seccomp_data d = {.nr = 3, .arch = ARCH};
	int n = filter_compile(&none, &frame, insns);

	(void)state;
	assert_int_equal(bpf_run(insns, (size_t)n, &d), SECCOMP_RET_ALLOW);
	d.nr = HIGHEST + 1;
	assert_int_equal(bpf_run(insns, (size_t)n, &d), UNKNOWN);
}

static void test_what_is_too_long_is_refused(void **state)
{
	static struct filter_rules rules;

	(void)state;
	any_rules(&rules, FILTER_RULES_MAX, 400);
	for (size_t i = 0; i < rules.n; i++) {
		rules.rules[i].n = FILTER_CMPS_MAX;
		for (unsigned int k = 0; k < FILTER_CMPS_MAX; k++)
			rules.rules[i].cmp[k] = any_cmp();
	}
	assert_int_equal(check(&rules, 0), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_rules),
		cmocka_unit_test(test_the_rules_of_every_plan),
		cmocka_unit_test(test_no_rules_allow_all),
		cmocka_unit_test(test_what_is_too_long_is_refused),
	};

	return cmocka_run_group_tests_name("loader/filter_rules", tests, NULL, NULL);
}
