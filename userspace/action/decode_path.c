/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that name one or two places of the tree, or change what a descriptor stands for. */
#include <fcntl.h>
#include <linux/fs.h>

#include "action/decode.h"

#define KNOWN_AT_FLAGS     (AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT)
#define KNOWN_LINK_FLAGS   (AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)
#define KNOWN_RENAME_FLAGS (RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT)

static int dirfd_of(const struct decode *c, int arg)
{
	return arg == TRAP_NO_ARG ? AT_FDCWD : decode_arg_int(c, arg);
}

static int read_path(struct decode *c, int arg, struct bytes *ret)
{
	return target_read_string(c, decode_arg(c, arg), ACTION_PATH_MAX, ENAMETOOLONG, ret);
}

/* An anonymous file of memory: nothing of the tree, though its name begins with a slash. */
static bool is_memfd(const struct resolved *r)
{
	struct bytes tail = BYTES_LIT(" (deleted)");
	struct stat st;

	return bytes_has_prefix(r->path, BYTES_LIT("/memfd:")) && r->path.len > tail.len &&
	       memcmp(r->path.p + r->path.len - tail.len, tail.p, tail.len) == 0 && r->fd >= 0 &&
	       fstat(r->fd, &st) == 0 && st.st_nlink == 0;
}

/* A change through a descriptor that the target holds. */
static int change_fd(struct decode *c, int fd)
{
	_cleanup_(resolved_fini) struct resolved found = RESOLVED_INIT;
	int r;

	r = resolve_fd(c, fd, (struct look){.flags = LOOK_WANT_FD}, &found);
	if (r)
		return r;
	c->a->object = found.path;
	c->a->exists = true;
	if (found.is_own_pathless || is_memfd(&found))
		return 0;
	return step_add_path(c, c->row->op, found.path);
}

int decode_fd(struct decode *c)
{
	int fd = decode_arg_int(c, c->row->dirfd);

	return fd < 0 ? EBADF : change_fd(c, fd);
}

static bool is_times_call(const struct decode *c)
{
	return c->row->op == OP_TIMES && c->row->dirfd != TRAP_NO_ARG;
}

int decode_path(struct decode *c)
{
	struct action *a = c->a;
	_cleanup_(resolved_fini) struct resolved found = RESOLVED_INIT;
	struct look look = {.flags = LOOK_NAME_ONLY | (c->row->no_follow ? 0 : LOOK_FOLLOW)};
	int dirfd = dirfd_of(c, c->row->dirfd);
	int flags = c->row->flags == TRAP_NO_ARG ? 0 : decode_arg_int(c, c->row->flags);
	int r;

	if (flags & ~KNOWN_AT_FLAGS)
		return decode_fail(ACTION_UNKNOWN);
	if (flags & AT_SYMLINK_NOFOLLOW)
		look.flags &= ~LOOK_FOLLOW;
	if (flags & AT_EMPTY_PATH)
		look.flags |= LOOK_EMPTY_PATH;
	if (decode_arg(c, c->row->path) == 0) {
		/* utimensat(fd, NULL) is futimens; newer calls take NULL for "" where "" is good.
		 */
		if (is_times_call(c) && dirfd != AT_FDCWD)
			return dirfd < 0 ? EBADF : change_fd(c, dirfd);
		if (!(flags & AT_EMPTY_PATH))
			return EFAULT;
		a->asked = BYTES_LIT("");
	} else {
		r = read_path(c, c->row->path, &a->asked);
		if (r)
			return r;
	}
	if (a->asked.len == 0 && (flags & AT_EMPTY_PATH) && dirfd >= 0)
		return change_fd(c, dirfd);
	r = resolve_path(c, dirfd, a->asked, look, &found);
	if (r)
		return r;
	a->object = found.path;
	a->exists = found.exists;
	if (found.is_own_pathless)
		return 0;
	return step_add_path(c, c->row->op, found.path);
}

/* rename: both names go away and come into being; link: a second name for what it then gives to
 * read. */
static int add_two_steps(struct decode *c, bool is_exchange)
{
	struct action *a = c->a;
	bool is_link = c->row->op == OP_LINK;
	const struct {
		bool wanted;
		enum action_op op;
		struct bytes path;
	} steps[] = {
		{true, c->row->op, a->object},       {is_link, OP_READ, a->object},
		{is_exchange, OP_CREATE, a->object}, {true, c->row->op, a->object2},
		{!is_link, OP_CREATE, a->object2},
	};

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		int r;

		if (!steps[i].wanted)
			continue;
		r = step_add_path(c, steps[i].op, steps[i].path);
		if (r)
			return r;
	}
	return 0;
}

int decode_two_path(struct decode *c)
{
	struct action *a = c->a;
	_cleanup_(resolved_fini) struct resolved from = RESOLVED_INIT, to = RESOLVED_INIT;
	bool is_link = c->row->op == OP_LINK;
	int flags = c->row->flags == TRAP_NO_ARG ? 0 : decode_arg_int(c, c->row->flags);
	struct look look = {.flags = LOOK_NAME_ONLY};
	struct bytes asked2;
	int r;

	if (flags & ~(is_link ? KNOWN_LINK_FLAGS : (int)KNOWN_RENAME_FLAGS))
		return decode_fail(ACTION_UNKNOWN);
	if (is_link && (flags & AT_SYMLINK_FOLLOW))
		look.flags |= LOOK_FOLLOW;
	if (is_link && (flags & AT_EMPTY_PATH))
		look.flags |= LOOK_EMPTY_PATH;
	r = read_path(c, c->row->path, &a->asked);
	if (r)
		return r;
	r = read_path(c, c->row->path2, &asked2);
	if (r)
		return r;
	r = resolve_path(c, dirfd_of(c, c->row->dirfd), a->asked, look, &from);
	if (r)
		return r;
	r = resolve_path(c, dirfd_of(c, c->row->dirfd2), asked2,
			 (struct look){.flags = LOOK_NAME_ONLY}, &to);
	if (r)
		return r;
	a->object = from.path;
	a->object2 = to.path;
	a->exists = from.exists;
	return add_two_steps(c, !is_link && (flags & RENAME_EXCHANGE));
}

int decode_symlink(struct decode *c)
{
	struct action *a = c->a;
	_cleanup_(resolved_fini) struct resolved found = RESOLVED_INIT;
	int r;

	r = read_path(c, c->row->path, &a->object2);
	if (r)
		return r;
	r = read_path(c, c->row->path2, &a->asked);
	if (r)
		return r;
	r = resolve_path(c, dirfd_of(c, c->row->dirfd2), a->asked,
			 (struct look){.flags = LOOK_NAME_ONLY}, &found);
	if (r)
		return r;
	a->object = found.path;
	a->exists = found.exists;
	return step_add_path(c, c->row->op, found.path);
}
