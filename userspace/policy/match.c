/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The `match` of a rule: each key read by itself, then checked together for what can never match.
 */
#include "policy/aliases.h"
#include "policy/document.h"

static const char *const protocol_names[_POLICY_PROTO_MAX] = {
	[POLICY_PROTO_TCP] = "tcp",
	[POLICY_PROTO_UDP] = "udp",
	[POLICY_PROTO_UNIX] = "unix",
	[POLICY_PROTO_OTHER] = "other",
};

const char *policy_protocol_name(enum policy_protocol p)
{
	return (unsigned int)p < _POLICY_PROTO_MAX ? protocol_names[p] : "unknown";
}

/* Room for the @n values of a key, cleared. */
static void *alloc_items(const struct loader *l, size_t n, size_t size)
{
	void *p = arena_alloc(&l->policy->mem, n * size);

	if (p)
		memset(p, 0, n * size);
	return p;
}

static int add_regex(const struct loader *l, const struct node *n, const char *key,
		     struct bytes pattern, const struct regex **ret)
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

/* ---- the keys */

static int parse_tool(const struct loader *l, const struct node *n, struct tool_pattern *ret)
{
	struct glob *globs = NULL;
	struct bytes s = {};
	int r = schema_string(l, n, "tool", &s);

	if (r < 0)
		return r;
	if (s.p[0] == '~' && !bytes_has_prefix(s, BYTES_LIT("~/"))) {
		struct bytes pattern = {.p = s.p + 1, .len = s.len - 1};

		ret->type = TOOL_REGEX;
		return add_regex(l, n, "tool", pattern, &ret->regex);
	}
	if (memchr(s.p, '/', s.len) || bytes_has_prefix(s, BYTES_LIT("${")))
		ret->type = TOOL_IMAGE;
	else if (strpbrk(s.p, "*?[{\\"))
		ret->type = TOOL_GLOB;
	else
		ret->type = TOOL_EXACT;
	if (ret->type == TOOL_EXACT) {
		ret->name = arena_copy(&l->policy->mem, s.p, s.len);
		return ret->name.p ? 0 : -ENOMEM;
	}
	r = add_glob(l, n, s, ret->type == TOOL_IMAGE ? GLOB_PATH : GLOB_NAME, &globs);
	ret->globs = globs;
	return r;
}

static int parse_tools(const struct loader *l, const struct node *n, void *target)
{
	const struct node *item = NULL;
	struct matcher *m = target;
	struct tool_pattern *tools;
	int r = schema_list(l, n, "tool", &m->n_tools, &item);

	if (r < 0)
		return r;
	m->tools = tools = alloc_items(l, m->n_tools, sizeof(*tools));
	if (!tools)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < m->n_tools; i++, item = item->next)
		r = parse_tool(l, item, &tools[i]);
	return r;
}

static int parse_args(const struct loader *l, const struct node *n, void *target)
{
	const struct node *item = NULL;
	struct matcher *m = target;
	const struct regex **args;
	int r = schema_list(l, n, "args_pattern", &m->n_args, &item);

	if (r < 0)
		return r;
	m->args = args = alloc_items(l, m->n_args, sizeof(*args));
	if (!args)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < m->n_args; i++, item = item->next) {
		struct bytes s = {};

		r = schema_string(l, item, "args_pattern", &s);
		if (r == 0)
			r = add_regex(l, item, "args_pattern", s, &args[i]);
	}
	return r;
}

static int parse_paths(const struct loader *l, const struct node *n, void *target)
{
	const struct node *item = NULL;
	struct matcher *m = target;
	struct glob *first = NULL, **tail = &first;
	size_t count = 0;
	int r = schema_list(l, n, "path", &count, &item);

	for (; r == 0 && count; count--, item = item->next) {
		struct bytes s = {};

		r = schema_string(l, item, "path", &s);
		if (r == 0)
			r = add_glob(l, item, s, GLOB_PATH, tail);
		while (*tail)
			tail = &(*tail)->next;
	}
	m->paths = first;
	return r;
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

static int parse_ops(const struct loader *l, const struct node *n, void *target)
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

static int parse_address_key(const struct loader *l, const struct node *n, const char *key,
			     struct matcher *m)
{
	const struct node *item = NULL;
	struct address_range *ranges;
	int r;

	if (m->n_addresses)
		return loader_fail(l, n, "'address' and 'cidr' are the same key; make one list");
	r = schema_list(l, n, key, &m->n_addresses, &item);
	if (r < 0)
		return r;
	m->addresses = ranges = alloc_items(l, m->n_addresses, sizeof(*ranges));
	if (!ranges)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < m->n_addresses; i++, item = item->next) {
		char why[ADDRESS_WHY_SIZE];
		struct bytes s = {};

		r = schema_string(l, item, key, &s);
		if (r == 0 && address_range_parse(s, &ranges[i], why) < 0)
			r = loader_fail(l, item, "%s", why);
	}
	return r;
}

static int parse_address(const struct loader *l, const struct node *n, void *target)
{
	return parse_address_key(l, n, "address", target);
}

static int parse_cidr(const struct loader *l, const struct node *n, void *target)
{
	return parse_address_key(l, n, "cidr", target);
}

