/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/index.h"

#define KEYS_MAX_BYTES ((size_t)1 << 30)

/* An entry before it has its place. */
struct pending {
	enum key_type type;
	struct bytes key;
	uint64_t hash;
	struct index_entry entry;
};

struct builder {
	struct index *x;
	struct pending *items;
	size_t n, cap;
	uint32_t rank;
	const struct rule *rule;
};

static uint64_t slot_hash(enum key_type type, uint64_t hash)
{
	hash ^= (uint64_t)type * UINT64_C(0x9e3779b97f4a7c15);
	hash ^= hash >> 32;
	hash *= UINT64_C(0xd6e8feb86659fd93);
	return hash ^ hash >> 32;
}

#define PRESENT_BITS_PER_SLOT 16 /* at most half of the slots are taken: one false alarm in 32 */

/* Other bits of the hash than those that choose the slot. */
static size_t present_bit(const struct index *x, uint64_t h)
{
	return (size_t)(h >> 24) & x->present_mask;
}

const struct index_slot *index_find(const struct index *x, enum key_type type, struct bytes key,
				    uint64_t hash)
{
	uint64_t h = slot_hash(type, hash);
	size_t bit = present_bit(x, h);

	if (!(x->present[bit / 64] >> (bit % 64) & 1))
		return NULL;
	for (size_t i = h & x->mask;; i = (i + 1) & x->mask) {
		const struct index_slot *s = &x->slots[i];

		if (!s->key.p)
			return NULL;
		if (s->hash == h && s->type == type && bytes_eq(s->key, key))
			return s;
	}
}

