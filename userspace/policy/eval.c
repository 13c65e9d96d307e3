/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks the query's keys up in the index and keeps the lowest rank that matches. An entry is only
 * a candidate: its own pattern is checked, then the rule's other keys, the regular expressions
 * last.
 */
#include "policy/eval.h"

#define NO_RANK UINT32_MAX

struct search {
	const struct index *x;
	const struct policy_query *q;
	struct regex_scratch *scratch;
	uint32_t best; /* rank */
	bool is_best_limit;
};

bool eval_query_is_valid(const struct policy_query *q)
{
	uint32_t bit;

	if ((unsigned int)q->op >= _OP_MAX)
		return false;
	bit = OP_BIT(q->op);
	switch (q->kind) {
	case KIND_TOOL:
		return q->op == OP_EXEC;
	case KIND_PATH:
		return bit & OPS_PATH;
	case KIND_NETWORK:
		return bit & OPS_NETWORK;
	case KIND_SYSTEM:
	case KIND_SPEND:
	case _KIND_MAX:
		return false;
	}
	return false;
}

bool eval_query_is_unix(const struct policy_query *q)
{
	if (q->kind != KIND_NETWORK)
		return false;
	return q->address ? q->address->protocol == POLICY_PROTO_UNIX : q->path.p != NULL;
}

/* ---- the keys of a rule; 1 matches, 0 does not, negative: a limit was hit */

static int match_name(const struct tool_pattern *t, struct bytes name,
		      struct regex_scratch *scratch)
{
	switch (t->type) {
	case TOOL_EXACT:
		return bytes_eq(t->name, name);
	case TOOL_GLOB:
		for (const struct glob *g = t->globs; g; g = g->next)
			if (glob_match(g, name))
				return 1;
		return 0;
	case TOOL_REGEX:
		return regex_search(t->regex, scratch, name);
	case TOOL_IMAGE:
		return 0;
	}
	return 0;
}

static int match_tool(const struct search *s, const struct rule *rule, const struct tool_pattern *t)
{
	const struct policy_query *q = s->q;

	if (t->type == TOOL_IMAGE) {
		for (const struct glob *g = t->globs; q->kind == KIND_TOOL && g; g = g->next)
			if (glob_match(g, q->path))
				return 1;
		return 0;
	}
	for (size_t i = 0; i < q->n_names; i++) {
		int r;

		/* A name that the agent could have made opens nothing. */
		if (q->names[i].is_untrusted && rule->action <= VERDICT_FLAG)
			continue;
		r = match_name(t, q->names[i].name, s->scratch);
		if (r != 0)
			return r;
	}
	return 0;
}

static int match_tools(const struct search *s, const struct rule *rule)
{
	for (size_t i = 0; i < rule->match.n_tools; i++) {
		int r = match_tool(s, rule, &rule->match.tools[i]);

		if (r != 0)
			return r;
	}
	return 0;
}

static int match_args(const struct search *s, const struct rule *rule)
{
	for (size_t i = 0; i < rule->match.n_args; i++) {
		int r = regex_search(rule->match.args[i], s->scratch, s->q->args);

		if (r != 0)
			return r;
	}
	return 0;
}

static bool match_ports(const struct rule *rule, const struct policy_address *a)
{
	if (!a || !a->has_ip)
		return false;
	for (size_t i = 0; i < rule->match.n_ports; i++)
		if (a->port >= rule->match.ports[i].low && a->port <= rule->match.ports[i].high)
			return true;
	return false;
}

static bool match_addresses(const struct rule *rule, const struct policy_address *a)
{
	for (size_t i = 0; a && i < rule->match.n_addresses; i++)
		if (address_range_has(&rule->match.addresses[i], a))
			return true;
	return false;
}

static bool match_protocol(const struct rule *rule, const struct policy_query *q)
{
	enum policy_protocol protocol = POLICY_PROTO_OTHER;

	if (q->address)
		protocol = q->address->protocol;
	else if (eval_query_is_unix(q))
		protocol = POLICY_PROTO_UNIX;
	return (unsigned int)protocol < _POLICY_PROTO_MAX && rule->match.protocols >> protocol & 1;
}

/* Everything but what the entry of type @known has settled. */
static int match_rest(const struct search *s, const struct rule *rule, enum key_type known)
{
	bool knows_address = known == KEY_ADDRESS_V4 || known == KEY_ADDRESS_V6;
	bool knows_tool = known >= KEY_IMAGE_WHOLE && known <= KEY_TOOL_ANY;
	int r = 1;

	if (rule->match.has_protocols && !match_protocol(rule, s->q))
		return 0;
	if (rule->match.n_ports && !match_ports(rule, s->q->address))
		return 0;
	if (rule->match.n_addresses && !knows_address && !match_addresses(rule, s->q->address))
		return 0;
	if (rule->match.n_tools && !knows_tool)
		r = match_tools(s, rule);
	if (r == 1 && rule->match.n_args)
		r = match_args(s, rule);
	return r;
}

/* The pattern of the entry itself. Those without one were settled by their key. */
static int match_pattern(const struct search *s, const struct rule *rule,
			 const struct index_entry *e, enum key_type type)
{
	if (!e->pattern)
		return 1;
	if (type == KEY_TOOL || type == KEY_TOOL_ANY)
		return match_tool(s, rule, e->pattern);
	return glob_match(e->pattern, s->q->path);
}

