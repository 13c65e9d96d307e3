/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AgentPolicy 0.1.1 documents: budget, lists of tools and domains, approval rules. What the
 * original refuses is refused with its own words. One thing it takes is refused all the same: a
 * document without any of its sections, which would allow everything by mistake.
 */
#include <math.h>
#include <stdio.h>

#include "policy/aliases.h"
#include "policy/document.h"
#include "policy/pytext.h"

#include "policy/agentpolicy.h"

/* Holds copies of no more than the document's names and approval rules. */
#define DOC_MAX_BYTES ((size_t)1 << 30)
/* Of what a reason says of one approval rule; the original has no limit. */
#define RULE_TEXT_MAX ((size_t)64 * 1024)
/* Of a value that a message shows; longer ones are cut. */
#define SHOWN_MAX 500
/* repr() is at most four times as long. */
#define REPR_MAX (POLICY_MAX_BYTES * 4)

static const char *const sections[] = {"budget", "tools", "network", "approval"};
static const char *const budget_keys[] = {"max_spend"};
static const char *const list_keys[] = {"allow", "block"};
static const char *const approval_keys[] = {"require_for"};
const char *const agentpolicy_keys[_AGENTPOLICY_KEY_MAX] = {
	[AGENTPOLICY_ACTION_TYPE] = "action_type", [AGENTPOLICY_TOOL] = "tool",
	[AGENTPOLICY_DOMAIN] = "domain",           [AGENTPOLICY_SOURCE] = "source",
	[AGENTPOLICY_COST_GT] = "cost_gt",
};

struct parser {
	const struct policy_load *load;
	struct agentpolicy *doc;
	struct diag *diag;
};

#define fail(p, v, ...) diag_set((p)->diag, (p)->load->file, (v)->line, (v)->column, __VA_ARGS__)

static void warn_at(const struct parser *p, const struct value *v, const char *what,
		    struct bytes word, const char *advice)
{
	_cleanup_(strbuf_fini) struct strbuf shown = STRBUF_INIT(REPR_MAX);
	const struct value text = {.type = VALUE_STRING, .text = word};
	struct diag d = {};

	if (!p->load->warn)
		return;
	py_add_repr(&shown, &text);
	(void)diag_set(&d, p->load->file, v->line, v->column, "%s %s: %s", what, strbuf_str(&shown),
		       advice);
	p->load->warn(p->load->warn_ctx, &d);
}

/* The original does not look at keys that it does not know. */
static void warn_of_unknown(const struct parser *p, const struct value *map,
			    const char *const *known, size_t n_known)
{
	for (const struct value *key = map->first; key; key = key->next->next) {
		bool is_known = false;

		if (key->type != VALUE_STRING) {
			warn_at(p, key, "key", key->text, "not text, ignored");
			continue;
		}
		for (size_t i = 0; i < n_known; i++)
			is_known = is_known || bytes_eq_str(key->text, known[i]);
		if (!is_known) {
			const char *nearest = schema_nearest(key->text, known, n_known);
			char advice[80];

			(void)snprintf(advice, sizeof(advice), "ignored, as AgentPolicy does%s%s%s",
				       nearest ? "; did you mean '" : "", nearest ? nearest : "",
				       nearest ? "'?" : "");
			warn_at(p, key, "unknown key", key->text, advice);
		}
	}
}

/* *ret is NULL when the section is missing or null. */
static int get_section(const struct parser *p, const struct value *root, const char *key,
		       const struct value **ret)
{
	const struct value *v = value_get(root, key);

	*ret = NULL;
	if (!v || v->type == VALUE_NULL)
		return 0;
	if (v->type != VALUE_MAP)
		return fail(p, v, "Policy section '%s' must be a mapping", key);
	*ret = v;
	return 0;
}

/* ---- money */

