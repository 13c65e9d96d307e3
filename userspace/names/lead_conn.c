/* SPDX-License-Identifier: Apache-2.0 */
/* One connection of the leader: its two sockets, and what goes between them. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/clock.h"

#include "names/lead_private.h"

#define BUFFER_FIRST 2048
/* One connection lets so much through before the others have their turn. */
#define TURN_BYTES ((size_t)1 << 20)
/* Bodies, or chunks of one, that are worth a pipe. */
#define BODY_SPLICE_MIN ((uint64_t)16 * 1024)

/* ---- the buffer of what is read */

static int grow(struct lead_conn *c, size_t max)
{
	size_t size = c->size ? c->size * 2 : BUFFER_FIRST;
	char *p = realloc(c->buf, MIN(size, max));

	if (!p)
		return -ENOMEM;
	c->buf = p;
	c->size = MIN(size, max);
	return 0;
}

ssize_t lead_read(struct lead_conn *c, size_t max)
{
	ssize_t n;

	if (c->have >= max)
		return -ENOBUFS;
	if (c->have == c->size) {
		int r = grow(c, max);

		if (r < 0)
			return r;
	}
	do
		n = recv(c->down, c->buf + c->have, c->size - c->have, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	c->is_eof = n == 0;
	c->have += (size_t)n;
	return n;
}

/* ---- what may be sent */

static uint64_t *sent_by(const struct lead_conn *c, size_t i)
{
	return &c->lead->config.sent[c->limits[i].slot % LEAD_LIMITS_MAX];
}

/* Bytes. */
static size_t room_of(const struct lead_conn *c)
{
	uint64_t room = SIZE_MAX;

	for (size_t i = 0; i < c->n_limits; i++) {
		uint64_t sent = *sent_by(c, i), max = c->limits[i].max;

		room = MIN(room, sent < max ? max - sent : 0);
	}
	return (size_t)room;
}

static void spend(struct lead_conn *c, size_t n)
{
	for (size_t i = 0; i < c->n_limits; i++)
		*sent_by(c, i) += n;
}

static void end_limit(struct lead_conn *c)
{
	size_t i = 0;

	c->request = calloc(1, sizeof(*c->request));
	if (!c->request) {
		lead_end(c, true);
		return;
	}
	while (i + 1 < c->n_limits && *sent_by(c, i) < c->limits[i].max)
		i++;
	c->request->kind = LEAD_LIMIT;
	c->request->slot = c->limits[i].slot;
	lead_ask(c, LEAD_OPEN); /* to which the reply is no */
}

void lead_broke(struct lead_conn *c, int error)
{
	if (error == -EDQUOT)
		end_limit(c);
	else
		lead_end(c, true);
}

int lead_flush(struct lead_conn *c)
{
	while (c->sent < c->pass) {
		size_t room = room_of(c);
		ssize_t n;

		if (!room)
			return -EDQUOT;
		n = send(c->up, c->buf + c->sent, MIN(c->pass - c->sent, room),
			 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		spend(c, (size_t)n);
		c->sent += (size_t)n;
	}
	if (c->pass) {
		memmove(c->buf, c->buf + c->pass, c->have - c->pass);
		c->have -= c->pass;
		c->pass = c->sent = 0;
	}
	/* Many connections are kept by those who have nothing to say for a while. */
	if (c->have == 0) {
		free(TAKE_PTR(c->buf));
		c->size = 0;
	}
	return 0;
}

bool lead_has_body(const struct lead_conn *c)
{
	return c->to_up.in_pipe || (c->n_limits == 0 && http_body_run(&c->body) >= BODY_SPLICE_MIN);
}

int lead_pass_body(struct lead_conn *c)
{
	size_t budget = (size_t)MIN((uint64_t)TURN_BYTES, http_body_run(&c->body));
	size_t before = budget;
	int r = flow_run(&c->lead->pipes, &c->to_up, c->down, c->up, &budget);

	if (budget < before)
		http_body_pass(&c->body, before - budget);
	return r;
}

/* ---- the server */

static socklen_t address_of(const struct lead_end *end, struct sockaddr_storage *ret)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(end->port)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(end->port)};

	*ret = (struct sockaddr_storage){};
	if (end->is_v4) {
		memcpy(&in.sin_addr, end->ip, 4);
		memcpy(ret, &in, sizeof(in));
		return sizeof(in);
	}
	memcpy(&in6.sin6_addr, end->ip, 16);
	memcpy(ret, &in6, sizeof(in6));
	return sizeof(in6);
}

