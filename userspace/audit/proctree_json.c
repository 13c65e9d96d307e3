/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include "audit/proctree_private.h"

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

/* {"tool": {"allow": 3}, ...}: what is 0 is left out. */
static json_t *counts_json(const struct process *p)
{
	json_t *o = json_object();

	for (int k = 0; k < _KIND_MAX; k++) {
		json_t *kind = json_object();

		for (int v = 0; v < _VERDICT_MAX; v++)
			if (p->counts[k][v])
				(void)json_object_set_new(kind, verdict_name((enum verdict)v),
							  number(p->counts[k][v]));
		if (json_object_size(kind))
			(void)json_object_set(o, kind_name((enum action_kind)k), kind);
		json_decref(kind);
	}
	return o;
}

static uint64_t count(const struct process *p, enum verdict from)
{
	uint64_t n = 0;

	for (int k = 0; k < _KIND_MAX; k++)
		for (int v = from; v < _VERDICT_MAX; v++)
			n += p->counts[k][v];
	return n;
}

static json_t *list_or_empty(json_t *list)
{
	return list ? json_incref(list) : json_array();
}

static json_t *time_or_null(uint64_t time_ns)
{
	char text[CLOCK_RFC3339_SIZE];

	if (time_ns == UINT64_MAX)
		return json_null();
	clock_format_rfc3339(time_ns, text);
	return json_string(text);
}

static json_t *status_of(const struct proclife *life, enum proclife_end end)
{
	return life->end == end ? number(life->status) : json_null();
}

/* What the kernel told of it. */
static void add_life(const struct proctree *t, const struct process *p, json_t *o)
{
	static const struct proclife unknown = {.began_ns = UINT64_MAX, .ended_ns = UINT64_MAX};
	const struct proclife *life =
		p->life == PROCLIVES_NONE ? &unknown : proclives_get(t->lives, p->life);

	(void)json_object_set_new(o, "began", time_or_null(life->began_ns));
	(void)json_object_set_new(o, "comm", life->comm[0] ? json_string(life->comm) : json_null());
	(void)json_object_set_new(o, "ended", time_or_null(life->ended_ns));
	(void)json_object_set_new(o, "exit", status_of(life, PROCLIFE_EXIT));
	(void)json_object_set_new(o, "signal", status_of(life, PROCLIFE_SIGNAL));
}

static json_t *ppid_of(const struct proctree *t, const struct process *p)
{
	if (!p->is_silent)
		return number(p->ppid);
	return p->life == PROCLIVES_NONE ? json_null()
					 : number(proclives_get(t->lives, p->life)->ppid);
}

json_t *proctree_process(const struct proctree *t, size_t i)
{
	const struct process *p = &t->list[i];
	json_t *o = json_object();

	(void)json_object_set_new(o, "id", number(i));
	(void)json_object_set_new(o, "parent",
				  p->parent == PROCTREE_NONE ? json_null() : number(p->parent));
	(void)json_object_set_new(o, "depth", number(0));
	(void)json_object_set_new(o, "session", p->session ? json_incref(p->session) : json_null());
	(void)json_object_set_new(o, "pid", number(p->pid));
	(void)json_object_set_new(o, "ppid", ppid_of(t, p));
	(void)json_object_set_new(o, "time", p->time ? json_incref(p->time) : json_null());
	(void)json_object_set_new(o, "first_seq",
				  p->is_silent ? json_null() : number(p->first_seq));
	(void)json_object_set_new(o, "last_seq", p->is_silent ? json_null() : number(p->last_seq));
	add_life(t, p, o);
	(void)json_object_set_new(
		o, "exe", p->n_images ? json_incref(p->image[p->n_images - 1]) : json_null());
	(void)json_object_set_new(o, "commands", list_or_empty(p->commands));
	(void)json_object_set_new(o, "commands_unlisted", number(p->commands_unlisted));
	(void)json_object_set_new(o, "total", number(count(p, VERDICT_ALLOW)));
	(void)json_object_set_new(o, "denied", number(count(p, VERDICT_DENY)));
	(void)json_object_set_new(o, "counts", counts_json(p));
	(void)json_object_set_new(o, "denials", list_or_empty(p->denials));
	if (json_object_set_new(o, "denials_unlisted", number(p->denials_unlisted)) < 0) {
		json_decref(o);
		return NULL;
	}
	return o;
}

