/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The resolver: a thread for each question that can be under way, so that neither a server which
 * does not answer nor a person who thinks delays anybody else. What is not understood is answered
 * with an error and goes nowhere.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

#include "names/helper.h"
#include "names/servers.h"

#define UDP_THREADS 24 /* of each family, at most */
/* Connections, of which each may have a question that is held. */
#define STREAMS_MAX  64
#define STACK_BYTES  ((size_t)512 * 1024)
#define ROUNDS       2 /* through the list of servers */
#define TRY_MS       2000
#define SUPERVISOR_S 30 /* it answers when the log has room */
#define TCP_IDLE_S   10

/* A request that waits for its reply; on the stack of the thread that waits. */
struct waiting {
	struct waiting *next;
	uint64_t seq;
	pthread_cond_t is_there;
	bool has_reply;
	struct names_reply reply;
};

struct resolver {
	struct resolver_config config;
	struct servers servers;
	pthread_mutex_t lock; /* of those below, and of those that wait */
	uint64_t seq;
	struct waiting *waiting;
	bool has_reader; /* one of them reads the replies to all */
	unsigned n_streams;
};

struct listener {
	struct resolver *r;
	int fd;
	atomic_int n_threads, n_idle; /* UDP */
};

struct stream {
	struct resolver *r;
	int fd;
	uint16_t port;
};

/* ---- the supervisor */

/* With the lock. */
static void take_reply(struct resolver *r, const struct names_reply *reply)
{
	struct waiting *w = r->waiting;

	while (w && w->seq != reply->seq)
		w = w->next;
	if (!w)
		return;
	w->reply = *reply;
	w->has_reply = true;
	(void)pthread_cond_signal(&w->is_there);
}

/* With the lock, which it lets go meanwhile. Who waits alone, as most do, is woken by the reply
 * itself. Return: whether the supervisor is still there. */
static bool read_reply(struct resolver *r)
{
	struct names_reply reply;
	ssize_t n;

	r->has_reader = true;
	(void)pthread_mutex_unlock(&r->lock);
	n = recv(r->config.questions, &reply, sizeof(reply), 0);
	(void)pthread_mutex_lock(&r->lock);
	r->has_reader = false;
	if (n == sizeof(reply))
		take_reply(r, &reply);
	return n != 0;
}

/* With the lock. Somebody else reads what comes from now on. */
static void pass_on(struct resolver *r)
{
	struct waiting *w = r->waiting;

	while (w && w->has_reply)
		w = w->next;
	if (w && !r->has_reader)
		(void)pthread_cond_signal(&w->is_there);
}

/* @until_ns UINT64_MAX: for as long as it takes. */
static bool await_reply(struct resolver *r, struct waiting *w, uint64_t until_ns)
{
	const struct timespec deadline = {.tv_sec = (time_t)(until_ns / NS_PER_SEC),
					  .tv_nsec = (long)(until_ns % NS_PER_SEC)};
	bool is_over = false;

	while (!w->has_reply && !is_over) {
		if (!r->has_reader)
			is_over = !read_reply(r);
		else if (until_ns == UINT64_MAX)
			(void)pthread_cond_wait(&w->is_there, &r->lock);
		else
			(void)pthread_cond_timedwait(&w->is_there, &r->lock, &deadline);
		is_over = is_over || clock_monotonic_ns() >= until_ns;
	}
	pass_on(r);
	return w->has_reply;
}

static void forget(struct resolver *r, struct waiting *w)
{
	struct waiting **at = &r->waiting;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
}

/* What the supervisor says; NAMES_HELD only to what came by UDP. */
static struct names_reply ask_supervisor(struct resolver *r, struct names_request *q)
{
	uint64_t until_ns = clock_monotonic_ns() + SUPERVISOR_S * NS_PER_SEC;
	struct names_reply reply = {.verdict = NAMES_NO, .rcode = DNS_SERVFAIL};
	struct waiting w = {};
	pthread_condattr_t attr;

	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&w.is_there, &attr);
	(void)pthread_mutex_lock(&r->lock);
	q->seq = w.seq = ++r->seq;
	w.next = r->waiting;
	r->waiting = &w;
	if (send(r->config.questions, q, sizeof(*q), MSG_NOSIGNAL) == sizeof(*q) &&
	    await_reply(r, &w, until_ns)) {
		reply = w.reply;
		if (reply.verdict == NAMES_HELD && q->protocol == POLICY_PROTO_TCP) {
			w.has_reply = false;
			(void)await_reply(r, &w, UINT64_MAX);
			reply = w.reply;
		}
	}
	forget(r, &w);
	(void)pthread_mutex_unlock(&r->lock);
	(void)pthread_cond_destroy(&w.is_there);
	return reply;
}

