/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One function for each kind of change. Where the tree changes, the call is made below the pinned
 * directory with the last name only, so its errno comes from the kernel itself, trailing slashes,
 * "." and ".." included. Attributes are changed through /proc/self/fd/N of the pinned object: it is
 * the one way that takes an O_PATH descriptor in all of these calls; AT_EMPTY_PATH needs Linux 6.6
 * for modes and 6.13 for extended attributes, where it refuses O_PATH, and a capability for links.
 */
#include <assert.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include "behalf/behalf_private.h"
#include "behalf/change.h"
#include "behalf/proc.h"

#define SYS_FILE_SETATTR 469 /* the same on every architecture, as all from 424 on */
#define OBJECT_NAME_SIZE 16

/* The name of a descriptor of ours in /proc/self/fd. */
struct object_name {
	char text[OBJECT_NAME_SIZE];
};

static struct object_name name_object(const struct act_pin *pin)
{
	struct object_name n;

	(void)snprintf(n.text, sizeof(n.text), "%d", pin->object);
	return n;
}

/* The last component as it was asked: a slash behind it matters to each call in its own way. */
struct entry_name {
	char text[NAME_MAX + 3]; /* with a name that is one byte too long */
};

static struct entry_name name_entry(const struct act_pin *pin)
{
	struct entry_name n _uninitialized_;

	if (pin->parent < 0) {
		memcpy(n.text, "/", 2);
		return n;
	}
	assert(pin->name.len <= NAME_MAX + 1);
	memcpy(n.text, pin->name.p, pin->name.len);
	n.text[pin->name.len] = pin->wants_directory ? '/' : '\0';
	n.text[pin->name.len + 1] = '\0';
	return n;
}

/* For the calls that have no variant with a directory: the thread's own one is /proc/self/fd. */
static int go_to_fds(int self_fds)
{
	return fchdir(self_fds);
}

static int change_delete(int self_fds, const struct action *a)
{
	const struct act_pin *pin = &a->act.pin;

	(void)self_fds;
	return unlinkat(pin->parent, name_entry(pin).text, a->act.change.flags);
}

static int change_mkdir(int self_fds, const struct action *a)
{
	const struct act_pin *pin = &a->act.pin;

	(void)self_fds;
	return mkdirat(pin->parent, name_entry(pin).text, (mode_t)a->act.change.number[0]);
}

static int change_mknod(int self_fds, const struct action *a)
{
	const struct act_pin *pin = &a->act.pin;
	const uint64_t *number = a->act.change.number;

	(void)self_fds;
	/* The C library's own packs the device anew; the agent's is the kernel's already. */
	return (int)syscall(__NR_mknodat, pin->parent, name_entry(pin).text, number[0], number[1]);
}

static int change_symlink(int self_fds, const struct action *a)
{
	const struct act_pin *pin = &a->act.pin;

	(void)self_fds;
	return symlinkat(a->act.change.data, pin->parent, name_entry(pin).text);
}

static int change_rename(int self_fds, const struct action *a)
{
	const struct act_pin *from = &a->act.pin, *to = &a->act.pin2;

	(void)self_fds;
	return (int)syscall(__NR_renameat2, from->parent, name_entry(from).text, to->parent,
			    name_entry(to).text, a->act.change.flags);
}

static int change_link(int self_fds, const struct action *a)
{
	const struct act_pin *to = &a->act.pin2;
	struct object_name from = name_object(&a->act.pin);

	return linkat(self_fds, from.text, to->parent, name_entry(to).text, AT_SYMLINK_FOLLOW);
}

static int change_mode(int self_fds, const struct action *a)
{
	struct object_name object = name_object(&a->act.pin);

	return (int)syscall(__NR_fchmodat, self_fds, object.text, a->act.change.number[0]);
}

static int change_owner(int self_fds, const struct action *a)
{
	struct object_name object = name_object(&a->act.pin);
	const uint64_t *number = a->act.change.number;

	return fchownat(self_fds, object.text, (uid_t)number[0], (gid_t)number[1], 0);
}

static int change_times(int self_fds, const struct action *a)
{
	struct object_name object = name_object(&a->act.pin);

	return utimensat(self_fds, object.text, a->act.change.data, 0);
}

static int change_xattr(int self_fds, const struct action *a)
{
	struct object_name object = name_object(&a->act.pin);
	const struct act_change *c = &a->act.change;

	switch ((enum change_xattr)c->number[0]) {
	case CHANGE_XATTR_SET:
		return go_to_fds(self_fds) < 0
			       ? -1
			       : setxattr(object.text, c->attr.p, c->data, c->data_len, c->flags);
	case CHANGE_XATTR_REMOVE:
		return go_to_fds(self_fds) < 0 ? -1 : removexattr(object.text, c->attr.p);
	case CHANGE_FILE_ATTR:
		return (int)syscall(SYS_FILE_SETATTR, self_fds, object.text, c->data, c->data_len,
				    0);
	}
	errno = EINVAL;
	return -1;
}

