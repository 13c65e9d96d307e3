/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy core without memory: each allocation fails once. Whatever comes of it, nothing is
 * allowed that is denied otherwise. malloc(3) and its like are this program's own here, so it does
 * not run under a sanitizer, which has its own as well.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/policy_harness.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
int main(void)
{
	puts("1..0 # skip the sanitizer has the allocator");
	return 0;
}
#else

/* Exported by glibc for this. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);

static unsigned long n_allocations, failing; /* the number of the one that fails; 0: none */

static bool fails(void)
{
	return ++n_allocations == failing;
}

void *malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	return fails() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
	return fails() ? NULL : __libc_realloc(p, size);
}

static const char native[] =
	"version: 1\nname: m\ndefault: allow\nvars: {place: /w}\n"
	"rules:\n"
	"  - {name: a, match: {path: ['${place}/secret/**', '**/*.pem', '~/.ssh/{a,b}*']}, action: deny}\n"
	"  - {name: b, match: {tool: [git, 'rm*'], args_pattern: '(push|rm)\\s+-+f'}, action: deny}\n"
	"  - {name: c, match: {address: [10.0.0.0/8, '2001:db8::/32'], port: [22, 8000-9000]}, action: deny}\n"
	"  - {name: d, match: {path: ['/w/ask'], op: read}, action: ask, ask: {timeout: 10s}}\n"
	"budget: {max_execs: 1000}\n";
static const char mesh[] = "name: m\nversion: '1'\nappliesTo: {tags: [t]}\ndefaultEffect: allow\n"
			   "rules:\n- {effect: deny, actions: ['*']}\n";
static const char action_policy[] = "policies:\n- {name: r, match: {tool: '~(file|read).*', "
				    "args_pattern: 'sec(r)et'}, action: deny}\n";

struct core {
	struct policy_stack *stack;
	struct policy_scratch *scratch;
};

static void core_fini(struct core *c)
{
	policy_scratch_free(c->scratch);
	policy_stack_free(c->stack);
}

/* Return: 0, or what kept it from being made. */
static int core_make(const char *text, struct core *ret)
{
	struct policy *p = NULL;
	struct diag d = {};
	int r = policy_parse("test.yaml", bytes_of(text), &harness_vars, &p, &d);

	*ret = (struct core){};
	if (r < 0)
		return r;
	r = policy_stack_new(&p, 1, false, &ret->stack, &d);
	if (r < 0)
		return r;
	ret->scratch = policy_scratch_new(ret->stack);
	return ret->scratch ? 0 : -ENOMEM;
}

static void check_all_denied(const char *text, struct core *c)
{
	struct harness h = {.stack = c->stack, .scratch = c->scratch};

	assert_int_equal(harness_path(&h, OP_READ, "/w/secret/key").verdict, VERDICT_DENY);
	if (text != native)
		return;
	assert_int_equal(harness_path(&h, OP_READ, "/w/x.pem").verdict, VERDICT_DENY);
	assert_int_equal(harness_path(&h, OP_WRITE, "/home/u/.ssh/b").verdict, VERDICT_DENY);
	assert_int_equal(harness_tool(&h, "git push --f", NULL).verdict, VERDICT_DENY);
	assert_int_equal(harness_ip(&h, OP_CONNECT, "10.1.2.3", 8080, POLICY_PROTO_TCP).verdict,
			 VERDICT_DENY);
	assert_int_not_equal(harness_path(&h, OP_READ, "/w/ask").verdict, VERDICT_ALLOW);
}

static void check_with_failures(const char *text)
{
	unsigned long loaded = 0, n;
	struct harness whole = harness_one(text);

	harness_fini(&whole);
	for (n = 1;; n++) {
		struct core c;
		int r;

		n_allocations = 0;
		failing = n;
		r = core_make(text, &c);
		/* Some can be done without; then all that was said holds. */
		if (r == 0)
			check_all_denied(text, &c);
		loaded += r == 0;
		failing = 0;
		core_fini(&c);
		if (n_allocations < n)
			break;
	}
	assert_true(n > 20); /* it was this allocator: parser, patterns, tables */
	print_message("%lu allocations, %lu loads went on without one\n", n, loaded);
	assert_true(loaded < n);
}

static void test_native_policy_without_memory_allows_nothing(void **state)
{
	(void)state;
	check_with_failures(native);
}

static void test_meshguard_policy_without_memory_allows_nothing(void **state)
{
	(void)state;
	check_with_failures(mesh);
}

static void test_action_policy_without_memory_allows_nothing(void **state)
{
	(void)state;
	check_with_failures(action_policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_native_policy_without_memory_allows_nothing),
		cmocka_unit_test(test_meshguard_policy_without_memory_allows_nothing),
		cmocka_unit_test(test_action_policy_without_memory_allows_nothing),
	};

	return cmocka_run_group_tests_name("policy without memory", tests, NULL, NULL);
}
#endif
