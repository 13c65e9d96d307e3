/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /dev/tty is whatever terminal controls the process that opens it, so ours would be the wrong one
 * for an agent with a session of its own (tmux, script, ssh). The kernel says which one is the
 * agent's; that terminal itself is opened, in the agent's own /dev, and never becomes ours
 * (O_NOCTTY).
 */
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "base/io.h"

#include "behalf/behalf_private.h"
#include "behalf/proc.h"

#define TTY_AUX_MAJOR  5 /* and minor 0: include/uapi/linux/major.h */
#define TTY_MAJOR      4
#define PTS_MAJOR      136
#define PTS_MAJOR_LAST 143
#define FIRST_SERIAL   64

bool behalf_is_tty(const struct act_pin *pin)
{
	struct stat st;

	if (strcmp(pin->name.p, "tty") != 0)
		return false;
	(void)rights_settle();
	return fstatat(pin->parent, pin->name.p, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISCHR(st.st_mode) && st.st_rdev == makedev(TTY_AUX_MAJOR, 0);
}

/* Session and terminal of @tid (proc_pid_stat(5), fields 6 and 7). Return: 0, -errno. */
static int read_session(const struct behalf *b, pid_t tid, pid_t *ret_session, dev_t *ret_tty)
{
	char text[512];
	int session, r;
	unsigned tty;
	const char *p;

	r = proc_read_file(b->config.proc, tid, "stat", text, sizeof(text));
	if (r < 0)
		return r;
	p = strrchr(text, ')'); /* the name before it may hold anything */
	if (!p || sscanf(p, ") %*c %*d %*d %d %u", &session, &tty) != 2)
		return -EIO;
	*ret_session = session;
	*ret_tty = makedev(tty >> 8 & 0xfff, (tty & 0xff) | (tty >> 12 & 0xfff00));
	return 0;
}

static bool name_terminal(dev_t tty, char out[static 32])
{
	unsigned number = major(tty), minor_number = minor(tty);

	if (number >= PTS_MAJOR && number <= PTS_MAJOR_LAST)
		(void)snprintf(out, 32, "dev/pts/%u", (number - PTS_MAJOR) * 256 + minor_number);
	else if (number == TTY_MAJOR && minor_number < FIRST_SERIAL)
		(void)snprintf(out, 32, "dev/tty%u", minor_number);
	else if (number == TTY_MAJOR)
		(void)snprintf(out, 32, "dev/ttyS%u", minor_number - FIRST_SERIAL);
	else
		return false;
	return true;
}

/* The terminal @tty as @tid's own root has it, as O_PATH. Return: a descriptor, -errno. */
static int find_terminal(const struct behalf *b, pid_t tid, dev_t tty)
{
	const struct open_how how = {.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
				     .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	_cleanup_(fd_closep) int root = -1;
	_cleanup_(fd_closep) int fd = -1;
	char path[32];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%d/root", (int)tid);
	root = openat(b->config.proc, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	if (!name_terminal(tty, path))
		return -ENXIO;
	fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
	if (fd < 0 || fstat(fd, &st) < 0)
		return -ENXIO;
	return S_ISCHR(st.st_mode) && st.st_rdev == tty ? TAKE_FD(fd) : -ENXIO;
}

int behalf_find_tty(struct behalf *b, const struct action *a, uint64_t flags)
{
	const struct act_pin *pin = &a->act.pin;
	int access = (flags & O_ACCMODE) == O_RDONLY   ? R_OK
		     : (flags & O_ACCMODE) == O_WRONLY ? W_OK
						       : R_OK | W_OK;
	pid_t session;
	dev_t tty;
	int r;

	/* With the agent's rights, as the rest is none of them: a process may open its terminal. */
	r = rights_take(&b->rights, &a->act.creds);
	if (r == 0 && faccessat(pin->parent, pin->name.p, access, AT_EACCESS) < 0)
		r = -errno;
	rights_give_back(&b->rights);
	if (r < 0)
		return r;
	r = read_session(b, a->tid, &session, &tty);
	if (r < 0)
		return r;
	if (session == getsid(0))
		return BEHALF_TTY_OURS;
	if (tty == 0)
		return -ENXIO;
	return find_terminal(b, a->tid, tty);
}
