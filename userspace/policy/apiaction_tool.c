/* SPDX-License-Identifier: Apache-2.0 */
/* A framework's tool call, as what a process would do that carries it out. */
#include "policy/apiaction_private.h"
#include "policy/naming.h"
#include "policy/pytext.h"

#define TEXT_MAX ((size_t)64 << 20)

static const char *const path_keys[] = {"path", "file_path", "filename", "file", "filepath", NULL};
static const char *const url_keys[] = {"url",      "uri",     "endpoint", "host",
				       "hostname", "address", "domain",   NULL};
static const char *const command_keys[] = {"command", NULL};

static int compare_keys(const void *a, const void *b)
{
	const struct value *x = *(const struct value *const *)a;
	const struct value *y = *(const struct value *const *)b;
	size_t n = MIN(x->text.len, y->text.len);
	int r = n ? memcmp(x->text.p, y->text.p, n) : 0;

	return r ? r : (x->text.len > y->text.len) - (x->text.len < y->text.len);
}

static void add_map(struct strbuf *out, const struct value *map)
{
	const struct value **keys = map->n ? calloc(map->n, sizeof(struct value *)) : NULL;
	size_t n = 0;

	if (map->n && !keys) {
		out->error = -ENOMEM;
		return;
	}
	for (const struct value *k = map->first; k && n < map->n; k = k->next->next)
		keys[n++] = k;
	if (n)
		qsort(keys, n, sizeof(*keys), compare_keys);
	for (size_t i = 0; i < n; i++) {
		if (i)
			strbuf_add_char(out, ' ');
		py_add_str(out, keys[i]);
		strbuf_add_char(out, '=');
		py_add_str(out, keys[i]->next);
	}
	free(keys);
}

void apiaction_add_args_text(struct strbuf *out, const struct value *args)
{
	if (args->type == VALUE_MAP)
		add_map(out, args);
	else
		py_add_str(out, args);
}

static struct bytes args_text(struct arena *mem, const struct value *args)
{
	struct strbuf text = STRBUF_INIT(TEXT_MAX);
	struct bytes copy = BYTES_NULL;

	if (!args || args->type == VALUE_NULL)
		return BYTES_LIT("");
	if (args->type == VALUE_STRING)
		return args->text;
	apiaction_add_args_text(&text, args);
	if (!strbuf_error(&text))
		copy = arena_copy(mem, strbuf_str(&text), text.len);
	strbuf_fini(&text);
	return copy;
}

/* Text args themselves, or the first key of @keys that is there. NULL: none. */
static const struct value *find_arg(const struct value *args, const char *const *keys)
{
	if (!args || args->type == VALUE_STRING)
		return args;
	for (; *keys; keys++) {
		const struct value *v = value_get(args, *keys);

		if (v)
			return v;
	}
	return NULL;
}

/* Which operation goes by this name; OP_EXEC for all that none does. */
static enum action_op op_of_tool(struct bytes tool)
{
	static const enum action_op ops[] = {OP_READ, OP_WRITE, OP_DELETE, OP_CONNECT};

	for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
		size_t n;
		const struct policy_name *names = policy_op_aliases(ops[i], &n);

		for (size_t j = 0; j < n; j++)
			if (bytes_eq(names[j].name, tool))
				return ops[i];
	}
	return OP_EXEC;
}

static bool is_shell(struct bytes tool)
{
	size_t n;
	const struct policy_name *names = policy_op_aliases(OP_EXEC, &n);

	for (size_t i = 0; i < n; i++)
		if (bytes_eq(names[i].name, tool))
			return true;
	return false;
}

static int add_file(struct apiaction *a, struct arena *mem, enum action_op op,
		    const struct value *args)
{
	const struct value *path = find_arg(args, path_keys);
	struct bytes text = path ? apiaction_text_of(mem, path) : BYTES_NULL;
	int r;

	if (path && !text.p)
		return -ENOMEM;
	r = apiaction_add_path(a, mem, op, text);
	if (r < 0 || path)
		return r;
	/* No path: the rules for paths do not match, the others see what there is. */
	a->queries[a->n - 1].args = args_text(mem, args);
	return a->queries[a->n - 1].args.p ? 0 : -ENOMEM;
}

