/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supervisor's end of the asker (asker.h). It never waits for it: what does not fit into the
 * socket now is asked when the timer of held actions comes round.
 */
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/escape.h"

#include "control/session_private.h"

#define ANSWERS_MAX 64 /* that are read in one go */

/* Of one held action: its strings nearly whole, or, when that is too much, short. */
static const size_t string_limits[] = {2048, 300};

int session_ask_init(struct session *s, uint32_t source)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u32 = source};

	if (s->config->asker < 0)
		return 0;
	s->asker.fd = s->config->asker;
	return epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->asker.fd, &ev) < 0 ? -errno : 0;
}

void session_ask_fini(struct session *s)
{
	s->asker.fd = fd_close(s->asker.fd);
}

/* A rule that names who answers means people. */
static bool may_be_asked(const struct session *s, const struct held *h)
{
	if (s->config->ask == ASK_TMUX)
		return session_user_may_answer(h);
	return !h->ask || h->ask->n_approvers == 0;
}

bool session_ask_takes(const struct session *s, const struct held *h)
{
	/* Without a program nobody can be asked, so that is a deny; people have other ways. */
	bool is_taken =
		s->config->ask == ASK_COMMAND || (s->config->ask == ASK_TMUX && s->asker.fd >= 0);

	return is_taken && may_be_asked(s, h);
}

static char (*find(struct session *s, const char *id))[HELD_ID_SIZE]
{
	for (size_t i = 0; i < ARRAY_SIZE(s->asker.asked); i++)
		if (streq(s->asker.asked[i], id))
			return &s->asker.asked[i];
	return NULL;
}

static void write_question(const struct session *s, const struct held *h, struct strbuf *out)
{
	uint64_t now_ns = clock_monotonic_ns();
	uint64_t left_ms =
		h->deadline_ns > now_ns ? (h->deadline_ns - now_ns) / NS_PER_MSEC : UINT64_C(0);

	for (size_t i = 0; i < ARRAY_SIZE(string_limits); i++) {
		struct json j = JSON_INIT(out);

		strbuf_reset(out);
		strbuf_add_fmt(out, "ask %s %llu\n", h->id, (unsigned long long)left_ms);
		held_to_json(h, now_ns, string_limits[i], &j);
		if (strbuf_error(out))
			continue;
		/* Two more keys for the object that was just closed. */
		strbuf_truncate(out, out->len - 1);
		strbuf_add_str(out, ",\"session\":\"");
		escape_json(out, bytes_of(s->config->session));
		strbuf_add_str(out, "\",\"agent\":\"");
		escape_json(out, bytes_of(s->config->agent));
		strbuf_add_str(out, "\"}\n");
		if (!strbuf_error(out))
			return;
	}
}

static bool ask_one(const struct held *h, void *arg)
{
	_cleanup_(strbuf_fini) struct strbuf b = STRBUF_INIT(ASKER_QUESTION_MAX);
	struct session *s = arg;
	char(*slot)[HELD_ID_SIZE] = find(s, "");

	if (!slot)
		return false;
	if (!may_be_asked(s, h) || !h->is_first || find(s, h->id))
		return true;
	write_question(s, h, &b);
	if (strbuf_error(&b) || send(s->asker.fd, b.p, b.len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return false;
	memcpy(slot, h->id, HELD_ID_SIZE);
	return true;
}

struct first {
	const struct session *session;
	char id[HELD_ID_SIZE]; /* "" when there is none */
};

static bool find_first(const struct held *h, void *arg)
{
	struct first *first = arg;

	if (!may_be_asked(first->session, h))
		return true;
	memcpy(first->id, h->id, HELD_ID_SIZE);
	return false;
}

/* Nobody can be asked: fail closed. */
static void deny_all(struct session *s)
{
	char reason[ASKER_APPROVER_MAX + 64];
	struct first first = {.session = s};
	struct held *h;

	(void)snprintf(reason, sizeof(reason), "%s cannot be asked: its process has ended.",
		       s->config->asker_name);
	do {
		first.id[0] = '\0';
		held_table_each(s->held, find_first, &first);
		h = first.id[0] ? held_table_take(s->held, first.id) : NULL;
		if (h)
			supervise_end_hold(s->supervise, h, HOLD_DENIED, bytes_of(reason),
					   bytes_of(s->config->asker_name));
	} while (first.id[0]);
}

void session_ask_next(struct session *s)
{
	if (s->asker.fd >= 0)
		held_table_each(s->held, ask_one, s);
	else if (s->config->ask == ASK_COMMAND)
		deny_all(s);
}

void session_ask_ended(struct session *s, const char *id)
{
	char(*slot)[HELD_ID_SIZE] = find(s, id);
	char text[ASKER_HEAD_MAX];
	int n;

	if (!slot)
		return;
	n = snprintf(text, sizeof(text), "end %s", id);
	/* If it does not fit, the program answers what nobody asks any more. */
	if (s->asker.fd >= 0)
		(void)send(s->asker.fd, text, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	*slot[0] = '\0';
}

static void lose(struct session *s)
{
	char note[ASKER_APPROVER_MAX + 64];
	int n;

	n = snprintf(note, sizeof(note), "The process that asks %s has ended",
		     s->config->asker_name);
	session_notice(s, (struct bytes){.p = note, .len = (size_t)n});
	/* Closing would not do: the launcher has the socket as well. */
	(void)epoll_ctl(s->epoll, EPOLL_CTL_DEL, s->asker.fd, NULL);
	s->asker.fd = fd_close(s->asker.fd);
	memset(s->asker.asked, 0, sizeof(s->asker.asked));
	if (s->config->ask == ASK_TMUX)
		session_announce_all(s);
}

/* Only what it was asked: an asker has no more rights than that. */
static void take_answer(struct session *s, const char *packet, size_t len)
{
	struct control_outcome outcome = {};
	struct control_answer a = {.uid = getuid()};
	struct control_request q;
	char(*slot)[HELD_ID_SIZE];

	if (s->config->ask != ASK_COMMAND || control_request_parse(packet, len, &q) != 0 ||
	    (q.op != CONTROL_APPROVE && q.op != CONTROL_DENY))
		return;
	slot = find(s, q.id);
	if (!slot)
		return; /* it ended meanwhile */
	*slot[0] = '\0';
	a.id = q.id;
	a.approve = q.op == CONTROL_APPROVE;
	a.scope = q.scope;
	a.term = q.term;
	a.rest = q.rest;
	a.reason = (struct bytes){.p = q.reason, .len = q.reason_len};
	a.approver = bytes_of(s->config->asker_name);
	if (session_answer(s, &a, &outcome) <= 0)
		return;
	/* It wanted to give more than there is to give: nothing was answered, so that is a deny. */
	a = (struct control_answer){
		.id = q.id, .approver = a.approver, .reason = bytes_of(outcome.text), .uid = a.uid};
	(void)session_answer(s, &a, &outcome);
}

void session_ask_dispatch(struct session *s)
{
	char packet[ASKER_QUESTION_MAX];

	for (int i = 0; i < ANSWERS_MAX && s->asker.fd >= 0; i++) {
		ssize_t n = recv(s->asker.fd, packet, sizeof(packet), MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			lose(s);
			return;
		}
		take_answer(s, packet, (size_t)n);
	}
}
