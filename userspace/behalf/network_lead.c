/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections into which the leader is to look (names/lead.h). As with questions to the DNS, the
 * agent's socket is replaced by one of the helper's network namespace, so that it has the peer that
 * the agent asked for, and the address of its own that it would have had. Where the helper has no
 * namespace, the agent's own socket is connected to the leader on loopback, from a port by which
 * the leader is told where it was meant to go; the agent can tell by its peer's name.
 *
 * The connection stands at once: what the server says to it (that it refuses, that it is not there)
 * comes later, as a reset. Rejected: connecting to the server first, which would tell it of a
 * connection that is denied, and cannot be waited for where the agent's socket does not block. That
 * there is no way there at all is told at once.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "behalf/network_private.h"

#ifndef IPV6_FREEBIND
#define IPV6_FREEBIND 78
#endif

static bool read_end(struct bytes address, struct lead_end *ret)
{
	struct sockaddr_in in = {};
	struct sockaddr_in6 in6 = {};

	if (address.len < sizeof(in))
		return false;
	memcpy(&in, address.p, sizeof(in));
	memcpy(&in6, address.p, MIN(address.len, sizeof(in6)));
	*ret = (struct lead_end){.is_v4 = in.sin_family == AF_INET, .port = ntohs(in.sin_port)};
	if (ret->is_v4) {
		memcpy(ret->ip, &in.sin_addr, 4);
	} else if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) {
		ret->is_v4 = true;
		memcpy(ret->ip, in6.sin6_addr.s6_addr + 12, 4);
	} else {
		memcpy(ret->ip, &in6.sin6_addr, 16);
	}
	return in.sin_family == AF_INET || in.sin_family == AF_INET6;
}

/* The address of ours from which packets to @address go, without a port. Return: 0, -errno: there
 * is no way. Nothing is sent. */
static int find_source(int family, struct bytes address, struct sockaddr_storage *ret,
		       socklen_t *ret_len)
{
	_cleanup_(fd_closep) int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in6 in6;

	*ret_len = sizeof(*ret);
	if (fd < 0 ||
	    connect(fd, (const struct sockaddr *)(const void *)address.p, (socklen_t)address.len) <
		    0 ||
	    getsockname(fd, (struct sockaddr *)ret, ret_len) < 0)
		return -errno;
	memcpy(&in6, ret, sizeof(in6));
	in6.sin6_port = 0; /* where IPv4 has it, too */
	if (family == AF_INET6)
		in6.sin6_scope_id = 0; /* there is no such device */
	memcpy(ret, &in6, sizeof(in6));
	return 0;
}

/* Return: its end; port 0: it has none yet. */
static struct lead_end end_of(int fd)
{
	struct sockaddr_storage address = {};
	socklen_t len = sizeof(address);
	struct lead_end ret = {};

	if (getsockname(fd, (struct sockaddr *)&address, &len) < 0 ||
	    !read_end((struct bytes){.p = (const char *)&address, .len = len}, &ret))
		ret.port = 0;
	return ret;
}

/* The agent's port where it has one; that of another connection is taken there. */
static int give_address(const struct act_network *net, int fd, struct bytes address)
{
	struct sockaddr_storage source = {};
	const int on = 1, off = 0;
	socklen_t len;
	int r = find_source(net->family, address, &source, &len);

	if (r < 0)
		return r;
	/* A route makes any address of IPv4 one of that namespace's own, but not one of IPv6. */
	(void)setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof(on));
	network_copy_address(net->socket, fd);
	if (!end_of(fd).port && bind(fd, (const struct sockaddr *)&source, len) < 0)
		r = -errno;
	(void)setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &off, sizeof(off));
	return r;
}

static int make_socket(struct names_config *names, const struct act_network *net,
		       struct bytes address, uint16_t port)
{
	_cleanup_(fd_closep) int fd = -1;
	int flags = fcntl(net->socket, F_GETFL);
	int r;

	(void)pthread_mutex_lock(&names->lock);
	fd = names_socket(&names->helper, net->family, SOCK_STREAM, port);
	(void)pthread_mutex_unlock(&names->lock);
	if (fd < 0)
		return fd;
	if (flags < 0 || fcntl(fd, F_SETFL, flags) < 0)
		return -errno;
	network_copy_options(net->socket, fd);
	r = give_address(net, fd, address);
	return r < 0 ? r : TAKE_FD(fd);
}

static int add_ticket(struct names_config *names, const struct action *a,
		      const struct lead_end *from, const struct lead_end *to,
		      const struct lead_end *dest)
{
	struct lead_ticket ticket = {.dest = *dest,
				     .pid = a->pid,
				     .tid = a->tid,
				     .ppid = a->ppid,
				     .is_approved = a->act.network.is_approved};

	if (a->exe.p && a->exe.len < sizeof(ticket.exe))
		memcpy(ticket.exe, a->exe.p, a->exe.len);
	return from->port ? lead_tickets_add(names->tickets, from, to, &ticket) : -EACCES;
}

/* The agent's socket gets its port before it is connected, so that the leader's question finds the
 * ticket. Return: 0, -errno. */
static int lead_on_loopback(struct behalf *b, const struct action *a, struct bytes address,
			    const struct lead_end *dest)
{
	static const uint8_t any[16];
	const struct act_network *net = &a->act.network;
	struct lead_end from = end_of(net->socket), to;
	struct sockaddr_storage source;
	struct sockaddr_in6 leader, own;
	struct bytes led = network_where_led(b, a, address, &leader);
	const int off = 0;
	socklen_t len;
	int r = find_source(net->family, address, &source, &len);

	if (r < 0)
		return r;
	if (!read_end(led, &to))
		return -EACCES;
	if (from.port == 0) {
		own = leader;
		own.sin6_port = 0; /* where IPv4 has it, too */
		(void)setsockopt(net->socket, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &off,
				 sizeof(off));
		if (bind(net->socket, (const struct sockaddr *)&own, (socklen_t)led.len) < 0)
			return -errno;
		from = end_of(net->socket);
	}
	/* Bound to a port alone, it will have the address that it is connected to. */
	if (memcmp(from.ip, any, from.is_v4 ? 4 : sizeof(any)) == 0) {
		from.is_v4 = to.is_v4;
		memcpy(from.ip, to.ip, sizeof(from.ip));
	}
	return add_ticket(b->config.names, a, &from, &to, dest);
}

int network_lead_look(struct behalf *b, const struct action *a, struct bytes address)
{
	const struct act_network *net = &a->act.network;
	struct names_config *names = b->config.names;
	_cleanup_(fd_closep) int fd = -1;
	struct sockaddr_storage peer;
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie), peer_len = sizeof(peer);
	struct lead_end from, to;
	int r;

	if (!names || net->type != SOCK_STREAM || !read_end(address, &to) ||
	    getsockopt(net->socket, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len) < 0)
		return -EACCES;
	/* One that is connected only fails, with what the kernel says. */
	if (getpeername(net->socket, (struct sockaddr *)&peer, &peer_len) == 0)
		return 0;
	/* Of a namespace of the agent's own there is no way to the leader. */
	if (cookie != names->helper.net_cookie && cookie != names->helper.own_cookie)
		return -EACCES;
	if (names_helper_is_on_loopback(&names->helper))
		return lead_on_loopback(b, a, address, &to);
	fd = make_socket(names, net, address, to.port);
	if (fd < 0)
		return fd;
	from = end_of(fd);
	r = add_ticket(names, a, &from, &to, &to);
	return r < 0 ? r : network_replace(b, a, fd);
}
