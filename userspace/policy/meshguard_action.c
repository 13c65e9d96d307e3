/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Actions in MeshGuard's terms: what an agent asks the gateway for, what a framework's tool is
 * called by MeshGuard's own hooks, and what a process does.
 */
#include "policy/apiaction.h"
#include "policy/meshguard.h"

#define MINUTES_PER_DAY 1440
#define INVOKE          "invoke:"

#define READ_FILE   "read:file"
#define WRITE_FILE  "write:file"
#define DELETE_FILE "delete:file"
#define EXECUTE     "execute:shell"
#define WEB_FETCH   "read:web_fetch"
#define WEB_SEARCH  "read:web_search"
#define WEB_BROWSE  "read:web_browse"
#define NETWORK     "write:network"

const char *mesh_op_action(enum action_op op)
{
	uint32_t bit = (unsigned int)op < _OP_MAX ? OP_BIT(op) : 0;

	if (bit & OP_BIT(OP_EXEC))
		return EXECUTE;
	if (bit & OP_BIT(OP_READ))
		return READ_FILE;
	if (bit & OP_BIT(OP_DELETE))
		return DELETE_FILE;
	if (bit & OPS_CHANGE)
		return WRITE_FILE;
	return bit & (OP_BIT(OP_BIND) | OP_BIT(OP_LISTEN)) ? NETWORK : WEB_FETCH;
}

/* Where a tool's resource is in its arguments. */
enum mesh_argument {
	ARGUMENT_NONE,
	ARGUMENT_PATH,
	ARGUMENT_COMMAND,
	ARGUMENT_URL,
	ARGUMENT_QUERY,
	_ARGUMENT_MAX,
};

static const char *const argument_keys[_ARGUMENT_MAX][6] = {
	[ARGUMENT_PATH] = {"path", "file_path", "filename", "file", "filepath"},
	[ARGUMENT_COMMAND] = {"command", "cmd"},
	[ARGUMENT_URL] = {"url"},
	[ARGUMENT_QUERY] = {"query", "q"},
};

/* The names of tools that MeshGuard's hooks know, and those that a process's operations answer to
 * (policy/aliases.c), so that a policy says the same of both. */
static const struct {
	const char *tool;
	const char *action;
	enum mesh_argument argument;
} tools[] = {
	{"Read", READ_FILE, ARGUMENT_PATH},          {"read", READ_FILE, ARGUMENT_PATH},
	{"read_file", READ_FILE, ARGUMENT_PATH},     {"file_read", READ_FILE, ARGUMENT_PATH},
	{"Write", WRITE_FILE, ARGUMENT_PATH},        {"write", WRITE_FILE, ARGUMENT_PATH},
	{"Edit", WRITE_FILE, ARGUMENT_PATH},         {"edit", WRITE_FILE, ARGUMENT_PATH},
	{"write_file", WRITE_FILE, ARGUMENT_PATH},   {"file_write", WRITE_FILE, ARGUMENT_PATH},
	{"delete_file", DELETE_FILE, ARGUMENT_PATH}, {"file_delete", DELETE_FILE, ARGUMENT_PATH},
	{"Bash", EXECUTE, ARGUMENT_COMMAND},         {"bash", EXECUTE, ARGUMENT_COMMAND},
	{"shell", EXECUTE, ARGUMENT_COMMAND},        {"exec", EXECUTE, ARGUMENT_COMMAND},
	{"WebFetch", WEB_FETCH, ARGUMENT_URL},       {"web_fetch", WEB_FETCH, ARGUMENT_URL},
	{"fetch", WEB_FETCH, ARGUMENT_URL},          {"http_request", WEB_FETCH, ARGUMENT_URL},
	{"WebSearch", WEB_SEARCH, ARGUMENT_QUERY},   {"web_search", WEB_SEARCH, ARGUMENT_QUERY},
	{"browser", WEB_BROWSE, ARGUMENT_URL},
};

static struct texts text_of(const struct value *v)
{
	if (!v || v->type == VALUE_NULL)
		return (struct texts){.is_given = NO};
	if (v->type != VALUE_STRING)
		return (struct texts){.is_given = UNKNOWN};
	return (struct texts){.is_given = YES, .all = v->text};
}

