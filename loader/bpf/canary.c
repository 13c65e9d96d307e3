/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "loader/bpf/canary.h"

pid_t canary_start(int (*act)(const void *), const void *argument, int *ret_go)
{
	int pipes[2];
	char byte;
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		(void)fd_close(pipes[1]);
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (read(pipes[0], &byte, 1) != 1)
			_exit(CANARY_FAILED);
		_exit(act(argument));
	}
	(void)fd_close(pipes[0]);
	if (pid < 0) {
		int r = -errno;

		(void)fd_close(pipes[1]);
		return r;
	}
	*ret_go = pipes[1];
	return pid;
}

enum canary canary_finish(pid_t pid, int go)
{
	int status;

	if (write(go, "", 1) != 1)
		(void)kill(pid, SIGKILL);
	(void)fd_close(go);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return CANARY_FAILED;
	return WIFEXITED(status) ? (enum canary)WEXITSTATUS(status) : CANARY_FAILED;
}
