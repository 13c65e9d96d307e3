/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The broker's own socket: "hello" from a session that wants a broker, "status" and "stop" from its
 * user. There is no way to answer here: answers go to sessions. One packet, one reply, and the end.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/dirs.h"
#include "base/json.h"
#include "control/peer.h"
#include "control/socket.h"

#include "broker/broker_private.h"

#define CLIENT_NS    (5 * NS_PER_SEC)
#define REQUEST_MAX  64
#define SYSTEMD_FD   3
#define HELD_WORDS   ((size_t)160)
#define REPLY_MARGIN ((size_t)2048)

static int open_listener(struct broker *b, struct diag *d)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	char own[16];

	(void)snprintf(own, sizeof(own), "%d", getpid());
	if (pid && fds && streq(pid, own) && streq(fds, "1")) {
		b->is_activated = true;
		b->listener = SYSTEMD_FD;
		return 0;
	}
	b->listener = control_socket_listen(b->dir, b->dir_path, BROKER_SOCKET, 0600, d);
	return b->listener < 0 ? b->listener : 0;
}

int door_open(struct broker *b, struct diag *d)
{
	for (size_t i = 0; i < DOOR_CLIENTS_MAX; i++)
		b->clients[i].fd = -1;
	return open_listener(b, d);
}

static void close_client(struct door_client *c)
{
	c->fd = fd_close(c->fd);
}

/* ---- who may */

/*
 * Of every session that we know; of others their filter tells (control/peer.h). @sender: who sent
 * what came, and has to be who connected; 0: nothing has.
 */
static bool may(struct broker *b, int fd, pid_t sender)
{
	struct control_users users;
	struct control_peer peer;
	struct roster_session s;
	bool ret;

	control_users_init(&users, geteuid());
	control_peer_init(&peer, fd);
	if (sender && sender != peer.pid) {
		peer.uid = (uid_t)-1;
		control_peer_become(&peer, sender);
	}
	ret = control_peer_check(&peer, &users, getpid()) == CONTROL_PEER_OK;
	for (size_t i = 0; i < roster_count(b->roster); i++) {
		json_int_t pid;

		roster_get(b->roster, i, &s);
		pid = json_integer_value(json_object_get(s.status, "pid"));
		if (pid <= 0 || control_peer_check(&peer, &users, (pid_t)pid) == CONTROL_PEER_OK)
			continue;
		ret = false;
		if (control_peer_is_inside(&peer, (pid_t)pid))
			answers_report(b, s.name, "tried to use the broker's socket");
	}
	if (!ret)
		broker_say(b, "process %d tried to use the broker's socket and was refused",
			   peer.pid);
	control_peer_fini(&peer);
	return ret;
}