static void visit(struct search *s, enum key_type type, struct bytes key, uint64_t hash)
{
	const struct index_slot *slot = index_find(s->x, type, key, hash);

	for (uint32_t i = 0; slot && i < slot->n; i++) {
		const struct index_entry *e = &s->x->entries[slot->first + i];
		const struct rule *rule;
		int r;

		if (e->rank >= s->best)
			return;
		if (!(e->ops & OP_BIT(s->q->op)))
			continue;
		rule = s->x->rules[e->rank];
		r = match_pattern(s, rule, e, type);
		if (r == 1)
			r = match_rest(s, rule, type);
		if (r == 0)
			continue;
		s->best = e->rank;
		s->is_best_limit = r < 0;
		return;
	}
}

static void visit_if(struct search *s, enum key_type type, struct bytes key, uint64_t hash)
{
	if (index_has_type(s->x, type))
		visit(s, type, key, hash);
}

static void visit_any(struct search *s, enum key_type type)
{
	visit_if(s, type, BYTES_LIT(""), INDEX_HASH_INIT);
}

static void visit_extension(struct search *s, enum key_type type, struct bytes path)
{
	struct bytes base = bytes_base_name(path);
	const char *dot = base.len ? memrchr(base.p, '.', base.len) : NULL;
	struct bytes extension;

	if (!dot || !index_has_type(s->x, type))
		return;
	extension = (struct bytes){.p = dot, .len = base.len - (size_t)(dot - base.p)};
	visit(s, type, extension, index_hash(extension));
}

/* @base: KEY_PATH_WHOLE or KEY_IMAGE_WHOLE; the others follow it in the same order. */
static void search_path(struct search *s, enum key_type base)
{
	const enum key_type directory = base + (KEY_PATH_DIRECTORY - KEY_PATH_WHOLE);
	const enum key_type component = base + (KEY_PATH_COMPONENT - KEY_PATH_WHOLE);
	uint64_t hash = INDEX_HASH_INIT, component_hash = INDEX_HASH_INIT;
	struct bytes path = s->q->path;
	size_t begin = 0;

	for (size_t i = 0; i <= path.len; i++) {
		if (i == path.len || path.p[i] == '/') {
			struct bytes part = {.p = path.p + begin, .len = i - begin};

			visit_if(s, directory, (struct bytes){.p = path.p, .len = i}, hash);
			visit_if(s, component, part, component_hash);
			begin = i + 1;
			component_hash = INDEX_HASH_INIT;
		} else {
			component_hash = index_hash_byte(component_hash, path.p[i]);
		}
		if (i < path.len)
			hash = index_hash_byte(hash, path.p[i]);
	}
	visit_if(s, base, path, hash);
	visit_extension(s, base + (KEY_PATH_EXTENSION - KEY_PATH_WHOLE), path);
	visit_any(s, base + (KEY_PATH_ANY - KEY_PATH_WHOLE));
}

static void search_names(struct search *s)
{
	if (index_has_type(s->x, KEY_TOOL))
		for (size_t i = 0; i < s->q->n_names; i++)
			visit(s, KEY_TOOL, s->q->names[i].name, index_hash(s->q->names[i].name));
	visit_any(s, KEY_TOOL_ANY);
}

static void search_address(struct search *s, const struct policy_address *a)
{
	const enum key_type type = a->is_v4 ? KEY_ADDRESS_V4 : KEY_ADDRESS_V6;
	const uint64_t v4_words[3] = {s->x->v4_bits, 0, 0};
	const uint64_t *words = a->is_v4 ? v4_words : s->x->v6_bits;
	size_t size = a->is_v4 ? 4 : 16;

	for (unsigned int w = 0; w < 3; w++)
		for (uint64_t left = words[w]; left; left &= left - 1) {
			unsigned int bits = w * 64 + (unsigned int)__builtin_ctzll(left);
			struct bytes key = {.len = size + 1};
			uint8_t masked[17];

			memcpy(masked, a->ip, size);
			address_mask(masked, size, bits);
			masked[size] = (uint8_t)bits;
			key.p = (const char *)masked;
			visit(s, type, key, index_hash(key));
		}
}

static void search_network(struct search *s)
{
	const struct policy_address *a = s->q->address;
	char port[2];

	if (!a || !a->has_ip)
		return;
	search_address(s, a);
	port[0] = (char)(a->port >> 8);
	port[1] = (char)a->port;
	if (index_has_type(s->x, KEY_PORT))
		visit(s, KEY_PORT, (struct bytes){.p = port, .len = 2},
		      index_hash((struct bytes){.p = port, .len = 2}));
}

enum eval_outcome eval_first(const struct index *x, struct regex_scratch *scratch,
			     const struct policy_query *q, const struct rule **ret_rule)
{
	struct search s = {.x = x, .q = q, .scratch = scratch, .best = NO_RANK};
	const char op = (char)q->op;
	const struct bytes op_key = {.p = &op, .len = 1};

	if (q->kind == KIND_TOOL && q->path.p)
		search_path(&s, KEY_IMAGE_WHOLE);
	else if (q->path.p)
		search_path(&s, KEY_PATH_WHOLE);
	if (q->kind == KIND_NETWORK)
		search_network(&s);
	search_names(&s);
	visit_if(&s, KEY_OP, op_key, index_hash(op_key));
	if (s.best == NO_RANK)
		return EVAL_DEFAULT;
	*ret_rule = x->rules[s.best];
	return s.is_best_limit ? EVAL_LIMIT : EVAL_RULE;
}
