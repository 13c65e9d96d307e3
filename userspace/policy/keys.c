/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/aliases.h"
#include "policy/keys.h"
#include "policy/naming.h"

bool key_query_is_unix(const struct policy_query *q)
{
	if (q->kind != KIND_NETWORK)
		return false;
	return q->address ? q->address->protocol == POLICY_PROTO_UNIX : q->path.p != NULL;
}

static enum key_answer search(const struct key_context *c, const struct regex *regex,
			      struct bytes text)
{
	int r = regex_search(regex, c->scratch, text);

	return r < 0 ? KEY_LIMIT : key_of(r);
}

static bool any_glob(const struct glob *globs, struct bytes text)
{
	for (const struct glob *g = globs; g; g = g->next)
		if (glob_match(g, text))
			return true;
	return false;
}

/* A pattern on a name. */
static enum key_answer match_name(const struct key_context *c, const struct tool_pattern *t,
				  struct bytes name)
{
	switch (t->type) {
	case TOOL_EXACT:
		return key_of(bytes_eq(t->name, name));
	case TOOL_GLOB:
		return key_of(any_glob(t->globs, name));
	case TOOL_REGEX:
		return search(c, t->regex, name);
	case TOOL_IMAGE:
		return KEY_NO;
	}
	return KEY_NO;
}

/* ---- tools */

enum key_answer key_tool(const struct key_context *c, const struct tool_pattern *t)
{
	const struct policy_query *q = c->q;
	enum key_answer a = KEY_NO;

	if (t->type == TOOL_IMAGE)
		return key_of(q->kind == KIND_TOOL && q->path.p && any_glob(t->globs, q->path));
	for (size_t i = 0; a != KEY_YES && i < q->n_names; i++)
		if (c->takes_doubt || !q->names[i].is_untrusted)
			a = key_or(a, match_name(c, t, q->names[i].name));
	return a;
}

enum key_answer key_tools(const struct key_context *c, const struct matcher *m)
{
	enum key_answer a = KEY_NO;

	for (size_t i = 0; a != KEY_YES && i < m->n_tools; i++)
		a = key_or(a, key_tool(c, &m->tools[i]));
	return a;
}

/* Patterns on a program that runs. */
static enum key_answer match_image(const struct key_context *c, const struct tool_pattern *patterns,
				   size_t n, struct bytes image)
{
	enum key_answer a = KEY_NO;

	if (!image.p)
		return key_of(c->takes_doubt);
	for (size_t i = 0; a != KEY_YES && i < n; i++) {
		const struct tool_pattern *t = &patterns[i];

		a = key_or(a, t->type == TOOL_IMAGE ? key_of(any_glob(t->globs, image))
						    : match_name(c, t, policy_image_name(image)));
	}
	return a;
}

enum key_answer key_parents(const struct key_context *c, const struct matcher *m)
{
	return match_image(c, m->parents, m->n_parents, c->q->parent);
}

static bool is_user_listed(const struct matcher *m, const struct policy_listener *who)
{
	for (size_t i = 0; i < m->n_listener_users; i++)
		if (m->listener_users[i] == LISTENER_SELF ? who->is_own
							  : m->listener_users[i] == who->uid)
			return true;
	return m->n_listener_users == 0;
}

/* Before anybody was met the answer is what leaves the most to be decided once somebody is. */
enum key_answer key_listeners(const struct key_context *c, const struct matcher *m)
{
	const struct policy_listener *who = c->q->listener;

	if (who && who->is_ahead)
		return key_of(c->lets_through);
	if (!who)
		return key_of(c->takes_doubt);
	if (!is_user_listed(m, who))
		return KEY_NO;
	return m->n_listeners ? match_image(c, m->listeners, m->n_listeners, who->exe) : KEY_YES;
}

/* ---- arguments */

/* The first pattern that hits its limit ends it: each may take its whole time. */
enum key_answer key_args(const struct key_context *c, const struct matcher *m)
{
	enum key_answer a = KEY_NO;

