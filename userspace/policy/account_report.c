/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AgentPolicy's report, as json.dumps() prints it.
 */
#include <math.h>

#include "base/escape.h"
#include "policy/agentpolicy.h"
#include "policy/pytext.h"

#include "policy/account_private.h"

#define AMOUNT_DIGITS   6
#define DURATION_DIGITS 2
#define SURROGATES      0xD800u /* to 0xDFFF */
#define FIRST_PAIR      0x10000u

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

/* ---- json.dumps() */

static void add_float(struct strbuf *out, double v)
{
	if (isnan(v))
		strbuf_add_str(out, "NaN");
	else if (isinf(v))
		strbuf_add_str(out, v > 0 ? "Infinity" : "-Infinity");
	else
		py_add_float(out, v);
}

static void add_code_point(struct strbuf *out, uint32_t cp)
{
	if (cp >= FIRST_PAIR)
		strbuf_add_fmt(out, "\\u%04x\\u%04x", SURROGATES + ((cp - FIRST_PAIR) >> 10),
			       SURROGATES + 0x400 + ((cp - FIRST_PAIR) & 0x3FF));
	else
		strbuf_add_fmt(out, "\\u%04x", cp);
}

/* A lone surrogate, as value.h has it; 0: none. */
static uint32_t surrogate_at(struct bytes text, size_t i)
{
	const unsigned char *p = (const unsigned char *)text.p + i;

	if (text.len - i < 3 || p[0] != 0xED || p[1] < 0xA0 || p[1] > 0xBF || (p[2] & 0xC0) != 0x80)
		return 0;
	return SURROGATES + ((p[1] & 0x1Fu) << 6) + (p[2] & 0x3Fu);
}

/* Bytes that are no UTF-8 (names of real files) come out as Python's surrogateescape has them. */
static void add_text(struct strbuf *out, struct bytes text)
{
	static const char plain[] = "\"\\\n\r\t\f\b", escaped[] = "\"\\nrtfb";

	strbuf_add_char(out, '"');
	for (size_t i = 0; i < text.len;) {
		const char c = text.p[i], *special = c ? strchr(plain, c) : NULL;
		uint32_t cp = 0;
		size_t n = utf8_decode(text.p + i, text.len - i, &cp);

		if (special) {
			strbuf_add_char(out, '\\');
			strbuf_add_char(out, escaped[special - plain]);
		} else if (n == 0) {
			cp = surrogate_at(text, i);
			n = cp ? 3 : 1;
			add_code_point(out, cp ? cp : SURROGATES + 0x400 + (unsigned char)c);
		} else if (cp < ' ' || cp > '~') {
			add_code_point(out, cp);
		} else {
			strbuf_add_char(out, c);
		}
		i += n;
	}
	strbuf_add_char(out, '"');
}

static void add_value(struct strbuf *out, const struct value *v)
{
	bool is_map = v->type == VALUE_MAP, is_key = true;

	switch (v->type) {
	case VALUE_NULL:
		strbuf_add_str(out, "null");
		return;
	case VALUE_BOOL:
		strbuf_add_str(out, v->is_true ? "true" : "false");
		return;
	case VALUE_INT:
		strbuf_add_bytes(out, v->text);
		return;
	case VALUE_FLOAT:
		add_float(out, v->number);
		return;
	case VALUE_STRING:
	case VALUE_OTHER:
		add_text(out, v->text);
		return;
	case VALUE_LIST:
	case VALUE_MAP:
		break;
	}
	strbuf_add_char(out, is_map ? '{' : '[');
	for (const struct value *child = v->first; child; child = child->next) {
		if (child != v->first)
			strbuf_add_str(out, is_map && !is_key ? ": " : ", ");
		add_value(out, child);
		is_key = !is_key;
	}
	strbuf_add_char(out, is_map ? '}' : ']');
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
		add_float(out, py_round(t->types[i].sum, AMOUNT_DIGITS));
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
			add_value(out, hit);
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
	add_value(out, v);
}

static void add_decision(struct strbuf *out, const struct account_decision *d)
{
	strbuf_add_char(out, '{');
	add_key(out, "decision_type");
	strbuf_add_fmt(out, "\"%s\"", decision_words[d->verdict]);
	add_key(out, "reason");
	add_text(out, bytes_of(d->reason));
	add_key(out, "timestamp");
	add_float(out, d->timestamp);
	add_key(out, "action");
	strbuf_add_char(out, '{');
	add_key(out, "action_type");
	strbuf_add_fmt(out, "\"%s\"", account_call_word(d->action.type));
	add_field(out, "cost", d->action.cost);
	add_key(out, "timestamp");
	add_float(out, d->timestamp);
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
	add_text(out, bytes_of(error));
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
		add_text(out, bytes_of(a->config.session_id));
	else
		strbuf_add_str(out, "null");
	add_key(out, "budget");
	add_float(out, a->config.budget);
	add_key(out, "spent");
	add_float(out, py_round(account_spent(a), AMOUNT_DIGITS));
	add_key(out, "remaining");
	add_float(out, py_round(account_remaining(a), AMOUNT_DIGITS));
	add_summary(out, &all, counts);
	add_key(out, "cost_summary");
	strbuf_add_char(out, '{');
	add_sums(out, &allowed, "by_action_type");
	add_sums(out, &all, "attempted_by_action_type");
	strbuf_add_char(out, '}');
	add_hits(out, a);
	add_key(out, "duration_seconds");
	if (entered > 0)
		add_float(out, py_round(now - entered, DURATION_DIGITS));
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
