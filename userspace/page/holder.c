/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <inttypes.h>
#include <netinet/in.h>
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
	int r;

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

static enum holder search(struct search *s)
{
	_cleanup_(io_closedirp) DIR *proc = opendir("/proc");
	const struct dirent *e;
	uint64_t pid;

	/* To the end: a socket may be held by several, and each must be outside. */
	while (proc && (e = readdir(proc)))
		if (parse_u64(bytes_of(e->d_name), INT32_MAX, &pid) == 0 &&
		    holds(e->d_name, s->link) && judge(s, (pid_t)pid))
			return HOLDER_INSIDE;
	return s->is_outside ? HOLDER_OUTSIDE : HOLDER_UNKNOWN;
}

enum holder holder_check(const struct sockaddr *peer, const struct sockaddr *ours,
			 const pid_t *supervisors, size_t n, struct holder_who *ret)
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
	return search(&s);
}
