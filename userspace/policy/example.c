/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/io.h"

#include "policy/apiaction.h"
#include "policy/eval.h"
#include "policy/example.h"
#include "policy/naive.h"
#include "policy/value_build.h"
#include "policy/vars.h"

#define EXAMPLE_MEM_BYTES ((size_t)64 << 20)
#define WHY_SIZE          160

/* ---- reading */

/* What add_list() makes of one list. */
struct examples_frame {
	struct arena *mem;
	const struct example **tail;
};

static int add_list(const struct loader *l, const struct node *n, bool is_match,
		    struct examples_frame *frame)
{
	const char *key = is_match ? "match" : "not_match";

	if (n->type != NODE_LIST)
		return loader_fail(l, n, "'%s' must be a list of examples, found %s", key,
				   node_describe(n));
	if (n->n == 0)
		return loader_fail(l, n, "'%s' is an empty list; remove it, or list an example",
				   key);
	for (const struct node *item = n->first; item; item = item->next) {
		struct example *e = arena_alloc(frame->mem, sizeof(*e));

		if (!e)
			return -ENOMEM;
		if (item->type == NODE_LIST)
			return loader_fail(l, item,
					   "an example is a text, or a map that is an action; "
					   "found a list");
		*e = (struct example){.node = item, .is_match = is_match, .scope = l->scope};
		*frame->tail = e;
		frame->tail = &e->next;
	}
	return 0;
}

static int parse_match(const struct loader *l, const struct node *n, void *target)
{
	return add_list(l, n, true, target);
}

static int parse_not_match(const struct loader *l, const struct node *n, void *target)
{
	return add_list(l, n, false, target);
}

static const struct field examples_fields[] = {
	{"match", false, parse_match},
	{"not_match", false, parse_not_match},
};

int examples_parse(const struct loader *l, const struct node *n, struct arena *mem,
		   struct rule *rule)
{
	struct examples_frame frame = {.mem = mem, .tail = &rule->examples};
	int r = schema_map(l, n, "'examples'", examples_fields, ARRAY_SIZE(examples_fields),
			   &frame);

	if (r == 0 && n->n == 0)
		r = loader_fail(l, n, "'examples' is empty; give it 'match' or 'not_match'");
	return r;
}

/* ---- running */

struct run {
	struct loader l; /* of the file in which the example stands */
	struct index index;
	struct arena mem; /* of one example */
	const struct rule *rule;
	/* What came of it. */
	bool has_matched;           /* the rule, first or not */
	bool has_decided;           /* the rule, first */
	bool has_limit;             /* a regular expression hit its limit */
	const struct rule *instead; /* what decided; NULL: a default */
	bool is_asked;
};

static void ask(struct run *run, const struct apiaction *a)
{
	for (size_t i = 0; i < a->n; i++) {
		const struct policy_query *q = &a->queries[i];
		const struct rule *first = NULL;
		enum eval_outcome outcome = eval_first(&run->index, run->l.scratch, q, &first);
		bool matches = naive_matches(run->rule, run->l.scratch, q);

		if (outcome == EVAL_LIMIT)
			run->has_limit = true;
		/* A document may come before what it extends: that is what extending is for. */
		if (outcome == EVAL_RULE &&
		    (first == run->rule || (matches && first->layer < run->rule->layer)))
			run->has_decided = true;
		/* Where the rule would have matched is what its author wants to know of. */
		if (!run->is_asked || (matches && !run->has_matched))
			run->instead = outcome == EVAL_DEFAULT ? NULL : first;
		run->has_matched |= matches;
		run->is_asked = true;
	}
}

static int ask_command(struct run *run, const struct node *n, struct bytes text)
{
	struct apiaction a = {};
	struct bytes *argv = NULL;
	struct diag d = {};
	size_t argc = 0;
	int r = apiaction_split(text, &run->mem, &argv, &argc, &d);

	if (r == -EINVAL)
		return loader_fail(&run->l, n, "this example is no command line: %s", d.message);
	if (r == 0 && argc == 0)
		return loader_fail(&run->l, n, "this example is an empty command line");
	if (r == 0)
		r = apiaction_from_exec(argv, argc, argv[0].p[0] == '/' ? argv[0] : BYTES_NULL,
					BYTES_NULL, &run->mem, &a);
	if (r == 0)
		ask(run, &a);
	return r;
}

