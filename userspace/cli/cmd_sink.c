/* SPDX-License-Identifier: Apache-2.0 */
/* `holdfast sink`, which `run` starts for each --log-sink, and nobody else. */
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "audit/sink.h"
#include "base/say.h"

#include "cli/commands.h"
#include "cli/log_sinks.h"

#define CONTROL_FD 3

/* In the grandchild; does not return. */
static void become_sink(const char *name, const char *log_path, const char *session, int control)
{
	const char *const argv[] = {"holdfast", "sink", log_path, session, name, NULL};
	int null;

	/* First, for it may be one of those that follow. */
	control = fcntl(control, F_DUPFD_CLOEXEC, CONTROL_FD + 1);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		(void)dup2(null, fd);
	if (control < 0 || dup2(control, CONTROL_FD) < 0)
		_exit(127);
	(void)syscall(__NR_close_range, CONTROL_FD + 1, ~0U, 0);
	/* Its signature says that it may change the strings; it does not. */
	(void)execv("/proc/self/exe", (char *const *)(uintptr_t)argv);
	_exit(127);
}

static int start(const char *name, const char *log_path, const char *session, int control)
{
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		(void)setsid();
		pid = fork();
		if (pid == 0)
			become_sink(name, log_path, session, control);
		_exit(pid < 0);
	}
	(void)waitpid(pid, NULL, 0);
	return 0;
}

int log_sinks_start(const char *const *names, size_t n, const char *log_path, const char *session,
		    int *ret_sockets)
{
	for (size_t i = 0; i < n; i++) {
		int sockets[2], r;

		r = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0 ? -errno : 0;
		if (r == 0) {
			r = start(names[i], log_path, session, sockets[1]);
			fd_close(sockets[1]);
			ret_sockets[i] = sockets[0];
		}
		if (r < 0) {
			say("cannot start the log sink '%s': %s; nothing was run", names[i],
			    strerror(-r));
			return r;
		}
	}
	return 0;
}

int cmd_sink(int argc, char **argv)
{
	struct sink_config config = {.control = CONTROL_FD};

	if (argc != 4 || sink_parse(argv[3], &config.spec) < 0 || fcntl(CONTROL_FD, F_GETFD) < 0) {
		say("`holdfast sink` is started by `holdfast run --log-sink SINK`");
		return 2;
	}
	(void)fcntl(CONTROL_FD, F_SETFD, FD_CLOEXEC);
	config.name = argv[3];
	config.log_path = argv[1];
	config.session = argv[2];
	return sink_run(&config) < 0;
}
