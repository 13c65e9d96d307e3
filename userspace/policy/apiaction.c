/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON forms of actions. Each is a table of keys; what a key may hold is checked here, what the
 * original libraries would make of it is not: AgentPolicy's fields come through as they are.
 */
#include <stdio.h>

#include "policy/apiaction_private.h"
#include "policy/pyurl.h"

#define SHOWN_MAX 80 /* bytes of a key or value in a message */

/* The values of the keys; NULL: not given. */
struct given {
	const struct value *tool, *args, *kind, *name, *cost, *approved, *metadata, *url, *source,
		*fields, *argv, *path, *cwd, *op, *address, *port, *domain, *protocol, *action,
		*resource, *context, *agent, *tags, *tier, *org, *parent, *time, *tool_name,
		*action_type, *record, *listener;
};

enum want {
	WANT_ANY,
	WANT_TEXT,
	WANT_TEXT_OR_NULL,
	WANT_TEXTS,     /* a text, or a list of texts that is not empty */
	WANT_TEXT_LIST, /* a list of texts that is not empty */
	WANT_MAP,
	WANT_PORT,
};

struct key {
	const char *name;
	enum want want;
	bool is_required;
	size_t offset;
};

#define KEY(member, want)                                                                          \
	{                                                                                          \
#member, want, false, offsetof(struct given, member)                               \
	}
#define REQUIRED_KEY(member, want)                                                                 \
	{                                                                                          \
#member, want, true, offsetof(struct given, member)                                \
	}

/* Where the work is done. */
struct reading {
	struct arena *mem;
	struct apiaction *a;
	struct diag *d;
};

struct form {
	const char *word;  /* of `kind`; NULL: told by another key */
	const char *title; /* "a tool action" */
	const struct key *keys;
	int (*read)(const struct reading *r, const struct given *g);
};

_printf_(3, 4) static int refuse(const struct reading *r, const struct value *at, const char *fmt,
				 ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return diag_set(r->d, NULL, at->line, at->column, "%s", text);
}

static bool is_text(const struct value *v)
{
	return v && v->type == VALUE_STRING;
}

static bool is_text_list(const struct value *v)
{
	if (v->type != VALUE_LIST || v->n == 0)
		return false;
	for (const struct value *i = v->first; i; i = i->next)
		if (i->type != VALUE_STRING)
			return false;
	return true;
}

static const char *wanted(enum want want, const struct value *v)
{
	switch (want) {
	case WANT_ANY:
		return NULL;
	case WANT_TEXT:
		return is_text(v) ? NULL : "a text";
	case WANT_TEXT_OR_NULL:
		return is_text(v) || v->type == VALUE_NULL ? NULL : "a text or null";
	case WANT_TEXTS:
		return is_text(v) || is_text_list(v) ? NULL : "a text or a list of texts";
	case WANT_TEXT_LIST:
		return is_text_list(v) ? NULL : "a list of texts";
	case WANT_MAP:
		return v->type == VALUE_MAP ? NULL : "an object";
	case WANT_PORT:
		return v->type == VALUE_INT && v->number >= 0 && v->number <= UINT16_MAX
			       ? NULL
			       : "a whole number from 0 to 65535";
	}
	return NULL;
}

static const struct key *find_key(const struct key *keys, const struct value *name)
{
	for (; is_text(name) && keys->name; keys++)
		if (bytes_eq_str(name->text, keys->name))
			return keys;
	return NULL;
}

static void add_key_names(const struct key *keys, char *out, size_t size)
{
	size_t n = 0;

	out[0] = '\0';
	for (; keys->name && n < size; keys++)
		n += (size_t)snprintf(out + n, size - n, "%s%s", n ? ", " : "", keys->name);
}

static int refuse_key(const struct reading *r, const struct form *form, const struct value *name)
{
	char names[256];
	struct bytes shown = is_text(name) ? name->text : BYTES_LIT("(no text)");

	add_key_names(form->keys, names, sizeof(names));
	return refuse(r, name, "unknown key '%.*s'; %s has: %s",
		      (int)MIN(shown.len, (size_t)SHOWN_MAX), shown.p, form->title, names);
}

