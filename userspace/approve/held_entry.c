/* SPDX-License-Identifier: Apache-2.0 */
/* The copy of an action that is held, all in one allocation. */
#include <sys/random.h>

#include "approve/held_private.h"

#define HELD_ARGC_MAX                                                                              \
	1024 /* arguments kept: many empty ones cost no string bytes, but cost vector */

/* ---- entries */

/* The members of a record that are byte strings of their own; `held` is set to the entry's id. */
static const size_t record_strings[] = {
	offsetof(struct audit_record, exe),         offsetof(struct audit_record, object),
	offsetof(struct audit_record, asked),       offsetof(struct audit_record, object2),
	offsetof(struct audit_record, interpreter), offsetof(struct audit_record, cwd),
	offsetof(struct audit_record, policy),      offsetof(struct audit_record, rule),
	offsetof(struct audit_record, reason),      offsetof(struct audit_record, approver),
	offsetof(struct audit_record, note),        offsetof(struct audit_record, suggest),
	offsetof(struct audit_record, steps),       offsetof(struct audit_record, domains),
	offsetof(struct audit_record, listener),
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

static size_t subject_len(const struct grant_subject *s)
{
	size_t len = s ? s->cwd.len + 1 : 0;

	for (size_t i = 0; s && i < s->n_objects; i++)
		len += s->objects[i].text.len + 1;
	for (size_t i = 0; s && i < s->n_names; i++)
		len += s->names[i].len + 1;
	return len;
}

static void copy_subject(struct held *h, const struct grant_subject *s, char **storage)
{
	if (!s)
		return;
	h->subject = *s;
	if (s->cwd.p)
		h->subject.cwd = put(storage, s->cwd, s->cwd.len);
	for (size_t i = 0; i < s->n_objects; i++)
		h->subject.objects[i].text =
			put(storage, s->objects[i].text, s->objects[i].text.len);
	for (size_t i = 0; i < s->n_names; i++)
		h->subject.names[i] = put(storage, s->names[i], s->names[i].len);
}

struct entry *held_entry_new(const struct audit_record *r, const struct grant_subject *subject)
{
	size_t argv_len, argc = argv_fit(r, &argv_len);
	size_t size = sizeof(struct entry) + argc * sizeof(struct bytes) + argv_len +
		      subject_len(subject);
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
	copy_subject(&e->held, subject, &storage);
	return e;
}

void held_entry_set_id(struct held *h, const char *id)
{
	memcpy(h->id, id, HELD_ID_SIZE);
	h->record.held = (struct bytes){.p = h->id, .len = HELD_ID_LEN};
}

struct held *held_free(struct held *h)
{
	free(h);
	return NULL;
}

/* An id that nobody can guess: whoever knows it has seen the list, or the log. Return: 0, -errno.
 */
int held_entry_make_id(char id[static HELD_ID_SIZE])
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
