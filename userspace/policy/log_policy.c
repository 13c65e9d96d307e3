/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The value of `log`. Carrying it out is audit/'s and control/'s.
 */
#include "policy/document.h"
#include "policy/yaml_text.h"

static const char *const part_names[_POLICY_LOG_PART_MAX] = {
	[POLICY_LOG_ARGV] = "argv", [POLICY_LOG_OBJECT] = "object",   [POLICY_LOG_ASKED] = "asked",
	[POLICY_LOG_CWD] = "cwd",   [POLICY_LOG_ADDRESS] = "address",
};

static const char *const sync_names[_POLICY_SYNC_MAX] = {
	[POLICY_SYNC_NONE] = "none",
	[POLICY_SYNC_SECOND] = "second",
	[POLICY_SYNC_ALWAYS] = "always",
};

static const char *const failure_names[] = {
	[POLICY_LOG_DENY] = "deny",
	[POLICY_LOG_STOP] = "stop",
};

/* Return: the number of the word; -EINVAL with the diag set. */
static int parse_word(const struct loader *l, const struct node *n, const char *key,
		      const char *const *words, size_t n_words)
{
	_cleanup_(strbuf_fini) struct strbuf known = STRBUF_INIT(256);

	for (size_t i = 0; i < n_words; i++) {
		if (n->type == NODE_SCALAR && bytes_eq_str(n->text, words[i]))
			return (int)i;
		strbuf_add_fmt(&known, "%s%s",
			       i == 0             ? ""
			       : i == n_words - 1 ? " or "
						  : ", ",
			       words[i]);
	}
	return loader_fail(l, n, "'%s' must be %s, found %s%s%.40s", key, strbuf_str(&known),
			   node_describe(n), n->type == NODE_SCALAR ? " " : "",
			   n->type == NODE_SCALAR ? n->text.p : "");
}

/* ---- redact */

static int parse_pattern(const struct loader *l, const struct node *n, void *target)
{
	struct policy_redaction *redaction = target;
	struct bytes s = {};
	int r = schema_string(l, n, "pattern", &s);

	if (r == 0)
		r = match_regex(l, n, "redact", s, &redaction->regex);
	if (r < 0)
		return r;
	if (regex_search_once(redaction->regex, l->scratch, BYTES_LIT("")) != 0)
		return loader_fail(l, n,
				   "'%.60s' matches the empty text, so it would be found "
				   "everywhere; ask for at least one character",
				   s.p);
	return 0;
}

static int parse_redaction_name(const struct loader *l, const struct node *n, void *target)
{
	return schema_word(l, n, "name", &((struct policy_redaction *)target)->name);
}

static int parse_in(const struct loader *l, const struct node *n, void *target)
{
	struct policy_redaction *redaction = target;
	const struct node *item = NULL;
	size_t count = 0;
	int r = schema_list(l, n, "in", &count, &item);

	if (r < 0)
		return r;
	redaction->in = 0;
	for (; count; count--, item = item->next) {
		r = parse_word(l, item, "in", part_names, ARRAY_SIZE(part_names));
		if (r < 0)
			return r;
		redaction->in |= UINT32_C(1) << r;
	}
	return 0;
}

static const struct field redaction_fields[] = {
	{"pattern", true, parse_pattern},
	{"name", false, parse_redaction_name},
	{"in", false, parse_in},
};

static int parse_redact(const struct loader *l, const struct node *n, void *target)
{
	struct policy_log *log = target;
	struct policy_redaction *redactions;
	const struct node *item = n->type == NODE_LIST ? n->first : n;
	size_t count = n->type == NODE_LIST ? n->n : 1;
	int r = 0;

	if (count == 0)
		return loader_fail(l, n, "'redact' is an empty list; remove it or list patterns");
	if (count > POLICY_MAX_REDACTIONS)
		return loader_fail(l, n, "'redact' has at most %d patterns, not %zu",
				   POLICY_MAX_REDACTIONS, count);
	redactions = match_alloc(l, count, sizeof(*redactions));
	if (!redactions)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < count; i++, item = item->next) {
		redactions[i].name = "policy";
		redactions[i].in = POLICY_LOG_PARTS_ALL;
		if (item->type == NODE_MAP)
			r = schema_map(l, item, "a redaction", redaction_fields,
				       ARRAY_SIZE(redaction_fields), &redactions[i]);
		else
			r = parse_pattern(l, item, &redactions[i]);
	}
	log->redactions = redactions;
	log->n_redactions = count;
	return r;
}

