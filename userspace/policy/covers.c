/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/aliases.h"
#include "policy/covers.h"

static bool same_token(const struct glob *a, const struct glob *b, size_t i)
{
	const struct glob_token *x = &a->tokens[i], *y = &b->tokens[i];

	if (x->type != y->type)
		return false;
	if (x->type == GLOB_LITERAL)
		return x->literal == y->literal;
	if (x->type == GLOB_CLASS)
		return memcmp(&a->classes[x->class], &b->classes[y->class],
			      sizeof(struct glob_class)) == 0;
	return true;
}

static bool same_glob(const struct glob *a, const struct glob *b)
{
	if (!bytes_eq(a->prefix, b->prefix) || a->n_tokens != b->n_tokens)
		return false;
	for (size_t i = 0; i < a->n_tokens; i++)
		if (!same_token(a, b, i))
			return false;
	return true;
}

/* "dir" and everything below it, or everything there is. */
static bool is_tree(const struct glob *g)
{
	return g->n_tokens == 1 && g->tokens[0].type == GLOB_TREE;
}

static bool glob_covers(const struct glob *a, const struct glob *b)
{
	if (same_glob(a, b))
		return true;
	if (glob_is_literal(b))
		return glob_match(a, b->prefix);
	if (!is_tree(a) || !bytes_has_prefix(b->prefix, a->prefix))
		return false;
	/* What b matches begins with its prefix; that must lie below a's directory. */
	return a->prefix.len == 0 ||
	       (b->prefix.len > a->prefix.len && b->prefix.p[a->prefix.len] == '/') ||
	       (b->prefix.len == a->prefix.len && is_tree(b));
}

static bool globs_cover(const struct glob *a, const struct glob *b)
{
	for (; a; a = a->next)
		if (glob_covers(a, b))
			return true;
	return false;
}

static bool matches_all_names(const struct glob *g)
{
	return g->prefix.len == 0 && g->n_tokens == 1 &&
	       (g->tokens[0].type == GLOB_STAR || g->tokens[0].type == GLOB_DOUBLE_STAR);
}

static bool pattern_has_name(const struct tool_pattern *t, struct bytes name,
			     struct regex_scratch *scratch)
{
	switch (t->type) {
	case TOOL_EXACT:
		return bytes_eq(t->name, name);
	case TOOL_GLOB:
		for (const struct glob *g = t->globs; g; g = g->next)
			if (glob_match(g, name))
				return true;
		return false;
	case TOOL_REGEX:
		return regex_search_once(t->regex, scratch, name) == 1;
	case TOOL_IMAGE:
		return false;
	}
	return false;
}

/* Some name that every action of @op answers to. */
static bool has_alias(const struct tool_pattern *t, enum action_op op,
		      struct regex_scratch *scratch)
{
	size_t n;
	const struct policy_name *aliases = policy_op_aliases(op, &n);

	for (size_t i = 0; i < n; i++)
		if (pattern_has_name(t, aliases[i].name, scratch))
			return true;
	return false;
}

static bool same_regex(const struct regex *a, const struct regex *b)
{
	return bytes_eq(regex_text(a), regex_text(b));
}

static bool all_globs_covered(const struct glob *a, const struct glob *b)
{
	for (; b; b = b->next)
		if (!globs_cover(a, b))
			return false;
	return true;
}

static bool tool_covers(const struct tool_pattern *a, const struct tool_pattern *b,
			struct regex_scratch *scratch)
{
	if (a->type == TOOL_GLOB && matches_all_names(a->globs))
		return true;
	if (b->type == TOOL_EXACT)
		return pattern_has_name(a, b->name, scratch);
	if (a->type != b->type)
		return false;
	if (b->type == TOOL_REGEX)
		return same_regex(a->regex, b->regex);
	return all_globs_covered(a->globs, b->globs);
}

static bool tools_cover(const struct matcher *a, const struct atom *atom,
			struct regex_scratch *scratch)
{
	for (size_t i = 0; i < a->n_tools; i++) {
		if (has_alias(&a->tools[i], atom->op, scratch))
			return true;
		if (atom->tool && tool_covers(&a->tools[i], atom->tool, scratch))
			return true;
	}
	return a->n_tools == 0;
}

