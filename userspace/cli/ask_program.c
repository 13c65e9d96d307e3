/* SPDX-License-Identifier: Apache-2.0 */
/* `holdfast asker`, which `run` starts for --ask command:PROGRAM and --ask tmux, and nobody else.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/say.h"
#include "broker/asker.h"
#include "broker/asker_tmux.h"

#include "cli/ask_program.h"
#include "cli/commands.h"
#include "cli/companion.h"

int ask_program_start(const char *command, char ret_name[static ASKER_APPROVER_MAX],
		      int *ret_socket)
{
	const char *const argv[] = {"holdfast", "asker", command, NULL};
	const struct bytes name =
		bytes_base_name((struct bytes){.p = command, .len = strcspn(command, " \t\n")});
	int r = companion_start(argv, ret_socket);

	if (r < 0) {
		say("cannot start the process that runs '%s': %s; nothing was run", command,
		    strerror(-r));
		return r;
	}
	(void)snprintf(ret_name, ASKER_APPROVER_MAX, "command:%.*s",
		       (int)MIN(name.len, (size_t)ASKER_APPROVER_MAX), name.p);
	return 0;
}

int ask_tmux_find(char **ret)
{
	const char *tmux = getenv("TMUX"); /* "SOCKET,PID,SESSION" */
	_cleanup_(freep) char *path = tmux ? strndup(tmux, strcspn(tmux, ",")) : NULL,
			      *socket = NULL;
	struct stat st;

	socket = path && path[0] == '/' ? realpath(path, NULL) : NULL;
	if (!socket || stat(socket, &st) < 0 || !S_ISSOCK(st.st_mode)) {
		say("--ask tmux: this does not run in tmux%s; use --ask terminal or --ask queue",
		    tmux ? " any more: the socket in $TMUX has gone" : " (TMUX is not set)");
		return -ENOENT;
	}
	*ret = TAKE_PTR(socket);
	return 0;
}

int ask_tmux_start(const char *session, const char *binary, int *ret_socket)
{
	const char *const argv[] = {"holdfast", "asker", "--tmux", session, binary, NULL};
	int r = companion_start(argv, ret_socket);

	if (r < 0)
		say("cannot start the process that opens questions in tmux: %s; nothing was run",
		    strerror(-r));
	return r;
}

int cmd_asker(int argc, char **argv)
{
	bool is_tmux = argc == 4 && streq(argv[1], "--tmux");

	if ((argc != 2 && !is_tmux) || fcntl(COMPANION_FD, F_GETFD) < 0) {
		say("`holdfast asker` is started by `holdfast run --ask`");
		return 2;
	}
	(void)fcntl(COMPANION_FD, F_SETFD, FD_CLOEXEC);
	if (is_tmux) {
		const struct asker_tmux_config config = {
			.control = COMPANION_FD, .session = argv[2], .binary = argv[3]};

		return asker_tmux_run(&config) < 0;
	}
	return asker_run(&(struct asker_config){.control = COMPANION_FD, .command = argv[1]}) < 0;
}
