/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One allocation for an entry: the struct, the argument vector, all strings. Three indices over the
 * entries: a hash by id (for answers), a binary min-heap by deadline (for timeouts; deadlines need
 * not be in order of arrival) and a list in order of arrival (for people).
 */
#include <pthread.h>
#include <sys/eventfd.h>

#include "base/clock.h"

#include "approve/held_private.h"

#define HELD_HEAP_MIN 64

/* ---- the index by id */

static size_t bucket_of(const char *id)
{
	uint32_t hash =
		2166136261U; /* FNV-1a; ids are random and ours, so nobody can aim at one bucket */

	for (size_t i = 0; i < HELD_ID_LEN; i++)
		hash = (hash ^ (unsigned char)id[i]) * 16777619U;
	return hash & (HELD_BUCKETS - 1);
}

static struct entry *find(struct held_table *t, const char *id)
{
	if (strnlen(id, HELD_ID_SIZE) != HELD_ID_LEN)
		return NULL;
	for (struct entry *e = t->buckets[bucket_of(id)]; e; e = e->hash_next) {
		if (streq(e->held.id, id))
			return e;
	}
	return NULL;
}

static void hash_remove(struct held_table *t, struct entry *e)
{
	struct entry **link = &t->buckets[bucket_of(e->held.id)];

	while (*link != e)
		link = &(*link)->hash_next;
	*link = e->hash_next;
}

/* ---- the heap by deadline */

static void heap_set(struct held_table *t, size_t i, struct entry *e)
{
	t->heap[i] = e;
	e->heap_index = i;
}

static void heap_up(struct held_table *t, size_t i)
{
	struct entry *e = t->heap[i];

	while (i > 0) {
		size_t parent = (i - 1) / 2;

		if (t->heap[parent]->held.deadline_ns <= e->held.deadline_ns)
			break;
		heap_set(t, i, t->heap[parent]);
		i = parent;
	}
	heap_set(t, i, e);
}

static void heap_down(struct held_table *t, size_t i)
{
	struct entry *e = t->heap[i];

	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= t->count)
			break;
		if (child + 1 < t->count &&
		    t->heap[child + 1]->held.deadline_ns < t->heap[child]->held.deadline_ns)
			child++;
		if (e->held.deadline_ns <= t->heap[child]->held.deadline_ns)
			break;
		heap_set(t, i, t->heap[child]);
		i = child;
	}
	heap_set(t, i, e);
}

static int heap_reserve(struct held_table *t)
{
	struct entry **heap;
	size_t cap;

	if (t->count < t->heap_cap)
		return 0;
	cap = t->heap_cap ? 2 * t->heap_cap : HELD_HEAP_MIN;
	heap = reallocarray(t->heap, cap, sizeof(struct entry *));
	if (!heap)
		return -ENOMEM;
	t->heap = heap;
	t->heap_cap = cap;
	return 0;
}

static void entry_freep(struct entry **e)
{
	free(*e);
}

/* ---- the table */

int held_table_new(uint64_t timeout_ns, struct held_table **ret)
{
	struct held_table *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->timeout_ns = timeout_ns;
	t->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (t->event_fd < 0) {
		int r = -errno;

		free(t);
		return r;
	}
	pthread_mutex_init(&t->lock, NULL);
	*ret = t;
	return 0;
}

struct held_table *held_table_free(struct held_table *t)
{
	if (!t)
		return NULL;
	for (struct entry *e = t->oldest, *next; e; e = next) {
		next = e->newer;
		held_group_remove(t, e);
		free(e);
	}
	fd_close(t->event_fd);
	pthread_mutex_destroy(&t->lock);
	free(t->heap);
	free(t);
	return NULL;
}

int held_table_fd(const struct held_table *t)
{
	return t->event_fd;
}

void held_table_ack(struct held_table *t)
{
	uint64_t v;

	(void)!read(t->event_fd, &v, sizeof(v)); /* EAGAIN: nothing to acknowledge */
}

static void link_entry(struct held_table *t, struct entry *e)
{
	struct entry **bucket = &t->buckets[bucket_of(e->held.id)];

	e->hash_next = *bucket;
	*bucket = e;
	e->older = t->newest;
	if (t->newest)
		t->newest->newer = e;
	else
		t->oldest = e;
	t->newest = e;
	heap_set(t, t->count++, e);
	heap_up(t, e->heap_index);
}

