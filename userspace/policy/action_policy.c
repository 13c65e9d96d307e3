/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads agent-action-policy 0.1.1 documents as PyYAML and that library would: what its loader
 * raises on is refused, and so is what it takes for "allow everything" by a mistake. What it
 * notices only when a rule is reached (a tool that is no text, an expression that does not compile)
 * loads with a warning and is answered then.
 */
#include <math.h>
#include <stdio.h>

#include "policy/dialect_lint.h"
#include "policy/action_policy.h"
#include "policy/aliases.h"
#include "policy/dialect_read.h"
#include "policy/fnmatch.h"

#define DOCUMENT_MAX_BYTES (8 * POLICY_MAX_BYTES)

/* ---- patterns */

static void warn_raises(const struct dialect_reader *r, const char *what, const struct value *v)
{
	dialect_warn(r, v, "%s is %s, not text; every action that reaches this rule is denied",
		     what, dialect_describe(v));
}

/* Not text where Python asks for a prefix. */
static int raise_attribute(const struct dialect_reader *r, struct action_pattern *ret,
			   const char *what, const struct value *v)
{
	warn_raises(r, what, v);
	*ret = (struct action_pattern){.type = ACTION_PATTERN_RAISE};
	return dialect_keep_fmt(r, &ret->error,
				"AttributeError: '%s' object has no attribute 'startswith'",
				dialect_python_type(v));
}

static int parse_regex(const struct dialect_reader *r, const struct value *v, struct bytes text,
		       struct action_pattern *ret)
{
	int e = dialect_regex(r, v, text, &ret->regex, &ret->error);

	ret->type = ret->regex ? ACTION_PATTERN_REGEX : ACTION_PATTERN_RAISE;
	return e;
}

static int parse_tool(const struct dialect_reader *r, const struct value *v,
		      struct action_pattern *ret)
{
	int e;

	*ret = (struct action_pattern){.type = ACTION_PATTERN_GLOB, .text = BYTES_LIT("*")};
	if (!v)
		return 0;
	if (v->type != VALUE_STRING)
		return raise_attribute(r, ret, "'tool'", v);
	e = dialect_keep(r, v->text, &ret->text);
	if (e < 0)
		return e;
	if (!bytes_has_prefix(v->text, BYTES_LIT("~"))) {
		if (!pyfnmatch_has_magic(v->text))
			ret->type = ACTION_PATTERN_EXACT;
		return 0;
	}
	e = parse_regex(r, v, (struct bytes){.p = v->text.p + 1, .len = v->text.len - 1}, ret);
	if (e == 0 && ret->error)
		dialect_warn(r, v, "%s; every action that reaches this rule is denied", ret->error);
	return e;
}

static int parse_args(const struct dialect_reader *r, const struct value *v,
		      struct action_pattern *ret)
{
	int e;

	*ret = (struct action_pattern){.type = ACTION_PATTERN_ANY};
	if (!v || !value_is_truthy(v))
		return 0;
	if (v->type != VALUE_STRING) {
		warn_raises(r, "'args_pattern'", v);
		ret->type = ACTION_PATTERN_RAISE;
		ret->error = "TypeError: first argument must be string or compiled pattern";
		if (v->type != VALUE_LIST && v->type != VALUE_MAP)
			return 0;
		return dialect_keep_fmt(r, &ret->error, "TypeError: unhashable type: '%s'",
					dialect_python_type(v));
	}
	e = dialect_keep(r, v->text, &ret->text);
	if (e == 0)
		e = parse_regex(r, v, v->text, ret);
	if (e == 0 && ret->error) {
		dialect_warn(r, v, "%s; this rule never matches", ret->error);
		ret->type = ACTION_PATTERN_NEVER;
	}
	return e;
}

static int parse_path(const struct dialect_reader *r, const struct value *v,
		      struct action_pattern *ret)
{
	int e;

