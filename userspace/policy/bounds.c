/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Upper bounds of what a stack lets through, for a layer that knows trees and ports only. One
 * policy that enforces is enough to bound the whole stack, for the strictest verdict holds; the
 * first that does is taken. An upper bound may be too wide, never too narrow: every key of a rule
 * but its paths and ports is passed over, and a hold counts as let through.
 */
#include "policy/document.h"
#include "policy/policy.h"

/*
 * The directory above the first wildcard, or above what is named. Empty: the root. Of a tree
 * ("/tmp" and all below) it is the tree's own: making or removing that itself is the supervisor's
 * to do.
 */
static struct bytes glob_directory(const struct glob *g)
{
	struct bytes dir = g->prefix;

	if (g->n_tokens == 0 || g->tokens[0].type != GLOB_TREE)
		while (dir.len && dir.p[dir.len - 1] != '/')
			dir.len--;
	while (dir.len && dir.p[dir.len - 1] == '/')
		dir.len--;
	return dir;
}

static bool defaults_deny(const struct policy *p, uint32_t ops)
{
	for (unsigned op = 0; op < OP_SYSCALL; op++)
		if ((OP_BIT(op) & ops) && p->defaults[op] != VERDICT_DENY)
			return false;
	return true;
}

static bool may_allow(const struct rule *rule, uint32_t ops)
{
	return rule->action != VERDICT_DENY && (rule->match.ops & ops);
}

static bool is_bounded(const struct policy *p, uint32_t ops)
{
	if (p->dialect || !defaults_deny(p, ops))
		return false;
	for (size_t i = 0; i < p->n_rules; i++) {
		const struct glob *g = p->rules[i].match.paths;

		if (!may_allow(&p->rules[i], ops))
			continue;
		if (!g)
			return false;
		for (; g; g = g->next)
			if (glob_directory(g).len == 0)
				return false;
	}
	return true;
}

bool policy_stack_bound_paths(const struct policy_stack *s, uint32_t ops,
			      void (*fn)(void *ctx, struct bytes dir), void *ctx)
{
	for (size_t i = 0; i < policy_stack_size(s); i++) {
		const struct policy *p = policy_stack_enforcing(s, i);

		if (!p || !is_bounded(p, ops))
			continue;
		for (size_t k = 0; fn && k < p->n_rules; k++)
			if (may_allow(&p->rules[k], ops))
				for (const struct glob *g = p->rules[k].match.paths; g; g = g->next)
					fn(ctx, glob_directory(g));
		return true;
	}
	return false;
}

/* A rule on paths is on unix sockets. */
static bool may_allow_tcp(const struct rule *rule, enum action_op op)
{
	return may_allow(rule, OP_BIT(op)) && !rule->match.paths &&
	       (rule->match.protocols >> POLICY_PROTO_TCP & 1);
}

bool policy_stack_bound_ports(const struct policy_stack *s, enum action_op op,
			      void (*fn)(void *ctx, uint16_t port), void *ctx)
{
	for (size_t i = 0; i < policy_stack_size(s); i++) {
		const struct policy *p = policy_stack_enforcing(s, i);
		bool bounded = p && !p->dialect && p->defaults[op] == VERDICT_DENY;

		for (size_t k = 0; bounded && k < p->n_rules; k++)
			if (may_allow_tcp(&p->rules[k], op))
				bounded = p->rules[k].match.n_ports != 0;
		if (!bounded)
			continue;
		for (size_t k = 0; fn && k < p->n_rules; k++)
			for (size_t n = 0;
			     may_allow_tcp(&p->rules[k], op) && n < p->rules[k].match.n_ports; n++)
				for (uint32_t port = p->rules[k].match.ports[n].low;
				     port <= p->rules[k].match.ports[n].high; port++)
					fn(ctx, (uint16_t)port);
		return true;
	}
	return false;
}

uint32_t policy_stack_required_layers(const struct policy_stack *s)
{
	uint32_t required = 0;

	for (size_t i = 0; i < policy_stack_size(s); i++) {
		const struct policy *p = policy_stack_enforcing(s, i);

		required |= p ? p->required_layers : 0;
	}
	return required;
}
