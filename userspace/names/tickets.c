/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>

#include "names/lead.h"

#define BUCKETS 4096 /* a power of two */

struct entry {
	struct entry *next;
	struct lead_end from, to;
	struct lead_ticket ticket;
	unsigned n;  /* connections with these ends that are not known to have ended */
	bool is_old; /* of a process that has gone; perhaps it never saw it */
};

struct lead_tickets {
	pthread_mutex_t lock;
	size_t n;
	struct entry *buckets[BUCKETS];
};

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
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct entry *e = t->buckets[i], *next; e; e = next) {
			next = e->next;
			free(e);
		}
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
static struct entry **place_of(struct lead_tickets *t, const struct lead_end *from,
			       const struct lead_end *to)
{
	struct entry **at = &t->buckets[from->port & (BUCKETS - 1)];

	while (*at && !(lead_end_equal(&(*at)->from, from) && lead_end_equal(&(*at)->to, to)))
		at = &(*at)->next;
	return at;
}

static void drop_old(struct lead_tickets *t)
{
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct entry **at = &t->buckets[i], *e; (e = *at);) {
			if (!e->is_old) {
				at = &e->next;
				continue;
			}
			*at = e->next;
			free(e);
			t->n--;
		}
}

int lead_tickets_add(struct lead_tickets *t, const struct lead_end *from, const struct lead_end *to,
		     const struct lead_ticket *ticket)
{
	struct entry **at, *e;
	int r = 0;

	(void)pthread_mutex_lock(&t->lock);
	if (t->n == LEAD_MAX)
		drop_old(t);
	at = place_of(t, from, to);
	e = *at;
	if (!e && t->n == LEAD_MAX)
		r = -ENOBUFS;
	if (!e && r == 0) {
		e = malloc(sizeof(*e));
		r = e ? 0 : -ENOMEM;
		if (e) {
			*e = (struct entry){.from = *from, .to = *to};
			*at = e;
			t->n++;
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
	e = *place_of(t, from, to);
	if (e)
		*ret = e->ticket;
	(void)pthread_mutex_unlock(&t->lock);
	return e;
}

void lead_tickets_drop(struct lead_tickets *t, const struct lead_end *from,
		       const struct lead_end *to)
{
	struct entry **at, *e;

	(void)pthread_mutex_lock(&t->lock);
	at = place_of(t, from, to);
	e = *at;
	/* The agent may have used the same port again before the end of the last was told. */
	if (e && --e->n) {
		e = NULL;
	} else if (e) {
		*at = e->next;
		t->n--;
	}
	(void)pthread_mutex_unlock(&t->lock);
	free(e);
}

void lead_tickets_age(struct lead_tickets *t)
{
	(void)pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct entry *e = t->buckets[i]; e; e = e->next)
			e->is_old = true;
	(void)pthread_mutex_unlock(&t->lock);
}
