/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "cli/companion.h"

/* In the grandchild; does not return. */
static void become(const char *const *argv, int socket)
{
	int null;

	/* First, for it may be one of those that follow. */
	if (socket >= 0) {
		socket = fcntl(socket, F_DUPFD_CLOEXEC, COMPANION_FD + 1);
		if (socket < 0)
			_exit(127);
	}
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		(void)dup2(null, fd);
	if (socket >= 0 && dup2(socket, COMPANION_FD) < 0)
		_exit(127);
	(void)syscall(__NR_close_range, socket >= 0 ? COMPANION_FD + 1 : COMPANION_FD, ~0U, 0);
	/* Its signature says that it may change the strings; it does not. */
	(void)execv("/proc/self/exe", (char *const *)(uintptr_t)argv);
	_exit(127);
}

int companion_start(const char *const *argv, int *ret_socket)
{
	int sockets[2] = {-1, -1};
	pid_t pid;

	if (ret_socket && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		(void)setsid();
		pid = fork();
		if (pid == 0)
			become(argv, sockets[1]);
		_exit(pid < 0);
	}
	fd_close(sockets[1]);
	if (pid < 0) {
		fd_close(sockets[0]);
		return -EAGAIN;
	}
	(void)waitpid(pid, NULL, 0);
	if (ret_socket)
		*ret_socket = sockets[0];
	return 0;
}
