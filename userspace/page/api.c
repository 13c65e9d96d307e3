/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is answered, but for what comes from logs. Strings of sessions are the agents' and go out as
 * they came, as JSON of pure ASCII: the page shows them escaped.
 */
#include <stdio.h>

#include "base/user.h"
#include "control/client.h"

#include "page/page_private.h"

#define HELD_SHOWN   ((size_t)200) /* entries of one reply */
#define HELD_MAX_LEN ((size_t)6 << 20)

/* ---- letting in */

static void handle_login(struct request *q)
{
	const char *token = request_argument(q, "token");
	_cleanup_(freep) char *link = NULL;
	struct page *p = q->page;

	if (!logins_enter(&p->logins, bytes_of(token), &q->login)) {
		request_fail(q, MHD_HTTP_FORBIDDEN,
			     "this link is not valid, or was used: open the one that `holdfast "
			     "page` printed last");
		return;
	}
	if (asprintf(&q->cookie, "%s=%s; Path=/%s/; HttpOnly; SameSite=Strict", p->cookie_name,
		     q->login.cookie, p->base) < 0)
		q->cookie = NULL;
	/*
	 * Not a redirect: a browser that was led here from elsewhere would not send a strict cookie
	 * along it. Nor does the token stay in its history.
	 */
	strbuf_add_fmt(&q->out,
		       "<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\">"
		       "<meta http-equiv=\"refresh\" content=\"0;url=/%s/\">"
		       "<title>Holdfast</title><p><a href=\"/%s/\">Go on</a>",
		       p->base, p->base);
	q->status = q->cookie ? MHD_HTTP_OK : MHD_HTTP_INTERNAL_SERVER_ERROR;
	q->type = "text/html; charset=utf-8";
	link = page_link(p);
	if (link)
		p->config.on_link(p->config.arg, link);
}

static void handle_logout(struct request *q)
{
	struct json j = request_json(q);

	json_end_object(&j);
	logins_leave(&q->page->logins, &q->login);
	if (asprintf(&q->cookie, "%s=; Path=/%s/; HttpOnly; SameSite=Strict; Max-Age=0",
		     q->page->cookie_name, q->page->base) < 0)
		q->cookie = NULL;
}

static void handle_state(struct request *q)
{
	struct json j = request_json(q);
	char name[USER_NAME_SIZE];

	user_name(geteuid(), name);
	json_key_cstr(&j, "csrf", q->login.csrf);
	json_key_cstr(&j, "user", name);
	json_end_object(&j);
}

static void handle_events(struct request *q)
{
	q->status = MHD_HTTP_OK;
	q->type = "text/event-stream";
}

/* ---- what is held */

struct listing {
	struct json *j;
	struct strbuf errors; /* the inside of an array */
	size_t n, n_more;
};

static void add_value(struct json *j, const char *key, const json_t *value)
{
	char *text = value ? json_dumps(value, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_ENCODE_ANY)
			   : NULL;

	json_key(j, key);
	if (text) {
		/* The writer has no call for what is JSON already. */
		strbuf_add_str(j->out, text);
		j->after_key = false;
		j->needs_comma[j->depth] = true;
	} else {
		json_none(j);
	}
	free(text);
}

/* A session that ends closes its connections: that is no failure. */
static bool has_gone(int error)
{
	return error == -ECONNRESET || error == -EPIPE;
}

static void add_error(struct listing *l, const char *session, const char *message)
{
	struct json j = JSON_INIT(&l->errors);

	if (l->errors.len)
		strbuf_add_char(&l->errors, ',');
	json_begin_object(&j);
	json_key_cstr(&j, "session", session);
	json_key_cstr(&j, "message", message);
	json_end_object(&j);
}

static void add_entry(struct listing *l, json_t *entry, const json_t *status)
{
	const char *key;
	json_t *value;

	if (!json_is_object(entry))
		return;
	if (l->n == HELD_SHOWN || l->j->out->len > HELD_MAX_LEN) {
		l->n_more++;
		return;
	}
	l->n++;
	json_begin_object(l->j);
	add_value(l->j, "session", json_object_get(status, "session"));
	add_value(l->j, "agent", json_object_get(status, "agent"));
	json_object_foreach(
		entry, key,
		value) if (guard_is_session_name(key) && !streq(key, "session") &&
			   !streq(key, "agent")) /* a plain word, as json_key() wants it */
		add_value(l->j, key, value);
	json_end_object(l->j);
}