/* Until the supervisor has gone. */
static void await_end(const struct resolver *r)
{
	struct pollfd p = {.fd = r->config.questions};

	while (poll(&p, 1, -1) <= 0)
		;
}

/* ---- the servers */

/* Never fails once the machine has started. */
static void get_random(void *p, size_t len)
{
	if (getrandom(p, len, 0) != (ssize_t)len)
		abort();
}

/* Reads exactly @len bytes of a stream, or of a datagram what there is. Return: bytes, -errno. */
static ssize_t receive(int fd, char *p, size_t len, bool is_stream, uint64_t deadline_ns)
{
	size_t got = 0;

	while (got < len) {
		uint64_t now = clock_monotonic_ns();
		struct pollfd ready = {.fd = fd, .events = POLLIN};
		ssize_t n;

		if (now >= deadline_ns ||
		    poll(&ready, 1, (int)((deadline_ns - now) / NS_PER_MSEC) + 1) <= 0)
			return -ETIMEDOUT;
		n = recv(fd, p + got, len - got, MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN)
			return -errno;
		if (n == 0 && is_stream)
			return -EPIPE;
		got += n > 0 ? (size_t)n : 0;
		if (!is_stream && n >= 0)
			break;
	}
	return (ssize_t)got;
}

static ssize_t receive_answer(int fd, char *out, bool is_tcp, uint64_t deadline_ns)
{
	uint8_t len[2];
	ssize_t n;

	if (!is_tcp)
		return receive(fd, out, DNS_MESSAGE_MAX, false, deadline_ns);
	n = receive(fd, (char *)len, sizeof(len), true, deadline_ns);
	return n < 0 ? n : receive(fd, out, (size_t)(len[0] << 8 | len[1]), true, deadline_ns);
}

static int send_message(int fd, const char *p, size_t len, bool is_tcp)
{
	uint8_t head[2] = {(uint8_t)(len >> 8), (uint8_t)len};
	struct iovec iov[] = {{.iov_base = head, .iov_len = sizeof(head)},
			      {.iov_base = (void *)(uintptr_t)p, .iov_len = len}};
	struct msghdr h = {.msg_iov = is_tcp ? iov : iov + 1, .msg_iovlen = is_tcp ? 2 : 1};
	ssize_t n = sendmsg(fd, &h, MSG_NOSIGNAL);

	if (n < 0)
		return -errno;
	return (size_t)n == len + (is_tcp ? sizeof(head) : 0) ? 0 : -EPIPE;
}

/* One server, once. A socket for each question: its port is the kernel's random choice. Return: the
 * length of the answer, -errno. */
