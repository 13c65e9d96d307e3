/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of a document: everything of a rule but what it matches, which is match.c's.
 */
#include <ctype.h>

#include "base/io.h"
#include "base/strbuf.h"

#include "policy/document.h"
#include "policy/example.h"
#include "policy/source.h"
#include "policy/vars.h"
#include "policy/yaml_text.h"

#define ASK_TIMEOUT_MAX_S  86400 /* as of --ask-timeout */
#define APPROVER_MAX_BYTES 64
#define MATCH_TEXT_MAX     ((size_t)1024 * 1024)

static int parse_rule_name(const struct loader *l, const struct node *n, void *target)
{
	struct rule *rule = target;
	struct bytes s = {};
	int r = schema_string(l, n, "name", &s);

	if (r < 0)
		return r;
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] < 0x20)
			return loader_fail(l, n, "a rule's name is one line of text");
	if (s.len > SCHEMA_NAME_MAX_BYTES)
		return loader_fail(l, n, "a name has at most %d bytes", SCHEMA_NAME_MAX_BYTES);
	rule->name_line = n->line;
	rule->name_column = n->column;
	return schema_keep(l, s, &rule->name);
}

static int parse_action(const struct loader *l, const struct node *n, void *target)
{
	return schema_verdict(l, n, &((struct rule *)target)->action);
}

static int parse_reason(const struct loader *l, const struct node *n, void *target)
{
	return schema_text(l, n, "reason", &((struct rule *)target)->reason);
}

static int parse_suggest(const struct loader *l, const struct node *n, void *target)
{
	return schema_text(l, n, "suggest", &((struct rule *)target)->suggest);
}

static int parse_priority(const struct loader *l, const struct node *n, void *target)
{
	struct rule *rule = target;
	struct bytes s = n->text;
	bool is_negative = n->type == NODE_SCALAR && s.len && s.p[0] == '-';
	uint64_t value;

	if (is_negative)
		s = (struct bytes){.p = s.p + 1, .len = s.len - 1};
	if (n->type != NODE_SCALAR || !n->is_plain || parse_u64(s, 1000000000, &value) < 0 ||
	    (s.len > 1 && s.p[0] == '0'))
		return loader_fail(l, n,
				   "'priority' must be a whole number between -1000000000 "
				   "and 1000000000; lower comes first, the default is 100");
	rule->priority = is_negative ? -(int64_t)value : (int64_t)value;
	return 0;
}

static int parse_flag(const struct loader *l, const struct node *n, _unused_ void *target)
{
	bool is_flagged;

	return schema_bool(l, n, "flag", &is_flagged);
}

static int parse_max_bytes_sent(const struct loader *l, const struct node *n, void *target)
{
	return schema_size(l, n, "max_bytes_sent", &((struct rule *)target)->sent.max);
}

static int parse_sent_per(const struct loader *l, const struct node *n, void *target)
{
	struct rule *rule = target;
	struct bytes s = {};
	int r = schema_string(l, n, "max_bytes_sent_per", &s);

	if (r < 0)
		return r;
	rule->sent.is_per_domain = bytes_eq_str(s, "domain");
	if (rule->sent.is_per_domain || bytes_eq_str(s, "rule"))
		return 0;
	return loader_fail(l, n,
			   "'max_bytes_sent_per' must be rule (what its connections send together) "
			   "or domain (what those to one name do)");
}

static int parse_cost(const struct loader *l, const struct node *n, void *target)
{
	return schema_money(l, n, "cost", &((struct rule *)target)->cost);
}

/* ---- ask */

static int parse_timeout(const struct loader *l, const struct node *n, void *target)
{
	return schema_duration(l, n, "timeout", ASK_TIMEOUT_MAX_S,
			       &((struct policy_ask *)target)->timeout_ns);
}

static bool is_account_name(struct bytes s)
{
	if (s.len && s.p[0] == '@')
		s = (struct bytes){.p = s.p + 1, .len = s.len - 1};
	for (size_t i = 0; i < s.len; i++)
		if (!isalnum((unsigned char)s.p[i]) && !strchr("._-$", s.p[i]))
			return false;
	return s.len > 0 && s.len <= APPROVER_MAX_BYTES && s.p[0] != '-';
}

