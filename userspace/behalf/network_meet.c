/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who listens on a unix socket. The kernel says so of a connection (SO_PEERCRED, SO_PEERPIDFD: who
 * called listen(2)), so one is made, and the one that was judged is the one that the agent gets: by
 * a socket of ours, which takes the place of the agent's once the verdict is there. A connection
 * that is denied has been seen by the server, and says nothing.
 *
 * Rejected: connecting the agent's own socket and asking then, since another thread of the agent
 * could write to it before the verdict; a first connection that only asks, since whoever listens
 * under an abstract name may be another by the second, and a server that takes one connection would
 * have had its one; NETLINK_SOCK_DIAG, which knows the socket's owner and no process, and the
 * sockets of one network namespace, while a path leads into any.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "behalf/network_private.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif
#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76 /* likewise */
#endif

static void copy_options(int from, int to)
{
	static const int options[] = {SO_PASSCRED, SO_PASSSEC, SO_PASSPIDFD};

	network_copy_options(from, to);
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		socklen_t len = sizeof(int);
		int value;

		if (getsockopt(from, SOL_SOCKET, options[i], &value, &len) == 0 && value)
			(void)setsockopt(to, SOL_SOCKET, options[i], &value, len);
	}
	/* What is set is half of what is told (socket(7)). */
	for (int option = SO_SNDBUF; option <= SO_RCVBUF; option++) {
		socklen_t len = sizeof(int);
		int value;

		if (getsockopt(from, SOL_SOCKET, option, &value, &len) < 0)
			continue;
		value /= 2;
		(void)setsockopt(to, SOL_SOCKET, option, &value, sizeof(value));
	}
}

/* One that has a name, or a peer, cannot be replaced by another. */
static bool is_replaceable(int fd, int *ret_error)
{
	struct sockaddr_un un;
	socklen_t len = sizeof(un), peer_len = sizeof(un);
	int is_listening = 0;
	socklen_t size = sizeof(is_listening);

	*ret_error = 0;
	if (getpeername(fd, (struct sockaddr *)&un, &peer_len) == 0)
		*ret_error = EISCONN;
	else if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &size) == 0 &&
		 is_listening)
		*ret_error = EINVAL;
	return !*ret_error && getsockname(fd, (struct sockaddr *)&un, &len) == 0 &&
	       len <= sizeof(sa_family_t);
}

static int connect_as_agent(struct behalf *b, const struct action *a, void *arg)
{
	const int *fd = arg;
	int r = network_identify(b, a);

	return r < 0 ? r : network_connect(b, a, *fd);
}

/* The process that listened, if it is still there: else its number may be another's. */
static void find_image(const struct behalf *b, int fd, pid_t pid, struct behalf_met *ret)
{
	struct pollfd over = {.fd = -1, .events = POLLIN};
	socklen_t len = sizeof(over.fd);
	char path[32];
	ssize_t n;

	if (pid <= 0 || getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &over.fd, &len) < 0)
		return;
	(void)snprintf(path, sizeof(path), "%d/exe", pid);
	n = readlinkat(b->config.proc, path, ret->exe, sizeof(ret->exe));
	if (n > 0 && (size_t)n < sizeof(ret->exe) && ret->exe[0] == '/' && poll(&over, 1, 0) == 0)
		ret->who.exe = (struct bytes){.p = ret->exe, .len = (size_t)n};
	(void)fd_close(over.fd);
}

static void look_at_peer(const struct behalf *b, struct behalf_met *ret)
{
	struct ucred peer = {.uid = (uid_t)-1};
	socklen_t len = sizeof(peer);

	if (getsockopt(ret->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || peer.uid == (uid_t)-1)
		return;
	ret->is_known = true;
	ret->who.uid = peer.uid;
	ret->who.is_own = peer.uid == getuid();
	find_image(b, ret->fd, peer.pid, ret);
}

int network_meet(struct behalf *b, const struct action *a, struct behalf_met *ret)
{
	const struct act_network *net = &a->act.network;
	_cleanup_(fd_closep) int fd = -1;
	int flags, r;

	if (behalf_still_waits(b, a) < 0)
		return -ENOENT;
	if (!is_replaceable(net->socket, &ret->error))
		return 0; /* it stays unknown who that would be */
	flags = fcntl(net->socket, F_GETFL);
	fd = socket(AF_UNIX, net->type | SOCK_CLOEXEC, 0);
	if (fd < 0 || flags < 0 || fcntl(fd, F_SETFL, flags) < 0)
		return -errno;
	copy_options(net->socket, fd);
	r = behalf_call(b, a, connect_as_agent, &fd);
	if (r == -EINTR)
		return BEHALF_INTERRUPTED;
	if (r < 0) {
		ret->error = -r;
		return 0;
	}
	ret->fd = TAKE_FD(fd);
	look_at_peer(b, ret);
	return 0;
}