static int money_invalid(const struct parser *p, const struct value *v, const char *what)
{
	_cleanup_(strbuf_fini) struct strbuf shown = STRBUF_INIT(REPR_MAX);

	py_add_repr(&shown, v);
	return fail(p, v, "%s %.*s%s", what, SHOWN_MAX, strbuf_str(&shown),
		    strbuf_bytes(&shown).len > SHOWN_MAX ? "..." : "");
}

static int parse_money(const struct parser *p, const struct value *v, double *ret)
{
	double amount;

	if (v->type == VALUE_BOOL) {
		amount = v->is_true;
	} else if (v->type == VALUE_INT || v->type == VALUE_FLOAT) {
		amount = v->number;
	} else if (v->type == VALUE_STRING) {
		struct bytes text = py_strip(v->text);

		while (text.len && text.p[0] == '$')
			text = (struct bytes){.p = text.p + 1, .len = text.len - 1};
		if (py_float(py_strip(text), &amount) < 0)
			return money_invalid(p, v, "Invalid money value:");
	} else {
		return money_invalid(p, v, "Invalid money value:");
	}
	if (amount < 0)
		return money_invalid(p, v, "Budget must be non-negative, got");
	if (v->type == VALUE_INT && isinf(amount))
		return fail(p, v, "int too large to convert to float");
	*ret = amount;
	return 0;
}

/* ---- lists of names */

static int compare_names(const void *pa, const void *pb)
{
	const struct bytes *a = pa, *b = pb;
	int r = memcmp(a->p, b->p, MIN(a->len, b->len));

	return r ? r : (a->len > b->len) - (a->len < b->len);
}

bool agentpolicy_has_name(const struct agentpolicy_names *names, struct bytes name)
{
	if (!name.p)
		name.p = "";
	return names->n &&
	       bsearch(&name, names->names, names->n, sizeof(*names->names), compare_names);
}

static void warn_of_case(const struct parser *p, const struct value *v, struct bytes name)
{
	_cleanup_(strbuf_fini) struct strbuf lower = STRBUF_INIT(POLICY_MAX_BYTES);

	py_add_lower(&lower, name);
	if (!strbuf_error(&lower) && !bytes_eq(strbuf_bytes(&lower), name))
		warn_at(p, v, "domain", name,
			"never matches: write it in lower case, as AgentPolicy compares it");
}

/* "tools" and "allow" make the F of the original's "Policy field 'F'". */
static int parse_names(const struct parser *p, const struct value *map, const char *section,
		       const char *key, struct agentpolicy_names *ret)
{
	const struct value *list = map ? value_get(map, key) : NULL;
	struct agentpolicy_names names = {.is_present = true};
	struct bytes *array;

	if (!list || list->type == VALUE_NULL)
		return 0;
	if (list->type != VALUE_LIST && list->type != VALUE_MAP)
		return fail(p, list, "Policy field '%s.%s' must be a list of strings", section,
			    key);
	array = arena_alloc(&p->doc->mem, MAX(list->n, (size_t)1) * sizeof(*array));
	if (!array)
		return -ENOMEM;
	for (const struct value *v = list->first; v;
	     v = list->type == VALUE_MAP ? v->next->next : v->next) {
		struct bytes name;

		if (v->type != VALUE_STRING)
			return fail(p, v, "Policy field '%s.%s' must contain only strings", section,
				    key);
		name = py_strip(v->text);
		if (name.len == 0)
			continue;
		if (streq(section, "network"))
			warn_of_case(p, v, name);
		array[names.n] = arena_copy(&p->doc->mem, name.p, name.len);
		if (!array[names.n++].p)
			return -ENOMEM;
	}
	qsort(array, names.n, sizeof(*array), compare_names);
	names.names = array;
	names.line = list->line;
	names.column = list->column;
	*ret = names;
	return 0;
}

static int check_conflict(const struct parser *p, const struct value *map,
			  const struct agentpolicy_lists *lists, const char *message)
{
	for (size_t i = 0; i < lists->block.n; i++)
		if (agentpolicy_has_name(&lists->allow, lists->block.names[i]))
			return fail(p, value_get(map, "block"), "%s", message);
	return 0;
}

