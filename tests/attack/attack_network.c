/* SPDX-License-Identifier: Apache-2.0 */
/* Ways to another machine, or to what listens on this one; in a network namespace of their own. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <linux/if_packet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "tests/attack/attack_net.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un un;
};

static socklen_t address_of(union address *a, const char *host, uint16_t port)
{
	*a = (union address){0};
	if (strchr(host, ':')) {
		a->v6.sin6_family = AF_INET6;
		a->v6.sin6_port = htons(port);
		(void)inet_pton(AF_INET6, host, &a->v6.sin6_addr);
		return sizeof(a->v6);
	}
	a->v4.sin_family = AF_INET;
	a->v4.sin_port = htons(port);
	(void)inet_pton(AF_INET, host, &a->v4.sin_addr);
	return sizeof(a->v4);
}

static int socket_for(const union address *a, int type, int protocol)
{
	return socket(a->any.sa_family, type | SOCK_CLOEXEC, protocol);
}

static int connect_to(const char *host, uint16_t port, int type, int protocol)
{
	union address a;
	socklen_t len = address_of(&a, host, port);
	int fd = socket_for(&a, type, protocol);

	if (fd < 0 || connect(fd, &a.any, len) < 0)
		return -errno;
	return send(fd, "x", 1, MSG_NOSIGNAL) < 0 && type != SOCK_STREAM ? -errno : 0;
}

#define CONNECTS                                                                                   \
	X(tcp_far4, ATTACK_FAR4, 80, SOCK_STREAM, 0)                                               \
	X(tcp_far6, ATTACK_FAR6, 80, SOCK_STREAM, 0)                                               \
	X(tcp_local, "127.0.0.1", 2375, SOCK_STREAM, 0)                                            \
	X(tcp_local6, "::1", 2375, SOCK_STREAM, 0)                                                 \
	X(tcp_any, "0.0.0.0", 2375, SOCK_STREAM, 0)                                                \
	X(tcp_any6, "::", 2375, SOCK_STREAM, 0)                                                    \
	X(tcp_mapped, "::ffff:127.0.0.1", 2375, SOCK_STREAM, 0)                                    \
	X(tcp_mapped_any, "::ffff:0.0.0.0", 2375, SOCK_STREAM, 0)                                  \
	X(tcp_mapped_far, "::ffff:198.51.100.1", 80, SOCK_STREAM, 0)                               \
	X(tcp_local2, "127.0.0.2", 2375, SOCK_STREAM, 0)                                           \
	X(tcp_metadata, ATTACK_METADATA4, 80, SOCK_STREAM, 0)                                      \
	X(tcp_metadata6, ATTACK_METADATA6, 80, SOCK_STREAM, 0)                                     \
	X(tcp_metadata_mapped, "::ffff:169.254.169.254", 80, SOCK_STREAM, 0)                       \
	X(tcp_dot, ATTACK_FAR4, 853, SOCK_STREAM, 0)                                               \
	X(tcp_nonblocking, ATTACK_FAR4, 80, SOCK_STREAM | SOCK_NONBLOCK, 0)                        \
	X(mptcp, ATTACK_FAR4, 80, SOCK_STREAM, IPPROTO_MPTCP)                                      \
	X(mptcp_mapped, "::ffff:127.0.0.1", 2375, SOCK_STREAM, IPPROTO_MPTCP)                      \
	X(udp_connect, ATTACK_FAR4, 80, SOCK_DGRAM, 0)                                             \
	X(udp_connect6, ATTACK_FAR6, 80, SOCK_DGRAM, 0)                                            \
	X(udplite, ATTACK_FAR4, 80, SOCK_DGRAM, IPPROTO_UDPLITE)

#define X(function, host, port, type, protocol)                                                    \
	static int function(const struct world *w)                                                 \
	{                                                                                          \
		(void)w;                                                                           \
		return connect_to(host, port, type, protocol);                                     \
	}
CONNECTS
#undef X

/* ---- without a connect */

