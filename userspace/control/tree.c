/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "action/action.h"
#include "base/clock.h"
#include "base/io.h"

#include "control/tree.h"

#define TREE_MAX_PROCESSES 65536
#define TREE_ROUND_MS      5
#define TREE_TRIES         8

struct tree_entry {
	pid_t pid;
	pid_t parent;
	unsigned depth; /* below the root; 0: not ours */
};

struct tree {
	struct tree_entry *entries;
	size_t n;
	size_t cap;
};

static void tree_fini(struct tree *t)
{
	free(t->entries);
}

static int tree_add(struct tree *t, pid_t pid, pid_t parent)
{
	if (t->n == t->cap) {
		size_t cap = MAX(t->cap * 2, (size_t)256);
		struct tree_entry *p;

		if (cap > TREE_MAX_PROCESSES)
			return -E2BIG;
		p = realloc(t->entries, cap * sizeof(*p));
		if (!p)
			return -ENOMEM;
		t->entries = p;
		t->cap = cap;
	}
	t->entries[t->n++] = (struct tree_entry){.pid = pid, .parent = parent};
	return 0;
}

static int tree_read(struct tree *t)
{
	_cleanup_(io_closedirp) DIR *dir = opendir("/proc");
	struct dirent *de;

	if (!dir)
		return -errno;
	while ((de = readdir(dir))) {
		pid_t parent = 0;
		uint64_t pid;
		int r;

		if (parse_u64(bytes_of(de->d_name), INT32_MAX, &pid) < 0)
			continue;
		if (action_pid_parent((pid_t)pid, &parent) < 0)
			continue; /* gone meanwhile */
		r = tree_add(t, (pid_t)pid, parent);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Return: the depth that a child of @parent has, 0 when it is not ours. */
static unsigned tree_child_depth(const struct tree *t, pid_t parent, pid_t root)
{
	if (parent == root)
		return 1;
	for (size_t i = 0; i < t->n; i++)
		if (t->entries[i].pid == parent)
			return t->entries[i].depth ? t->entries[i].depth + 1 : 0;
	return 0;
}

/* Marks the descendants of @root: pids are not in order of descent, so until nothing changes. */
static void tree_mark(struct tree *t, pid_t root, pid_t spare)
{
	bool changed = true;

	while (changed) {
		changed = false;
		for (size_t i = 0; i < t->n; i++) {
			struct tree_entry *e = &t->entries[i];

			if (e->depth || e->pid == spare)
				continue;
			e->depth = tree_child_depth(t, e->parent, root);
			changed = changed || e->depth;
		}
	}
}

/*
 * Kills @pid if it is a descendant of ours. No heap: this ends sessions whose supervisor has no
 * memory left. Return: 1: it is one, or may be; 0: it is none, or has gone; -errno: it cannot be
 * told for want of something.
 */
static int kill_if_ours(pid_t pid)
{
	int r = -ESRCH;

	if (pid == getpid())
		return 0;
	/* That one above it ended while we looked makes it, or one above it, somebody else's. */
	for (int i = 0; i < TREE_TRIES && r == -ESRCH && kill(pid, 0) == 0; i++)
		r = action_pid_descends_from(pid, getpid());
	if (r == -ELOOP)
		return 1; /* so far below that it has to come up, when those above it are dead */
	if (r == -EMFILE || r == -ENFILE || r == -ENOMEM)
		return r;
	if (r != 1)
		return 0;
	(void)kill(pid, SIGKILL);
	return 1;
}

/* A stop that this takes from a receiver is that of a process that was just killed. */
static void reap(void)
{
	while (waitpid(-1, NULL, WNOHANG | __WNOTHREAD) > 0)
		;
}

/* Who has no child has no descendant: orphans come to the next subreaper above them, which is us. A
 * session mostly ends like that, and a look at all processes of the machine is saved. */
static bool has_children(void)
{
	siginfo_t si;

	return waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0 || errno != ECHILD;
}

/* One round. Return: how many descendants there were, -errno. */
static int tree_kill_round(void)
{
	_cleanup_(fd_closep) int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_Alignas(struct dirent64) char buf[8192];
	ssize_t len;
	int n = 0;

	if (proc < 0)
		return -errno;
	while ((len = getdents64(proc, buf, sizeof(buf))) > 0) {
		const struct dirent64 *de;

		for (ssize_t at = 0; at < len; at += de->d_reclen) {
			uint64_t pid;
			int r;

			de = (const struct dirent64 *)(const void *)(buf + at);
			if (parse_u64(bytes_of(de->d_name), INT32_MAX, &pid) < 0)
				continue;
			r = kill_if_ours((pid_t)pid);
			if (r < 0)
				return r;
			n += r;
		}
	}
	reap();
	return len < 0 ? -errno : n;
}

int tree_kill(uint64_t timeout_ns)
{
	uint64_t end_ns = clock_monotonic_ns() + timeout_ns;

	reap();
	for (;;) {
		int n = has_children() ? tree_kill_round() : 0;

		if (n <= 0 || clock_monotonic_ns() >= end_ns)
			return n;
		(void)poll(NULL, 0,
			   TREE_ROUND_MS); /* what was killed needs a moment to be reaped */
	}
}

static bool tree_has(const struct tree *t, pid_t pid)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->entries[i].pid == pid)
			return true;
	return false;
}

/* A process that is not ours may only seem so: its parent, which was, has gone. */
static bool tree_has_lost(const struct tree *t)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct tree_entry *e = &t->entries[i];

		if (!e->depth && e->parent > 0 && !tree_has(t, e->parent))
			return true;
	}
	return false;
}

int tree_each(pid_t spare, void (*fn)(pid_t pid, void *arg), void *arg)
{
	_cleanup_(tree_fini) struct tree t = {};
	unsigned deepest = 0;
	int r = tree_read(&t);

	if (r < 0)
		return r;
	tree_mark(&t, getpid(), spare);
	for (size_t i = 0; i < t.n; i++)
		deepest = MAX(deepest, t.entries[i].depth);
	for (unsigned depth = 1; depth <= deepest; depth++)
		for (size_t i = 0; i < t.n; i++)
			if (t.entries[i].depth == depth)
				fn(t.entries[i].pid, arg);
	return tree_has_lost(&t) ? -EAGAIN : 0;
}
