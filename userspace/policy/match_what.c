/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys of `match` that name what acts and on what: tool, args_pattern, argv, parent, path, cwd,
 * agent, op.
 */
#include "policy/document.h"

int match_regex(const struct loader *l, const struct node *n, const char *key, struct bytes pattern,
		const struct regex **ret)
{
	struct owned_regex *owned = arena_alloc(&l->policy->mem, sizeof(*owned));
	char why[REGEX_WHY_SIZE];
	size_t offset;
	int r;

	if (!owned)
		return -ENOMEM;
	if (pattern.len == 0)
		return loader_fail(l, n,
				   "'%s' has an empty regular expression, which matches "
				   "everything",
				   key);
	r = regex_new(pattern, &owned->regex, why, &offset);
	if (r == -EINVAL)
		return loader_fail(l, n,
				   "'%s' is not a regular expression: at byte %zu, before "
				   "'%.40s': %s",
				   key, offset + 1, pattern.p + offset, why);
	if (r < 0)
		return r;
	owned->next = l->policy->regexes;
	l->policy->regexes = owned;
	*ret = owned->regex;
	return 0;
}

static int add_glob(const struct loader *l, const struct node *n, struct bytes pattern,
		    enum glob_kind kind, struct glob **ret)
{
	char why[GLOB_WHY_SIZE];
	int r = glob_compile(&l->policy->mem, pattern, kind, l->vars, ret, why);

	if (r == -EINVAL)
		return loader_fail(l, n, "'%.100s' cannot be a pattern: %s", pattern.p, why);
	return r;
}

static enum tool_pattern_type pattern_type(struct bytes s, bool is_argument)
{
	static const char *const wildcards = "*?[{\\";

	if (bytes_has_prefix(s, BYTES_LIT("~/")) || bytes_has_prefix(s, BYTES_LIT("${")))
		return TOOL_IMAGE;
	if (s.p[0] == '~')
		return TOOL_REGEX;
	if (!is_argument && memchr(s.p, '/', s.len))
		return TOOL_IMAGE;
	return strpbrk(s.p, wildcards) ? TOOL_GLOB : TOOL_EXACT;
}

/* @is_argument: a '/' does not make a path of it, since arguments are texts. */
static int parse_pattern(const struct loader *l, const struct node *n, const char *key,
			 bool is_argument, struct tool_pattern *ret)
{
	struct glob *globs = NULL;
	struct bytes s = {};
	int r = schema_string(l, n, key, &s);

	if (r < 0)
		return r;
	ret->type = pattern_type(s, is_argument);
	switch (ret->type) {
	case TOOL_EXACT:
		ret->name = arena_copy(&l->policy->mem, s.p, s.len);
		return ret->name.p ? 0 : -ENOMEM;
	case TOOL_REGEX:
		s.p++;
		s.len--;
		return match_regex(l, n, key, s, &ret->regex);
	case TOOL_GLOB:
	case TOOL_IMAGE:
		break;
	}
	r = add_glob(l, n, s, ret->type == TOOL_IMAGE ? GLOB_PATH : GLOB_NAME, &globs);
	ret->globs = globs;
	return r;
}

static int parse_patterns(const struct loader *l, const struct node *n, const char *key,
			  bool is_argument, const struct tool_pattern **ret, size_t *ret_n)
{
	const struct node *item = NULL;
	struct tool_pattern *patterns;
	size_t count = 0;
	int r = schema_list(l, n, key, &count, &item);

	if (r < 0)
		return r;
	patterns = match_alloc(l, count, sizeof(*patterns));
	if (!patterns)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < count; i++, item = item->next)
		r = parse_pattern(l, item, key, is_argument, &patterns[i]);
	*ret = patterns;
	*ret_n = count;
	return r;
}

int match_parse_tools(const struct loader *l, const struct node *n, void *target)
{
	struct matcher *m = target;

	return parse_patterns(l, n, "tool", false, &m->tools, &m->n_tools);
}

int match_parse_parents(const struct loader *l, const struct node *n, void *target)
{
	struct matcher *m = target;

	return parse_patterns(l, n, "parent", false, &m->parents, &m->n_parents);
}

int match_parse_programs(const struct loader *l, const struct node *n, const char *key,
			 const struct tool_pattern **ret, size_t *ret_n)
{
	return parse_patterns(l, n, key, false, ret, ret_n);
}