static int parse_approvers(const struct loader *l, const struct node *n, void *target)
{
	struct policy_ask *ask = target;
	const struct node *item = NULL;
	const char **names;
	int r = schema_list(l, n, "approvers", &ask->n_approvers, &item);

	if (r < 0)
		return r;
	names = arena_alloc(&l->policy->mem, ask->n_approvers * sizeof(*names));
	if (!names)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < ask->n_approvers; i++, item = item->next) {
		struct bytes s = {};

		r = schema_string(l, item, "approvers", &s);
		if (r == 0 && !is_account_name(s))
			r = loader_fail(l, item,
					"an approver is the name of a user, or \"@\" and that of a "
					"group; '%.60s' is neither",
					s.p);
		if (r == 0)
			r = schema_keep(l, s, &names[i]);
	}
	ask->approvers = names;
	return r;
}

static int parse_approver_count(const struct loader *l, const struct node *n, void *target)
{
	uint64_t count = 0;
	int r = schema_count(l, n, "count", POLICY_MAX_APPROVALS, &count);

	((struct policy_ask *)target)->count = (unsigned)count;
	return r;
}

static int parse_max_scope(const struct loader *l, const struct node *n, void *target)
{
	struct policy_ask *ask = target;

	ask->has_max_scope = true;
	if (n->type != NODE_SCALAR || answer_scope_parse(n->text, &ask->max_scope) < 0)
		return loader_fail(
			l, n,
			"'max_scope' must be exact, tool, dir, address, domain or agent: the "
			"most that one answer may cover");
	return 0;
}

static int parse_max_duration(const struct loader *l, const struct node *n, void *target)
{
	struct policy_ask *ask = target;

	ask->has_max_term = true;
	if (n->type != NODE_SCALAR || answer_term_parse(n->text, &ask->max_term) < 0)
		return loader_fail(l, n,
				   "'max_duration' must be once, session, restart, always or a "
				   "time from 30s to 12h: how long one answer may hold");
	return 0;
}

static const struct field ask_fields[] = {
	{"timeout", false, parse_timeout},           {"approvers", false, parse_approvers},
	{"count", false, parse_approver_count},      {"max_scope", false, parse_max_scope},
	{"max_duration", false, parse_max_duration},
};

bool policy_names_approvers(const struct policy *p)
{
	for (size_t i = 0; !p->dialect && i < p->n_rules; i++)
		if (p->rules[i].ask && p->rules[i].ask->n_approvers)
			return true;
	return false;
}

bool policy_ask_permits(const struct policy_ask *ask, enum answer_scope scope,
			const struct answer_term *term)
{
	if (!ask)
		return true;
	return (!ask->has_max_scope || answer_scope_is_within(scope, ask->max_scope)) &&
	       (!ask->has_max_term || answer_term_is_within(term, &ask->max_term));
}

static int parse_ask(const struct loader *l, const struct node *n, void *target)
{
	struct policy_ask *ask = arena_alloc(&l->policy->mem, sizeof(*ask));
	struct rule *rule = target;
	int r;

	if (!ask)
		return -ENOMEM;
	*ask = (struct policy_ask){};
	rule->ask = ask;
	if (n->type == NODE_MAP && n->n == 0)
		return loader_fail(l, n, "'ask' is empty; give it 'timeout' or 'approvers'");
	r = schema_map(l, n, "'ask'", ask_fields, ARRAY_SIZE(ask_fields), ask);
	if (r == 0 && ask->count > 1 && ask->n_approvers == 0)
		return loader_fail(l, n, "'count' needs 'approvers': who the %u are", ask->count);
	return r;
}

/* Read by parse_rule(), into memory that lives only as long as the reading. */
static int parse_examples(_unused_ const struct loader *l, _unused_ const struct node *n,
			  _unused_ void *target)
{
	return 0;
}

