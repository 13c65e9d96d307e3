/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AgentPolicy 0.1.1 as a dialect: what the stack asks of a document besides verdicts.
 */
#include "policy/dialect_lint.h"
#include "policy/pytext.h"

#include "policy/agentpolicy.h"

static size_t doc_rule_count(const void *doc)
{
	const struct agentpolicy *ap = doc;
	size_t n = ap->n_rules + (ap->budget != 0);

	for (unsigned int i = 0; i < _AGENTPOLICY_SECTION_MAX; i++)
		n += ap->lists[i].allow.is_present + (ap->lists[i].block.n != 0);
	return n;
}

static uint32_t doc_decided_ops(const void *doc)
{
	const struct agentpolicy *ap = doc;

	return ap->decided_ops;
}

/* Rules know names only. */
static bool doc_needs_args(_unused_ const void *doc)
{
	return false;
}

static bool doc_can_ask(const void *doc)
{
	const struct agentpolicy *ap = doc;

	return ap->n_rules != 0;
}

static bool doc_names_domains(const void *doc)
{
	const struct agentpolicy_lists *network =
		&((const struct agentpolicy *)doc)->lists[AGENTPOLICY_NETWORK];

	return network->allow.n || network->block.n;
}

static const struct policy_budget *doc_budget(const void *doc)
{
	const struct agentpolicy *ap = doc;

	return &ap->limits;
}

static void show_names(struct strbuf *out, const char *key, const struct agentpolicy_names *names)
{
	if (!names->is_present)
		return;
	strbuf_add_fmt(out, "  %s: [", key);
	for (size_t i = 0; i < names->n; i++) {
		const struct value text = {.type = VALUE_STRING, .text = names->names[i]};

		strbuf_add_str(out, i ? ", " : "");
		py_add_repr(out, &text);
	}
	strbuf_add_str(out, "]\n");
}

static void doc_show(const void *doc, struct strbuf *out)
{
	const struct agentpolicy *ap = doc;

	strbuf_add_str(out, "budget:\n  max_spend: ");
	py_add_float(out, ap->budget);
	strbuf_add_str(out, "\n");
	for (unsigned int i = 0; i < _AGENTPOLICY_SECTION_MAX; i++) {
		const struct agentpolicy_lists *lists = &ap->lists[i];

		if (!lists->allow.is_present && !lists->block.is_present)
			continue;
		strbuf_add_fmt(out, "%s:\n", i == AGENTPOLICY_TOOLS ? "tools" : "network");
		show_names(out, "allow", &lists->allow);
		show_names(out, "block", &lists->block);
	}
	if (ap->n_rules)
		strbuf_add_str(out, "approval:\n  require_for:\n");
	for (size_t i = 0; i < ap->n_rules; i++) {
		bool is_first = true;

		strbuf_add_str(out, "    - {");
		for (unsigned int k = 0; k < _AGENTPOLICY_KEY_MAX; k++) {
			const struct value *v = ap->rules[i].keys[k];

			if (!v)
				continue;
			strbuf_add_fmt(out, "%s%s: ", is_first ? "" : ", ", agentpolicy_keys[k]);
			py_add_repr(out, v);
			is_first = false;
		}
		strbuf_add_str(out, "}\n");
	}
}

const struct dialect dialect_agentpolicy = {
	.language = POLICY_LANGUAGE_AGENTPOLICY,
	.parse = agentpolicy_parse,
	.free = agentpolicy_free,
	.eval = agentpolicy_eval,
	.each = agentpolicy_each,
	.rule_count = doc_rule_count,
	.decided_ops = doc_decided_ops,
	.needs_args = doc_needs_args,
	.can_ask = doc_can_ask,
	.show = doc_show,
	.names_domains = doc_names_domains,
	.budget = doc_budget,
	.rule = agentpolicy_rule,
	.covers = agentpolicy_covers,
	.never = agentpolicy_never,
};