static int ask_path(struct run *run, struct bytes path)
{
	int r = 0;

	for (unsigned int i = 0; r == 0 && i < _OP_MAX; i++) {
		enum action_op op = (enum action_op)i;
		struct apiaction a = {};
		struct diag d = {};

		if (!(run->rule->match.ops & OP_BIT(op) & (OPS_PATH | OPS_NETWORK)))
			continue;
		r = OP_BIT(op) & OPS_PATH ? apiaction_from_path(op, path, &run->mem, &a)
					  : apiaction_from_connect(op, POLICY_PROTO_UNIX, path, 0,
								   &run->mem, &a, &d);
		if (r == 0)
			ask(run, &a);
	}
	return r;
}

static bool is_host(struct bytes text, struct bytes *ret_host, uint64_t *ret_port)
{
	const char *colon = memrchr(text.p, ':', text.len);

	if (!colon || colon == text.p || memchr(text.p, ' ', text.len))
		return false;
	*ret_host = (struct bytes){.p = text.p, .len = (size_t)(colon - text.p)};
	return parse_u64(bytes_of(colon + 1), UINT16_MAX, ret_port) == 0;
}

static int ask_host(struct run *run, const struct node *n, struct bytes host, uint16_t port)
{
	const struct matcher *m = &run->rule->match;
	int r = 0;

	for (unsigned int op = 0; op < _OP_MAX; op++)
		for (unsigned int p = 0; r == 0 && p < _POLICY_PROTO_MAX; p++) {
			struct apiaction a = {};
			struct diag d = {};

			if (!(m->ops & OP_BIT(op) & OPS_NETWORK) || p == POLICY_PROTO_UNIX ||
			    !(m->protocols >> p & 1))
				continue;
			r = apiaction_from_connect((enum action_op)op, (enum policy_protocol)p,
						   host, port, &run->mem, &a, &d);
			if (r == -EINVAL)
				return loader_fail(&run->l, n, "%s", d.message);
			if (r == 0)
				ask(run, &a);
		}
	return r;
}

static int fail_kind(const struct run *run, const struct node *n, struct bytes text)
{
	return loader_fail(&run->l, n, "an example of this rule is %s; found '%.60s'",
			   run->rule->match.ops & OPS_NETWORK
				   ? "HOST:PORT, such as example.com:443, or an absolute path"
				   : "an absolute path",
			   text.p);
}

/* A rule on a name such as file_read is asked about a command of that name and about what has the
 * name as an alias, a path or a host. */
static int ask_text(struct run *run, const struct node *n)
{
	const uint32_t ops = run->rule->match.ops;
	struct bytes text = {}, host = {};
	uint64_t port = 0;
	int r = schema_string(&run->l, n, "example", &text);

	if (r == 0)
		r = ops & OP_BIT(OP_EXEC) ? vars_expand_text(&run->l, n, text, &text)
					  : vars_expand_place(&run->l, n, text, &text);
	if (r == 0 && ops & OP_BIT(OP_EXEC))
		r = ask_command(run, n, text);
	if (r < 0)
		return r;
	if (text.p[0] == '/' || text.p[0] == '@')
		r = ask_path(run, text);
	else if (ops & OPS_NETWORK && is_host(text, &host, &port))
		r = ask_host(run, n, host, (uint16_t)port);
	if (r == 0 && !run->is_asked)
		r = fail_kind(run, n, text);
	return r;
}

/* ---- maps: the node as the value that JSON would have given */

static int value_of_scalar(struct run *run, const struct node *n, struct value **ret)
{
	const char *guessed = node_guessed_type(n);
	const bool is_null = guessed && streq(guessed, "null");
	const bool is_bool = guessed && streq(guessed, "a boolean");
	uint64_t number;
	struct value *v;

	v = value_new(&run->mem,
		      is_null   ? VALUE_NULL
		      : is_bool ? VALUE_BOOL
				: VALUE_STRING,
		      n->line, n->column);
	if (!v)
		return -ENOMEM;
	*ret = v;
	if (is_null)
		return 0;
	if (is_bool) {
		v->is_true = bytes_eq_str(n->text, "true");
		return 0;
	}
	if (guessed && parse_u64(n->text, INT64_MAX, &number) == 0) {
		struct bytes digits = arena_copy(&run->mem, n->text.p, n->text.len);

		if (!digits.p)
			return -ENOMEM;
		v->type = VALUE_INT;
		value_set_int(v, (char *)(uintptr_t)digits.p);
		return 0;
	}
	if (guessed && strspn(n->text.p, "0123456789.") == n->text.len) {
		v->type = VALUE_FLOAT;
		v->number = strtod(n->text.p, NULL);
		return 0;
	}
	return vars_expand_text(&run->l, n, n->text, &v->text);
}

