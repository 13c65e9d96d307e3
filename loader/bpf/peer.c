/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/io.h"

#include "loader/cgroup.h"
#include "loader/request.h"

#include "loader/bpf/loader.h"
#include "loader/bpf/peer.h"

#define PEERPIDFD 77 /* SO_PEERPIDFD, Linux 6.5 */

static bool is_alive(int pidfd)
{
	return syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) == 0 || errno == EPERM;
}

int peer_of(int socket, struct peer *ret)
{
	struct ucred who;
	socklen_t size = sizeof(who);
	int fd;

	if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &who, &size) < 0)
		return -errno;
	/* Of another process namespace, and not below ours. */
	if (who.pid <= 0)
		return -ESRCH;
	size = sizeof(fd);
	if (getsockopt(socket, SOL_SOCKET, PEERPIDFD, &fd, &size) < 0) {
		/* An older kernel: the number may be another's by now, whose children are then of
		 * the user that connected, or they may not join. */
		if (errno != ENOPROTOOPT)
			return -errno;
		fd = (int)syscall(SYS_pidfd_open, who.pid, 0U);
		if (fd < 0)
			return -errno;
	}
	*ret = (struct peer){.pidfd = fd, .pid = who.pid, .uid = who.uid};
	return 0;
}

/* The number of the process at @pidfd: proc_pid_fdinfo(5). Return: -ESRCH: it has ended. */
static int find_pid(int pidfd, pid_t *ret)
{
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(4096);
	char path[48];
	uint64_t pid;
	int r;

	(void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	r = io_read_file_at(AT_FDCWD, path, &text);
	if (r < 0)
		return r;
	/* "Pid:\t-1" of one that is no more, and none of what is no pidfd. */
	if (parse_status_field(strbuf_str(&text), "Pid", &pid) < 0 || pid == 0 || pid > INT_MAX)
		return -ESRCH;
	*ret = (pid_t)pid;
	return 0;
}

static int read_process(pid_t pid, struct request_process *ret)
{
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(65536);
	char path[48];
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", pid);
	r = io_read_file_at(AT_FDCWD, path, &text);
	return r < 0 ? r : request_parse_status(strbuf_str(&text), ret);
}

/* Whether @pid is in the parent of @cgroup. */
static bool is_in_parent(pid_t pid, const char *cgroup)
{
	const char *slash = strrchr(cgroup, '/');
	char own[PATH_MAX];
	size_t n;

	if (!slash || cgroup_of(pid, own, sizeof(own)) < 0)
		return false;
	n = strlen(own);
	n -= n && own[n - 1] == '/'; /* the root's */
	return n == (size_t)(slash - cgroup) && memcmp(own, cgroup, n) == 0;
}

/*
 * What is looked at cannot change for the worse: no_new_privs is for good, so what runs there stays
 * the user's; a parent is another one only when the client has died. The process may end, and be
 * another by the time that its number is written: not before its parent, the client, has waited
 * for it, and all numbers have been given out once since.
 */
int peer_check_child(const struct peer *peer, int pidfd, const char *cgroup, pid_t *ret,
		     char reterr_reason[static LAYERS_REASON_MAX])
{
	struct request_process process;
	pid_t pid;
	int r = find_pid(pidfd, &pid);

	if (r == 0)
		r = read_process(pid, &process);
	if (r < 0)
		return loader_explain(reterr_reason, "there is no such process", r);
	if (!request_may_join(&process, peer->pid, peer->uid))
		return loader_explain(
			reterr_reason,
			"it is no child of the client, of another user, or could become another's",
			-EPERM);
	if (cgroup && !is_in_parent(pid, cgroup))
		return loader_explain(reterr_reason, "it is not in the client's cgroup", -EPERM);
	if (!is_alive(pidfd) || !is_alive(peer->pidfd))
		return loader_explain(reterr_reason, "it has ended", -ESRCH);
	*ret = pid;
	return 0;
}
