/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy as it was understood: one document without variables, files and defaults left unsaid,
 * its rules in the order in which they are asked. What comes out is a document that loads again.
 */
#include <inttypes.h>

#include "policy/capability.h"
#include "policy/dialect.h"
#include "policy/document.h"
#include "policy/pytext.h"
#include "policy/yaml_text.h"

static void add_key(struct strbuf *out, const char *key, bool *is_first)
{
	strbuf_add_fmt(out, "%s%s: ", *is_first ? "" : ", ", key);
	*is_first = false;
}

static void add_line(struct strbuf *out, const char *key, const char *text)
{
	if (!text)
		return;
	strbuf_add_fmt(out, "%s: ", key);
	yaml_add_text(out, bytes_of(text));
	strbuf_add_char(out, '\n');
}

/* ---- the head */

static void show_default(const struct policy *p, struct strbuf *out)
{
	const enum verdict network = p->defaults[OP_CONNECT];
	const struct {
		const char *key;
		enum verdict verdict;
		bool is_shown;
	} keys[] = {
		{"tool", p->defaults[OP_EXEC], true},
		{"read", p->defaults[OP_READ], true},
		{"write", p->defaults[OP_WRITE], true},
		{"network", network, true},
		{"send", p->defaults[OP_SEND], p->defaults[OP_SEND] != network},
		{"bind", p->defaults[OP_BIND], p->defaults[OP_BIND] != network},
		{"listen", p->defaults[OP_LISTEN], p->defaults[OP_LISTEN] != network},
		{"resolve", p->defaults[OP_RESOLVE],
		 p->defaults[OP_RESOLVE] != p->defaults[OP_CONNECT]},
		{"unix", p->unix_default, true},
	};
	bool is_first = true;

	strbuf_add_str(out, "default: {");
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (keys[i].is_shown) {
			add_key(out, keys[i].key, &is_first);
			strbuf_add_str(out, verdict_name(keys[i].verdict));
		}
	strbuf_add_str(out, "}\n");
}

static void show_required(const struct policy *p, struct strbuf *out)
{
	const char *separator = "require: [";

	if (!p->required_layers)
		return;
	for (unsigned i = 0; i < _LAYER_MAX; i++)
		if (p->required_layers & LAYER_BIT(i)) {
			strbuf_add_fmt(out, "%s%s", separator, layer_name((enum kernel_layer)i));
			separator = ", ";
		}
	strbuf_add_str(out, "]\n");
}

static void show_grants(const struct policy *p, struct strbuf *out)
{
	const char *separator = "grant: [";

	if (!p->grants)
		return;
	for (unsigned int g = 0; g < _GRANT_MAX; g++)
		if (p->grants >> g & 1) {
			strbuf_add_fmt(out, "%s%s", separator, grant_name((enum grant)g));
			separator = ", ";
		}
	strbuf_add_str(out, "]\n");
}

static void show_kept_capabilities(const struct policy *p, struct strbuf *out)
{
	const char *separator = "keep_capabilities: [";

	if (!p->kept_capabilities)
		return;
	for (unsigned i = 0; i < CAPABILITY_MAX; i++)
		if (p->kept_capabilities >> i & 1) {
			strbuf_add_fmt(out, "%s%s", separator, capability_name(i));
			separator = ", ";
		}
	strbuf_add_str(out, "]\n");
}

static void show_applies(const struct applies_to *a, struct strbuf *out)
{
	const struct {
		const char *key;
		const char *const *words;
		size_t n;
	} kinds[] = {{"agents", a->agent_texts, a->n_agents},
		     {"tags", a->tags, a->n_tags},
		     {"tiers", a->tiers, a->n_tiers}};
	bool is_first = true;

	strbuf_add_str(out, "applies_to: {");
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].n) {
			add_key(out, kinds[i].key, &is_first);
			yaml_add_words(out, kinds[i].words, kinds[i].n);
		}
	strbuf_add_str(out, "}\n");
}

/* ---- budget */

static void show_rates(const struct policy_budget *b, struct strbuf *out)
{
	strbuf_add_char(out, '[');
	for (size_t i = 0; i < b->n_rates; i++) {
		const struct policy_rate *rate = &b->rates[i];

		strbuf_add_fmt(out, "%s{per: %s, %s: %" PRIu64 "}", i ? ", " : "",
			       rate->per_ns == NS_PER_SEC        ? "second"
			       : rate->per_ns == 60 * NS_PER_SEC ? "minute"
								 : "hour",
			       rate->word, rate->n);
	}
	strbuf_add_char(out, ']');
}

static void show_spend(const struct policy_budget *b, struct strbuf *out, bool *is_first)
{
	if (b->has_spend) {
		add_key(out, "max_spend", is_first);
		py_add_float(out, b->max_spend);
	}
	if (b->soft_limit > 0) {
		add_key(out, "soft_limit", is_first);
		py_add_float(out, b->soft_limit);
	}
	if (b->account) {
		add_key(out, "account", is_first);
		yaml_add_text(out, bytes_of(b->account));
	}
}

static void show_budget(const struct policy_budget *b, struct strbuf *out)
{
	static const char *const limits[] = {[POLICY_LIMIT_DENY] = "deny",
					     [POLICY_LIMIT_ASK] = "ask",
					     [POLICY_LIMIT_STOP] = "stop"};
	const struct {
		const char *key;
		uint64_t n;
	} counts[] = {{"max_execs", b->max_execs},
		      {"max_connects", b->max_connects},
		      {"max_bytes_written", b->max_bytes_written},
		      {"max_seconds", b->max_seconds}};
	bool is_first = true;

	strbuf_add_str(out, "budget: {");
	show_spend(b, out, &is_first);
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
		if (counts[i].n) {
			add_key(out, counts[i].key, &is_first);
			strbuf_add_u64(out, counts[i].n);
		}
	if (b->n_rates) {
		add_key(out, "rate", &is_first);
		show_rates(b, out);
	}
	if (b->loop_repeats) {
		add_key(out, "loop", &is_first);
		strbuf_add_fmt(out, "{repeats: %u, window: %" PRIu64 "s}", b->loop_repeats,
			       b->loop_window_ns / NS_PER_SEC);
	}
	add_key(out, "on_limit", &is_first);
	strbuf_add_fmt(out, "%s}\n", limits[b->on_limit]);
}