static int parse_ports(const struct loader *l, const struct node *n, void *target)
{
	const struct node *item = NULL;
	struct matcher *m = target;
	struct port_range *ports;
	int r = schema_list(l, n, "port", &m->n_ports, &item);

	if (r < 0)
		return r;
	m->ports = ports = alloc_items(l, m->n_ports, sizeof(*ports));
	if (!ports)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < m->n_ports; i++, item = item->next) {
		char why[ADDRESS_WHY_SIZE];
		struct bytes s = {};

		r = schema_string(l, item, "port", &s);
		if (r == 0 && port_range_parse(s, &ports[i], why) < 0)
			r = loader_fail(l, item, "%s", why);
	}
	return r;
}

static int parse_protocols(const struct loader *l, const struct node *n, void *target)
{
	const struct node *item = NULL;
	struct matcher *m = target;
	size_t count = 0;
	int r = schema_list(l, n, "protocol", &count, &item);

	m->has_protocols = true;
	for (; r == 0 && count; count--, item = item->next) {
		uint32_t bit = 0;
		struct bytes s = {};

		r = schema_string(l, item, "protocol", &s);
		for (unsigned int i = 0; r == 0 && i < _POLICY_PROTO_MAX; i++)
			if (bytes_eq_str(s, protocol_names[i]))
				bit = UINT32_C(1) << i;
		if (r == 0 && !bit)
			r = loader_fail(l, item,
					"there is no protocol '%.60s'; there are tcp, udp, "
					"unix and other",
					s.p);
		m->protocols |= bit;
	}
	return r;
}

static const struct field match_fields[] = {
	{"tool", false, parse_tools},      {"args_pattern", false, parse_args},
	{"path", false, parse_paths},      {"op", false, parse_ops},
	{"address", false, parse_address}, {"cidr", false, parse_cidr},
	{"port", false, parse_ports},      {"protocol", false, parse_protocols},
};

/* ---- the keys together */

static bool regex_reaches(const struct loader *l, const struct regex *regex, struct bytes name)
{
	/* Whatever is not a clear no can reach it. */
	return regex_search(regex, l->scratch, name) != 0;
}

static bool tool_reaches_op(const struct loader *l, const struct tool_pattern *t, enum action_op op)
{
	size_t n;
	const struct policy_name *aliases = policy_op_aliases(op, &n);

	if (op == OP_EXEC)
		return true;
	switch (t->type) {
	case TOOL_EXACT:
		for (size_t i = 0; i < n; i++)
			if (bytes_eq(t->name, aliases[i].name))
				return true;
		return false;
	case TOOL_GLOB:
		for (size_t i = 0; i < n; i++)
			for (const struct glob *g = t->globs; g; g = g->next)
				if (glob_match(g, aliases[i].name))
					return true;
		return false;
	case TOOL_REGEX:
		for (size_t i = 0; i < n; i++)
			if (regex_reaches(l, t->regex, aliases[i].name))
				return true;
		return false;
	case TOOL_IMAGE:
		return false;
	}
	return true;
}

static uint32_t tool_ops(const struct loader *l, const struct matcher *m)
{
	uint32_t ops = 0;

	for (unsigned int op = 0; op < OP_SYSCALL; op++)
		for (size_t i = 0; i < m->n_tools && !(ops & OP_BIT(op)); i++)
			if (tool_reaches_op(l, &m->tools[i], (enum action_op)op))
				ops |= OP_BIT(op);
	return ops;
}

static bool is_on_ip(const struct matcher *m)
{
	return m->n_addresses || m->n_ports;
}

/* Which operations the keys leave, op itself included. */
static uint32_t matched_ops(const struct loader *l, const struct matcher *m)
{
	uint32_t ops = m->has_ops ? m->ops : OP_BIT(OP_SYSCALL) - 1;

	if (m->paths)
		ops &= OPS_PATH | OPS_NETWORK;
	if (is_on_ip(m) || m->has_protocols)
		ops &= OPS_NETWORK;
	if (m->n_tools)
		ops &= tool_ops(l, m);
	else if (m->n_args)
		ops &= OP_BIT(OP_EXEC);
	return ops;
}

static int check_together(const struct loader *l, const struct node *n, struct matcher *m)
{
	const uint32_t unix_bit = UINT32_C(1) << POLICY_PROTO_UNIX;

	if (n->n == 0)
		return loader_fail(l, n,
				   "an empty 'match' matches everything; say that with "
				   "'default:'");
	if (!m->has_protocols)
		m->protocols = (UINT32_C(1) << _POLICY_PROTO_MAX) - 1;
	if (m->paths && is_on_ip(m))
		return loader_fail(l, n,
				   "'path' together with 'address' or 'port' never matches: a "
				   "connection has one or the other; make two rules");
	if (m->paths && !(m->protocols & unix_bit))
		return loader_fail(l, n,
				   "'path' with a 'protocol' other than unix never matches: "
				   "only unix sockets have paths");
	if (is_on_ip(m) && m->protocols == unix_bit)
		return loader_fail(l, n,
				   "'protocol: unix' with 'address' or 'port' never matches: "
				   "unix sockets have paths");
	if (m->n_args && !m->n_tools && (m->paths || is_on_ip(m) || m->has_protocols))
		return loader_fail(l, n,
				   "'args_pattern' without 'tool' speaks of commands, the "
				   "other keys of something else; add 'tool' or make two rules");
	m->ops = matched_ops(l, m);
	if (!m->ops)
		return loader_fail(l, n,
				   "these keys together never match: no operation fits all "
				   "of them");
	return 0;
}

int match_parse(const struct loader *l, const struct node *n, void *target)
{
	struct rule *rule = target;
	int r = schema_map(l, n, "'match'", match_fields, ARRAY_SIZE(match_fields), &rule->match);

	return r < 0 ? r : check_together(l, n, &rule->match);
}
