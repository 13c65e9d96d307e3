/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "loader/caps.h"
#include "loader/features.h"
#include "loader/landlock.h"
#include "loader/lsm.h"
#include "loader/net.h"

#include "loader/spawn.h"

/* What the child tells before it executes. */
struct spawn_report {
	int error;    /* errno, 0 when the filter is loaded */
	int listener; /* its number in the shared table */
	bool wait_killable;
};

struct spawn_pipe {
	int read;
	int write;
};

static void spawn_pipe_fini(struct spawn_pipe *p)
{
	p->read = fd_close(p->read);
	p->write = fd_close(p->write);
}

static int spawn_pipe_init(struct spawn_pipe *p)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	p->read = fds[0];
	p->write = fds[1];
	return 0;
}

static void child_write(int fd, const void *p, size_t len)
{
	ssize_t n = write(fd, p, len); /* far below PIPE_BUF: whole or not at all */

	(void)n; /* the parent takes a missing report as failure */
}

static bool child_keeps(const struct spawn_config *c, int fd)
{
	for (size_t i = 0; i < c->n_keep_fds; i++)
		if (c->keep_fds[i] == fd)
			return true;
	return false;
}

/*
 * Leaves the shared table and closes all that the agent must not inherit: a leaked directory, a
 * socket, our own.
 * @report_fd and @exec_status live on; both are O_CLOEXEC.
 */
static int child_close_others(const struct spawn_config *c, int report_fd, int exec_status)
{
	int last = MAX(report_fd, exec_status);

	for (size_t i = 0; i < c->n_keep_fds; i++)
		last = MAX(last, c->keep_fds[i]);
	if (syscall(__NR_close_range, (unsigned int)last + 1, ~0U, CLOSE_RANGE_UNSHARE) < 0)
		return -errno;
	for (int fd = 3; fd <= last; fd++)
		if (fd != report_fd && fd != exec_status && !child_keeps(c, fd))
			(void)close(fd);
	for (size_t i = 0; i < c->n_keep_fds; i++)
		(void)fcntl(c->keep_fds[i], F_SETFD, 0);
	return 0;
}

/* Exec as execvp(3) does for a file without "#!" that the kernel does not know: hand it to the
 * shell. */
static void child_exec(const struct spawn_config *c)
{
	static char shell_name[] = "sh";
	size_t argc = 0;
	char **sh;

	(void)execve(c->path, c->argv, c->envp);
	if (errno != ENOEXEC)
		return;
	while (c->argv[argc])
		argc++;
	sh = calloc(argc + 3, sizeof(*sh));
	if (!sh)
		return;
	sh[0] = shell_name;
	sh[1] = c->path;
	for (size_t i = 1; i < argc; i++)
		sh[i + 1] = c->argv[i];
	(void)execve("/bin/sh", sh, c->envp);
	free(sh);
}

/* Everything that binds the command, before any of its code runs. Return: 0, -errno. */
static int child_confine(const struct spawn_config *c, bool has_joined, struct spawn_report *report)
{
	char reason[LAYERS_REASON_MAX];
	int r = 0;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	if ((c->net && !has_joined && net_join(c->net, reason) < 0) ||
	    (c->lsm && lsm_join(c->lsm, reason) < 0))
		return -ENOLINK;
	if (c->drops_caps)
		r = caps_keep(c->kept_caps);
	if (r == 0 && c->ruleset >= 0)
		r = landlock_enter(c->ruleset);
	if (r < 0)
		return r;
	report->listener = filter_load(c->filter, &report->wait_killable);
	return MIN(report->listener, 0);
}

