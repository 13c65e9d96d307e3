/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/clock.h"

#include "control/server_private.h"

/* What one held action may take of a page: first its strings nearly whole; if that is too much,
 * short. */
#define ENTRY_STRING_LONG  ((size_t)4096)
#define ENTRY_STRING_SHORT ((size_t)400)
#define ENTRY_MAX          (CONTROL_PACKET_MAX / 2)
#define PAGE_TAIL_BYTES    64 /* for the end of the reply */

static bool handle_status(struct control_server *s, struct client *c)
{
	struct json j = server_begin_reply(s, true);

	json_key_cstr(&j, "session", s->session);
	json_key_u64(&j, "pid", (uint64_t)s->supervisor);
	if (s->is_for_approvers) {
		json_key_cstr(&j, "agent", s->agent);
		json_key_cstr(&j, "user", s->users.owner_name);
	} else {
		json_key_u64(&j, "held", held_table_count(s->held));
		s->ops->status(s->arg, &j);
	}
	json_end_object(&j);
	return server_send_reply(s, c->fd);
}

/*
 * By the socket of approvers only what a rule lets somebody answer who is neither the session's
 * user nor root.
 */
static bool may_answer(const struct control_server *s, const struct client *c,
		       const struct policy_ask *ask)
{
	if (!ask || ask->n_approvers == 0)
		return !s->is_for_approvers;
	return control_peer_is_among(&c->peer, c->fd, ask->approvers, ask->n_approvers);
}

struct page {
	struct control_server *server;
	const struct client *client;
	/* What was found last, for rules repeat. */
	const struct policy_ask *ask;
	bool has_ask, is_theirs;
	uint64_t now_ns;
	uint64_t last_seq; /* of the last entry in it */
	bool has_more;
};

static void write_entry(const struct held *h, uint64_t now_ns, struct strbuf *out)
{
	static const size_t limits[] = {ENTRY_STRING_LONG, ENTRY_STRING_SHORT};

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		struct json j = JSON_INIT(out);

		strbuf_reset(out);
		held_to_json(h, now_ns, limits[i], &j);
		if (!strbuf_error(out))
			return;
	}
}

static bool add_to_page(const struct held *h, void *arg)
{
	_cleanup_(strbuf_fini) struct strbuf entry = STRBUF_INIT(ENTRY_MAX);
	struct page *page = arg;
	struct strbuf *reply = &page->server->reply;

	if (!h->is_first) /* one question is one entry, however many wait for its answer */
		return true;
	if (page->server->is_for_approvers) {
		if (!page->has_ask || page->ask != h->ask)
			page->is_theirs = may_answer(page->server, page->client, h->ask);
		page->has_ask = true;
		page->ask = h->ask;
		if (!page->is_theirs)
			return true;
	}
	write_entry(h, page->now_ns, &entry);
	if (strbuf_error(&entry) || reply->len + entry.len + PAGE_TAIL_BYTES > CONTROL_PACKET_MAX) {
		page->has_more = true;
		return false;
	}
	if (page->last_seq)
		strbuf_add_char(reply, ',');
	strbuf_add_bytes(reply, strbuf_bytes(&entry));
	page->last_seq = h->seq;
	return true;
}

static bool handle_held(struct control_server *s, struct client *c, uint64_t after)
{
	struct page page = {.server = s, .client = c, .now_ns = clock_monotonic_ns()};

	strbuf_reset(&s->reply);
	strbuf_add_fmt(&s->reply, "{\"v\":%d,\"ok\":true,\"held\":[", CONTROL_VERSION);
	held_table_each_after(s->held, after, add_to_page, &page);
	strbuf_add_char(&s->reply, ']');
	if (page.has_more && page.last_seq)
		strbuf_add_fmt(&s->reply, ",\"next\":%llu", (unsigned long long)page.last_seq);
	strbuf_add_char(&s->reply, '}');
	if (page.has_more && !page.last_seq) /* not even one: no memory */
		return server_send_error(s, c->fd, CONTROL_E_INTERNAL, "out of memory");
	return server_send_reply(s, c->fd);
}

/* An id that is not held is the person's mistake, not the client's: the connection goes on. */
static bool send_not_held(struct control_server *s, struct client *c, const char *id)
{
	const struct control_ended *e =
		s->is_for_approvers ? NULL : control_history_find(&s->history, id);
	char message[SERVER_MESSAGE_MAX];

	if (e) {
		control_history_describe(e, clock_monotonic_ns(), message, sizeof(message));
		(void)server_send_error(s, c->fd, CONTROL_E_ANSWERED, message);
	} else {
		(void)server_send_error(s, c->fd, CONTROL_E_UNKNOWN_ID, "no such held action");
	}
	return true;
}

