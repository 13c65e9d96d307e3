/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>

#include "base/chains.h"

#include "names/lead.h"

struct entry {
	struct chain chain;
	struct lead_end from, to;
	struct lead_ticket ticket;
	unsigned n;  /* connections with these ends that are not known to have ended */
	bool is_old; /* of a process that has gone; perhaps it never saw it */
};

struct lead_tickets {
	pthread_mutex_t lock;
	struct chains entries;
};

/* It is the first of its members. */
static struct entry *entry_at(struct chain *const *at)
{
	return (struct entry *)*at;
}

int lead_tickets_new(struct lead_tickets **ret)
{
	struct lead_tickets *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	(void)pthread_mutex_init(&t->lock, NULL);
	*ret = t;
	return 0;
}

struct lead_tickets *lead_tickets_free(struct lead_tickets *t)
{
	if (!t)
		return NULL;
	chains_drop_all(&t->entries, NULL, NULL);
	(void)pthread_mutex_destroy(&t->lock);
	free(t);
	return NULL;
}

bool lead_end_equal(const struct lead_end *a, const struct lead_end *b)
{
	return a->is_v4 == b->is_v4 && a->port == b->port &&
	       memcmp(a->ip, b->ip, a->is_v4 ? 4 : 16) == 0;
}

/* The agent's own port is another for each of its connections, or nearly so. Return: where the
 * entry is, or where one would go. */
static struct chain **place_of(struct lead_tickets *t, const struct lead_end *from,
			       const struct lead_end *to)
{
	struct chain **at = chains_of(&t->entries, from->port);

	while (*at && !(lead_end_equal(&entry_at(at)->from, from) &&
			lead_end_equal(&entry_at(at)->to, to)))
		at = &(*at)->next;
	return at;
}

static bool is_old(const struct chain *c, const void *arg _unused_)
{
	return ((const struct entry *)c)->is_old;
}

int lead_tickets_add(struct lead_tickets *t, const struct lead_end *from, const struct lead_end *to,
		     const struct lead_ticket *ticket)
{
	struct chain **at;
	struct entry *e;
	int r = 0;

	(void)pthread_mutex_lock(&t->lock);
	if (t->entries.n == LEAD_MAX)
		chains_drop_all(&t->entries, is_old, NULL);
	at = place_of(t, from, to);
	e = entry_at(at);
	if (!e && t->entries.n == LEAD_MAX)
		r = -ENOBUFS;
	if (!e && r == 0) {
		e = malloc(sizeof(*e));
		r = e ? 0 : -ENOMEM;
		if (e) {
			*e = (struct entry){.from = *from, .to = *to};
			chains_insert(&t->entries, at, &e->chain);
		}
	}
	if (r == 0) {
		e->ticket = *ticket;
		e->n++;
	}
	(void)pthread_mutex_unlock(&t->lock);
	return r;
}

bool lead_tickets_find(struct lead_tickets *t, const struct lead_end *from,
		       const struct lead_end *to, struct lead_ticket *ret)
{
	const struct entry *e;

	(void)pthread_mutex_lock(&t->lock);
	e = entry_at(place_of(t, from, to));
	if (e)
		*ret = e->ticket;
	(void)pthread_mutex_unlock(&t->lock);
	return e;
}

void lead_tickets_drop(struct lead_tickets *t, const struct lead_end *from,
		       const struct lead_end *to)
{
	struct chain **at;

	(void)pthread_mutex_lock(&t->lock);
	at = place_of(t, from, to);
	/* The agent may have used the same port again before the end of the last was told. */
	if (*at && --entry_at(at)->n == 0)
		free(chains_take(&t->entries, at));
	(void)pthread_mutex_unlock(&t->lock);
}

void lead_tickets_age(struct lead_tickets *t)
{
	(void)pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < CHAINS; i++)
		for (struct chain **at = &t->entries.first[i]; *at; at = &(*at)->next)
			entry_at(at)->is_old = true;
	(void)pthread_mutex_unlock(&t->lock);
}
