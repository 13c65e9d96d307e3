/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/dirs.h"
#include "base/say.h"
#include "control/launch.h"

#include "cli/lookup.h"

/* Return: 0 and an absolute path; RUN_EXIT_*: why it cannot run. Searches as execvp(3). */
static int try_command(const char *path, char **ret)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno == EACCES ? RUN_EXIT_NOT_EXECUTABLE : RUN_EXIT_NOT_FOUND;
	if (!S_ISREG(st.st_mode) || faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0)
		return RUN_EXIT_NOT_EXECUTABLE;
	*ret = strdup(path);
	return *ret ? 0 : RUN_EXIT_FAILED;
}

static int search_path(const char *name, char **ret)
{
	const char *path = getenv("PATH");
	int found = RUN_EXIT_NOT_FOUND;

	for (const char *p = path ? path : "/usr/local/bin:/bin:/usr/bin"; p;) {
		const char *end = strchrnul(p, ':');
		_cleanup_(freep) char *candidate =
			str_format("%.*s%s%s", (int)(end - p), p, end == p ? "./" : "/", name);
		int r = candidate ? try_command(candidate, ret) : RUN_EXIT_FAILED;

		if (r == 0)
			return 0;
		if (r == RUN_EXIT_NOT_EXECUTABLE)
			found = r;
		p = *end ? end + 1 : NULL;
	}
	return found;
}

int lookup_command(const char *name, char **ret)
{
	return strchr(name, '/') ? try_command(name, ret) : search_path(name, ret);
}

int lookup_command_or_say(const char *name, char **ret)
{
	int r = lookup_command(name, ret);
	struct stat st;

	if (r == RUN_EXIT_NOT_FOUND)
		say("command not found: '%s'", name);
	else if (r == RUN_EXIT_NOT_EXECUTABLE)
		say("cannot execute '%s': %s", name,
		    stat(name, &st) == 0 && S_ISDIR(st.st_mode)
			    ? "it is a directory"
			    : "permission denied; is it executable (chmod +x)?");
	return r;
}

char *lookup_project(const char *option)
{
	char *dir = realpath(option ? option : ".", NULL);
	struct stat st;

	if (!dir && !option)
		return strdup("/nonexistent"); /* the current directory was removed: nothing is in
						  the project */
	if (!dir) {
		say("--project '%s': %s", option, strerror(errno));
	} else if (option && (stat(dir, &st) < 0 || !S_ISDIR(st.st_mode))) {
		say("--project '%s': not a directory", option);
		free(dir);
		return NULL;
	}
	return dir;
}

/* Policies match what the kernel resolved, so what they are told is resolved as well. */
char *lookup_home(void)
{
	_cleanup_(freep) char *home = dirs_home();
	char *real = home ? realpath(home, NULL) : NULL;

	return real ? real : TAKE_PTR(home);
}

char *lookup_tmp(void)
{
	const char *tmp = getenv("TMPDIR");
	char *dir = tmp && tmp[0] == '/' ? realpath(tmp, NULL) : NULL;

	return dir ? dir : strdup("/tmp");
}
