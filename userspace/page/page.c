/* SPDX-License-Identifier: Apache-2.0 */
#include <netinet/in.h>
#include <sodium.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/dirs.h"

#include "page/page_private.h"

#define TIMEOUT_S 15
/* An agent that fills it keeps others waiting: each of its connections is looked at before the
 * next. So it has room for more than a process may have open by default. */
#define BACKLOG        2048
#define TICKS_PER_BEAT 5

static int listen_at(struct page *p, struct diag *reterr_diag)
{
	const struct sockaddr *a = (const struct sockaddr *)&p->place.address;
	socklen_t len =
		a->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
	const int one = 1;
	int fd = socket(a->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	p->listen_fd = fd;
	/* REUSEADDR: a port that was just used may be had again. Nobody else can share it. */
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    (a->sa_family == AF_INET6 &&
	     setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) < 0) ||
	    bind(fd, a, len) < 0 || listen(fd, BACKLOG) < 0) {
		int r = -errno;

		(void)diag_set(reterr_diag, NULL, 0, 0, "cannot listen on %s port %u: %s",
			       p->config.address, p->place.port, strerror(-r));
		return r;
	}
	if (getsockname(fd, (struct sockaddr *)&p->place.address, &len) < 0)
		return -errno;
	/* Both kinds have the port at the same place. */
	p->place.port = ntohs(((const struct sockaddr_in *)(const void *)a)->sin_port);
	return 0;
}

static void tick(void *arg)
{
	struct page *p = arg;

	connections_reap(&p->connections);
	if (++p->n_ticks % TICKS_PER_BEAT == 0)
		hub_beat(p->hub);
}

static bool is_busy(void *arg)
{
	struct page *p = arg;

	return connections_count(&p->connections) > 0 || hub_has_listeners(p->hub);
}

static int start_parts(struct page *p)
{
	const struct feed_config config = {.tick = tick, .is_busy = is_busy, .arg = p};
	struct feed_config c = config;
	int r = pool_new(&p->pool);

	if (r == 0)
		r = hub_new(&p->hub);
	c.pool = p->pool;
	c.hub = p->hub;
	return r == 0 ? feed_new(&c, &p->feed) : r;
}

static int start_daemon(struct page *p)
{
	/* microhttpd closes it. */
	p->daemon = MHD_start_daemon(
		MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME |
			(p->place.address.ss_family == AF_INET6 ? MHD_USE_IPv6 : 0),
		0, server_accept, p, server_request, p, MHD_OPTION_LISTEN_SOCKET, p->listen_fd,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)TIMEOUT_S,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, PAGE_MEMORY_MAX, MHD_OPTION_STRICT_FOR_CLIENT,
		1, MHD_OPTION_NOTIFY_COMPLETED, server_completed, p, MHD_OPTION_NOTIFY_CONNECTION,
		server_connection, p, MHD_OPTION_END);
	if (!p->daemon)
		return -EIO;
	p->listen_fd = -1;
	return 0;
}

static void make_names(struct page *p)
{
	unsigned char random[PAGE_BASE_LEN / 2];

	randombytes_buf(random, sizeof(random));
	(void)sodium_bin2hex(p->base, sizeof(p->base), random, sizeof(random));
	/* Cookies know no ports: another page of ours must not take this one's away. */
	(void)snprintf(p->cookie_name, sizeof(p->cookie_name), "holdfast-%u", p->place.port);
}

int page_new(const struct page_config *config, struct page **ret, struct diag *reterr_diag)
{
	struct page *p = calloc(1, sizeof(*p));
	int r;

	if (!p || sodium_init() < 0) {
		free(p);
		return -ENOMEM;
	}
	p->config = *config;
	p->listen_fd = -1;
	(void)pthread_mutex_init(&p->attempt_lock, NULL);
	logins_init(&p->logins);
	connections_init(&p->connections);
	if (guard_place_parse(config->address, config->port, &p->place) < 0)
		r = diag_set(reterr_diag, NULL, 0, 0,
			     "--listen '%s': expected an address such as 127.0.0.1 or ::1",
			     config->address);
	else
		r = listen_at(p, reterr_diag);
	if (r == 0) {
		make_names(p);
		r = start_parts(p);
		if (r == 0)
			r = start_daemon(p);
		if (r < 0)
			(void)diag_set(reterr_diag, NULL, 0, 0, "cannot start the server: %s",
				       strerror(-r));
	}
	if (r < 0) {
		page_free(p);
		return r;
	}
	*ret = p;
	return 0;
}

struct page *page_free(struct page *p)
{
	if (!p)
		return NULL;
	if (p->feed)
		feed_stop(p->feed);
	if (p->hub)
		hub_close(p->hub);
	/* Requests that are at work go on when the pool is done with them, and only then may the
	 * daemon stop: it may have no suspended connection. */
	if (p->pool)
		pool_stop(p->pool);
	if (p->daemon)
		MHD_stop_daemon(p->daemon);
	p->pool = pool_free(p->pool);
	p->feed = feed_free(p->feed);
	p->hub = hub_free(p->hub);
	fd_close(p->listen_fd);
	logins_fini(&p->logins);
	(void)pthread_mutex_destroy(&p->attempt_lock);
	free(p);
	return NULL;
}

char *page_link(struct page *p)
{
	char token[GUARD_TOKEN_SIZE];
	const char *address = p->place.is_any ? "localhost" : p->config.address;
	bool is_v6 = strchr(address, ':') != NULL;
	char *link;

	logins_token(&p->logins, token);
	link = str_format("http://%s%s%s:%u/login?token=%s", is_v6 ? "[" : "", address,
			  is_v6 ? "]" : "", p->place.port, token);
	sodium_memzero(token, sizeof(token));
	return link;
}

bool page_is_loopback(const struct page *p)
{
	return p->place.is_loopback;
}
