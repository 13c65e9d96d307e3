/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs that asked not to be looked into: ssh-agent, gpg-agent and others that keep secrets call
 * prctl(PR_SET_DUMPABLE, 0), after which only who has CAP_SYS_PTRACE reads their memory. Nor can a
 * supervisor without it, and every call with an argument in memory would be denied.
 *
 * So the call is answered without being made, and what it is for is done here: others of the
 * session may neither trace the process nor open what the kernel keeps under the same condition in
 * its /proc directory. Rejected: a descriptor of its memory from before the call, which its
 * children, that inherit the flag, do not have (both agents fork next); capabilities over it by
 * starting the agent in a user namespace, in which the files of all others are nobody's, so that
 * ssh(1) and git(1) refuse them.
 *
 * Remembered is the program, by inode, not the process: the flag is inherited by fork(2) and lost
 * by execve(2), as the program is, so no process that has the flag is missed. That another process
 * of the same program is protected as well is the price.
 *
 * Not kept from: processes outside of the session, and the kernel's core dumps.
 */
#include <fcntl.h>
#include <stdio.h>

#include "action/decode.h"
#include "base/io.h"

static const char *const kept_files[] = {
	"mem",     "environ",    "auxv",    "maps",  "smaps",       "smaps_rollup", "numa_maps",
	"pagemap", "map_files",  "fd",      "cwd",   "root",        "exe",          "fdinfo",
	"ns",      "clear_refs", "syscall", "stack", "personality", "io",
};

static bool is_noted(const struct action_hidden *h, const struct stat *st)
{
	unsigned n = h ? MIN(atomic_load(&h->n_taken), (unsigned)ACTION_HIDDEN_MAX) : 0;

	for (unsigned i = 0; i < n; i++)
		if (atomic_load(&h->programs[i].is_set) && h->programs[i].ino == st->st_ino &&
		    h->programs[i].dev == st->st_dev)
			return true;
	return false;
}

int hidden_add(struct decode *c)
{
	struct action_hidden *h = c->d->config.hidden;
	_cleanup_(fd_closep) int exe = h ? target_open(c, "exe", O_PATH) : -ENOENT;
	struct stat st;
	unsigned at;

	if (exe < 0)
		return exe;
	if (fstat(exe, &st) < 0)
		return -errno;
	if (is_noted(h, &st))
		return 0;
	if (atomic_load(&h->n_taken) >= ACTION_HIDDEN_MAX)
		return -ENOSPC;
	at = atomic_fetch_add(&h->n_taken, 1);
	if (at >= ACTION_HIDDEN_MAX)
		return -ENOSPC;
	h->programs[at].dev = st.st_dev;
	h->programs[at].ino = st.st_ino;
	atomic_store(&h->programs[at].is_set, true);
	return 0;
}

static bool is_own_thread(const struct decode *c, pid_t pid)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d", (int)c->t->tgid, (int)pid);
	return pid == c->t->tgid || faccessat(AT_FDCWD, path, F_OK, AT_EACCESS) == 0;
}

bool hidden_is(struct decode *c, pid_t pid)
{
	const struct action_hidden *h = c->d->config.hidden;
	char path[32];
	struct stat st;

	if (pid <= 0 || !h || atomic_load(&h->n_taken) == 0)
		return false;
	(void)rights_settle();
	(void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	/* What we may not look at the kernel keeps from the target, too. */
	return stat(path, &st) == 0 && is_noted(h, &st) && !is_own_thread(c, pid);
}

/* Takes "/NUMBER" off @rest. Return: whether it began so. */
static bool take_number(struct bytes *rest, pid_t *ret)
{
	size_t len = 1;
	uint64_t number;

	if (rest->len < 2 || rest->p[0] != '/')
		return false;
	while (len < rest->len && rest->p[len] != '/')
		len++;
	if (parse_u64((struct bytes){.p = rest->p + 1, .len = len - 1}, INT32_MAX, &number) < 0)
		return false;
	*ret = (pid_t)number;
	rest->p += len;
	rest->len -= len;
	return true;
}

/* Of "/proc/PID" or "/proc/PID/task/TID". Return: whether @path begins so; *rest is what follows.
 */
static bool take_process(struct bytes path, pid_t *ret, struct bytes *rest)
{
	static const struct bytes proc = BYTES_LIT("/proc"), task = BYTES_LIT("/task");

	if (!bytes_has_prefix(path, proc))
		return false;
	*rest = (struct bytes){.p = path.p + proc.len, .len = path.len - proc.len};
	if (!take_number(rest, ret))
		return false;
	if (bytes_has_prefix(*rest, task)) {
		struct bytes thread = {.p = rest->p + task.len, .len = rest->len - task.len};

		if (take_number(&thread, ret))
			*rest = thread;
	}
	return true;
}

bool hidden_has(struct decode *c, struct bytes path)
{
	struct bytes rest;
	const char *end;
	pid_t pid;

	if (!c->d->config.hidden || atomic_load(&c->d->config.hidden->n_taken) == 0 ||
	    !take_process(path, &pid, &rest) || rest.len < 2)
		return false;
	rest.p++; /* the slash */
	rest.len--;
	end = memchr(rest.p, '/', rest.len);
	if (end)
		rest.len = (size_t)(end - rest.p);
	for (size_t i = 0; i < ARRAY_SIZE(kept_files); i++)
		if (bytes_eq_str(rest, kept_files[i]))
			return hidden_is(c, pid);
	return false;
}

bool hidden_owns(struct decode *c, struct bytes dir)
{
	struct bytes rest;
	pid_t pid;

	return take_process(dir, &pid, &rest) && hidden_is(c, pid);
}
