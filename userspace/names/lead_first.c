/* SPDX-License-Identifier: Apache-2.0 */
/* What a connection says before it is known whom it means, and of HTTP again with each request. */
#include <sys/socket.h>

#include "names/lead_private.h"

#define BODY_MAX ((size_t)64 * 1024) /* of what is read at once */

/* Return: false: it was ended. */
static bool begin_request(struct lead_conn *c, enum policy_look look)
{
	c->request = calloc(1, sizeof(*c->request));
	if (!c->request) {
		lead_end(c, true);
		return false;
	}
	c->request->kind = LEAD_LOOK;
	c->request->look = look;
	return true;
}

static void set_name(struct lead_request *q, const char name[static DNS_NAME_SIZE])
{
	q->has_name = name[0];
	memcpy(q->name, name, DNS_NAME_SIZE);
}

/* ---- the first bytes */

/* Neither of the two, or one that could be read in two ways. What is known of it is the address,
 * and perhaps a name; if that is enough, nothing more is read. */
static void ask_unknown(struct lead_conn *c, const char *name)
{
	if (!begin_request(c, POLICY_LOOK_NONE))
		return;
	if (name)
		set_name(c->request, name);
	c->pass = c->have;
	c->then = LEAD_OPEN;
	lead_ask(c, c->is_connected ? LEAD_OPEN : LEAD_CONNECT);
}

static void ask_hello(struct lead_conn *c, const struct tls_hello *hello, size_t pass)
{
	enum policy_look look = hello->has_ech ? POLICY_LOOK_OUTER : POLICY_LOOK_NAME;

	if (!begin_request(c, hello->name[0] ? look : POLICY_LOOK_NONE))
		return;
	set_name(c->request, hello->name);
	c->pass += pass;
	c->then = LEAD_HELLO;
	lead_ask(c, c->is_connected ? LEAD_OPEN : LEAD_CONNECT);
}

static void ask_head(struct lead_conn *c, const struct http_head *head)
{
	if (!begin_request(c, POLICY_LOOK_REQUEST))
		return;
	set_name(c->request, head->host);
	memcpy(c->request->method, head->method, sizeof(head->method));
	memcpy(c->request->path, head->path, sizeof(head->path));
	c->request->has_path = head->path[0];
	c->body = head->body;
	c->pass += head->wire_len;
	c->then = LEAD_HTTP;
	lead_ask(c, c->is_connected ? LEAD_HTTP : LEAD_CONNECT);
}

/* Return: whether more has to be read. */
static bool judge_hello(struct lead_conn *c)
{
	struct tls_hello hello;
	int r = tls_hello_read(lead_rest(c), &hello);

	if (r == TLS_E_MORE)
		return true;
	if (r < 0) {
		ask_unknown(c, NULL);
		return false;
	}
	memcpy(c->name, hello.name, sizeof(c->name));
	c->has_ech = hello.has_ech;
	ask_hello(c, &hello, hello.wire_len);
	return false;
}

static bool judge_head(struct lead_conn *c)
{
	struct http_head head;
	int r = http_head_read(lead_rest(c), &head);

	if (r == HTTP_E_MORE)
		return true;
	if (r == 0)
		ask_head(c, &head);
	else
		ask_unknown(c, r == HTTP_E_OTHER ? head.host : NULL);
	return false;
}

static bool judge(struct lead_conn *c)
{
	struct bytes data = lead_rest(c);

	if (tls_is_likely(data))
		return judge_hello(c);
	if (http_is_likely(data))
		return judge_head(c);
	ask_unknown(c, NULL);
	return false;
}

void lead_first(struct lead_conn *c)
{
	ssize_t n;

	do
		n = lead_read(c, TLS_HELLO_WIRE_MAX);
	while (n > 0 && judge(c));
	if (c->state != LEAD_FIRST || n == -EAGAIN)
		return;
	if (n == -ENOBUFS)
		ask_unknown(c, NULL);
	else
		lead_end(c, n < 0 || c->have); /* it had nothing to say, or not all */
}

/* ---- TLS, until it is sure that no other ClientHello comes */

/* What comes meanwhile (early data, which the server has not asked for) waits here. Return: false:
 * the connection was ended. */
static bool read_ahead(struct lead_conn *c)
{
	ssize_t n;

	do
		n = lead_read(c, TLS_HELLO_WIRE_MAX);
	while (n > 0);
	if (n == 0 && c->have == 0 && !c->to_up.is_shut) {
		c->to_up.is_shut = true;
		(void)shutdown(c->up, SHUT_WR);
	}
	if (n < 0 && n != -EAGAIN && n != -ENOBUFS)
		lead_end(c, true);
	return c->state != LEAD_DEAD;
}

