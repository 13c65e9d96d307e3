/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop of the leader: connections that come, the supervisor's replies, and whose turn it is.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/clock.h"

#include "names/helper.h"
#include "names/lead_private.h"

#define EVENTS_MAX 256
/* Under way to the supervisor at once: their replies fit into the socket. */
#define ASKED_MAX 64
#define TICK_MS   1000
/* What waits for the agent in the kernel, which doubles it. The agent is on this machine, so more
 * makes nothing faster: it is out of the processor's cache by the time that it is read. */
#define DOWN_BUFFER (128 * 1024)
#define GENERATIONS (UINT32_C(1) << 18) /* that a slot's request can be told from older ones by */

/* What an event is about: a connection's generation and slot, or one of these. */
#define EVENT_SUPERVISOR ((uint64_t)1 << 62)
#define EVENT_MAKER      ((uint64_t)1 << 61)
#define EVENT_LISTENER   ((uint64_t)1 << 60)

/* ---- lists */

void lead_put(struct lead_conn *c, enum lead_list list)
{
	struct lead_queue *q = &c->lead->lists[list];

	if (c->is_on[list])
		return;
	c->is_on[list] = true;
	c->next[list] = NULL;
	*q->end = c;
	q->end = &c->next[list];
}

static struct lead_conn *take(struct lead *l, enum lead_list list)
{
	struct lead_queue *q = &l->lists[list];
	struct lead_conn *c = q->first;

	if (!c)
		return NULL;
	q->first = c->next[list];
	if (!q->first)
		q->end = &q->first;
	c->is_on[list] = false;
	return c;
}

/* ---- connections */

static void set_end(const struct sockaddr_storage *address, struct lead_end *ret)
{
	struct sockaddr_in6 in6;
	struct sockaddr_in in;

	memcpy(&in6, address, sizeof(in6));
	memcpy(&in, address, sizeof(in));
	*ret = (struct lead_end){.is_v4 = address->ss_family == AF_INET,
				 .port = ntohs(in.sin_port)};
	if (ret->is_v4)
		memcpy(ret->ip, &in.sin_addr, 4);
	else
		memcpy(ret->ip, &in6.sin6_addr, 16);
}

