/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <inttypes.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>

#include "action/action.h"
#include "base/io.h"
#include "page/guard.h"

#include "page/holder.h"

#define LINE_SIZE 512
#define LINK_SIZE 64

static void filep(FILE **f)
{
	if (*f)
		(void)fclose(*f);
}

static bool is_mapped(const struct sockaddr *a)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)a;

	return a->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr);
}

/* ---- which socket it is */

static uint16_t put_address(const struct sockaddr *a, uint32_t out[static 4])
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)a;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)a;

	if (a->sa_family == AF_INET6) {
		memcpy(out, &v6->sin6_addr, sizeof(v6->sin6_addr));
		return v6->sin6_port;
	}
	memcpy(out, &v4->sin_addr, sizeof(v4->sin_addr));
	return v4->sin_port;
}

struct diag_reply {
	struct nlmsghdr head;
	union {
		struct nlmsgerr error;
		struct inet_diag_msg found;
	};
	char more[512]; /* attributes: none are asked for */
};

/*
 * Asks for this one socket (sock_diag(7)). /proc/net/tcp says the same, but making it goes through
 * the kernel's whole table, which takes 25 ms on a machine with much memory: an agent that opens
 * some hundred connections would keep everybody waiting for seconds.
 *
 * Return: 0, -ENOENT; another -errno: the kernel does not answer such questions.
 */
static int ask_kernel(const struct sockaddr *peer, const struct sockaddr *ours,
		      struct guard_connection *ret)
{
	_cleanup_(fd_closep) int fd =
		socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	struct {
		struct nlmsghdr head;
		struct inet_diag_req_v2 request;
	} q = {
		.head = {.nlmsg_len = sizeof(q),
			 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			 .nlmsg_flags = NLM_F_REQUEST},
		.request = {.sdiag_family = (uint8_t)peer->sa_family,
			    .sdiag_protocol = IPPROTO_TCP,
			    .idiag_states = ~0U,
			    .id.idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}},
	};
	struct diag_reply reply = {};
	ssize_t n;

	q.request.id.idiag_sport = put_address(peer, q.request.id.idiag_src);
	q.request.id.idiag_dport = put_address(ours, q.request.id.idiag_dst);
	if (fd < 0 || send(fd, &q, sizeof(q), 0) < 0)
		return -errno;
	n = recv(fd, &reply, sizeof(reply), 0);
	if (n < 0)
		return -errno;
	if ((size_t)n >= sizeof(reply.head) + sizeof(reply.error) &&
	    reply.head.nlmsg_type == NLMSG_ERROR)
		return reply.error.error < 0 ? reply.error.error : -EPROTO;
	if ((size_t)n < sizeof(reply.head) + sizeof(reply.found) ||
	    reply.head.nlmsg_type != SOCK_DIAG_BY_FAMILY)
		return -EPROTO;
	/* Where there is no such connection, who listens at the address is given instead. */
	if (reply.found.idiag_state == TCP_LISTEN ||
	    reply.found.id.idiag_dport != q.request.id.idiag_dport)
		return -ENOENT;
	*ret = (struct guard_connection){.inode = reply.found.idiag_inode,
					 .uid = reply.found.idiag_uid};
	return 0;
}

/* The peer may have made its end with a socket of either family. */
static int find_in(const char *path, const struct sockaddr *peer, const struct sockaddr *ours,
		   struct guard_connection *ret)
{
	_cleanup_(filep) FILE *f = fopen(path, "re");
	char line[LINE_SIZE];

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f))
		if (guard_tcp_line(line, peer, ours, ret))
			return 0;
	return -ENOENT;
}

static struct sockaddr_storage mapped(const struct sockaddr *a)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)a;
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = v4->sin_port};
	struct sockaddr_storage ret = {};

	v6.sin6_addr.s6_addr[10] = v6.sin6_addr.s6_addr[11] = 0xff;
	memcpy(&v6.sin6_addr.s6_addr[12], &v4->sin_addr, sizeof(v4->sin_addr));
	memcpy(&ret, &v6, sizeof(v6));
	return ret;
}

static int find_socket(const struct sockaddr *peer, const struct sockaddr *ours,
		       struct guard_connection *ret)
{
	struct sockaddr_storage peer6, ours6;
	int r = ask_kernel(peer, ours, ret);

	if (r == 0 || r == -ENOENT)
		return r;
	if (peer->sa_family == AF_INET6)
		return find_in("/proc/net/tcp6", peer, ours, ret);
	r = find_in("/proc/net/tcp", peer, ours, ret);
	if (r != -ENOENT)
		return r;
	peer6 = mapped(peer);
	ours6 = mapped(ours);
	return find_in("/proc/net/tcp6", (const struct sockaddr *)&peer6,
		       (const struct sockaddr *)&ours6, ret);
}

