/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/keys.h"
#include "policy/naive.h"

/* All keys that are given; each whole, none taken as settled. */
static enum key_answer matches(const struct key_context *c, const struct matcher *m)
{
	enum key_answer a = key_of(key_ops(c, m));

	if (m->paths)
		a = key_and(a, key_of(key_paths(c, m)));
	if (m->n_domains)
		a = key_and(a, key_of(key_domains(c, m)));
	if (m->n_addresses)
		a = key_and(a, key_of(key_addresses(c, m)));
	if (m->n_ports)
		a = key_and(a, key_of(key_ports(c, m)));
	if (m->has_protocols)
		a = key_and(a, key_of(key_protocols(c, m)));
	if (m->verify)
		a = key_and(a, key_of(key_verify(c, m)));
	if (m->n_methods || m->http_paths)
		a = key_and(a, key_of(key_http(c, m)));
	if (m->agents)
		a = key_and(a, key_of(key_agents(c, m)));
	if (m->cwds)
		a = key_and(a, key_of(key_cwds(c, m)));
	if (m->n_times)
		a = key_and(a, key_of(key_times(c, m)));
	if (m->n_tools)
		a = key_and(a, key_tools(c, m));
	if (m->n_argv)
		a = key_and(a, key_argv(c, m));
	if (m->n_parents)
		a = key_and(a, key_parents(c, m));
	if (matcher_is_on_listener(m))
		a = key_and(a, key_listeners(c, m));
	if (m->n_args)
		a = key_and(a, key_args(c, m));
	return a;
}

static enum key_answer applies(const struct rule *rule, struct key_context c)
{
	enum key_answer a, except = KEY_NO;

	c.takes_doubt = key_takes_doubt(rule, false);
	c.lets_through = key_lets_through(rule, false);
	a = matches(&c, &rule->match);
	c.takes_doubt = key_takes_doubt(rule, true);
	c.lets_through = key_lets_through(rule, true);
	for (size_t i = 0; i < rule->n_unless; i++)
		except = key_or(except, matches(&c, &rule->unless[i]));
	return key_and(a, key_not(except));
}

bool naive_matches(const struct rule *rule, struct regex_scratch *scratch,
		   const struct policy_query *q)
{
	struct literal_set args = {};
	const struct key_context c = {.q = q, .scratch = scratch, .args = &args};

	return applies(rule, c) != KEY_NO;
}

/* The lowest priority above *@p, or all of them when @is_first. */
static bool next_priority(const struct policy *p, bool is_first, int64_t *at)
{
	int64_t last = *at;
	bool found = false;

	for (size_t i = 0; i < p->n_rules; i++) {
		int64_t priority = p->rules[i].priority;

		if ((is_first || priority > last) && (!found || priority < *at)) {
			*at = priority;
			found = true;
		}
	}
	return found;
}

void naive_each(const struct policy *p, struct regex_scratch *scratch, const struct policy_query *q,
		naive_fn fn, void *ctx)
{
	struct literal_set args = {};
	const struct key_context c = {.q = q, .scratch = scratch, .args = &args};
	int64_t priority = 0;

	for (bool is_first = true; next_priority(p, is_first, &priority); is_first = false)
		for (size_t i = 0; i < p->n_rules; i++) {
			const struct rule *rule = &p->rules[i];
			enum key_answer a;

			if (rule->priority != priority)
				continue;
			a = applies(rule, c);
			if (a != KEY_NO)
				fn(ctx, rule, a == KEY_LIMIT);
		}
}