/* The strict rules of the document hold in its examples, too. */
static void on_duplicate(void *ctx, const struct value *key)
{
	const struct value **first = ctx;

	if (!*first)
		*first = key;
}

static int close_map(struct run *run, struct value *map)
{
	const struct value *twice = NULL;
	int r = value_map_close(map, on_duplicate, &twice);

	if (r == 0 && twice)
		return diag_set(run->l.diag, run->l.file, twice->line, twice->column,
				"the key '%.60s' stands twice in this example",
				twice->text.p ? twice->text.p : "");
	return r;
}

static int value_of(struct run *run, const struct node *n, struct value **ret)
{
	struct value *v, **tail;
	int r = 0;

	if (n->type == NODE_SCALAR)
		return value_of_scalar(run, n, ret);
	v = value_new(&run->mem, n->type == NODE_MAP ? VALUE_MAP : VALUE_LIST, n->line, n->column);
	if (!v)
		return -ENOMEM;
	tail = &v->first;
	for (const struct node *item = n->first; r == 0 && item; item = item->next) {
		r = value_of(run, item, tail);
		if (r == 0)
			tail = &(*tail)->next;
	}
	if (r == 0 && n->type == NODE_MAP)
		r = close_map(run, v);
	else
		v->n = n->n;
	*ret = v;
	return r;
}

static int ask_map(struct run *run, const struct node *n)
{
	struct apiaction a = {};
	struct value *v = NULL;
	struct diag d = {};
	int r = value_of(run, n, &v);

	if (r == 0)
		r = apiaction_from_value(v, &run->mem, &a, &d);
	if (r == -EINVAL && d.message[0])
		return diag_set(run->l.diag, run->l.file, d.line ? d.line : n->line,
				d.column ? d.column : n->column, "this example is no action: %s",
				d.message);
	if (r == 0)
		ask(run, &a);
	return r;
}

/* ---- what came of it */

static void describe_instead(const struct run *run, char out[static WHY_SIZE])
{
	if (run->instead)
		(void)snprintf(out, WHY_SIZE, "'%.60s' on line %u%s%.60s decides it",
			       run->instead->name, run->instead->line,
			       streq(run->instead->file, run->rule->file) ? "" : " of ",
			       streq(run->instead->file, run->rule->file) ? ""
									  : run->instead->file);
	else
		(void)snprintf(out, WHY_SIZE, "no rule matches it, so 'default' decides it");
}

static int judge(const struct run *run, const struct example *e)
{
	char instead[WHY_SIZE];

	describe_instead(run, instead);
	if (run->has_limit)
		return loader_fail(&run->l, e->node,
				   "this example makes a regular expression hit its limit, which "
				   "is a deny");
	if (!e->is_match && run->has_matched)
		return loader_fail(&run->l, e->node, "'%.60s' matches this example of 'not_match'",
				   run->rule->name);
	if (!e->is_match || run->has_decided)
		return 0;
	if (run->has_matched)
		return loader_fail(&run->l, e->node,
				   "'%.60s' matches this example, but comes too late: %s",
				   run->rule->name, instead);
	return loader_fail(&run->l, e->node, "'%.60s' does not match this example: %s",
			   run->rule->name, instead);
}

static int run_one(struct run *run, const struct rule *rule, const struct example *e)
{
	int r;

	arena_reset(&run->mem);
	run->l.file = rule->file;
	run->l.scope = e->scope;
	run->rule = rule;
	run->instead = NULL;
	run->has_matched = run->has_decided = run->has_limit = run->is_asked = false;
	r = e->node->type == NODE_MAP ? ask_map(run, e->node) : ask_text(run, e->node);
	return r < 0 ? r : judge(run, e);
}

static bool has_examples(const struct policy *p)
{
	for (size_t i = 0; i < p->n_rules; i++)
		if (p->rules[i].examples)
			return true;
	return false;
}

int examples_run(const struct loader *l)
{
	struct run run = {.l = *l, .mem = ARENA_INIT(EXAMPLE_MEM_BYTES)};
	struct policy *p = l->policy;
	int r;

	if (!has_examples(p))
		return 0;
	r = index_build(p, &run.index);
	for (size_t i = 0; r == 0 && i < p->n_rules; i++) {
		for (const struct example *e = p->rules[i].examples; r == 0 && e; e = e->next)
			r = run_one(&run, &p->rules[i], e);
		p->rules[i].examples = NULL; /* their nodes go with the reading */
	}
	index_fini(&run.index);
	arena_fini(&run.mem);
	return r;
}
