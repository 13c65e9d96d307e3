/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks the query's keys up in the index and keeps the lowest rank that matches. An entry is only
 * a candidate: its own pattern is checked, then the rule's other keys, the regular expressions
 * last.
 */
#include "policy/eval.h"
#include "policy/keys.h"
#include "policy/naming.h"

#define NO_RANK UINT32_MAX

struct search {
	const struct index *x;
	const struct policy_query *q;
	struct regex_scratch *scratch;
	struct literal_set *args;
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

/* What the key of an entry has settled already. */
struct settled {
	bool paths, tools, domains, addresses;
};

static struct settled settled_by(const struct search *s, enum key_type type)
{
	return (struct settled){
		.paths = type <= KEY_PATH_ANY,
		.tools = type >= KEY_IMAGE_WHOLE && type <= KEY_TOOL_ANY,
		/* One name of several may be too little. */
		.domains = (type == KEY_DOMAIN || type == KEY_DOMAIN_BELOW) &&
			   s->q->n_domains == 1 && s->q->n_aliases == 0 && !s->q->is_inner,
		.addresses = type == KEY_ADDRESS_V4 || type == KEY_ADDRESS_V6,
	};
}

/* The cheap keys first; then those with regular expressions, as long as they can still change the
 * answer. */
static enum key_answer match_keys(const struct key_context *c, const struct matcher *m,
				  struct settled settled)
{
	enum key_answer a = KEY_YES;

	if (!key_ops(c, m) || (m->has_protocols && !key_protocols(c, m)) ||
	    (m->n_ports && !key_ports(c, m)) ||
	    (m->n_addresses && !settled.addresses && !key_addresses(c, m)) ||
	    (m->n_domains && !settled.domains && !key_domains(c, m)) ||
	    (m->verify && !key_verify(c, m)) ||
	    ((m->n_methods || m->http_paths) && !key_http(c, m)) ||
	    (m->paths && !settled.paths && !key_paths(c, m)) || (m->n_times && !key_times(c, m)) ||
	    (m->agents && !key_agents(c, m)) || (m->cwds && !key_cwds(c, m)))
		return KEY_NO;
	if (m->n_argv)
		a = key_argv(c, m);
	if (a != KEY_NO && m->n_parents)
		a = key_and(a, key_parents(c, m));
	if (a != KEY_NO && matcher_is_on_listener(m))
		a = key_and(a, key_listeners(c, m));
	if (a != KEY_NO && m->n_tools && !settled.tools)
		a = key_and(a, key_tools(c, m));
	if (a != KEY_NO && m->n_args)
		a = key_and(a, key_args(c, m));
	return a;
}

static enum key_answer match_unless(const struct search *s, const struct rule *rule)
{
	const struct key_context c = {.q = s->q,
				      .scratch = s->scratch,
				      .args = s->args,
				      .takes_doubt = key_takes_doubt(rule, true),
				      .lets_through = key_lets_through(rule, true)};
	enum key_answer a = KEY_NO;

	for (size_t i = 0; a != KEY_YES && i < rule->n_unless; i++)
		a = key_or(a, match_keys(&c, &rule->unless[i], (struct settled){}));
	return a;
}

/* The pattern of the entry itself. Those without one were settled by their key. */
static enum key_answer match_pattern(const struct key_context *c, const struct index_entry *e,
				     enum key_type type)
{
	if (!e->pattern)
		return KEY_YES;
	if (type == KEY_TOOL || type == KEY_TOOL_ANY)
		return key_tool(c, e->pattern);
	return key_of(glob_match(e->pattern, c->q->path));
}

static enum key_answer match_entry(const struct search *s, const struct index_entry *e,
				   enum key_type type)
{
	const struct rule *rule = s->x->rules[e->rank];
	const struct key_context c = {.q = s->q,
				      .scratch = s->scratch,
				      .args = s->args,
				      .takes_doubt = key_takes_doubt(rule, false),
				      .lets_through = key_lets_through(rule, false)};
	enum key_answer a = match_pattern(&c, e, type);