static void show_denials(const struct policy_denials *d, struct strbuf *out)
{
	static const char *const words[] = {"none", "slow", "stop"};
	bool is_first = true;

	strbuf_add_str(out, "denials: {");
	if (d->repeats) {
		add_key(out, "repeats", &is_first);
		strbuf_add_fmt(out, "%u", d->repeats);
	}
	add_key(out, "on_limit", &is_first);
	strbuf_add_fmt(out, "%s}\n", words[d->is_off ? 0 : 1 + d->stops]);
}

/* ---- rules */

static void show_ask(const struct policy_ask *ask, struct strbuf *out)
{
	bool is_first = true;

	strbuf_add_str(out, "  ask: {");
	if (ask->timeout_ns) {
		add_key(out, "timeout", &is_first);
		strbuf_add_fmt(out, "%" PRIu64 "s", ask->timeout_ns / NS_PER_SEC);
	}
	if (ask->n_approvers) {
		add_key(out, "approvers", &is_first);
		yaml_add_words(out, ask->approvers, ask->n_approvers);
	}
	if (ask->count) {
		add_key(out, "count", &is_first);
		strbuf_add_fmt(out, "%u", ask->count);
	}
	if (ask->has_max_scope) {
		add_key(out, "max_scope", &is_first);
		strbuf_add_str(out, answer_scope_name(ask->max_scope));
	}
	if (ask->has_max_term) {
		char word[ANSWER_TERM_SIZE];

		answer_term_write(&ask->max_term, word);
		add_key(out, "max_duration", &is_first);
		strbuf_add_str(out, word);
	}
	strbuf_add_str(out, "}\n");
}

static void show_rule(const struct rule *rule, size_t number, struct strbuf *out)
{
	strbuf_add_fmt(out, "# %zu: ", number);
	yaml_add_text(out, bytes_of(rule->file));
	strbuf_add_fmt(out, ":%u\n", rule->line);
	add_line(out, "- name", rule->name);
	strbuf_add_fmt(out, "  match: %s\n", rule->match_text);
	if (rule->unless_text)
		strbuf_add_fmt(out, "  unless: %s\n", rule->unless_text);
	strbuf_add_fmt(out, "  action: %s\n", verdict_name(rule->action));
	if (rule->priority != RULE_DEFAULT_PRIORITY)
		strbuf_add_fmt(out, "  priority: %" PRId64 "\n", rule->priority);
	add_line(out, "  reason", rule->reason);
	add_line(out, "  suggest", rule->suggest);
	if (rule->cost > 0) {
		strbuf_add_str(out, "  cost: ");
		py_add_float(out, rule->cost);
		strbuf_add_char(out, '\n');
	}
	if (rule->sent.max)
		strbuf_add_fmt(out, "  max_bytes_sent: %" PRIu64 "\n", rule->sent.max);
	if (rule->sent.is_per_domain)
		strbuf_add_str(out, "  max_bytes_sent_per: domain\n");
	if (rule->ask)
		show_ask(rule->ask, out);
}

static int compare_order(const void *a, const void *b)
{
	const struct rule *x = *(const struct rule *const *)a, *y = *(const struct rule *const *)b;

	if (x->priority != y->priority)
		return x->priority < y->priority ? -1 : 1;
	return (x > y) - (x < y);
}

static void show_rules(const struct policy *p, struct strbuf *out)
{
	_cleanup_(freep) const struct rule **sorted = calloc(p->n_rules + 1, sizeof(*sorted));

	if (!sorted) {
		out->error = -ENOMEM;
		return;
	}
	for (size_t i = 0; i < p->n_rules; i++)
		sorted[i] = &p->rules[i];
	qsort(sorted, p->n_rules, sizeof(*sorted), compare_order);
	if (p->n_rules)
		strbuf_add_str(out, "rules:\n");
	for (size_t i = 0; i < p->n_rules; i++)
		show_rule(sorted[i], i + 1, out);
}

void policy_show(const struct policy *p, struct strbuf *out)
{
	strbuf_add_str(out, "# ");
	yaml_add_text(out, bytes_of(p->file));
	strbuf_add_fmt(out, ": %s, %zu rules\n", policy_language_name(p->language),
		       policy_rule_count(p));
	if (p->dialect) {
		p->dialect->show(p->doc, out);
		return;
	}
	strbuf_add_str(out, "version: 1\n");
	add_line(out, "name", p->name);
	add_line(out, "description", p->description);
	strbuf_add_fmt(out, "mode: %s\n", p->mode == POLICY_MODE_AUDIT ? "audit" : "enforce");
	show_default(p, out);
	show_grants(p, out);
	show_required(p, out);
	show_kept_capabilities(p, out);
	if (p->logs_reads)
		strbuf_add_str(out, "log_reads: true\n");
	if (p->applies_to)
		show_applies(p->applies_to, out);
	if (p->budget)
		show_budget(p->budget, out);
	if (p->denials.is_said)
		show_denials(&p->denials, out);
	if (p->questions)
		questions_show(p->questions, out);
	if (p->log)
		log_show(p->log, out);
	show_rules(p, out);
}