static int connect_up(struct lead_conn *c)
{
	struct sockaddr_storage address;
	socklen_t len = address_of(&c->dest, &address);
	const int on = 1;

	c->up = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->up < 0)
		return -errno;
	(void)setsockopt(c->up, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	/* A server that is gone is to show, as it would to the agent's own. */
	(void)setsockopt(c->up, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	if (connect(c->up, (const struct sockaddr *)&address, len) < 0 && errno != EINPROGRESS)
		return -errno;
	return lead_watch(c, c->up);
}

static void step_connect(struct lead_conn *c)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(int), peer_len = sizeof(peer);
	int error = c->up < 0 ? -connect_up(c) : 0;

	if (error == 0 && getsockopt(c->up, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	if (error) {
		lead_end(c, true);
		return;
	}
	if (getpeername(c->up, (struct sockaddr *)&peer, &peer_len) < 0)
		return; /* it is under way */
	c->is_connected = true;
	c->state = c->then;
}

/* ---- what nobody reads any more */

/* Return: false when the connection has broken. */
static bool let_through(struct lead_conn *c, struct flow *f, int from, int to)
{
	size_t budget = TURN_BYTES;
	int r = flow_run(&c->lead->pipes, f, from, to, &budget);

	if (r == FLOW_MORE)
		lead_put(c, LIST_READY);
	if (r < 0)
		lead_end(c, true);
	return r >= 0;
}

/* Nothing may be sent any more, so nothing but the end goes through. Return: as let_through(). */
static bool let_end_through(struct lead_conn *c)
{
	char byte;
	ssize_t n = recv(c->down, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT);

	if (n > 0)
		end_limit(c);
	if (n == 0 && !c->to_up.is_shut) {
		c->to_up.is_eof = c->to_up.is_shut = true;
		(void)shutdown(c->up, SHUT_WR);
	}
	return n <= 0;
}

/* What the agent sends, as far as it may. Return: as let_through(). */
static bool let_up(struct lead_conn *c)
{
	size_t room = room_of(c), budget = MIN(TURN_BYTES, room), before = budget;
	int r = flow_run(&c->lead->pipes, &c->to_up, c->down, c->up, &budget);

	spend(c, before - budget);
	if (r < 0)
		lead_end(c, true);
	if (r != FLOW_MORE)
		return r >= 0;
	if (room == before)
		return let_end_through(c);
	lead_put(c, LIST_READY);
	return true;
}

static void step_open(struct lead_conn *c)
{
	int r = lead_flush(c);

	if (r < 0 && r != -EAGAIN) {
		lead_broke(c, r);
		return;
	}
	if (r == 0 && !let_up(c))
		return;
	if (!let_through(c, &c->to_down, c->up, c->down))
		return;
	if (c->to_up.is_shut && c->to_down.is_shut)
		lead_end(c, false);
}

static void step_http(struct lead_conn *c)
{
	if (c->state == LEAD_HTTP)
		lead_http(c);
	/* Answers come while the next request is judged. */
	if (c->state == LEAD_DEAD || !c->is_connected ||
	    !let_through(c, &c->to_down, c->up, c->down))
		return;
	if (c->to_up.is_shut && c->to_down.is_shut)
		lead_end(c, false);
}

void lead_step(struct lead_conn *c)
{
	enum lead_state before;

	do {
		before = c->state;
		switch (c->state) {
		case LEAD_FIRST:
			lead_first(c);
			break;
		case LEAD_CONNECT:
			step_connect(c);
			break;
		case LEAD_HELLO:
			lead_server_hello(c);
			break;
		case LEAD_AGAIN:
			lead_again(c);
			break;
		case LEAD_ASKED:
		case LEAD_HTTP:
			step_http(c);
			break;
		case LEAD_OPEN:
			step_open(c);
			break;
		case LEAD_DEAD:
			break;
		}
	} while (c->state != before && c->state != LEAD_DEAD);
}