static int read_keys(const struct reading *r, const struct form *form, const struct value *map,
		     struct given *ret)
{
	for (const struct value *name = map->first; name; name = name->next->next) {
		const struct key *k = find_key(form->keys, name);
		const char *expected;

		if (!k)
			return refuse_key(r, form, name);
		expected = wanted(k->want, name->next);
		if (expected)
			return refuse(r, name->next, "'%s' of %s must be %s", k->name, form->title,
				      expected);
		*(const struct value **)((char *)ret + k->offset) = name->next;
	}
	for (const struct key *k = form->keys; k->name; k++)
		if (k->is_required && !*(const struct value **)((char *)ret + k->offset))
			return refuse(r, map, "%s needs the key '%s'", form->title, k->name);
	return 0;
}

/* ---- what an action says of itself besides */

/* "mon 09:30", or the minute of the week. */
static int read_time(const struct reading *r, const struct value *v, int *ret)
{
	static const char days[][4] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
	unsigned int hour = 24, minute = 60;
	char day[4] = "", rest = '\0';

	if (v->type == VALUE_INT && v->number >= 0 && v->number < POLICY_MINUTES_PER_WEEK) {
		*ret = (int)v->number;
		return 0;
	}
	if (is_text(v) && sscanf(v->text.p, "%3s %2u:%2u%c", day, &hour, &minute, &rest) == 3 &&
	    hour < 24 && minute < 60)
		for (size_t i = 0; i < ARRAY_SIZE(days); i++)
			if (strcasecmp(day, days[i]) == 0) {
				*ret = (int)(i * 24 * 60 + hour * 60 + minute);
				return 0;
			}
	return refuse(r, v,
		      "'time' must be like \"mon 09:30\", or a minute of the week from 0 to %d",
		      POLICY_MINUTES_PER_WEEK - 1);
}

static double number_of(const struct value *v)
{
	if (!v)
		return 0;
	if (v->type == VALUE_BOOL)
		return v->is_true;
	return v->type == VALUE_INT || v->type == VALUE_FLOAT ? v->number : 0;
}

static struct bytes text_or_null(const struct value *v)
{
	return is_text(v) ? v->text : BYTES_NULL;
}

static int finish(const struct reading *r, const struct given *g)
{
	int minute = POLICY_TIME_UNKNOWN;

	if (g->time) {
		int e = read_time(r, g->time, &minute);

		if (e < 0)
			return e;
	}
	r->a->is_approved = g->approved && value_is_truthy(g->approved);
	for (size_t i = 0; i < r->a->n; i++) {
		struct policy_query *q = &r->a->queries[i];

		q->api = r->a->api.type == POLICY_API_NONE ? NULL : &r->a->api;
		q->is_approved = r->a->is_approved;
		q->cost = number_of(r->a->api.cost);
		q->minute_of_week = minute;
		if (is_text(g->agent))
			q->agent = g->agent->text;
		if (is_text(g->cwd))
			q->cwd = g->cwd->text;
		if (is_text(g->parent))
			q->parent = g->parent->text;
	}
	return 0;
}

/* ---- agent-action-policy */

static const struct key tool_keys[] = {
	REQUIRED_KEY(tool, WANT_TEXT),
	KEY(args, WANT_ANY),
	{},
};

static int read_tool(const struct reading *r, const struct given *g)
{
	r->a->api = (struct policy_api){
		.type = POLICY_API_TOOL, .tool = g->tool->text, .args = g->args};
	return apiaction_add_tool(r->a, r->mem, g->tool->text, g->args);
}

/* ---- AgentPolicy */

static const struct value no_cost = {.type = VALUE_FLOAT};
static const struct value call_words[] = {
	[POLICY_CALL_TOOL] = {.type = VALUE_STRING, .text = {.p = "tool", .len = 4}},
	[POLICY_CALL_HTTP] = {.type = VALUE_STRING, .text = {.p = "http", .len = 4}},
	[POLICY_CALL_COST] = {.type = VALUE_STRING, .text = {.p = "cost", .len = 4}},
};
static const struct value llm = {.type = VALUE_STRING, .text = {.p = "llm", .len = 3}};

static const struct key call_tool_keys[] = {
	REQUIRED_KEY(kind, WANT_TEXT), REQUIRED_KEY(name, WANT_ANY), KEY(cost, WANT_ANY),
	KEY(approved, WANT_ANY),       KEY(metadata, WANT_ANY),      {},
};

static const struct key call_http_keys[] = {
	REQUIRED_KEY(kind, WANT_TEXT), REQUIRED_KEY(url, WANT_ANY), KEY(cost, WANT_ANY),
	KEY(approved, WANT_ANY),       KEY(metadata, WANT_ANY),     {},
};

