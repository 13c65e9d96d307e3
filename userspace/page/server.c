/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of a request: its headers are judged before a byte of its body is kept, the cheap tests
 * first; who its peer is is looked up in the pool; then it is answered there.
 */
#include <stdio.h>

#include "base/clock.h"
#include "control/client.h"
#include "page/assets.h"

#include "page/page_private.h"

#define ATTEMPT_NS      NS_PER_SEC
#define SUPERVISORS_MAX FEED_SESSIONS_MAX
#define ATTEMPT_LINE    256

static const char *const headers[][2] = {
	{"X-Content-Type-Options", "nosniff"},
	{"X-Frame-Options", "DENY"},
	{"Referrer-Policy", "no-referrer"},
	{"Cache-Control", "no-store"},
	{"Cross-Origin-Opener-Policy", "same-origin"},
	{"Cross-Origin-Resource-Policy", "same-origin"},
	{"Permissions-Policy", "camera=(), geolocation=(), microphone=()"},
};

#define CSP_END "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
static const char csp_page[] =
	"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
	"require-trusted-types-for 'script'; trusted-types 'none'; " CSP_END;

/* ---- replies */

static enum MHD_Result send_response(struct request *q, struct MHD_Response *response)
{
	_cleanup_(freep) char *csp = NULL;
	enum MHD_Result r = MHD_YES;

	if (!response)
		return MHD_NO;
	for (size_t i = 0; i < ARRAY_SIZE(headers); i++)
		r &= MHD_add_response_header(response, headers[i][0], headers[i][1]);
	if (q->style_hash[0] &&
	    asprintf(&csp, "default-src 'none'; style-src 'sha256-%s'; sandbox; " CSP_END,
		     q->style_hash) < 0)
		csp = NULL;
	r &= MHD_add_response_header(response, "Content-Security-Policy", csp ? csp : csp_page);
	if (q->type)
		r &= MHD_add_response_header(response, "Content-Type", q->type);
	if (q->cookie)
		r &= MHD_add_response_header(response, "Set-Cookie", q->cookie);
	/* Without all of them it is not sent at all. */
	if (r == MHD_YES)
		r = MHD_queue_response(q->connection, q->status, response);
	MHD_destroy_response(response);
	return r;
}

static enum MHD_Result send_reply(struct request *q)
{
	char *text;

	if (strbuf_error(&q->out)) {
		q->status = MHD_HTTP_INTERNAL_SERVER_ERROR;
		strbuf_reset(&q->out);
	}
	text = TAKE_PTR(q->out.p);
	return send_response(
		q, MHD_create_response_from_buffer(q->out.len, text, MHD_RESPMEM_MUST_FREE));
}

void request_fail(struct request *q, unsigned status, const char *message)
{
	struct json j = request_json(q);

	q->status = status;
	json_key_cstr(&j, "error", message);
	json_end_object(&j);
}

struct json request_json(struct request *q)
{
	struct json j = JSON_INIT(&q->out);

	strbuf_reset(&q->out);
	q->status = MHD_HTTP_OK;
	q->type = "application/json";
	json_begin_object(&j);
	return j;
}

const char *request_argument(const struct request *q, const char *name)
{
	const char *value;
	size_t len;

	if (MHD_lookup_connection_value_n(q->connection, MHD_GET_ARGUMENT_KIND, name, strlen(name),
					  &value, &len) != MHD_YES ||
	    !value || strlen(value) != len) /* a NUL is in it: of no use to anything */
		return "";
	return value;
}

static const char *header(const struct request *q, const char *name)
{
	return MHD_lookup_connection_value(q->connection, MHD_HEADER_KIND, name);
}

/* ---- who it is */

/* At most once in ATTEMPT_NS. */
static bool may_again(struct page *p, uint64_t *last_ns)
{
	uint64_t now_ns = clock_monotonic_ns();
	bool may;

	(void)pthread_mutex_lock(&p->attempt_lock);
	may = !*last_ns || now_ns - *last_ns >= ATTEMPT_NS;
	if (may)
		*last_ns = now_ns;
	(void)pthread_mutex_unlock(&p->attempt_lock);
	return may;
}

struct attempt {
	char session[GUARD_NAME_MAX + 1];
	struct control_request request;
};

