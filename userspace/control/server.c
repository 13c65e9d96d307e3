/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include "base/clock.h"
#include "base/dirs.h"

#include "control/server_private.h"
#include "control/socket.h"

#define ACCEPT_BATCH        16 /* connections of one dispatch: the main thread has other work */
#define TIMER_NS            (5 * NS_PER_SEC)
#define ATTEMPT_INTERVAL_NS NS_PER_SEC
/* epoll's data: a client's slot, or one of these. */
enum {
	EVENT_LISTENER = CONTROL_MAX_CLIENTS,
	EVENT_TIMER,
	_EVENT_MAX,
};

/* ---- timer, slots */

static int watch(struct control_server *s, int op, int fd, uint32_t events, unsigned data)
{
	struct epoll_event ev = {.events = events, .data.u32 = data};

	return epoll_ctl(s->epoll, op, fd, &ev) < 0 ? -errno : 0;
}

static void arm_timer(struct control_server *s)
{
	struct itimerspec when = {};

	if (s->n_clients || s->is_paused || s->attempts_untold)
		when.it_value.tv_sec = (time_t)(TIMER_NS / NS_PER_SEC);
	(void)timerfd_settime(s->timer, 0, &when, NULL);
}

static void client_close(struct control_server *s, struct client *c)
{
	if (c->fd < 0)
		return;
	c->fd = fd_close(c->fd); /* leaves epoll: there is no other reference to the description */
	control_peer_fini(&c->peer);
	s->n_clients--;
}

static struct client *free_slot(struct control_server *s)
{
	for (size_t i = 0; i < CONTROL_MAX_CLIENTS; i++) {
		if (s->clients[i].fd < 0)
			return &s->clients[i];
	}
	return NULL;
}

/* ---- replies */

bool server_send_reply(struct control_server *s, int fd)
{
	if (strbuf_error(&s->reply))
		return false;
	return send(fd, s->reply.p, s->reply.len, MSG_NOSIGNAL | MSG_DONTWAIT) ==
	       (ssize_t)s->reply.len;
}

struct json server_begin_reply(struct control_server *s, bool is_ok)
{
	struct json j = JSON_INIT(&s->reply);

	strbuf_reset(&s->reply);
	json_begin_object(&j);
	json_key_u64(&j, "v", CONTROL_VERSION);
	json_key_bool(&j, "ok", is_ok);
	return j;
}

/* Return: false, so that 'return server_send_error(...)' ends the connection. */
bool server_send_error(struct control_server *s, int fd, enum control_error e, const char *message)
{
	struct json j = server_begin_reply(s, false);

	json_key_cstr(&j, "error", control_error_name(e));
	json_key_cstr(&j, "message", message);
	json_end_object(&j);
	(void)server_send_reply(s, fd); /* the connection ends either way */
	return false;
}

bool server_send_ok(struct control_server *s, int fd)
{
	struct json j = server_begin_reply(s, true);

	json_end_object(&j);
	return server_send_reply(s, fd);
}

/* ---- who may */

void server_tell_attempt(struct control_server *s, const struct control_peer *p, const char *who,
			 const char *what)
{
	uint64_t now_ns = clock_monotonic_ns();
	char note[SERVER_MESSAGE_MAX];
	int n;

	s->attempts_untold++;
	if (s->attempt_ns && now_ns - s->attempt_ns < ATTEMPT_INTERVAL_NS)
		return;
	n = snprintf(note, sizeof(note), "%s (pid %d, uid %d) %s and was refused", who, p->pid,
		     (int)p->uid, what);
	if (s->attempts_untold > 1 && n < SERVER_MESSAGE_MAX)
		n += snprintf(note + n, sizeof(note) - (size_t)n,
			      "; %llu such attempts since the last note",
			      (unsigned long long)s->attempts_untold);
	s->attempt_ns = now_ns;
	s->attempts_untold = 0;
	s->ops->attempt(s->arg, bytes_of(note));
}

void control_server_tell_untold(struct control_server *s)
{
	char note[SERVER_MESSAGE_MAX];
	int n;

	if (!s || !s->attempts_untold)
		return;
	n = snprintf(
		note, sizeof(note),
		"%llu more attempt%s to use the session's sockets %s refused since the last note",
		(unsigned long long)s->attempts_untold, s->attempts_untold == 1 ? "" : "s",
		s->attempts_untold == 1 ? "was" : "were");
	s->attempts_untold = 0;
	s->attempt_ns = clock_monotonic_ns();
	s->ops->attempt(s->arg, (struct bytes){.p = note, .len = (size_t)n});
}

static const char *use_words(const struct control_server *s)
{
	if (s->is_for_approvers)
		return "tried to use the session's socket of approvers";
	return s->is_inside ? "tried to use the session's spend socket"
			    : "tried to use the session's control socket";
}

