/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/dirs.h"
#include "base/say.h"
#include "control/policyset.h"

#include "cli/commands.h"
#include "cli/import.h"
#include "cli/policy_agentpolicy.h"
#include "cli/policy_commands.h"
#include "cli/policy_dirs.h"

static int check_one(const struct policy_dirs *dirs, const char *name)
{
	_cleanup_(freep) char *home = dirs_home(), *project = getcwd(NULL, 0);
	const char *const names[] = {name};
	const struct policyset_config config = {
		.names = names,
		.n_names = 1,
		.dirs = dirs->dirs,
		.n_dirs = dirs->n,
		.vars = {.home = home ? home : "/nonexistent",
			 .project = project ? project : "/nonexistent",
			 .tmp = "/tmp"},
	};
	struct policyset set;
	struct diag d = {};
	int r = policyset_load(&config, &set, &d);

	if (r == 0) {
		(void)printf("%s: ok, %zu rules\n", set.entries[0].name,
			     policy_rule_count(policy_stack_get(set.stack, 0)));
	} else if (r == -ENOMEM) {
		say("out of memory");
	} else {
		say_diag("", &d);
	}
	policyset_fini(&set);
	return r < 0 ? 1 : 0;
}

static int policy_check(int argc, char **argv)
{
	_cleanup_(policy_dirs_fini) struct policy_dirs dirs = {};
	int status = 0;

	if (argc < 2) {
		say("policy check: which? holdfast policy check NAME|FILE...");
		return 2;
	}
	if (policy_dirs_init(&dirs) < 0) {
		say("out of memory");
		return 1;
	}
	for (int i = 1; i < argc; i++)
		status |= check_one(&dirs, argv[i]);
	return status;
}

static const struct command commands[] = {
	{"check", policy_check, "NAME|FILE...", "read policies and say what is wrong with them"},
	{"demo", policy_demo, "FILE", "an AgentPolicy file's report on three actions"},
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