	*ret = (struct action_pattern){.type = ACTION_PATTERN_GLOB};
	if (v->type != VALUE_STRING)
		return raise_attribute(r, ret, "a path pattern", v);
	e = dialect_keep(r, v->text, &ret->text);
	if (e < 0 || !bytes_has_prefix(v->text, BYTES_LIT("~")))
		return e;
	if (bytes_has_prefix(v->text, BYTES_LIT("~/")))
		dialect_warn(r, v,
			     "'%.60s' is a regular expression in this language, not a path in the "
			     "home directory",
			     v->text.p);
	e = parse_regex(r, v, (struct bytes){.p = v->text.p + 1, .len = v->text.len - 1}, ret);
	if (e == 0 && ret->error)
		dialect_warn(r, v, "%s; every action whose path reaches it is denied", ret->error);
	return e;
}

/* A text is one pattern; of a map Python takes the keys. */
static int parse_paths(const struct dialect_reader *r, const struct value *v,
		       struct action_rule *rule)
{
	bool is_text, is_map;
	size_t n;

	if (!v)
		return 0;
	is_text = v->type == VALUE_STRING;
	is_map = v->type == VALUE_MAP;
	if (!is_text && !is_map && v->type != VALUE_LIST)
		return dialect_fail(r, v,
				    "'path_patterns' must be a list of patterns or one text, "
				    "found %s; remove the key for any path",
				    dialect_describe(v));
	if (is_map)
		dialect_warn(r, v, "'path_patterns' is a map; its keys are taken as the patterns");
	n = is_text ? 1 : v->n;
	rule->paths = arena_alloc(r->mem, n * sizeof(*rule->paths));
	if (!rule->paths)
		return -ENOMEM;
	for (const struct value *item = is_text ? v : v->first; rule->n_paths < n;
	     item = is_map ? item->next->next : item->next) {
		int e = parse_path(r, item, &rule->paths[rule->n_paths]);

		/* Counted also on failure: its regex is freed with the others. */
		rule->n_paths++;
		if (e < 0)
			return e;
	}
	return 0;
}

/* ---- rules */

/* Python's str.upper() compared with an upper-case word: of what is no ASCII only U+017F becomes
 * one of these words' letters (tests/compat goes through all of Unicode). */
