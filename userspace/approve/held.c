/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One allocation for an entry: the struct, the argument vector, all strings. Three indices over the
 * entries: a hash by id (for answers), a binary min-heap by deadline (for timeouts; deadlines need
 * not be in order of arrival) and a list in order of arrival (for people).
 */
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/escape.h"

#include "approve/held.h"

#define HELD_BUCKETS  4096 /* a power of two */
#define HELD_ID_LEN   (HELD_ID_SIZE - 1)
#define HELD_HEAP_MIN 64
#define HELD_ARGC_MAX                                                                              \
	1024 /* arguments kept: many empty ones cost no string bytes, but cost vector */

struct entry {
	struct held held; /* first: what the callers see */
	struct entry *hash_next;
	struct entry *older, *newer;
	size_t heap_index;
};

struct held_table {
	pthread_mutex_t lock;
	uint64_t timeout_ns;
	uint64_t last_seq;
	int event_fd;
	size_t count;
	size_t heap_cap;
	struct entry **heap;
	struct entry *oldest, *newest;
	struct entry *buckets[HELD_BUCKETS];
};

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

/* ---- entries */

/* The members of a record that are byte strings of their own; `held` is set to the entry's id. */
static const size_t record_strings[] = {
	offsetof(struct audit_record, exe),         offsetof(struct audit_record, object),
	offsetof(struct audit_record, asked),       offsetof(struct audit_record, object2),
	offsetof(struct audit_record, interpreter), offsetof(struct audit_record, cwd),
	offsetof(struct audit_record, policy),      offsetof(struct audit_record, rule),
	offsetof(struct audit_record, reason),      offsetof(struct audit_record, approver),
	offsetof(struct audit_record, note),        offsetof(struct audit_record, suggest),
	offsetof(struct audit_record, steps),
};

static struct bytes string_at(const struct audit_record *r, size_t offset)
{
	struct bytes s;

	memcpy(&s, (const char *)r + offset, sizeof(s));
	return s;
}

/* Return: how many of @r's arguments fit; *ret_len: the bytes to keep of them, NULs included. */
static size_t argv_fit(const struct audit_record *r, size_t *ret_len)
{
	size_t n = 0, len = 0;

	while (r->argv && n < r->argc && n < HELD_ARGC_MAX && len < AUDIT_STRING_MAX) {
		len += MIN(r->argv[n].len + 1, AUDIT_STRING_MAX - len);
		n++;
	}
	*ret_len = len;
	return n;
}

static struct bytes put(char **storage, struct bytes s, size_t max)
{
	struct bytes copy = {.p = *storage, .len = MIN(s.len, max)};

	if (copy.len)
		memcpy(*storage, s.p, copy.len);
	(*storage)[copy.len] = '\0';
	*storage += copy.len + 1;
	return copy;
}

static void copy_argv(struct held *h, const struct audit_record *r, struct bytes *argv, size_t argc,
		      char **storage)
{
	size_t left = AUDIT_STRING_MAX;

	for (size_t i = 0; i < argc; i++) {
		argv[i] = put(storage, r->argv[i], left - 1);
		if (argv[i].len < r->argv[i].len)
			h->record.argv_truncated = true;
		left -= argv[i].len + 1;
	}
	if (argc < r->argc)
		h->record.argv_truncated = true;
	h->record.argv = argv;
	h->record.argc = argc;
}

static struct entry *entry_new(const struct audit_record *r)
{
	size_t argv_len, argc = argv_fit(r, &argv_len);
	size_t size = sizeof(struct entry) + argc * sizeof(struct bytes) + argv_len;
	struct entry *e;
	char *storage;

	for (size_t i = 0; i < ARRAY_SIZE(record_strings); i++)
		size += MIN(string_at(r, record_strings[i]).len, AUDIT_STRING_MAX) + 1;
	e = malloc(size);
	if (!e)
		return NULL;
	*e = (struct entry){.held = {.tid = r->tid, .record = *r}};
	storage = (char *)(e + 1) + argc * sizeof(struct bytes);
	copy_argv(&e->held, r, (struct bytes *)(e + 1), argc, &storage);
	for (size_t i = 0; i < ARRAY_SIZE(record_strings); i++) {
		struct bytes s = string_at(r, record_strings[i]);

		if (s.p)
			s = put(&storage, s, AUDIT_STRING_MAX);
		memcpy((char *)&e->held.record + record_strings[i], &s, sizeof(s));
	}
	return e;
}

static void set_id(struct held *h, const char *id)
{
	memcpy(h->id, id, HELD_ID_SIZE);
	h->record.held = (struct bytes){.p = h->id, .len = HELD_ID_LEN};
}

struct held *held_free(struct held *h)
{
	free(h);
	return NULL;
}

static void entry_freep(struct entry **e)
{
	free(*e);
}

/* An id that nobody can guess: whoever knows it has seen the list, or the log. Return: 0, -errno.
 */
static int make_id(char id[static HELD_ID_SIZE])
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz23456789";
	const unsigned n_letters = sizeof(letters) - 1, fair = 256 / n_letters * n_letters;
	size_t n = 0;

	while (n < HELD_ID_LEN) {
		unsigned char random[16];
		ssize_t got = getrandom(random, sizeof(random), 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		for (ssize_t i = 0; i < got && n < HELD_ID_LEN; i++) {
			if (random[i] < fair) /* the rest would favour the first letters */
				id[n++] = letters[random[i] % n_letters];
		}
	}
	id[HELD_ID_LEN] = '\0';
	return 0;
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
		r = make_id(id);
		if (r < 0)
			return r;
	} while (find(t, id));
	r = q->before ? q->before(q->arg, id) : 0;
	if (r != 0)
		return r;
	set_id(&e->held, id);
	e->held.seq = ++t->last_seq;
	link_entry(t, e);
	memcpy(ret_id, id, HELD_ID_SIZE);
	return 0;
}

int held_table_add(struct held_table *t, const struct held_request *q,
		   char ret_id[static HELD_ID_SIZE])
{
	static const uint64_t one = 1;
	_cleanup_(entry_freep) struct entry *e = entry_new(q->record);
	uint64_t timeout_ns = q->ask && q->ask->timeout_ns ? q->ask->timeout_ns : t->timeout_ns;
	int ret;

	if (!e)
		return -ENOMEM;
	e->held.notif = q->notif;
	e->held.identity = q->identity;
	e->held.ask = q->ask;
	e->held.charge = q->charge;
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

struct held *held_table_copy_oldest(struct held_table *t)
{
	struct entry *e = NULL;

	pthread_mutex_lock(&t->lock);
	if (t->oldest) {
		const struct held *h = &t->oldest->held;

		e = entry_new(&h->record);
		if (e) {
			set_id(&e->held, h->id);
			e->held.seq = h->seq;
			e->held.notif = h->notif;
			e->held.identity = h->identity;
			e->held.since_ns = h->since_ns;
			e->held.deadline_ns = h->deadline_ns;
			e->held.ask = h->ask;
			e->held.charge = h->charge;
		}
	}
	pthread_mutex_unlock(&t->lock);
	return e ? &e->held : NULL;
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
		if (e->held.seq > after_seq && !fn(&e->held, arg))
			break;
	}
	pthread_mutex_unlock(&t->lock);
}

void held_table_each(struct held_table *t, bool (*fn)(const struct held *h, void *arg), void *arg)
{
	held_table_each_after(t, 0, fn, arg);
}
