/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `holdfast page`: what serves it is another program, so that nothing that speaks HTTP is linked
 * into the one that supervises.
 */
#include <limits.h>
#include <stdio.h>

#include "base/dirs.h"
#include "base/say.h"

#include "cli/commands.h"

#define PAGE_ARGS_MAX 16

int cmd_page(int argc, char **argv)
{
	char self[PATH_MAX], program_option[] = "--program";
	char *args[PAGE_ARGS_MAX + 3] = {};
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	_cleanup_(freep) char *path = NULL;
	size_t n = 0;

	if (argc > PAGE_ARGS_MAX) {
		say("page: too many arguments");
		return 2;
	}
	if (len <= 0) {
		say("cannot tell where this program is: %s", strerror(errno));
		return 1;
	}
	self[len] = '\0';
	args[n++] = argv[0];
	args[n++] = program_option;
	args[n++] = self;
	for (int i = 1; i < argc; i++)
		args[n++] = argv[i];
	path = dirs_program("holdfast-page");
	if (path)
		(void)execv(path, args);
	say("cannot run holdfast-page, which comes with holdfast: %s", strerror(errno));
	return 1;
}