static int list_held(struct control_client *c, void *arg)
{
	struct control_request q = {.op = CONTROL_STATUS};
	_cleanup_(json_decrefp) json_t *status = NULL;
	struct listing *l = arg;
	int r = control_call(c, &q, &status);

	q.op = CONTROL_HELD;
	while (r == 0) {
		_cleanup_(json_decrefp) json_t *reply = NULL;
		const json_t *entries;
		json_int_t next;

		r = control_call(c, &q, &reply);
		entries = json_object_get(reply, "held");
		for (size_t i = 0; r == 0 && i < json_array_size(entries); i++)
			add_entry(l, json_array_get(entries, i), status);
		next = json_integer_value(json_object_get(reply, "next"));
		if (r || next <= 0 || (uint64_t)next <= q.after || l->n == HELD_SHOWN)
			break;
		q.after = (uint64_t)next;
	}
	if (r == 0 && l->n == HELD_SHOWN) {
		json_int_t all = json_integer_value(json_object_get(status, "held"));

		l->n_more += all > (json_int_t)HELD_SHOWN ? (size_t)all - HELD_SHOWN : 0;
	}
	if (r && !has_gone(r))
		add_error(l, c->session,
			  r < 0 ? strerror(-r) : control_error_name((enum control_error)r));
	return 0; /* the other sessions still count */
}

static void list_refused(const char *session, int error, const char *message, void *arg)
{
	if (!has_gone(error))
		add_error(arg, session, message);
}

static void handle_held(struct request *q)
{
	struct json j = request_json(q);
	struct listing l = {.j = &j, .errors = STRBUF_INIT((size_t)64 * 1024)};
	int r;

	json_key(&j, "held");
	json_begin_array(&j);
	r = control_each_session(NULL, list_held, list_refused, &l);
	json_end_array(&j);
	json_key_u64(&j, "more", l.n_more);
	strbuf_add_str(&q->out, ",\"errors\":[");
	strbuf_add_bytes(&q->out, strbuf_bytes(&l.errors));
	strbuf_add_str(&q->out, "]");
	json_end_object(&j);
	strbuf_fini(&l.errors);
	if (r < 0)
		request_fail(q, MHD_HTTP_INTERNAL_SERVER_ERROR, strerror(-r));
}

/* ---- sessions */

static int list_status(struct control_client *c, void *arg)
{
	const struct control_request q = {.op = CONTROL_STATUS};
	_cleanup_(json_decrefp) json_t *status = NULL;
	struct listing *l = arg;
	int r = control_call(c, &q, &status);

	if (r) {
		list_refused(c->session, r, r < 0 ? strerror(-r) : "refused", l);
		return 0;
	}
	json_begin_object(l->j);
	add_value(l->j, "session", json_object_get(status, "session"));
	add_value(l->j, "agent", json_object_get(status, "agent"));
	add_value(l->j, "command", json_object_get(status, "command"));
	add_value(l->j, "pid", json_object_get(status, "pid"));
	add_value(l->j, "held", json_object_get(status, "held"));
	add_value(l->j, "log", json_object_get(status, "log"));
	add_value(l->j, "counts", json_object_get(status, "counts"));
	json_end_object(l->j);
	return 0;
}

static void handle_sessions(struct request *q)
{
	struct json j = request_json(q);
	struct listing l = {.j = &j, .errors = STRBUF_INIT((size_t)64 * 1024)};

	json_key(&j, "live");
	json_begin_array(&j);
	(void)control_each_session(NULL, list_status, list_refused, &l);
	json_end_array(&j);
	api_add_logs(&j);
	strbuf_add_str(&q->out, ",\"errors\":[");
	strbuf_add_bytes(&q->out, strbuf_bytes(&l.errors));
	strbuf_add_str(&q->out, "]");
	json_end_object(&j);
	strbuf_fini(&l.errors);
}

/* ---- answers */

struct answering {
	struct control_request request;
	struct request *q;
	bool is_found, has_ended;
};

static const unsigned statuses[_CONTROL_E_MAX] = {
	[CONTROL_E_AGENT] = MHD_HTTP_FORBIDDEN,
	[CONTROL_E_USER] = MHD_HTTP_FORBIDDEN,
	[CONTROL_E_UNKNOWN_ID] = MHD_HTTP_NOT_FOUND,
	[CONTROL_E_ANSWERED] = MHD_HTTP_CONFLICT,
	[CONTROL_E_APPROVER] = MHD_HTTP_FORBIDDEN,
	[CONTROL_E_BUSY] = MHD_HTTP_SERVICE_UNAVAILABLE,
};

static void fail_as(struct request *q, int r, const char *message)
{
	unsigned status = r > 0 && r < _CONTROL_E_MAX ? statuses[r] : 0;

	request_fail(q, status ? status : MHD_HTTP_BAD_GATEWAY,
		     message ? message
		     : r < 0 ? strerror(-r)
			     : control_error_name((enum control_error)r));
}

static int answer(struct control_client *c, void *arg)
{
	_cleanup_(json_decrefp) json_t *reply = NULL;
	struct answering *a = arg;
	int r = control_call(c, &a->request, &reply);

	a->is_found = true;
	a->has_ended = has_gone(r);
	if (r == 0) {
		struct json j = request_json(a->q);

		json_key_cstr(&j, "answer", control_op_name(a->request.op));
		add_value(&j, "answered", json_object_get(reply, "answered"));
		add_value(&j, "missing", json_object_get(reply, "missing"));
		add_value(&j, "grant", json_object_get(reply, "grant"));
		add_value(&j, "covers", json_object_get(reply, "covers"));
		json_end_object(&j);
	} else {
		fail_as(a->q, r, json_string_value(json_object_get(reply, "message")));
	}
	return 1;
}

