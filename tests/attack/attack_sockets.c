/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets of rare kinds, all of which would go round the decisions on addresses; names in no file.
 */
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/attack/attack.h"

/* include/linux/socket.h, include/uapi/linux/in.h and netlink.h; not all headers have them. */
static const struct kind {
	const char *name;
	int family, type, protocol;
} kinds[] = {
	{"SCTP", AF_INET, SOCK_STREAM, 132},
	{"packets of SCTP", AF_INET6, SOCK_SEQPACKET, 132},
	{"DCCP", AF_INET, SOCK_DCCP, 33},
	{"SMC", 43, SOCK_STREAM, 0},
	{"SMC of IPv4", AF_INET, SOCK_STREAM, 256},
	{"echo requests", AF_INET, SOCK_DGRAM, IPPROTO_ICMP},
	{"echo requests of IPv6", AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6},
	{"L2TP", AF_INET, SOCK_DGRAM, 115},
	{"PPP", 24, SOCK_STREAM, 0},
	{"ATM", 8, SOCK_DGRAM, 0},
	{"Phonet", 35, SOCK_DGRAM, 0},
	{"KCM", 41, SOCK_SEQPACKET, 0},
	{"QRTR", 42, SOCK_DGRAM, 0},
	{"MCTP", 45, SOCK_DGRAM, 0},
	{"no family", AF_UNSPEC, SOCK_STREAM, 0},
	{"a family to come", 46, SOCK_STREAM, 0},
	{"netlink of IPsec", AF_NETLINK, SOCK_RAW, 6},
	{"netlink of SELinux", AF_NETLINK, SOCK_RAW, 7},
	{"netlink of iSCSI", AF_NETLINK, SOCK_RAW, 8},
	{"netlink of the connector", AF_NETLINK, SOCK_DGRAM, 11},
	{"netlink of netfilter", AF_NETLINK, SOCK_RAW, 12},
	{"netlink of SCSI", AF_NETLINK, SOCK_RAW, 18},
	{"netlink of RDMA", AF_NETLINK, SOCK_RAW, 20},
	{"netlink of ciphers", AF_NETLINK, SOCK_RAW, 21},
};

/* Return: 0: one of them is made, or fails by another error than a refusal's. */
static int make_kinds(bool is_pair)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct kind *k = &kinds[i];
		int fds[2];
		int r = is_pair ? socketpair(k->family, k->type, k->protocol, fds)
				: socket(k->family, k->type, k->protocol);

		if (r >= 0 || errno != EPERM) {
			(void)printf("%s: %s\n", k->name, r < 0 ? strerror(errno) : "made");
			return 0;
		}
	}
	return -EPERM;
}

static int make_sockets(const struct world *w)
{
	(void)w;
	return make_kinds(false);
}

static int make_pairs(const struct world *w)
{
	(void)w;
	return make_kinds(true);
}

/* ---- abstract names, of sockets outside */

static int listeners[2] = {-1, -1};

/* Bytes of it, @variant of them past the name's end: NULs, which make it another name. */
static socklen_t abstract(const struct world *w, int type, size_t variant, struct sockaddr_un *sun)
{
	const char *name = strrchr(w->top, '/') + 1;
	size_t len = strlen(name);

	*sun = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(sun->sun_path + 1, name, len);
	sun->sun_path[1 + len] = type == SOCK_STREAM ? 's' : 'd';
	len = MIN(offsetof(struct sockaddr_un, sun_path) + 2 + len + variant, sizeof(*sun));
	return (socklen_t)len;
}

#define WHOLE sizeof(struct sockaddr_un)

static int listen_with(const struct world *w, size_t variant)
{
	static const int types[] = {SOCK_STREAM, SOCK_DGRAM};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		struct sockaddr_un sun;
		socklen_t len = abstract(w, types[i], variant, &sun);

		listeners[i] = socket(AF_UNIX, types[i] | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (listeners[i] < 0 || bind(listeners[i], (struct sockaddr *)&sun, len) < 0)
			return -errno;
	}
	return outcome(listen(listeners[0], 4));
}

