/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every call that reaches an address of IP, with every way to write that address: a table of pairs
 * (matrix.h), in a network namespace of its own. On each pair's port something listens.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "tests/attack/attack_net.h"
#include "tests/attack/matrix.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#define LEN_WITHOUT_SCOPE 24 /* SIN6_LEN_RFC2133 of the kernel: enough of struct sockaddr_in6 */

/* ---- the addresses */

/* Of IPv4 that PV denies and nobody allows, and what a translator or tunnel makes of it. */
static const char *const far_addresses[] = {
	ATTACK_FAR4,       "::ffff:" ATTACK_FAR4, ATTACK_METADATA4,   "::ffff:" ATTACK_METADATA4,
	ATTACK_NAT64,      ATTACK_NAT64_LOCAL,    ATTACK_NAT64_SHORT, ATTACK_6TO4,
	ATTACK_TEREDO,     ATTACK_TEREDO_PEER,    ATTACK_ISATAP,      ATTACK_TRANSLATED,
	ATTACK_COMPATIBLE,
};

/* This machine's, and of IPv6. */
static const char *const near_addresses[] = {
	"127.0.0.1",
	"127.0.0.2",
	"127.255.255.254",
	"0.0.0.0",
	"::1",
	"::",
	"::ffff:0.0.0.0",
	"::ffff:127.0.0.1",
	"::ffff:127.1.2.3",
	ATTACK_FAR6,
	ATTACK_METADATA6,
};

struct target {
	struct sockaddr_storage at;
	socklen_t len;
};

static void aim(struct target *t, const char *host, uint16_t port)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&t->at;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&t->at;

	*t = (struct target){.len = strchr(host, ':') ? sizeof(*v6) : sizeof(*v4)};
	t->at.ss_family = strchr(host, ':') ? AF_INET6 : AF_INET;
	if (t->at.ss_family == AF_INET6)
		(void)inet_pton(AF_INET6, host, &v6->sin6_addr);
	else
		(void)inet_pton(AF_INET, host, &v4->sin_addr);
	v4->sin_port = htons(port); /* it is at the same place in both */
}

/* ---- the calls */

/* A queue that is full, or a connection that is on its way, is as good as being in. */
static int reached(long r)
{
	return r < 0 && (errno == EINPROGRESS || errno == EAGAIN) ? 0 : outcome(r);
}

static int connect_as(const struct target *t, int type, int protocol)
{
	int fd = socket(t->at.ss_family, type | SOCK_CLOEXEC, protocol);

	return fd < 0 ? -errno : reached(connect(fd, (const struct sockaddr *)&t->at, t->len));
}

static int tcp(struct target *t)
{
	return connect_as(t, SOCK_STREAM, 0);
}

static int tcp_nonblocking(struct target *t)
{
	return connect_as(t, SOCK_STREAM | SOCK_NONBLOCK, 0);
}

static int tcp_long(struct target *t)
{
	t->len = sizeof(t->at);
	return connect_as(t, SOCK_STREAM, 0);
}

static int tcp_without_scope(struct target *t)
{
	t->len = LEN_WITHOUT_SCOPE;
	return t->at.ss_family == AF_INET ? -EAFNOSUPPORT : connect_as(t, SOCK_STREAM, 0);
}

static int tcp_in_vfork(struct target *t)
{
	int fd = socket(t->at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int status;
	pid_t pid = vfork();

	if (pid == 0)
		_exit(connect(fd, (const struct sockaddr *)&t->at, t->len) < 0 ? errno : 0);
	return waitpid(pid, &status, 0) < 0 ? -errno : -WEXITSTATUS(status);
}

static int mptcp(struct target *t)
{
	return connect_as(t, SOCK_STREAM, IPPROTO_MPTCP);
}

static int udp_connected(struct target *t)
{
	int fd = socket(t->at.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (const struct sockaddr *)&t->at, t->len) < 0)
		return -errno;
	return reached(send(fd, "x", 1, MSG_DONTWAIT));
}

enum way {
	WAY_SENDTO,
	WAY_SENDMSG,
	WAY_SENDMMSG,
};

