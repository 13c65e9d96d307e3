/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <getopt.h>
#include <stdio.h>

#include "base/dirs.h"
#include "base/say.h"
#include "control/policyset.h"

#include "cli/commands.h"
#include "cli/policy_dirs.h"

#define SUFFIX ".yaml"

static const char usage[] =
	"usage: holdfast policy check NAME|FILE...\n"
	"       holdfast policy list\n"
	"\n"
	"check  reads each policy as `run` would and says what is wrong, with line and column\n"
	"list   names the policies that can be given by name\n"
	"\n"
	"Exit status of check: 0 all good, 1 an error was found, 2 wrong usage.\n";

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
	char text[1280];
	int r = policyset_load(&config, &set, &d);

	if (r == 0) {
		(void)printf("%s: ok, %zu rules\n", set.entries[0].name,
			     policy_rule_count(policy_stack_get(set.stack, 0)));
	} else {
		diag_format(&d, text, sizeof(text));
		say("%s", r == -ENOMEM ? "out of memory" : text);
	}
	policyset_fini(&set);
	return r < 0 ? 1 : 0;
}

static int policy_check(const struct policy_dirs *dirs, char **names)
{
	int status = 0;

	if (!*names) {
		say("policy check: which? holdfast policy check NAME|FILE...");
		return 2;
	}
	for (; *names; names++)
		status |= check_one(dirs, *names);
	return status;
}

static int policy_list(const struct policy_dirs *dirs)
{
	for (size_t i = 0; i < dirs->n; i++) {
		DIR *d = opendir(dirs->dirs[i]);
		struct dirent *de;

		while (d && (de = readdir(d))) {
			size_t n = strlen(de->d_name), m = strlen(SUFFIX);

			if (n > m && streq(de->d_name + n - m, SUFFIX))
				(void)printf("%-16.*s %s/%s\n", (int)(n - m), de->d_name,
					     dirs->dirs[i], de->d_name);
		}
		if (d)
			(void)closedir(d);
	}
	return 0;
}

int cmd_policy(int argc, char **argv)
{
	_cleanup_(policy_dirs_fini) struct policy_dirs dirs = {};

	if (argc >= 2 && (streq(argv[1], "--help") || streq(argv[1], "-h"))) {
		(void)fputs(usage, stdout);
		return 0;
	}
	if (policy_dirs_init(&dirs) < 0) {
		say("out of memory");
		return 1;
	}
	if (argc >= 2 && streq(argv[1], "check"))
		return policy_check(&dirs, argv + 2);
	if (argc == 2 && streq(argv[1], "list"))
		return policy_list(&dirs);
	(void)fputs(usage, stderr);
	return 2;
}