static _Noreturn void child_main(const struct spawn_config *c, bool has_joined, int report_fd,
				 int exec_status, pid_t parent)
{
	struct spawn_report report = {.listener = -1};
	int error;

	/* The command must not outlive the supervisor: without one its notified calls fail, but all
	 * others go on. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(125);
	(void)setpgid(0, c->process_group);
	report.error = -child_confine(c, has_joined, &report);
	child_write(report_fd, &report, sizeof(report));
	if (report.error)
		_exit(125);
	report.error = -child_close_others(c, report_fd, exec_status);
	child_write(report_fd, &report, sizeof(report));
	if (report.error)
		_exit(125);
	(void)close(report_fd);
	/* Lowering a soft limit, or leaving it: neither can fail. */
	for (size_t i = 0; i < c->n_limits; i++)
		(void)setrlimit(c->limits[i].resource, &c->limits[i].value);
	(void)sigprocmask(SIG_SETMASK, c->signal_mask, NULL);
	child_exec(c);
	error = errno;
	child_write(exec_status, &error, sizeof(error));
	_exit(error == ENOENT ? 127 : 126);
}

/*
 * Reads one report. The parent holds a write end itself as long as the table is shared, so a child
 * that dies shows not as end of file but on its pidfd.
 */
static int spawn_read_report(int fd, int pidfd, struct spawn_report *ret)
{
	struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = pidfd, .events = POLLIN}};
	ssize_t n;

	while (poll(fds, ARRAY_SIZE(fds), -1) < 0)
		if (errno != EINTR)
			return -errno;
	if (!(fds[0].revents & POLLIN))
		return -ECHILD;
	n = read(fd, ret, sizeof(*ret));
	if (n != (ssize_t)sizeof(*ret))
		return n < 0 ? -errno : -ECHILD;
	return -ret->error;
}

/*
 * fork() with a shared descriptor table. glibc has no wrapper for that; the raw call leaves out its
 * fork handlers, of which this single-threaded moment needs none. Whoever may (root) makes the
 * child in the cgroup of @c->net, as *ret_joined says: to move it there the kernel waits for RCU. A
 * flags-only clone has the argument order (flags, stack, ...) on both architectures when the stack
 * is NULL.
 */
static pid_t spawn_clone(const struct spawn_config *c, bool *ret_joined)
{
	struct clone_args args = {.flags = CLONE_FILES | CLONE_INTO_CGROUP, .exit_signal = SIGCHLD};
	pid_t pid;

	/* The child finds it set as well. */
	*ret_joined = true;
	if (c->net) {
		args.cgroup = (uint64_t)net_cgroup_fd(c->net);
		pid = (pid_t)syscall(__NR_clone3, &args, sizeof(args));
		if (pid >= 0)
			return pid;
	}
	*ret_joined = false;
	return (pid_t)syscall(__NR_clone, SIGCHLD | CLONE_FILES, NULL, NULL, NULL, NULL);
}

int spawn_agent(const struct spawn_config *config, struct spawn_result *ret)
{
	_cleanup_(spawn_pipe_fini) struct spawn_pipe report_pipe = {.read = -1, .write = -1};
	_cleanup_(spawn_pipe_fini) struct spawn_pipe exec_pipe = {.read = -1, .write = -1};
	_cleanup_(fd_closep) int pidfd = -1;
	struct spawn_report loaded = {.listener = -1}, unshared = {.listener = -1};
	pid_t pid, parent = getpid();
	bool has_joined;
	int r;

	r = spawn_pipe_init(&report_pipe);
	if (r == 0)
		r = spawn_pipe_init(&exec_pipe);
	if (r < 0)
		return r;
	pid = spawn_clone(config, &has_joined);
	if (pid < 0)
		return -errno;
	if (pid == 0)
		child_main(config, has_joined, report_pipe.write, exec_pipe.write, parent);
	pidfd = (int)syscall(__NR_pidfd_open, pid, 0);
	r = pidfd < 0 ? -errno : spawn_read_report(report_pipe.read, pidfd, &loaded);
	if (r == 0)
		r = spawn_read_report(report_pipe.read, pidfd, &unshared);
	if (r == 0 && !features_can_inject(loaded.listener))
		r = -EPROTONOSUPPORT;
	if (r < 0) {
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
		fd_close(loaded.listener);
		return r;
	}
	*ret = (struct spawn_result){
		.pid = pid,
		.listener = loaded.listener,
		.exec_status = TAKE_FD(exec_pipe.read),
		.wait_killable = loaded.wait_killable,
	};
	return 0;
}
