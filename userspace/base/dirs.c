/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/dirs.h"

char *str_format(const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	return n < 0 ? NULL : s;
}

/* The value of @name if it is an absolute path: the specification says to ignore relative ones. */
static const char *env_absolute(const char *name)
{
	const char *v = getenv(name);

	return v && v[0] == '/' ? v : NULL;
}

char *dirs_home(void)
{
	const char *home = env_absolute("HOME");
	struct passwd pw, *found = NULL;
	char buf[4096];

	if (home)
		return strdup(home);
	if (getpwuid_r(getuid(), &pw, buf, sizeof(buf), &found) == 0 && found &&
	    found->pw_dir[0] == '/')
		return strdup(found->pw_dir);
	return NULL;
}

/* $@variable/holdfast@tail, else ~/@fallback/holdfast@tail. */
static char *dirs_xdg(const char *variable, const char *fallback, const char *tail)
{
	const char *base = env_absolute(variable);
	_cleanup_(freep) char *home = NULL;

	if (base)
		return str_format("%s/holdfast%s", base, tail);
	home = dirs_home();
	return home ? str_format("%s/%s/holdfast%s", home, fallback, tail) : NULL;
}

char *dirs_state(void)
{
	if (geteuid() == 0 && !env_absolute("XDG_STATE_HOME"))
		return strdup("/var/log/holdfast");
	return dirs_xdg("XDG_STATE_HOME", ".local/state", "");
}

char *dirs_cache(void)
{
	if (geteuid() == 0 && !env_absolute("XDG_CACHE_HOME"))
		return strdup("/var/cache/holdfast");
	return dirs_xdg("XDG_CACHE_HOME", ".cache", "");
}

char *dirs_approvers(void)
{
	if (geteuid() == 0)
		return strdup(DIRS_APPROVERS_ROOT);
	return str_format(DIRS_APPROVERS_TOP "/" DIRS_APPROVERS_NAME "%u", geteuid());
}

char *dirs_runtime(void)
{
	const char *runtime = env_absolute("XDG_RUNTIME_DIR");
	_cleanup_(freep) char *state = NULL;

	if (runtime)
		return str_format("%s/holdfast", runtime);
	if (geteuid() == 0)
		return strdup("/run/holdfast");
	state = dirs_state();
	return state ? str_format("%s/run", state) : NULL;
}

char *dirs_config(void)
{
	if (geteuid() == 0 && !env_absolute("XDG_CONFIG_HOME"))
		return strdup("/etc/holdfast");
	return dirs_xdg("XDG_CONFIG_HOME", ".config", "");
}

char *dirs_program(const char *name)
{
	static const char *const places[] = {"", "../libexec/holdfast/"};
	char own[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", own, sizeof(own) - 1);
	char *slash;

	if (n < 0)
		return NULL;
	own[n] = '\0';
	slash = strrchr(own, '/');
	for (size_t i = 0; slash && i < ARRAY_SIZE(places); i++) {
		_cleanup_(freep) char *path =
			str_format("%.*s/%s%s", (int)(slash - own), own, places[i], name);

		if (path && access(path, X_OK) == 0)
			return TAKE_PTR(path);
	}
	return NULL;
}

char *dirs_user_policies(void)
{
	if (geteuid() == 0 && !env_absolute("XDG_CONFIG_HOME"))
		return strdup("/etc/holdfast/policies");
	return dirs_xdg("XDG_CONFIG_HOME", ".config", "/policies");
}