void door_accept(struct broker *b)
{
	_cleanup_(fd_closep) int fd =
		accept4(b->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	if (!may(b, fd, 0)) {
		static const char refusal[] = "{\"ok\":false,\"error\":\"agent\"}";

		(void)send(fd, refusal, sizeof(refusal) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
		return;
	}
	b->needed_ns = clock_monotonic_ns();
	for (size_t i = 0; i < DOOR_CLIENTS_MAX; i++)
		if (b->clients[i].fd < 0) {
			b->clients[i] =
				(struct door_client){.fd = TAKE_FD(fd), .since_ns = b->needed_ns};
			return;
		}
}

/* ---- what is asked */

static void add_hand(struct json *j, const char *name, const struct hand *h, bool is_wanted)
{
	json_key_cstr(j, name, !is_wanted ? "off" : h->fd >= 0 ? "running" : "not running");
}

static void add_sessions(struct broker *b, struct json *j)
{
	struct roster_session s;

	json_key(j, "sessions");
	json_begin_array(j);
	for (size_t i = 0; i < roster_count(b->roster); i++) {
		roster_get(b->roster, i, &s);
		if (j->out->len + REPLY_MARGIN > BROKER_REPLY_MAX / 2)
			break;
		json_begin_object(j);
		json_key_cstr(j, "session", s.name);
		json_key_u64(j, "held", json_array_size(s.held));
		json_end_object(j);
	}
	json_end_array(j);
}

static void add_questions(struct broker *b, struct json *j)
{
	uint64_t now_ns = clock_monotonic_ns();

	json_key(j, "held");
	json_begin_array(j);
	for (size_t i = 0; i < b->n_questions; i++) {
		const struct question *q = b->questions[i];

		if (j->out->len + REPLY_MARGIN + PROBLEMS_MAX * PROBLEM_SIZE * 2 > BROKER_REPLY_MAX)
			break;
		json_begin_object(j);
		json_key_cstr(j, "id", q->id);
		json_key_cstr(j, "session", q->session);
		json_key_u64(j, "left_ms",
			     q->deadline_ns > now_ns ? (q->deadline_ns - now_ns) / NS_PER_MSEC : 0);
		json_key_bool(j, "notified", q->is_shown);
		json_key_bool(j, "posted", q->is_posted);
		json_end_object(j);
	}
	json_end_array(j);
}

static void write_status(struct broker *b, struct strbuf *out)
{
	struct json j = JSON_INIT(out);
	size_t first = b->n_problems > PROBLEMS_MAX ? b->n_problems - PROBLEMS_MAX : 0;

	json_begin_object(&j);
	json_key_bool(&j, "ok", true);
	json_key_u64(&j, "pid", (uint64_t)getpid());
	add_hand(&j, "desktop", &b->desktop, b->config->notifies);
	add_hand(&j, "webhook", &b->webhook, b->config->webhook.url);
	add_hand(&j, "links", &b->links, b->config->links.address);
	json_key_u64(&j, "answers", b->n_answers);
	json_key_u64(&j, "attempts", b->n_attempts);
	json_key_u64(&j, "delivered", b->n_delivered);
	json_key_u64(&j, "lost", b->n_lost);
	add_sessions(b, &j);
	add_questions(b, &j);
	json_key(&j, "problems");
	json_begin_array(&j);
	for (size_t i = first; i < b->n_problems; i++)
		json_str(&j, bytes_of(b->problems[i % PROBLEMS_MAX]));
	json_end_array(&j);
	json_end_object(&j);
}

void door_read(struct broker *b, struct door_client *c)
{
	_cleanup_(strbuf_fini) struct strbuf out = STRBUF_INIT(BROKER_REPLY_MAX);
	char request[REQUEST_MAX];
	bool is_whole = false;
	pid_t sender = 0;
	ssize_t n = control_peer_receive(c->fd, request, sizeof(request), &sender, &is_whole);
	struct bytes q = {.p = request, .len = is_whole ? (size_t)n : 0};

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0 && !may(b, c->fd, sender ? sender : -1))
		q.len = 0;
	if (bytes_eq_str(q, "status"))
		write_status(b, &out);
	else if (bytes_eq_str(q, "hello") || bytes_eq_str(q, "stop"))
		strbuf_add_str(&out, "{\"ok\":true}");
	else
		strbuf_add_str(&out, "{\"ok\":false,\"error\":\"unknown-op\"}");
	if (bytes_eq_str(q, "stop"))
		b->is_over = true;
	if (n > 0 && !strbuf_error(&out))
		(void)send(c->fd, out.p, out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	close_client(c);
}

void door_tick(struct broker *b, uint64_t now_ns)
{
	for (size_t i = 0; i < DOOR_CLIENTS_MAX; i++)
		if (b->clients[i].fd >= 0 && now_ns - b->clients[i].since_ns > CLIENT_NS)
			close_client(&b->clients[i]);
}

/*
 * Connecting is done when connect() returns. So whoever found us before the name goes is in the
 * queue after that, and whoever comes later finds nobody and starts another, which waits for the
 * lock.
 */
bool door_close(struct broker *b)
{
	struct pollfd poll_fd = {.fd = b->listener, .events = POLLIN};

	if (!b->is_activated)
		(void)unlinkat(b->dir, BROKER_SOCKET, 0);
	return poll(&poll_fd, 1, 0) > 0;
}

void door_free(struct broker *b)
{
	for (size_t i = 0; i < DOOR_CLIENTS_MAX; i++)
		close_client(&b->clients[i]);
	b->listener = fd_close(b->listener);
}

int broker_call(const char *request, struct strbuf *out)
{
	_cleanup_(freep) char *dir = dirs_runtime();
	_cleanup_(fd_closep) int dirfd = dir ? open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	_cleanup_(fd_closep) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	const struct timeval limit = {.tv_sec = CLIENT_NS / NS_PER_SEC};
	struct sockaddr_un a;
	ssize_t n;
	int r;

	if (dirfd < 0 || fd < 0)
		return errno == ENOENT ? -ECONNREFUSED : -errno;
	r = control_socket_address(dirfd, dir, BROKER_SOCKET, &a);
	if (r == 0)
		r = strbuf_reserve(out, BROKER_REPLY_MAX);
	if (r < 0)
		return r;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) < 0)
		return errno == ENOENT ? -ECONNREFUSED : -errno;
	if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0 && errno != EPIPE)
		return -errno;
	n = recv(fd, out->p, BROKER_REPLY_MAX, 0);
	if (n <= 0)
		return n < 0 ? -errno : -ECONNREFUSED;
	out->len = (size_t)n;
	out->p[n] = '\0';
	return bytes_has_prefix(strbuf_bytes(out), BYTES_LIT("{\"ok\":false")) ? -EACCES : 0;
}
