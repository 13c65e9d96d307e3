/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include "audit/proclives.h"

#define BUCKETS   4096
#define FNV_PRIME UINT64_C(1099511628211)
#define FNV_BASIS UINT64_C(14695981039346656037)

struct proclives {
	struct proclife *list;
	size_t n, capacity;
	size_t buckets[BUCKETS];
};

struct proclives *proclives_new(void)
{
	struct proclives *l = calloc(1, sizeof(*l));

	for (size_t i = 0; l && i < BUCKETS; i++)
		l->buckets[i] = PROCLIVES_NONE;
	return l;
}

struct proclives *proclives_free(struct proclives *l)
{
	if (l)
		free(l->list);
	free(l);
	return NULL;
}

uint64_t proclives_session(const json_t *root)
{
	uint64_t h = FNV_BASIS;

	for (const char *p = reader_word(root, "session"); *p; p++)
		h = (h ^ (uint8_t)*p) * FNV_PRIME;
	return h;
}

static size_t *bucket_of(struct proclives *l, uint64_t pid)
{
	return &l->buckets[(pid * UINT64_C(0x9e3779b97f4a7c15)) >> 52];
}

static int begin(struct proclives *l, const struct proclife *life)
{
	size_t capacity = l->capacity ? l->capacity * 2 : 64;
	size_t *bucket = bucket_of(l, life->pid);
	size_t old = proclives_find(l, life->session, life->pid, life->began_ns);
	struct proclife *list;

	/* It may be told twice: ahead, and in its place. */
	if (l->n >= PROCLIVES_MAX ||
	    (old != PROCLIVES_NONE && l->list[old].began_ns == life->began_ns))
		return 0;
	if (l->n == l->capacity) {
		list = realloc(l->list, capacity * sizeof(*list));
		if (!list)
			return -ENOMEM;
		l->list = list;
		l->capacity = capacity;
	}
	l->list[l->n] = *life;
	l->list[l->n].next = *bucket;
	*bucket = l->n++;
	return 0;
}

/* What is told later of a process that began. */
static void go_on(struct proclives *l, const struct proclife *told)
{
	size_t i = proclives_find(l, told->session, told->pid, told->began_ns);

	if (i == PROCLIVES_NONE)
		return;
	memcpy(l->list[i].comm, told->comm, sizeof(told->comm));
	if (told->end == PROCLIFE_UNKNOWN)
		return;
	l->list[i].ended_ns = told->began_ns;
	l->list[i].end = told->end;
	l->list[i].status = told->status;
}

/* One process of the list, at the time that is told. */
static int learn(struct proclives *l, uint64_t session, const json_t *event)
{
	const bool is_signal = json_is_integer(json_object_get(event, "signal"));
	const char *what = reader_word(event, "what"), *comm = reader_word(event, "comm");
	struct proclife life = {.session = session,
				.pid = reader_u64(event, "pid"),
				.ppid = reader_u64(event, "ppid"),
				.ended_ns = UINT64_MAX,
				.node = PROCLIVES_NONE};

	if (!life.pid || clock_parse_rfc3339(reader_word(event, "time"), &life.began_ns) < 0)
		return 0;
	if (strlen(comm) < sizeof(life.comm))
		memcpy(life.comm, comm, strlen(comm));
	if (streq(what, "fork"))
		return begin(l, &life);
	if (streq(what, "exit")) {
		life.end = is_signal ? PROCLIFE_SIGNAL : PROCLIFE_EXIT;
		life.status = reader_u64(event, is_signal ? "signal" : "exit");
	}
	go_on(l, &life);
	return 0;
}

int proclives_learn(struct proclives *l, const json_t *root)
{
	const json_t *list = json_object_get(root, "list");
	const uint64_t session = proclives_session(root);
	int r = 0;

	for (size_t i = 0; r == 0 && i < json_array_size(list); i++)
		r = learn(l, session, json_array_get(list, i));
	return r;
}

size_t proclives_count(const struct proclives *l)
{
	return l->n;
}

void proclives_truncate(struct proclives *l, size_t n)
{
	while (l->n > n) {
		const struct proclife *last = &l->list[--l->n];

		*bucket_of(l, last->pid) = last->next;
	}
}

struct proclife *proclives_get(const struct proclives *l, size_t i)
{
	return &l->list[i];
}

size_t proclives_find(const struct proclives *l, uint64_t session, uint64_t pid, uint64_t time_ns)
{
	size_t i = *bucket_of((struct proclives *)(uintptr_t)l, pid);

	for (; i != PROCLIVES_NONE; i = l->list[i].next) {
		const struct proclife *life = &l->list[i];

		if (life->pid == pid && life->session == session && life->began_ns <= time_ns)
			return life->ended_ns >= time_ns ? i : PROCLIVES_NONE;
	}
	return PROCLIVES_NONE;
}

size_t proclives_parent(const struct proclives *l, size_t i)
{
	const struct proclife *life = &l->list[i];
	size_t parent = proclives_find(l, life->session, life->ppid, life->began_ns);

	return parent != PROCLIVES_NONE && l->list[parent].began_ns < life->began_ns
		       ? parent
		       : PROCLIVES_NONE;
}
