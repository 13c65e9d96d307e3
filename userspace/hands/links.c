/* SPDX-License-Identifier: Apache-2.0 */
/*
 * holdfast-links: answers by links, over HTTP. It runs only where the user configured an address,
 * knows no key, and asks the broker about each token; broker/links.c has what the two say.
 *
 *   GET  /a/TOKEN   what would be answered, with a button. It answers nothing: whatever carries
 *                   links (mail, chats, browsers) fetches them ahead
 *   POST /a/TOKEN   answers. In JSON where the client accepts that: {"ok":true,"message":"..."}
 *
 * A token is all that is needed, so whoever has none is told nothing. A process of a session is not
 * even let to try (page/holder.h).
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "base/escape.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "broker/hand.h"
#include "page/guard.h"
#include "page/holder.h"

#define PREFIX        "/a/"
#define TOKEN_LEN_MAX ((size_t)512)
#define CONNECTIONS   32U
#define IDLE_S        10U
#define WAITING_MAX   32
#define BODY_MAX      ((size_t)4096) /* of a request: it is not looked at */
#define TEXT_MAX      ((size_t)256 * 1024)

/* A request that waits for the broker. One is the server's thread's until it is suspended, and then
 * the main thread's until that resumes it. */
struct request {
	uint64_t number;
	struct MHD_Connection *connection;
	bool is_post, is_json, is_sent, is_done;
	size_t received;
	unsigned status;
	bool is_page; /* with a button */
	bool approve;
	struct strbuf text;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct request *waiting[WAITING_MAX];
static uint64_t last_number;

static void tell(struct bytes packet)
{
	(void)!send(HAND_FD, packet.p, packet.len, MSG_NOSIGNAL);
}

/* ---- replies */

static const char *const headers[][2] = {
	{"X-Content-Type-Options", "nosniff"},
	{"X-Frame-Options", "DENY"},
	{"Referrer-Policy", "no-referrer"},
	{"Cache-Control", "no-store"},
	{"Content-Security-Policy",
	 "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
	 "form-action 'self'; frame-ancestors 'none'"},
};

static enum MHD_Result reply(struct MHD_Connection *c, unsigned status, const char *type,
			     struct strbuf *body)
{
	struct MHD_Response *response;
	enum MHD_Result r = MHD_YES;
	size_t len = body->len;

	if (strbuf_error(body) || !body->p)
		return MHD_NO;
	response = MHD_create_response_from_buffer(len, TAKE_PTR(body->p), MHD_RESPMEM_MUST_FREE);
	if (!response)
		return MHD_NO;
	for (size_t i = 0; i < ARRAY_SIZE(headers); i++)
		r &= MHD_add_response_header(response, headers[i][0], headers[i][1]);
	r &= MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	if (r == MHD_YES)
		r = MHD_queue_response(c, status, response);
	MHD_destroy_response(response);
	return r;
}

static enum MHD_Result reply_html(const struct request *q)
{
	struct strbuf out = STRBUF_INIT(2 * TEXT_MAX);

	strbuf_add_str(
		&out,
		"<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" "
		"content=\"width=device-width\"><title>Holdfast</title><style>body{font:1rem "
		"sans-serif;margin:1rem}pre{white-space:pre-wrap;overflow-wrap:anywhere}"
		"button{font-size:1.2rem;padding:.7rem 2rem}</style><h1>Holdfast</h1><pre>");
	escape_markup(&out, strbuf_bytes(&q->text));
	strbuf_add_str(&out, "</pre>");
	if (q->is_page)
		strbuf_add_fmt(&out, "<form method=\"post\"><button>%s</button></form>",
			       q->approve ? "Allow once" : "Deny");
	return reply(q->connection, q->status, "text/html; charset=utf-8", &out);
}

static enum MHD_Result reply_json(const struct request *q)
{
	struct strbuf out = STRBUF_INIT(2 * TEXT_MAX);
	struct json j = JSON_INIT(&out);

	json_begin_object(&j);
	json_key_bool(&j, "ok", q->status == MHD_HTTP_OK);
	if (q->is_page)
		json_key_cstr(&j, "answer", q->approve ? "allow" : "deny");
	json_key_str(&j, "message", strbuf_bytes(&q->text));
	json_end_object(&j);
	return reply(q->connection, q->status, "application/json", &out);
}

static enum MHD_Result refuse(struct MHD_Connection *c, unsigned status)
{
	struct strbuf out = STRBUF_INIT(64);

	strbuf_add_str(&out, "Refused.\n");
	return reply(c, status, "text/plain", &out);
}

/* ---- who asks */

/* Return: whether a process of a session is at the other end. Other users and machines are not
 * refused: there may be a proxy between us and the phone, and what counts is the token. */
static bool is_inside(struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *info;
	struct sockaddr_storage peer = {}, ours = {};
	socklen_t peer_len = sizeof(peer), ours_len = sizeof(ours);
	struct holder_who who;
	char packet[32];

	info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
	if (!info || getpeername(info->connect_fd, (struct sockaddr *)&peer, &peer_len) < 0 ||
	    getsockname(info->connect_fd, (struct sockaddr *)&ours, &ours_len) < 0)
		return true;
	if (holder_check((const struct sockaddr *)&peer, (const struct sockaddr *)&ours, NULL, 0, 0,
			 &who) != HOLDER_INSIDE)
		return false;
	(void)snprintf(packet, sizeof(packet), "inside %d", who.supervisor);
	tell(bytes_of(packet));
	return true;
}

/* ---- requests */

static bool is_token(const char *s)
{
	size_t len = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.");

	return len > 0 && !s[len] && len < TOKEN_LEN_MAX;
}

/* Return: whether there is a place for it. */
static bool add_waiting(struct request *q)
{
	for (size_t i = 0; i < WAITING_MAX; i++)
		if (!waiting[i]) {
			waiting[i] = q;
			return true;
		}
	return false;
}

static enum MHD_Result ask_broker(struct request *q, const char *token)
{
	char packet[TOKEN_LEN_MAX + 64];
	bool has_place;