static int add(struct builder *b, enum key_type type, struct bytes key, uint32_t ops,
	       const void *pattern)
{
	if (b->n == b->cap) {
		size_t cap = b->cap ? b->cap * 2 : 256;
		struct pending *grown = reallocarray(b->items, cap, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		b->items = grown;
		b->cap = cap;
	}
	b->x->types |= UINT32_C(1) << type;
	b->items[b->n++] = (struct pending){
		.type = type,
		.key = key.p ? key : BYTES_LIT(""),
		.hash = slot_hash(type, index_hash(key)),
		.entry = {.rank = b->rank, .ops = ops, .pattern = pattern},
	};
	return 0;
}

static int add_copy(struct builder *b, enum key_type type, struct bytes key, uint32_t ops,
		    const void *pattern)
{
	struct bytes copy = arena_copy(&b->x->mem, key.p, key.len);

	return copy.p ? add(b, type, copy, ops, pattern) : -ENOMEM;
}

/* ---- globs */

static bool is_literal(const struct glob *g, size_t i, unsigned char byte)
{
	return g->tokens[i].type == GLOB_LITERAL && g->tokens[i].literal == byte;
}

/*
 * A component that the path must have: the literal text after the last '/' of the pattern, else the
 * one that follows a leading '**' and a '/'.
 */
static struct bytes component_key(const struct glob *g, char *buf)
{
	size_t n = g->n_tokens, at = n - g->n_suffix;
	size_t begin = n, end = n, len = 0;

	for (size_t i = n; i-- > at && begin == n;)
		if (is_literal(g, i, '/'))
			begin = i + 1;
	/* All of the literal end belongs to one component that begins where a '/' did. */
	if (begin == n && g->n_suffix && at > 0 && g->tokens[at - 1].type == GLOB_DIRS)
		begin = at;
	if (begin == n && g->tokens[0].type == GLOB_DIRS) {
		for (end = 1; end < n && g->tokens[end].type == GLOB_LITERAL; end++)
			if (g->tokens[end].literal == '/')
				break;
		if (end > 1 && end < n &&
		    (is_literal(g, end, '/') || g->tokens[end].type == GLOB_TREE))
			begin = 1;
	}
	if (begin == n)
		return BYTES_NULL;
	for (size_t i = begin; i < end; i++)
		buf[len++] = (char)g->tokens[i].literal;
	return (struct bytes){.p = buf, .len = len};
}

/* From the last '.' of the pattern's literal end: any path that matches has its last '.' there. */
static struct bytes extension_key(const struct glob *g, char *buf)
{
	size_t n = g->n_tokens, at = n - g->n_suffix, len = 0;

	for (size_t i = n; i-- > at;) {
		if (is_literal(g, i, '/'))
			break;
		if (is_literal(g, i, '.')) {
			for (; i < n; i++)
				buf[len++] = (char)g->tokens[i].literal;
			return (struct bytes){.p = buf, .len = len};
		}
	}
	return BYTES_NULL;
}

/* The directory that every match is in or is. */
static struct bytes directory_key(const struct glob *g)
{
	struct bytes dir = g->prefix;
	const char *slash;

	if (g->tokens[0].type == GLOB_TREE)
		return dir.len ? dir : BYTES_NULL;
	slash = dir.len ? memrchr(dir.p, '/', dir.len) : NULL;
	dir.len = slash ? (size_t)(slash - dir.p) : 0;
	return dir.len ? dir : BYTES_NULL;
}

/* @base: KEY_PATH_WHOLE or KEY_IMAGE_WHOLE. */
static int add_glob(struct builder *b, enum key_type base, const struct glob *g, uint32_t ops)
{
	const enum key_type directory = base + (KEY_PATH_DIRECTORY - KEY_PATH_WHOLE);
	const enum key_type component = base + (KEY_PATH_COMPONENT - KEY_PATH_WHOLE);
	const enum key_type extension = base + (KEY_PATH_EXTENSION - KEY_PATH_WHOLE);
	const enum key_type any = base + (KEY_PATH_ANY - KEY_PATH_WHOLE);
	char buf[GLOB_MAX_BYTES];
	struct bytes key;

	if (glob_is_literal(g))
		return add(b, base, g->prefix, ops, g);
	key = directory_key(g);
	if (key.p)
		return add(b, directory, key, ops, g);
	key = component_key(g, buf);
	if (key.p && key.len)
		return add_copy(b, component, key, ops, g);
	key = extension_key(g, buf);
	if (key.p)
		return add_copy(b, extension, key, ops, g);
	return add(b, any, BYTES_NULL, ops, g);
}

static int add_globs(struct builder *b, enum key_type base, const struct glob *globs, uint32_t ops)
{
	int r = 0;

	for (const struct glob *g = globs; r == 0 && g; g = g->next)
		r = add_glob(b, base, g, ops);
	return r;
}

/* ---- the other keys */

static int add_tools(struct builder *b)
{
	const struct rule *rule = b->rule;
	int r = 0;

	for (size_t i = 0; r == 0 && i < rule->match.n_tools; i++) {
		const struct tool_pattern *t = &rule->match.tools[i];

		switch (t->type) {
		case TOOL_EXACT:
			r = add(b, KEY_TOOL, t->name, rule->match.ops, t);
			break;
		case TOOL_GLOB:
		case TOOL_REGEX:
			r = add(b, KEY_TOOL_ANY, BYTES_NULL, rule->match.ops, t);
			break;
		case TOOL_IMAGE:
			r = add_globs(b, KEY_IMAGE_WHOLE, t->globs,
				      rule->match.ops & OP_BIT(OP_EXEC));
			break;
		}
	}
	return r;
}

static int add_addresses(struct builder *b)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < b->rule->match.n_addresses; i++) {
		const struct address_range *a = &b->rule->match.addresses[i];
		size_t size = a->is_v4 ? 4 : 16;
		char key[17];

		memcpy(key, a->ip, size);
		key[size] = (char)a->bits;
		if (a->is_v4)
			b->x->v4_bits |= UINT64_C(1) << a->bits;
		else
			b->x->v6_bits[a->bits / 64] |= UINT64_C(1) << (a->bits % 64);
		r = add_copy(b, a->is_v4 ? KEY_ADDRESS_V4 : KEY_ADDRESS_V6,
			     (struct bytes){.p = key, .len = size + 1}, b->rule->match.ops, NULL);
	}
	return r;
}

static bool has_only_single_ports(const struct rule *rule)
{
	for (size_t i = 0; i < rule->match.n_ports; i++)
		if (rule->match.ports[i].low != rule->match.ports[i].high)
			return false;
	return rule->match.n_ports > 0;
}

static int add_ports(struct builder *b)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < b->rule->match.n_ports; i++) {
		const char key[2] = {(char)(b->rule->match.ports[i].low >> 8),
				     (char)b->rule->match.ports[i].low};

		r = add_copy(b, KEY_PORT, (struct bytes){.p = key, .len = 2}, b->rule->match.ops,
			     NULL);
	}
	return r;
}

static int add_domains(struct builder *b)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < b->rule->match.n_domains; i++) {
		const struct domain_pattern *d = &b->rule->match.domains[i];
		char reversed[DOMAIN_MAX_BYTES];

		for (size_t j = 0; j < d->name.len; j++)
			reversed[j] = d->name.p[d->name.len - 1 - j];
		r = add_copy(b, d->is_below ? KEY_DOMAIN_BELOW : KEY_DOMAIN,
			     (struct bytes){.p = reversed, .len = d->name.len}, b->rule->match.ops,
			     NULL);
	}
	return r;
}

static int add_argv(struct builder *b)
{
	const struct argv_element *program = &b->rule->match.argv[0];
	int r = 0;

	for (size_t i = 0; i < program->n; i++)
		if (program->any[i].type != TOOL_EXACT)
			return add(b, KEY_ARGV_ANY, BYTES_NULL, b->rule->match.ops, NULL);
	for (size_t i = 0; r == 0 && i < program->n; i++)
		r = add(b, KEY_ARGV, program->any[i].name, b->rule->match.ops, NULL);
	return r;
}