static ssize_t ask_server(const struct server *s, const struct dns_question *q,
			  struct bytes message, bool is_tcp, char *out, struct dns_facts *facts)
{
	const struct timeval timeout = {.tv_sec = TRY_MS / 1000};
	_cleanup_(fd_closep) int fd =
		socket(s->address.ss_family, (is_tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
	uint64_t deadline = clock_monotonic_ns() + TRY_MS * NS_PER_MSEC;
	char own[DNS_QUESTION_MAX];
	uint16_t id;
	size_t len;
	ssize_t n;
	int r;

	get_random(&id, sizeof(id));
	len = dns_write_question(q, message, id, own);
	if (fd < 0 ||
	    (is_tcp && setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0) ||
	    connect(fd, (const struct sockaddr *)&s->address, s->len) < 0)
		return -errno;
	r = send_message(fd, own, len, is_tcp);
	if (r < 0)
		return r;
	do {
		n = receive_answer(fd, out, is_tcp, deadline);
		if (n < 0)
			return n;
		r = dns_read_answer((struct bytes){.p = out, .len = (size_t)n}, q, id, facts);
	} while (r == -ENOMSG && !is_tcp); /* somebody guesses */
	return r < 0 ? r : n;
}

static ssize_t ask_servers(struct resolver *r, const struct dns_question *q, struct bytes message,
			   bool is_tcp, char *out, struct dns_facts *facts)
{
	struct server servers[SERVERS_MAX];
	size_t n_servers = servers_get(&r->servers, servers);
	ssize_t n = -ENOENT;

	for (size_t i = 0; n < 0 && i < ROUNDS * n_servers; i++)
		n = ask_server(&servers[i % n_servers], q, message, is_tcp, out, facts);
	return n;
}

/* ---- questions */

/* What goes back to the asker is the server's answer, byte for byte but for the id. */
static ssize_t resolve(struct resolver *r, const struct dns_question *q, struct bytes message,
		       struct names_request *request, char *out)
{
	bool is_tcp = request->protocol == POLICY_PROTO_TCP;
	ssize_t n = ask_servers(r, q, message, is_tcp, out, &request->facts);

	if (n < 0)
		return n;
	request->kind = NAMES_LEARN;
	if (request->facts.n_addresses && ask_supervisor(r, request).verdict != NAMES_YES)
		return -ENOSPC;
	out[0] = (char)(q->id >> 8);
	out[1] = (char)q->id;
	return n;
}

/* Return: the length of the answer in @out; 0: none is due. */
static size_t answer(struct resolver *r, struct bytes message, enum policy_protocol protocol,
		     uint16_t port, char *out)
{
	struct names_request request = {
		.kind = NAMES_ASK, .protocol = protocol, .port = port, .facts = {.n_names = 1}};
	struct names_reply reply;
	struct dns_question q;
	ssize_t n;
	int e = dns_read_question(message, &q);

	if (e == -ENODATA)
		return 0;
	if (e < 0)
		return dns_write_error(&q, message, e == -EBADMSG ? DNS_FORMERR : DNS_NOTIMP, out);
	request.type = q.type;
	memcpy(request.facts.names[0], q.name, sizeof(q.name));
	reply = ask_supervisor(r, &request);
	if (reply.verdict == NAMES_HELD)
		return dns_write_cut(&q, message, out);
	if (reply.verdict != NAMES_YES)
		return dns_write_error(&q, message, (enum dns_rcode)(reply.rcode & 15), out);
	n = resolve(r, &q, message, &request, out);
	return n < 0 ? dns_write_error(&q, message, DNS_SERVFAIL, out) : (size_t)n;
}

static uint16_t port_of(const struct sockaddr_storage *from)
{
	/* Both families have it at the same place. */
	return ntohs(((const struct sockaddr_in *)from)->sin_port);
}

/* The address that was asked, as the source of the answer. */
static void keep_pktinfo(struct msghdr *h)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo *info = (struct in_pktinfo *)(void *)CMSG_DATA(c);

			info->ipi_ifindex = 0;
			info->ipi_spec_dst = info->ipi_addr;
		}
	}
}

static int start_thread(void *(*main)(void *), void *arg)
{
	pthread_attr_t attr;
	pthread_t thread;

	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setstacksize(&attr, STACK_BYTES);
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	return -pthread_create(&thread, &attr, main, arg);
}

static void *udp_main(void *arg);

/* Most sessions ask one thing at a time; a thread that waits for a person keeps no other question.
 */
static int add_udp_thread(struct listener *l)
{
	int r = 0;

	if (atomic_fetch_add(&l->n_threads, 1) < UDP_THREADS)
		r = start_thread(udp_main, l);
	else
		r = -EAGAIN;
	if (r < 0)
		(void)atomic_fetch_sub(&l->n_threads, 1);
	return r;
}

static void *udp_main(void *arg)
{
	struct listener *l = arg;
	char in[DNS_MESSAGE_MAX] _uninitialized_, out[DNS_MESSAGE_MAX] _uninitialized_;

	for (;;) {
		union {
			struct cmsghdr align;
			char buf[256];
		} control = {};
		struct sockaddr_storage from = {};
		struct iovec iov = {.iov_base = in, .iov_len = sizeof(in)};
		struct msghdr h = {.msg_name = &from,
				   .msg_namelen = sizeof(from),
				   .msg_iov = &iov,
				   .msg_iovlen = 1,
				   .msg_control = control.buf,
				   .msg_controllen = sizeof(control.buf)};
		ssize_t n;
		size_t len;

		(void)atomic_fetch_add(&l->n_idle, 1);
		n = recvmsg(l->fd, &h, 0);
		/* The last that waited: the next question finds somebody, too. */
		if (atomic_fetch_sub(&l->n_idle, 1) == 1)
			(void)add_udp_thread(l);
		if (n < 0)
			continue;
		len = answer(l->r, (struct bytes){.p = in, .len = (size_t)n}, POLICY_PROTO_UDP,
			     port_of(&from), out);
		if (!len)
			continue;
		keep_pktinfo(&h);
		iov = (struct iovec){.iov_base = out, .iov_len = len};
		(void)sendmsg(l->fd, &h, MSG_NOSIGNAL);
	}
	return NULL;
}

