/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers on their way from a hand to the session that holds the action. The broker is let in by
 * sessions because it is the user's and outside; so nothing may get here that the user did not do:
 * a token that we made and that was not used, or a click in a notification service that is outside
 * of every session (hands/notify.c sees to that).
 */
#include <sodium.h>
#include <stdio.h>

#include "base/clock.h"

#include "broker/broker_private.h"

#define HTTP_ACCEPTED  0
#define HTTP_FORBIDDEN 403
#define HTTP_GONE      410
#define HTTP_BUSY      503

int answers_send(struct broker *b, const struct question *q, bool approve, const char *via,
		 uint64_t link)
{
	struct control_request request = {.op = approve ? CONTROL_APPROVE : CONTROL_DENY};
	struct pending *p = NULL;
	int r;

	for (size_t i = 0; i < PENDING_MAX && !p; i++)
		if (!b->pending[i].id[0])
			p = &b->pending[i];
	if (!p)
		return -ENOSPC;
	memcpy(request.id, q->id, sizeof(request.id));
	(void)snprintf(request.via, sizeof(request.via), "%s", via);
	r = roster_answer(b->roster, &request);
	if (r < 0)
		return r;
	*p = (struct pending){.via = via, .approve = approve, .link = link};
	memcpy(p->id, q->id, sizeof(p->id));
	return 0;
}

static void describe(const struct pending *p, int r, const json_t *reply, char *out, size_t size)
{
	const char *message = json_string_value(json_object_get(reply, "message"));
	json_int_t missing = json_integer_value(json_object_get(reply, "missing"));

	if (r < 0)
		(void)snprintf(out, size,
			       "The session did not confirm the answer; try again, or look at its "
			       "log.");
	else if (r > 0)
		(void)snprintf(out, size, "Refused: %s.", message ? message : "no reason given");
	else if (missing > 0)
		(void)snprintf(out, size, "Approved; %lld more approvals are wanted.", missing);
	else
		(void)snprintf(out, size, "%s.", p->approve ? "Allowed" : "Denied");
}

void answers_done(void *arg, const char *session, const struct control_request *q, int r,
		  const json_t *reply)
{
	struct broker *b = arg;
	struct question *question;
	struct pending *p = NULL;
	char text[512];

	for (size_t i = 0; i < PENDING_MAX && !p && q->op != CONTROL_ATTEMPT; i++)
		if (streq(b->pending[i].id, q->id))
			p = &b->pending[i];
	if (!p)
		return;
	describe(p, r, reply, text, sizeof(text));
	question = board_find(b, session, q->id);
	if (question && r != 0) {
		question->is_used = false; /* nothing came of it */
		question->is_shown = false;
		b->is_changed = true;
	}
	if (r == 0)
		b->n_answers++;
	else if (r != CONTROL_E_ANSWERED)
		broker_say(b, "an answer via %s to '%s': %s", p->via, q->id, text);
	if (p->link)
		links_reply(b, p->link, r == 0 ? 200 : 409, text);
	*p = (struct pending){};
	roster_hurry(b->roster);
}

/* ---- tokens */

void answers_report(struct broker *b, const char *session, const char *what)
{
	struct roster_session s;
	size_t i;

	b->n_attempts++;
	if (board_session(b, session, &i, &s))
		(void)roster_report(b->roster, i, what); /* too many at once: some are told */
	broker_say(b, "somebody %s and was refused", what);
}

/* The session that a forged token names, if there is one: that is where it is looked for. */
static void report_forged(struct broker *b, struct bytes text, const char *via)
{
	char what[PROBLEM_SIZE];

	(void)snprintf(
		what, sizeof(what),
		"tried to answer by the %s with a link or token that the broker did not make", via);
	for (size_t i = 0; i < roster_count(b->roster); i++) {
		struct roster_session s;

		roster_get(b->roster, i, &s);
		if (text.len && memmem(text.p, text.len, s.name, strlen(s.name)) != NULL) {
			answers_report(b, s.name, what);
			return;
		}
	}
	answers_report(b, "", what);
}

static void report(struct broker *b, const struct token *t, const char *via, const char *how)
{
	char what[PROBLEM_SIZE];

	(void)snprintf(what, sizeof(what),
		       "tried to answer held action '%s' by the %s with a link or token that %s",
		       t->id, via, how);
	answers_report(b, t->session, what);
}

/* Return: 0; a status, with what to say to the person and how to say it in the log. */
static int judge(struct broker *b, const struct token *t, struct question **ret,
		 const char **ret_why, const char **ret_how)
{
	struct question *q = board_find(b, t->session, t->id);

	*ret = q;
	if (clock_realtime_ns() / NS_PER_SEC >= t->expires_s) {
		*ret_why = "This link has expired.";
		*ret_how = "has expired";
		return HTTP_GONE;
	}
	if (!q || sodium_memcmp(q->nonce, t->nonce, sizeof(q->nonce)) != 0) {
		*ret_why = "This action is no longer waiting: it was answered, or has ended.";
		*ret_how = "is of an action that waits no more";
		return HTTP_GONE;
	}
	if (q->is_used) {
		*ret_why = "This action was answered already.";
		*ret_how = "was used already";
		return HTTP_GONE;
	}
	return 0;
}

int answers_look(struct broker *b, struct bytes text, const char *via, struct token *ret_token,
		 struct question **ret, const char **ret_why)
{
	const char *how;

	if (token_read(text, b->key, ret_token) < 0) {
		report_forged(b, text, via);
		*ret_why = "This is no link of this broker's.";
		return HTTP_FORBIDDEN;
	}
	return judge(b, ret_token, ret, ret_why, &how);
}

static const char *mac_text(struct bytes text)
{
	const char *dot = text.len ? memrchr(text.p, '.', text.len) : NULL;

	return dot ? dot + 1 : "";
}

/* One that we took: a server that says it again has not heard that. */
static bool is_accepted(const struct broker *b, struct bytes text)
{
	const char *mac = mac_text(text);
	size_t len = (size_t)(text.p + text.len - mac);

	for (size_t i = 0; *mac && i < MIN(b->n_accepted, (size_t)ACCEPTED_MAX); i++)
		if (bytes_eq_str((struct bytes){mac, len}, b->accepted[i]))
			return true;
	return false;
}

static void accept_token(struct broker *b, struct bytes text)
{
	const char *mac = mac_text(text);

	(void)snprintf(b->accepted[b->n_accepted++ % ACCEPTED_MAX], sizeof(b->accepted[0]), "%.*s",
		       (int)(text.p + text.len - mac), mac);
}

int answers_use(struct broker *b, struct bytes text, const char *via, uint64_t link,
		const char **ret_why)
{
	const char *how = "";
	struct question *q;
	struct token t;
	int r;

	*ret_why = "";
	/* Only who answers by itself, the user's own server, may say it twice. */
	if (!link && is_accepted(b, text))
		return HTTP_ACCEPTED;
	if (token_read(text, b->key, &t) < 0) {
		report_forged(b, text, via);
		*ret_why = "This is no link of this broker's.";
		return HTTP_FORBIDDEN;
	}
	r = judge(b, &t, &q, ret_why, &how);
	if (r) {
		report(b, &t, via, how);
		return r;
	}
	r = answers_send(b, q, t.approve, via, link);
	if (r < 0) {
		*ret_why = "The session cannot be reached now; try again.";
		return HTTP_BUSY;
	}
	q->is_used = true;
	accept_token(b, text);
	return HTTP_ACCEPTED;
}
