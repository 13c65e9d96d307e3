/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands and directories as `run` finds them, so that whatever explains or tests a policy speaks
 * of the same ones. Strings are the caller's to free.
 */
#pragma once

#include "base/util.h"

/* Finds the file of a command as execvp(3) does. Return: 0; a RUN_EXIT_* status: why it cannot run,
 * which was not said. */
int lookup_command(const char *name, char **ret);
/* As above, and says why. */
int lookup_command_or_say(const char *name, char **ret);
/* What ${project} is: @option (NULL: the current directory), resolved. NULL after saying why. */
char *lookup_project(const char *option);
/* What ~ and ${home} are: resolved, as the kernel's paths are. NULL: there is none. */
char *lookup_home(void);
/* What ${tmp} is. NULL: out of memory. */
char *lookup_tmp(void);
