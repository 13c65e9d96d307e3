/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdio.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "base/sha256.h"

#include "supervise/denials.h"

#define TEXT_MAX   512                /* of one string that is kept */
#define LOOPS      256                /* different denials that are counted; a power of two */
#define FORGET_NS  (600 * NS_PER_SEC) /* without another of its kind a count begins anew */
#define FNV_PRIME  UINT64_C(1099511628211)
#define FNV_BASIS  UINT64_C(14695981039346656037)
#define TELL_AFTER 2 /* times the repeats that begin it */
#define STOP_AFTER 3

struct text {
	unsigned short len;
	bool is_there;
	char p[TEXT_MAX];
};

struct kept {
	uint64_t time_ns;
	enum action_kind kind;
	enum action_op op;
	int error;
	unsigned n;
	struct text held, object, command, policy, rule, reason, suggest, approver;
};

struct loop {
	uint64_t hash, last_ns;
	unsigned n;
};

struct delayed {
	uint64_t id, due_ns;
	int error;
};

struct denials {
	pthread_mutex_t lock;
	unsigned repeats;
	bool stops;
	int event_fd;
	size_t next; /* where the next one is kept */
	struct kept kept[DENIALS_KEPT];
	struct loop loops[LOOPS];
	size_t n_delayed;
	struct delayed delayed[DENIALS_DELAYED];
};

int denials_new(unsigned repeats, bool stops, struct denials **ret)
{
	struct denials *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return -ENOMEM;
	d->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (d->event_fd < 0) {
		r = -errno;
		free(d);
		return r;
	}
	d->repeats = repeats;
	d->stops = stops;
	pthread_mutex_init(&d->lock, NULL);
	*ret = d;
	return 0;
}

struct denials *denials_free(struct denials *d)
{
	if (d) {
		fd_close(d->event_fd);
		pthread_mutex_destroy(&d->lock);
		free(d);
	}
	return NULL;
}

static uint64_t hash_bytes(uint64_t hash, struct bytes s)
{
	/* FNV-1a. Whoever makes two actions look equal only slows himself down sooner. */
	for (size_t i = 0; i < s.len; i++)
		hash = (hash ^ (unsigned char)s.p[i]) * FNV_PRIME;
	return (hash ^ s.len) * FNV_PRIME;
}

static uint64_t hash_record(const struct audit_record *r)
{
	uint64_t hash = (FNV_BASIS ^ (unsigned)r->kind) * FNV_PRIME;

	hash = (hash ^ (unsigned)r->op) * FNV_PRIME;
	hash = hash_bytes(hash_bytes(hash, r->object), r->object2);
	for (size_t i = 0; r->argv && i < r->argc; i++)
		hash = hash_bytes(hash, r->argv[i]);
	return hash ? hash : 1;
}

/*
 * What an agent does on purpose: programs, connections, and whatever a person said no to. What
 * programs look for and may not open is the same all day, and slowing it down would help nobody.
 */
static bool counts(const struct audit_record *r)
{
	/* Every program that looks a name up tries this, and then goes another way. */
	if (bytes_eq_str(r->policy, "builtin") && bytes_eq_str(r->rule, "other-resolver"))
		return false;
	return r->kind == KIND_TOOL || r->kind == KIND_NETWORK || r->approver.len > 0;
}

/* A place in the table for @hash: its own, or the one of four that is longest unused. */
static struct loop *find_loop(struct denials *d, uint64_t hash)
{
	struct loop *oldest = NULL;

	for (size_t i = 0; i < 4; i++) {
		struct loop *l = &d->loops[(hash + i) & (LOOPS - 1)];

		if (l->hash == hash)
			return l;
		if (!oldest || l->last_ns < oldest->last_ns)
			oldest = l;
	}
	*oldest = (struct loop){.hash = hash};
	return oldest;
}

static unsigned count(struct denials *d, const struct audit_record *r)
{
	uint64_t now_ns = clock_monotonic_ns();
	struct loop *l = find_loop(d, hash_record(r));

	if (now_ns - l->last_ns > FORGET_NS)
		l->n = 0;
	l->last_ns = now_ns;
	return ++l->n;
}

static void keep_text(struct text *t, struct bytes s)
{
	t->is_there = s.p != NULL;
	t->len = (unsigned short)MIN(s.len, sizeof(t->p));
	if (t->len)
		memcpy(t->p, s.p, t->len);
}

static void keep_command(struct text *t, const struct audit_record *r)
{
	t->is_there = r->argc > 0;
	t->len = 0;
	for (size_t i = 0; r->argv && i < r->argc && t->len < sizeof(t->p); i++) {
		size_t room = sizeof(t->p) - t->len, len;

		if (i && room)
			t->p[t->len++] = ' ', room--;
		len = MIN(r->argv[i].len, room);
		if (len)
			memcpy(t->p + t->len, r->argv[i].p, len);
		t->len = (unsigned short)(t->len + len);
	}
}