static int send_by(int fd, struct target *t, enum way way, int flags)
{
	struct iovec io = {.iov_base = (char[]){'x'}, .iov_len = 1};
	struct mmsghdr m = {.msg_hdr = {.msg_name = &t->at,
					.msg_namelen = t->len,
					.msg_iov = &io,
					.msg_iovlen = 1}};

	if (fd < 0)
		return -errno;
	if (way == WAY_SENDTO)
		return reached(sendto(fd, "x", 1, flags, (struct sockaddr *)&t->at, t->len));
	return reached(way == WAY_SENDMSG ? sendmsg(fd, &m.msg_hdr, flags)
					  : sendmmsg(fd, &m, 1, flags));
}

#define SENDS                                                                                      \
	X(udp_sendto, SOCK_DGRAM, WAY_SENDTO, MSG_DONTWAIT)                                        \
	X(udp_sendmsg, SOCK_DGRAM, WAY_SENDMSG, MSG_DONTWAIT)                                      \
	X(udp_sendmmsg, SOCK_DGRAM, WAY_SENDMMSG, MSG_DONTWAIT)                                    \
	X(fast_sendto, SOCK_STREAM, WAY_SENDTO, MSG_FASTOPEN | MSG_NOSIGNAL)                       \
	X(fast_sendmsg, SOCK_STREAM, WAY_SENDMSG, MSG_FASTOPEN | MSG_NOSIGNAL)                     \
	X(fast_sendmmsg, SOCK_STREAM, WAY_SENDMMSG, MSG_FASTOPEN | MSG_NOSIGNAL)

#define X(function, type, way, flags)                                                              \
	static int function(struct target *t)                                                      \
	{                                                                                          \
		return send_by(socket(t->at.ss_family, (type) | SOCK_CLOEXEC, 0), t, way, flags);  \
	}
SENDS
#undef X

/* The connection is made by the first write. */
static int fast_connect(struct target *t)
{
	int fd = socket(t->at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int yes = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &yes, sizeof(yes));
	if (connect(fd, (const struct sockaddr *)&t->at, t->len) < 0)
		return -errno;
	return reached(write(fd, "x", 1));
}

/* A socket of IPv6 takes addresses of IPv4. */
static int udp_of_ipv6(struct target *t)
{
	return send_by(socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), t, WAY_SENDTO, MSG_DONTWAIT);
}

/* UDP takes a destination of no family for one of IPv4. */
static int udp_of_no_family(struct target *t)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (t->at.ss_family != AF_INET)
		return -EAFNOSUPPORT;
	t->at.ss_family = AF_UNSPEC;
	return send_by(fd, t, WAY_SENDTO, MSG_DONTWAIT);
}

static const struct call {
	const char *name;
	int (*make)(struct target *t);
	int type; /* what has to listen */
} calls[] = {
	{"connect", tcp, SOCK_STREAM},
	{"connect that does not block", tcp_nonblocking, SOCK_STREAM},
	{"connect with more bytes", tcp_long, SOCK_STREAM},
	{"connect with fewer bytes", tcp_without_scope, SOCK_STREAM},
	{"connect in vfork", tcp_in_vfork, SOCK_STREAM},
	{"connect of MPTCP", mptcp, SOCK_STREAM},
	{"connect of UDP", udp_connected, SOCK_DGRAM},
	{"sendto", udp_sendto, SOCK_DGRAM},
	{"sendmsg", udp_sendmsg, SOCK_DGRAM},
	{"sendmmsg", udp_sendmmsg, SOCK_DGRAM},
	{"sendto by a socket of IPv6", udp_of_ipv6, SOCK_DGRAM},
	{"sendto of no family", udp_of_no_family, SOCK_DGRAM},
	{"fast open by sendto", fast_sendto, SOCK_STREAM},
	{"fast open by sendmsg", fast_sendmsg, SOCK_STREAM},
	{"fast open by sendmmsg", fast_sendmmsg, SOCK_STREAM},
	{"fast open by connect", fast_connect, SOCK_STREAM},
};

/* ---- pairs */