static bool check_inside(struct control_server *s, const struct control_peer *p, int fd)
{
	/* Ourselves: a connection that was made for a process of the session, see client_read(). */
	if (p->pid == s->supervisor || control_peer_is_inside(p, s->supervisor))
		return true;
	server_tell_attempt(s, p, "A process that is not of the session", use_words(s));
	return server_send_error(
		s, fd, CONTROL_E_USER,
		"only a process of the session may use this socket; from outside: holdfast spend --session");
}

/* Return: false when the peer was refused, and has heard so. */
static bool check_peer(struct control_server *s, const struct control_peer *p, int fd)
{
	if (s->is_inside)
		return check_inside(s, p, fd);
	switch (control_peer_check(p, &s->users, s->supervisor)) {
	case CONTROL_PEER_OK:
		return true;
	case CONTROL_PEER_USER:
		if (s->is_for_approvers)
			return true; /* each request is judged: see may_answer() in
					server_requests.c */
		server_tell_attempt(s, p, "A process of another user", use_words(s));
		return server_send_error(s, fd, CONTROL_E_USER,
					 "this session belongs to another user");
	case CONTROL_PEER_CONFINED:
		server_tell_attempt(s, p, "A process under another supervisor", use_words(s));
		return server_send_error(s, fd, CONTROL_E_AGENT,
					 "a supervised process cannot answer held actions");
	case CONTROL_PEER_SESSION:
		break;
	}
	server_tell_attempt(s, p, "A process of the session", use_words(s));
	return server_send_error(s, fd, CONTROL_E_AGENT,
				 "an agent cannot answer its own held actions");
}

/* Return: whether the connection goes on. */
static bool client_read(struct control_server *s, struct client *c)
{
	pid_t sender = 0;
	bool is_whole = false;
	ssize_t len = control_peer_receive(c->fd, s->packet, sizeof(s->packet), &sender, &is_whole);

	if (len < 0)
		return errno == EAGAIN || errno == EINTR;
	if (len == 0)
		return false;
	c->heard_ns = clock_monotonic_ns();
	if (s->is_inside && c->peer.pid == s->supervisor && sender > 0 && sender != s->supervisor)
		control_peer_become(&c->peer, sender);
	if (sender != c->peer.pid) {
		server_tell_attempt(s, &c->peer,
				    "A process that was handed the connection of another",
				    use_words(s));
		return server_send_error(s, c->fd, CONTROL_E_AGENT,
					 "only the process that connected may use a connection");
	}
	if (!check_peer(s, &c->peer, c->fd))
		return false;
	if (!is_whole || (size_t)len > CONTROL_PACKET_MAX)
		return server_send_error(s, c->fd, CONTROL_E_MALFORMED, "malformed request");
	return server_handle_packet(s, c, (size_t)len);
}

/* ---- connections */

/* Nobody keeps the others out. */
static bool has_room_for(const struct control_server *s, uid_t uid)
{
	size_t n = 0;

	for (size_t i = 0; s->is_for_approvers && i < CONTROL_MAX_CLIENTS; i++)
		n += s->clients[i].fd >= 0 && s->clients[i].peer.uid == uid;
	return n < CONTROL_PER_USER;
}

/* Takes @fd over if the peer may be here; else tells it why not. */
static void client_add(struct control_server *s, int *fd)
{
	struct client *c = free_slot(s);
	struct control_peer peer;

	control_peer_init(&peer, *fd);
	if (!check_peer(s, &peer, *fd) ||
	    ((!c || !has_room_for(s, peer.uid)) &&
	     !server_send_error(s, *fd, CONTROL_E_BUSY, "too many clients; try again")) ||
	    !server_send_ok(s, *fd) ||
	    watch(s, EPOLL_CTL_ADD, *fd, EPOLLIN | EPOLLRDHUP, (unsigned)(c - s->clients)) < 0) {
		control_peer_fini(&peer);
		return;
	}
	*c = (struct client){.fd = TAKE_FD(*fd), .peer = peer, .heard_ns = clock_monotonic_ns()};
	s->n_clients++;
}

static void accept_clients(struct control_server *s)
{
	for (unsigned i = 0; i < ACCEPT_BATCH; i++) {
		_cleanup_(fd_closep) int fd =
			accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			client_add(s, &fd);
			continue;
		}
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		if (errno != EAGAIN) { /* EMFILE and the like: a level-triggered loop would spin */
			s->is_paused = true;
			(void)watch(s, EPOLL_CTL_MOD, s->listener, 0, EVENT_LISTENER);
		}
		return;
	}
}

static void on_timer(struct control_server *s)
{
	uint64_t now_ns = clock_monotonic_ns(), expirations;

	(void)!read(s->timer, &expirations, sizeof(expirations)); /* EAGAIN: it was set anew */
	control_server_tell_untold(s);
	for (size_t i = 0; i < CONTROL_MAX_CLIENTS; i++) {
		struct client *c = &s->clients[i];

		if (c->fd >= 0 && now_ns - c->heard_ns >= CONTROL_IDLE_NS)
			client_close(s, c);
	}
	if (s->is_paused && watch(s, EPOLL_CTL_MOD, s->listener, EPOLLIN, EVENT_LISTENER) == 0)
		s->is_paused = false;
}

