/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/say.h"

#include "cli/commands.h"
#include "cli/import.h"
#include "cli/policy_agentpolicy.h"
#include "cli/policy_commands.h"

static const struct command commands[] = {
	{"check", policy_check, "NAME|FILE...", "say what is wrong with policies, and what is odd"},
	{"demo", policy_demo, "FILE", "an AgentPolicy file's report on three actions"},
	{"diff", policy_diff, "A B", "say which actions two policies decide otherwise"},
	{"eval", policy_eval, "-p POLICY...", "decide on actions that come as JSON"},
	{"explain", policy_explain, "[-p POLICY]... -- COMMAND", "say which rule decides, and why"},
	{"import", policy_import, "AGENT FILE", "turn another agent's policy into a native one"},
	{"list", policy_list, "[--json]", "name the policies that can be given by name"},
	{"show", policy_show_command, "[-p POLICY]...", "print policies as they were understood"},
	{"test", policy_test, "[FILE...]", "run the examples and tests of policies"},
	{"validate", policy_validate, "FILE", "say whether a policy would be taken"},
};

static void print_usage(FILE *out)
{
	(void)fprintf(out, "usage: holdfast policy COMMAND [ARGUMENTS]\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		(void)fprintf(out, "  %-8s %-26s %s\n", commands[i].name, commands[i].args,
			      commands[i].help);
	(void)fprintf(out, "\n`holdfast policy COMMAND --help` says more.\n");
}

int cmd_policy(int argc, char **argv)
{
	if (argc >= 2 && (streq(argv[1], "--help") || streq(argv[1], "-h"))) {
		print_usage(stdout);
		return 0;
	}
	if (argc < 2) {
		print_usage(stderr);
		return 2;
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (streq(argv[1], commands[i].name))
			return commands[i].main(argc - 1, argv + 1);
	say("policy: unknown command '%s'; `holdfast policy --help` lists them", argv[1]);
	return 2;
}