/* A rule may say who answers. Return: false when somebody else tried, and has heard so. */
static bool check_approver(struct control_server *s, struct client *c, const char *id)
{
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(SERVER_MESSAGE_MAX / 2);
	const struct policy_ask *ask = NULL;
	char name[USER_NAME_SIZE], message[SERVER_MESSAGE_MAX];

	if (held_table_get_ask(s->held, id, &ask) < 0 || may_answer(s, c, ask))
		return true;
	user_name(c->peer.uid, name);
	if (!ask || ask->n_approvers == 0)
		strbuf_add_str(&text, s->users.owner_name);
	for (size_t i = 0; ask && i < ask->n_approvers; i++)
		strbuf_add_fmt(&text, "%s%s", i ? ", " : "", ask->approvers[i]);
	(void)snprintf(message, sizeof(message),
		       "the rule lets only %s answer held action '%s', and you are %s",
		       strbuf_error(&text) ? "certain people" : strbuf_str(&text), id, name);
	(void)server_send_error(s, c->fd, CONTROL_E_APPROVER, message);
	(void)snprintf(message, sizeof(message),
		       "tried to answer held action '%s', which only %s may,", id,
		       strbuf_error(&text) ? "certain people" : strbuf_str(&text));
	server_tell_attempt(s, &c->peer, name, message);
	return false;
}

/* Somebody wanted to give more than the policy lets them give. */
static void tell_limit(struct control_server *s, const struct client *c,
		       const struct control_request *q)
{
	char name[USER_NAME_SIZE], term[ANSWER_TERM_SIZE], message[SERVER_MESSAGE_MAX];

	user_name(c->peer.uid, name);
	answer_term_write(&q->term, term);
	(void)snprintf(
		message, sizeof(message),
		"tried to %s held action '%s' with scope %s, for %s, which is more than may be "
		"given,",
		control_op_name(q->op), q->id, answer_scope_name(q->scope), term);
	server_tell_attempt(s, &c->peer, name, message);
}

static bool send_outcome(struct control_server *s, struct client *c,
			 const struct control_outcome *o)
{
	struct json j = server_begin_reply(s, true);

	json_key_u64(&j, "answered", o->answered);
	if (o->missing)
		json_key_u64(&j, "missing", o->missing);
	if (o->grant[0]) {
		json_key_cstr(&j, "grant", o->grant);
		json_key_cstr(&j, "covers", o->text);
	}
	json_end_object(&j);
	return server_send_reply(s, c->fd);
}

static bool handle_answer(struct control_server *s, struct client *c,
			  const struct control_request *q)
{
	struct control_answer a = {
		.id = q->id,
		.approve = q->op == CONTROL_APPROVE,
		.scope = q->scope,
		.term = q->term,
		.rest = q->rest,
		.reason = {.p = q->reason, .len = q->reason_len},
		.uid = c->peer.uid,
	};
	struct control_outcome outcome = {};
	char approver[CONTROL_APPROVER_MAX];
	size_t len;
	int r;

	if (!check_approver(s, c, q->id))
		return true;
	control_peer_describe(&c->peer, &s->users, approver, sizeof(approver));
	len = strlen(approver);
	if (q->via[0])
		(void)snprintf(approver + len, sizeof(approver) - len, " via %s", q->via);
	a.approver = bytes_of(approver);
	r = s->ops->answer(s->arg, &a, &outcome);
	if (r == -ENOENT)
		return send_not_held(s, c, q->id);
	if (r == CONTROL_E_LIMIT)
		tell_limit(s, c, q);
	if (r > 0) { /* the person's mistake: the connection goes on */
		(void)server_send_error(s, c->fd, (enum control_error)r, outcome.text);
		return true;
	}
	if (r < 0)
		return server_send_error(s, c->fd, CONTROL_E_INTERNAL, strerror(-r));
	return send_outcome(s, c, &outcome);
}

#define GRANT_BYTES_MAX ((size_t)8192) /* of one in the list */

static bool handle_grants(struct control_server *s, struct client *c, uint64_t after)
{
	_cleanup_(strbuf_fini) struct strbuf entry = STRBUF_INIT(GRANT_BYTES_MAX);
	size_t i = (size_t)MIN(after, (uint64_t)SIZE_MAX);
	bool is_first = true, has_more = true;

	strbuf_reset(&s->reply);
	strbuf_add_fmt(&s->reply, "{\"v\":%d,\"ok\":true,\"grants\":[", CONTROL_VERSION);
	for (;; i++) {
		struct json j = JSON_INIT(&entry);

		strbuf_reset(&entry);
		has_more = s->ops->grant(s->arg, i, &j);
		if (!has_more || strbuf_error(&entry) ||
		    s->reply.len + entry.len + PAGE_TAIL_BYTES > CONTROL_PACKET_MAX)
			break;
		if (!is_first)
			strbuf_add_char(&s->reply, ',');
		strbuf_add_bytes(&s->reply, strbuf_bytes(&entry));
		is_first = false;
	}
	strbuf_add_char(&s->reply, ']');
	if (has_more && !is_first)
		strbuf_add_fmt(&s->reply, ",\"next\":%zu", i);
	strbuf_add_char(&s->reply, '}');
	return server_send_reply(s, c->fd);
}