_Static_assert(ARRAY_SIZE(far_addresses) >= ARRAY_SIZE(near_addresses), "room for both in:");
static int listeners[ARRAY_SIZE(far_addresses) * ARRAY_SIZE(calls)];

static int attack_all(const char *const addresses[], size_t n)
{
	for (size_t i = 0; i < n * ARRAY_SIZE(calls); i++) {
		struct target t;

		aim(&t, addresses[i / ARRAY_SIZE(calls)], (uint16_t)(MATRIX_PORT + i));
		matrix_tell(i, -calls[i % ARRAY_SIZE(calls)].make(&t));
	}
	return -EACCES; /* each pair has its own result */
}

static int put_listeners(size_t n)
{
	for (size_t i = 0; i < n * ARRAY_SIZE(calls); i++) {
		struct sockaddr_in6 any = {.sin6_family = AF_INET6,
					   .sin6_port = htons((uint16_t)(MATRIX_PORT + i))};
		int type = calls[i % ARRAY_SIZE(calls)].type;
		int fd = socket(AF_INET6, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		int queue = 16, no = 0, yes = 1;

		listeners[i] = fd;
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
		/* Connections of the run before are still about. */
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
		if (type == SOCK_STREAM)
			(void)setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN, &queue, sizeof(queue));
		if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0 ||
		    (type == SOCK_STREAM && listen(fd, 16) < 0))
			return -errno;
	}
	return 0;
}

static bool is_reached(const struct world *w)
{
	bool is_any = false;
	char byte;

	(void)w;
	for (size_t i = 0; i < ARRAY_SIZE(listeners) && listeners[i] > 0; i++) {
		int client = accept4(listeners[i], NULL, NULL, SOCK_CLOEXEC);

		is_any = is_any || client >= 0 || recv(listeners[i], &byte, 1, 0) >= 0;
		(void)fd_close(client);
		(void)fd_close(listeners[i]);
		listeners[i] = 0;
	}
	return is_any;
}

static bool is_never_untold(size_t i)
{
	(void)i;
	return false;
}

#define TABLE(label, at_least)                                                                     \
	static int label##_attack(const struct world *w)                                           \
	{                                                                                          \
		(void)w;                                                                           \
		return attack_all(label##_addresses, ARRAY_SIZE(label##_addresses));               \
	}                                                                                          \
	static int label##_prepare(const struct world *w)                                          \
	{                                                                                          \
		(void)w;                                                                           \
		return put_listeners(ARRAY_SIZE(label##_addresses));                               \
	}                                                                                          \
	static void label##_name(size_t i, char out[static MATRIX_NAME_SIZE])                      \
	{                                                                                          \
		(void)snprintf(out, MATRIX_NAME_SIZE, "%s to %s",                                  \
			       calls[i % ARRAY_SIZE(calls)].name,                                  \
			       label##_addresses[i / ARRAY_SIZE(calls)]);                          \
	}                                                                                          \
	static const struct matrix label##_matrix = {.n = ARRAY_SIZE(label##_addresses) *          \
							  ARRAY_SIZE(calls),                       \
						     .name = label##_name,                         \
						     .is_untold = is_never_untold,                 \
						     .least = at_least};

TABLE(far, 170)
TABLE(near, 140)

static const struct attack_row rows[] = {
	{"no_call_reaches_an_address_of_ipv4_however_it_is_written", "G1 G2 G3 G4 G5 G12 G13 P18",
	 far_attack, SHIP | NO_NETWORK | PN | PV, .effect = EFFECT_HOST, .denies = DENIES_ANY,
	 .matrix = &far_matrix, .prepare = far_prepare, .look = is_reached},
	{"no_call_reaches_this_machine_however_it_is_written", "G1 G2 G3 G4 G5 G12 P38",
	 near_attack, NO_NETWORK | PN, .effect = EFFECT_HOST, .denies = DENIES_ANY,
	 .matrix = &near_matrix, .prepare = near_prepare, .look = is_reached},
};

const struct attack_group attack_group = {"addresses", rows, ARRAY_SIZE(rows), true, false};
