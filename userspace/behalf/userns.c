/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls as a member of the agent's user namespace. What a namespace lets its root do (an own file
 * or directory without permissions) our rights do not; owners are numbers of the namespace; and
 * some files of a procfs ask later who opened them (uid_map, gid_map and setgroups:
 * file_ns_capable() in kernel/user_namespace.c), or show IDs as the opener's namespace has them.
 *
 * A thread cannot enter a user namespace (setns(2)), so a child that shares our memory and
 * descriptors does, makes this one call and ends. Who owns the namespace, or has its parent's
 * rights, may enter it; where we may not, nothing is gained. Such a child can have the agent's root
 * directory, too.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "behalf/behalf_private.h"
#include "behalf/proc.h"

#define CHILD_STACK ((size_t)32 * 1024)

struct visit {
	struct behalf *behalf;
	const struct action *action;
	behalf_fn *fn;
	void *arg;
	int userns; /* to be entered, or -1 */
	int root;   /* to be the root directory, or -1 */
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

	(void)rights_settle();
	(void)snprintf(who, sizeof(who), "%d", (int)tid);
	return read_userns(b, "self", ours) && read_userns(b, who, theirs) && !streq(ours, theirs);
}

/* The IDs are the agent's, so that the namespace is entered as its owner. */
static int enter_userns(const struct visit *v)
{
	const struct act_creds *creds = &v->action->act.creds;

	if (v->userns < 0)
		return 0;
	if (creds->differs && (syscall(SYS_setgroups, creds->n_groups, creds->groups) < 0 ||
			       syscall(SYS_setresgid, -1, creds->fsgid, -1) < 0 ||
			       syscall(SYS_setresuid, -1, creds->fsuid, -1) < 0))
		return -EACCES;
	return setns(v->userns, CLONE_NEWUSER) < 0 ? -EACCES : 0;
}

/* In a namespace that was entered we have every capability, the agent perhaps none. */
static int take_caps(const struct visit *v)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
	uint64_t caps;

	if (proc_read_caps(v->behalf->config.proc, v->action->tid, &caps) < 0)
		return -EACCES;
	data[0].effective = data[0].permitted = (uint32_t)caps;
	data[1].effective = data[1].permitted = (uint32_t)(caps >> 32);
	return syscall(SYS_capset, &head, data) < 0 ? -EACCES : 0;
}

/* Before IDs and capabilities are laid down, which this takes. */
static int change_root(const struct visit *v)
{
	return v->root >= 0 && (fchdir(v->root) < 0 || chroot(".") < 0) ? -EACCES : 0;
}

static int take_rights(const struct visit *v)
{
	return v->userns < 0 ? rights_take(&v->behalf->rights, &v->action->act.creds)
			     : take_caps(v);
}

/* In the child. Its own /proc/self/fd is the only one in which it may follow links. */
static int visit_main(void *arg)
{
	struct visit *v = arg;
	struct behalf *b = v->behalf;
	int thread_fds = b->self_fds;

	b->self_fds = openat(b->config.proc, "self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	v->result = b->self_fds < 0 ? -EACCES : enter_userns(v);
	if (v->result == 0)
		v->result = change_root(v);
	if (v->result == 0)
		v->result = take_rights(v);
	if (v->result == 0)
		v->result = v->fn(b, v->action, v->arg);
	(void)fd_close(b->self_fds);
	b->self_fds = thread_fds;
	return 0;
}

/* In the thread that calls, which a child has its Landlock rulesets from. */
static int visit(struct behalf *b, const struct action *a, void *arg)
{
	_Alignas(16) char stack[CHILD_STACK] _uninitialized_;
	struct visit *v = arg;
	int child, r;

	(void)a;
	/* Said of us, also by the child, which shares what says it. */
	r = behalf_own_fs(b);
	if (r < 0)
		return r;
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

int behalf_call_in_root(struct behalf *b, const struct action *a, int root, behalf_fn *fn,
			void *arg)
{
	struct visit v = {
		.action = a, .fn = fn, .arg = arg, .userns = -1, .root = root, .result = -EACCES};
	_cleanup_(fd_closep) int userns = -1;
	char path[32];

	if (!behalf_is_in_userns(b, a->tid))
		return behalf_call(b, a, visit, &v);
	(void)snprintf(path, sizeof(path), "%d/ns/user", (int)a->tid);
	userns = openat(b->config.proc, path, O_RDONLY | O_CLOEXEC);
	if (userns < 0)
		return -EACCES;
	v.userns = userns;
	return behalf_call(b, a, visit, &v);
}

int behalf_call_in_userns(struct behalf *b, const struct action *a, behalf_fn *fn, void *arg)
{
	return behalf_call_in_root(b, a, -1, fn, arg);
}