void lead_server_hello(struct lead_conn *c)
{
	char head[TLS_SERVER_HELLO_HEAD];
	int r = lead_flush(c);
	ssize_t n;

	if (r < 0 && r != -EAGAIN)
		lead_broke(c, r);
	if (r < 0 || !read_ahead(c))
		return;
	do
		n = recv(c->up, head, sizeof(head), MSG_PEEK | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n <= 0) {
		if (n == 0 || errno != EAGAIN)
			lead_end(c, n < 0);
		return;
	}
	r = tls_asks_again((struct bytes){.p = head, .len = (size_t)n});
	if (r == -EBADMSG) {
		lead_end(c, true);
	} else if (r >= 0) {
		c->state = r ? LEAD_AGAIN : LEAD_OPEN;
		c->pass = r ? 0 : c->have;
	}
}

/* The second ClientHello. Return: whether more has to be read. */
static bool judge_second(struct lead_conn *c)
{
	struct tls_hello hello;
	int r = tls_hello_read(lead_rest(c), &hello);

	if (r > 0)
		return true;
	if (r < 0) {
		lead_end(c, true);
	} else if (streq(hello.name, c->name) && hello.has_ech == c->has_ech) {
		c->pass = c->have;
		c->state = LEAD_OPEN;
	} else {
		ask_hello(c, &hello, lead_rest(c).len);
	}
	return false;
}

/* Return: whether more has to be read. */
static bool judge_again(struct lead_conn *c)
{
	struct tls_record record;
	int r;

	while ((r = tls_record_read(lead_rest(c), &record)) == 0 && record.type != TLS_HANDSHAKE) {
		if (lead_rest(c).len < record.wire_len)
			return true;
		c->pass += record.wire_len;
	}
	if (r < 0)
		lead_end(c, true);
	return r > 0 || (r == 0 && judge_second(c));
}

void lead_again(struct lead_conn *c)
{
	size_t budget = SPLICE_CHUNK;
	int r = flow_run(&c->lead->pipes, &c->to_down, c->up, c->down, &budget);
	ssize_t n = -EAGAIN;

	if (r == FLOW_MORE)
		lead_put(c, LIST_READY);
	if (r >= 0)
		r = lead_flush(c);
	if (r < 0 && r != -EAGAIN)
		lead_broke(c, r);
	if (r < 0)
		return;
	while (c->have == 0 || judge_again(c)) {
		r = lead_flush(c);
		n = r < 0 ? r : lead_read(c, TLS_HELLO_WIRE_MAX);
		if (n <= 0)
			break;
	}
	if (c->state == LEAD_AGAIN && n != -EAGAIN)
		lead_end(c, n < 0 || c->have);
}

/* ---- HTTP */

/* What is there of the body, or the next request. Return: whether to go on. */
static bool take_part(struct lead_conn *c)
{
	ssize_t n;

	if (c->body.state == HTTP_BODY_NONE)
		return judge_head(c);
	n = http_body_skip(&c->body, lead_rest(c));
	if (n < 0) {
		lead_end(c, true);
		return false;
	}
	c->pass += (size_t)n;
	return true;
}

/* Return: whether to go on. */
static bool let_body_through(struct lead_conn *c)
{
	int r = lead_pass_body(c);

	/* An end in the middle of it is to be taken for one by nobody. */
	if (r < 0 || c->to_up.is_eof)
		lead_end(c, true);
	else if (r == FLOW_MORE && lead_has_body(c))
		lead_put(c, LIST_READY);
	else
		return r == FLOW_MORE;
	return false;
}

void lead_http(struct lead_conn *c)
{
	while (!c->to_up.is_shut) {
		int r = lead_flush(c);
		size_t before = c->have;
		ssize_t n;

		if (r == -EDQUOT)
			lead_broke(c, r);
		if (r == -EAGAIN || r == -EDQUOT)
			return;
		if (r == 0 && before && !take_part(c))
			return;
		if (r == 0 && c->pass)
			continue;
		if (r == 0 && lead_has_body(c)) {
			if (!let_body_through(c))
				return;
			continue;
		}
		n = r < 0 ? r : lead_read(c, BODY_MAX);
		if (n == -EAGAIN)
			return;
		if (n == 0 && c->have == 0 && c->body.state == HTTP_BODY_NONE) {
			c->to_up.is_shut = true;
			(void)shutdown(c->up, SHUT_WR);
		} else if (n <= 0) {
			lead_end(c, true);
			return;
		}
	}
}
