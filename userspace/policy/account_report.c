/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AgentPolicy's report, as json.dumps() prints it.
 */
#include "policy/agentpolicy.h"
#include "policy/pyjson.h"
#include "policy/pytext.h"

#include "policy/account_private.h"

#define AMOUNT_DIGITS   6
#define DURATION_DIGITS 2

static const char *const decision_words[_VERDICT_MAX] = {
	[VERDICT_ALLOW] = "allow",
	[VERDICT_FLAG] = "allow",
	[VERDICT_ASK] = "require_approval",
	[VERDICT_DENY] = "deny",
};

/* What was counted for each action type, in the order in which they came. */
struct tally {
	size_t n;
	struct {
		enum policy_call_type type;
		uint64_t count;
		double sum;
	} types[3];
};

static void tally_add(struct tally *t, enum policy_call_type type, double cost)
{
	size_t i = 0;

	while (i < t->n && t->types[i].type != type)
		i++;
	if (i == t->n)
		t->types[t->n++].type = type;
	t->types[i].count++;
	t->types[i].sum += cost;
}

/* ---- the parts */

static void add_key(struct strbuf *out, const char *key)
{
	const char *before = out->len ? strbuf_str(out) + out->len - 1 : "{";

	strbuf_add_fmt(out, "%s\"%s\": ", *before == '{' ? "" : ", ", key);
}

static void add_sums(struct strbuf *out, const struct tally *t, const char *key)
{
	add_key(out, key);
	strbuf_add_char(out, '{');
	for (size_t i = 0; i < t->n; i++) {
		add_key(out, account_call_word(t->types[i].type));
		pyjson_add_float(out, py_round(t->types[i].sum, AMOUNT_DIGITS));
	}
	strbuf_add_char(out, '}');
}

static void add_summary(struct strbuf *out, const struct tally *all,
			const uint64_t counts[static _VERDICT_MAX])
{
	add_key(out, "decision_summary");
	strbuf_add_char(out, '{');
	add_key(out, "allow");
	strbuf_add_u64(out, counts[VERDICT_ALLOW] + counts[VERDICT_FLAG]);
	add_key(out, "deny");
	strbuf_add_u64(out, counts[VERDICT_DENY]);
	add_key(out, "require_approval");
	strbuf_add_u64(out, counts[VERDICT_ASK]);
	add_key(out, "by_action_type");
	strbuf_add_char(out, '{');
	for (size_t i = 0; i < all->n; i++) {
		add_key(out, account_call_word(all->types[i].type));
		strbuf_add_u64(out, all->types[i].count);
	}
	strbuf_add_str(out, "}}");
}

static const struct value *denied_tool(const struct account_decision *d)
{
	return d->verdict == VERDICT_DENY ? d->action.tool_name : NULL;
}

static const struct value *denied_domain(const struct account_decision *d)
{
	return d->verdict == VERDICT_DENY ? d->action.domain : NULL;
}

static const struct value *approval(const struct account_decision *d)
{
	static const struct value words[] = {
		[POLICY_CALL_TOOL] = {.type = VALUE_STRING, .text = BYTES_LIT("tool")},
		[POLICY_CALL_HTTP] = {.type = VALUE_STRING, .text = BYTES_LIT("http")},
		[POLICY_CALL_COST] = {.type = VALUE_STRING, .text = BYTES_LIT("cost")},
	};

	if (d->verdict != VERDICT_ASK)
		return NULL;
	if (d->action.tool_name)
		return d->action.tool_name;
	return d->action.domain ? d->action.domain : &words[d->action.type];
}

