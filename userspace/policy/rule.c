/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of a document: everything of a rule but what it matches, which is match.c's.
 */
#include "base/io.h"

#include "policy/document.h"

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

static const struct field rule_fields[] = {
	{"name", true, parse_rule_name},       {"match", true, match_parse},
	{"unless", false, match_unless_parse}, {"action", true, parse_action},
	{"reason", false, parse_reason},       {"priority", false, parse_priority},
	{"suggest", false, parse_suggest},
};

static int compare_names(const void *a, const void *b)
{
	const struct rule *x = *(const struct rule *const *)a, *y = *(const struct rule *const *)b;
	int order = strcmp(x->name, y->name);

	return order ? order : (x > y) - (x < y);
}

static int check_unique_names(const struct loader *l, const struct policy *p)
{
	_cleanup_(freep) const struct rule **sorted = calloc(p->n_rules + 1, sizeof(*sorted));
	const struct rule *twice = NULL, *first = NULL;

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < p->n_rules; i++)
		sorted[i] = &p->rules[i];
	qsort(sorted, p->n_rules, sizeof(*sorted), compare_names);
	for (size_t i = 1; i < p->n_rules; i++)
		if (streq(sorted[i]->name, sorted[i - 1]->name) && (!twice || sorted[i] < twice)) {
			twice = sorted[i];
			first = sorted[i - 1];
		}
	if (!twice)
		return 0;
	return diag_set(l->diag, l->file, twice->name_line, twice->name_column,
			"the rule name '%.60s' is used twice, first on line %u; names tell rules "
			"apart in the log",
			twice->name, first->name_line);
}

int rules_parse(const struct loader *l, const struct node *n, void *target)
{
	struct policy *p = target;
	const struct node *item;

	if (n->type != NODE_LIST)
		return loader_fail(l, n, "'rules' must be a list of maps, found %s",
				   node_describe(n));
	if (n->n == 0)
		return loader_fail(l, n, "'rules' is empty; remove it, or list a rule");
	if (n->n > POLICY_MAX_RULES)
		return loader_fail(l, n, "more than %d rules", POLICY_MAX_RULES);
	p->rules = arena_alloc(&p->mem, n->n * sizeof(*p->rules));
	if (!p->rules)
		return -ENOMEM;
	item = n->first;
	for (size_t i = 0; i < n->n; i++, item = item->next) {
		int r;

		p->rules[i] = (struct rule){.priority = RULE_DEFAULT_PRIORITY, .line = item->line};
		r = schema_map(l, item, "a rule", rule_fields, ARRAY_SIZE(rule_fields),
			       &p->rules[i]);
		if (r < 0)
			return r;
	}
	p->n_rules = n->n;
	return check_unique_names(l, p);
}
