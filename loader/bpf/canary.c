/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <linux/sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "loader/cgroup.h"

#include "loader/bpf/canary.h"

/* Made where it is to live, if that can be done: to move it there the kernel waits for RCU. */
static pid_t fork_into(int cgroup, bool *ret_is_there)
{
	struct clone_args args = {
		.flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = (uint64_t)cgroup};
	pid_t pid;

	/* The child finds it set as well. */
	*ret_is_there = true;
	if (cgroup >= 0) {
		pid = (pid_t)syscall(__NR_clone3, &args, sizeof(args));
		if (pid >= 0)
			return pid;
		*ret_is_there = false;
	}
	return fork();
}

pid_t canary_start(int (*act)(const void *), const void *argument, int cgroup, int *ret_go)
{
	int pipes[2];
	bool is_there;
	char byte;
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC) < 0)
		return -errno;
	pid = fork_into(cgroup, &is_there);
	if (pid == 0) {
		(void)fd_close(pipes[1]);
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if ((!is_there && cgroup_join(cgroup, 0) < 0) || read(pipes[0], &byte, 1) != 1)
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