/* Whether @a is one of this machine's addresses; when that cannot be told, it is. */
static bool is_of_this_machine(const struct sockaddr *a)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)a;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)a;
	struct ifaddrs *all;
	bool is_ours = is_mapped(a);

	if (getifaddrs(&all) < 0)
		return true;
	for (const struct ifaddrs *i = all; i && !is_ours; i = i->ifa_next) {
		if (!i->ifa_addr || i->ifa_addr->sa_family != a->sa_family)
			continue;
		if (a->sa_family == AF_INET)
			is_ours = v4->sin_addr.s_addr ==
				  ((const struct sockaddr_in *)(const void *)i->ifa_addr)
					  ->sin_addr.s_addr;
		else
			is_ours = memcmp(&v6->sin6_addr,
					 &((const struct sockaddr_in6 *)(const void *)i->ifa_addr)
						  ->sin6_addr,
					 sizeof(v6->sin6_addr)) == 0;
	}
	freeifaddrs(all);
	/* All of 127/8 is, though no interface lists it. */
	return is_ours || (a->sa_family == AF_INET && ntohl(v4->sin_addr.s_addr) >> 24 == 127);
}

/* ---- who holds it */

struct search {
	char link[LINK_SIZE]; /* "socket:[123]" */
	const pid_t *supervisors;
	size_t n;
	struct holder_who *who;
	bool is_outside;
};

static bool holds(const char *pid, const char *link)
{
	_cleanup_(io_closedirp) DIR *dir = NULL;
	const struct dirent *e;
	char path[sizeof("/proc/fd") + 32], target[LINK_SIZE];

	(void)snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
	dir = opendir(path);
	while (dir && (e = readdir(dir))) {
		ssize_t n = readlinkat(dirfd(dir), e->d_name, target, sizeof(target) - 1);

		if (n <= 0)
			continue;
		target[n] = '\0';
		if (streq(target, link))
			return true;
	}
	return false;
}

/*
 * A session that we have not heard of (it began just now, or its socket is elsewhere) still has a
 * supervisor above its processes, which only it could give another name. Return: its pid; 0: none;
 * -errno.
 */
static pid_t unknown_supervisor(pid_t pid)
{
	static const char name[] = "holdfast\n";

	while (pid > 1) {
		_cleanup_(strbuf_fini) struct strbuf comm = STRBUF_INIT(LINK_SIZE);
		char path[sizeof("/proc/comm") + 16];
		int r;

		(void)snprintf(path, sizeof(path), "/proc/%d/comm", pid);
		r = io_read_file_at(AT_FDCWD, path, &comm);
		if (r < 0)
			return r;
		if (streq(strbuf_str(&comm), name))
			return pid;
		r = action_pid_parent(pid, &pid);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Return: true, it is in a session, or that cannot be told. */
static bool judge(struct search *s, pid_t pid)
{
	pid_t unknown;

	for (size_t i = 0; i < s->n; i++) {
		if (action_pid_descends_from(pid, s->supervisors[i]) == 0)
			continue;
		*s->who = (struct holder_who){.pid = pid, .supervisor = s->supervisors[i]};
		return true;
	}
	unknown = unknown_supervisor(pid);
	if (unknown) {
		*s->who = (struct holder_who){.pid = pid, .supervisor = MAX(unknown, 0)};
		return true;
	}
	s->is_outside = true;
	return false;
}

static enum holder search(struct search *s, pid_t suspect)
{
	_cleanup_(io_closedirp) DIR *proc = NULL;
	const struct dirent *e;
	char name[16];
	uint64_t pid;

	if (suspect > 0) {
		(void)snprintf(name, sizeof(name), "%d", suspect);
		if (holds(name, s->link) && judge(s, suspect))
			return HOLDER_INSIDE;
	}
	proc = opendir("/proc");

	/* To the end: a socket may be held by several, and each must be outside. */
	while (proc && (e = readdir(proc)))
		if (parse_u64(bytes_of(e->d_name), INT32_MAX, &pid) == 0 &&
		    holds(e->d_name, s->link) && judge(s, (pid_t)pid))
			return HOLDER_INSIDE;
	return s->is_outside ? HOLDER_OUTSIDE : HOLDER_UNKNOWN;
}

enum holder holder_of_process(pid_t pid, const pid_t *supervisors, size_t n, struct holder_who *ret)
{
	struct search s = {.supervisors = supervisors, .n = n, .who = ret};

	*ret = (struct holder_who){};
	return judge(&s, pid) ? HOLDER_INSIDE : HOLDER_OUTSIDE;
}

enum holder holder_check(const struct sockaddr *peer, const struct sockaddr *ours,
			 const pid_t *supervisors, size_t n, pid_t suspect, struct holder_who *ret)
{
	struct search s = {.supervisors = supervisors, .n = n, .who = ret};
	struct guard_connection c;
	int r = find_socket(peer, ours, &c);

	*ret = (struct holder_who){};
	if (r == -ENOENT)
		return is_of_this_machine(peer) ? HOLDER_UNKNOWN : HOLDER_REMOTE;
	if (r < 0 || c.inode == 0)
		return HOLDER_UNKNOWN;
	/* Root looks after everybody. */
	if (geteuid() != 0 && c.uid != geteuid() && c.uid != 0)
		return HOLDER_USER;
	(void)snprintf(s.link, sizeof(s.link), "socket:[%" PRIu64 "]", c.inode);
	return search(&s, suspect);
}
