/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "policy/pyregex.h"
#include "policy/regex_lint_int.h"

#define MEMORY_MAX ((size_t)16 << 20)
/* Questions asked of one pattern; past these nothing more is said. */
#define QUESTIONS_MAX 2000000u

struct lint {
	char *why;
	unsigned questions;
};

/* The sequences that lead to a node inside a repeat: what stands beside it has to be matched, too.
 */
struct frame {
	const struct lint_node *cat, *self;
	const struct frame *up;
};

static bool overlap(const struct lint_set *a, const struct lint_set *b)
{
	return (a->ascii[0] & b->ascii[0]) || (a->ascii[1] & b->ascii[1]) ||
	       (a->beyond & b->beyond);
}

static bool is_endless(const struct lint_node *n)
{
	return n->type == LINT_REPEAT && n->max == LINT_ENDLESS;
}

/* Every character that @n can take. */
static void collect(struct lint *l, const struct lint_node *n, struct lint_set *ret)
{
	if (l->questions++ > QUESTIONS_MAX)
		return;
	if (n->type == LINT_SET) {
		ret->ascii[0] |= n->set.ascii[0];
		ret->ascii[1] |= n->set.ascii[1];
		ret->beyond |= n->set.beyond;
	}
	for (const struct lint_node *c = n->first; c; c = c->next)
		collect(l, c, ret);
}

/* Whether @n can match with characters of @set alone, or with none. */
static bool fits(struct lint *l, const struct lint_node *n, const struct lint_set *set)
{
	if (l->questions++ > QUESTIONS_MAX)
		return false;
	switch (n->type) {
	case LINT_SET:
		return set && overlap(&n->set, set);
	case LINT_CAT:
		for (const struct lint_node *c = n->first; c; c = c->next)
			if (!fits(l, c, set))
				return false;
		return true;
	case LINT_ALT:
		for (const struct lint_node *c = n->first; c; c = c->next)
			if (fits(l, c, set))
				return true;
		return false;
	case LINT_REPEAT:
		return n->min == 0 || fits(l, n->first, set);
	case LINT_ASSERT:
		return true;
	case LINT_OPAQUE:
		return false;
	}
	return false;
}

static bool is_nullable(struct lint *l, const struct lint_node *n)
{
	return fits(l, n, NULL);
}

static bool neighbours_fit(struct lint *l, const struct frame *f, const struct lint_set *set)
{
	for (; f; f = f->up)
		for (const struct lint_node *c = f->cat->first; c; c = c->next)
			if (c != f->self && !fits(l, c, set))
				return false;
	return true;
}

static bool neighbours_take(struct lint *l, const struct frame *f)
{
	return !neighbours_fit(l, f, NULL);
}

/* A sequence of one, a choice of one: what is inside. */
static const struct lint_node *bare(const struct lint_node *n)
{
	while ((n->type == LINT_CAT || n->type == LINT_ALT) && n->first && !n->first->next &&
	       !n->keeps)
		n = n->first;
	return n;
}

/* A part that may be left out: it does not tell two choices apart. */
static bool is_optional(const struct lint_node *n)
{
	n = bare(n);
	return n->type == LINT_REPEAT && n->min == 0;
}

/* Whether every part of @n that must be there is a character that is in @set. */
static bool is_made_of(const struct lint_node *n, const struct lint_set *set)
{
	bool has_some = false;

	n = bare(n);
	if (n->type == LINT_SET)
		return overlap(&n->set, set);
	if (n->type == LINT_REPEAT && n->min > 0)
		return is_made_of(n->first, set);
	if (n->type != LINT_CAT)
		return false;
	for (const struct lint_node *c = n->first; c; c = c->next) {
		if (is_optional(c))
			continue;
		if (!is_made_of(c, set))
			return false;
		has_some = true;
	}
	return has_some;
}

/* Whether two choices can take the same text. */
static bool choices_overlap(const struct lint_node *a, const struct lint_node *b)
{
	const struct lint_node *c, *d;

	a = bare(a);
	b = bare(b);
	if (a->type == LINT_SET)
		return is_made_of(b, &a->set);
	if (b->type == LINT_SET)
		return is_made_of(a, &b->set);
	if (a->type != LINT_CAT || b->type != LINT_CAT || !a->first || !b->first)
		return false;
	for (c = a->first, d = b->first; c && d; c = c->next, d = d->next)
		if (bare(c)->type != LINT_SET || bare(d)->type != LINT_SET ||
		    !overlap(&bare(c)->set, &bare(d)->set))
			return false;
	return !c && !d;
}