static int send_flags(const char *host, uint16_t port, int type, int flags)
{
	union address a;
	socklen_t len = address_of(&a, host, port);
	int fd = socket_for(&a, type, 0);

	if (fd < 0)
		return -errno;
	return outcome(sendto(fd, "x", 1, flags | MSG_NOSIGNAL, &a.any, len));
}

static int message_flags(const char *host, uint16_t port, int type, int flags)
{
	union address a;
	socklen_t len = address_of(&a, host, port);
	struct iovec io = {.iov_base = (char[]){'x'}, .iov_len = 1};
	struct msghdr m = {.msg_name = &a, .msg_namelen = len, .msg_iov = &io, .msg_iovlen = 1};
	int fd = socket_for(&a, type, 0);

	return fd < 0 ? -errno : outcome(sendmsg(fd, &m, flags | MSG_NOSIGNAL));
}

static int messages_flags(const char *host, uint16_t port, int type, int flags)
{
	union address a;
	socklen_t len = address_of(&a, host, port);
	struct iovec io = {.iov_base = (char[]){'x'}, .iov_len = 1};
	struct mmsghdr m = {
		.msg_hdr = {.msg_name = &a, .msg_namelen = len, .msg_iov = &io, .msg_iovlen = 1}};
	int fd = socket_for(&a, type, 0);

	return fd < 0 ? -errno : outcome(sendmmsg(fd, &m, 1, (unsigned int)flags));
}

#define SENDS                                                                                      \
	X(udp_sendto, send_flags, ATTACK_FAR4, 80, SOCK_DGRAM, 0)                                  \
	X(udp_sendto6, send_flags, ATTACK_FAR6, 80, SOCK_DGRAM, 0)                                 \
	X(udp_sendto_mapped, send_flags, "::ffff:198.51.100.1", 80, SOCK_DGRAM, 0)                 \
	X(udp_sendmsg, message_flags, ATTACK_FAR4, 80, SOCK_DGRAM, 0)                              \
	X(udp_sendmmsg, messages_flags, ATTACK_FAR4, 80, SOCK_DGRAM, 0)                            \
	X(fastopen_sendto, send_flags, ATTACK_FAR4, 80, SOCK_STREAM, MSG_FASTOPEN)                 \
	X(fastopen_local, send_flags, "127.0.0.1", 2375, SOCK_STREAM, MSG_FASTOPEN)                \
	X(fastopen_sendmsg, message_flags, ATTACK_FAR4, 80, SOCK_STREAM, MSG_FASTOPEN)             \
	X(fastopen_sendmmsg, messages_flags, ATTACK_FAR4, 80, SOCK_STREAM, MSG_FASTOPEN)

#define X(function, how, host, port, type, flags)                                                  \
	static int function(const struct world *w)                                                 \
	{                                                                                          \
		(void)w;                                                                           \
		return how(host, port, type, flags);                                               \
	}
SENDS
#undef X

static int fastopen_connect(const struct world *w)
{
	union address a;
	socklen_t len = address_of(&a, ATTACK_FAR4, 80);
	int fd = socket_for(&a, SOCK_STREAM, 0);
	int yes = 1;

	(void)w;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &yes, sizeof(yes));
	if (connect(fd, &a.any, len) < 0)
		return -errno;
	return outcome(write(fd, "x", 1));
}

/* UDP takes a destination of no family for one of IPv4. */
static int udp_no_family(const struct world *w)
{
	union address a;
	socklen_t len = address_of(&a, ATTACK_FAR4, 80);
	int fd = socket_for(&a, SOCK_DGRAM, 0);

	(void)w;
	a.v4.sin_family = AF_UNSPEC;
	return outcome(sendto(fd, "x", 1, 0, &a.any, len));
}

/* A socket of IPv6 takes addresses of IPv4. */
static int udp6_to_v4(const struct world *w)
{
	union address a;
	socklen_t len = address_of(&a, ATTACK_FAR4, 80);
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)w;
	return outcome(sendto(fd, "x", 1, 0, &a.any, len));
}