/* As a truncate past RLIMIT_FSIZE fails. What the kernel checks before the limit is asked for by
 * faccessat2(2), because trying would already change the file. */
static int exceed_size_limit(int self_fds, const struct action *a)
{
	struct object_name object = name_object(&a->act.pin);
	struct stat st;

	if (fstat(a->act.pin.object, &st) < 0)
		return -1;
	errno = 0;
	if (S_ISDIR(st.st_mode))
		errno = EISDIR;
	else if (!S_ISREG(st.st_mode))
		errno = EINVAL;
	else if (faccessat(self_fds, object.text, W_OK, AT_EACCESS) == 0)
		errno = EFBIG;
	return -1;
}

static int change_length(int self_fds, const struct action *a)
{
	struct object_name object = name_object(&a->act.pin);

	return go_to_fds(self_fds) < 0 ? -1 : truncate(object.text, (off_t)a->act.change.number[0]);
}

static int (*const changes[_OP_MAX])(int self_fds, const struct action *a) = {
	[OP_DELETE] = change_delete, [OP_MKDIR] = change_mkdir,     [OP_MKNOD] = change_mknod,
	[OP_RENAME] = change_rename, [OP_LINK] = change_link,       [OP_SYMLINK] = change_symlink,
	[OP_CHMOD] = change_mode,    [OP_CHOWN] = change_owner,     [OP_TIMES] = change_times,
	[OP_XATTR] = change_xattr,   [OP_TRUNCATE] = change_length,
};

/* In the order in which the kernel walks to the two: it wants to search the first directory before
 * it looks for the second. */
static int walk_error(const struct act *act)
{
	struct stat st;

	if (act->pin.error)
		return act->pin.error;
	if (act->pin2.error && act->pin.parent >= 0 && fstatat(act->pin.parent, ".", &st, 0) < 0)
		return errno;
	return act->pin2.error;
}

/*
 * Whether @a makes a file longer than its limit lets the agent: asked from us the kernel would look
 * at our own. It is read with our rights, not the agent's, and not by prlimit(2), which wants
 * CAP_SYS_RESOURCE for a task that runs as another user. Return: 0 or 1, -errno.
 */
static int is_past_size_limit(struct behalf *b, const struct action *a)
{
	off_t length = (off_t)a->act.change.number[0];
	uint64_t limit;
	struct stat st;
	int r;

	if (a->act.row->op != OP_TRUNCATE || a->act.pin.error ||
	    fstat(a->act.pin.object, &st) < 0 || length <= st.st_size)
		return 0;
	r = proc_read_size_limit(b->config.proc, a->tid, &limit);
	return r < 0 ? r : (uint64_t)length > limit;
}

struct change {
	struct behalf_result *ret;
	bool is_past_size_limit;
};

static int change_as_agent(struct behalf *b, const struct action *a, void *arg)
{
	struct change *o = arg;
	enum action_op op = a->act.row->op;
	int r = behalf_own_fs(b);

	if (r < 0)
		return r;
	o->ret->error = walk_error(&a->act);
	if (o->ret->error)
		return 0;
	assert(changes[op]);
	if ((o->is_past_size_limit ? exceed_size_limit : changes[op])(b->self_fds, a) < 0)
		o->ret->error = errno;
	return 0;
}

/* Owners, and those in access control lists, are numbers of the agent's user namespace. */
static bool has_numbers_of_userns(const struct action *a)
{
	return a->act.row->op == OP_CHOWN || a->act.row->op == OP_XATTR;
}

/* What our rights do not let us do, a namespace may let its root. */
static int change_where_agent_is(struct behalf *b, const struct action *a, struct change *o)
{
	int r;

	if (!has_numbers_of_userns(a) || !behalf_is_in_userns(b, a->tid)) {
		r = behalf_call(b, a, change_as_agent, o);
		if (r < 0 || (o->ret->error != EACCES && o->ret->error != EPERM) ||
		    !behalf_is_in_userns(b, a->tid) || behalf_still_waits(b, a) < 0)
			return r;
	} else {
		o->ret->error = EPERM; /* if the namespace cannot be entered */
	}
	r = behalf_call_in_userns(b, a, change_as_agent, o);
	return r == -EACCES ? 0 : r;
}

int behalf_change(struct behalf *b, const struct action *a, struct behalf_result *ret)
{
	struct change o = {.ret = ret};
	int r = is_past_size_limit(b, a);

	if (r < 0)
		return r;
	o.is_past_size_limit = r;
	*ret = (struct behalf_result){.fd = -1};
	if (change_needs_umask(a)) {
		r = behalf_take_umask(b, a->tid);
		if (r < 0)
			return r;
	}
	r = behalf_still_waits(b, a);
	if (r == 0)
		r = change_where_agent_is(b, a, &o);
	/* The signal that goes with it must reach the agent. */
	if (r == 0 && o.is_past_size_limit && ret->error == EFBIG)
		(void)tgkill(a->pid, a->tid, SIGXFSZ);
	return r;
}
