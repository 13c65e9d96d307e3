/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A domain of a rule, a newline, the name of a host. What is taken for a domain must match as its
 * labels say, and the compiled table of a policy must say the same.
 */
#include "base/strbuf.h"

#include "policy/domain.h"
#include "policy/policy.h"

#define MAX_LABELS 600

static size_t split(struct bytes name, struct bytes *labels)
{
	size_t n = 0, begin = 0;

	for (size_t i = 0; i <= name.len && n < MAX_LABELS; i++)
		if (i == name.len || name.p[i] == '.') {
			labels[n++] = (struct bytes){.p = name.p + begin, .len = i - begin};
			begin = i + 1;
		}
	return n;
}

static bool same_label(struct bytes a, struct bytes b)
{
	return a.len == b.len && strncasecmp(a.p, b.p, a.len) == 0 && !memchr(a.p, '\0', a.len);
}

/* @pattern is well-formed; the labels before those of '*.x.org' may be any, but not one that is
 * empty. */
static bool slow_match(struct bytes pattern, struct bytes name)
{
	struct bytes want[MAX_LABELS], have[MAX_LABELS];
	bool is_below = pattern.p[0] == '*';
	size_t n_want, n_have;

	if (name.len && name.p[name.len - 1] == '.')
		name.len--;
	if (pattern.p[pattern.len - 1] == '.')
		pattern.len--;
	if (pattern.len == 1 && is_below)
		return name.len > 0;
	n_want = split(pattern, want);
	n_have = split(name, have);
	if (is_below ? n_have < n_want : n_have != n_want)
		return false;
	for (size_t i = 1; i <= n_want - is_below; i++)
		if (!same_label(want[n_want - i], have[n_have - i]))
			return false;
	/* '.x.org' is below nothing. */
	return !is_below || n_have > n_want || have[0].len > 0;
}

static bool policy_match(struct bytes pattern, struct bytes name)
{
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(4096);
	const struct policy_address address = {.protocol = POLICY_PROTO_TCP};
	const struct policy_query q = {.kind = KIND_NETWORK,
				       .op = OP_CONNECT,
				       .domains = &name,
				       .n_domains = 1,
				       .address = &address};
	struct policy_scratch *scratch = NULL;
	struct policy_stack *stack = NULL;
	struct policy *p = NULL;
	struct policy_result r = {};
	struct diag d = {};

	strbuf_add_fmt(&text,
		       "{version: 1, name: f, default: allow, rules: [{name: r, action: deny, "
		       "match: {domain: '");
	strbuf_add(&text, pattern.p, pattern.len);
	strbuf_add_str(&text, "'}}]}");
	if (policy_parse("f", strbuf_bytes(&text), NULL, &p, &d) < 0 ||
	    policy_stack_new(&p, 1, false, &stack, &d) < 0)
		abort();
	scratch = policy_scratch_new(stack);
	if (scratch)
		policy_stack_eval(stack, scratch, &q, &r);
	policy_scratch_free(scratch);
	policy_stack_free(stack);
	return r.verdict == VERDICT_DENY;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena mem = ARENA_INIT((size_t)1 << 20);
	const uint8_t *newline = size ? memchr(data, '\n', size) : NULL;
	char why[DOMAIN_WHY_SIZE] = "";
	struct domain_pattern domain;
	struct bytes pattern, name;
	int r;

	if (!newline || newline == data || size > 1000)
		return 0;
	pattern = arena_copy(&mem, data, (size_t)(newline - data));
	name = (struct bytes){.p = (const char *)newline + 1,
			      .len = size - (size_t)(newline + 1 - data)};
	r = domain_pattern_parse(&mem, pattern, &domain, why);
	if (r == -EINVAL && !why[0])
		abort(); /* a refusal says why */
	if (r == 0 && (domain_match(&domain, name) != slow_match(pattern, name) ||
		       policy_match(pattern, name) != slow_match(pattern, name)))
		abort();
	arena_fini(&mem);
	return 0;
}
