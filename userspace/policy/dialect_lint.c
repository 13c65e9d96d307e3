/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lint asks of the dialects: which rules others take everything from, and which patterns can
 * never match.
 */
#include <stdio.h>

#include "policy/action_policy.h"
#include "policy/agentpolicy.h"
#include "policy/dialect_lint.h"
#include "policy/fnmatch.h"
#include "policy/meshguard.h"

/* ---- agent-action-policy */

static bool same_pattern(const struct action_pattern *a, const struct action_pattern *b)
{
	return a->type == b->type && bytes_eq(a->text, b->text);
}

/* What @b matches, @a certainly matches; neither raises. */
static bool pattern_covers(const struct action_pattern *a, const struct action_pattern *b,
			   struct regex_scratch *scratch)
{
	if (a->type == ACTION_PATTERN_RAISE || b->type == ACTION_PATTERN_RAISE)
		return false;
	if (a->type == ACTION_PATTERN_ANY || same_pattern(a, b))
		return true;
	if (a->type == ACTION_PATTERN_GLOB && bytes_eq_str(a->text, "*"))
		return true;
	/* What matches one text only is matched by whatever matches that text. */
	return (b->type == ACTION_PATTERN_EXACT ||
		(b->type == ACTION_PATTERN_GLOB && !pyfnmatch_has_magic(b->text))) &&
	       action_pattern_match(a, scratch, b->text) == 1;
}

static bool paths_cover(const struct action_rule *a, const struct action_rule *b,
			struct regex_scratch *scratch)
{
	for (size_t i = 0; i < b->n_paths; i++) {
		bool is_found = false;

		for (size_t j = 0; j < a->n_paths; j++)
			is_found |= pattern_covers(&a->paths[j], &b->paths[i], scratch);
		if (!is_found)
			return false;
	}
	return a->n_paths == 0 || b->n_paths > 0;
}

void action_policy_rule(const void *doc, size_t i, struct dialect_rule *ret)
{
	const struct action_policy *p = doc;
	const struct action_rule *rule = &p->rules[i];

	*ret = (struct dialect_rule){.name = rule->name ? rule->name : "",
				     .verdict = rule->verdict,
				     .line = rule->line,
				     .column = rule->column};
}

bool action_policy_covers(const void *doc, struct regex_scratch *scratch, size_t i, size_t j)
{
	const struct action_policy *p = doc;
	const struct action_rule *a = &p->rules[i], *b = &p->rules[j];

	return pattern_covers(&a->tool, &b->tool, scratch) &&
	       pattern_covers(&a->args, &b->args, scratch) && paths_cover(a, b, scratch);
}

static void tell_regex(const struct action_rule *rule, const struct action_pattern *p,
		       dialect_regex_fn fn, void *ctx)
{
	const struct dialect_rule r = {.name = rule->name ? rule->name : "",
				       .verdict = rule->verdict,
				       .line = rule->line,
				       .column = rule->column};
	struct bytes text = p->text;

	if (p->type != ACTION_PATTERN_REGEX)
		return;
	/* Of tools and paths the '~' that says so is kept. */
	if (p != &rule->args && text.len && text.p[0] == '~')
		text = (struct bytes){.p = text.p + 1, .len = text.len - 1};
	fn(ctx, &r, text);
}

void action_policy_regexes(const void *doc, dialect_regex_fn fn, void *ctx)
{
	const struct action_policy *p = doc;

	for (size_t i = 0; i < p->n_rules; i++) {
		const struct action_rule *rule = &p->rules[i];

		tell_regex(rule, &rule->tool, fn, ctx);
		tell_regex(rule, &rule->args, fn, ctx);
		for (size_t j = 0; j < rule->n_paths; j++)
			tell_regex(rule, &rule->paths[j], fn, ctx);
	}
}

/* ---- AgentPolicy */

/* Upper case is told at load. */
static void tell_domains(const struct agentpolicy_names *names, const char *list, dialect_odd_fn fn,
			 void *ctx)
{
	for (size_t i = 0; i < names->n; i++) {
		struct bytes name = names->names[i];
		char text[512];

		if (!memchr(name.p, '/', name.len) && !memchr(name.p, '*', name.len))
			continue;
		(void)snprintf(
			text, sizeof(text),
			"network.%s: '%.*s' matches nothing: hosts are compared whole, without "
			"scheme, path or wildcard",
			list, (int)MIN(name.len, (size_t)200), name.p);
		fn(ctx, names->line, names->column,
		   "write the host alone, as in api.example.org or api.example.org:8443", text);
	}
}

