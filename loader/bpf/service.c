/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "bpf/abi.h"

#include "loader/bpf/connection.h"
#include "loader/bpf/service.h"

#define IDLE_MS  60000
#define DRAIN_MS 500 /* between attempts at a cgroup that somebody is in */

_Static_assert(SERVICE_SESSIONS_MAX == NET_SLOTS_MAX && NET_SLOTS_MAX == LSM_SLOTS_MAX,
	       "each client has a slot");

enum state {
	FREE,
	SPARE, /* its process waits for a client */
	SERVED,
	LEFT, /* its process has ended, and somebody is in its cgroup, or has its marks */
};

struct client {
	enum state state;
	pid_t pid;
	uid_t uid;
};

/* Of each client, written by its process. */
struct places {
	struct net_place net;
	struct lsm_place lsm;
};

struct service {
	const struct service_config *config;
	int signals;
	struct net_programs net;
	struct lsm_programs lsm;
	struct client clients[SERVICE_SESSIONS_MAX];
	struct places *places;
	struct client *spare; /* NULL: none */
	int to_spare;         /* where it waits */
	uint32_t next; /* slot: one that was freed is used last, since sockets may still know it */
};

static bool is_busy(const struct client *c)
{
	return c->state == SERVED || c->state == LEFT;
}

static uint32_t count(const struct service *s, const uid_t *uid)
{
	uint32_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(s->clients); i++)
		n += is_busy(&s->clients[i]) && (!uid || s->clients[i].uid == *uid);
	return n;
}

static struct client *find_free(struct service *s)
{
	for (uint32_t i = 0; i < SERVICE_SESSIONS_MAX; i++) {
		struct client *c = &s->clients[(s->next + i) % SERVICE_SESSIONS_MAX];

		if (c->state != FREE)
			continue;
		s->next = (uint32_t)(c - s->clients + 1) % SERVICE_SESSIONS_MAX;
		return c;
	}
	return NULL;
}

static const char *find_obstacle(const struct service *s, uid_t uid)
{
	if (count(s, &uid) >= s->config->max_per_user)
		return "this user has as many sessions with it as one user may have";
	if (count(s, NULL) >= s->config->max_sessions)
		return "there are as many sessions with it as there may be";
	return NULL;
}

/* ---- a client's process */

static _Noreturn void serve(struct service *s, int to_us, struct client *self)
{
	struct net_layers net = NET_LAYERS_NONE;
	struct lsm_layers lsm = LSM_LAYERS_NONE;
	struct connection_config config = {
		.is_service = true, .socket = -1, .net = &net, .lsm = &lsm};
	struct layers_header ignored;

	(void)fd_close(s->signals);
	(void)close(s->config->socket);
	net.programs = &s->net;
	lsm.programs = &s->lsm;
	net.slot = lsm.slot = (uint32_t)(self - s->clients);
	net.place = &s->places[net.slot].net;
	lsm.place = &s->places[net.slot].lsm;
	/* What fails is tried again when a client asks for it, who is told. */
	if ((!s->net.error && net_prepare(&net) < 0) || (!s->lsm.error && lsm_prepare(&lsm) < 0))
		(void)fprintf(stderr, "holdfast-loader: a session's maps cannot be made\n");
	if (layers_receive(to_us, &ignored, sizeof(ignored), &config.socket, 1) <= 0 ||
	    config.socket < 0) {
		net_end(&net);
		lsm_end(&lsm);
		_exit(EXIT_SUCCESS);
	}
	(void)close(to_us);
	_exit(connection_serve(&config) < 0);
}

/*
 * A process is made before there is a client for it, so that he need not wait for what can be
 * prepared; and so that none has another's connection, which would not end then. Return: 0, -errno:
 * there is no spare one.
 */
static int make_spare(struct service *s)
{
	struct client *c = s->spare ? NULL : find_free(s);
	int pair[2];
	pid_t pid;

	if (!c)
		return s->spare ? 0 : -EUSERS;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		(void)close(pair[0]);
		serve(s, pair[1], c);
	}
	(void)fd_close(pair[1]);
	if (pid < 0) {
		int r = -errno;

		(void)fd_close(pair[0]);
		return r;
	}
	*c = (struct client){.state = SPARE, .pid = pid};
	s->spare = c;
	s->to_spare = pair[0];
	return 0;
}

/* Whoever it was, it is not spare any more: it ends, unless it has got a client. */
static void let_spare_go(struct service *s)
{
	s->spare = NULL;
	s->to_spare = fd_close(s->to_spare);
}

