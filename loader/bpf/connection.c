/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

#include "loader/request.h"

#include "loader/bpf/connection.h"
#include "loader/bpf/loader.h"
#include "loader/bpf/session.h"

/* A stranger who connects has something to ask for. */
#define FIRST_REQUEST_MS 10000

struct connection {
	const struct connection_config *config;
	struct request_state state;
	struct peer peer;
	struct session_layers session;
	int passed; /* the descriptor that came with the request; -1: none, or it was taken */
};

static int answer(const struct connection *c, struct layers_header *message, enum layers_type type,
		  size_t size, const int *fds, size_t n_fds)
{
	*message = (struct layers_header){
		.version = LAYERS_VERSION, .type = type, .size = (uint32_t)size};
	return layers_send(c->config->socket, message, fds, n_fds);
}

static int serve_probe(struct connection *c, const void *request _unused_)
{
	struct layers_probed probed = {};

	probe_all(probed.findings);
	return answer(c, &probed.header, LAYERS_PROBED, sizeof(probed), NULL, 0);
}

static int serve_start(struct connection *c, const void *request _unused_)
{
	struct layers_started started = {};
	int fds[_LAYERS_FD_MAX];

	started.error = session_start(&c->session, fcntl(c->peer.pidfd, F_DUPFD_CLOEXEC, 0), fds,
				      started.reason);
	return answer(c, &started.header, LAYERS_STARTED, sizeof(started), fds,
		      started.error ? 0 : ARRAY_SIZE(fds));
}

static int serve_seal(struct connection *c, const void *request _unused_)
{
	struct layers_header sealed;
	int r = c->session.sight ? session_seal(&c->session) : -EPROTO;

	return r < 0 ? r : answer(c, &sealed, LAYERS_SEALED, sizeof(sealed), NULL, 0);
}

static int serve_net(struct connection *c, const void *request)
{
	struct layers_started started = {};
	int fds[] = {-1, -1, -1, -1};
	int r;

	_Static_assert(ARRAY_SIZE(fds) == _LAYERS_NET_FD_MAX, "all of them");
	started.error =
		net_start(c->config->net, &c->peer, request, c->passed, fds, started.reason);
	r = answer(c, &started.header, LAYERS_NETTED, sizeof(started), fds,
		   started.error ? 0 : ARRAY_SIZE(fds));
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		(void)fd_close(fds[i]);
	return r;
}

static int serve_join(struct connection *c, const void *request _unused_)
{
	struct layers_started started = {};

	if (c->config->net->cgroup < 0)
		return -EPROTO;
	started.error = net_join(c->config->net, &c->peer, c->passed, started.reason);
	return answer(c, &started.header, LAYERS_JOINED, sizeof(started), NULL, 0);
}

static int serve_lsm(struct connection *c, const void *request)
{
	struct layers_started started = {};
	int fds[_LAYERS_LSM_FD_MAX];
	size_t n = 0;

	started.error =
		lsm_start(c->config->lsm, &c->peer, request, c->passed, fds, &n, started.reason);
	return answer(c, &started.header, LAYERS_LSMED, sizeof(started), fds, n);
}

static int serve_lsm_join(struct connection *c, const void *request _unused_)
{
	struct layers_started started = {};

	if (!c->config->lsm->is_started)
		return -EPROTO;
	started.error = lsm_join(c->config->lsm, &c->peer, c->passed, started.reason);
	return answer(c, &started.header, LAYERS_JOINED, sizeof(started), NULL, 0);
}

static int serve(struct connection *c, enum layers_type type, const void *request)
{
	static const struct {
		enum layers_type type;
		int (*serve)(struct connection *c, const void *request);
	} requests[] = {
		{LAYERS_PROBE, serve_probe},       {LAYERS_START, serve_start},
		{LAYERS_SEAL, serve_seal},         {LAYERS_NET, serve_net},
		{LAYERS_JOIN, serve_join},         {LAYERS_LSM, serve_lsm},
		{LAYERS_LSM_JOIN, serve_lsm_join},
	};

	for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
		if (requests[i].type == type)
			return requests[i].serve(c, request);
	return -EPROTO;
}

/* Return: whether it speaks, or has gone, in time. */
static bool wait_for_request(const struct connection *c)
{
	struct pollfd fd = {.fd = c->config->socket, .events = POLLIN};
	int r;

	do
		r = poll(&fd, 1, c->config->is_service && !c->state.done ? FIRST_REQUEST_MS : -1);
	while (r < 0 && errno == EINTR);
	return r > 0;
}

static int serve_all(struct connection *c)
{
	char request[REQUEST_MAX] __attribute__((aligned(8)));
	enum layers_type type;
	ssize_t n;
	int r;

	while (wait_for_request(c)) {
		n = layers_receive(c->config->socket, request, sizeof(request), &c->passed, 1);
		if (n <= 0)
			return (int)n;
		r = request_check(&c->state, request, (size_t)n, c->passed >= 0, &type);
		if (r == 0)
			r = serve(c, type, request);
		c->passed = fd_close(c->passed);
		if (r < 0)
			return r;
	}
	return -ETIMEDOUT;
}

int connection_serve(const struct connection_config *config)
{
	struct layers_started hello = {};
	struct connection c = {
		.config = config,
		.state = {.may_probe = !config->is_service},
		.peer = {.pidfd = -1},
		.session.supervisor = -1,
		.passed = -1,
	};
	int r = peer_of(config->socket, &c.peer);

	if (r == 0)
		r = answer(&c, &hello.header, LAYERS_HELLO, sizeof(hello), NULL, 0);
	if (r == 0)
		r = serve_all(&c);
	(void)fd_close(c.passed);
	session_end(&c.session);
	net_end(config->net);
	lsm_end(config->lsm);
	(void)fd_close(c.peer.pidfd);
	return r;
}

void connection_refuse(int socket, int error, const char *reason)
{
	struct layers_started hello = {
		.header = {.version = LAYERS_VERSION, .type = LAYERS_HELLO, .size = sizeof(hello)},
		.error = error};

	(void)snprintf(hello.reason, sizeof(hello.reason), "%s", reason);
	(void)send(socket, &hello, sizeof(hello), MSG_NOSIGNAL | MSG_DONTWAIT);
}