/* ---- approval rules */

/* float(cost_gt), or what it raises. */
static int parse_cost_gt(struct arena *mem, struct agentpolicy_rule *rule)
{
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(RULE_TEXT_MAX);
	static const char *const types[] = {[VALUE_NULL] = "NoneType",
					    [VALUE_LIST] = "list",
					    [VALUE_MAP] = "dict",
					    [VALUE_OTHER] = "object"};
	const struct value *v = rule->keys[AGENTPOLICY_COST_GT];

	switch (v->type) {
	case VALUE_BOOL:
		rule->cost_gt = v->is_true;
		return 0;
	case VALUE_INT:
		rule->cost_gt = v->number;
		if (isinf(v->number))
			rule->cost_error = "int too large to convert to float";
		return 0;
	case VALUE_FLOAT:
		rule->cost_gt = v->number;
		return 0;
	case VALUE_STRING:
		if (py_float(v->text, &rule->cost_gt) == 0)
			return 0;
		strbuf_add_str(&text, "could not convert string to float: ");
		py_add_repr(&text, v);
		break;
	case VALUE_NULL:
	case VALUE_LIST:
	case VALUE_MAP:
	case VALUE_OTHER:
		strbuf_add_fmt(&text,
			       "float() argument must be a string or a real number, not '%s'",
			       types[v->type]);
		break;
	}
	rule->cost_error = arena_copy(mem, strbuf_bytes(&text).p, strbuf_bytes(&text).len).p;
	return rule->cost_error ? 0 : -ENOMEM;
}

static int parse_rule(const struct parser *p, const struct value *v, size_t number,
		      struct agentpolicy_rule *ret)
{
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(RULE_TEXT_MAX);
	struct agentpolicy_rule rule = {.line = v->line, .column = v->column};
	struct arena *mem = &p->doc->mem;
	bool is_first = true;
	size_t name_end;

	warn_of_unknown(p, v, agentpolicy_keys, ARRAY_SIZE(agentpolicy_keys));
	strbuf_add_fmt(&text, "approval.require_for #%zu", number);
	name_end = strbuf_bytes(&text).len;
	rule.name = arena_copy(mem, strbuf_str(&text), name_end).p;
	strbuf_reset(&text);
	strbuf_add_fmt(&text, "Action requires approval by rule #%zu: ", number);
	for (unsigned int i = 0; i < _AGENTPOLICY_KEY_MAX; i++) {
		const struct value *key = value_get(v, agentpolicy_keys[i]);

		if (!key)
			continue;
		rule.keys[i] = value_copy(key, mem);
		if (!rule.keys[i])
			return -ENOMEM;
		strbuf_add_fmt(&text, "%s%s=", is_first ? "" : ", ", agentpolicy_keys[i]);
		py_add_str(&text, key);
		is_first = false;
	}
	if (is_first) {
		strbuf_add_str(&text, "custom rule");
		warn_at(p, v, "approval rule", bytes_of(rule.name), "matches every action");
	}
	rule.reason = arena_copy(mem, strbuf_str(&text), strbuf_bytes(&text).len).p;
	if (!rule.name || !rule.reason)
		return -ENOMEM;
	if (rule.keys[AGENTPOLICY_COST_GT]) {
		int r = parse_cost_gt(mem, &rule);

		if (r < 0)
			return r;
		if (rule.cost_error)
			warn_at(p, value_get(v, "cost_gt"), "approval rule", bytes_of(rule.name),
				rule.cost_error);
	}
	*ret = rule;
	return 0;
}

static int check_rules(const struct parser *p, const struct value *list)
{
	size_t number = 0;

	if (list->type != VALUE_LIST)
		return fail(p, list, "Policy section 'approval.require_for' must be a list");
	for (const struct value *v = list->first; v; v = v->next) {
		number++;
		if (v->type != VALUE_MAP)
			return fail(p, v,
				    "Policy section 'approval.require_for' item #%zu must be a "
				    "mapping",
				    number);
		if (number > POLICY_MAX_RULES)
			return fail(p, v, "there are more than %d approval rules",
				    POLICY_MAX_RULES);
	}
	return 0;
}

