/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The question is asked of the patterns and not of the files: a tree may hold millions, and could
 * change meanwhile. Two places are alike to a pattern when after either it waits for the same rest.
 * So a rule on every ".env" wherever it is lets directories move, one on "~/.ssh" does not let go
 * of the home.
 */
#include "policy/moves.h"

/* Says of all path operations that @rule speaks of what it says itself, by path alone. */
static bool is_plain(const struct rule *a, const struct rule *rule)
{
	const struct matcher *m = &a->match;

	return m->paths && (rule->match.ops & ~m->ops) == 0 && a->n_unless == 0 &&
	       !m->has_protocols && !m->n_tools && !m->n_args && !m->n_addresses && !m->n_ports &&
	       !m->n_argv && !m->n_domains && !m->verify && !m->n_methods && !m->http_paths &&
	       !m->agents && !m->cwds && !m->n_parents && !m->n_times && !matcher_is_on_listener(m);
}

static bool covers_below(const struct rule *rule, struct bytes dir)
{
	for (const struct glob *g = rule->match.paths; g; g = g->next)
		if (glob_match_below(g, dir) == GLOB_BELOW_ALL)
			return true;
	return false;
}

/* Whether a rule that comes before @rule allows everything below @dir. */
static bool is_allowed_before(const struct policy *p, const struct rule *rule, struct bytes dir)
{
	for (size_t i = 0; i < p->n_rules; i++) {
		const struct rule *a = &p->rules[i];
		bool is_before =
			a->priority < rule->priority || (a->priority == rule->priority && a < rule);

		if (is_before && a->action < VERDICT_ASK && is_plain(a, rule) &&
		    covers_below(a, dir))
			return true;
	}
	return false;
}

/* Something below @dir is the rule's, as @g has it. */
static bool has_below(const struct glob *g, struct bytes dir, bool is_directory)
{
	enum glob_below below = glob_match_below(g, dir);

	return is_directory ? below != GLOB_BELOW_NONE : below == GLOB_BELOW_NAMED;
}

static bool concerns(const struct policy *p, const struct rule *rule, struct bytes from,
		     struct bytes to, bool is_directory)
{
	bool leaves = false, enters = false;

	for (const struct glob *g = rule->match.paths; g; g = g->next) {
		if (glob_same_below(g, from, to))
			continue;
		leaves |= has_below(g, from, is_directory);
		enters |= has_below(g, to, is_directory);
	}
	return (leaves && !is_allowed_before(p, rule, from)) ||
	       (enters && !is_allowed_before(p, rule, to));
}

const struct rule *moves_find_rule(const struct policy *p, struct bytes from, struct bytes to,
				   bool is_directory)
{
	const struct rule *strictest = NULL;

	for (size_t i = 0; i < p->n_rules; i++) {
		const struct rule *rule = &p->rules[i];

		if (rule->action < VERDICT_ASK || !rule->match.paths ||
		    !(rule->match.ops & (OPS_PATH | OP_BIT(OP_EXEC))) ||
		    (strictest && rule->action <= strictest->action))
			continue;
		if (concerns(p, rule, from, to, is_directory))
			strictest = rule;
	}
	return strictest;
}
