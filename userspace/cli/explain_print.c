/* SPDX-License-Identifier: Apache-2.0 */
/* An explanation for people, and the same for programs. */
#include "base/escape.h"
#include "base/json.h"

#include "cli/policy_explain.h"

#define SHOWN_MAX 400 /* bytes of a command line or a path, for people */

static const struct policy *policy_of(const struct explanation *e, size_t i)
{
	return policy_stack_get(e->use->set.stack, i);
}

static bool is_audit(const struct explanation *e, size_t i)
{
	return policy_get_mode(policy_of(e, i)) == POLICY_MODE_AUDIT;
}

static struct bytes object_of(const struct policy_query *q)
{
	return q->path.p ? q->path : q->args;
}

/* ---- text */

static void add_shown(struct strbuf *out, struct bytes text)
{
	escape_terminal_max(out, text, SHOWN_MAX);
}

static void add_line(struct strbuf *out, const char *head, const char *text)
{
	if (!text || !*text)
		return;
	strbuf_add_str(out, head);
	escape_terminal(out, bytes_of(text));
	strbuf_add_char(out, '\n');
}

static void add_what(struct strbuf *out, const struct policy_match *m)
{
	strbuf_add_str(out, verdict_name(m->verdict));
	if (m->source.rule && *m->source.rule) {
		strbuf_add_str(out, " by rule '");
		escape_terminal(out, bytes_of(m->source.rule));
		strbuf_add_char(out, '\'');
	} else if (m->source.line == 0) {
		strbuf_add_str(out, " by default");
	}
}

static void add_ask(struct strbuf *out, const struct policy_ask *ask)
{
	if (!ask)
		return;
	strbuf_add_str(out, "    asks ");
	for (size_t i = 0; i < ask->n_approvers; i++) {
		strbuf_add_str(out, i ? ", " : "");
		escape_terminal(out, bytes_of(ask->approvers[i]));
	}
	if (ask->n_approvers == 0)
		strbuf_add_str(out, "whoever may answer");
	if (ask->timeout_ns)
		strbuf_add_fmt(out, ", for %llu s",
			       (unsigned long long)(ask->timeout_ns / NS_PER_SEC));
	strbuf_add_char(out, '\n');
}

static void add_decided(struct strbuf *out, const struct explanation *e,
			const struct policy_match *m)
{
	strbuf_add_str(out, "  policy '");
	escape_terminal(out, bytes_of(m->source.policy));
	strbuf_add_fmt(out, "'%s: ", is_audit(e, m->policy) ? " (audit, only advises)" : "");
	add_what(out, m);
	strbuf_add_str(out, ", ");
	escape_terminal(out, bytes_of(m->source.file));
	if (m->source.line)
		strbuf_add_fmt(out, ":%u", m->source.line);
	strbuf_add_char(out, '\n');
	add_line(out, "    because: ", m->source.reason);
	add_line(out, "    instead: ", m->source.suggest);
	add_line(out, "    the original raises: ", m->source.error);
	if (m->verdict == VERDICT_ASK)
		add_ask(out, m->source.ask);
}

static void add_policy(struct strbuf *out, const struct explanation *e,
		       const struct explain_step *s, size_t policy)
{
	bool has_others = false;

	for (size_t i = 0; i < s->n_matches; i++)
		if (s->matches[i].policy == policy && s->matches[i].is_deciding)
			add_decided(out, e, &s->matches[i]);
	for (size_t i = 0; i < s->n_matches; i++) {
		const struct policy_match *m = &s->matches[i];

		if (m->policy != policy || m->is_deciding)
			continue;
		strbuf_add_str(out, has_others ? ", " : "    would also match: ");
		add_what(out, m);
		if (m->source.line)
			strbuf_add_fmt(out, " (line %u)", m->source.line);
		has_others = true;
	}
	if (has_others)
		strbuf_add_char(out, '\n');
}

/* A framework's tool, MeshGuard's action: there is no program, so the name tells what it is. */
static bool is_mere_name(const struct policy_query *q)
{
	return q->kind == KIND_TOOL && q->argc == 0 && !q->path.p && q->n_names;
}

static void add_step(struct strbuf *out, const struct explanation *e, const struct explain_step *s)
{
	const struct policy_query *q = s->query;
	struct bytes object = is_mere_name(q) ? q->names[0].name : object_of(q);

	strbuf_add_fmt(out, "%s: %s ", verdict_name(s->result.verdict),
		       is_mere_name(q) ? kind_name(q->kind) : op_name(q->op));
	add_shown(out, object);
	if (q->args.len && !bytes_eq(object, q->args)) {
		strbuf_add_str(out, " (");
		add_shown(out, q->args);
		strbuf_add_char(out, ')');
	}
	strbuf_add_char(out, '\n');
	for (size_t i = 0; i < policy_stack_size(e->use->set.stack); i++)
		add_policy(out, e, s, i);
}

static void add_summary(struct strbuf *out, const struct explanation *e)
{
	const struct policy_result *r = &e->answer.result;
	size_t n_policies = policy_stack_size(e->use->set.stack);

	strbuf_add_fmt(out, "verdict: %s", verdict_name(r->verdict));
	if (e->n_steps > 1 || n_policies > 1)
		strbuf_add_str(out, ", the strictest of ");
	if (e->n_steps > 1)
		strbuf_add_fmt(out, "%zu steps", e->n_steps);
	if (n_policies > 1)
		strbuf_add_fmt(out, "%s%zu policies", e->n_steps > 1 ? " and " : "", n_policies);
	if (r->advised > r->verdict)
		strbuf_add_fmt(out, "; if all policies enforced: %s", verdict_name(r->advised));
	if (r->cost > 0)
		strbuf_add_fmt(out, "; costs %g", r->cost);
	strbuf_add_char(out, '\n');
	add_line(out, "error: ", e->answer.error);
}

