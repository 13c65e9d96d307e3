/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The subset construction (Aho, Hopcroft, Ullman) over the globs' tokens: a state is the set of
 * places where the globs stand. A place that cannot change a verdict any more is dropped from the
 * set: others of a rule that matches whatever follows, and those of rules that come after such a
 * rule.
 */
#include <stdlib.h>

#include "policy/index.h"
#include "policy/pathmap_private.h"

#define NONE        UINT32_MAX /* no state */
#define HASH_SIZE   65536      /* a power of two */
#define SETTLED_MAX 256

/* ---- classes of bytes: those that no token tells apart */

static bool class_has(const struct glob_class *c, unsigned byte)
{
	return c->bits[byte / 64] >> (byte % 64) & 1;
}

static void split(struct pathmap *m, const uint64_t bits[static 4])
{
	uint8_t moved[256] = {}; /* the new class of the part of each that is in @bits; 0: none */
	size_t in[256] = {}, size[256] = {};

	for (unsigned byte = 0; byte < 256; byte++) {
		size[m->bytes[byte]]++;
		in[m->bytes[byte]] += bits[byte / 64] >> (byte % 64) & 1;
	}
	for (unsigned byte = 0; byte < 256; byte++) {
		const uint8_t class = m->bytes[byte];

		if (!(bits[byte / 64] >> (byte % 64) & 1) || in[class] == size[class])
			continue;
		if (!moved[class])
			moved[class] = (uint8_t)m->n_classes++;
		m->bytes[byte] = moved[class];
	}
}

static void split_byte(struct pathmap *m, unsigned char byte)
{
	uint64_t bits[4] = {};

	bits[byte / 64] = UINT64_C(1) << (byte % 64);
	split(m, bits);
}

static void classify(struct pathmap *m, struct pathmap_building *b)
{
	m->n_classes = 1;
	split_byte(m, '/');
	for (size_t i = 0; i < b->n_alternatives; i++) {
		const struct glob *g = b->alternatives[i].glob;

		for (size_t k = 0; k < g->prefix.len; k++)
			split_byte(m, (unsigned char)g->prefix.p[k]);
		for (size_t k = 0; k < g->n_tokens; k++)
			if (g->tokens[k].type == GLOB_LITERAL)
				split_byte(m, g->tokens[k].literal);
			else if (g->tokens[k].type == GLOB_CLASS)
				split(m, g->classes[g->tokens[k].class].bits);
	}
	for (unsigned byte = 256; byte-- > 0;)
		b->representative[m->bytes[byte]] = (uint8_t)byte;
}

/* ---- steps */

static void add_place(struct pathmap_building *b, uint32_t place)
{
	if (b->n_set == SET_MAX)
		b->is_too_large = true;
	else
		b->set[b->n_set++] = place;
}

/* As enter() in glob.c; @i counts from the beginning of the prefix. */
static void enter(struct pathmap_building *b, const struct alternative *a, size_t i)
{
	const struct glob *g = a->glob;

	for (;; i++) {
		add_place(b, a->first + (uint32_t)i);
		if (i < g->prefix.len || i >= g->prefix.len + g->n_tokens)
			return;
		switch ((enum glob_token_type)g->tokens[i - g->prefix.len].type) {
		case GLOB_STAR:
		case GLOB_DOUBLE_STAR:
		case GLOB_DIRS:
			break;
		case GLOB_LITERAL:
		case GLOB_ANY_BYTE:
		case GLOB_ANY_IN_NAME:
		case GLOB_CLASS:
		case GLOB_TREE:
			return;
		}
	}
}

static void settle(struct pathmap_building *b, const struct alternative *a)
{
	add_place(b, a->first + (uint32_t)pathmap_places(a->glob) - 1);
}

/* As step() in glob.c. */
static void step_token(struct pathmap_building *b, const struct alternative *a, size_t i,
		       unsigned char byte)
{
	const struct glob *g = a->glob;
	const struct glob_token *t = &g->tokens[i - g->prefix.len];

	switch ((enum glob_token_type)t->type) {
	case GLOB_LITERAL:
		if (t->literal == byte)
			enter(b, a, i + 1);
		break;
	case GLOB_ANY_BYTE:
		enter(b, a, i + 1);
		break;
	case GLOB_ANY_IN_NAME:
		if (byte != '/')
			enter(b, a, i + 1);
		break;
	case GLOB_CLASS:
		if (class_has(&g->classes[t->class], byte))
			enter(b, a, i + 1);
		break;
	case GLOB_STAR:
		if (byte != '/')
			enter(b, a, i);
		break;
	case GLOB_DOUBLE_STAR:
		if (i + 1 == g->prefix.len + g->n_tokens)
			settle(b, a);
		else
			enter(b, a, i);
		break;
	case GLOB_DIRS:
		add_place(b, a->first + (uint32_t)i);
		if (byte == '/')
			enter(b, a, i + 1);
		break;
	case GLOB_TREE:
		if (byte == '/')
			settle(b, a);
		break;
	}
}

static void step(struct pathmap_building *b, uint32_t place, unsigned char byte)
{
	const struct alternative *a = &b->alternatives[b->owner[place]];
	const struct glob *g = a->glob;
	const size_t i = place - a->first, end = g->prefix.len + g->n_tokens;

	if (i < g->prefix.len) {
		if ((unsigned char)g->prefix.p[i] == byte)
			enter(b, a, i + 1);
	} else if (i < end) {
		step_token(b, a, i, byte);
	} else if (i > end) {
		add_place(b, place);
	}
}