/* The first of the keys of @argument that @args has. */
static struct texts argument_of(const struct value *args, enum mesh_argument argument)
{
	for (const char *const *key = argument_keys[argument]; *key; key++) {
		const struct value *v = value_get(args, *key);

		if (v)
			return text_of(v);
	}
	return (struct texts){.is_given = NO};
}

/* An argument that the context of a request has, or its parameters; else the resource. */
static struct texts context_text(const struct value *context, enum mesh_argument argument,
				 struct texts resource)
{
	const struct value *maps[] = {context, NULL};

	if (context)
		maps[1] = value_get(context, "params");
	for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
		struct texts t = {};

		if (maps[i])
			t = argument_of(maps[i], argument);
		if (t.is_given != NO)
			return t;
	}
	return resource;
}

static void from_request(const struct policy_api *api, struct mesh_action *a)
{
	a->action = api->action;
	a->resource = (struct texts){.is_given = api->resource.p ? YES : NO, .all = api->resource};
	a->has_context = a->has_tags = true;
	a->context = api->context;
	a->tags = api->tags;
	a->command = context_text(api->context, ARGUMENT_COMMAND, a->resource);
	a->path = context_text(api->context, ARGUMENT_PATH, a->resource);
}

/* A tool's arguments are the context. */
static int from_tool(struct bytes tool, const struct value *args, struct arena *mem,
		     struct mesh_action *a)
{
	enum mesh_argument argument = ARGUMENT_NONE;
	char *made;

	a->has_context = true;
	if (args && args->type == VALUE_MAP)
		a->context = args;
	for (size_t i = 0; i < ARRAY_SIZE(tools) && !a->action.p; i++)
		if (bytes_eq_str(tool, tools[i].tool)) {
			a->action = bytes_of(tools[i].action);
			argument = tools[i].argument;
		}
	if (!a->action.p) {
		made = arena_alloc(mem, strlen(INVOKE) + tool.len);
		if (!made)
			return -ENOMEM;
		memcpy(made, INVOKE, strlen(INVOKE));
		if (tool.len)
			memcpy(made + strlen(INVOKE), tool.p, tool.len);
		a->action = (struct bytes){.p = made, .len = strlen(INVOKE) + tool.len};
	}
	if (args && args->type != VALUE_MAP)
		a->resource = text_of(args);
	else if (args)
		a->resource = argument_of(args, argument);
	a->command = context_text(a->context, ARGUMENT_COMMAND, (struct texts){});
	a->path = context_text(a->context, ARGUMENT_PATH, (struct texts){});
	if (argument == ARGUMENT_COMMAND)
		a->command = a->resource;
	else if (argument == ARGUMENT_PATH)
		a->path = a->resource;
	return 0;
}

static void from_process(const struct policy_query *q, struct mesh_action *a)
{
	a->action = bytes_of(mesh_op_action(q->op));
	a->resource = (struct texts){.is_given = YES, .all = q->args};
	if (q->kind == KIND_TOOL)
		a->command = a->resource;
	if (q->path.p && q->kind != KIND_TOOL) {
		a->resource = (struct texts){.is_given = YES, .is_process = true, .all = q->path};
		a->path = a->resource;
	} else if (q->kind == KIND_NETWORK) {
		a->resource.is_list = true;
	}
}

int mesh_action_from_query(const struct policy_query *q, struct policy_scratch *scratch,
			   struct mesh_action *ret)
{
	struct mesh_action a = {.doc = ret->doc, .minute = q->minute_of_week};
	const struct policy_api *api = q->api;
	int r = 0;

	if (a.minute >= 0)
		a.minute %= MINUTES_PER_DAY;
	if (api && api->type == POLICY_API_MESH)
		from_request(api, &a);
	else if (api && api->type == POLICY_API_TOOL)
		r = from_tool(api->tool, api->args, policy_scratch_arena(scratch), &a);
	else if (api && api->type == POLICY_API_CALL && api->call == POLICY_CALL_TOOL &&
		 api->tool_name && api->tool_name->type == VALUE_STRING)
		r = from_tool(api->tool_name->text, api->metadata, policy_scratch_arena(scratch),
			      &a);
	else
		from_process(q, &a);
	*ret = a;
	return r;
}