void explain_print(const struct explanation *e, struct strbuf *out)
{
	const struct policyset *set = &e->use->set;

	for (size_t i = 0; i < e->n_steps; i++)
		add_step(out, e, &e->steps[i]);
	for (size_t i = 0; i < set->n_left_out; i++)
		add_line(out, "left out, since it does not apply to this session: ",
			 set->left_out[i].name);
	add_summary(out, e);
}

/* ---- JSON */

static void add_source(struct json *j, const struct policy_source *s)
{
	json_key_cstr(j, "rule", s->rule);
	json_key(j, "line");
	if (s->line)
		json_u64(j, s->line);
	else
		json_none(j);
	json_key_cstr(j, "reason", s->reason);
	json_key_cstr(j, "suggest", s->suggest);
}

static const char *word_of(const struct policy_match *m)
{
	return m->source.word ? m->source.word : verdict_name(m->verdict);
}

static void add_ask_json(struct json *j, const struct policy_match *m)
{
	const struct policy_ask *ask = m->verdict == VERDICT_ASK ? m->source.ask : NULL;

	json_key(j, "ask");
	if (!ask) {
		json_none(j);
		return;
	}
	json_begin_object(j);
	json_key_u64(j, "timeout_s", ask->timeout_ns / NS_PER_SEC);
	json_key(j, "approvers");
	json_begin_array(j);
	for (size_t i = 0; i < ask->n_approvers; i++)
		json_str(j, bytes_of(ask->approvers[i]));
	json_end_array(j);
	json_end_object(j);
}

static void add_decided_json(struct json *j, const struct explanation *e,
			     const struct policy_match *m)
{
	json_key_cstr(j, "policy", m->source.policy);
	json_key_cstr(j, "file", m->source.file);
	json_key_cstr(j, "language", policy_language_name(m->source.language));
	json_key_cstr(j, "mode", is_audit(e, m->policy) ? "audit" : "enforce");
	json_key_cstr(j, "verdict", verdict_name(m->verdict));
	json_key_cstr(j, "word", word_of(m));
	add_source(j, &m->source);
	json_key_cstr(j, "error", m->source.error);
	add_ask_json(j, m);
}

static void add_policy_json(struct json *j, const struct explanation *e,
			    const struct explain_step *s, size_t policy)
{
	json_begin_object(j);
	for (size_t i = 0; i < s->n_matches; i++)
		if (s->matches[i].policy == policy && s->matches[i].is_deciding)
			add_decided_json(j, e, &s->matches[i]);
	json_key(j, "also");
	json_begin_array(j);
	for (size_t i = 0; i < s->n_matches; i++) {
		const struct policy_match *m = &s->matches[i];

		if (m->policy != policy || m->is_deciding)
			continue;
		json_begin_object(j);
		json_key_cstr(j, "verdict", verdict_name(m->verdict));
		json_key_cstr(j, "word", word_of(m));
		add_source(j, &m->source);
		json_end_object(j);
	}
	json_end_array(j);
	json_end_object(j);
}

static void add_step_json(struct json *j, const struct explanation *e, const struct explain_step *s)
{
	const struct policy_query *q = s->query;

	json_begin_object(j);
	json_key_cstr(j, "kind", kind_name(q->kind));
	json_key_cstr(j, "op", op_name(q->op));
	json_key_str(j, "object", object_of(q));
	json_key_str(j, "args", q->args);
	json_key(j, "names");
	json_begin_array(j);
	for (size_t i = 0; i < q->n_names; i++)
		json_str(j, q->names[i].name);
	json_end_array(j);
	json_key_cstr(j, "verdict", verdict_name(s->result.verdict));
	json_key_cstr(j, "advised", verdict_name(s->result.advised));
	json_key(j, "policies");
	json_begin_array(j);
	for (size_t i = 0; i < policy_stack_size(e->use->set.stack); i++)
		add_policy_json(j, e, s, i);
	json_end_array(j);
	json_end_object(j);
}

void explain_print_json(const struct explanation *e, struct strbuf *out)
{
	const struct policy_result *r = &e->answer.result;
	const struct policyset *set = &e->use->set;
	struct json j = JSON_INIT(out);

	json_begin_object(&j);
	json_key_cstr(&j, "verdict", verdict_name(r->verdict));
	json_key_cstr(&j, "advised", verdict_name(r->advised));
	json_key_cstr(&j, "policy", r->source.policy);
	json_key_cstr(&j, "file", r->source.file);
	add_source(&j, &r->source);
	json_key_double(&j, "cost", r->cost);
	json_key_cstr(&j, "error", e->answer.error);
	json_key(&j, "steps");
	json_begin_array(&j);
	for (size_t i = 0; i < e->n_steps; i++)
		add_step_json(&j, e, &e->steps[i]);
	json_end_array(&j);
	json_key(&j, "left_out");
	json_begin_array(&j);
	for (size_t i = 0; i < set->n_left_out; i++)
		json_str(&j, bytes_of(set->left_out[i].name));
	json_end_array(&j);
	json_end_object(&j);
	strbuf_add_char(out, '\n');
}