static const struct field rule_fields[] = {
	{"name", true, parse_rule_name},
	{"match", true, match_parse},
	{"unless", false, match_unless_parse},
	{"action", true, parse_action},
	{"reason", false, parse_reason},
	{"suggest", false, parse_suggest},
	{"priority", false, parse_priority},
	{"flag", false, parse_flag},
	{"cost", false, parse_cost},
	{"ask", false, parse_ask},
	{"examples", false, parse_examples},
	{"max_bytes_sent", false, parse_max_bytes_sent},
	{"max_bytes_sent_per", false, parse_sent_per},
};

/* ---- the keys together */

static int check_flag(const struct loader *l, const struct node *n, struct rule *rule)
{
	if (!n || !bytes_eq_str(n->text, "true"))
		return 0;
	switch (rule->action) {
	case VERDICT_ALLOW:
		rule->action = VERDICT_FLAG;
		return 0;
	case VERDICT_FLAG:
		return loader_fail(l, n,
				   "'flag: true' is what 'action: flag' says already; remove "
				   "one of them");
	case VERDICT_ASK:
	case VERDICT_DENY:
	case _VERDICT_MAX:
		break;
	}
	return loader_fail(
		l, n,
		"'flag' marks what is allowed for a person to look at; with 'action: %s' "
		"somebody hears of it anyway: remove 'flag', or write 'action: allow'",
		verdict_name(rule->action));
}

static int check_together(const struct loader *l, const struct node *n, struct rule *rule)
{
	const struct node *ask = source_key(n, "ask"), *cost = source_key(n, "cost");
	int r = check_flag(l, source_key(n, "flag"), rule);

	if (r < 0)
		return r;
	if (ask && rule->action != VERDICT_ASK)
		return loader_fail(l, ask,
				   "'ask' says how to ask, and 'action: %s' never does; write "
				   "'action: ask', or remove it",
				   verdict_name(rule->action));
	if (rule->looks && !rule->match.n_domains)
		return loader_fail(
			l, source_key(n, "unless"),
			"'verify', 'http_method' and 'http_path' in 'unless' need 'domain' "
			"in 'match': the names whose connections are looked into");
	if (rule->sent.max && (!rule->looks || rule->action == VERDICT_DENY))
		return loader_fail(
			l, source_key(n, "max_bytes_sent"),
			"'max_bytes_sent' is measured by the process that looks into "
			"connections: it needs 'verify: sni' in 'match', and an action that "
			"lets them through");
	if (source_key(n, "max_bytes_sent_per") && !rule->sent.max)
		return loader_fail(l, source_key(n, "max_bytes_sent_per"),
				   "'max_bytes_sent_per' says what 'max_bytes_sent' is counted "
				   "for, which is not given");
	if (cost && !(rule->match.ops & (OP_BIT(OP_EXEC) | OP_BIT(OP_CONNECT))))
		return loader_fail(l, cost,
				   "'cost' charges commands and connections; this rule matches "
				   "neither");
	return 0;
}

static int keep_node_text(const struct loader *l, const struct node *n, const char **ret)
{
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(MATCH_TEXT_MAX);

	if (!n)
		return 0;
	yaml_add_node(&text, n);
	if (strbuf_error(&text) == -EMSGSIZE)
		return loader_fail(l, n, "this is longer than %zu bytes; make several rules",
				   MATCH_TEXT_MAX);
	return strbuf_error(&text) ? -ENOMEM : schema_keep(l, strbuf_bytes(&text), ret);
}

static int parse_rule(const struct loader *l, const struct node *n, struct arena *mem,
		      struct rule *rule)
{
	struct node *match = source_key(n, "match"), *unless = source_key(n, "unless");
	const struct node *examples = source_key(n, "examples");
	int r = match ? vars_expand_match(l, match) : 0;

	if (r == 0 && unless)
		r = vars_expand_match(l, unless);
	if (r == 0)
		r = schema_map(l, n, "a rule", rule_fields, ARRAY_SIZE(rule_fields), rule);
	if (r == 0)
		r = check_together(l, n, rule);
	if (r == 0)
		r = keep_node_text(l, match, &rule->match_text);
	if (r == 0)
		r = keep_node_text(l, unless, &rule->unless_text);
	if (r == 0 && examples)
		r = examples_parse(l, examples, mem, rule);
	return r;
}