static struct held *unlink_entry(struct held_table *t, struct entry *e)
{
	struct entry *last = t->heap[--t->count];

	hash_remove(t, e);
	held_group_remove(t, e);
	if (e->older)
		e->older->newer = e->newer;
	else
		t->oldest = e->newer;
	if (e->newer)
		e->newer->older = e->older;
	else
		t->newest = e->older;
	if (last != e) {
		heap_set(t, e->heap_index, last);
		heap_up(t, last->heap_index);
		heap_down(t, last->heap_index);
	}
	return &e->held;
}

static int add_locked(struct held_table *t, struct entry *e, const struct held_request *q,
		      char ret_id[static HELD_ID_SIZE])
{
	char id[HELD_ID_SIZE];
	int r;

	if (t->count >= HELD_MAX)
		return -ENOSPC;
	r = heap_reserve(t);
	if (r < 0)
		return r;
	do {
		r = held_entry_make_id(id);
		if (r < 0)
			return r;
	} while (find(t, id));
	r = held_group_add(t, e);
	if (r < 0)
		return r;
	r = q->before ? q->before(q->arg, id) : 0;
	if (r != 0) {
		held_group_remove(t, e);
		return r;
	}
	held_entry_set_id(&e->held, id);
	e->held.seq = ++t->last_seq;
	link_entry(t, e);
	memcpy(ret_id, id, HELD_ID_SIZE);
	return 0;
}

int held_table_add(struct held_table *t, const struct held_request *q,
		   char ret_id[static HELD_ID_SIZE])
{
	static const uint64_t one = 1;
	_cleanup_(entry_freep) struct entry *e = held_entry_new(q->record, q->subject);
	uint64_t timeout_ns = q->ask && q->ask->timeout_ns ? q->ask->timeout_ns : t->timeout_ns;
	int ret;

	if (!e)
		return -ENOMEM;
	e->held.question = q->question;
	e->held.notif = q->notif;
	e->held.identity = q->identity;
	e->held.ask = q->ask;
	e->held.charge = q->charge;
	e->held.is_led = q->is_led;
	e->held.has_met = q->has_met;
	e->held.since_ns = clock_monotonic_ns();
	if (__builtin_add_overflow(e->held.since_ns, timeout_ns, &e->held.deadline_ns))
		e->held.deadline_ns = UINT64_MAX;
	pthread_mutex_lock(&t->lock);
	ret = add_locked(t, e, q, ret_id);
	if (ret == 0)
		e = NULL; /* the table's now, and perhaps already taken by the other thread */
	pthread_mutex_unlock(&t->lock);
	if (ret == 0)
		(void)!write(t->event_fd, &one, sizeof(one)); /* EAGAIN: it is readable already */
	return ret;
}

int held_table_get_ask(struct held_table *t, const char *id, const struct policy_ask **ret)
{
	const struct entry *e;

	pthread_mutex_lock(&t->lock);
	e = find(t, id);
	if (e)
		*ret = e->held.ask;
	pthread_mutex_unlock(&t->lock);
	return e ? 0 : -ENOENT;
}

struct held *held_table_take(struct held_table *t, const char *id)
{
	struct held *h = NULL;
	struct entry *e;

	pthread_mutex_lock(&t->lock);
	e = find(t, id);
	if (e)
		h = unlink_entry(t, e);
	pthread_mutex_unlock(&t->lock);
	return h;
}

struct held *held_table_take_same(struct held_table *t, const char *id)
{
	struct held *first = NULL, **end = &first;
	struct entry *e;
	struct group *g;

	pthread_mutex_lock(&t->lock);
	e = find(t, id);
	g = e ? e->group : NULL;
	for (unsigned n = g ? g->n : 0; e; n--) {
		*end = unlink_entry(t, e);
		end = &(*end)->next;
		e = n > 1 ? g->first : NULL; /* with its last member the group goes */
	}
	*end = NULL;
	pthread_mutex_unlock(&t->lock);
	return first;
}