static bool handle_revoke(struct control_server *s, struct client *c, const char *id)
{
	struct control_outcome outcome = {};
	char approver[CONTROL_APPROVER_MAX];
	int r;

	control_peer_describe(&c->peer, &s->users, approver, sizeof(approver));
	r = s->ops->revoke(s->arg, id, bytes_of(approver), &outcome);
	if (r == 0)
		return server_send_ok(s, c->fd);
	(void)server_send_error(s, c->fd, r > 0 ? (enum control_error)r : CONTROL_E_UNKNOWN_ID,
				r > 0 ? outcome.text : "no such grant");
	return true;
}

/* What was tried elsewhere, told by who refused it there: the session's log is where it is looked
 * for. */
static bool handle_attempt(struct control_server *s, struct client *c,
			   const struct control_request *q)
{
	char what[SERVER_MESSAGE_MAX / 2];

	(void)snprintf(what, sizeof(what), "%.*s", (int)MIN(q->reason_len, sizeof(what) - 1),
		       q->reason);
	server_tell_attempt(s, &c->peer, "Somebody who went through another process", what);
	return server_send_ok(s, c->fd);
}

static bool handle_why(struct control_server *s, struct client *c, const char *id)
{
	struct json j = server_begin_reply(s, true);

	s->ops->why(s->arg, id, &j);
	json_end_object(&j);
	return server_send_reply(s, c->fd);
}

/* Each report is a record, so they are rationed: an agent must not drown the log. */
static bool take_report(struct control_server *s, uint64_t now_ns)
{
	const uint64_t one_ns = NS_PER_SEC / CONTROL_REPORTS_PER_S;
	uint64_t passed_ns = now_ns - s->report_ns;

	s->report_debt_ns -= MIN(s->report_debt_ns, passed_ns);
	s->report_ns = now_ns;
	if (s->report_debt_ns + one_ns > CONTROL_REPORTS_BURST * one_ns)
		return false;
	s->report_debt_ns += one_ns;
	return true;
}

static bool handle_spend(struct control_server *s, struct client *c,
			 const struct control_request *q)
{
	struct control_report report = {
		.amount = q->amount,
		.source = {.p = q->source, .len = q->source_len},
		.pid = c->peer.pid,
		.is_inside = s->is_inside,
	};
	char reporter[CONTROL_APPROVER_MAX];
	struct json j;

	if (!take_report(s, clock_monotonic_ns())) {
		(void)server_send_error(s, c->fd, CONTROL_E_BUSY,
					"too many reports of spend; try again in a second");
		return true;
	}
	if (!s->is_inside) {
		control_peer_describe(&c->peer, &s->users, reporter, sizeof(reporter));
		report.reporter = bytes_of(reporter);
	}
	j = server_begin_reply(s, true);
	s->ops->spend(s->arg, &report, &j);
	json_end_object(&j);
	return server_send_reply(s, c->fd);
}

static const unsigned approver_ops =
	1U << CONTROL_STATUS | 1U << CONTROL_HELD | 1U << CONTROL_APPROVE | 1U << CONTROL_DENY;

bool server_handle_packet(struct control_server *s, struct client *c, size_t len)
{
	struct control_request q;

	switch (control_request_parse(s->packet, len, &q)) {
	case 0:
		break;
	case CONTROL_E_VERSION:
		return server_send_error(s, c->fd, CONTROL_E_VERSION,
					 "this session runs another version of holdfast");
	case CONTROL_E_UNKNOWN_OP:
		return server_send_error(s, c->fd, CONTROL_E_UNKNOWN_OP, "unknown request");
	default:
		return server_send_error(s, c->fd, CONTROL_E_MALFORMED, "malformed request");
	}
	if (s->is_inside && q.op != CONTROL_SPEND && q.op != CONTROL_WHY) {
		/* An agent that tries to answer, to list or to revoke by the way that it has. */
		if (1U << q.op & ~(1U << CONTROL_STATUS))
			server_tell_attempt(s, &c->peer, "A process of the session",
					    "tried to answer, list or revoke through the session's "
					    "spend socket");
		return server_send_error(s, c->fd, CONTROL_E_UNKNOWN_OP,
					 "this socket takes reports of spend, and `why`, only");
	}
	if (s->is_for_approvers && !(1U << q.op & approver_ops)) {
		server_tell_attempt(s, &c->peer, "An approver",
				    "asked for what only the session's user may do,");
		return server_send_error(s, c->fd, CONTROL_E_UNKNOWN_OP,
					 "this socket takes questions and their answers only");
	}
	switch (q.op) {
	case CONTROL_STATUS:
		return handle_status(s, c);
	case CONTROL_HELD:
		return handle_held(s, c, q.after);
	case CONTROL_APPROVE:
	case CONTROL_DENY:
		return handle_answer(s, c, &q);
	case CONTROL_SPEND:
		return handle_spend(s, c, &q);
	case CONTROL_GRANTS:
		return handle_grants(s, c, q.after);
	case CONTROL_REVOKE:
		return handle_revoke(s, c, q.id);
	case CONTROL_WHY:
		return handle_why(s, c, q.id);
	case CONTROL_ATTEMPT:
		return handle_attempt(s, c, &q);
	case _CONTROL_OP_MAX:
		break;
	}
	return false;
}