static int add_request(struct apiaction *a, struct arena *mem, const struct value *args)
{
	const struct value *url = find_arg(args, url_keys);
	const struct value *port = args ? value_get(args, "port") : NULL;
	struct bytes text = url ? apiaction_text_of(mem, url) : BYTES_NULL;
	uint16_t n = 0;

	if (url && !text.p)
		return -ENOMEM;
	if (port && port->type == VALUE_INT && port->number >= 0 && port->number <= UINT16_MAX)
		n = (uint16_t)port->number;
	if (!url)
		return apiaction_add_host(a, mem, OP_CONNECT, POLICY_PROTO_TCP, BYTES_NULL, n);
	return apiaction_add_url(a, mem, text, n);
}

/* ["git", "push"]: the words as they are. Return: 1 when @v is such a list, 0 when not. */
static int list_words(const struct value *v, struct arena *mem, struct shell_command *ret)
{
	size_t n = 0;

	if (v->type != VALUE_LIST || v->n == 0)
		return 0;
	for (const struct value *w = v->first; w; w = w->next)
		if (w->type != VALUE_STRING)
			return 0;
	ret->argv = arena_alloc(mem, v->n * sizeof(*ret->argv));
	if (!ret->argv)
		return -ENOMEM;
	for (const struct value *w = v->first; w; w = w->next)
		ret->argv[n++] = w->text;
	ret->argc = n;
	return 1;
}

static int add_commands(struct apiaction *a, struct arena *mem, struct bytes line,
			const struct shell_command *commands, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct apiaction_exec exec = {
			.argv = commands[i].argv,
			.argc = commands[i].argc,
			.text = n == 1 ? line : BYTES_NULL,
		};
		int r = apiaction_add_exec(a, mem, &exec);

		if (r < 0)
			return r;
	}
	return 0;
}

/*
 * What a shell is told to run: a step for each command of the line, with the line itself as text
 * when it is only one, so that a rule for the line and a rule for the program both see it.
 */
static int add_shell(struct apiaction *a, struct arena *mem, struct bytes tool,
		     const struct value *args)
{
	const struct value *v = find_arg(args, command_keys);
	struct shell_command one, *commands = &one;
	struct bytes line;
	size_t n = 1;
	int r;

	if (!v || (v->type != VALUE_STRING && v->type != VALUE_LIST)) {
		line = args_text(mem, args);
		n = 0;
	} else if (v->type == VALUE_STRING) {
		line = v->text;
		r = shell_commands(line, mem, &commands, &n, &a->is_cut);
		if (r < 0)
			return r;
	} else {
		r = list_words(v, mem, &one);
		if (r < 0)
			return r;
		n = (size_t)r;
		line = r ? policy_join_words(mem, BYTES_NULL, one.argv, one.argc, 0)
			 : args_text(mem, args);
	}
	if (!line.p)
		return -ENOMEM;
	if (n != 1) {
		const struct apiaction_exec whole = {.asked = tool, .text = line};

		r = apiaction_add_exec(a, mem, &whole);
		if (r < 0)
			return r;
	}
	return add_commands(a, mem, line, commands, n);
}

int apiaction_add_tool(struct apiaction *a, struct arena *mem, struct bytes tool,
		       const struct value *args)
{
	enum action_op op = op_of_tool(tool);
	struct policy_query *q;

	if (op == OP_CONNECT)
		return add_request(a, mem, args);
	if (op != OP_EXEC)
		return add_file(a, mem, op, args);
	if (is_shell(tool))
		return add_shell(a, mem, tool, args);
	q = apiaction_add_query(a, mem, KIND_TOOL, OP_EXEC);
	if (!q)
		return -ENOMEM;
	/* bash, shell and exec are names of programs; this is a function of the framework. */
	q->n_names = 0;
	apiaction_add_name(q, tool, false);
	q->args = args_text(mem, args);
	return q->args.p ? 0 : -ENOMEM;
}