int match_parse_argv(const struct loader *l, const struct node *n, void *target)
{
	struct matcher *m = target;
	struct argv_element *elements;
	const struct node *item;
	int r = 0;

	if (n->type != NODE_LIST || n->n == 0)
		return loader_fail(l, n,
				   "'argv' is a list of the first arguments, such as "
				   "[git, [push, fetch]]; found %s",
				   n->type == NODE_LIST ? "an empty one" : node_describe(n));
	m->argv = elements = match_alloc(l, n->n, sizeof(*elements));
	if (!elements)
		return -ENOMEM;
	m->n_argv = n->n;
	item = n->first;
	for (size_t i = 0; r == 0 && i < n->n; i++, item = item->next)
		r = parse_patterns(l, item, "argv", i > 0, &elements[i].any, &elements[i].n);
	return r;
}

int match_parse_args(const struct loader *l, const struct node *n, void *target)
{
	const struct node *item = NULL;
	struct matcher *m = target;
	const struct regex **args;
	int r = schema_list(l, n, "args_pattern", &m->n_args, &item);

	if (r < 0)
		return r;
	m->args = args = match_alloc(l, m->n_args, sizeof(*args));
	if (!args)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < m->n_args; i++, item = item->next) {
		struct bytes s = {};

		r = schema_string(l, item, "args_pattern", &s);
		if (r == 0)
			r = match_regex(l, item, "args_pattern", s, &args[i]);
	}
	return r;
}

static int parse_globs(const struct loader *l, const struct node *n, const char *key,
		       enum glob_kind kind, const struct glob **ret)
{
	const struct node *item = NULL;
	struct glob *first = NULL, **tail = &first;
	size_t count = 0;
	int r = schema_list(l, n, key, &count, &item);

	for (; r == 0 && count; count--, item = item->next) {
		struct bytes s = {};

		r = schema_string(l, item, key, &s);
		if (r == 0)
			r = add_glob(l, item, s, kind, tail);
		while (*tail)
			tail = &(*tail)->next;
	}
	*ret = first;
	return r;
}

int match_parse_paths(const struct loader *l, const struct node *n, void *target)
{
	return parse_globs(l, n, "path", GLOB_PATH, &((struct matcher *)target)->paths);
}

int match_parse_http_paths(const struct loader *l, const struct node *n, void *target)
{
	return parse_globs(l, n, "http_path", GLOB_PATH, &((struct matcher *)target)->http_paths);
}

int match_parse_cwds(const struct loader *l, const struct node *n, void *target)
{
	return parse_globs(l, n, "cwd", GLOB_PATH, &((struct matcher *)target)->cwds);
}

int match_parse_agents(const struct loader *l, const struct node *n, void *target)
{
	return parse_globs(l, n, "agent", GLOB_NAME, &((struct matcher *)target)->agents);
}

static int parse_op(const struct loader *l, const struct node *n, uint32_t *ops)
{
	const char *words[OP_SYSCALL + 1];
	const char *nearest;
	struct bytes s = {};
	enum action_op op;
	int r = schema_string(l, n, "op", &s);

	if (r < 0)
		return r;
	if (bytes_eq_str(s, "change")) {
		*ops |= OPS_CHANGE;
		return 0;
	}
	if (op_parse(s, &op) == 0 && op < OP_SYSCALL) {
		*ops |= OP_BIT(op);
		return 0;
	}
	for (unsigned int i = 0; i < OP_SYSCALL; i++)
		words[i] = op_name((enum action_op)i);
	words[OP_SYSCALL] = "change";
	nearest = schema_nearest(s, words, ARRAY_SIZE(words));
	if (nearest)
		return loader_fail(l, n, "there is no operation '%.60s'; did you mean '%s'?", s.p,
				   nearest);
	return loader_fail(l, n,
			   "there is no operation '%.60s'; there are exec, read, write, "
			   "create, truncate, delete, rename, link, symlink, mkdir, mknod, "
			   "chmod, chown, xattr, times, connect, send, bind and listen; 'change' "
			   "is everything from write to times",
			   s.p);
}

int match_parse_ops(const struct loader *l, const struct node *n, void *target)
{
	const struct node *item = NULL;
	struct matcher *m = target;
	size_t count = 0;
	int r = schema_list(l, n, "op", &count, &item);

	m->has_ops = true;
	for (; r == 0 && count; count--, item = item->next)
		r = parse_op(l, item, &m->ops);
	return r;
}