static void answer_refused(const char *session, int error, const char *message, void *arg)
{
	struct answering *a = arg;

	(void)session;
	a->is_found = true;
	a->has_ended = has_gone(error);
	fail_as(a->q, error, message);
}

/* An unknown key may mean what we would not do. Return: whether @key is one of an answer. */
static bool is_answer_key(const char *key)
{
	static const char *const keys[] = {"session", "id",    "answer", "reason",
					   "for",     "scope", "rest"};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (streq(key, keys[i]))
			return true;
	return false;
}

/* How much it covers; nothing said is this call alone. Return: NULL, or what is wrong with it. */
static const char *read_extent(const json_t *root, struct control_request *ret)
{
	const json_t *term = json_object_get(root, "for"), *scope = json_object_get(root, "scope");
	const json_t *rest = json_object_get(root, "rest");

	if (!term != !scope)
		return "\"for\" and \"scope\" go together";
	if (term && answer_term_parse(bytes_of(json_string_value(term)), &ret->term) < 0)
		return "for: expected once, session, 30s to 12h, restart or always";
	if (scope && answer_scope_parse(bytes_of(json_string_value(scope)), &ret->scope) < 0)
		return "scope: expected exact, tool, dir, address, domain or agent";
	if (rest && !json_is_boolean(rest))
		return "rest: expected true or false";
	ret->rest = json_is_true(rest);
	return NULL;
}

static const char *read_reason(const json_t *reason, struct control_request *ret)
{
	if (!reason)
		return NULL;
	if (!json_is_string(reason) || ret->op == CONTROL_APPROVE)
		return "a reason is text, and goes with deny";
	if (json_string_length(reason) > sizeof(ret->reason))
		return "the reason is longer than 1024 bytes";
	ret->reason_len = json_string_length(reason);
	memcpy(ret->reason, json_string_value(reason), ret->reason_len);
	return NULL;
}

/* Return: NULL, or what is wrong with it. */
static const char *read_answer(json_t *root, struct control_request *ret, const char **ret_session)
{
	const char *word = json_string_value(json_object_get(root, "answer"));
	const char *id = json_string_value(json_object_get(root, "id"));
	const char *session = json_string_value(json_object_get(root, "session"));
	const char *key, *wrong;
	json_t *value;

	json_object_foreach(root, key, value) if (!is_answer_key(key)) return "unknown key";
	if (!id || !control_is_id(id) || !session || !guard_is_session_name(session))
		return "expected a session and the id of a held action";
	if (!word || !(streq(word, "approve") || streq(word, "deny")))
		return "expected an answer: approve or deny";
	ret->op = streq(word, "approve") ? CONTROL_APPROVE : CONTROL_DENY;
	memcpy(ret->id, id, sizeof(ret->id));
	*ret_session = session;
	wrong = read_reason(json_object_get(root, "reason"), ret);
	return wrong ? wrong : read_extent(root, ret);
}

static void handle_answer(struct request *q)
{
	_cleanup_(json_decrefp) json_t *root = NULL;
	struct answering a = {.q = q};
	const char *session, *wrong;
	int r;

	if (strbuf_error(&q->body)) {
		request_fail(q, MHD_HTTP_CONTENT_TOO_LARGE, "the request is too large");
		return;
	}
	root = json_loadb(strbuf_str(&q->body), q->body.len, JSON_REJECT_DUPLICATES, NULL);
	wrong = json_is_object(root) ? read_answer(root, &a.request, &session)
				     : "expected a JSON object";
	if (wrong) {
		request_fail(q, MHD_HTTP_BAD_REQUEST, wrong);
		return;
	}
	r = control_each_session(session, answer, answer_refused, &a);
	if (r < 0)
		fail_as(q, r, NULL);
	else if (!a.is_found || a.has_ended)
		request_fail(q, MHD_HTTP_NOT_FOUND, "this session is not running any more");
}

const struct route api_routes[] = {
	{"GET", "/login", handle_login, ROUTE_ANYBODY},
	{"GET", "api/state", handle_state, 0},
	{"GET", "api/events", handle_events, ROUTE_STREAM},
	{"GET", "api/held", handle_held, 0},
	{"GET", "api/sessions", handle_sessions, 0},
	{"GET", "api/log", api_log, 0},
	{"GET", "api/tree", api_tree, 0},
	{"GET", "report", api_report, 0},
	{"GET", "api/grants", api_grants, 0},
	{"POST", "api/revoke", api_revoke, ROUTE_LOOK_ANEW},
	{"POST", "api/answer", handle_answer, ROUTE_LOOK_ANEW},
	{"POST", "api/logout", handle_logout, 0},
};
const size_t n_api_routes = ARRAY_SIZE(api_routes);
