/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IPv4 addresses in IPv6 clothes: where a network has a translator or a tunnel, they lead to the
 * IPv4 address. PV allows all of IPv6, so only what is said of the IPv4 address can refuse them.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>

#include "tests/attack/attack_net.h"

static struct sockaddr_in6 address_of(const char *host)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(ATTACK_PORT_WEB)};

	(void)inet_pton(AF_INET6, host, &a.sin6_addr);
	return a;
}

static int by_connect(const char *host, int type, int flags)
{
	struct sockaddr_in6 a = address_of(host);
	int fd = socket(AF_INET6, type | SOCK_CLOEXEC, 0);

	(void)flags;
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return -errno;
	return send(fd, "x", 1, MSG_NOSIGNAL) < 0 && type != SOCK_STREAM ? -errno : 0;
}

static int by_sendto(const char *host, int type, int flags)
{
	struct sockaddr_in6 a = address_of(host);
	int fd = socket(AF_INET6, type | SOCK_CLOEXEC, 0);

	return outcome(sendto(fd, "x", 1, flags | MSG_NOSIGNAL, (struct sockaddr *)&a, sizeof(a)));
}

/* As the second of two: the first is let through. */
static int by_sendmmsg(const char *host, int type, int flags)
{
	struct sockaddr_in6 a[2] = {address_of("::1"), address_of(host)};
	struct iovec io = {.iov_base = (char[]){'x'}, .iov_len = 1};
	struct mmsghdr m[2] = {};
	int fd = socket(AF_INET6, type | SOCK_CLOEXEC, 0);

	for (size_t i = 0; i < 2; i++)
		m[i].msg_hdr = (struct msghdr){.msg_name = &a[i],
					       .msg_namelen = sizeof(a[i]),
					       .msg_iov = &io,
					       .msg_iovlen = 1};
	return outcome(sendmmsg(fd, m, 2, (unsigned int)flags));
}

#define ATTACKS                                                                                    \
	X(nat64, by_connect, ATTACK_NAT64, SOCK_STREAM, 0)                                         \
	X(nat64_local, by_connect, ATTACK_NAT64_LOCAL, SOCK_STREAM, 0)                             \
	X(nat64_short, by_connect, ATTACK_NAT64_SHORT, SOCK_STREAM, 0)                             \
	X(six_to_four, by_connect, ATTACK_6TO4, SOCK_STREAM, 0)                                    \
	X(teredo, by_connect, ATTACK_TEREDO, SOCK_STREAM, 0)                                       \
	X(teredo_peer, by_connect, ATTACK_TEREDO_PEER, SOCK_STREAM, 0)                             \
	X(isatap, by_connect, ATTACK_ISATAP, SOCK_STREAM, 0)                                       \
	X(translated, by_connect, ATTACK_TRANSLATED, SOCK_STREAM, 0)                               \
	X(compatible, by_connect, ATTACK_COMPATIBLE, SOCK_STREAM, 0)                               \
	X(udp_connect, by_connect, ATTACK_NAT64, SOCK_DGRAM, 0)                                    \
	X(udp_sendto, by_sendto, ATTACK_NAT64, SOCK_DGRAM, 0)                                      \
	X(udp_sendmmsg, by_sendmmsg, ATTACK_NAT64, SOCK_DGRAM, 0)                                  \
	X(fast_open, by_sendto, ATTACK_NAT64, SOCK_STREAM, MSG_FASTOPEN)                           \
	X(fast_open_6to4, by_sendto, ATTACK_6TO4, SOCK_STREAM, MSG_FASTOPEN)                       \
	X(other_ipv6, by_connect, ATTACK_FAR6, SOCK_STREAM, 0)

#define X(function, how, host, type, flags)                                                        \
	static int function(const struct world *w)                                                 \
	{                                                                                          \
		(void)w;                                                                           \
		return how(host, type, flags);                                                     \
	}
ATTACKS
#undef X

#define HIDDEN(fact, attack)                                                                       \
	{                                                                                          \
		fact, "G14", attack, PV | SHIP, .effect = EFFECT_REACHED,                          \
						.object = ATTACK_METADATA4                         \
	}

static const struct attack_row rows[] = {
	HIDDEN("ipv4_behind_nat64_is_judged", nat64),
	HIDDEN("ipv4_behind_nat64_of_ones_own_is_judged", nat64_local),
	HIDDEN("ipv4_behind_a_short_nat64_prefix_is_judged", nat64_short),
	HIDDEN("ipv4_in_6to4_is_judged", six_to_four),
	HIDDEN("server_in_a_teredo_address_is_judged", teredo),
	HIDDEN("client_in_a_teredo_address_is_judged", teredo_peer),
	HIDDEN("ipv4_in_isatap_is_judged", isatap),
	HIDDEN("ipv4_translated_address_is_judged", translated),
	HIDDEN("ipv4_compatible_address_is_judged", compatible),
	HIDDEN("ipv4_behind_nat64_is_judged_of_a_connected_datagram", udp_connect),
	HIDDEN("ipv4_behind_nat64_is_judged_of_a_datagram", udp_sendto),
	{"ipv4_behind_nat64_is_judged_of_a_second_message", "G14 T016", udp_sendmmsg, PV,
	 .effect = EFFECT_REACHED, .object = ATTACK_METADATA4},
	HIDDEN("ipv4_behind_nat64_is_judged_of_a_fast_open", fast_open),
	HIDDEN("ipv4_in_6to4_is_judged_of_a_fast_open", fast_open_6to4),
	{"other_ipv6_is_what_its_own_rules_say", "G14", other_ipv6, PV, .flags = ROW_ALLOWED},
};

const struct attack_group attack_group = {"embedded", rows, ARRAY_SIZE(rows), true, false};