static void on_event(struct control_server *s, unsigned data)
{
	if (data == EVENT_LISTENER) {
		accept_clients(s);
	} else if (data == EVENT_TIMER) {
		on_timer(s);
	} else {
		struct client *c = &s->clients[data];

		if (c->fd >= 0 && !client_read(s, c))
			client_close(s, c);
	}
}

void control_server_dispatch(struct control_server *s)
{
	struct epoll_event events[_EVENT_MAX];
	int n = epoll_wait(s->epoll, events, _EVENT_MAX, 0);

	/*
	 * The listener last: a slot that is freed and filled anew in one round must not get an
	 * event that was its predecessor's.
	 */
	for (int i = 0; i < n; i++) {
		if (events[i].data.u32 != EVENT_LISTENER)
			on_event(s, events[i].data.u32);
	}
	for (int i = 0; i < n; i++) {
		if (events[i].data.u32 == EVENT_LISTENER)
			on_event(s, EVENT_LISTENER);
	}
	if (n > 0)
		arm_timer(s);
}

/* ---- the server */

static void server_freep(struct control_server **s)
{
	control_server_free(*s);
}

static struct control_server *server_alloc(const struct control_server_config *config)
{
	const char *suffix = config->is_inside ? CONTROL_SPEND_SUFFIX : CONTROL_SUFFIX;
	struct control_server *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->dir = s->listener = s->epoll = s->timer = -1;
	for (size_t i = 0; i < CONTROL_MAX_CLIENTS; i++)
		s->clients[i].fd = -1;
	s->reply = STRBUF_INIT(CONTROL_PACKET_MAX);
	s->supervisor = config->supervisor;
	s->held = config->held;
	s->ops = config->ops;
	s->arg = config->arg;
	s->session = strdup(config->session);
	s->is_inside = config->is_inside;
	s->is_for_approvers = config->is_for_approvers;
	s->agent = config->agent;
	s->name = str_format("%s%s", config->session, suffix);
	s->path = str_format("%s/%s%s", config->runtime_dir, config->session, suffix);
	if (s->session && s->name && s->path)
		return s;
	return control_server_free(s);
}

static int watch_all(struct control_server *s)
{
	int r;

	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	s->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (s->epoll < 0 || s->timer < 0)
		return -errno;
	r = watch(s, EPOLL_CTL_ADD, s->listener, EPOLLIN, EVENT_LISTENER);
	return r < 0 ? r : watch(s, EPOLL_CTL_ADD, s->timer, EPOLLIN, EVENT_TIMER);
}

int control_server_new(const struct control_server_config *config, struct control_server **ret,
		       struct diag *reterr_diag)
{
	_cleanup_(server_freep) struct control_server *s = NULL;
	int r;

	if (!config->session[0] || strchr(config->session, '/'))
		return diag_set(reterr_diag, NULL, 0, 0, "'%s' cannot be a session's name",
				config->session);
	s = server_alloc(config);
	if (!s) {
		(void)diag_set(reterr_diag, NULL, 0, 0, "out of memory");
		return -ENOMEM;
	}
	control_users_init(&s->users, config->owner);
	s->dir = control_socket_open_dir(config->runtime_dir, s->is_for_approvers ? 0755 : 0700,
					 reterr_diag);
	if (s->dir < 0)
		return s->dir;
	s->listener = control_socket_listen(s->dir, config->runtime_dir, s->name,
					    s->is_for_approvers ? 0666 : 0600, reterr_diag);
	if (s->listener < 0)
		return s->listener;
	r = watch_all(s);
	if (r < 0) {
		(void)diag_set(reterr_diag, NULL, 0, 0, "cannot watch the control socket: %s",
			       strerror(-r));
		return r;
	}
	*ret = TAKE_PTR(s);
	return 0;
}

struct control_server *control_server_free(struct control_server *s)
{
	if (!s)
		return NULL;
	for (size_t i = 0; i < CONTROL_MAX_CLIENTS; i++)
		client_close(s, &s->clients[i]);
	if (s->listener >= 0)
		(void)unlinkat(s->dir, s->name, 0);
	fd_close(s->listener);
	fd_close(s->dir);
	fd_close(s->epoll);
	fd_close(s->timer);
	strbuf_fini(&s->reply);
	free(s->session);
	free(s->name);
	free(s->path);
	free(s);
	return NULL;
}

int control_server_fd(const struct control_server *s)
{
	return s->epoll;
}

const char *control_server_path(const struct control_server *s)
{
	return s->path;
}

void control_server_note_end(struct control_server *s, const char *id, enum control_end how,
			     struct bytes approver)
{
	control_history_add(&s->history, id, how, approver, clock_monotonic_ns());
}