static int listen_short(const struct world *w)
{
	return listen_with(w, 0);
}

static int listen_whole(const struct world *w)
{
	return listen_with(w, WHOLE);
}

static bool is_reached(const struct world *w)
{
	_cleanup_(fd_closep) int client = accept4(listeners[0], NULL, NULL, SOCK_CLOEXEC);
	char byte;
	bool r = client >= 0 || recv(listeners[1], &byte, 1, 0) >= 0;

	(void)w;
	for (size_t i = 0; i < ARRAY_SIZE(listeners); i++)
		listeners[i] = fd_close(listeners[i]);
	return r;
}

static int connect_to(const struct world *w, int type, size_t variant)
{
	struct sockaddr_un sun;
	socklen_t len = abstract(w, type, variant, &sun);
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	if (connect(fd, (struct sockaddr *)&sun, len) < 0)
		return -errno;
	return outcome(send(fd, "x", 1, MSG_NOSIGNAL));
}

static int send_to(const struct world *w, int how)
{
	struct sockaddr_un sun;
	struct iovec io = {.iov_base = (char[]){'x'}, .iov_len = 1};
	struct mmsghdr m = {.msg_hdr = {.msg_name = &sun, .msg_iov = &io, .msg_iovlen = 1}};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	m.msg_hdr.msg_namelen = abstract(w, SOCK_DGRAM, 0, &sun);
	if (how == 0)
		return outcome(
			sendto(fd, "x", 1, 0, (struct sockaddr *)&sun, m.msg_hdr.msg_namelen));
	return outcome(how == 1 ? sendmsg(fd, &m.msg_hdr, 0) : sendmmsg(fd, &m, 1, 0));
}

static int abstract_stream(const struct world *w)
{
	return connect_to(w, SOCK_STREAM, 0);
}

static int abstract_whole(const struct world *w)
{
	return connect_to(w, SOCK_STREAM, WHOLE);
}

static int abstract_datagram(const struct world *w)
{
	return connect_to(w, SOCK_DGRAM, 0);
}

static int abstract_sendto(const struct world *w)
{
	return send_to(w, 0);
}

static int abstract_sendmsg(const struct world *w)
{
	return send_to(w, 1);
}

static int abstract_sendmmsg(const struct world *w)
{
	return send_to(w, 2);
}

#define ABSTRACT(fact, attack, put)                                                                \
	{                                                                                          \
		fact, "G9 J:dbus J:tmux", attack, PW, .effect = EFFECT_HOST, .object = "@",        \
						      .prepare = put, .look = is_reached           \
	}

static const struct attack_row rows[] = {
	{"no_socket_of_a_rare_kind_is_made", "G4 G22 T024", make_sockets, SHIP | READ_ONLY | PW,
	 .object = "socket", .denies = ARRAY_SIZE(kinds), .only = EPERM},
	{"no_pair_of_sockets_of_a_rare_kind_is_made", "G4 T024", make_pairs, SHIP | READ_ONLY | PW,
	 .object = "socketpair", .denies = ARRAY_SIZE(kinds), .only = EPERM},
	ABSTRACT("abstract_name_is_not_connected_to", abstract_stream, listen_short),
	ABSTRACT("abstract_name_with_nuls_is_not_connected_to", abstract_whole, listen_whole),
	ABSTRACT("abstract_name_is_not_connected_to_for_datagrams", abstract_datagram,
		 listen_short),
	ABSTRACT("abstract_name_is_not_sent_to", abstract_sendto, listen_short),
	ABSTRACT("abstract_name_is_not_sent_a_message", abstract_sendmsg, listen_short),
	ABSTRACT("abstract_name_is_not_sent_messages", abstract_sendmmsg, listen_short),
};

const struct attack_group attack_group = {"sockets", rows, ARRAY_SIZE(rows), false, false};
