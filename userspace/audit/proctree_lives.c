/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree as the kernel told it. A process that was met first by what it did is bound to its life
 * as soon as that is known; its parents are then those of its life, each of whom is entered if it
 * did nothing by itself. A life began before those that it started, so nothing goes round in
 * circles; parents that were guessed can, and are looked at.
 */
#include "base/clock.h"

#include "audit/proctree_private.h"

static size_t life_at(const struct proctree *t, uint64_t session, uint64_t pid, const char *time)
{
	uint64_t time_ns;

	if (clock_parse_rfc3339(time, &time_ns) < 0)
		return PROCLIVES_NONE;
	return proclives_find(t->lives, session, pid, time_ns);
}

size_t proctree_life_of(const struct proctree *t, const json_t *root)
{
	if (proclives_count(t->lives) == 0)
		return PROCLIVES_NONE;
	return life_at(t, proclives_session(root), reader_u64(root, "pid"),
		       reader_word(root, "time"));
}

/* The process of @life, which somebody of the same session as @child descends from. */
static int node_of(struct proctree *t, size_t life, size_t child, size_t *ret)
{
	struct proclife *l = proclives_get(t->lives, life);
	struct process *p;
	int r;

	*ret = l->node;
	if (l->node != PROCLIVES_NONE)
		return 0;
	r = proctree_add_silent(t, l->pid, ret);
	if (r < 0 || *ret == PROCTREE_NONE)
		return r;
	p = &t->list[*ret];
	p->generation = t->list[child].generation;
	p->session_key = t->list[child].session_key;
	json_decref(p->session);
	p->session = json_incref(t->list[child].session);
	p->life = life;
	l->node = *ret;
	return 0;
}

/* The parents of @i, up to one who has them. */
static int link_parents(struct proctree *t, size_t i)
{
	while (i != PROCTREE_NONE && !t->list[i].is_linked) {
		size_t life = proclives_parent(t->lives, t->list[i].life), parent;
		int r;

		t->list[i].is_linked = true;
		if (life == PROCLIVES_NONE)
			return 0; /* the supervisor; or it is not known, and stays as it was guessed
				   */
		r = node_of(t, life, i, &parent);
		if (r < 0)
			return r;
		if (parent != PROCTREE_NONE && !proctree_is_ancestor(t, i, parent))
			t->list[i].parent = parent;
		i = parent;
	}
	return 0;
}

int proctree_bind(struct proctree *t, size_t i, size_t life)
{
	struct proclife *l = proclives_get(t->lives, life);

	t->list[i].life = life;
	if (l->node == PROCLIVES_NONE)
		l->node = i;
	return link_parents(t, i);
}

int proctree_bind_all(struct proctree *t)
{
	const size_t n = t->n;
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		struct process *p = &t->list[i];

		if (p->is_silent || p->life != PROCLIVES_NONE)
			continue;
		p->life = life_at(t, p->session_key, p->pid,
				  json_is_string(p->time) ? json_string_value(p->time) : "");
		if (p->life != PROCLIVES_NONE &&
		    proclives_get(t->lives, p->life)->node == PROCLIVES_NONE)
			proclives_get(t->lives, p->life)->node = i;
	}
	/* All of them are known before anybody's parent is looked for. */
	for (size_t i = 0; r == 0 && i < n; i++)
		if (t->list[i].life != PROCLIVES_NONE)
			r = link_parents(t, i);
	return r;
}
