/* SPDX-License-Identifier: Apache-2.0 */
/* Whether somebody has to look into a connection before it is known what it means. */
#include "policy/document.h"

static bool has_name(const struct matcher *m, const struct policy_query *q)
{
	for (size_t i = 0; i < q->n_domains; i++)
		for (size_t k = 0; k < m->n_domains; k++)
			if (domain_match(&m->domains[k], q->domains[i]))
				return true;
	return false;
}

static bool has_port(const struct matcher *m, uint16_t port)
{
	for (size_t i = 0; i < m->n_ports; i++)
		if (port >= m->ports[i].low && port <= m->ports[i].high)
			return true;
	return m->n_ports == 0;
}

static bool wants_look(const struct policy *p, const struct policy_query *q)
{
	for (size_t i = 0; i < p->n_rules; i++) {
		const struct rule *rule = &p->rules[i];

		if (rule->looks && rule->match.ops & OP_BIT(q->op) &&
		    has_port(&rule->match, q->address->port) && has_name(&rule->match, q))
			return true;
	}
	return false;
}

bool policy_stack_wants_look(const struct policy_stack *s, const struct policy_query *q)
{
	if (!q->address || q->address->protocol != POLICY_PROTO_TCP || q->n_domains == 0)
		return false;
	for (size_t i = 0; i < policy_stack_size(s); i++) {
		const struct policy *p = policy_stack_enforcing(s, i);

		if (p && p->has_looks && wants_look(p, q))
			return true;
	}
	return false;
}

bool policy_stack_limits_sent(const struct policy_stack *s)
{
	for (size_t i = 0; i < policy_stack_size(s); i++) {
		const struct policy *p = policy_stack_enforcing(s, i);

		if (p && p->limits_sent)
			return true;
	}
	return false;
}
