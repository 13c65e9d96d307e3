/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent-action-policy's evaluate(tool, args). An action of the API is taken exactly as there. A
 * process's action is asked about once for each of its names, with its text as text arguments; the
 * rule matches if it does for one of them.
 */
#include "policy/action_policy.h"
#include "policy/apiaction.h"
#include "policy/fnmatch.h"
#include "policy/pytext.h"

#define REASON_LIMIT    "regex-limit"
#define REASON_INTERNAL "internal-error"

const char *const action_policy_words[_VERDICT_MAX] = {
	[VERDICT_ALLOW] = "approve",
	[VERDICT_FLAG] = "approve",
	[VERDICT_ASK] = "escalate",
	[VERDICT_DENY] = "deny",
};

/* The arguments of one action, made into text when the first rule needs it. */
struct subject {
	const struct policy_query *q;
	struct policy_scratch *scratch;
	const struct value *args; /* of an API action; NULL: None */
	bool is_api;
	bool has_text, has_path;    /* made, or tried */
	int text_error, path_error; /* what came of it */
	struct bytes text, path;
};

int action_pattern_match(const struct action_pattern *p, struct regex_scratch *scratch,
			 struct bytes text)
{
	switch (p->type) {
	case ACTION_PATTERN_ANY:
		return 1;
	case ACTION_PATTERN_NEVER:
		return 0;
	case ACTION_PATTERN_EXACT:
		return bytes_eq(p->text, text);
	case ACTION_PATTERN_GLOB:
		/* Its time is the product of both lengths, so it has the regexes' limit. */
		return text.len > REGEX_SUBJECT_MAX ? -E2BIG : pyfnmatch(p->text, text);
	case ACTION_PATTERN_REGEX:
		return regex_search(p->regex, scratch, text);
	case ACTION_PATTERN_RAISE:
		return -EBADMSG;
	}
	return -EBADMSG;
}

/* ---- arguments as text */

/* The most bytes that str(@v) can have; a character becomes at most "\xNN" a byte. */
static size_t text_bound(const struct value *v)
{
	size_t bound = 32 + v->text.len;

	if (v->type == VALUE_STRING)
		bound += 3 * v->text.len;
	for (const struct value *c = v->first; c && bound <= REGEX_SUBJECT_MAX; c = c->next)
		bound += text_bound(c);
	return bound;
}

static int compare_keys(const void *a, const void *b)
{
	const struct bytes x = (*(const struct value *const *)a)->text;
	const struct bytes y = (*(const struct value *const *)b)->text;
	size_t n = MIN(x.len, y.len);
	int order = n ? memcmp(x.p, y.p, n) : 0;

	/* The order of UTF-8 is that of the code points, which is Python's. */
	if (order)
		return order;
	return (x.len > y.len) - (x.len < y.len);
}

/* "key=value", by key, joined by blanks. */
static int add_map(struct strbuf *out, struct arena *mem, const struct value *map)
{
	const struct value **keys;
	size_t n = 0;

	if (map->n > REGEX_SUBJECT_MAX)
		return -E2BIG;
	keys = arena_alloc(mem, map->n * sizeof(const struct value *));
	if (!keys)
		return -ENOMEM;
	for (const struct value *key = map->first; key; key = key->next->next)
		keys[n++] = key;
	qsort(keys, n, sizeof(const struct value *), compare_keys);
	for (size_t i = 0; i < n; i++) {
		if (i)
			strbuf_add_char(out, ' ');
		strbuf_add_bytes(out, keys[i]->text);
		strbuf_add_char(out, '=');
		py_add_str(out, keys[i]->next);
	}
	return 0;
}

/*
 * str(@v), or with @is_args what the original makes of a map of arguments. Longer texts than a
 * regular expression is searched in are not made. Return: 0, -E2BIG, -ENOMEM.
 */
static int make_text(struct arena *mem, const struct value *v, bool is_args, struct bytes *ret)
{
	struct strbuf out = {};
	int r = 0;

	if (v->type == VALUE_STRING) {
		*ret = v->text;
		return 0;
	}
	/* A buffer whose memory is as large as its maximum never asks for more. */
	out.cap = MIN(text_bound(v), REGEX_SUBJECT_MAX) + 1;
	out.max = out.cap - 1;
	out.p = arena_alloc(mem, out.cap);
	if (!out.p)
		return -ENOMEM;
	out.p[0] = '\0';
	if (is_args && v->type == VALUE_MAP)
		r = add_map(&out, mem, v);
	else
		py_add_str(&out, v);
	if (r == 0 && strbuf_error(&out))
		r = strbuf_error(&out) == -ENOMEM ? -ENOMEM : -E2BIG;
	*ret = strbuf_bytes(&out);
	return r;
}

static int args_text(struct subject *s)
{
	if (s->has_text)
		return s->text_error;
	s->has_text = true;
	if (s->is_api)
		s->text_error =
			make_text(policy_scratch_arena(s->scratch), s->args, true, &s->text);
	else
		s->text = s->q->args;
	return s->text_error;
}

static int make_path(const struct subject *s, struct bytes *ret)
{
	static const char *const keys[] = {"path", "file_path", "filename", "file", "filepath"};

	*ret = BYTES_NULL;
	if (!s->is_api) {
		*ret = s->q->args;
		return 0;
	}
	if (s->args && s->args->type == VALUE_STRING)
		*ret = s->args->text;
	for (size_t i = 0; s->args && i < ARRAY_SIZE(keys); i++) {
		const struct value *v = value_get(s->args, keys[i]);

		if (v)
			return make_text(policy_scratch_arena(s->scratch), v, false, ret);
	}
	return 0;
}

