/* SPDX-License-Identifier: Apache-2.0 */
/* `holdfast sink`, which `run` starts for each --log-sink, and nobody else. */
#include <fcntl.h>

#include "audit/sink.h"
#include "base/say.h"

#include "cli/commands.h"
#include "cli/companion.h"
#include "cli/log_sinks.h"

int log_sinks_start(const char *const *names, size_t n, const char *log_path, const char *session,
		    int *ret_sockets)
{
	for (size_t i = 0; i < n; i++) {
		const char *const argv[] = {"holdfast", "sink", log_path, session, names[i], NULL};
		int r = companion_start(argv, &ret_sockets[i]);

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
	struct sink_config config = {.control = COMPANION_FD};

	if (argc != 4 || sink_parse(argv[3], &config.spec) < 0 ||
	    fcntl(COMPANION_FD, F_GETFD) < 0) {
		say("`holdfast sink` is started by `holdfast run --log-sink SINK`");
		return 2;
	}
	(void)fcntl(COMPANION_FD, F_SETFD, FD_CLOEXEC);
	config.name = argv[3];
	config.log_path = argv[1];
	config.session = argv[2];
	return sink_run(&config) < 0;
}
