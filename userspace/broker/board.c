/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The questions that there are, as the roster has them: looked at anew whenever something changed,
 * so nothing has to be remembered, and nothing is missed.
 */
#include <sodium.h>
#include <stdio.h>

#include "base/clock.h"

#include "broker/broker_private.h"

bool board_session(struct broker *b, const char *name, size_t *ret_index,
		   struct roster_session *ret)
{
	for (size_t i = 0; i < roster_count(b->roster); i++) {
		roster_get(b->roster, i, ret);
		if (streq(ret->name, name)) {
			*ret_index = i;
			return true;
		}
	}
	return false;
}

struct question *board_find(struct broker *b, const char *session, const char *id)
{
	for (size_t i = 0; i < b->n_questions; i++)
		if (streq(b->questions[i]->id, id) && streq(b->questions[i]->session, session))
			return b->questions[i];
	return NULL;
}

static struct question *add(struct broker *b, const char *session, const char *id)
{
	struct question *q;

	/* The rest waits: what a hand could do for them all no person could read. */
	if (b->n_questions == QUESTIONS_MAX)
		return NULL;
	q = calloc(1, sizeof(*q));
	if (!q)
		return NULL;
	(void)snprintf(q->id, sizeof(q->id), "%s", id);
	(void)snprintf(q->session, sizeof(q->session), "%s", session);
	randombytes_buf(q->nonce, sizeof(q->nonce));
	b->questions[b->n_questions++] = q;
	return q;
}

void board_forget(struct broker *b, size_t i)
{
	struct question *q = b->questions[i];

	desktop_forget(b, q);
	webhook_forget(b, q);
	memmove(b->questions + i, b->questions + i + 1,
		(--b->n_questions - i) * sizeof(struct question *));
	free(q);
}

static void look_at(struct broker *b, const struct roster_session *s)
{
	for (size_t i = 0; i < MIN(json_array_size(s->held), (size_t)QUESTIONS_PER_SESSION); i++) {
		const json_t *o = json_array_get(s->held, i);
		const char *id = json_string_value(json_object_get(o, "id"));
		json_int_t left_ms = json_integer_value(json_object_get(o, "left_ms"));
		struct question *q = board_find(b, s->name, id);

		if (!q)
			q = add(b, s->name, id);
		if (!q)
			return;
		q->is_seen = true;
		q->deadline_ns = s->seen_ns + (uint64_t)MAX(left_ms, (json_int_t)0) * NS_PER_MSEC;
	}
}

void board_update(struct broker *b)
{
	struct roster_session s;
	size_t index;

	for (size_t i = 0; i < b->n_questions; i++) {
		struct question *q = b->questions[i];

		/* A session of which we do not know what it holds holds what it did. */
		q->is_seen = board_session(b, q->session, &index, &s) && !s.held;
	}
	for (size_t i = 0; i < roster_count(b->roster); i++) {
		roster_get(b->roster, i, &s);
		look_at(b, &s);
	}
	for (size_t i = b->n_questions; i > 0; i--)
		if (!b->questions[i - 1]->is_seen)
			board_forget(b, i - 1);
}

void board_free(struct broker *b)
{
	for (size_t i = 0; i < b->n_questions; i++)
		free(b->questions[i]);
	b->n_questions = 0;
}
