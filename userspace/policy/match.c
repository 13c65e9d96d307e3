/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `match` and `unless` of a rule: each key read by itself (match_what.c, match_where.c), then
 * checked together for what can never match.
 */
#include "policy/aliases.h"
#include "policy/document.h"

/* Room for the @n values of a key, cleared. */
void *match_alloc(const struct loader *l, size_t n, size_t size)
{
	void *p = arena_alloc(&l->policy->mem, n * size);

	if (p)
		memset(p, 0, n * size);
	return p;
}

static const struct field match_fields[] = {
	{"tool", false, match_parse_tools},
	{"args_pattern", false, match_parse_args},
	{"argv", false, match_parse_argv},
	{"path", false, match_parse_paths},
	{"op", false, match_parse_ops},
	{"domain", false, match_parse_domains},
	{"address", false, match_parse_address},
	{"cidr", false, match_parse_cidr},
	{"port", false, match_parse_ports},
	{"protocol", false, match_parse_protocols},
	{"agent", false, match_parse_agents},
	{"cwd", false, match_parse_cwds},
	{"parent", false, match_parse_parents},
	{"time", false, match_parse_times},
	{"verify", false, match_parse_verify},
	{"http_method", false, match_parse_methods},
	{"http_path", false, match_parse_http_paths},
	{"listener", false, match_parse_listeners},
	{"listener_user", false, match_parse_listener_users},
};

/* ---- the keys together */

