/* SPDX-License-Identifier: Apache-2.0 */
/* The network namespace in which every address is this machine. */
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "names/helper.h"

#define DNS_PORT 53
#define BACKLOG  4096 /* as many as may come while the process behind it starts */
#ifndef IPV6_FREEBIND
#define IPV6_FREEBIND 78
#endif

static int set_up_loopback(void)
{
	_cleanup_(fd_closep) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};

	return fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? -errno : 0;
}

struct route_request {
	struct nlmsghdr head;
	struct rtmsg route;
	struct rtattr device;
	int index;
};

struct route_reply {
	struct nlmsghdr head;
	struct nlmsgerr error;
	struct route_request of;
};

/* ip route add local 0.0.0.0/0 dev lo */
static int add_route(int family)
{
	_cleanup_(fd_closep) int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct route_request q = {
		.head = {.nlmsg_len = sizeof(q),
			 .nlmsg_type = RTM_NEWROUTE,
			 .nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK},
		.route = {.rtm_family = (unsigned char)family,
			  .rtm_table = RT_TABLE_LOCAL,
			  .rtm_protocol = RTPROT_BOOT,
			  .rtm_scope = RT_SCOPE_HOST,
			  .rtm_type = RTN_LOCAL},
		.device = {.rta_len = RTA_LENGTH(sizeof(int)), .rta_type = RTA_OIF},
		.index = (int)if_nametoindex("lo"),
	};
	struct route_reply reply = {};

	if (fd < 0 || send(fd, &q, sizeof(q), 0) < 0)
		return -errno;
	if (recv(fd, &reply, sizeof(reply), 0) < (ssize_t)NLMSG_LENGTH(sizeof(reply.error)))
		return -EPROTO;
	return reply.head.nlmsg_type == NLMSG_ERROR ? reply.error.error : -EPROTO;
}

int namespace_enter(void)
{
	int r;

	/* Without root's help where that can be had; a container's root may have only the other. */
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0 && unshare(CLONE_NEWNET) < 0)
		return -errno;
	r = set_up_loopback();
	if (r == 0)
		r = add_route(AF_INET);
	if (r == 0)
		(void)add_route(AF_INET6); /* there may be no IPv6; then nobody asks by it */
	return r;
}

/* Answers come from the address that was asked, which is told with each question. */
static int set_options(int fd, int family)
{
	const int on = 1;
	int r;

	if (family == AF_INET)
		r = setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
	else
		r = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) |
		    setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)) |
		    setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof(on));
	return r < 0 ? -errno : 0;
}

static const struct {
	int family, type;
} kinds[NAMES_LISTENERS] = {
	{AF_INET, SOCK_DGRAM},
	{AF_INET, SOCK_STREAM},
	{AF_INET6, SOCK_DGRAM},
	{AF_INET6, SOCK_STREAM},
};

/* @port 0: on loopback, and whichever port is free. */
static int open_listener(int family, int type, uint16_t port)
{
	_cleanup_(fd_closep) int fd = socket(family, type | SOCK_CLOEXEC, 0);
	const struct sockaddr_in in = {.sin_family = AF_INET,
				       .sin_port = htons(port),
				       .sin_addr.s_addr =
					       htonl(port ? INADDR_ANY : INADDR_LOOPBACK)};
	const struct sockaddr_in6 in6 = {.sin6_family = AF_INET6,
					 .sin6_port = htons(port),
					 .sin6_addr = port ? in6addr_any : in6addr_loopback};
	int r;

	if (fd < 0)
		return -errno;
	r = set_options(fd, family);
	if (r < 0)
		return r;
	if (family == AF_INET)
		r = bind(fd, (const struct sockaddr *)&in, sizeof(in));
	else
		r = bind(fd, (const struct sockaddr *)&in6, sizeof(in6));
	if (r < 0 || (type != SOCK_DGRAM && listen(fd, BACKLOG) < 0))
		return -errno;
	return TAKE_FD(fd);
}

static void close_all(int fds[static NAMES_LISTENERS])
{
	for (size_t i = 0; i < NAMES_LISTENERS; i++)
		fds[i] = fd_close(fds[i]);
}

/* Those of IPv6 may be missing. */
static int listen_all(int ret[static NAMES_LISTENERS], uint16_t port)
{
	for (size_t i = 0; i < NAMES_LISTENERS; i++)
		ret[i] = -1;
	for (size_t i = 0; i < NAMES_LISTENERS; i++) {
		int fd = open_listener(kinds[i].family, kinds[i].type, port);

		if (fd < 0 && kinds[i].family == AF_INET) {
			close_all(ret);
			return fd;
		}
		ret[i] = MAX(fd, -1);
	}
	return 0;
}

int namespace_listen(int ret[static NAMES_LISTENERS])
{
	return listen_all(ret, DNS_PORT);
}

int namespace_set_congestion(int fd)
{
	static const char name[] = "reno";

	return setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, sizeof(name) - 1) < 0 ? -errno : 0;
}

uint16_t namespace_port_of(int fd)
{
	struct sockaddr_in6 own = {}; /* its port is where IPv4 has it, too */
	socklen_t len = sizeof(own);

	return getsockname(fd, (struct sockaddr *)&own, &len) < 0 ? 0 : ntohs(own.sin6_port);
}

int namespace_listen_on_loopback(int ret[static NAMES_LISTENERS],
				 uint16_t ret_ports[static NAMES_LISTENERS])
{
	int r = listen_all(ret, 0);

	for (size_t i = 0; r == 0 && i < NAMES_LISTENERS; i++)
		ret_ports[i] = ret[i] < 0 ? 0 : namespace_port_of(ret[i]);
	return r;
}

int namespace_listen_tcp(int family, uint16_t port)
{
	return open_listener(family, SOCK_STREAM | SOCK_NONBLOCK, port);
}