/* Two destinations in one call: the second one is denied. */
static int sendmmsg_second(const struct world *w)
{
	union address good, bad;
	socklen_t len = address_of(&good, "127.0.0.1", ATTACK_PORT_ALLOWED);
	struct iovec io = {.iov_base = (char[]){'x'}, .iov_len = 1};
	struct mmsghdr m[2] = {
		{.msg_hdr =
			 {.msg_name = &good, .msg_namelen = len, .msg_iov = &io, .msg_iovlen = 1}},
		{.msg_hdr = {
			 .msg_name = &bad, .msg_namelen = len, .msg_iov = &io, .msg_iovlen = 1}}};
	int fd = socket_for(&good, SOCK_DGRAM, 0);

	(void)w;
	(void)address_of(&bad, ATTACK_FAR4, 80);
	/* Fewer than all is no error: a program goes on with the rest, as this one does. */
	for (unsigned int done = 0; done < 2;) {
		int n = sendmmsg(fd, m + done, 2 - done, 0);

		if (n < 0)
			return -errno;
		done += (unsigned int)n;
	}
	return 0;
}

static int connected_elsewhere(const struct world *w)
{
	union address good, bad;
	socklen_t len = address_of(&good, "127.0.0.1", ATTACK_PORT_ALLOWED);
	int fd = socket_for(&good, SOCK_DGRAM, 0);

	(void)w;
	(void)address_of(&bad, ATTACK_FAR4, 80);
	(void)connect(fd, &good.any, len);
	return outcome(sendto(fd, "x", 1, 0, &bad.any, len));
}

static int reconnect(const struct world *w)
{
	union address good, bad;
	socklen_t len = address_of(&good, "127.0.0.1", ATTACK_PORT_ALLOWED);
	struct sockaddr none = {.sa_family = AF_UNSPEC};
	int fd = socket_for(&good, SOCK_DGRAM, 0);

	(void)w;
	(void)address_of(&bad, ATTACK_FAR4, 80);
	(void)connect(fd, &good.any, len);
	(void)connect(fd, &none, sizeof(none));
	if (connect(fd, &bad.any, len) < 0)
		return -errno;
	return outcome(send(fd, "x", 1, 0));
}

/* ---- addresses of many, and of this link alone */

/* By the loopback device: no route leads to these in a namespace that has nothing else. */
static int send_to_many(const char *host, uint16_t port, bool connects)
{
	union address a;
	socklen_t len = address_of(&a, host, port);
	int fd = socket_for(&a, SOCK_DGRAM, 0);
	int yes = 1;

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &yes, sizeof(yes));
	(void)setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3);
	if (a.any.sa_family == AF_INET6)
		a.v6.sin6_scope_id = if_nametoindex("lo");
	if (!connects)
		return outcome(sendto(fd, "x", 1, 0, &a.any, len));
	return connect(fd, &a.any, len) < 0 ? -errno : outcome(send(fd, "x", 1, 0));
}

#define MANY                                                                                       \
	X(mdns, "224.0.0.251", 5353, false)                                                        \
	X(mdns_connected, "224.0.0.251", 5353, true)                                               \
	X(mdns6, "ff02::fb", 5353, false)                                                          \
	X(all_nodes, "ff02::1", 9, false)                                                          \
	X(all_nodes_connected, "ff02::1", 9, true)                                                 \
	X(broadcast, "255.255.255.255", 67, false)                                                 \
	X(broadcast_connected, "255.255.255.255", 67, true)                                        \
	X(link_local, ATTACK_LINK6, 80, false)                                                     \
	X(link_local_connected, ATTACK_LINK6, 80, true)

#define X(function, host, port, connects)                                                          \
	static int function(const struct world *w)                                                 \
	{                                                                                          \
		(void)w;                                                                           \
		return send_to_many(host, port, connects);                                         \
	}