/* ---- log */

static int parse_builtin(const struct loader *l, const struct node *n, void *target)
{
	bool has_builtin = true;
	int r = schema_bool(l, n, "builtin_redactions", &has_builtin);

	((struct policy_log *)target)->no_builtin = !has_builtin;
	return r;
}

static int parse_sync(const struct loader *l, const struct node *n, void *target)
{
	int r = parse_word(l, n, "sync", sync_names + POLICY_SYNC_NONE,
			   _POLICY_SYNC_MAX - POLICY_SYNC_NONE);

	if (r < 0)
		return r;
	((struct policy_log *)target)->sync = (enum policy_log_sync)(POLICY_SYNC_NONE + r);
	return 0;
}

static int parse_on_failure(const struct loader *l, const struct node *n, void *target)
{
	int r = parse_word(l, n, "on_failure", failure_names, ARRAY_SIZE(failure_names));

	if (r < 0)
		return r;
	((struct policy_log *)target)->on_failure = (enum policy_log_failure)r;
	return 0;
}

static int parse_reads(const struct loader *l, const struct node *n, void *target)
{
	return schema_bool(l, n, "reads", &((struct policy_log *)target)->reads);
}

static int parse_accepts(const struct loader *l, const struct node *n, void *target)
{
	return schema_bool(l, n, "accepts", &((struct policy_log *)target)->accepts);
}

static const struct field log_fields[] = {
	{"redact", false, parse_redact}, {"builtin_redactions", false, parse_builtin},
	{"sync", false, parse_sync},     {"on_failure", false, parse_on_failure},
	{"reads", false, parse_reads},   {"accepts", false, parse_accepts},
};

int log_parse(const struct loader *l, const struct node *n, void *policy)
{
	struct policy *p = policy;
	struct policy_log *log = match_alloc(l, 1, sizeof(*log));
	int r;

	if (!log)
		return -ENOMEM;
	if (n->type == NODE_MAP && n->n == 0)
		return loader_fail(l, n, "'log' is empty; remove it, or say what the log is like");
	r = schema_map(l, n, "'log'", log_fields, ARRAY_SIZE(log_fields), log);
	p->log = log;
	return r;
}

/* ---- as policy_show() has it */

static void show_redaction(const struct policy_redaction *redaction, struct strbuf *out)
{
	bool is_first = true;

	strbuf_add_str(out, "  - {pattern: ");
	yaml_add_text(out, regex_text(redaction->regex));
	strbuf_add_str(out, ", name: ");
	yaml_add_text(out, bytes_of(redaction->name));
	strbuf_add_str(out, ", in: [");
	for (size_t i = 0; i < _POLICY_LOG_PART_MAX; i++)
		if (redaction->in >> i & 1) {
			strbuf_add_fmt(out, "%s%s", is_first ? "" : ", ", part_names[i]);
			is_first = false;
		}
	strbuf_add_str(out, "]}\n");
}

void log_show(const struct policy_log *log, struct strbuf *out)
{
	strbuf_add_fmt(out, "log:\n  builtin_redactions: %s\n", log->no_builtin ? "false" : "true");
	if (log->sync != POLICY_SYNC_UNSAID)
		strbuf_add_fmt(out, "  sync: %s\n", sync_names[log->sync]);
	strbuf_add_fmt(out, "  on_failure: %s\n", failure_names[log->on_failure]);
	if (log->reads)
		strbuf_add_str(out, "  reads: true\n");
	if (log->accepts)
		strbuf_add_str(out, "  accepts: true\n");
	if (log->n_redactions)
		strbuf_add_str(out, "  redact:\n");
	for (size_t i = 0; i < log->n_redactions; i++)
		show_redaction(&log->redactions[i], out);
}

bool policy_stack_counts_accepts(const struct policy_stack *s)
{
	for (size_t i = 0; i < policy_stack_size(s); i++) {
		const struct policy_log *log = policy_get_log(policy_stack_get(s, i));

		if (log && log->accepts)
			return true;
	}
	return false;
}
