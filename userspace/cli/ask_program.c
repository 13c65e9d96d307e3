/* SPDX-License-Identifier: Apache-2.0 */
/* `holdfast asker`, which `run` starts for --ask command:PROGRAM, and nobody else. */
#include <fcntl.h>
#include <stdio.h>

#include "base/say.h"
#include "broker/asker.h"

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

int cmd_asker(int argc, char **argv)
{
	struct asker_config config = {.control = COMPANION_FD};

	if (argc != 2 || fcntl(COMPANION_FD, F_GETFD) < 0) {
		say("`holdfast asker` is started by `holdfast run --ask command:PROGRAM`");
		return 2;
	}
	(void)fcntl(COMPANION_FD, F_SETFD, FD_CLOEXEC);
	config.command = argv[1];
	return asker_run(&config) < 0;
}