/* Each of b's expressions is one of a's; b's are alternatives. */
static bool args_cover(const struct matcher *a, const struct matcher *b)
{
	if (a->n_args == 0)
		return true;
	for (size_t i = 0; i < b->n_args; i++) {
		bool is_found = false;

		for (size_t j = 0; j < a->n_args; j++)
			is_found |= same_regex(a->args[j], b->args[i]);
		if (!is_found)
			return false;
	}
	return b->n_args > 0;
}

static bool element_covers(const struct argv_element *a, const struct argv_element *b,
			   struct regex_scratch *scratch)
{
	for (size_t i = 0; i < b->n; i++) {
		bool is_found = false;

		for (size_t j = 0; j < a->n; j++)
			is_found |= tool_covers(&a->any[j], &b->any[i], scratch);
		if (!is_found)
			return false;
	}
	return true;
}

static bool argv_covers(const struct matcher *a, const struct matcher *b,
			struct regex_scratch *scratch)
{
	if (a->n_argv > b->n_argv)
		return false;
	for (size_t i = 0; i < a->n_argv; i++)
		if (!element_covers(&a->argv[i], &b->argv[i], scratch))
			return false;
	return true;
}

static bool path_covers(const struct matcher *a, const struct atom *atom)
{
	if (!a->paths)
		return true;
	if (atom->path)
		return globs_cover(a->paths, atom->path);
	/* Every file has some path; a connection may have none. */
	for (const struct glob *g = a->paths; g; g = g->next)
		if (is_tree(g) && g->prefix.len == 0)
			return OP_BIT(atom->op) & OPS_PATH;
	return false;
}

static bool address_covers(const struct matcher *a, const struct atom *atom)
{
	for (size_t i = 0; atom->address && i < a->n_addresses; i++) {
		const struct address_range *x = &a->addresses[i], *y = atom->address;
		struct policy_address first = {.has_ip = true, .is_v4 = y->is_v4};

		memcpy(first.ip, y->ip, sizeof(first.ip));
		if (x->bits <= y->bits && address_range_has(x, &first))
			return true;
	}
	return a->n_addresses == 0;
}

static bool ports_cover(const struct matcher *a, const struct matcher *b)
{
	if (a->n_ports == 0)
		return true;
	for (size_t i = 0; i < b->n_ports; i++) {
		bool is_found = false;

		for (size_t j = 0; j < a->n_ports; j++)
			is_found |= a->ports[j].low <= b->ports[i].low &&
				    a->ports[j].high >= b->ports[i].high;
		if (!is_found)
			return false;
	}
	return b->n_ports > 0;
}

/* "*.x.org" has what is below it; "x.org" has itself alone. */
static bool domain_covers(const struct matcher *a, const struct atom *atom)
{
	const struct domain_pattern *b = atom->domain;

	for (size_t i = 0; b && i < a->n_domains; i++) {
		const struct domain_pattern *p = &a->domains[i];

		if (p->is_below == b->is_below && bytes_eq(p->name, b->name))
			return true;
		/* What is below a name that a wildcard has, it has as well. */
		if (b->name.len && (p->is_below || !b->is_below) && domain_match(p, b->name))
			return true;
	}
	return a->n_domains == 0;
}

bool covers_atom(const struct matcher *a, const struct atom *atom, struct regex_scratch *scratch)
{
	if (!(a->ops & OP_BIT(atom->op)) || (atom->of->protocols & ~a->protocols))
		return false;
	/* Patterns on circumstances, and on what is only seen later, are not compared. */
	if (a->verify || a->n_methods || a->http_paths || a->agents || a->cwds || a->n_parents ||
	    a->n_times || matcher_is_on_listener(a))
		return false;
	return path_covers(a, atom) && address_covers(a, atom) && ports_cover(a, atom->of) &&
	       domain_covers(a, atom) && tools_cover(a, atom, scratch) && args_cover(a, atom->of) &&
	       argv_covers(a, atom->of, scratch);
}