static void add_hits(struct strbuf *out, const struct account *a)
{
	static const struct {
		const char *key;
		const struct value *(*hit)(const struct account_decision *d);
	} lists[] = {
		{"denied_tools", denied_tool},
		{"denied_domains", denied_domain},
		{"approval_required", approval},
	};

	add_key(out, "policy_hits");
	strbuf_add_char(out, '{');
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		bool is_first = true;

		add_key(out, lists[i].key);
		strbuf_add_char(out, '[');
		for (const struct account_decision *d = a->first; d; d = d->next) {
			const struct value *hit = lists[i].hit(d);

			if (!hit)
				continue;
			strbuf_add_str(out, is_first ? "" : ", ");
			pyjson_add_value(out, hit);
			is_first = false;
		}
		strbuf_add_char(out, ']');
	}
	strbuf_add_char(out, '}');
}

static void add_field(struct strbuf *out, const char *key, const struct value *v)
{
	if (!v)
		return;
	add_key(out, key);
	pyjson_add_value(out, v);
}

static void add_decision(struct strbuf *out, const struct account_decision *d)
{
	strbuf_add_char(out, '{');
	add_key(out, "decision_type");
	strbuf_add_fmt(out, "\"%s\"", decision_words[d->verdict]);
	add_key(out, "reason");
	pyjson_add_text(out, bytes_of(d->reason));
	add_key(out, "timestamp");
	pyjson_add_float(out, d->timestamp);
	add_key(out, "action");
	strbuf_add_char(out, '{');
	add_key(out, "action_type");
	strbuf_add_fmt(out, "\"%s\"", account_call_word(d->action.type));
	add_field(out, "cost", d->action.cost);
	add_key(out, "timestamp");
	pyjson_add_float(out, d->timestamp);
	add_field(out, "tool_name", d->action.tool_name);
	add_field(out, "url", d->action.url);
	add_field(out, "domain", d->action.domain);
	add_field(out, "source", d->action.source);
	add_field(out, "metadata", d->action.metadata);
	strbuf_add_str(out, "}}");
}

static void add_error(struct strbuf *out, const char *error)
{
	strbuf_add_char(out, '{');
	add_key(out, "error");
	pyjson_add_text(out, bytes_of(error));
	strbuf_add_char(out, '}');
}

void account_add_report(const struct account *a, double entered, double now, struct strbuf *out)
{
	struct tally all = {}, allowed = {};
	uint64_t counts[_VERDICT_MAX] = {};

	for (const struct account_decision *d = a->first; d; d = d->next) {
		const char *error = agentpolicy_add_error(d->action.cost);

		if (error) {
			add_error(out, error);
			return;
		}
		counts[d->verdict]++;
		tally_add(&all, d->action.type, agentpolicy_number(d->action.cost));
		if (d->verdict <= VERDICT_FLAG)
			tally_add(&allowed, d->action.type, agentpolicy_number(d->action.cost));
	}
	if (a->is_incomplete) {
		add_error(out, "there are too many decisions for a report");
		return;
	}
	strbuf_add_char(out, '{');
	add_key(out, "session_id");
	if (a->config.session_id)
		pyjson_add_text(out, bytes_of(a->config.session_id));
	else
		strbuf_add_str(out, "null");
	add_key(out, "budget");
	pyjson_add_float(out, a->config.budget);
	add_key(out, "spent");
	pyjson_add_float(out, py_round(account_spent(a), AMOUNT_DIGITS));
	add_key(out, "remaining");
	pyjson_add_float(out, py_round(account_remaining(a), AMOUNT_DIGITS));
	add_summary(out, &all, counts);
	add_key(out, "cost_summary");
	strbuf_add_char(out, '{');
	add_sums(out, &allowed, "by_action_type");
	add_sums(out, &all, "attempted_by_action_type");
	strbuf_add_char(out, '}');
	add_hits(out, a);
	add_key(out, "duration_seconds");
	if (entered > 0)
		pyjson_add_float(out, py_round(now - entered, DURATION_DIGITS));
	else
		strbuf_add_str(out, "null");
	add_key(out, "decisions");
	strbuf_add_char(out, '[');
	for (const struct account_decision *d = a->first; d; d = d->next) {
		strbuf_add_str(out, d == a->first ? "" : ", ");
		add_decision(out, d);
	}
	strbuf_add_str(out, "]}");
}