static void keep(struct denials *d, const struct audit_record *r, unsigned n)
{
	struct kept *k = &d->kept[d->next++ % DENIALS_KEPT];

	k->time_ns = clock_realtime_ns();
	k->kind = r->kind;
	k->op = r->op;
	k->error = r->error;
	k->n = n;
	keep_text(&k->held, r->held);
	keep_text(&k->object, r->object);
	keep_command(&k->command, r);
	keep_text(&k->policy, r->policy);
	keep_text(&k->rule, r->rule);
	keep_text(&k->reason, r->reason);
	keep_text(&k->suggest, r->suggest);
	keep_text(&k->approver, r->approver);
}

static uint64_t delay_of(unsigned over)
{
	uint64_t ns = DENIALS_DELAY_NS;

	for (; over > 0 && ns < DENIALS_DELAY_MAX; over--)
		ns *= 2;
	return MIN(ns, DENIALS_DELAY_MAX);
}

void denials_note(struct denials *d, const struct audit_record *r, struct denial *ret)
{
	*ret = (struct denial){};
	pthread_mutex_lock(&d->lock);
	ret->n = counts(r) ? count(d, r) : 1;
	keep(d, r, ret->n);
	pthread_mutex_unlock(&d->lock);
	if (!d->repeats || ret->n < d->repeats || !counts(r))
		return;
	ret->delay_ns = delay_of(ret->n - d->repeats);
	ret->tells = ret->n == TELL_AFTER * d->repeats;
	ret->stops = d->stops && ret->n >= STOP_AFTER * d->repeats;
}

/* ---- answers that wait */

bool denials_delay(struct denials *d, uint64_t id, int error, uint64_t due_ns)
{
	static const uint64_t one = 1;
	bool has_room;

	pthread_mutex_lock(&d->lock);
	has_room = d->n_delayed < DENIALS_DELAYED;
	if (has_room)
		d->delayed[d->n_delayed++] =
			(struct delayed){.id = id, .error = error, .due_ns = due_ns};
	pthread_mutex_unlock(&d->lock);
	if (has_room)
		(void)!write(d->event_fd, &one, sizeof(one)); /* EAGAIN: it is readable already */
	return has_room;
}

int denials_fd(const struct denials *d)
{
	return d->event_fd;
}

void denials_ack(struct denials *d)
{
	uint64_t v;

	(void)!read(d->event_fd, &v, sizeof(v)); /* EAGAIN: nothing to acknowledge */
}

uint64_t denials_next(struct denials *d)
{
	uint64_t next = UINT64_MAX;

	pthread_mutex_lock(&d->lock);
	for (size_t i = 0; i < d->n_delayed; i++)
		next = MIN(next, d->delayed[i].due_ns);
	pthread_mutex_unlock(&d->lock);
	return next;
}

bool denials_take(struct denials *d, uint64_t now_ns, uint64_t *ret_id, int *ret_error)
{
	bool found = false;

	pthread_mutex_lock(&d->lock);
	for (size_t i = 0; !found && i < d->n_delayed; i++) {
		struct delayed *e = &d->delayed[i];

		if (e->due_ns > now_ns)
			continue;
		*ret_id = e->id;
		*ret_error = e->error;
		*e = d->delayed[--d->n_delayed];
		found = true;
	}
	pthread_mutex_unlock(&d->lock);
	return found;
}

/* ---- why */

static void key_text(struct json *j, const char *key, const struct text *t)
{
	json_key_str(j, key, t->is_there ? (struct bytes){t->p, t->len} : BYTES_NULL);
}

static void write_kept(const struct kept *k, unsigned repeats, struct json *j)
{
	char time[CLOCK_RFC3339_SIZE];

	clock_format_rfc3339(k->time_ns, time);
	json_begin_object(j);
	json_key_cstr(j, "time", time);
	key_text(j, "held", &k->held);
	json_key_cstr(j, "kind", kind_name(k->kind));
	json_key_cstr(j, "op", op_name(k->op));
	key_text(j, "object", &k->object);
	key_text(j, "command", &k->command);
	json_key_cstr(j, "errno", strerrorname_np(k->error));
	key_text(j, "policy", &k->policy);
	key_text(j, "rule", &k->rule);
	key_text(j, "reason", &k->reason);
	key_text(j, "suggest", &k->suggest);
	key_text(j, "approver", &k->approver);
	json_key_u64(j, "times", k->n);
	json_key_bool(j, "repeating_helps", !(repeats && k->n >= repeats));
	json_end_object(j);
}

void denials_why(struct denials *d, const char *id, struct json *j)
{
	json_key(j, "denials");
	json_begin_array(j);
	pthread_mutex_lock(&d->lock);
	for (size_t i = d->next; i > 0 && i + DENIALS_KEPT > d->next; i--) {
		const struct kept *k = &d->kept[(i - 1) % DENIALS_KEPT];

		if (id[0] && !bytes_eq_str((struct bytes){k->held.p, k->held.len}, id))
			continue;
		write_kept(k, d->repeats, j);
		break;
	}
	pthread_mutex_unlock(&d->lock);
	json_end_array(j);
}