/* First child and next sibling of each process, in the order in which they were met. */
struct links {
	bool *is_kept;
	size_t *first, *next;
	size_t root; /* the first that nobody is known to have started */
	size_t n_kept;
	uint64_t unlisted; /* actions of those that are not kept */
};

static void links_fini(struct links *l)
{
	free(l->is_kept);
	free(l->first);
	free(l->next);
}

/* Keeps the first @max processes that did something, and those that led to them. */
static void keep(const struct proctree *t, size_t max, struct links *l)
{
	for (size_t i = 0; i < t->n; i++) {
		uint64_t n = count(&t->list[i], VERDICT_ALLOW);

		if (n && l->n_kept >= max && !l->is_kept[i])
			l->unlisted += n;
		if (!n || l->n_kept >= max)
			continue;
		for (size_t p = i; p != PROCTREE_NONE && !l->is_kept[p]; p = t->list[p].parent) {
			l->is_kept[p] = true;
			l->n_kept++;
		}
	}
}

static size_t kept_parent(const struct proctree *t, const struct links *l, size_t i)
{
	size_t parent = t->list[i].parent;

	return parent != PROCTREE_NONE && l->is_kept[parent] ? parent : PROCTREE_NONE;
}

static int links_make(const struct proctree *t, size_t max, struct links *ret)
{
	*ret = (struct links){.root = PROCTREE_NONE};
	ret->is_kept = calloc(t->n + 1, sizeof(bool));
	ret->first = calloc(t->n + 1, sizeof(size_t));
	ret->next = calloc(t->n + 1, sizeof(size_t));
	if (!ret->is_kept || !ret->first || !ret->next)
		return -ENOMEM;
	keep(t, max, ret);
	for (size_t i = 0; i < t->n; i++)
		ret->first[i] = ret->next[i] = PROCTREE_NONE;
	for (size_t i = t->n; i-- > 0;) {
		size_t parent = kept_parent(t, ret, i);
		size_t *head = parent == PROCTREE_NONE ? &ret->root : &ret->first[parent];

		if (!ret->is_kept[i])
			continue;
		ret->next[i] = *head;
		*head = i;
	}
	return 0;
}

/* The process after @i in a walk over the tree. */
static size_t walk_on(const struct proctree *t, const struct links *l, size_t i, size_t *depth)
{
	if (l->first[i] != PROCTREE_NONE) {
		(*depth)++;
		return l->first[i];
	}
	while (l->next[i] == PROCTREE_NONE) {
		i = kept_parent(t, l, i);
		if (i == PROCTREE_NONE)
			return PROCTREE_NONE;
		(*depth)--;
	}
	return l->next[i];
}

static int list_json(const struct proctree *t, const struct links *l, json_t *list)
{
	size_t depth = 0;

	for (size_t i = l->root; i != PROCTREE_NONE; i = walk_on(t, l, i, &depth)) {
		json_t *process = proctree_process(t, i);

		(void)json_object_set_new(process, "depth", number(depth));
		if (json_array_append_new(list, process) < 0)
			return -ENOMEM;
	}
	return 0;
}

json_t *proctree_json(struct proctree *t, size_t max)
{
	_cleanup_(links_fini) struct links l = {};
	json_t *o = json_object(), *list = json_array();
	int r;

	r = proctree_bind_all(t);
	if (r == 0)
		r = links_make(t, max, &l);
	if (r == 0)
		r = list_json(t, &l, list);
	(void)json_object_set_new(o, "total", number(t->n));
	(void)json_object_set_new(o, "list", list);
	if (json_object_set_new(o, "unlisted", number(t->unlisted + l.unlisted)) < 0 || r < 0) {
		json_decref(o);
		return NULL;
	}
	return o;
}