static const struct key call_cost_keys[] = {
	REQUIRED_KEY(kind, WANT_TEXT), REQUIRED_KEY(cost, WANT_ANY), KEY(source, WANT_ANY),
	KEY(approved, WANT_ANY),       KEY(metadata, WANT_ANY),      {},
};

static const struct key raw_keys[] = {
	REQUIRED_KEY(kind, WANT_TEXT),
	REQUIRED_KEY(fields, WANT_MAP),
	KEY(approved, WANT_ANY),
	{},
};

static const struct key raw_field_keys[] = {
	REQUIRED_KEY(action_type, WANT_TEXT),
	KEY(tool_name, WANT_ANY),
	KEY(url, WANT_ANY),
	KEY(domain, WANT_ANY),
	KEY(source, WANT_ANY),
	KEY(cost, WANT_ANY),
	KEY(metadata, WANT_ANY),
	{},
};

static void set_call(const struct reading *r, enum policy_call_type call, const struct given *g)
{
	r->a->api = (struct policy_api){
		.type = POLICY_API_CALL,
		.call = call,
		.cost = g->cost ? g->cost : &no_cost,
		.action_type = &call_words[call],
		.metadata = g->metadata,
	};
}

/* What a native policy is asked. Spending is a tool named `cost`; its text is the source. */
static int add_call(const struct reading *r, const struct policy_api *api)
{
	struct policy_query *q;
	struct bytes url = text_or_null(api->url);

	if (!url.p)
		url = text_or_null(api->domain);
	if (api->call == POLICY_CALL_HTTP && url.p)
		return apiaction_add_url(r->a, r->mem, url, 0);
	if (api->call == POLICY_CALL_HTTP)
		return apiaction_add_host(r->a, r->mem, OP_CONNECT, POLICY_PROTO_TCP, BYTES_NULL,
					  0);
	if (api->call == POLICY_CALL_TOOL)
		return apiaction_add_tool(r->a, r->mem, text_or_null(api->tool_name), NULL);
	q = apiaction_add_query(r->a, r->mem, KIND_TOOL, OP_EXEC);
	if (!q)
		return -ENOMEM;
	q->n_names = 0;
	apiaction_add_name(q, BYTES_LIT("cost"), false);
	q->args = is_text(api->source) ? api->source->text : BYTES_LIT("");
	return 0;
}

static int read_call_tool(const struct reading *r, const struct given *g)
{
	set_call(r, POLICY_CALL_TOOL, g);
	r->a->api.tool_name = g->name;
	return add_call(r, &r->a->api);
}

static int read_call_http(const struct reading *r, const struct given *g)
{
	int e;

	set_call(r, POLICY_CALL_HTTP, g);
	r->a->api.url = g->url;
	e = pyurl_domain(g->url, r->mem, &r->a->api.domain, &r->a->error);
	return e == -ENOMEM ? e : add_call(r, &r->a->api);
}

static int read_call_cost(const struct reading *r, const struct given *g)
{
	set_call(r, POLICY_CALL_COST, g);
	r->a->api.source = g->source ? g->source : &llm;
	return add_call(r, &r->a->api);
}

static int read_raw(const struct reading *r, const struct given *g)
{
	static const struct form fields = {NULL, "an AgentPolicy action", raw_field_keys, NULL};
	struct given f = {};
	unsigned int call = 0;
	int e = read_keys(r, &fields, g->fields, &f);

	if (e < 0)
		return e;
	while (call < ARRAY_SIZE(call_words) &&
	       !bytes_eq(call_words[call].text, f.action_type->text))
		call++;
	if (call == ARRAY_SIZE(call_words))
		return refuse(r, f.action_type, "'action_type' must be tool, http or cost");
	set_call(r, (enum policy_call_type)call, &f);
	r->a->api.tool_name = f.tool_name;
	r->a->api.url = f.url;
	r->a->api.domain = f.domain;
	r->a->api.source = f.source;
	return add_call(r, &r->a->api);
}

/* ---- what a process does */

#define KERNEL_KEYS                                                                                \
	KEY(cwd, WANT_TEXT), KEY(parent, WANT_TEXT), KEY(agent, WANT_TEXT), KEY(time, WANT_ANY),   \
		KEY(approved, WANT_ANY)