static bool has_overlapping_choices(struct lint *l, const struct lint_node *alt)
{
	for (const struct lint_node *a = alt->first; a; a = a->next)
		for (const struct lint_node *b = a->next; b; b = b->next)
			if (l->questions++ < QUESTIONS_MAX && choices_overlap(a, b))
				return true;
	return false;
}

/* @n stands in an endless repeat. */
static bool is_ambiguous(struct lint *l, const struct lint_node *n, const struct frame *up)
{
	struct frame frame = {.cat = n, .up = up};
	struct lint_set set = {};

	if (n->keeps || l->questions++ > QUESTIONS_MAX)
		return false;
	if (n->type == LINT_REPEAT && n->min != n->max && n->max > 0) {
		collect(l, n->first, &set);
		if (neighbours_fit(l, up, &set) && (is_endless(n) || neighbours_take(l, up))) {
			(void)snprintf(l->why, REGEX_WHY_SIZE,
				       "a repeat inside a repeat can take the same text in very "
				       "many ways");
			return true;
		}
	}
	if (n->type == LINT_ALT && n->first && n->first->next && has_overlapping_choices(l, n)) {
		(void)snprintf(l->why, REGEX_WHY_SIZE,
			       "two alternatives under a repeat can take the same text");
		return true;
	}
	for (const struct lint_node *c = n->first; c; c = c->next) {
		frame.self = c;
		if (is_ambiguous(l, c, n->type == LINT_CAT ? &frame : up))
			return true;
	}
	return false;
}

static bool can_fail(struct lint *l, const struct lint_node *rest)
{
	for (; rest; rest = rest->next)
		if (rest->type == LINT_ASSERT || !is_nullable(l, rest))
			return true;
	return false;
}

/* Two endless repeats of overlapping sets with nothing that must stand between. */
static bool has_adjacent_repeats(struct lint *l, const struct lint_node *cat)
{
	for (const struct lint_node *a = cat->first; a; a = a->next) {
		struct lint_set left = {};

		if (!is_endless(bare(a)) || bare(a)->keeps)
			continue;
		collect(l, a, &left);
		for (const struct lint_node *b = a->next; b; b = b->next) {
			struct lint_set right = {};

			if (l->questions++ > QUESTIONS_MAX)
				return false;
			collect(l, b, &right);
			if (is_endless(bare(b)) && bare(b)->first->type == LINT_SET &&
			    overlap(&left, &right) && can_fail(l, b->next)) {
				(void)snprintf(l->why, REGEX_WHY_SIZE,
					       "two endless repeats of the same characters stand "
					       "side by side");
				return true;
			}
			/* An assertion, such as \b, may well say where the one ends. */
			if (b->type == LINT_ASSERT || !is_nullable(l, b))
				break;
		}
	}
	return false;
}

static bool is_prone(struct lint *l, const struct lint_node *n)
{
	if (is_endless(n) && !n->keeps && is_ambiguous(l, n->first, NULL))
		return true;
	if (n->type == LINT_CAT && has_adjacent_repeats(l, n))
		return true;
	for (const struct lint_node *c = n->first; c; c = c->next)
		if (is_prone(l, c))
			return true;
	return false;
}

bool regex_is_redos_prone(struct bytes pattern, char why[static REGEX_WHY_SIZE])
{
	_cleanup_(arena_fini) struct arena mem = ARENA_INIT(MEMORY_MAX);
	struct lint l = {.why = why};
	struct lint_node *tree = lint_parse(&mem, pattern);

	return tree && is_prone(&l, tree);
}

bool pyregex_is_redos_prone(struct bytes pattern, char why[static REGEX_WHY_SIZE])
{
	_cleanup_(strbuf_fini) struct strbuf out = STRBUF_INIT(REGEX_TRANSLATED_MAX_BYTES);
	size_t offset;

	return pyregex_translate(pattern, &out, why, &offset) == 0 &&
	       regex_is_redos_prone(strbuf_bytes(&out), why);
}