static int add_by_op(struct builder *b)
{
	int r = 0;

	for (unsigned int op = 0; r == 0 && op < OP_SYSCALL; op++) {
		const char key = (char)op;

		if (b->rule->match.ops & OP_BIT(op))
			r = add_copy(b, KEY_OP, (struct bytes){.p = &key, .len = 1},
				     b->rule->match.ops, NULL);
	}
	return r;
}

/* Enters the rule under its most telling key; the others are checked when it is met. */
static int add_rule(struct builder *b)
{
	const struct matcher *m = &b->rule->match;

	if (m->paths)
		return add_globs(b, KEY_PATH_WHOLE, m->paths, m->ops);
	if (m->n_domains)
		return add_domains(b);
	if (m->n_addresses)
		return add_addresses(b);
	if (has_only_single_ports(b->rule))
		return add_ports(b);
	if (m->n_argv)
		return add_argv(b);
	if (m->n_tools)
		return add_tools(b);
	return add_by_op(b);
}

/* ---- putting together */

int index_compare_rules(const void *a, const void *b)
{
	const struct rule *x = *(const struct rule *const *)a, *y = *(const struct rule *const *)b;

	if (x->priority != y->priority)
		return x->priority < y->priority ? -1 : 1;
	return (x > y) - (x < y);
}

static int compare_pending(const void *a, const void *b)
{
	const struct pending *x = a, *y = b;
	int order;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	if (x->type != y->type)
		return x->type < y->type ? -1 : 1;
	order = memcmp(x->key.p, y->key.p, MIN(x->key.len, y->key.len));
	if (order == 0)
		order = (x->key.len > y->key.len) - (x->key.len < y->key.len);
	return order ? order : (x->entry.rank > y->entry.rank) - (x->entry.rank < y->entry.rank);
}

static void place_slot(struct index *x, const struct pending *p, uint32_t first, uint32_t n)
{
	size_t i = p->hash & x->mask;
	size_t bit = present_bit(x, p->hash);

	x->present[bit / 64] |= UINT64_C(1) << (bit % 64);
	while (x->slots[i].key.p)
		i = (i + 1) & x->mask;
	x->slots[i] = (struct index_slot){
		.hash = p->hash, .key = p->key, .type = p->type, .first = first, .n = n};
}

static int place_all(struct builder *b)
{
	struct index *x = b->x;
	size_t n_slots = 16;

	while (n_slots < b->n * 2)
		n_slots *= 2;
	x->slots = calloc(n_slots, sizeof(*x->slots));
	x->entries = calloc(b->n + 1, sizeof(*x->entries));
	x->present = calloc(n_slots * PRESENT_BITS_PER_SLOT / 64, sizeof(*x->present));
	if (!x->slots || !x->entries || !x->present)
		return -ENOMEM;
	x->mask = n_slots - 1;
	x->present_mask = n_slots * PRESENT_BITS_PER_SLOT - 1;
	if (b->n)
		qsort(b->items, b->n, sizeof(*b->items), compare_pending);
	for (size_t i = 0, first = 0; i < b->n; i++) {
		const struct pending *p = &b->items[first], *next = &b->items[i + 1];

		x->entries[i] = b->items[i].entry;
		if (i + 1 < b->n && next->hash == p->hash && next->type == p->type &&
		    bytes_eq(next->key, p->key))
			continue;
		place_slot(x, p, (uint32_t)first, (uint32_t)(i + 1 - first));
		first = i + 1;
	}
	return 0;
}

int index_build(const struct policy *p, struct index *ret)
{
	struct builder b = {.x = ret};
	int r = 0;

	*ret = (struct index){.policy = p, .mem = ARENA_INIT(KEYS_MAX_BYTES)};
	ret->rules = calloc(p->n_rules + 1, sizeof(*ret->rules));
	if (!ret->rules)
		return -ENOMEM;
	for (size_t i = 0; i < p->n_rules; i++)
		ret->rules[i] = &p->rules[i];
	qsort(ret->rules, p->n_rules, sizeof(*ret->rules), index_compare_rules);
	for (size_t i = 0; r == 0 && i < p->n_rules; i++) {
		b.rank = (uint32_t)i;
		b.rule = ret->rules[i];
		r = add_rule(&b);
	}
	if (r == 0)
		r = place_all(&b);
	free(b.items);
	return r;
}

void index_fini(struct index *x)
{
	free(x->rules);
	free(x->entries);
	free(x->slots);
	free(x->present);
	arena_fini(&x->mem);
}
