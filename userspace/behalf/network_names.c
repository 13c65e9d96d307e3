/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions to the DNS. What goes to port 53 of any address is to be answered by the helper, and
 * the agent must not see a difference: its socket has the peer that it asked for, and answers come
 * from there (the C library of musl, c-ares and others check that). So before the call is made, the
 * agent's socket is replaced by one of the helper's network namespace, where the helper has every
 * address. A socket that is then used for another address is replaced by one of the session's
 * namespace again.
 *
 * Where the helper has no network namespace, its address on loopback takes the place of the one
 * that was asked: the peer's name is then another, and who looks where an answer comes from drops
 * it.
 *
 * Rejected: answers whose source is written into the agent's memory
 * (recvmsg would have to be notified, and an answer that was read is gone).
 */
#include <fcntl.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/io.h"

#include "behalf/network_private.h"

#define OPTION_BYTES 16 /* struct timeval is the longest */

/* What a program may have set before it asks. */
static const struct {
	int level, option;
	bool is_set_anew; /* what a new socket has is the machine's setting */
} kept_options[] = {
	{SOL_SOCKET, SO_RCVTIMEO, false},        {SOL_SOCKET, SO_SNDTIMEO, false},
	{SOL_SOCKET, SO_REUSEADDR, false},       {SOL_SOCKET, SO_KEEPALIVE, false},
	{SOL_SOCKET, SO_TIMESTAMP, false},       {IPPROTO_IP, IP_RECVERR, false},
	{IPPROTO_IP, IP_PKTINFO, false},         {IPPROTO_IP, IP_RECVTTL, false},
	{IPPROTO_IP, IP_RECVTOS, false},         {IPPROTO_IP, IP_MTU_DISCOVER, true},
	{IPPROTO_IPV6, IPV6_V6ONLY, true},       {IPPROTO_IPV6, IPV6_RECVERR, false},
	{IPPROTO_IPV6, IPV6_RECVPKTINFO, false}, {IPPROTO_IPV6, IPV6_MTU_DISCOVER, true},
	{IPPROTO_TCP, TCP_NODELAY, false},
};

static bool is_zero(const char *value, socklen_t len)
{
	for (socklen_t i = 0; i < len; i++)
		if (value[i])
			return false;
	return true;
}

void network_copy_options(int from, int to)
{
	for (size_t i = 0; i < ARRAY_SIZE(kept_options); i++) {
		int level = kept_options[i].level, option = kept_options[i].option;
		char value[OPTION_BYTES];
		socklen_t len = sizeof(value);

		/* Those of another family or type fail, and are not missed; a new socket has most
		 * of them at 0. */
		if (getsockopt(from, level, option, value, &len) == 0 &&
		    (kept_options[i].is_set_anew || !is_zero(value, len)))
			(void)setsockopt(to, level, option, value, len);
	}
}

/* A port that is taken there is replaced by another, as if it had not been asked for. */
void network_copy_address(int from, int to)
{
	struct sockaddr_storage address = {};
	struct sockaddr_in6 in6;
	socklen_t len = sizeof(address);

	if (getsockname(from, (struct sockaddr *)&address, &len) < 0)
		return;
	memcpy(&in6, &address, sizeof(in6));
	if (in6.sin6_port == 0) /* where IPv4 has it, too */
		return;
	if (address.ss_family == AF_INET6) {
		in6.sin6_scope_id = 0; /* there is no such device */
		memcpy(&address, &in6, sizeof(in6));
	}
	(void)bind(to, (const struct sockaddr *)&address, len);
}

static int make_like(struct names_config *names, const struct act_network *net, bool is_question)
{
	_cleanup_(fd_closep) int fd = -1;
	int flags = fcntl(net->socket, F_GETFL);

	if (is_question) {
		(void)pthread_mutex_lock(&names->lock);
		fd = names_socket(&names->helper, net->family, net->type, 0);
		(void)pthread_mutex_unlock(&names->lock);
		if (fd < 0) /* the helper has gone: there is no such server */
			return fd == -EPIPE || fd == -EAGAIN ? -ECONNREFUSED : fd;
	} else {
		fd = socket(net->family, net->type | SOCK_CLOEXEC, 0);
		if (fd < 0)
			return -errno;
	}
	if (flags < 0 || fcntl(fd, F_SETFL, flags) < 0)
		return -errno;
	network_copy_options(net->socket, fd);
	network_copy_address(net->socket, fd);
	return TAKE_FD(fd);
}

/* Whether the agent's descriptor is closed on exec, from "flags:\t02000002" in its fdinfo. */
static bool is_cloexec(const struct behalf *b, const struct action *a)
{
	struct strbuf text = STRBUF_INIT(4096);
	unsigned long flags = 0;
	const char *p = NULL;
	char path[64];

	(void)snprintf(path, sizeof(path), "%d/fdinfo/%d", a->tid, a->act.network.number);
	if (io_read_file_at(b->config.proc, path, &text) == 0)
		p = strstr(text.p, "flags:");
	for (p = p ? p + strcspn(p, "01234567") : ""; *p >= '0' && *p <= '7'; p++)
		flags = flags << 3 | (unsigned long)(*p - '0');
	strbuf_fini(&text);
	return flags & O_CLOEXEC;
}

