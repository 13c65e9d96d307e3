/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A MeshGuard policy's answer: the first rule that matches, in the order of the document, else the
 * default effect; then whether what is allowed wants a person.
 */
#include "policy/apiaction.h"
#include "policy/meshguard.h"

#define REASON_LIMIT    "regex-limit"
#define REASON_INTERNAL "internal-error"
#define REASON_NO_RULE  "no policy rule matched"
#define REASON_SUBJECT  "this policy does not apply to the agent"
#define RULE_APPROVAL   "humanInTheLoop"

/* No rule says it. */
static struct dialect_answer deny(const char *reason)
{
	return (struct dialect_answer){
		.verdict = VERDICT_DENY, .word = mesh_words[VERDICT_DENY], .reason = reason};
}

/* What is allowed may still want a person. */
static struct dialect_answer settle(const struct mesh_action *a, struct dialect_answer answer)
{
	const struct mesh_policy *doc = a->doc;
	const struct mesh_pattern *p = NULL;

	if (answer.verdict == VERDICT_ALLOW)
		p = mesh_match_patterns(doc->approvals, doc->n_approvals, a->action);
	if (p) {
		answer.verdict = VERDICT_ASK;
		answer.rule = RULE_APPROVAL;
		answer.reason = p->reason;
	}
	answer.word = mesh_words[answer.verdict];
	return answer;
}

static bool fits(const struct mesh_selector *s, const struct value *v)
{
	if (s->n == 0 || !v || v->type == VALUE_NULL)
		return true;
	if (v->type == VALUE_LIST) {
		for (const struct value *item = v->first; item; item = item->next)
			if (item->type != VALUE_NULL && fits(s, item))
				return true;
		return false;
	}
	for (size_t i = 0; v->type == VALUE_STRING && i < s->n; i++)
		if (mesh_match(s->values[i], v->text, false))
			return true;
	return false;
}

/* Who acts is asked only where the action says it: a session was given this policy by somebody who
 * knew. */
static bool applies(const struct mesh_policy *doc, const struct policy_api *api)
{
	if (!api || api->type != POLICY_API_MESH)
		return true;
	return fits(&doc->applies_to[MESH_TIERS], api->tier) &&
	       fits(&doc->applies_to[MESH_AGENT_TAGS], api->tags) &&
	       fits(&doc->applies_to[MESH_AGENT_IDS], api->agent_id) &&
	       fits(&doc->applies_to[MESH_ORG_IDS], api->org_id);
}

static struct dialect_answer rule_answer(const struct mesh_action *a, const struct mesh_rule *rule,
					 const struct mesh_pattern *p)
{
	return settle(a, (struct dialect_answer){
				 .verdict = rule->verdict,
				 .rule = rule->name,
				 .reason = rule->reason ? rule->reason : p->reason,
				 .line = rule->line,
			 });
}

static struct dialect_answer default_answer(const struct mesh_action *a)
{
	return settle(a, (struct dialect_answer){.verdict = a->doc->default_verdict,
						 .reason = REASON_NO_RULE});
}

/* Why no rule is asked; NULL: @ret is the action. */
static const char *refusal(const struct mesh_policy *doc, struct policy_scratch *scratch,
			   const struct policy_query *q, struct mesh_action *ret)
{
	*ret = (struct mesh_action){.doc = doc};
	if (!applies(doc, q->api))
		return REASON_SUBJECT;
	if (mesh_action_from_query(q, scratch, ret) < 0)
		return REASON_INTERNAL;
	return ret->action.len > MESH_SUBJECT_MAX ? REASON_LIMIT : NULL;
}

void mesh_eval(const void *doc, struct policy_scratch *scratch, const struct policy_query *q,
	       struct dialect_answer *ret)
{
	struct mesh_action a;
	const struct mesh_policy *m = doc;
	const char *refused = refusal(m, scratch, q, &a);

	if (refused) {
		*ret = deny(refused);
		return;
	}
	for (size_t i = 0; i < m->n_rules; i++) {
		const struct mesh_pattern *p = mesh_match_rule(&a, &m->rules[i]);

		if (!p)
			continue;
		*ret = rule_answer(&a, &m->rules[i], p);
		return;
	}
	*ret = default_answer(&a);
}

void mesh_each(const void *doc, struct policy_scratch *scratch, const struct policy_query *q,
	       dialect_each_fn fn, void *ctx)
{
	struct mesh_action a;
	const struct mesh_policy *m = doc;
	const char *refused = refusal(m, scratch, q, &a);
	struct dialect_answer answer;

	for (size_t i = 0; !refused && i < m->n_rules; i++) {
		const struct mesh_pattern *p = mesh_match_rule(&a, &m->rules[i]);

		if (!p)
			continue;
		answer = rule_answer(&a, &m->rules[i], p);
		fn(ctx, &answer);
	}
	answer = refused ? deny(refused) : default_answer(&a);
	fn(ctx, &answer);
}