void agentpolicy_never(const void *doc, dialect_odd_fn fn, void *ctx)
{
	const struct agentpolicy *p = doc;
	const struct agentpolicy_lists *network = &p->lists[AGENTPOLICY_NETWORK];
	const struct agentpolicy_lists *tools = &p->lists[AGENTPOLICY_TOOLS];
	char text[512];

	tell_domains(&network->allow, "allow", fn, ctx);
	tell_domains(&network->block, "block", fn, ctx);
	for (size_t i = 0; i < p->n_rules; i++) {
		const struct agentpolicy_rule *rule = &p->rules[i];
		const struct value *tool = rule->keys[AGENTPOLICY_TOOL];

		if (!tool || tool->type != VALUE_STRING)
			continue;
		if (!agentpolicy_has_name(&tools->block, tool->text) &&
		    (!tools->allow.is_present || agentpolicy_has_name(&tools->allow, tool->text)))
			continue;
		(void)snprintf(text, sizeof(text),
			       "%s asks about the tool '%.200s', which the tool lists deny before",
			       rule->name, tool->text.p);
		fn(ctx, rule->line, rule->column, "remove the rule, or take the tool off the list",
		   text);
	}
}

void agentpolicy_rule(const void *doc, size_t i, struct dialect_rule *ret)
{
	const struct agentpolicy *p = doc;

	*ret = (struct dialect_rule){.name = p->rules[i].name,
				     .verdict = VERDICT_ASK,
				     .line = p->rules[i].line,
				     .column = p->rules[i].column};
}

/* Its rules are counted with its lists; those of `approval` can take each other's. Every key of the
 * one is in the other with the same value: then it asks for less. */
bool agentpolicy_covers(const void *doc, struct regex_scratch *scratch, size_t i, size_t j)
{
	const struct agentpolicy *p = doc;
	const struct agentpolicy_rule *a, *b;

	(void)scratch;
	if (i >= p->n_rules || j >= p->n_rules)
		return false;
	a = &p->rules[i];
	b = &p->rules[j];
	if (a->cost_error || b->cost_error)
		return false;
	for (unsigned int k = 0; k < AGENTPOLICY_N_EQUAL; k++)
		if (a->keys[k] && (!b->keys[k] || !value_eq(a->keys[k], b->keys[k])))
			return false;
	return !a->keys[AGENTPOLICY_COST_GT] ||
	       (b->keys[AGENTPOLICY_COST_GT] && a->cost_gt <= b->cost_gt);
}

/* ---- MeshGuard */

void meshguard_rule(const void *doc, size_t i, struct dialect_rule *ret)
{
	const struct mesh_policy *p = doc;

	*ret = (struct dialect_rule){.name = p->rules[i].name,
				     .verdict = p->rules[i].verdict,
				     .line = p->rules[i].line,
				     .column = p->rules[i].column};
}

static bool mesh_pattern_covers(const struct mesh_pattern *a, const struct mesh_pattern *b)
{
	/* Its only wildcard is '*', which stands for any text, a '*' too. */
	return bytes_eq(a->text, b->text) ||
	       (!memchr(a->text.p, '?', a->text.len) && !memchr(a->text.p, '[', a->text.len) &&
		pyfnmatch(a->text, b->text));
}

bool meshguard_covers(const void *doc, struct regex_scratch *scratch, size_t i, size_t j)
{
	const struct mesh_policy *p = doc;
	const struct mesh_rule *a = &p->rules[i], *b = &p->rules[j];

	(void)scratch;
	if (a->conditions)
		return false;
	for (size_t k = 0; k < b->n_actions; k++) {
		bool is_found = false;

		for (size_t l = 0; l < a->n_actions; l++)
			is_found |= mesh_pattern_covers(&a->actions[l], &b->actions[k]);
		if (!is_found)
			return false;
	}
	return true;
}
