/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>

#include "base/say.h"

#include "cli/commands.h"

static const struct command commands[] = {
	{"run", cmd_run, "[OPTIONS] [--] COMMAND...", "run COMMAND under supervision"},
	{"log", cmd_log, "[OPTIONS] [FILE|SESSION]", "show what was decided"},
	{"report", cmd_report, "[OPTIONS] [FILE|SESSION]", "sum a session up"},
	{"replay", cmd_replay, "-p POLICY [LOG|SESSION...]",
	 "ask other policies about what was done"},
	{"tree", cmd_tree, "[--json] [FILE|SESSION]", "show its processes and what each did"},
	{"diff", cmd_diff, "SESSION SESSION", "what one session did that the other did not"},
	{"learn", cmd_learn, "[OPTIONS] [--] COMMAND...", "write the policy that COMMAND needs"},
	{"verify", cmd_verify, "[--keys LIST] [FILE|SESSION]...", "tell whether a log was changed"},
	{"why", cmd_why, "ID|SEQ|--last [SESSION]", "tell the whole story of a decision"},
	{"page", cmd_page, "[OPTIONS]", "serve a local web page to watch and answer"},
	{"broker", cmd_broker, "[OPTIONS]", "carry what is held to your desktop or phone"},
	{"held", cmd_held, "[--json] [SESSION|ID]", "list the actions that wait for an answer"},
	{"approve", cmd_approve, "ID... [OPTIONS]", "let held actions go on"},
	{"deny", cmd_deny, "ID... [OPTIONS]", "refuse held actions"},
	{"grants", cmd_grants, "[--json]", "list the answers that hold on"},
	{"grant", cmd_grant, "--for WHEN [OPTIONS]", "answer ahead of the question"},
	{"revoke", cmd_revoke, "ID...|--all", "end answers that hold on"},
	{"watch", cmd_watch, "[--once] [SESSION]", "show and answer them on a screen"},
	{"spend", cmd_spend, "AMOUNT [OPTIONS]", "report money as spent"},
	{"policy", cmd_policy, "COMMAND...", "check, test, explain and ask policies"},
	{"metrics", cmd_metrics, "[OPTIONS] [FILE|SESSION]", "count, for a monitoring system"},
	{"doctor", cmd_doctor, "[--json]", "try what this machine offers, and say what is missing"},
	{"sink", cmd_sink, NULL, NULL},
	{"asker", cmd_asker, NULL, NULL},
	{"syscalls", cmd_syscalls, "[--markdown|--json]", "print the table of trapped syscalls"},
};

static void print_usage(FILE *out)
{
	(void)fprintf(out, "usage: holdfast COMMAND [ARGUMENTS]\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (commands[i].help)
			(void)fprintf(out, "  %-9s %-28s %s\n", commands[i].name, commands[i].args,
				      commands[i].help);
	(void)fprintf(
		out,
		"\n`holdfast COMMAND --help` says more. To start: holdfast run -- YOUR-AGENT\n");
}

/*
 * A standard stream that is closed would give its number to the next file that is opened: the log,
 * or the listener. What stands in for it here is O_CLOEXEC: a command finds it closed, as without
 * us.
 */
static int fill_standard_streams(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR | O_CLOEXEC) < 0)
			return -errno;
	return 0;
}

int main(int argc, char **argv)
{
	if (fill_standard_streams() < 0)
		return 125;
	if (argc < 2) {
		print_usage(stderr);
		return 2;
	}
	if (streq(argv[1], "--help") || streq(argv[1], "-h") || streq(argv[1], "help")) {
		print_usage(stdout);
		return 0;
	}
	if (streq(argv[1], "--version") || streq(argv[1], "-V")) {
		(void)printf("holdfast %s\n", HOLDFAST_VERSION);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (streq(argv[1], commands[i].name))
			return commands[i].main(argc - 1, argv + 1);
	say("unknown command '%s'; to run it under supervision: holdfast run -- %s. `holdfast --help` lists the commands",
	    argv[1], argv[1]);
	return 2;
}