	if (a != KEY_NO)
		a = key_and(a, match_keys(&c, &rule->match, settled_by(s, type)));
	if (a != KEY_NO && rule->n_unless)
		a = key_and(a, key_not(match_unless(s, rule)));
	return a;
}

static void visit(struct search *s, enum key_type type, struct bytes key, uint64_t hash)
{
	const struct index_slot *slot = index_find(s->x, type, key, hash);

	for (uint32_t i = 0; slot && i < slot->n; i++) {
		const struct index_entry *e = &s->x->entries[slot->first + i];
		enum key_answer a;

		/* Another alternative of the best rule may know what a limit hid. */
		if (e->rank > s->best || (e->rank == s->best && !s->is_best_limit))
			return;
		if (!(e->ops & OP_BIT(s->q->op)))
			continue;
		a = match_entry(s, e, type);
		if (a == KEY_NO)
			continue;
		s->best = e->rank;
		s->is_best_limit = a == KEY_LIMIT;
		if (a == KEY_YES)
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

/*
 * The name is walked from its end, label by label, in the order in which the index has its keys.
 * What is longer than any domain only meets the patterns that a longer name can match.
 */
static void search_domain(struct search *s, struct bytes name)
{
	char reversed[DOMAIN_MAX_BYTES];
	uint64_t hash = INDEX_HASH_INIT;
	size_t n = 0;

	name = domain_trim(name);
	if (name.len == 0)
		return;
	visit_any(s, KEY_DOMAIN_BELOW);
	for (; n < name.len; n++) {
		char c = domain_lower(name.p[name.len - 1 - n]);

		if (c == '.' && n > 0 && n + 1 < name.len)
			visit_if(s, KEY_DOMAIN_BELOW, (struct bytes){.p = reversed, .len = n},
				 hash);
		if (n == sizeof(reversed))
			return;
		reversed[n] = c;
		hash = index_hash_byte(hash, c);
	}
	visit_if(s, KEY_DOMAIN, (struct bytes){.p = reversed, .len = n}, hash);
}

static void search_port(struct search *s, uint16_t port)
{
	const char bytes[2] = {(char)(port >> 8), (char)port};
	const struct bytes key = {.p = bytes, .len = sizeof(bytes)};

	visit_if(s, KEY_PORT, key, index_hash(key));
}

static void search_network(struct search *s)
{
	const struct policy_address *a = s->q->address;

	if (index_has_type(s->x, KEY_DOMAIN) || index_has_type(s->x, KEY_DOMAIN_BELOW))
		for (size_t i = 0; i < s->q->n_domains; i++)
			search_domain(s, s->q->domains[i]);
	if (a && a->has_ip)
		search_address(s, a);
	if (key_has_port(a))
		search_port(s, a->port);
}

/* Whatever name element 0 of `argv` could match; key_argv() says which of them count. */
static void search_argv(struct search *s)
{
	const struct policy_query *q = s->q;
	struct bytes called = q->argc ? q->argv[0] : BYTES_NULL;
	struct bytes names[3] = {policy_image_name(q->path), called, bytes_base_name(called)};

	if (index_has_type(s->x, KEY_ARGV)) {
		for (size_t i = 0; i < q->n_names; i++)
			visit(s, KEY_ARGV, q->names[i].name, index_hash(q->names[i].name));
		for (size_t i = 0; i < ARRAY_SIZE(names); i++)
			visit(s, KEY_ARGV, names[i], index_hash(names[i]));
	}
	visit_any(s, KEY_ARGV_ANY);
}

enum eval_outcome eval_first(const struct index *x, struct regex_scratch *scratch,
			     const struct policy_query *q, const struct rule **ret_rule)
{
	_uninitialized_ struct literal_set args;
	struct search s = {.x = x, .q = q, .scratch = scratch, .args = &args, .best = NO_RANK};
	const char op = (char)q->op;
	const struct bytes op_key = {.p = &op, .len = 1};

	args.is_built = false;
	if (q->kind == KIND_TOOL)
		search_argv(&s);
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