static int parse_rules(const struct parser *p, const struct value *list)
{
	size_t n = 0;

	p->doc->rules = arena_alloc(&p->doc->mem, MAX(list->n, (size_t)1) * sizeof(*p->doc->rules));
	if (!p->doc->rules)
		return -ENOMEM;
	for (const struct value *v = list->first; v; v = v->next) {
		int r = parse_rule(p, v, n + 1, &p->doc->rules[n]);

		if (r < 0)
			return r;
		n++;
	}
	p->doc->n_rules = n;
	return 0;
}

/* ---- the document */

/* Some rule asks of a file tool's name; others do not reach files. */
static bool has_file_rule(const struct agentpolicy *doc, enum action_op op)
{
	size_t n;
	const struct policy_name *aliases = policy_op_aliases(op, &n);

	for (size_t i = 0; i < doc->n_rules; i++) {
		const struct value *tool = doc->rules[i].keys[AGENTPOLICY_TOOL];

		for (size_t j = 0; j < n; j++)
			if (tool && tool->type == VALUE_STRING &&
			    bytes_eq(tool->text, aliases[j].name))
				return true;
	}
	return false;
}

static bool has_file_name(const struct agentpolicy_names *names, enum action_op op)
{
	size_t n;
	const struct policy_name *aliases = policy_op_aliases(op, &n);

	for (size_t i = 0; i < n; i++)
		if (agentpolicy_has_name(names, aliases[i].name))
			return true;
	return false;
}

/* Kernel actions only (docs/policy.md, "AgentPolicy"). */
static uint32_t find_decided_ops(const struct agentpolicy *doc)
{
	const struct agentpolicy_lists *tools = &doc->lists[AGENTPOLICY_TOOLS];
	const struct agentpolicy_lists *network = &doc->lists[AGENTPOLICY_NETWORK];
	bool is_counted = doc->budget != 0 || doc->n_rules;
	uint32_t ops = 0;

	if (is_counted || tools->allow.is_present || tools->block.n)
		ops |= OP_BIT(OP_EXEC);
	if (is_counted || network->allow.is_present || network->block.n || tools->block.n)
		ops |= OP_BIT(OP_CONNECT) | OP_BIT(OP_SEND) | OP_BIT(OP_RESOLVE);
	if (doc->allows_files)
		ops |= OPS_CHANGE;
	for (unsigned int op = 0; op < _OP_MAX; op++) {
		if (!(OPS_PATH & OP_BIT(op)))
			continue;
		if (has_file_name(&tools->block, op) || has_file_rule(doc, op))
			ops |= OP_BIT(op);
	}
	return ops;
}

static void finish(struct agentpolicy *doc)
{
	const struct agentpolicy_names *allow = &doc->lists[AGENTPOLICY_TOOLS].allow;

	doc->allows_files = has_file_name(allow, OP_READ) || has_file_name(allow, OP_DELETE);
	doc->decided_ops = find_decided_ops(doc);
	doc->limits =
		(struct policy_budget){.has_spend = doc->budget != 0, .max_spend = doc->budget};
}

static int parse_lists(const struct parser *p, const struct value *tools,
		       const struct value *network)
{
	const struct value *const maps[_AGENTPOLICY_SECTION_MAX] = {
		[AGENTPOLICY_TOOLS] = tools, [AGENTPOLICY_NETWORK] = network};
	static const char *const names[_AGENTPOLICY_SECTION_MAX] = {
		[AGENTPOLICY_TOOLS] = "tools", [AGENTPOLICY_NETWORK] = "network"};

	for (unsigned int i = 0; i < _AGENTPOLICY_SECTION_MAX; i++) {
		struct agentpolicy_lists *lists = &p->doc->lists[i];
		int r = parse_names(p, maps[i], names[i], "allow", &lists->allow);

		if (r == 0)
			r = parse_names(p, maps[i], names[i], "block", &lists->block);
		if (r < 0)
			return r;
		if (maps[i])
			warn_of_unknown(p, maps[i], list_keys, ARRAY_SIZE(list_keys));
	}
	return 0;
}