static int send_attempt(struct control_client *c, void *arg)
{
	_cleanup_(json_decrefp) json_t *reply = NULL;
	const struct attempt *a = arg;

	/* Whether or not it could be told: who tried is refused. */
	if (control_call(c, &a->request, &reply) != 0)
		return 0;
	return 1;
}

static void ignore_refusal(const char *session, int error, const char *message, void *arg)
{
	(void)session;
	(void)error;
	(void)message;
	(void)arg;
}

/* In the pool: a session may take its time. */
static void tell_session(void *arg)
{
	struct attempt *a = arg;

	(void)control_each_session(a->session, send_attempt, ignore_refusal, a);
	free(a);
}

/* Its log is where somebody looks for what an agent tried. */
static void note_in_log(struct page *p, const char *session, pid_t pid)
{
	struct attempt *a = calloc(1, sizeof(*a));
	int n;

	if (!a)
		return;
	(void)snprintf(a->session, sizeof(a->session), "%s", session);
	a->request.op = CONTROL_ATTEMPT;
	n = snprintf(a->request.reason, sizeof(a->request.reason),
		     "(process %d of this session) tried to use the web page", pid);
	a->request.reason_len = (size_t)n;
	if (pool_add(p->pool, tell_session, a) < 0)
		free(a);
}

static void note_attempt(struct page *p, const struct holder_who *who)
{
	char session[GUARD_NAME_MAX + 1], line[ATTEMPT_LINE], data[ATTEMPT_LINE];
	int n;

	feed_name_of(p->feed, who->supervisor, session, sizeof(session));
	if (session[0])
		note_in_log(p, session, who->pid);
	else
		(void)snprintf(session, sizeof(session), "under process %d", who->supervisor);
	(void)snprintf(line, sizeof(line),
		       "process %d of session %s tried to use the page and was refused", who->pid,
		       session);
	p->config.on_attempt(p->config.arg, line);
	n = snprintf(data, sizeof(data), "{\"session\":\"%s\",\"pid\":%d}", session, who->pid);
	hub_publish(p->hub, "attempt", (struct bytes){.p = data, .len = (size_t)n});
}

static enum holder look(struct page *p, const struct sockaddr_storage *peer,
			const struct sockaddr_storage *ours)
{
	pid_t supervisors[SUPERVISORS_MAX];
	size_t n = feed_supervisors(p->feed, supervisors, SUPERVISORS_MAX);
	struct holder_who who;
	enum holder h;

	if (peer->ss_family == AF_UNSPEC)
		return HOLDER_UNKNOWN;
	h = holder_check((const struct sockaddr *)peer, (const struct sockaddr *)ours, supervisors,
			 n, atomic_load(&p->suspect), &who);
	if (h == HOLDER_INSIDE)
		atomic_store(&p->suspect, who.pid);
	if (h == HOLDER_INSIDE && may_again(p, &p->attempt_ns))
		note_attempt(p, &who);
	return h;
}

/* Return: whether it may go on; else the reply says why not. */
static bool check_peer(struct request *q, bool anew)
{
	static const char *const why[] = {
		[HOLDER_INSIDE] = "a process of a session may not use this page",
		[HOLDER_USER] = "another user may not use this page",
		[HOLDER_UNKNOWN] =
			"it cannot be told which process is asking, so it is refused; a browser in "
			"a sandbox of its own can be let in by running `holdfast page` as root",
	};
	struct connection *c = q->slot;

	/* A connection has one request at a time, so nobody else writes here. */
	if (anew || !c->is_checked || c->holder != HOLDER_OUTSIDE) {
		c->holder = look(q->page, &c->peer, &c->ours);
		c->is_checked = true;
	}
	if (c->holder == HOLDER_OUTSIDE ||
	    (c->holder == HOLDER_REMOTE && !q->page->place.is_loopback))
		return true;
	request_fail(q, MHD_HTTP_FORBIDDEN,
		     c->holder == HOLDER_REMOTE ? why[HOLDER_UNKNOWN] : why[c->holder]);
	return false;
}

/* ---- in the pool */

static void work(void *arg)
{
	struct request *q = arg;

	/* One that is refused anyway is looked at for the sake of telling the user. */
	if (!q->route)
		(void)look(q->page, &q->slot->peer, &q->slot->ours);
	else if (check_peer(q, q->route->flags & ROUTE_LOOK_ANEW))
		q->route->handle(q);
	q->state = REQUEST_DONE;
	MHD_resume_connection(q->connection);
}