	for (size_t i = 0; a == KEY_NO && i < m->n_args; i++) {
		int r = regex_search_filtered(m->args[i], c->scratch, c->args, c->q->args);

		a = r < 0 ? KEY_LIMIT : key_of(r);
	}
	return a;
}

/*
 * `bash`, `shell` and `exec` are what every command answers to, so that rules written for
 * frameworks find it. To a prefix of arguments they would make `bash -c` of any `python -c`.
 */
static bool is_alias(struct bytes name)
{
	size_t n;
	const struct policy_name *aliases = policy_op_aliases(OP_EXEC, &n);

	for (size_t i = 0; i < n; i++)
		if (bytes_eq(name, aliases[i].name))
			return true;
	return false;
}

/* A pattern on the program that is started. What it was called by (argv[0]) is the agent's word. */
static enum key_answer match_program(const struct key_context *c, const struct tool_pattern *t)
{
	const struct policy_query *q = c->q;
	bool trusts_argv = c->takes_doubt || q->api;
	struct bytes called = q->argc ? q->argv[0] : BYTES_NULL;
	enum key_answer a = KEY_NO;

	if (t->type == TOOL_IMAGE)
		return key_of((q->path.p && any_glob(t->globs, q->path)) ||
			      (trusts_argv && called.p && any_glob(t->globs, called)));
	if (q->path.p)
		a = match_name(c, t, policy_image_name(q->path));
	if (a != KEY_YES && trusts_argv && called.p) {
		a = key_or(a, match_name(c, t, called));
		a = key_or(a, match_name(c, t, bytes_base_name(called)));
	}
	for (size_t i = 0; a != KEY_YES && i < q->n_names; i++)
		if ((c->takes_doubt || !q->names[i].is_untrusted) && !is_alias(q->names[i].name))
			a = key_or(a, match_name(c, t, q->names[i].name));
	return a;
}

static enum key_answer match_argument(const struct key_context *c, const struct argv_element *e,
				      size_t i)
{
	enum key_answer a = KEY_NO;

	for (size_t j = 0; a != KEY_YES && j < e->n; j++) {
		const struct tool_pattern *t = &e->any[j];

		if (i == 0)
			a = key_or(a, match_program(c, t));
		else if (t->type == TOOL_IMAGE)
			a = key_or(a, key_of(any_glob(t->globs, c->q->argv[i])));
		else
			a = key_or(a, match_name(c, t, c->q->argv[i]));
	}
	return a;
}

enum key_answer key_argv(const struct key_context *c, const struct matcher *m)
{
	const struct policy_query *q = c->q;
	enum key_answer a = KEY_YES;

	if (q->kind != KIND_TOOL)
		return KEY_NO;
	for (size_t i = 0; a != KEY_NO && i < m->n_argv; i++) {
		/* The program has names even where its arguments are not known. */
		if (i > 0 && i >= q->argc)
			return key_and(a, key_of((q->is_argv_cut || !q->argv) && c->takes_doubt));
		a = key_and(a, match_argument(c, &m->argv[i], i));
	}
	return a;
}

/* ---- files */

bool key_ops(const struct key_context *c, const struct matcher *m)
{
	return m->ops & OP_BIT(c->q->op);
}

bool key_paths(const struct key_context *c, const struct matcher *m)
{
	return c->q->kind != KIND_TOOL && c->q->path.p && any_glob(m->paths, c->q->path);
}

/* ---- the network */

static bool any_domain(const struct matcher *m, struct bytes name)
{
	for (size_t i = 0; i < m->n_domains; i++)
		if (domain_match(&m->domains[i], name))
			return true;
	return false;
}

/*
 * Of several names for one address nobody knows which is meant: one of them closes, only all of
 * them open. What a name is an alias of closes, and never opens: it was not asked for. And a name
 * alone does not open an inner address, because whoever answers for the name chooses the address.
 */
bool key_domains(const struct key_context *c, const struct matcher *m)
{
	const struct policy_query *q = c->q;
	size_t n_asked = q->n_domains - MIN(q->n_aliases, q->n_domains);
	size_t n = c->takes_doubt ? q->n_domains : n_asked;
	size_t found = 0;

	if (q->kind != KIND_NETWORK || (q->is_inner && !m->n_addresses && !c->takes_doubt))
		return false;
	for (size_t i = 0; i < n; i++)
		found += any_domain(m, q->domains[i]);
	return c->takes_doubt ? found > 0 : found && found == n_asked;
}