MANY
#undef X

	/* ---- another way to the allowed service: packets go to the first address of the route */

	static int
	source_route(const struct world *w)
{
	/* IPOPT_LSRR, length, pointer, the route, the end: of net/ipv4/ip_options.c. */
	unsigned char route[8] = {0x83, 7, 4};
	union address a;
	socklen_t len = address_of(&a, "127.0.0.1", ATTACK_PORT_ALLOWED);
	int fd = socket_for(&a, SOCK_DGRAM, 0);

	(void)w;
	(void)inet_pton(AF_INET, ATTACK_FAR4, route + 3);
	if (setsockopt(fd, IPPROTO_IP, IP_OPTIONS, route, sizeof(route)) < 0)
		return -errno;
	return outcome(sendto(fd, "x", 1, 0, &a.any, len));
}

static int source_route_with_high_bits(const struct world *w)
{
	static const unsigned char none[4] = {1, 1, 1, 0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)w;
	return outcome(syscall(SYS_setsockopt, fd, (1UL << 32) | IPPROTO_IP,
			       (1UL << 32) | IP_OPTIONS, none, sizeof(none)));
}

/* A header of segment routing with one segment: struct ipv6_sr_hdr, include/uapi/linux/seg6.h. */
struct segments {
	uint8_t next, length, type, left, first, flags;
	uint16_t tag;
	struct in6_addr segment;
};

static int routing_header(const struct world *w)
{
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct segments route = {.length = 2, .type = 4};

	(void)w;
	(void)inet_pton(AF_INET6, ATTACK_FAR6, &route.segment);
	return outcome(setsockopt(fd, IPPROTO_IPV6, IPV6_RTHDR, &route, sizeof(route)));
}

/* It takes control messages, routes among them: so it is refused whatever they are. */
static int routing_header_of_old(const struct world *w)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)),
				.cmsg_level = IPPROTO_IPV6,
				.cmsg_type = IPV6_HOPLIMIT}};
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)w;
	return outcome(
		setsockopt(fd, IPPROTO_IPV6, IPV6_2292PKTOPTIONS, &control, sizeof(control)));
}

/* An empty route is none, and other options are nobody's business. */
static int no_source_route(const struct world *w)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int ttl = 3;

	(void)w;
	if (setsockopt(fd, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl)) < 0)
		return -errno;
	return outcome(setsockopt(fd, IPPROTO_IP, IP_OPTIONS, NULL, 0));
}

/* ---- sockets of other kinds */

#define SOCKETS                                                                                    \
	X(vsock, AF_VSOCK, SOCK_STREAM, 0)                                                         \
	X(alg, AF_ALG, SOCK_SEQPACKET, 0)                                                          \
	X(key, AF_KEY, SOCK_RAW, 2)                                                                \
	X(xdp, 44, SOCK_RAW, 0)                                                                    \
	X(bluetooth, AF_BLUETOOTH, SOCK_STREAM, 3)                                                 \
	X(can, AF_CAN, SOCK_RAW, 1)                                                                \
	X(tipc, AF_TIPC, SOCK_STREAM, 0)                                                           \
	X(rds, AF_RDS, SOCK_SEQPACKET, 0)                                                          \
	X(packet, AF_PACKET, SOCK_RAW, 0)                                                          \
	X(packet_old, AF_INET, SOCK_PACKET, 0)                                                     \
	X(raw, AF_INET, SOCK_RAW, IPPROTO_ICMP)                                                    \
	X(raw6, AF_INET6, SOCK_RAW, IPPROTO_ICMPV6)                                                \
	X(raw_unix, AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW)

#define X(function, family, type, protocol)                                                        \
	static int function(const struct world *w)                                                 \
	{                                                                                          \
		(void)w;                                                                           \
		return outcome(socket(family, type, protocol));                                    \
	}
SOCKETS
#undef X

static int packet_high(const struct world *w)
{
	(void)w;
	return outcome(syscall(SYS_socket, (1UL << 32) | AF_PACKET, SOCK_RAW, 0));
}

/* ---- being reached */

static int bind_listen(const struct world *w, const char *host, uint16_t port, bool binds)
{
	union address a;
	socklen_t len = address_of(&a, host, port);
	int fd = socket_for(&a, SOCK_STREAM, 0);
	int yes = 1;

	(void)w;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof(yes));
	if (fd < 0 || (binds && bind(fd, &a.any, len) < 0))
		return -errno;
	return outcome(listen(fd, 1));
}