static int hand_over(struct service *s, int socket, uid_t uid)
{
	const struct layers_header client = {.size = sizeof(client)};
	int r = s->spare ? layers_send(s->to_spare, &client, &socket, 1) : -EAGAIN;

	if (r == 0) {
		s->spare->state = SERVED;
		s->spare->uid = uid;
	}
	let_spare_go(s);
	return r;
}

static void accept_client(struct service *s)
{
	_cleanup_(fd_closep) int socket = accept4(s->config->socket, NULL, NULL, SOCK_CLOEXEC);
	struct ucred who;
	socklen_t size = sizeof(who);
	const char *obstacle;
	int r;

	if (socket < 0 || getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &who, &size) < 0)
		return;
	obstacle = find_obstacle(s, who.uid);
	if (obstacle)
		return connection_refuse(socket, -EUSERS, obstacle);
	r = hand_over(s, socket, who.uid);
	if (r < 0)
		connection_refuse(socket, r, "no process can be made for it");
}

/* ---- */

static void clear(struct service *s, struct client *c)
{
	const uint32_t slot = (uint32_t)(c - s->clients);
	const bool is_net_free = net_clear_slot(&s->net, slot, &s->places[slot].net);
	const bool is_lsm_free = lsm_clear_slot(&s->lsm, slot, &s->places[slot].lsm);

	if (c == s->spare)
		let_spare_go(s);
	c->state = is_net_free && is_lsm_free ? FREE : LEFT;
}

static void reap(struct service *s)
{
	struct signalfd_siginfo ignored;
	pid_t pid;

	while (read(s->signals, &ignored, sizeof(ignored)) > 0)
		;
	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		for (size_t i = 0; i < ARRAY_SIZE(s->clients); i++)
			if (s->clients[i].pid == pid &&
			    (s->clients[i].state == SERVED || s->clients[i].state == SPARE))
				clear(s, &s->clients[i]);
}

/* Return: whether there are still some. */
static bool clear_left(struct service *s)
{
	bool any = false;

	for (size_t i = 0; i < ARRAY_SIZE(s->clients); i++) {
		if (s->clients[i].state == LEFT)
			clear(s, &s->clients[i]);
		any = any || s->clients[i].state == LEFT;
	}
	return any;
}

static int run(struct service *s)
{
	struct pollfd fds[] = {{.fd = s->config->socket, .events = POLLIN},
			       {.fd = s->signals, .events = POLLIN}};

	for (;;) {
		const bool has_left = clear_left(s);
		const bool is_idle = s->config->ends_idle && count(s, NULL) == 0;
		int r;

		(void)make_spare(s);
		r = poll(fds, ARRAY_SIZE(fds), has_left ? DRAIN_MS : is_idle ? IDLE_MS : -1);
		if (r < 0 && errno != EINTR)
			return -errno;
		if (r == 0 && is_idle)
			return 0;
		if (r <= 0)
			continue;
		if (fds[1].revents)
			reap(s);
		if (fds[0].revents) {
			(void)make_spare(s);
			accept_client(s);
		}
	}
}

/*
 * What failed to load is not tried again before this process is another one: loading takes long,
 * and anybody may ask.
 */
static void load(struct service *s)
{
	if (net_programs_load(&s->net) < 0)
		(void)fprintf(stderr, "holdfast-loader: bpf-net cannot be loaded: %s\n",
			      s->net.reason);
	if (lsm_programs_load(&s->lsm) < 0)
		(void)fprintf(stderr, "holdfast-loader: bpf-lsm cannot be loaded: %s\n",
			      s->lsm.reason);
}

int service_run(const struct service_config *config)
{
	struct service *s = calloc(1, sizeof(*s));
	const size_t size = sizeof(*s->places) * SERVICE_SESSIONS_MAX;
	sigset_t child;
	int r = 0;

	if (!s)
		return -ENOMEM;
	(void)sigemptyset(&child);
	(void)sigaddset(&child, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &child, NULL);
	s->config = config;
	s->to_spare = -1;
	s->signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	s->places = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s->signals < 0 || s->places == MAP_FAILED)
		r = -errno;
	if (r == 0) {
		load(s);
		r = run(s);
		let_spare_go(s);
	}
	(void)fd_close(s->signals);
	if (s->places != MAP_FAILED)
		(void)munmap(s->places, size);
	free(s);
	return r;
}