static bool regex_reaches(const struct loader *l, const struct regex *regex, struct bytes name)
{
	/* Whatever is not a clear no can reach it. */
	return regex_search_once(regex, l->scratch, name) != 0;
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

/* Operations of one class have the same names. */
static const struct {
	enum action_op one;
	uint32_t ops;
} op_classes[] = {
	{OP_EXEC, OP_BIT(OP_EXEC)},
	{OP_READ, OP_BIT(OP_READ)},
	{OP_WRITE, OPS_CHANGE & ~OP_BIT(OP_DELETE)},
	{OP_DELETE, OP_BIT(OP_DELETE)},
	{OP_CONNECT, OPS_NETWORK},
};

static uint32_t tool_ops(const struct loader *l, const struct matcher *m)
{
	uint32_t ops = 0;

	for (size_t c = 0; c < ARRAY_SIZE(op_classes); c++)
		for (size_t i = 0; i < m->n_tools && !(ops & op_classes[c].ops); i++)
			if (tool_reaches_op(l, &m->tools[i], op_classes[c].one))
				ops |= op_classes[c].ops;
	return ops;
}

/* Speaks of what the first bytes of a connection say. */
static bool is_on_look(const struct matcher *m)
{
	return m->verify || m->n_methods || m->http_paths;
}

/* Speaks of what a connection has and a unix socket has not. */
static bool is_on_ip(const struct matcher *m)
{
	return m->n_addresses || m->n_ports || m->n_domains || is_on_look(m);
}

/* Which operations the keys leave, op itself included. */
static uint32_t matched_ops(const struct loader *l, const struct matcher *m)
{
	uint32_t ops = m->has_ops ? m->ops : OP_BIT(OP_SYSCALL) - 1;

	if (m->paths)
		ops &= OPS_PATH | OPS_NETWORK_CALLS;
	if (is_on_ip(m) || m->has_protocols)
		ops &= OPS_NETWORK;
	if (is_on_look(m))
		ops &= OP_BIT(OP_CONNECT) | OP_BIT(OP_SEND) | OP_BIT(OP_RESOLVE);
	if (matcher_is_on_listener(m))
		ops &= OP_BIT(OP_CONNECT) | OP_BIT(OP_SEND);
	if (m->n_argv)
		ops &= OP_BIT(OP_EXEC);
	/* Who speaks of connections speaks of the questions that lead to them. */
	if (ops & (OP_BIT(OP_CONNECT) | OP_BIT(OP_SEND)) && !m->paths && !matcher_is_on_listener(m))
		ops |= OP_BIT(OP_RESOLVE);
	if (m->n_tools)
		ops &= tool_ops(l, m);
	else if (m->n_args)
		ops &= OP_BIT(OP_EXEC);
	return ops;
}

static int check_together(const struct loader *l, const struct node *n, struct matcher *m)
{
	const uint32_t unix_bit = UINT32_C(1) << POLICY_PROTO_UNIX;

	if (!m->has_protocols)
		m->protocols = (UINT32_C(1) << _POLICY_PROTO_MAX) - 1;
	if (m->paths && is_on_ip(m))
		return loader_fail(
			l, n,
			"'path' together with 'address', 'port' or 'domain' never matches: a "
			"connection has one or the other; make two rules");
	if (m->paths && !(m->protocols & unix_bit))
		return loader_fail(l, n,
				   "'path' with a 'protocol' other than unix never matches: "
				   "only unix sockets have paths");
	if (matcher_is_on_listener(m) && (is_on_ip(m) || !(m->protocols & unix_bit)))
		return loader_fail(
			l, n,
			"'listener' and 'listener_user' speak of unix sockets, the other keys of "
			"what is none; make two rules");
	if (is_on_ip(m) && m->protocols == unix_bit)
		return loader_fail(
			l, n,
			"'protocol: unix' with 'address', 'port' or 'domain' never matches: "
			"unix sockets have paths");
	if (m->n_argv && (m->paths || is_on_ip(m) || m->has_protocols))
		return loader_fail(l, n,
				   "'argv' speaks of commands, the other keys of something else; "
				   "make two rules");
	if (m->n_args && !m->n_tools && (m->paths || is_on_ip(m) || m->has_protocols))
		return loader_fail(l, n,
				   "'args_pattern' without 'tool' speaks of commands, the "
				   "other keys of something else; add 'tool' or make two rules");
	if (is_on_look(m) && !(m->protocols & UINT32_C(1) << POLICY_PROTO_TCP))
		return loader_fail(l, n,
				   "'verify', 'http_method' and 'http_path' look into TCP "
				   "connections; this 'protocol' leaves none");
	if (matcher_is_on_listener(m)) {
		m->has_protocols = true;
		m->protocols = unix_bit;
	}
	m->has_resolve = m->has_ops && m->ops & OP_BIT(OP_RESOLVE);
	m->ops = matched_ops(l, m);
	if (!m->ops)
		return loader_fail(l, n,
				   "these keys together never match: no operation fits all "
				   "of them");
	return 0;
}

/* Whichever of the two comes second in the document is the one that is found wrong. */
static int check_unless(const struct loader *l, const struct node *n, const struct rule *rule)
{
	for (size_t i = 0; rule->match.ops && i < rule->n_unless; i++) {
		const struct matcher *u = &rule->unless[i];

		if (!(u->ops & rule->match.ops) || !(u->protocols & rule->match.protocols))
			return loader_fail(l, n,
					   "'unless' never matches what 'match' does: no operation "
					   "fits the keys of both");
	}
	return 0;
}

int match_parse(const struct loader *l, const struct node *n, void *target)
{
	struct rule *rule = target;
	int r = schema_map(l, n, "'match'", match_fields, ARRAY_SIZE(match_fields), &rule->match);

	if (r < 0)
		return r;
	if (n->n == 0)
		return loader_fail(l, n,
				   "an empty 'match' matches everything; say that with "
				   "'default:'");
	if (is_on_look(&rule->match) && !rule->match.n_domains)
		return loader_fail(
			l, n,
			"'verify', 'http_method' and 'http_path' need 'domain': the names "
			"whose connections are looked into");
	rule->looks |= is_on_look(&rule->match);
	rule->meets |= matcher_is_on_listener(&rule->match);
	r = check_together(l, n, &rule->match);
	return r < 0 ? r : check_unless(l, n, rule);
}

static int parse_exception(const struct loader *l, const struct node *n, struct matcher *m)
{
	int r = schema_map(l, n, "'unless'", match_fields, ARRAY_SIZE(match_fields), m);

	if (r < 0)
		return r;
	if (n->n == 0)
		return loader_fail(l, n,
				   "an empty 'unless' matches everything, so that the rule would "
				   "never apply; remove it");
	return check_together(l, n, m);
}

int match_unless_parse(const struct loader *l, const struct node *n, void *target)
{
	const struct node *item = n->type == NODE_LIST ? n->first : n;
	size_t count = n->type == NODE_LIST ? n->n : 1;
	struct rule *rule = target;
	struct matcher *unless;
	int r = 0;

	if (count == 0)
		return loader_fail(
			l, n,
			"'unless' is an empty list; remove it, or list maps with the keys "
			"of 'match'");
	unless = match_alloc(l, count, sizeof(*unless));
	if (!unless)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < count; i++, item = item->next)
		r = parse_exception(l, item, &unless[i]);
	if (r < 0)
		return r;
	rule->unless = unless;
	rule->n_unless = count;
	for (size_t i = 0; i < count; i++) {
		rule->looks |= is_on_look(&unless[i]);
		rule->meets |= matcher_is_on_listener(&unless[i]);
	}
	return check_unless(l, n, rule);
}