/* The server's thread sees what the pool wrote: resuming takes and releases its lock. */
static enum MHD_Result hand_over(struct request *q)
{
	q->state = REQUEST_WORKING;
	MHD_suspend_connection(q->connection);
	if (pool_add(q->page->pool, work, q) < 0) {
		if (q->route)
			request_fail(q, MHD_HTTP_SERVICE_UNAVAILABLE,
				     "too much is being asked at once; try again");
		q->state = REQUEST_DONE;
		MHD_resume_connection(q->connection);
	}
	return MHD_YES;
}

/* ---- judging the headers */

static const struct route *find_route(const struct page *p, const char *method, const char *url)
{
	size_t base = strlen(p->base);
	bool is_below =
		url[0] == '/' && strncmp(url + 1, p->base, base) == 0 && url[base + 1] == '/';

	for (size_t i = 0; i < n_api_routes; i++) {
		const struct route *r = &api_routes[i];
		const char *path = r->flags & ROUTE_ANYBODY ? url
				   : is_below               ? url + base + 2
							    : NULL;

		if (path && streq(path, r->path) && streq(method, r->method))
			return r;
	}
	return NULL;
}

static bool is_login(struct request *q)
{
	struct bytes cookie = guard_cookie(header(q, MHD_HTTP_HEADER_COOKIE), q->page->cookie_name);

	return logins_find(&q->page->logins, cookie, &q->login);
}

static bool is_json(const char *type)
{
	static const char json[] = "application/json";

	return type && strncasecmp(type, json, sizeof(json) - 1) == 0 &&
	       (type[sizeof(json) - 1] == '\0' || type[sizeof(json) - 1] == ';');
}

/* Return: 0, or the status of the refusal with *ret_why. */
static unsigned judge_post(struct request *q, const char **ret_why)
{
	const char *csrf = header(q, "X-Holdfast-CSRF");

	*ret_why = "this request does not come from the page";
	if (!guard_origin_is_ours(header(q, "Origin"), header(q, MHD_HTTP_HEADER_HOST)))
		return MHD_HTTP_FORBIDDEN;
	if (!guard_token_is(q->login.csrf, bytes_of(csrf)))
		return MHD_HTTP_FORBIDDEN;
	*ret_why = "expected Content-Type: application/json";
	return is_json(header(q, MHD_HTTP_HEADER_CONTENT_TYPE)) ? 0
								: MHD_HTTP_UNSUPPORTED_MEDIA_TYPE;
}

/* Also says which route it is, or which asset. */
static unsigned judge(struct request *q, const char *method, const char *url, const char **ret_why)
{
	const struct page *p = q->page;
	bool is_get = streq(method, MHD_HTTP_METHOD_GET);
	const struct route *route;
	size_t base = strlen(p->base);

	*ret_why = "the page goes by another name: use the link that `holdfast page` printed";
	if (!guard_host_is_ours(&p->place, header(q, MHD_HTTP_HEADER_HOST)))
		return MHD_HTTP_MISDIRECTED_REQUEST;
	*ret_why = "only GET and POST";
	if (!is_get && !streq(method, MHD_HTTP_METHOD_POST))
		return MHD_HTTP_METHOD_NOT_ALLOWED;
	route = find_route(p, method, url);
	if (route && route->flags & ROUTE_ANYBODY) {
		q->route = route;
		return 0;
	}
	*ret_why = "not let in: open the link that `holdfast page` printed last; each works once";
	if (!is_login(q) || !guard_fetch_is_ours(header(q, "Sec-Fetch-Site"), is_get))
		return MHD_HTTP_FORBIDDEN;
	if (is_get && !route && strncmp(url + 1, p->base, base) == 0 && url[base + 1] == '/')
		q->asset = asset_find(url + base + 2);
	*ret_why = "there is nothing here";
	if (!route && !q->asset)
		return MHD_HTTP_NOT_FOUND;
	if (!is_get) {
		unsigned status = judge_post(q, ret_why);

		if (status)
			return status;
	}
	q->route = route;
	return 0;
}

static enum MHD_Result send_asset(struct request *q, const struct asset *asset)
{
	union {
		const char *in;
		void *out;
	} begin = {.in = asset->begin}; /* MHD_RESPMEM_PERSISTENT: only read */

	q->status = MHD_HTTP_OK;
	q->type = asset->type;
	return send_response(q, MHD_create_response_from_buffer((size_t)(asset->end - asset->begin),
								begin.out, MHD_RESPMEM_PERSISTENT));
}