static void serve_stream(struct resolver *r, int fd, uint16_t port)
{
	char in[DNS_MESSAGE_MAX] _uninitialized_, out[DNS_MESSAGE_MAX] _uninitialized_;
	ssize_t n;
	size_t len;

	for (;;) {
		n = receive_answer(fd, in, true, clock_monotonic_ns() + TCP_IDLE_S * NS_PER_SEC);
		if (n < 0)
			return;
		len = answer(r, (struct bytes){.p = in, .len = (size_t)n}, POLICY_PROTO_TCP, port,
			     out);
		if (!len || send_message(fd, out, len, true) < 0)
			return;
	}
}

/* Return: whether there is room for one more. */
static bool count_stream(struct resolver *r, int change)
{
	bool has_room;

	(void)pthread_mutex_lock(&r->lock);
	has_room = change < 0 || r->n_streams < STREAMS_MAX;
	if (has_room)
		r->n_streams += (unsigned)change;
	(void)pthread_mutex_unlock(&r->lock);
	return has_room;
}

static void *stream_main(void *arg)
{
	struct stream *s = arg;

	serve_stream(s->r, s->fd, s->port);
	(void)close(s->fd);
	(void)count_stream(s->r, -1);
	free(s);
	return NULL;
}

/* Consumes @fd. */
static void start_stream(struct resolver *r, int fd, uint16_t port)
{
	const struct timeval timeout = {.tv_sec = TCP_IDLE_S};
	struct stream *s = NULL;

	if (count_stream(r, 1)) {
		s = malloc(sizeof(*s));
		if (s && setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) == 0) {
			*s = (struct stream){.r = r, .fd = fd, .port = port};
			if (start_thread(stream_main, s) == 0)
				return;
		}
		free(s);
		(void)count_stream(r, -1);
	}
	(void)close(fd);
}

static void *tcp_main(void *arg)
{
	const struct listener *l = arg;

	for (;;) {
		struct sockaddr_storage from = {};
		socklen_t len = sizeof(from);
		int fd = accept4(l->fd, (struct sockaddr *)&from, &len, SOCK_CLOEXEC);

		if (fd >= 0)
			start_stream(l->r, fd, port_of(&from));
	}
	return NULL;
}

_Noreturn void resolver_run(const struct resolver_config *config)
{
	static struct listener listeners[NAMES_LISTENERS];
	static struct resolver r;
	static const struct names_request begin = {.kind = NAMES_BEGIN};
	/* Who reads for others looks at its own deadline, too. */
	const struct timeval pause = {.tv_sec = 1};

	r.config = *config;
	(void)pthread_mutex_init(&r.lock, NULL);
	/* A reply to the resolver that was here before is nobody's. */
	get_random(&r.seq, sizeof(r.seq));
	servers_init(&r.servers, config->resolv_conf);
	if (setsockopt(config->questions, SOL_SOCKET, SO_RCVTIMEO, &pause, sizeof(pause)) < 0 ||
	    send(config->questions, &begin, sizeof(begin), MSG_NOSIGNAL) < 0)
		_exit(EXIT_FAILURE);
	for (size_t i = 0; i < NAMES_LISTENERS; i++) {
		const bool is_tcp = i & 1;

		listeners[i] = (struct listener){.r = &r, .fd = config->listeners[i]};
		if (listeners[i].fd < 0)
			continue;
		if ((is_tcp ? start_thread(tcp_main, &listeners[i])
			    : add_udp_thread(&listeners[i])) < 0)
			_exit(EXIT_FAILURE);
	}
	await_end(&r);
	_exit(EXIT_SUCCESS);
}
