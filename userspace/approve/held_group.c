/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which held actions are one question: the same action to its last byte, under the same rule. One
 * answer ends them all, so that a build that starts fifty equal compilers asks once.
 */
#include "approve/held_private.h"

/* ---- the index by question */

static size_t key_of(const struct entry *e)
{
	uint32_t v;

	memcpy(&v, e->held.subject.key, sizeof(v)); /* SHA-256: any part is as good */
	return v;
}

static bool is_same(const struct held *a, const struct held *b)
{
	return memcmp(a->subject.key, b->subject.key, SHA256_BYTES) == 0 && a->ask == b->ask &&
	       a->subject.terms == b->subject.terms && bytes_eq(a->record.rule, b->record.rule) &&
	       bytes_eq(a->record.policy, b->record.policy);
}

static unsigned count_seen(struct held_table *t, const struct entry *e)
{
	struct seen *s = &t->seen[key_of(e) & (HELD_SEEN - 1)];

	if (memcmp(s->key, e->held.subject.key, SHA256_BYTES) != 0) {
		memcpy(s->key, e->held.subject.key, SHA256_BYTES);
		s->n = 0;
	}
	return s->n++;
}

/* Return: 0, -ENOMEM. */
int held_group_add(struct held_table *t, struct entry *e)
{
	struct group **bucket = &t->groups[key_of(e) & (HELD_BUCKETS - 1)], *g;

	if (e->held.subject.n_objects == 0)
		return 0;
	for (g = *bucket; g && !is_same(&g->first->held, &e->held); g = g->next)
		;
	if (!g) {
		g = calloc(1, sizeof(*g));
		if (!g)
			return -ENOMEM;
		g->next = *bucket;
		*bucket = g;
		g->first = e;
	} else {
		e->same_older = g->last;
		g->last->same_newer = e;
	}
	g->last = e;
	e->held.n_before = count_seen(t, e) - g->n++;
	e->group = g;
	return 0;
}

void held_group_remove(struct held_table *t, struct entry *e)
{
	struct group *g = e->group, **link = &t->groups[key_of(e) & (HELD_BUCKETS - 1)];

	if (!g)
		return;
	if (e->same_older)
		e->same_older->same_newer = e->same_newer;
	else
		g->first = e->same_newer;
	if (e->same_newer)
		e->same_newer->same_older = e->same_older;
	else
		g->last = e->same_older;
	e->group = NULL;
	if (--g->n > 0)
		return;
	while (*link != g)
		link = &(*link)->next;
	*link = g->next;
	free(g);
}

/* What a caller sees of the question that @e is part of. */
const struct held *held_group_show(struct entry *e)
{
	const struct group *g = e->group;

	e->held.is_first = !g || g->first == e;
	e->held.n_same = g ? g->n : 1;
	e->held.n_approved = g ? g->n_approved : 0;
	if (g)
		memcpy(e->held.approved_by, g->approved_by, sizeof(g->approved_by));
	return &e->held;
}