static enum MHD_Result begin(struct request *q, const char *method, const char *url)
{
	const char *length = header(q, MHD_HTTP_HEADER_CONTENT_LENGTH), *why;
	unsigned status = judge(q, method, url, &why);

	if (status == 0 && length && strlen(length) > 4) {
		status = MHD_HTTP_CONTENT_TOO_LARGE;
		why = "the request is too large";
	}
	if (status) {
		q->route = NULL;
		q->asset = NULL;
		request_fail(q, status, why);
		/* With a body to come there is no second call to wait for. */
		if (!length || streq(length, "0"))
			return MHD_YES;
		return send_reply(q);
	}
	return MHD_YES;
}

static enum MHD_Result finish(struct request *q)
{
	connections_mark(&q->page->connections, q->slot, true,
			 q->route && q->route->flags & ROUTE_STREAM);
	if (q->route)
		return hand_over(q);
	if (q->asset)
		return send_asset(q, q->asset);
	return may_again(q->page, &q->page->looked_ns) ? hand_over(q) : send_reply(q);
}

/* ---- callbacks */

static struct request *request_new(struct page *p, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct request *q;

	if (!info || !info->socket_context)
		return NULL;
	q = calloc(1, sizeof(*q));
	if (!q)
		return NULL;
	*q = (struct request){.page = p, .connection = connection, .slot = info->socket_context};
	q->body = STRBUF_INIT(PAGE_BODY_MAX);
	q->out = STRBUF_INIT(PAGE_REPLY_MAX);
	return q;
}

enum MHD_Result server_request(void *cls, struct MHD_Connection *connection, const char *url,
			       const char *method, const char *version, const char *upload_data,
			       size_t *upload_data_size, void **con_cls)
{
	struct request *q = *con_cls;

	(void)version;
	if (!q) {
		q = request_new(cls, connection);
		*con_cls = q;
		return q ? begin(q, method, url) : MHD_NO;
	}
	if (*upload_data_size) {
		strbuf_add(&q->body, upload_data, *upload_data_size);
		*upload_data_size = 0;
		return MHD_YES;
	}
	switch (q->state) {
	case REQUEST_COMING:
		return finish(q);
	case REQUEST_WORKING:
		return MHD_YES;
	case REQUEST_DONE:
		break;
	}
	if (q->route && q->route->flags & ROUTE_STREAM && q->status == MHD_HTTP_OK) {
		struct MHD_Response *stream = hub_listen(q->page->hub, connection);

		if (stream)
			return send_response(q, stream);
		request_fail(q, MHD_HTTP_SERVICE_UNAVAILABLE, "too many browsers listen");
	}
	return send_reply(q);
}

void server_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
		      enum MHD_RequestTerminationCode code)
{
	struct request *q = *con_cls;
	struct page *p = cls;

	(void)connection;
	(void)code;
	if (!q)
		return;
	connections_mark(&p->connections, q->slot, false, false);
	strbuf_fini(&q->body);
	strbuf_fini(&q->out);
	free(q->cookie);
	free(q);
	*con_cls = NULL;
}

void server_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
		       enum MHD_ConnectionNotificationCode code)
{
	struct page *p = cls;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		const union MHD_ConnectionInfo *info =
			MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

		*socket_context = info ? connections_add(&p->connections, info->connect_fd) : NULL;
		feed_wake(p->feed);
	} else if (*socket_context) {
		connections_remove(&p->connections, *socket_context);
		*socket_context = NULL;
	}
}

/*
 * An agent could take all connections there are, and so keep the user out. When they get many, each
 * peer is looked up before it is let in, though that takes the server's thread a millisecond.
 */
enum MHD_Result server_accept(void *cls, const struct sockaddr *peer, socklen_t len)
{
	struct sockaddr_storage from = {}, ours;
	struct page *p = cls;
	enum holder h;

	if (connections_count(&p->connections) < CONNECTIONS_CROWD)
		return MHD_YES;
	memcpy(&from, peer, MIN((size_t)len, sizeof(from)));
	ours = p->place.address;
	if (p->place.is_any)
		return MHD_YES; /* which of our addresses it came to is not known here */
	h = look(p, &from, &ours);
	return h == HOLDER_OUTSIDE || (h == HOLDER_REMOTE && !p->place.is_loopback) ? MHD_YES
										    : MHD_NO;
}