static bool is_word(struct bytes text, const char *word)
{
	size_t i = 0;

	for (; *word; word++) {
		struct bytes rest = {.p = text.p + i, .len = text.len - i};
		char c = rest.len ? rest.p[0] : '\0';

		if (c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		if (*word == 'S' && bytes_has_prefix(rest, BYTES_LIT("\u017f")))
			i += 2;
		else if (c == *word)
			i++;
		else
			return false;
	}
	return i == text.len;
}

static int parse_action(const struct dialect_reader *r, const struct value *v, enum verdict *ret)
{
	static const struct {
		const char *word;
		enum verdict verdict;
	} words[] = {{"APPROVE", VERDICT_ALLOW}, {"DENY", VERDICT_DENY}, {"ESCALATE", VERDICT_ASK}};

	*ret = VERDICT_DENY;
	if (!v)
		return 0;
	if (v->type != VALUE_STRING)
		return dialect_fail(r, v,
				    "'action' must be approve, deny or escalate, found %s; remove "
				    "the key for deny",
				    dialect_describe(v));
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (is_word(v->text, words[i].word)) {
			*ret = words[i].verdict;
			return 0;
		}
	return dialect_fail(r, v, "'action' must be approve, deny or escalate, found '%.60s'",
			    v->text.p);
}

static int parse_match(const struct dialect_reader *r, const struct value *v,
		       struct action_rule *rule)
{
	static const char *const keys[] = {"tool", "args_pattern", "path_patterns"};
	int e;

	if (v && v->type != VALUE_MAP)
		return dialect_fail(r, v,
				    "'match' must be a map such as {tool: bash}, found %s; remove "
				    "the key to match everything",
				    dialect_describe(v));
	if (v)
		dialect_warn_unknown(r, v, "match", keys, ARRAY_SIZE(keys));
	e = parse_tool(r, v ? value_get(v, "tool") : NULL, &rule->tool);
	if (e == 0)
		e = parse_args(r, v ? value_get(v, "args_pattern") : NULL, &rule->args);
	if (e == 0)
		e = parse_paths(r, v ? value_get(v, "path_patterns") : NULL, rule);
	return e;
}

static int parse_rule(const struct dialect_reader *r, const struct value *v,
		      struct action_rule *rule)
{
	static const char *const keys[] = {"name", "action", "reason", "match", "priority"};
	const struct value *name, *reason;
	int e;

	if (v->type != VALUE_MAP)
		return dialect_fail(r, v,
				    "a rule must be a map such as {name: ..., action: deny}, "
				    "found %s",
				    dialect_describe(v));
	rule->line = v->line;
	rule->column = v->column;
	rule->reason = "";
	rule->priority = value_get(v, "priority");
	dialect_warn_unknown(r, v, "the rule", keys, ARRAY_SIZE(keys));
	e = parse_action(r, value_get(v, "action"), &rule->verdict);
	if (e == 0)
		e = parse_match(r, value_get(v, "match"), rule);
	if (e < 0)
		return e;
	name = value_get(v, "name");
	reason = value_get(v, "reason");
	if (!name)
		return dialect_fail(r, v, "the rule has no 'name'; give it one");
	e = dialect_keep_text(r, name, "name", &rule->name);
	if (e == 0 && reason)
		e = dialect_keep_text(r, reason, "reason", &rule->reason);
	return e;
}

/* ---- order */

/* A priority that Python can compare with other numbers. */
struct priority {
	bool is_int;
	struct bytes digits; /* of an int, as str() prints it */
	double number;
};

static struct priority priority_of(const struct value *v)
{
	if (!v)
		return (struct priority){.is_int = true, .digits = BYTES_LIT("100"), .number = 100};
	if (v->type == VALUE_BOOL)
		return (struct priority){.is_int = true,
					 .digits = v->is_true ? BYTES_LIT("1") : BYTES_LIT("0"),
					 .number = v->is_true};
	return (struct priority){
		.is_int = v->type == VALUE_INT, .digits = v->text, .number = v->number};
}

static int compare_texts(struct bytes a, struct bytes b)
{
	size_t n = MIN(a.len, b.len);
	int order = n ? memcmp(a.p, b.p, n) : 0;

	return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_digits(struct bytes a, struct bytes b)
{
	bool is_negative = a.len && a.p[0] == '-';
	int order;

	if (is_negative != (b.len && b.p[0] == '-'))
		return is_negative ? -1 : 1;
	if (a.len != b.len)
		order = a.len > b.len ? 1 : -1;
	else
		order = compare_texts(a, b);
	return is_negative ? -order : order;
}

/* Python compares an int with a float by their values, not by the int's nearest float. */
static int compare_int_float(struct bytes digits, double f)
{
	char exact[400]; /* the largest float has 309 digits */
	int n;

	if (isinf(f))
		return f > 0 ? -1 : 1;
	if (f == 0)
		return 0;
	n = snprintf(exact, sizeof(exact), "%.0f", f);
	return compare_digits(digits, (struct bytes){.p = exact, .len = (size_t)n});
}

static int compare_numbers(const struct value *x, const struct value *y)
{
	struct priority a = priority_of(x), b = priority_of(y);

	/* The nearest float of the smaller int is never above that of the larger number. */
	if (a.number != b.number)
		return a.number < b.number ? -1 : 1;
	if (a.is_int && b.is_int)
		return compare_digits(a.digits, b.digits);
	if (a.is_int)
		return compare_int_float(a.digits, b.number);
	if (b.is_int)
		return -compare_int_float(b.digits, a.number);
	return 0;
}

static int compare_rules(const void *x, const void *y)
{
	const struct action_rule *a = x, *b = y;
	int order;

	if (a->priority && a->priority->type == VALUE_STRING)
		order = compare_texts(a->priority->text, b->priority->text);
	else
		order = compare_numbers(a->priority, b->priority);
	return order ? order : (a->index > b->index) - (a->index < b->index);
}

static bool is_number(const struct value *v)
{
	return !v || v->type == VALUE_BOOL || v->type == VALUE_INT ||
	       (v->type == VALUE_FLOAT && !isnan(v->number));
}

/* A lone rule is compared with nothing, so Python takes any priority there. */
static int sort_rules(const struct dialect_reader *r, struct action_policy *doc)
{
	bool has_text = doc->n_rules && doc->rules[0].priority &&
			doc->rules[0].priority->type == VALUE_STRING;

	for (size_t i = 0; i < doc->n_rules; i++) {
		const struct value *v = doc->rules[i].priority;
		bool is_text = v && v->type == VALUE_STRING;

		if (v && v->type != VALUE_INT)
			dialect_warn(r, v, "'priority' is %s; write a whole number",
				     dialect_describe(v));
		if (doc->n_rules == 1)
			break;
		if (v && !is_text && !is_number(v))
			return dialect_fail(r, v,
					    "'priority' is %s, which cannot be ordered; write a "
					    "whole number",
					    v->type == VALUE_FLOAT ? "not a number"
								   : dialect_describe(v));
		/* The rule that has none counts as a number. */
		if (is_text != has_text)
			return diag_set(r->d, r->load->file, v ? v->line : doc->rules[i].line,
					v ? v->column : 0,
					"the priorities are numbers in some rules and text in "
					"others, which cannot be ordered; write whole numbers "
					"without quotes (a rule without one has 100)");
	}
	if (doc->n_rules > 1)
		qsort(doc->rules, doc->n_rules, sizeof(*doc->rules), compare_rules);
	for (size_t i = 0; i < doc->n_rules; i++)
		doc->rules[i].priority = NULL;
	return 0;
}

/* ---- what the rules can decide on */

/* A program may have any name, so a rule reaches exec whatever its tool; other operations have
 * their aliases only. */
static bool reaches(const struct action_rule *rule, enum action_op op,
		    struct regex_scratch *scratch)
{
	const struct policy_name *names;
	size_t n;

	if (op == OP_EXEC)
		return true;
	names = policy_op_aliases(op, &n);
	for (size_t i = 0; i < n; i++)
		if (action_pattern_match(&rule->tool, scratch, names[i].name) != 0)
			return true;
	return false;
}

static bool can_raise(const struct action_rule *rule)
{
	bool can =
		rule->tool.type == ACTION_PATTERN_RAISE || rule->args.type == ACTION_PATTERN_RAISE;

	for (size_t i = 0; i < rule->n_paths; i++)
		can |= rule->paths[i].type == ACTION_PATTERN_RAISE;
	return can;
}

static int find_decided_ops(struct action_policy *doc)
{
	_cleanup_(regex_scratch_freep) struct regex_scratch *scratch = regex_scratch_new();

	if (!scratch)
		return -ENOMEM;
	if (doc->default_verdict != VERDICT_ALLOW)
		doc->decided_ops = OP_BIT(OP_EXEC) | OPS_PATH | OPS_NETWORK;
	for (size_t i = 0; i < doc->n_rules; i++) {
		const struct action_rule *rule = &doc->rules[i];

		/* The tool is looked at first, so it may raise though the arguments never match. */
		if (rule->args.type == ACTION_PATTERN_NEVER &&
		    rule->tool.type != ACTION_PATTERN_RAISE)
			continue;
		if (rule->verdict == VERDICT_ALLOW && !can_raise(rule))
			continue;
		for (unsigned int op = 0; op < OP_SYSCALL; op++)
			if (!(doc->decided_ops & OP_BIT(op)) &&
			    reaches(rule, (enum action_op)op, scratch))
				doc->decided_ops |= OP_BIT(op);
	}
	return 0;
}

/* ---- the dialect */

static void free_doc(void *d)
{
	struct action_policy *doc = d;

	for (size_t i = 0; doc && i < doc->n_rules; i++) {
		regex_free(doc->rules[i].tool.regex);
		regex_free(doc->rules[i].args.regex);
		for (size_t j = 0; j < doc->rules[i].n_paths; j++)
			regex_free(doc->rules[i].paths[j].regex);
	}
	if (doc)
		arena_fini(&doc->mem);
	free(doc);
}

static void free_docp(struct action_policy **doc)
{
	free_doc(*doc);
}

/* An empty map or text has no rules for Python, either, but is no way to say so. */
static int parse_rules(const struct dialect_reader *r, const struct value *v,
		       struct action_policy *doc)
{
	if (v->type != VALUE_LIST)
		return dialect_fail(r, v,
				    "'policies' must be a list of rules, found %s; write "
				    "'policies: []' for no rules",
				    dialect_describe(v));
	if (v->n == 0)
		dialect_warn(r, v, "there are no rules: the default action decides everything");
	if (v->n > POLICY_MAX_RULES)
		return dialect_fail(r, v, "there are %zu rules, at most %d are possible", v->n,
				    POLICY_MAX_RULES);
	doc->rules = arena_alloc(&doc->mem, v->n * sizeof(*doc->rules));
	if (!doc->rules)
		return -ENOMEM;
	for (const struct value *item = v->first; item; item = item->next) {
		struct action_rule *rule = &doc->rules[doc->n_rules];
		int e;

		*rule = (struct action_rule){.index = doc->n_rules++};
		e = parse_rule(r, item, rule);
		if (e < 0)
			return e;
	}
	return sort_rules(r, doc);
}

static int parse(const struct policy_load *load, const struct value *root, void **ret,
		 struct diag *d)
{
	static const char *const keys[] = {"policies"};
	_cleanup_(free_docp) struct action_policy *doc = calloc(1, sizeof(*doc));
	struct dialect_reader r = {.load = load, .d = d};
	const struct value *policies;
	int e;

	if (!doc)
		return -ENOMEM;
	doc->mem = ARENA_INIT(DOCUMENT_MAX_BYTES);
	doc->default_verdict = load->dialect_default;
	r.mem = &doc->mem;
	if (root->type != VALUE_MAP)
		return dialect_fail(&r, root,
				    "the policy is %s; it begins with 'policies:' and a list of "
				    "rules",
				    root->type == VALUE_NULL ? "empty" : dialect_describe(root));
	policies = value_get(root, "policies");
	if (!policies)
		return dialect_fail(&r, root,
				    "the policy has no 'policies' and would approve everything; "
				    "it begins with 'policies:' and a list of rules");
	dialect_warn_unknown(&r, root, "the policy", keys, ARRAY_SIZE(keys));
	e = parse_rules(&r, policies, doc);
	if (e == 0)
		e = find_decided_ops(doc);
	if (e < 0)
		return e;
	if (doc->n_rules && !doc->decided_ops)
		dialect_warn(&r, policies,
			     "no rule denies or escalates, and neither does the "
			     "default action: every action is approved");
	*ret = TAKE_PTR(doc);
	return 0;
}

static size_t rule_count(const void *doc)
{
	return ((const struct action_policy *)doc)->n_rules;
}

static uint32_t decided_ops(const void *doc)
{
	return ((const struct action_policy *)doc)->decided_ops;
}

/* A path is taken from the argument text, too. */
static bool needs_args(const void *d)
{
	const struct action_policy *doc = d;

	for (size_t i = 0; i < doc->n_rules; i++)
		if (doc->rules[i].args.type > ACTION_PATTERN_NEVER || doc->rules[i].n_paths)
			return true;
	return false;
}

static bool can_ask(const void *d)
{
	const struct action_policy *doc = d;

	for (size_t i = 0; i < doc->n_rules; i++)
		if (doc->rules[i].verdict == VERDICT_ASK)
			return true;
	return doc->default_verdict == VERDICT_ASK;
}

static void show(const void *d, struct strbuf *out)
{
	const struct action_policy *doc = d;

	strbuf_add_fmt(out, "default_action: %s\npolicies:\n",
		       action_policy_words[doc->default_verdict]);
	for (size_t i = 0; i < doc->n_rules; i++) {
		const struct action_rule *rule = &doc->rules[i];

		strbuf_add_fmt(out, "  - line: %u\n", rule->line);
		dialect_show_text(out, 4, "name", rule->name);
		strbuf_add_fmt(out, "    action: %s\n", action_policy_words[rule->verdict]);
		dialect_show_text(out, 4, "reason", rule->reason);
		strbuf_add_str(out, "    match:\n");
		dialect_show_text(out, 6, "tool", rule->tool.text.p);
		dialect_show_text(out, 6, "args_pattern", rule->args.text.p);
		for (size_t j = 0; j < rule->n_paths; j++)
			dialect_show_text(out, 6, "path_pattern", rule->paths[j].text.p);
	}
}

const struct dialect dialect_action_policy = {
	.language = POLICY_LANGUAGE_ACTION_POLICY,
	.parse = parse,
	.free = free_doc,
	.eval = action_policy_eval,
	.each = action_policy_each,
	.rule_count = rule_count,
	.decided_ops = decided_ops,
	.needs_args = needs_args,
	.can_ask = can_ask,
	.show = show,
	.rule = action_policy_rule,
	.covers = action_policy_covers,
	.regexes = action_policy_regexes,
};
