/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens as a member of the agent's user namespace. What a namespace lets its root do (an own file
 * without permissions) our rights do not; and some files of a procfs ask later who opened them
 * (uid_map, gid_map and setgroups: file_ns_capable() in kernel/user_namespace.c), or show IDs as
 * the opener's namespace has them.
 *
 * A thread cannot enter a user namespace (setns(2)), so a child that shares our memory and
 * descriptors does, makes this one call and ends. Who owns the namespace, or has its parent's
 * rights, may enter it; where we may not, nothing is gained.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "behalf/behalf_private.h"

#define CHILD_STACK ((size_t)16 * 1024)

struct visit {
	struct behalf *behalf;
	const struct action *action;
	behalf_fn *fn;
	void *arg;
	int userns;
	int result;
};

static bool read_userns(const struct behalf *b, const char *who, char out[static 64])
{
	char path[40];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%s/ns/user", who);
	n = readlinkat(b->config.proc, path, out, 63);
	if (n < 0)
		return false;
	out[n] = '\0';
	return true;
}

bool behalf_is_in_userns(const struct behalf *b, pid_t tid)
{
	char who[16], ours[64], theirs[64];

	(void)snprintf(who, sizeof(who), "%d", (int)tid);
	return read_userns(b, "self", ours) && read_userns(b, who, theirs) && !streq(ours, theirs);
}

/* In the child. The IDs are the agent's, so that the namespace is entered as its owner. */
static int visit_main(void *arg)
{
	struct visit *v = arg;
	const struct act_creds *creds = &v->action->act.creds;

	if (creds->differs && (syscall(SYS_setgroups, creds->n_groups, creds->groups) < 0 ||
			       syscall(SYS_setresgid, -1, creds->fsgid, -1) < 0 ||
			       syscall(SYS_setresuid, -1, creds->fsuid, -1) < 0))
		v->result = -EACCES;
	else if (setns(v->userns, CLONE_NEWUSER) < 0)
		v->result = -EACCES;
	else
		v->result = v->fn(v->behalf, v->action, v->arg);
	return 0;
}

/* In the thread that calls, which a child has its Landlock rulesets from. */
static int visit(struct behalf *b, const struct action *a, void *arg)
{
	_Alignas(16) char stack[CHILD_STACK] _uninitialized_;
	struct visit *v = arg;
	int child;

	(void)a;
	/* The child takes on all of the IDs. */
	rights_give_back(&b->rights);
	v->behalf = b;
	/* No exit signal: only who asks for it by __WCLONE learns of this child. */
	child = clone(visit_main, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | CLONE_FILES, v);
	if (child < 0)
		return -errno;
	while (waitpid(child, NULL, __WCLONE) < 0 && errno == EINTR)
		;
	return v->result;
}

int behalf_call_in_userns(struct behalf *b, const struct action *a, behalf_fn *fn, void *arg)
{
	struct visit v = {.action = a, .fn = fn, .arg = arg, .result = -EACCES};
	_cleanup_(fd_closep) int userns = -1;
	char path[32];

	(void)snprintf(path, sizeof(path), "%d/ns/user", (int)a->tid);
	userns = openat(b->config.proc, path, O_RDONLY | O_CLOEXEC);
	if (userns < 0)
		return -EACCES;
	v.userns = userns;
	return behalf_call(b, a, visit, &v);
}
