/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "policy/pytext.h"

#include "audit/report.h"
#include "audit/report_agentpolicy.h"

#define AMOUNT_DIGITS   6
#define DURATION_DIGITS 2

/* What an action is to AgentPolicy. */
enum call_type {
	CALL_TOOL,
	CALL_HTTP,
	CALL_COST,
	_CALL_MAX,
};

static const char *const call_words[_CALL_MAX] = {"tool", "http", "cost"};

static const enum call_type call_of[_KIND_MAX] = {
	[KIND_TOOL] = CALL_TOOL,   [KIND_PATH] = CALL_TOOL,  [KIND_NETWORK] = CALL_HTTP,
	[KIND_SYSTEM] = CALL_TOOL, [KIND_SPEND] = CALL_COST,
};

static const char *const decision_words[_VERDICT_MAX] = {
	[VERDICT_ALLOW] = "allow",
	[VERDICT_FLAG] = "allow",
	[VERDICT_ASK] = "require_approval",
	[VERDICT_DENY] = "deny",
};

enum {
	HITS_TOOLS,
	HITS_DOMAINS,
	HITS_APPROVAL,
	_HITS_MAX,
};

static const char *const hits_keys[_HITS_MAX] = {
	"denied_tools",
	"denied_domains",
	"approval_required",
};

struct agentpolicy_report {
	uint64_t by_verdict[_VERDICT_MAX], by_type[_CALL_MAX];
	double allowed[_CALL_MAX], attempted[_CALL_MAX];
	double spent, spent_before; /* by the session that is read, and by those before */
	json_t *hits[_HITS_MAX];    /* arrays */
	uint64_t hits_unlisted;
	json_t *decisions;
	uint64_t decisions_unlisted;
};

struct agentpolicy_report *agentpolicy_report_new(void)
{
	struct agentpolicy_report *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->decisions = json_array();
	for (size_t i = 0; i < _HITS_MAX; i++)
		r->hits[i] = json_array();
	for (size_t i = 0; i < _HITS_MAX; i++)
		if (!r->hits[i] || !r->decisions)
			return agentpolicy_report_free(r);
	return r;
}

struct agentpolicy_report *agentpolicy_report_free(struct agentpolicy_report *r)
{
	for (size_t i = 0; r && i < _HITS_MAX; i++)
		json_decref(r->hits[i]);
	if (r)
		json_decref(r->decisions);
	free(r);
	return NULL;
}

/* ---- adding */

/* The name by which a path action is known to such a framework. */
static const char *path_tool(const char *op)
{
	if (streq(op, "read"))
		return "file_read";
	return streq(op, "delete") ? "file_delete" : "file_write";
}

/* The name of the tool or place. Return: a new reference. */
static json_t *name_of(const json_t *root, enum action_kind kind)
{
	const json_t *object = json_object_get(root, "object");
	const char *s = reader_word(root, "object"), *slash = strrchr(s, '/');

	if (kind == KIND_PATH)
		return json_string(path_tool(reader_word(root, "op")));
	if (!json_is_string(object))
		return json_string("");
	if (kind == KIND_TOOL && slash)
		return json_string(slash + 1);
	if (kind == KIND_NETWORK && strrchr(s, ':') && s[0] != 'u') /* without the port */
		return json_stringn(s, (size_t)(strrchr(s, ':') - s));
	return json_stringn(json_string_value(object), json_string_length(object));
}

static void copy_key(json_t *to, const json_t *root, const char *key)
{
	json_t *v = json_object_get(root, key);

	(void)json_object_set_new(to, key, v ? json_incref(v) : json_null());
}

static json_t *action_json(const json_t *root, enum action_kind kind, json_t *name, double time)
{
	static const char *const keys[_CALL_MAX] = {"tool_name", "domain", "source"};
	enum call_type type = call_of[kind];
	json_t *o = json_object(), *metadata = json_object();

	copy_key(metadata, root, "op");
	copy_key(metadata, root, "object");
	copy_key(metadata, root, "seq");
	(void)json_object_set_new(o, "action_type", json_string(call_words[type]));
	(void)json_object_set_new(o, "cost",
				  json_real(json_number_value(json_object_get(root, "cost"))));
	(void)json_object_set_new(o, "timestamp", json_real(time));
	if (type != CALL_COST || json_string_length(name))
		(void)json_object_set(o, keys[type], name);
	if (json_object_set_new(o, "metadata", metadata) < 0) {
		json_decref(o);
		return NULL;
	}
	return o;
}

static int add_decision(struct agentpolicy_report *r, const struct reader_line *line,
			enum action_kind kind, enum verdict verdict, json_t *name)
{
	double time = (double)line->time_ns / (double)NS_PER_SEC;
	json_t *reason = json_object_get(line->root, "reason"), *item;

	if (json_array_size(r->decisions) >= REPORT_MAX_ITEMS) {
		r->decisions_unlisted++;
		return 0;
	}
	item = json_object();
	(void)json_object_set_new(item, "decision_type", json_string(decision_words[verdict]));
	(void)json_object_set_new(item, "reason",
				  json_is_string(reason) ? json_incref(reason) : json_string(""));
	(void)json_object_set_new(item, "timestamp", json_real(time));
	if (json_object_set_new(item, "action", action_json(line->root, kind, name, time)) < 0) {
		json_decref(item);
		return -ENOMEM;
	}
	return json_array_append_new(r->decisions, item) < 0 ? -ENOMEM : 0;
}