static int compare_places(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static const struct list *list_of(const struct pathmap_building *b, uint32_t place)
{
	return &b->lists[b->alternatives[b->owner[place]].list];
}

static bool is_settled(const struct pathmap_building *b, uint32_t place)
{
	const struct alternative *a = &b->alternatives[b->owner[place]];

	return place == a->first + pathmap_places(a->glob) - 1;
}

/* Whether @place is nothing to wait for, since @settled matches whatever comes. */
static bool is_moot(const struct pathmap_building *b, uint32_t place, uint32_t settled)
{
	const struct list *l = list_of(b, place), *s = list_of(b, settled);

	if (l == s)
		return !is_settled(b, place) || place > settled;
	return s->decides && l->policy == s->policy && l->rank > s->rank &&
	       ((l->ops & OPS_PATH) & ~s->ops) == 0;
}

/* Sorts the set, without what is there twice or moot. */
static void tidy(struct pathmap_building *b)
{
	uint32_t settled[SETTLED_MAX];
	size_t n = 0, n_settled = 0;

	qsort(b->set, b->n_set, sizeof(*b->set), compare_places);
	for (size_t i = 0; i < b->n_set; i++) {
		if (n && b->set[i] == b->set[n - 1])
			continue;
		if (is_settled(b, b->set[i]) && n_settled < SETTLED_MAX)
			settled[n_settled++] = b->set[i];
		b->set[n++] = b->set[i];
	}
	b->n_set = 0;
	for (size_t i = 0; i < n; i++) {
		bool moot = false;

		for (size_t k = 0; !moot && k < n_settled; k++)
			moot = is_moot(b, b->set[i], settled[k]);
		if (!moot)
			b->set[b->n_set++] = b->set[i];
	}
}

/* ---- states */

static uint32_t hash_set(const struct pathmap_building *b, bool is_after_slash)
{
	uint64_t hash = INDEX_HASH_INIT ^ is_after_slash;

	for (size_t i = 0; i < b->n_set; i++)
		hash = (hash ^ b->set[i]) * UINT64_C(0x9e3779b97f4a7c15);
	return (uint32_t)(hash >> 40) % HASH_SIZE;
}

/* Return: the state that the set is; NONE: there are too many. */
static uint32_t find_state(struct pathmap_building *b, bool is_after_slash)
{
	const uint32_t hash = hash_set(b, is_after_slash);
	const size_t size = b->n_set * sizeof(*b->set);
	uint32_t *places;

	for (uint32_t i = b->heads[hash]; i != NONE; i = b->states[i].hash_next)
		if (b->states[i].n == b->n_set && b->states[i].is_after_slash == is_after_slash &&
		    memcmp(b->states[i].places, b->set, size) == 0)
			return i;
	if (b->n_states == b->room || b->is_too_large)
		return NONE;
	places = arena_alloc(&b->mem, size + 1);
	if (!places)
		return NONE;
	memcpy(places, b->set, size);
	b->states[b->n_states] = (struct state){.places = places,
						.n = (uint32_t)b->n_set,
						.is_after_slash = is_after_slash,
						.hash_next = b->heads[hash]};
	b->heads[hash] = (uint32_t)b->n_states;
	return (uint32_t)b->n_states++;
}

/* No path has two slashes together; what comes after them is of no matter. */
static uint32_t next_state(struct pathmap_building *b, uint32_t from, uint8_t byte)
{
	const struct state s = b->states[from];

	b->n_set = 0;
	for (size_t i = 0; i < s.n && !(s.is_after_slash && byte == '/'); i++)
		step(b, s.places[i], byte);
	tidy(b);
	return find_state(b, byte == '/');
}

/* Return: 0; -EOPNOTSUPP. */
static int build_part(struct pathmap_building *b, struct pathmap *m, enum pathmap_part part)
{
	const size_t width = pathmap_width(m);
	uint32_t next;

	memset(b->heads, 0xff, HASH_SIZE * sizeof(*b->heads));
	b->n_set = 0;
	for (size_t i = 0; i < b->n_alternatives; i++)
		if (b->alternatives[i].part == part)
			enter(b, &b->alternatives[i], 0);
	tidy(b);
	next = find_state(b, false);
	m->parts[part].first = (uint16_t)next;
	for (size_t i = next; next != NONE && i < b->n_states; i++)
		for (size_t class = 0; next != NONE && class < m->n_classes; class ++) {
			next = next_state(b, (uint32_t)i, b->representative[class]);
			m->cells[i * width + class] = (uint16_t)next;
		}
	return next == NONE ? -EOPNOTSUPP : 0;
}

/* Return: 0; -EOPNOTSUPP, -ENOMEM. */
int pathmap_build_states(struct pathmap_building *b, struct pathmap *m)
{
	int r = 0;

	classify(m, b);
	b->room = MIN(PATHMAP_MAX_CELLS / pathmap_width(m), (size_t)UINT16_MAX);
	b->states = calloc(b->room, sizeof(*b->states));
	b->heads = calloc(HASH_SIZE, sizeof(*b->heads));
	m->cells = calloc(b->room * pathmap_width(m), sizeof(*m->cells));
	if (!b->states || !b->heads || !m->cells)
		return -ENOMEM;
	for (unsigned part = 0; r == 0 && part < _PATHMAP_PART_MAX; part++)
		r = build_part(b, m, (enum pathmap_part)part);
	m->n_states = b->n_states;
	return r;
}
