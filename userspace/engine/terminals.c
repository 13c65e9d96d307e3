/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/io.h"

#include "engine/terminals.h"

/* Documentation/admin-guide/devices.txt of Linux */
#define MAJOR_CONSOLES  4 /* below 64: virtual consoles; then serial lines */
#define MAJOR_PTS_FIRST 136
#define MAJOR_PTS_LAST  143

static bool is_terminal(dev_t device)
{
	return major(device) == MAJOR_CONSOLES ||
	       (major(device) >= MAJOR_PTS_FIRST && major(device) <= MAJOR_PTS_LAST);
}

/* Return: whether it is one; the name is looked at first, since most paths are not below /dev. */
static bool terminal_of(const struct action *a, const struct action_step *s, dev_t *ret)
{
	const struct act_pin *pin = &a->act.pin;
	struct stat st;
	int r;

	if (s->kind != KIND_PATH || !bytes_has_prefix(s->object, BYTES_LIT("/dev/")))
		return false;
	if (pin->object >= 0)
		r = fstat(pin->object, &st);
	else if (pin->parent >= 0 && pin->name.p)
		r = fstatat(pin->parent, pin->name.p, &st, AT_SYMLINK_NOFOLLOW);
	else
		return false;
	*ret = st.st_rdev;
	return r == 0 && S_ISCHR(st.st_mode) && is_terminal(st.st_rdev);
}

/* Some hundred small reads; a terminal is seldom opened by its name. */
static bool controls_outsider(dev_t terminal, pid_t supervisor)
{
	_cleanup_(io_closedirp) DIR *proc = opendir("/proc");
	const struct dirent *entry;

	if (!proc)
		return true;
	while ((entry = readdir(proc))) {
		uint64_t pid;
		dev_t its;

		if (parse_u64(bytes_of(entry->d_name), INT32_MAX, &pid) < 0 ||
		    action_pid_terminal((pid_t)pid, &its) < 0 || its != terminal)
			continue;
		if (action_pid_descends_from((pid_t)pid, supervisor) == 0)
			return true;
	}
	return false;
}

dev_t terminals_own(const struct engine_config *config)
{
	dev_t own;

	return action_pid_terminal(config->launcher, &own) < 0 ? 0 : own;
}

bool terminals_are_touched(const struct engine_config *config, dev_t own, const struct action *a)
{
	struct policy_source source;
	dev_t terminal;

	for (size_t i = 0; i < a->n_steps; i++)
		if (terminal_of(a, &a->steps[i], &terminal))
			return terminal != own && controls_outsider(terminal, config->supervisor) &&
			       !policy_stack_grants(config->stack, GRANT_TERMINAL, &source);
	return false;
}