static int listen_everywhere(const struct world *w)
{
	return bind_listen(w, "0.0.0.0", 0, true);
}

static int listen_unbound(const struct world *w)
{
	return bind_listen(w, "0.0.0.0", 0, false);
}

static int listen_everywhere6(const struct world *w)
{
	return bind_listen(w, "::", 8888, true);
}

/* ---- sockets from outside */

#define INHERITED_FD 77

static int leak_socket(const struct world *w)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)w;
	return fd < 0 || dup2(fd, INHERITED_FD) < 0 || close(fd) < 0 ? -errno : 0;
}

static bool close_leaked(const struct world *w)
{
	(void)w;
	(void)close(INHERITED_FD);
	return false;
}

static int inherited(const struct world *w)
{
	union address a;
	socklen_t len = address_of(&a, ATTACK_FAR4, 80);

	(void)w;
	return outcome(connect(INHERITED_FD, &a.any, len));
}

/* ---- addresses that are none */

static int short_address(const struct world *w)
{
	union address a;
	int fd;

	(void)w;
	(void)address_of(&a, ATTACK_FAR4, 80);
	fd = socket_for(&a, SOCK_DGRAM, 0);
	for (socklen_t len = 1; len < sizeof(a.v4); len++)
		if (sendto(fd, "x", 1, 0, &a.any, len) >= 0)
			return 0;
	return -errno;
}

static int allowed_service(const struct world *w)
{
	union address a;
	socklen_t len = address_of(&a, "127.0.0.1", ATTACK_PORT_ALLOWED);
	int fd = socket_for(&a, SOCK_STREAM, 0);

	(void)w;
	/* Nobody listens there: that the kernel says so shows that it was asked. */
	return connect(fd, &a.any, len) < 0 && errno == ECONNREFUSED ? 0 : -errno;
}

#define REACHES(fact, ids, attack, policies, what)                                                 \
	{                                                                                          \
		fact, ids, attack, policies, .effect = EFFECT_REACHED, .object = what              \
	}
#define NO_SOCKET(fact, ids, attack)                                                               \
	{                                                                                          \
		fact, ids, attack, SHIP | PN, .object = "socket"                                   \
	}