/* In the original's order, so that of several mistakes the same one is told. */
static int parse_sections(const struct parser *p, const struct value *root)
{
	const struct value *found[ARRAY_SIZE(sections)], *money, *rules;
	struct agentpolicy *doc = p->doc;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
		r = get_section(p, root, sections[i], &found[i]);
		if (r < 0)
			return r;
	}
	rules = found[3] ? value_get(found[3], "require_for") : NULL;
	if (rules && rules->type == VALUE_NULL)
		rules = NULL;
	r = rules ? check_rules(p, rules) : 0;
	if (r == 0)
		r = parse_lists(p, found[1], found[2]);
	if (r < 0)
		return r;
	money = found[0] ? value_get(found[0], "max_spend") : NULL;
	if (money) {
		r = parse_money(p, money, &doc->budget);
		if (r < 0)
			return r;
		doc->budget_line = money->line;
	}
	r = check_conflict(p, found[1], &doc->lists[AGENTPOLICY_TOOLS],
			   "Tool cannot be both allowed and blocked");
	if (r == 0)
		r = check_conflict(p, found[2], &doc->lists[AGENTPOLICY_NETWORK],
				   "Domain cannot be both allowed and blocked");
	if (r == 0 && rules)
		r = parse_rules(p, rules);
	if (r < 0)
		return r;
	warn_of_unknown(p, root, sections, ARRAY_SIZE(sections));
	if (found[0])
		warn_of_unknown(p, found[0], budget_keys, ARRAY_SIZE(budget_keys));
	if (found[3])
		warn_of_unknown(p, found[3], approval_keys, ARRAY_SIZE(approval_keys));
	return 0;
}

void agentpolicy_free(void *doc)
{
	struct agentpolicy *ap = doc;

	if (ap) {
		arena_fini(&ap->mem);
		free(ap);
	}
}

static void doc_freep(struct agentpolicy **doc)
{
	agentpolicy_free(*doc);
}

/* Sections whose entries are gone, or whose keys are mistyped, are valid and allow everything. Who
 * means that says so with a budget of 0. */
static void warn_of_nothing(const struct parser *p, const struct value *root)
{
	const struct agentpolicy *doc = p->doc;
	struct diag d = {};

	if (!p->load->warn || doc->budget_line || doc->n_rules)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(doc->lists); i++)
		if (doc->lists[i].allow.is_present || doc->lists[i].block.n)
			return;
	(void)diag_set(&d, p->load->file, root->line, root->column,
		       "the policy lists and limits nothing: every action is allowed; if that is "
		       "meant, write 'budget: {max_spend: 0}'");
	p->load->warn(p->load->warn_ctx, &d);
}

int agentpolicy_parse(const struct policy_load *load, const struct value *root, void **ret,
		      struct diag *d)
{
	_cleanup_(doc_freep) struct agentpolicy *doc = calloc(1, sizeof(*doc));
	const struct parser p = {.load = load, .doc = doc, .diag = d};
	bool has_section = false;
	int r;

	if (!doc)
		return -ENOMEM;
	doc->mem = ARENA_INIT(DOC_MAX_BYTES);
	if (root->type != VALUE_MAP && value_is_truthy(root))
		return fail(&p, root, "Policy file must contain a top-level mapping");
	for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
		has_section = has_section || value_get(root, sections[i]);
	if (!has_section)
		return fail(&p, root,
			    "the policy has none of AgentPolicy's sections (budget, tools, "
			    "network, approval) and would allow everything; if that is meant, "
			    "write 'budget: {max_spend: 0}'");
	r = parse_sections(&p, root);
	if (r < 0)
		return r;
	warn_of_nothing(&p, root);
	finish(doc);
	*ret = TAKE_PTR(doc);
	return 0;
}
