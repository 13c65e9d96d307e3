/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/route.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <linux/ipv6.h>

#include "base/io.h"

#include "tests/attack/attack_net.h"

#define EMBEDDED                                                                                   \
	ATTACK_NAT64, ATTACK_NAT64_LOCAL, ATTACK_NAT64_SHORT, ATTACK_6TO4, ATTACK_TEREDO,          \
		ATTACK_TEREDO_PEER, ATTACK_ISATAP, ATTACK_TRANSLATED, ATTACK_COMPATIBLE

/* Identity maps: a user stays who he is, and has no more rights after the next exec. */
static int net_write(const char *path, const char *text)
{
	_cleanup_(fd_closep) int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : io_write_all(fd, text, strlen(text));
}

static int net_unshare(void)
{
	char map[64];
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int r;

	if (unshare(CLONE_NEWNET) == 0)
		return 0;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return -errno;
	(void)snprintf(map, sizeof(map), "%u %u 1", uid, uid);
	r = net_write("/proc/self/uid_map", map);
	if (r == 0)
		r = net_write("/proc/self/setgroups", "deny");
	(void)snprintf(map, sizeof(map), "%u %u 1", gid, gid);
	return r < 0 ? r : net_write("/proc/self/gid_map", map);
}

static int net_up(int fd)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};

	return ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? -errno : 0;
}

/* An alias of the loopback device for each. */
static int net_add4(int fd, unsigned int number, const char *address)
{
	struct ifreq request = {0};
	struct sockaddr_in sin = {.sin_family = AF_INET};

	(void)snprintf(request.ifr_name, sizeof(request.ifr_name), "lo:%u", number);
	if (inet_pton(AF_INET, address, &sin.sin_addr) != 1)
		return -EINVAL;
	memcpy(&request.ifr_addr, &sin, sizeof(sin));
	if (ioctl(fd, SIOCSIFADDR, &request) < 0)
		return -errno;
	sin.sin_addr.s_addr = ~0u;
	memcpy(&request.ifr_netmask, &sin, sizeof(sin));
	return ioctl(fd, SIOCSIFNETMASK, &request) < 0 ? -errno : 0;
}

static int net_add6(int fd, const char *address)
{
	struct in6_ifreq request = {.ifr6_prefixlen = 128,
				    .ifr6_ifindex = (int)if_nametoindex("lo")};

	if (inet_pton(AF_INET6, address, &request.ifr6_addr) != 1)
		return -EINVAL;
	return ioctl(fd, SIOCSIFADDR, &request) < 0 ? -errno : 0;
}

/* The loopback device is no way to many, unless a route says so. */
static int net_add_multicast6(int fd)
{
	struct in6_rtmsg route = {.rtmsg_dst.s6_addr = {0xff},
				  .rtmsg_dst_len = 8,
				  .rtmsg_metric = 1,
				  .rtmsg_flags = RTF_UP,
				  .rtmsg_ifindex = (int)if_nametoindex("lo")};

	return ioctl(fd, SIOCADDRT, &route) < 0 ? -errno : 0;
}

int attack_net_enter(void)
{
	static const char *const v4[] = {ATTACK_FAR4, ATTACK_METADATA4};
	static const char *const v6[] = {ATTACK_FAR6, ATTACK_METADATA6, ATTACK_LINK6, EMBEDDED};
	_cleanup_(fd_closep) int fd4 = -1;
	_cleanup_(fd_closep) int fd6 = -1;
	int r = net_unshare();

	if (r < 0)
		return r;
	fd4 = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	fd6 = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd4 < 0 || fd6 < 0)
		return -errno;
	r = net_up(fd4);
	for (unsigned int i = 0; r == 0 && i < ARRAY_SIZE(v4); i++)
		r = net_add4(fd4, i, v4[i]);
	for (unsigned int i = 0; r == 0 && i < ARRAY_SIZE(v6); i++)
		r = net_add6(fd6, v6[i]);
	if (r == 0)
		r = net_add_multicast6(fd6);
	if (r == 0)
		(void)net_write("/proc/sys/net/ipv4/tcp_fastopen", "3");
	if (r == 0)
		(void)net_write("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
	return r;
}

static int net_listen_one(struct host *h, const char *address, int type, uint16_t port)
{
	bool is_v6 = strchr(address, ':');
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	int fd = socket(is_v6 ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int yes = 1;
	int queue = 16;
	int r;

	if (fd < 0)
		return -errno;
	h->listeners[h->n_listeners++] = fd;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (is_v6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof(yes));
	(void)inet_pton(is_v6 ? AF_INET6 : AF_INET, address,
			is_v6 ? (void *)&sin6.sin6_addr : (void *)&sin.sin_addr);
	r = is_v6 ? bind(fd, (struct sockaddr *)&sin6, sizeof(sin6))
		  : bind(fd, (struct sockaddr *)&sin, sizeof(sin));
	if (r < 0)
		return -errno;
	if (type != SOCK_STREAM)
		return 0;
	(void)setsockopt(fd, IPPROTO_TCP, 23 /* TCP_FASTOPEN */, &queue, sizeof(queue));
	return listen(fd, 16) < 0 ? -errno : 0;
}

int attack_net_listen(struct host *h)
{
	static const struct {
		const char *address;
		uint16_t port;
	} places[] = {
		{"127.0.0.1", ATTACK_PORT_DENIED},   {"::1", ATTACK_PORT_DENIED},
		{"127.0.0.2", ATTACK_PORT_DENIED},   {ATTACK_FAR4, ATTACK_PORT_WEB},
		{ATTACK_FAR6, ATTACK_PORT_WEB},      {ATTACK_METADATA4, ATTACK_PORT_WEB},
		{ATTACK_METADATA6, ATTACK_PORT_WEB}, {ATTACK_FAR4, 853},
	};
	static const char *const embedded[] = {EMBEDDED};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(places); i++) {
		r = net_listen_one(h, places[i].address, SOCK_STREAM, places[i].port);
		if (r == 0)
			r = net_listen_one(h, places[i].address, SOCK_DGRAM, places[i].port);
	}
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(embedded); i++) {
		r = net_listen_one(h, embedded[i], SOCK_STREAM, ATTACK_PORT_WEB);
		if (r == 0)
			r = net_listen_one(h, embedded[i], SOCK_DGRAM, ATTACK_PORT_WEB);
	}
	return r;
}