static const struct attack_row rows[] = {
	REACHES("tcp_is_denied", "G1 G16", tcp_far4, SHIP | READ_ONLY | NO_NETWORK | PN,
		ATTACK_FAR4),
	REACHES("tcp_over_ipv6_is_denied", "G1", tcp_far6, SHIP | NO_NETWORK | PN, ATTACK_FAR6),
	REACHES("tcp_to_a_control_port_is_denied", "G1 J:devtools", tcp_local,
		SHIP | NO_NETWORK | PN, "127.0.0.1"),
	REACHES("tcp_to_loopback_of_ipv6_is_denied", "G12", tcp_local6, SHIP | NO_NETWORK | PN,
		"2375"),
	REACHES("0_0_0_0_is_loopback", "G12 P38", tcp_any, SHIP | NO_NETWORK | PN, "2375"),
	REACHES("unspecified_ipv6_is_loopback", "G12", tcp_any6, SHIP | NO_NETWORK | PN, "2375"),
	REACHES("ipv4_mapped_loopback_is_loopback", "T018 G12 P38", tcp_mapped,
		SHIP | NO_NETWORK | PN, "2375"),
	REACHES("ipv4_mapped_0_0_0_0_is_loopback", "G12", tcp_mapped_any, SHIP | NO_NETWORK | PN,
		"2375"),
	REACHES("ipv4_mapped_address_is_judged_as_ipv4", "T018 G12", tcp_mapped_far,
		SHIP | NO_NETWORK | PN, "198.51.100.1"),
	REACHES("another_address_of_loopback_is_denied", "G12", tcp_local2, SHIP | PN, "127.0.0.2"),
	REACHES("metadata_service_is_denied", "T118 G13", tcp_metadata,
		SHIP | READ_ONLY | NO_NETWORK | PN, ATTACK_METADATA4),
	REACHES("metadata_service_over_ipv6_is_denied", "T118 G13", tcp_metadata6,
		SHIP | READ_ONLY | NO_NETWORK | PN, ATTACK_METADATA6),
	REACHES("metadata_service_by_a_mapped_address_is_denied", "G12 G13", tcp_metadata_mapped,
		SHIP | READ_ONLY | NO_NETWORK | PN, ATTACK_METADATA4),
	REACHES("dns_over_tls_is_denied", "T122 G18", tcp_dot, SHIP | PN, "853"),
	REACHES("connect_that_does_not_block_is_denied", "G25", tcp_nonblocking, SHIP | PN,
		ATTACK_FAR4),
	REACHES("mptcp_is_denied", "G4", mptcp, SHIP | NO_NETWORK | PN, ATTACK_FAR4),
	REACHES("mptcp_to_a_mapped_address_is_denied", "G4 G12", mptcp_mapped,
		SHIP | NO_NETWORK | PN, "2375"),
	REACHES("udp_connect_and_send_is_denied", "G5", udp_connect, SHIP | NO_NETWORK | PN,
		ATTACK_FAR4),
	REACHES("udp_over_ipv6_is_denied", "G5", udp_connect6, SHIP | NO_NETWORK | PN, ATTACK_FAR6),
	{"udplite_is_refused", "G4", udplite, SHIP | NO_NETWORK | PN, .object = "socket"},
	REACHES("udp_sendto_is_denied", "T016 G5 P18", udp_sendto, SHIP | NO_NETWORK | PN,
		ATTACK_FAR4),
	REACHES("udp_sendto_over_ipv6_is_denied", "G5", udp_sendto6, SHIP | NO_NETWORK | PN,
		ATTACK_FAR6),
	REACHES("udp_sendto_a_mapped_address_is_denied", "G5 G12", udp_sendto_mapped,
		SHIP | NO_NETWORK | PN, ATTACK_FAR4),
	REACHES("udp_sendmsg_is_denied", "T016 G5", udp_sendmsg, SHIP | NO_NETWORK | PN,
		ATTACK_FAR4),
	REACHES("udp_sendmmsg_is_denied", "T016 G5", udp_sendmmsg, SHIP | NO_NETWORK | PN,
		ATTACK_FAR4),
	REACHES("second_destination_of_sendmmsg_is_denied", "T016 G5", sendmmsg_second, SHIP,
		ATTACK_FAR4),
	REACHES("udp_to_no_family_is_judged_as_ipv4", "G5", udp_no_family, SHIP | NO_NETWORK | PN,
		NULL),
	REACHES("udp_of_ipv6_to_ipv4_is_judged_as_ipv4", "G5", udp6_to_v4, SHIP | NO_NETWORK | PN,
		NULL),
	REACHES("connected_udp_socket_cannot_send_elsewhere", "G5", connected_elsewhere, SHIP,
		ATTACK_FAR4),
	REACHES("disconnected_socket_is_judged_anew", "T130 G23", reconnect, SHIP, ATTACK_FAR4),
	REACHES("fast_open_by_sendto_is_denied", "T012 G2", fastopen_sendto, SHIP | NO_NETWORK | PN,
		ATTACK_FAR4),
	REACHES("fast_open_to_a_control_port_is_denied", "T012 G2", fastopen_local,
		SHIP | NO_NETWORK | PN, "2375"),
	REACHES("fast_open_by_sendmsg_is_denied", "T012 G2", fastopen_sendmsg,
		SHIP | NO_NETWORK | PN, ATTACK_FAR4),
	REACHES("fast_open_by_sendmmsg_is_denied", "T012 G2", fastopen_sendmmsg,
		SHIP | NO_NETWORK | PN, ATTACK_FAR4),
	REACHES("fast_open_connect_is_denied", "T014 G3", fastopen_connect, SHIP | NO_NETWORK | PN,
		ATTACK_FAR4),
#define TOLD(fact, attack, what)                                                                   \
	{                                                                                          \
		fact, "T120 G15", attack, SHIP | READ_ONLY | NO_NETWORK | PN, .object = what       \
	}
	TOLD("multicast_is_denied", mdns, "224.0.0.251"),
	TOLD("multicast_by_connect_is_denied", mdns_connected, "224.0.0.251"),
	TOLD("multicast_of_ipv6_is_denied", mdns6, "ff02::fb"),
	TOLD("all_nodes_of_the_link_are_denied", all_nodes, "ff02::1"),
	TOLD("all_nodes_by_connect_are_denied", all_nodes_connected, "ff02::1"),
	TOLD("broadcast_is_denied", broadcast, "255.255.255.255"),
	TOLD("broadcast_by_connect_is_denied", broadcast_connected, "255.255.255.255"),
	TOLD("link_local_address_is_denied", link_local, ATTACK_LINK6),
	TOLD("link_local_address_by_connect_is_denied", link_local_connected, ATTACK_LINK6),
#define ROUTE(fact, attack)                                                                        \
	{                                                                                          \
		fact, "G5", attack, SHIP | NO_NETWORK | PN, .object = "setsockopt"                 \
	}
	ROUTE("source_route_of_a_socket_is_refused", source_route),
	ROUTE("source_route_with_high_bits_is_refused", source_route_with_high_bits),
	ROUTE("routing_header_of_ipv6_is_refused", routing_header),
	ROUTE("routing_header_by_the_old_option_is_refused", routing_header_of_old),
	{"option_that_sets_no_route_is_allowed", "G5", no_source_route, SHIP | PN,
	 .flags = ROW_ALLOWED},
	NO_SOCKET("vsock_is_refused", "T024 G22", vsock),
	NO_SOCKET("alg_socket_is_refused", "T024 G22", alg),
	NO_SOCKET("key_socket_is_refused", "T024 G22", key),
	NO_SOCKET("xdp_socket_is_refused", "T024 G4", xdp),
	NO_SOCKET("bluetooth_socket_is_refused", "T024 G4", bluetooth),
	NO_SOCKET("can_socket_is_refused", "G4", can),
	NO_SOCKET("tipc_socket_is_refused", "G4", tipc),
	NO_SOCKET("rds_socket_is_refused", "G4", rds),
	NO_SOCKET("packet_socket_is_refused", "G6", packet),
	NO_SOCKET("packet_socket_of_old_is_refused", "G6", packet_old),
	NO_SOCKET("packet_socket_with_high_bits_is_refused", "T066 E7 G6", packet_high),
	NO_SOCKET("raw_socket_is_refused", "G6", raw),
	NO_SOCKET("raw_socket_of_ipv6_is_refused", "G6", raw6),
	NO_SOCKET("raw_socket_with_flags_is_refused", "G6", raw_unix),
	{"listening_everywhere_is_denied", "T128 G21", listen_everywhere, NO_NETWORK | PN,
	 .object = "0.0.0.0:0", .op = "bind", .only = EACCES},
	{"listening_without_a_bind_is_denied", "T128 G21", listen_unbound, NO_NETWORK | PN,
	 .object = "0.0.0.0:0", .op = "listen", .only = EACCES},
	{"listening_on_ipv6_is_denied", "T128 G21", listen_everywhere6, NO_NETWORK | PN,
	 .object = "[::]:8888", .op = "bind", .only = EACCES},
	{"socket_from_before_the_session_is_closed", "T124 G7", inherited, SHIP | PN,
	 .effect = EFFECT_REACHED, .denies = DENIES_ANY, .error = EBADF, .prepare = leak_socket,
	 .look = close_leaked},
	{"short_address_reaches_nobody", "P39", short_address, SHIP | PN, .denies = DENIES_ANY,
	 .error = EINVAL, .not_native = "the kernel refuses it, too"},
	{"allowed_service_is_reached", "G1", allowed_service, SHIP | PN, .flags = ROW_ALLOWED},
};

const struct attack_group attack_group = {"network", rows, ARRAY_SIZE(rows), true, false};