/* ---- all of them */

static int compare_names(const void *a, const void *b)
{
	const struct rule *x = *(const struct rule *const *)a, *y = *(const struct rule *const *)b;
	int order = strcmp(x->name, y->name);

	return order ? order : (x > y) - (x < y);
}

static int fail_twice(const struct loader *l, const struct rule *twice, const struct rule *first)
{
	if (streq(twice->file, first->file))
		return diag_set(l->diag, twice->file, twice->name_line, twice->name_column,
				"the rule name '%.60s' is used twice, first on line %u; names tell "
				"rules apart in the log",
				twice->name, first->name_line);
	return diag_set(l->diag, twice->file, twice->name_line, twice->name_column,
			"the rule name '%.60s' is used twice, first at %.200s:%u; names tell rules "
			"apart in the log",
			twice->name, first->file, first->name_line);
}

/*
 * Within a document and its fragments a name is used once. What a document extends loses its rules
 * of the same name.
 */
static int settle_names(const struct loader *l, struct policy *p)
{
	_cleanup_(freep) struct rule **sorted = calloc(p->n_rules + 1, sizeof(*sorted));
	const struct rule *twice = NULL, *first = NULL;

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < p->n_rules; i++)
		sorted[i] = &p->rules[i];
	qsort(sorted, p->n_rules, sizeof(*sorted), compare_names);
	for (size_t i = 1, kept = 0; i < p->n_rules; i++) {
		if (!streq(sorted[i]->name, sorted[kept]->name)) {
			kept = i;
		} else if (sorted[i]->layer != sorted[kept]->layer) {
			sorted[i]->is_replaced = true;
		} else if (!twice || sorted[i] < twice) {
			twice = sorted[i];
			first = sorted[kept];
		}
	}
	return twice ? fail_twice(l, twice, first) : 0;
}

static void drop_replaced(struct policy *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_rules; i++)
		if (!p->rules[i].is_replaced)
			p->rules[n++] = p->rules[i];
	p->n_rules = n;
}

int rules_check(const struct loader *l, const struct node *n, _unused_ void *unused)
{
	if (n->type != NODE_LIST)
		return loader_fail(l, n, "'rules' must be a list of maps, found %s",
				   node_describe(n));
	if (n->n == 0)
		return loader_fail(l, n, "'rules' is empty; remove it, or list a rule");
	return 0;
}

static int parse_source(const struct loader *l, const struct source *s, struct arena *mem)
{
	const struct node *list = source_key(s->root, "rules");
	const struct loader own = source_loader(l, s);
	struct policy *p = l->policy;

	for (const struct node *item = list ? list->first : NULL; item; item = item->next) {
		struct rule *rule = &p->rules[p->n_rules];
		int r;

		*rule = (struct rule){.priority = RULE_DEFAULT_PRIORITY,
				      .file = s->file,
				      .line = item->line,
				      .column = item->column,
				      .layer = s->layer};
		r = parse_rule(&own, item, mem, rule);
		if (r < 0)
			return r;
		p->has_looks |= rule->looks;
		p->has_meets |= rule->meets;
		p->limits_sent |= rule->sent.max != 0;
		p->n_rules++;
	}
	return 0;
}

int rules_parse(const struct loader *l, const struct source *first, struct arena *mem)
{
	struct policy *p = l->policy;
	size_t n = 0;
	int r = 0;

	for (const struct source *s = first; s; s = s->next) {
		const struct node *list = source_key(s->root, "rules");
		const struct loader own = source_loader(l, s);

		n += list ? list->n : 0;
		if (n > POLICY_MAX_RULES)
			return loader_fail(&own, list, "more than %d rules", POLICY_MAX_RULES);
	}
	p->rules = arena_alloc(&p->mem, (n + 1) * sizeof(*p->rules));
	if (!p->rules)
		return -ENOMEM;
	for (const struct source *s = first; r == 0 && s; s = s->next)
		r = parse_source(l, s, mem);
	if (r == 0)
		r = settle_names(l, p);
	if (r == 0)
		drop_replaced(p);
	return r;
}