/*
 * A rule on a name speaks with its other keys of the connection that the question may lead to, not
 * of the server that is asked. Whoever may connect in some way may ask; whoever may not in one way
 * may still in another.
 */
static bool is_yet_to_come(const struct key_context *c, const struct matcher *m)
{
	return c->q->op == OP_RESOLVE && m->n_domains;
}

bool key_addresses(const struct key_context *c, const struct matcher *m)
{
	const struct policy_address *a = c->q->address;

	if (is_yet_to_come(c, m))
		return c->lets_through;

	for (size_t i = 0; a && i < m->n_addresses; i++)
		if (address_range_has(&m->addresses[i], a))
			return true;
	return false;
}

bool key_ports(const struct key_context *c, const struct matcher *m)
{
	const struct policy_address *a = c->q->address;

	if (is_yet_to_come(c, m))
		return c->lets_through;
	for (size_t i = 0; key_has_port(a) && i < m->n_ports; i++)
		if (a->port >= m->ports[i].low && a->port <= m->ports[i].high)
			return true;
	return false;
}

/* Whether its first bytes are still to be looked at. */
static bool is_look_ahead(const struct policy_query *q)
{
	return q->look == POLICY_LOOK_AHEAD &&
	       (!q->address || q->address->protocol == POLICY_PROTO_TCP);
}

/* A connection of which nobody knows whom it means is doubtful. */
bool key_verify(const struct key_context *c, const struct matcher *m)
{
	const struct policy_query *q = c->q;

	if (q->op == OP_RESOLVE || is_look_ahead(q))
		return true;
	return c->takes_doubt || q->look == POLICY_LOOK_NAME || q->look == POLICY_LOOK_REQUEST ||
	       (q->look == POLICY_LOOK_OUTER && m->verify == VERIFY_OUTER_SNI);
}

/* Under TLS there is a request as well, which nobody sees. */
bool key_http(const struct key_context *c, const struct matcher *m)
{
	const struct policy_query *q = c->q;
	bool is_method = m->n_methods == 0;

	if (q->op == OP_RESOLVE || is_look_ahead(q))
		return c->lets_through;
	if (q->look != POLICY_LOOK_REQUEST)
		return c->takes_doubt;
	for (size_t i = 0; i < m->n_methods && !is_method; i++)
		is_method = bytes_eq(m->methods[i], q->http_method);
	if (!is_method || !m->http_paths)
		return is_method;
	return q->http_path.p ? any_glob(m->http_paths, q->http_path) : c->takes_doubt;
}

bool key_protocols(const struct key_context *c, const struct matcher *m)
{
	enum policy_protocol protocol = POLICY_PROTO_OTHER;

	if (is_yet_to_come(c, m))
		return c->lets_through;
	if (c->q->address)
		protocol = c->q->address->protocol;
	else if (key_query_is_unix(c->q))
		protocol = POLICY_PROTO_UNIX;
	return (unsigned int)protocol < _POLICY_PROTO_MAX && m->protocols >> protocol & 1;
}

/* ---- who and when */

bool key_agents(const struct key_context *c, const struct matcher *m)
{
	return c->q->agent.p ? any_glob(m->agents, c->q->agent) : c->takes_doubt;
}

bool key_cwds(const struct key_context *c, const struct matcher *m)
{
	return c->q->cwd.p ? any_glob(m->cwds, c->q->cwd) : c->takes_doubt;
}

bool key_times(const struct key_context *c, const struct matcher *m)
{
	int minute = c->q->minute_of_week;

	if (minute < 0 || minute >= POLICY_MINUTES_PER_WEEK)
		return c->takes_doubt;
	for (size_t i = 0; i < m->n_times; i++)
		if (week_range_has(&m->times[i], (unsigned int)minute))
			return true;
	return false;
}