static const struct key exec_keys[] = {
	REQUIRED_KEY(kind, WANT_TEXT),
	REQUIRED_KEY(argv, WANT_TEXT_LIST),
	KEY(path, WANT_TEXT_OR_NULL),
	KERNEL_KEYS,
	{},
};

static const struct key path_keys[] = {
	REQUIRED_KEY(kind, WANT_TEXT),
	REQUIRED_KEY(op, WANT_TEXTS),
	REQUIRED_KEY(path, WANT_TEXT),
	KERNEL_KEYS,
	{},
};

static const struct key connect_keys[] = {
	REQUIRED_KEY(kind, WANT_TEXT),
	KEY(address, WANT_TEXT_OR_NULL),
	KEY(port, WANT_PORT),
	KEY(domain, WANT_TEXT_OR_NULL),
	KEY(protocol, WANT_TEXT),
	KEY(op, WANT_TEXT),
	KEY(record, WANT_TEXT),
	KEY(listener, WANT_TEXT),
	KERNEL_KEYS,
	{},
};

static int read_exec(const struct reading *r, const struct given *g)
{
	struct bytes *argv = arena_alloc(r->mem, g->argv->n * sizeof(*argv));
	struct apiaction_exec exec = {
		.argv = argv, .path = text_or_null(g->path), .cwd = text_or_null(g->cwd)};

	if (!argv)
		return -ENOMEM;
	for (const struct value *w = g->argv->first; w; w = w->next)
		argv[exec.argc++] = w->text;
	return apiaction_add_exec(r->a, r->mem, &exec);
}

static int read_op(const struct reading *r, const struct value *v, uint32_t among,
		   enum action_op *ret)
{
	if (op_parse(v->text, ret) == 0 && OP_BIT(*ret) & among)
		return 0;
	return refuse(
		r, v, "'op': there is no such operation here: '%.*s'; %s",
		(int)MIN(v->text.len, (size_t)SHOWN_MAX), v->text.p,
		among == OPS_NETWORK
			? "expected connect, send, bind, listen or resolve"
			: "expected read, write, create, truncate, delete, rename, link, symlink, mkdir, mknod, chmod, chown, xattr or times");
}

static int read_path(const struct reading *r, const struct given *g)
{
	const struct value *v = is_text(g->op) ? g->op : g->op->first;
	size_t n = is_text(g->op) ? 1 : g->op->n;
	uint32_t seen = 0;

	for (; n > 0; n--, v = v->next) {
		enum action_op op;
		int e = read_op(r, v, OPS_PATH, &op);

		if (e < 0)
			return e;
		if (seen & OP_BIT(op))
			continue;
		seen |= OP_BIT(op);
		e = apiaction_add_path(r->a, r->mem, op, g->path->text);
		if (e < 0)
			return e;
	}
	return 0;
}

static int read_protocol(const struct reading *r, const struct value *v, enum policy_protocol *ret)
{
	for (unsigned int p = 0; p < _POLICY_PROTO_MAX; p++)
		if (bytes_eq_str(v->text, policy_protocol_name((enum policy_protocol)p))) {
			*ret = (enum policy_protocol)p;
			return 0;
		}
	return refuse(r, v, "'protocol' must be tcp, udp, unix or other");
}

static int read_connect(const struct reading *r, const struct given *g)
{
	struct bytes address = text_or_null(g->address), domain = text_or_null(g->domain);
	enum policy_protocol protocol = POLICY_PROTO_TCP;
	enum action_op op = OP_CONNECT;
	uint16_t record = 0;
	int e = 0;

	if (!address.p && !domain.p)
		return refuse(r, g->kind,
			      "a connect action needs the key 'address', or 'domain', or both");
	if (g->op)
		e = read_op(r, g->op, OPS_NETWORK, &op);
	if (e == 0 && g->protocol)
		e = read_protocol(r, g->protocol, &protocol);
	if (e == 0 && g->record && !policy_record_parse(g->record->text, &record))
		e = refuse(r, g->record, "'record' must be a type of record: A, TXT, TYPE65280");
	if (e < 0)
		return e;
	if (bytes_has_prefix(address, BYTES_LIT("unix:"))) {
		address = (struct bytes){.p = address.p + 5, .len = address.len - 5};
		protocol = POLICY_PROTO_UNIX;
	}
	e = apiaction_add_host(r->a, r->mem, op, protocol, address.p ? address : domain,
			       g->port ? (uint16_t)g->port->number : 0);
	if (e == 0)
		r->a->queries[0].record = record;
	if (e == 0 && g->listener)
		e = apiaction_set_listener(r->a->queries, r->mem, g->listener, r->d);
	if (e < 0 || !address.p || protocol == POLICY_PROTO_UNIX)
		return e;
	if (!r->a->queries[0].address->has_ip)
		return refuse(
			r, g->address,
			"'address' must be an IP address or unix:PATH; names go into 'domain'");
	for (size_t i = 0; e == 0 && domain.p && i < r->a->n; i++)
		e = apiaction_add_domain(&r->a->queries[i], r->mem, domain);
	return e;
}

