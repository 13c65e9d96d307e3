/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A MeshGuard policy as it was understood, for `policy show`.
 */
#include "policy/meshguard.h"
#include "policy/pytext.h"

static const char *const subject_names[] = {
	[MESH_RESOURCE] = "resource", [MESH_COMMAND] = "command", [MESH_PATH] = "path",
	[MESH_CONTEXT] = "context",   [MESH_TAGS] = "tags",       [MESH_TIME] = "time",
};

static void show_condition(const struct mesh_condition *c, struct strbuf *out)
{
	strbuf_add_fmt(out, "      - {%s: {%s: [", subject_names[c->subject],
		       mesh_test_name(c->test));
	for (const struct value *v = c->values; v; v = v->next) {
		_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(POLICY_MAX_BYTES);

		py_add_str(&text, v);
		strbuf_add_str(out, v == c->values ? "" : ", ");
		dialect_add_quoted(out, strbuf_bytes(&text));
	}
	if (c->test == MESH_BETWEEN)
		strbuf_add_fmt(out, "\"%02u:%02u\", \"%02u:%02u\"", c->from / 60, c->from % 60,
			       c->to / 60, c->to % 60);
	else if (c->test == MESH_EXISTS)
		strbuf_add_str(out, c->is_wanted ? "true" : "false");
	else if (!c->values)
		py_add_float(out, c->number);
	strbuf_add_str(out, "]}");
	if (c->key) {
		strbuf_add_str(out, ", key: ");
		dialect_add_quoted(out, bytes_of(c->key));
	}
	strbuf_add_str(out, "}\n");
}

static void show_patterns(const struct mesh_pattern *patterns, size_t n, struct strbuf *out)
{
	for (size_t i = 0; i < n; i++) {
		strbuf_add_str(out, i ? ", " : "[");
		dialect_add_quoted(out, patterns[i].text);
	}
	strbuf_add_str(out, "]\n");
}

void mesh_show(const void *d, struct strbuf *out)
{
	const struct mesh_policy *doc = d;

	dialect_show_text(out, 0, "name", doc->name);
	strbuf_add_fmt(out, "defaultEffect: %s\n", mesh_words[doc->default_verdict]);
	if (doc->n_approvals) {
		strbuf_add_str(out, "requireApproval: ");
		show_patterns(doc->approvals, doc->n_approvals, out);
	}
	for (size_t i = 0; i < doc->budget.n_rates; i++)
		strbuf_add_fmt(out, "rateLimit: {requests: %llu, seconds: %llu}\n",
			       (unsigned long long)doc->budget.rates[i].n,
			       (unsigned long long)(doc->budget.rates[i].per_ns / NS_PER_SEC));
	strbuf_add_str(out, "rules:\n");
	for (size_t i = 0; i < doc->n_rules; i++) {
		const struct mesh_rule *rule = &doc->rules[i];

		strbuf_add_fmt(out, "  - line: %u\n", rule->line);
		dialect_show_text(out, 4, "name", rule->name);
		strbuf_add_fmt(out, "    effect: %s\n    actions: ", mesh_words[rule->verdict]);
		show_patterns(rule->actions, rule->n_actions, out);
		dialect_show_text(out, 4, "reason", rule->reason);
		if (rule->conditions)
			strbuf_add_str(out, "    conditions:\n");
		for (const struct mesh_condition *c = rule->conditions; c; c = c->next)
			show_condition(c, out);
	}
}