int lead_watch(struct lead_conn *c, int fd)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
				    .data.u64 = (uint64_t)c->generation << 32 | c->slot};

	return epoll_ctl(c->lead->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

/* How @fd ends when it is closed, by a kill as well: with a reset, or an end. */
static void set_end_of(int fd, bool is_reset)
{
	const struct linger linger = {.l_onoff = is_reset};

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

static void set_options(int fd)
{
	const int on = 1, buffer = DOWN_BUFFER;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
	(void)namespace_set_congestion(fd);
	/* What the agent is not to take for an end is a reset; also if this process is killed. Not
	 * so for the server: what was sent to it last still goes when the session is over. */
	set_end_of(fd, true);
}

static bool is_on_loopback(const struct lead *l)
{
	return l->config.listeners[0] >= 0;
}

static void ask_who(struct lead_conn *c)
{
	c->request = calloc(1, sizeof(*c->request));
	if (!c->request) {
		lead_end(c, true);
		return;
	}
	c->request->kind = LEAD_WHO;
	lead_ask(c, LEAD_FIRST);
}

static void conn_new(struct lead *l, int fd, const struct sockaddr_storage *from,
		     const struct sockaddr_storage *to)
{
	struct lead_conn *c = calloc(1, sizeof(*c));

	if (!c) {
		(void)close(fd);
		return;
	}
	*c = (struct lead_conn){.lead = l,
				.down = fd,
				.up = -1,
				.generation = ++l->generation % GENERATIONS,
				.since_ns = clock_monotonic_ns(),
				.to_up = FLOW_INIT,
				.to_down = FLOW_INIT};
	set_end(from, &c->from);
	set_end(to, &c->to);
	while (l->conns[c->slot])
		c->slot++;
	l->conns[c->slot] = c;
	l->n++;
	set_options(fd);
	c->dest = c->to;
	if (lead_watch(c, fd) < 0)
		lead_end(c, true);
	else if (is_on_loopback(l))
		ask_who(c);
	else
		lead_put(c, LIST_SILENT);
	lead_put(c, LIST_READY);
}

void lead_end(struct lead_conn *c, bool has_broken)
{
	if (c->state == LEAD_DEAD)
		return;
	if (c->state == LEAD_ASKED && !c->is_on[LIST_TELL])
		c->lead->n_asked--;
	c->state = LEAD_DEAD;
	set_end_of(c->down, has_broken);
	if (c->up >= 0)
		set_end_of(c->up, has_broken);
	flow_fini(&c->lead->pipes, &c->to_up);
	flow_fini(&c->lead->pipes, &c->to_down);
	c->down = fd_close(c->down);
	c->up = fd_close(c->up);
	lead_put(c, LIST_TELL);
}

/* Once the supervisor knows, and nothing leads to it any more. */
static void conn_free(struct lead_conn *c)
{
	struct lead *l = c->lead;

	for (int i = 0; i < _LIST_MAX; i++)
		if (c->is_on[i])
			return;
	if (!c->is_told)
		return;
	l->conns[c->slot] = NULL;
	l->n--;
	free(c->request);
	free(c->buf);
	free(c);
}

/* ---- the supervisor */

void lead_ask(struct lead_conn *c, enum lead_state after)
{
	c->state = LEAD_ASKED;
	c->after = after;
	c->request->from = c->from;
	c->request->to = c->to;
	c->request->dest = c->dest;
	c->seq = ++c->lead->generation % GENERATIONS * LEAD_MAX + c->slot;
	c->request->seq = c->seq;
	lead_put(c, LIST_TELL);
}

/* Return: false when the socket has no room. */
static bool tell(struct lead *l, const struct lead_conn *c)
{
	const struct lead_request over = {.kind = LEAD_OVER, .from = c->from, .to = c->to};
	const struct lead_request *q = c->state == LEAD_DEAD ? &over : c->request;

	if (send(l->config.supervisor, q, sizeof(*q), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
		return true;
	if (errno != EAGAIN && errno != EINTR)
		_exit(EXIT_SUCCESS); /* it has gone */
	return false;
}

static void tell_all(struct lead *l)
{
	struct lead_conn *c;

	while ((c = l->lists[LIST_TELL].first)) {
		if ((c->state != LEAD_DEAD && l->n_asked == ASKED_MAX) || !tell(l, c))
			return;
		(void)take(l, LIST_TELL);
		if (c->state != LEAD_DEAD) {
			l->n_asked++;
			continue;
		}
		c->is_told = true;
		conn_free(c);
	}
}

static void hear(struct lead *l)
{
	struct lead_reply reply;
	ssize_t n;

	while ((n = recv(l->config.supervisor, &reply, sizeof(reply), MSG_DONTWAIT)) ==
	       sizeof(reply)) {
		struct lead_conn *c = l->conns[reply.seq % LEAD_MAX];

		/* One that has ended meanwhile was let go of then. */
		if (!c || c->state != LEAD_ASKED || c->is_on[LIST_TELL] || c->seq != reply.seq)
			continue;
		l->n_asked--;
		free(TAKE_PTR(c->request));
		c->state = c->after;
		if (c->state == LEAD_FIRST) {
			c->dest = reply.dest;
			c->since_ns = clock_monotonic_ns();
			lead_put(c, LIST_SILENT);
		}
		c->n_limits = MIN((size_t)reply.n_limits, ARRAY_SIZE(c->limits));
		memcpy(c->limits, reply.limits, c->n_limits * sizeof(c->limits[0]));
		if (!reply.is_allowed)
			lead_end(c, true);
		lead_put(c, LIST_READY);
	}
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		_exit(EXIT_SUCCESS);
}

/* ---- what comes */

/* @fd -1: there is no such family. */
static void add_listener(struct lead *l, int fd)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET,
				    .data.u64 = EVENT_LISTENER | l->n_listeners};

	if (fd < 0)
		return;
	if (l->n_listeners == ARRAY_SIZE(l->listeners) ||
	    epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		_exit(EXIT_FAILURE);
	l->listeners[l->n_listeners++] = fd;
}

static void take_listeners(struct lead *l)
{
	uint16_t port;
	int fds[FDS_MAX], n = fds_receive(l->config.maker, &port, sizeof(port), fds);

	if (n == -EPIPE)
		_exit(EXIT_SUCCESS);
	for (int i = 0; i < n; i++)
		add_listener(l, fds[i]);
}

static void take_connections(struct lead *l, int listener)
{
	for (;;) {
		struct sockaddr_storage from = {}, to = {};
		socklen_t from_len = sizeof(from), to_len = sizeof(to);
		int fd = -1;

		if (l->n < LEAD_MAX)
			fd = accept4(listener, (struct sockaddr *)&from, &from_len,
				     SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0) {
			/* Out of places or descriptors: others have to end first. */
			l->is_full |= l->n == LEAD_MAX || (errno != EAGAIN && errno != EINTR);
			return;
		}
		if (getsockname(fd, (struct sockaddr *)&to, &to_len) < 0)
			(void)close(fd);
		else
			conn_new(l, fd, &from, &to);
	}
}

static void take_event(struct lead *l, const struct epoll_event *e)
{
	uint64_t what = e->data.u64;
	struct lead_conn *c;

	if (what & EVENT_SUPERVISOR) {
		hear(l);
	} else if (what & EVENT_MAKER) {
		take_listeners(l);
	} else if (what & EVENT_LISTENER) {
		take_connections(l, l->listeners[what & UINT32_MAX]);
	} else {
		c = l->conns[(uint32_t)what % LEAD_MAX];
		if (c && c->generation == what >> 32)
			lead_put(c, LIST_READY);
	}
}

/* Those that say nothing hold a place. They stand in the order in which they came. */
static void end_silent(struct lead *l, uint64_t now_ns)
{
	struct lead_conn *c;

	while ((c = l->lists[LIST_SILENT].first)) {
		if (c->state == LEAD_FIRST && now_ns - c->since_ns < LEAD_SILENCE_S * NS_PER_SEC)
			return;
		(void)take(l, LIST_SILENT);
		if (c->state == LEAD_FIRST)
			lead_end(c, true);
		else
			conn_free(c);
	}
}

static void take_turns(struct lead *l)
{
	struct lead_conn *last = NULL, *c;

	/* Who puts itself on the list again waits until all others had theirs. */
	for (struct lead_conn *i = l->lists[LIST_READY].first; i; i = i->next[LIST_READY])
		last = i;
	while (last && (c = take(l, LIST_READY))) {
		if (c == last)
			last = NULL;
		if (c->state == LEAD_DEAD)
			conn_free(c);
		else
			lead_step(c);
	}
}

static void turn(struct lead *l)
{
	struct epoll_event events[EVENTS_MAX];
	bool waits = l->lists[LIST_SILENT].first || l->is_full || l->lists[LIST_TELL].first;
	int n = epoll_wait(l->epoll, events, EVENTS_MAX,
			   l->lists[LIST_READY].first ? 0
			   : waits                    ? TICK_MS
						      : -1);

	for (int i = 0; i < n; i++)
		take_event(l, &events[i]);
	if (l->is_full) {
		l->is_full = false;
		for (size_t i = 0; i < l->n_listeners; i++)
			take_connections(l, l->listeners[i]);
	}
	take_turns(l);
	end_silent(l, clock_monotonic_ns());
	tell_all(l);
}

/* Each connection takes two, and more while bytes wait. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static int add(struct lead *l, int fd, uint32_t events, uint64_t what)
{
	struct epoll_event event = {.events = events, .data.u64 = what};

	return epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &event);
}

_Noreturn void lead_run(const struct lead_config *config)
{
	static struct lead l;
	const struct lead_request begin = {.kind = LEAD_BEGIN};

	l.config = *config;
	for (int i = 0; i < _LIST_MAX; i++)
		l.lists[i].end = &l.lists[i].first;
	raise_limit();
	l.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l.epoll < 0 ||
	    add(&l, config->supervisor, EPOLLIN | EPOLLOUT | EPOLLET, EVENT_SUPERVISOR) < 0 ||
	    send(config->supervisor, &begin, sizeof(begin), MSG_NOSIGNAL) < 0)
		_exit(EXIT_FAILURE);
	if (is_on_loopback(&l)) {
		for (int i = 0; i < LEAD_LISTENERS; i++)
			add_listener(&l, config->listeners[i]);
	} else if (add(&l, config->maker, EPOLLIN, EVENT_MAKER) < 0 ||
		   send(config->maker, "", 1, MSG_NOSIGNAL) < 0) {
		_exit(EXIT_FAILURE);
	}
	for (;;)
		turn(&l);
}