/* The number could be another socket's by now: then that one is left alone. */
static bool is_still_there(const struct action *a)
{
	_cleanup_(fd_closep) int pidfd = (int)syscall(SYS_pidfd_open, a->pid, 0);
	_cleanup_(fd_closep) int fd =
		pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, a->act.network.number, 0);
	struct stat now, then;

	return fd >= 0 && fstat(fd, &now) == 0 && fstat(a->act.network.socket, &then) == 0 &&
	       now.st_ino == then.st_ino && now.st_dev == then.st_dev;
}

/*
 * Signals wait: one that came in the middle would leave the agent's old socket in its place, or
 * none of us would know which it is.
 */
int network_replace(const struct behalf *b, const struct action *a, int fd)
{
	struct seccomp_notif_addfd add = {
		.id = a->act.notif_id,
		.flags = SECCOMP_ADDFD_FLAG_SETFD,
		.srcfd = (uint32_t)fd,
		.newfd = (uint32_t)a->act.network.number,
		.newfd_flags = is_cloexec(b, a) ? O_CLOEXEC : 0,
	};
	sigset_t all, saved;
	int r;

	if (!is_still_there(a))
		return -EBADF;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_BLOCK, &all, &saved);
	r = ioctl(b->config.listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add) < 0 ? -errno : 0;
	(void)pthread_sigmask(SIG_SETMASK, &saved, NULL);
	/* What the decoder owns is the agent's socket again, under the same number. */
	if (r == 0 && dup3(fd, a->act.network.socket, O_CLOEXEC) < 0)
		r = -errno;
	return r;
}

int network_lead(struct behalf *b, const struct action *a, bool is_question)
{
	const struct act_network *net = &a->act.network;
	struct names_config *names = b->config.names;
	_cleanup_(fd_closep) int fd = -1;
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	if (!names || names_helper_is_on_loopback(&names->helper) ||
	    (net->family != AF_INET && net->family != AF_INET6) ||
	    getsockopt(net->socket, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len) < 0)
		return 0;
	if ((cookie == names->helper.own_cookie) == is_question)
		return 0;
	fd = make_like(names, net, is_question);
	if (fd < 0)
		return fd;
	return network_replace(b, a, fd);
}

struct bytes network_where_led(const struct behalf *b, const struct action *a, struct bytes address,
			       struct sockaddr_in6 *ret)
{
	const struct act_network *net = &a->act.network;
	const struct names_helper *h = b->config.names ? &b->config.names->helper : NULL;
	const size_t kind = net->type == SOCK_STREAM;
	uint16_t port_v4, port_v6;
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	if (!h || !names_helper_is_on_loopback(h))
		return address;
	port_v4 = net->is_led ? h->lead_ports[0] : h->ports[kind];
	port_v6 = net->is_led ? h->lead_ports[1] : h->ports[2 + kind];
	*ret = (struct sockaddr_in6){.sin6_family = AF_INET6,
				     .sin6_port = htons(port_v6),
				     .sin6_addr = in6addr_loopback};
	if (net->family == AF_INET6 && ret->sin6_port)
		return (struct bytes){.p = (const char *)ret, .len = sizeof(*ret)};
	in.sin_port = htons(port_v4);
	if (net->family == AF_INET) {
		memcpy(ret, &in, sizeof(in));
		return (struct bytes){.p = (const char *)ret, .len = sizeof(in)};
	}
	/* ::ffff:127.0.0.1 */
	*ret = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = in.sin_port};
	memset(&ret->sin6_addr.s6_addr[10], 0xff, 2);
	memcpy(&ret->sin6_addr.s6_addr[12], &in.sin_addr, sizeof(in.sin_addr));
	return (struct bytes){.p = (const char *)ret, .len = sizeof(*ret)};
}

void network_note_asker(struct behalf *b, const struct action *a, struct bytes address)
{
	const struct act_network *net = &a->act.network;
	struct names_asker asker = {.pid = a->pid, .tid = a->tid, .ppid = a->ppid};
	struct policy_address *server = &asker.server;
	struct sockaddr_in6 own = {}, in6 = {};
	struct sockaddr_in in = {};
	socklen_t len = sizeof(own);

	if (!b->config.names || getsockname(net->socket, (struct sockaddr *)&own, &len) < 0)
		return;
	memcpy(&in, address.p, MIN(address.len, sizeof(in)));
	memcpy(&in6, address.p, MIN(address.len, sizeof(in6)));
	server->has_ip = true;
	server->is_v4 = in.sin_family != AF_INET6;
	server->protocol = net->type == SOCK_STREAM ? POLICY_PROTO_TCP : POLICY_PROTO_UDP;
	server->port = ntohs(in.sin_port);
	if (server->is_v4)
		memcpy(server->ip, &in.sin_addr, 4);
	else
		memcpy(server->ip, &in6.sin6_addr, 16);
	policy_address_normalise(server, OP_CONNECT);
	if (a->exe.len < sizeof(asker.exe) && a->exe.p)
		memcpy(asker.exe, a->exe.p, a->exe.len);
	names_table_set_asker(b->config.names->table, ntohs(own.sin6_port), &asker);
}