static int add_hit(struct agentpolicy_report *r, enum action_kind kind, enum verdict verdict,
		   json_t *name)
{
	size_t i = HITS_APPROVAL;

	if (verdict < VERDICT_ASK || (verdict == VERDICT_DENY && call_of[kind] == CALL_COST))
		return 0;
	if (verdict == VERDICT_DENY)
		i = call_of[kind] == CALL_HTTP ? HITS_DOMAINS : HITS_TOOLS;
	if (json_array_size(r->hits[i]) >= REPORT_MAX_ITEMS) {
		r->hits_unlisted++;
		return 0;
	}
	return json_array_append(r->hits[i], name) < 0 ? -ENOMEM : 0;
}

int agentpolicy_report_add(struct agentpolicy_report *r, const struct reader_line *line,
			   enum action_kind kind, enum verdict verdict)
{
	double cost = json_number_value(json_object_get(line->root, "cost"));
	double spent = json_number_value(json_object_get(line->root, "spent"));
	bool wants_name =
		verdict >= VERDICT_ASK || json_array_size(r->decisions) < REPORT_MAX_ITEMS;
	enum call_type type = call_of[kind];
	json_t *name = NULL;
	int rc = 0;

	r->by_verdict[verdict]++;
	r->by_type[type]++;
	r->attempted[type] += cost;
	if (verdict < VERDICT_ASK)
		r->allowed[type] += cost;
	r->spent = MAX(r->spent, spent);
	if (wants_name) {
		name = name_of(line->root, kind);
		rc = name ? add_hit(r, kind, verdict, name) : -ENOMEM;
	}
	if (rc == 0)
		rc = add_decision(r, line, kind, verdict, name);
	json_decref(name);
	return rc;
}

void agentpolicy_report_next_session(struct agentpolicy_report *r)
{
	r->spent_before += r->spent;
	r->spent = 0;
}

/* ---- as JSON */

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *decimals(double v, int digits)
{
	return json_real(isfinite(v) ? py_round(v, digits) : 0);
}

/* Of the types that were met. */
static json_t *sums_json(const struct agentpolicy_report *r, const double sums[static _CALL_MAX])
{
	json_t *o = json_object();

	for (size_t t = 0; t < _CALL_MAX; t++)
		if (r->by_type[t])
			(void)json_object_set_new(o, call_words[t],
						  decimals(sums[t], AMOUNT_DIGITS));
	return o;
}

static json_t *summary_json(const struct agentpolicy_report *r)
{
	json_t *o = json_object(), *types = json_object();

	(void)json_object_set_new(
		o, "allow", number(r->by_verdict[VERDICT_ALLOW] + r->by_verdict[VERDICT_FLAG]));
	(void)json_object_set_new(o, "deny", number(r->by_verdict[VERDICT_DENY]));
	(void)json_object_set_new(o, "require_approval", number(r->by_verdict[VERDICT_ASK]));
	for (size_t t = 0; t < _CALL_MAX; t++)
		if (r->by_type[t])
			(void)json_object_set_new(types, call_words[t], number(r->by_type[t]));
	(void)json_object_set_new(o, "by_action_type", types);
	return o;
}

static json_t *hits_json(const struct agentpolicy_report *r)
{
	json_t *o = json_object();

	for (size_t i = 0; i < _HITS_MAX; i++)
		(void)json_object_set(o, hits_keys[i], r->hits[i]);
	(void)json_object_set_new(o, "unlisted", number(r->hits_unlisted));
	return o;
}

/* The smallest limit of the session's policies; 0: none. */
static double budget_of(const json_t *start)
{
	const json_t *policies = json_object_get(start, "policies");
	double least = 0;

	for (size_t i = 0; i < json_array_size(policies); i++) {
		const json_t *p = json_array_get(policies, i);
		double max = json_number_value(json_object_get(p, "max_spend"));

		if (max > 0 && !json_is_false(json_object_get(p, "applies")) &&
		    (least == 0 || max < least))
			least = max;
	}
	return least;
}

int agentpolicy_report_finish(const struct agentpolicy_report *r, const json_t *start,
			      const json_t *end, json_t *report)
{
	const json_t *spend = json_object_get(json_object_get(end, "counts"), "spend");
	const json_t *left = json_object_get(spend, "remaining");
	double spent = json_is_number(json_object_get(spend, "spent"))
			       ? json_number_value(json_object_get(spend, "spent"))
			       : r->spent_before + r->spent;
	double budget = budget_of(start), remaining = budget > spent ? budget - spent : 0;
	json_t *costs = json_object();

	if (json_is_number(left))
		remaining = json_number_value(left);
	(void)json_object_set_new(costs, "by_action_type", sums_json(r, r->allowed));
	(void)json_object_set_new(costs, "attempted_by_action_type", sums_json(r, r->attempted));
	(void)json_object_set(report, "session_id", json_object_get(report, "session"));
	(void)json_object_set_new(report, "budget", json_real(budget));
	(void)json_object_set_new(report, "spent", decimals(spent, AMOUNT_DIGITS));
	(void)json_object_set_new(report, "remaining", decimals(remaining, AMOUNT_DIGITS));
	(void)json_object_set_new(report, "decision_summary", summary_json(r));
	(void)json_object_set_new(report, "cost_summary", costs);
	(void)json_object_set_new(report, "policy_hits", hits_json(r));
	(void)json_object_set_new(
		report, "duration_seconds",
		decimals((double)reader_u64(report, "duration_ns") / (double)NS_PER_SEC,
			 DURATION_DIGITS));
	(void)json_object_set_new(report, "decisions_unlisted", number(r->decisions_unlisted));
	return json_object_set(report, "decisions", r->decisions) < 0 ? -ENOMEM : 0;
}