	(void)pthread_mutex_lock(&lock);
	has_place = add_waiting(q);
	if (has_place) {
		q->number = ++last_number;
		q->is_sent = true;
		MHD_suspend_connection(q->connection);
		(void)snprintf(packet, sizeof(packet), "%s %" PRIu64 " %s",
			       q->is_post ? "use" : "look", q->number, token);
		tell(bytes_of(packet));
	}
	(void)pthread_mutex_unlock(&lock);
	return has_place ? MHD_YES : refuse(q->connection, MHD_HTTP_SERVICE_UNAVAILABLE);
}

static struct request *new_request(struct MHD_Connection *c, const char *method)
{
	const char *accept = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Accept");
	struct request *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->connection = c;
	q->is_post = streq(method, "POST");
	q->is_json = accept && strstr(accept, "application/json");
	q->text = STRBUF_INIT(TEXT_MAX);
	return q;
}

static enum MHD_Result handle(void *cls, struct MHD_Connection *c, const char *url,
			      const char *method, const char *version, const char *upload,
			      size_t *upload_size, void **context)
{
	struct request *q = *context;

	(void)cls;
	(void)version;
	(void)upload;
	if (!q) {
		*context = q = new_request(c, method);
		return q ? MHD_YES : MHD_NO;
	}
	q->received += *upload_size;
	if (q->received > BODY_MAX)
		return MHD_NO;
	if (*upload_size) {
		*upload_size = 0;
		return MHD_YES;
	}
	if (q->is_done)
		return q->is_json ? reply_json(q) : reply_html(q);
	if (q->is_sent)
		return MHD_YES;
	if (is_inside(c))
		return refuse(c, MHD_HTTP_FORBIDDEN);
	if ((!q->is_post && !streq(method, "GET")) || strncmp(url, PREFIX, strlen(PREFIX)) != 0 ||
	    !is_token(url + strlen(PREFIX)))
		return refuse(c, MHD_HTTP_NOT_FOUND);
	return ask_broker(q, url + strlen(PREFIX));
}

static void completed(void *cls, struct MHD_Connection *c, void **context,
		      enum MHD_RequestTerminationCode how)
{
	struct request *q = *context;

	(void)cls;
	(void)c;
	(void)how;
	if (!q)
		return;
	(void)pthread_mutex_lock(&lock);
	for (size_t i = 0; i < WAITING_MAX; i++)
		if (waiting[i] == q)
			waiting[i] = NULL;
	(void)pthread_mutex_unlock(&lock);
	strbuf_fini(&q->text);
	free(q);
	*context = NULL;
}

/* ---- the broker */

static void answer(uint64_t number, unsigned status, bool is_page, bool approve, const char *text)
{
	(void)pthread_mutex_lock(&lock);
	for (size_t i = 0; i < WAITING_MAX; i++) {
		struct request *q = waiting[i];

		if (!q || q->number != number)
			continue;
		waiting[i] = NULL;
		q->status = status;
		q->is_page = is_page;
		q->approve = approve;
		strbuf_add_str(&q->text, text);
		q->is_done = true;
		MHD_resume_connection(q->connection);
		break;
	}
	(void)pthread_mutex_unlock(&lock);
}

static struct MHD_Daemon *listen_at(const char *address, uint16_t port)
{
	struct guard_place place;

	if (guard_place_parse(address, port, &place) < 0)
		return NULL;
	return MHD_start_daemon(
		MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO | MHD_ALLOW_SUSPEND_RESUME |
			(place.address.ss_family == AF_INET6 ? MHD_USE_IPv6 : 0),
		port, NULL, NULL, handle, NULL, MHD_OPTION_SOCK_ADDR, &place.address,
		MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S,
		MHD_OPTION_NOTIFY_COMPLETED, completed, NULL, MHD_OPTION_END);
}

static void on_packet(struct MHD_Daemon **server, const char *packet)
{
	char address[64], word[8], said[128];
	const char *text = strchr(packet, '\n');
	unsigned number_of;
	uint64_t number;

	text = text ? text + 1 : "";
	if (sscanf(packet, "reply %" SCNu64 " %u", &number, &number_of) == 2) {
		answer(number, number_of, false, false, text);
	} else if (sscanf(packet, "page %" SCNu64 " %7s", &number, word) == 2) {
		answer(number, MHD_HTTP_OK, true, streq(word, "allow"), text);
	} else if (!*server && sscanf(packet, "listen %63s %u", address, &number_of) == 2) {
		*server = listen_at(address, (uint16_t)number_of);
		(void)snprintf(said, sizeof(said), "say no links: cannot listen on %s port %u: %s",
			       address, number_of, strerror(errno));
		if (!*server)
			tell(bytes_of(said));
	}
}

int main(void)
{
	_cleanup_(freep) char *packet = malloc(HAND_PACKET_MAX + 1);
	struct MHD_Daemon *server = NULL;
	ssize_t len;

	if (!packet || prctl(PR_SET_DUMPABLE, 0) < 0)
		return 1;
	while ((len = recv(HAND_FD, packet, HAND_PACKET_MAX, 0)) != 0) {
		if (len < 0 && errno != EINTR)
			break;
		if (len < 0)
			continue;
		packet[len] = '\0';
		on_packet(&server, packet);
	}
	/* Requests that wait are not answered any more: the process ends with them. */
	return 0;
}