/* ---- one rule; 1, 0, -E2BIG, -EBADMSG with *ret_error, -ENOMEM */

static int match_pattern(const struct subject *s, const struct action_pattern *p, struct bytes text,
			 const char **ret_error)
{
	int r = action_pattern_match(p, policy_scratch_regex(s->scratch), text);

	if (r == -EBADMSG)
		*ret_error = p->error;
	return r;
}

static int match_tool(const struct subject *s, const struct action_rule *rule,
		      const char **ret_error)
{
	const struct policy_query *q = s->q;
	int r;

	if (s->is_api)
		return match_pattern(s, &rule->tool, q->api->tool, ret_error);
	for (size_t i = 0; i < q->n_names; i++) {
		/* A name that the agent could have made opens nothing. */
		if (q->names[i].is_untrusted && rule->verdict <= VERDICT_FLAG)
			continue;
		r = match_pattern(s, &rule->tool, q->names[i].name, ret_error);
		if (r != 0)
			return r;
	}
	return 0;
}

static int match_args(struct subject *s, const struct action_rule *rule, const char **ret_error)
{
	int r;

	if (rule->args.type == ACTION_PATTERN_ANY)
		return 1;
	/* null matches no pattern, not even one that would raise. */
	if ((s->is_api && !s->args) || rule->args.type == ACTION_PATTERN_NEVER)
		return 0;
	r = args_text(s);
	return r < 0 ? r : match_pattern(s, &rule->args, s->text, ret_error);
}

static int match_paths(struct subject *s, const struct action_rule *rule, const char **ret_error)
{
	int r;

	if (rule->n_paths == 0)
		return 1;
	if (!s->has_path)
		s->path_error = make_path(s, &s->path);
	s->has_path = true;
	if (s->path_error < 0)
		return s->path_error;
	for (size_t i = 0; s->path.len && i < rule->n_paths; i++) {
		r = match_pattern(s, &rule->paths[i], s->path, ret_error);
		if (r != 0)
			return r;
	}
	return 0;
}

static int match_rule(struct subject *s, const struct action_rule *rule, const char **ret_error)
{
	int r = match_tool(s, rule, ret_error);

	if (r == 1)
		r = match_args(s, rule, ret_error);
	if (r == 1)
		r = match_paths(s, rule, ret_error);
	return r;
}

/* ---- answers */

static struct dialect_answer answer_of(const struct action_rule *rule, int outcome,
				       const char *error)
{
	struct dialect_answer a = {
		.verdict = rule->verdict,
		.rule = rule->name,
		.reason = rule->reason,
		.line = rule->line,
	};

	if (outcome < 0)
		a.verdict = VERDICT_DENY;
	if (outcome == -E2BIG)
		a.reason = REASON_LIMIT;
	else if (outcome == -EBADMSG)
		a.reason = a.error = error;
	else if (outcome < 0)
		a.reason = REASON_INTERNAL;
	a.word = action_policy_words[a.verdict];
	return a;
}

/* The original's texts; those of the default rule escalate are those of deny. */
static struct dialect_answer default_answer(const struct action_policy *doc)
{
	bool is_open = doc->default_verdict <= VERDICT_FLAG;

	return (struct dialect_answer){
		.verdict = doc->default_verdict,
		.word = action_policy_words[doc->default_verdict],
		.rule = is_open ? "" : "default",
		.reason = is_open ? "No matching policy \u2014 default approve"
				  : "No matching policy \u2014 default deny (fail-closed)",
	};
}

static struct subject subject_of(struct policy_scratch *scratch, const struct policy_query *q)
{
	struct subject s = {.q = q, .scratch = scratch};

	/* The API's actions in other shapes than (tool, args) carry the names and text of what they
	 * stand for, as a process's do. */
	s.is_api = q->api && q->api->type == POLICY_API_TOOL;
	if (s.is_api && q->api->args && q->api->args->type != VALUE_NULL)
		s.args = q->api->args;
	return s;
}

void action_policy_eval(const void *d, struct policy_scratch *scratch, const struct policy_query *q,
			struct dialect_answer *ret)
{
	const struct action_policy *doc = d;
	struct subject s = subject_of(scratch, q);

	for (size_t i = 0; i < doc->n_rules; i++) {
		const char *error = NULL;
		int r = match_rule(&s, &doc->rules[i], &error);

		if (r == 0)
			continue;
		*ret = answer_of(&doc->rules[i], r, error);
		return;
	}
	*ret = default_answer(doc);
}

void action_policy_each(const void *d, struct policy_scratch *scratch, const struct policy_query *q,
			dialect_each_fn fn, void *ctx)
{
	const struct action_policy *doc = d;
	struct subject s = subject_of(scratch, q);
	struct dialect_answer a;

	for (size_t i = 0; i < doc->n_rules; i++) {
		const char *error = NULL;
		int r = match_rule(&s, &doc->rules[i], &error);

		if (r == 0)
			continue;
		a = answer_of(&doc->rules[i], r, error);
		fn(ctx, &a);
	}
	a = default_answer(doc);
	fn(ctx, &a);
}