struct held *held_table_take_if(struct held_table *t, bool (*fn)(const struct held *h, void *arg),
				void *arg)
{
	struct held *first = NULL, **end = &first;

	pthread_mutex_lock(&t->lock);
	for (struct entry *e = t->oldest, *newer; e; e = newer) {
		newer = e->newer;
		if (!fn(held_group_show(e), arg))
			continue;
		*end = unlink_entry(t, e);
		end = &(*end)->next;
	}
	*end = NULL;
	pthread_mutex_unlock(&t->lock);
	return first;
}

int held_table_approve(struct held_table *t, const char *id, uid_t uid)
{
	int ret = -ENOENT;
	struct entry *e;
	struct group *g;

	pthread_mutex_lock(&t->lock);
	e = find(t, id);
	g = e ? e->group : NULL;
	if (g)
		ret = g->n_approved < POLICY_MAX_APPROVALS ? 0 : -ENOSPC;
	for (unsigned i = 0; ret == 0 && i < g->n_approved; i++)
		if (g->approved_by[i] == uid)
			ret = -EALREADY;
	if (ret == 0) {
		g->approved_by[g->n_approved++] = uid;
		ret = (int)g->n_approved;
	}
	pthread_mutex_unlock(&t->lock);
	return ret;
}

struct held *held_table_take_expired(struct held_table *t, uint64_t now_ns)
{
	struct held *h = NULL;

	pthread_mutex_lock(&t->lock);
	if (t->count && t->heap[0]->held.deadline_ns <= now_ns)
		h = unlink_entry(t, t->heap[0]);
	pthread_mutex_unlock(&t->lock);
	return h;
}

struct held *held_table_take_any(struct held_table *t)
{
	struct held *h = NULL;

	pthread_mutex_lock(&t->lock);
	if (t->oldest)
		h = unlink_entry(t, t->oldest);
	pthread_mutex_unlock(&t->lock);
	return h;
}

static struct held *copy(struct entry *from)
{
	const struct held *h = held_group_show(from);
	struct entry *e = held_entry_new(&h->record, &h->subject);

	if (!e)
		return NULL;
	held_entry_set_id(&e->held, h->id);
	e->held.seq = h->seq;
	e->held.question = h->question;
	e->held.notif = h->notif;
	e->held.identity = h->identity;
	e->held.since_ns = h->since_ns;
	e->held.deadline_ns = h->deadline_ns;
	e->held.ask = h->ask;
	e->held.charge = h->charge;
	e->held.is_led = h->is_led;
	e->held.has_met = h->has_met;
	e->held.is_first = h->is_first;
	e->held.n_same = h->n_same;
	e->held.n_before = h->n_before;
	e->held.n_approved = h->n_approved;
	memcpy(e->held.approved_by, h->approved_by, sizeof(h->approved_by));
	return &e->held;
}

struct held *held_table_copy(struct held_table *t, const char *id)
{
	struct held *h = NULL;
	struct entry *e;

	pthread_mutex_lock(&t->lock);
	e = find(t, id);
	if (e)
		h = copy(e);
	pthread_mutex_unlock(&t->lock);
	return h;
}

size_t held_table_count(struct held_table *t)
{
	size_t n;

	pthread_mutex_lock(&t->lock);
	n = t->count;
	pthread_mutex_unlock(&t->lock);
	return n;
}

uint64_t held_table_next_deadline(struct held_table *t)
{
	uint64_t ns;

	pthread_mutex_lock(&t->lock);
	ns = t->count ? t->heap[0]->held.deadline_ns : UINT64_MAX;
	pthread_mutex_unlock(&t->lock);
	return ns;
}

void held_table_each_after(struct held_table *t, uint64_t after_seq,
			   bool (*fn)(const struct held *h, void *arg), void *arg)
{
	pthread_mutex_lock(&t->lock);
	for (struct entry *e = t->oldest; e; e = e->newer) {
		if (e->held.seq > after_seq && !fn(held_group_show(e), arg))
			break;
	}
	pthread_mutex_unlock(&t->lock);
}

void held_table_each(struct held_table *t, bool (*fn)(const struct held *h, void *arg), void *arg)
{
	held_table_each_after(t, 0, fn, arg);
}