/* ---- MeshGuard */

static const struct key mesh_keys[] = {
	REQUIRED_KEY(action, WANT_TEXT),
	KEY(resource, WANT_TEXT_OR_NULL),
	KEY(context, WANT_ANY),
	KEY(agent, WANT_ANY),
	KEY(tags, WANT_ANY),
	KEY(tier, WANT_ANY),
	KEY(org, WANT_ANY),
	{},
};

/* Actions of MeshGuard's own guides that are what a tool does, with the resource as its argument.
 */
static const struct {
	const char *action;
	const char *tool;
} mesh_tools[] = {
	{"read:file", "file_read"}, {"write:file", "file_write"},    {"delete:file", "file_delete"},
	{"execute:shell", "bash"},  {"read:web_fetch", "web_fetch"},
};

static int read_mesh(const struct reading *r, const struct given *g)
{
	struct policy_api *api = &r->a->api;
	struct bytes tool = g->action->text;

	*api = (struct policy_api){
		.type = POLICY_API_MESH,
		.action = g->action->text,
		.resource = text_or_null(g->resource),
		.context = g->context,
		.agent_id = g->agent,
		.tags = g->tags,
		.tier = g->tier,
		.org_id = g->org,
	};
	for (size_t i = 0; i < ARRAY_SIZE(mesh_tools); i++)
		if (bytes_eq_str(tool, mesh_tools[i].action))
			tool = bytes_of(mesh_tools[i].tool);
	return apiaction_add_tool(r->a, r->mem, tool, g->resource);
}

/* ---- */

static const struct form kinds[] = {
	{"tool", "a tool action", call_tool_keys, read_call_tool},
	{"http", "an http action", call_http_keys, read_call_http},
	{"cost", "a cost action", call_cost_keys, read_call_cost},
	{"raw", "a raw action", raw_keys, read_raw},
	{"exec", "an exec action", exec_keys, read_exec},
	{"path", "a path action", path_keys, read_path},
	{"connect", "a connect action", connect_keys, read_connect},
};

static const struct form tool_form = {NULL, "a tool call", tool_keys, read_tool};
static const struct form mesh_form = {NULL, "a MeshGuard action", mesh_keys, read_mesh};

static const struct form *find_form(const struct reading *r, const struct value *v)
{
	const struct value *kind;

	if (v->type != VALUE_MAP) {
		(void)refuse(
			r, v,
			"an action is a JSON object, such as {\"tool\": \"bash\", \"args\": \"ls\"}");
		return NULL;
	}
	kind = value_get(v, "kind");
	if (!kind && value_get(v, "tool"))
		return &tool_form;
	if (!kind && value_get(v, "action"))
		return &mesh_form;
	for (size_t i = 0; is_text(kind) && i < ARRAY_SIZE(kinds); i++)
		if (bytes_eq_str(kind->text, kinds[i].word))
			return &kinds[i];
	if (kind)
		(void)refuse(r, kind,
			     "'kind' must be tool, http, cost, raw, exec, path or connect");
	else
		(void)refuse(r, v, "an action needs one of the keys 'tool', 'kind' and 'action'");
	return NULL;
}

int apiaction_from_value(const struct value *v, struct arena *mem, struct apiaction *ret,
			 struct diag *d)
{
	const struct reading r = {.mem = mem, .a = ret, .d = d};
	const struct form *form;
	struct given g = {};
	int e;

	*ret = (struct apiaction){};
	form = find_form(&r, v);
	if (!form)
		return -EINVAL;
	e = read_keys(&r, form, v, &g);
	if (e == 0)
		e = form->read(&r, &g);
	return e < 0 ? e : finish(&r, &g);
}
