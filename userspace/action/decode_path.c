/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that name one or two places of the tree, or change what a descriptor stands for. What is
 * judged is pinned, so that it is what is changed (behalf/change.h says how struct act holds it):
 * for calls on a name the directory it is in, for calls on an object the object.
 *
 * Checks come in the kernel's order, so that a call that is wrong in two ways fails as it would.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>

#include "action/decode.h"
#include "action/decode_change.h"

#define KNOWN_AT_FLAGS     (AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)
#define KNOWN_LINK_FLAGS   (AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)
#define KNOWN_RENAME_FLAGS ((int)(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT))
#define LOOK_AT_ENTRY      (LOOK_NAME_ONLY | LOOK_PIN | LOOK_ENTRY)
#define LOOK_AT_OBJECT     (LOOK_WANT_FD | LOOK_PIN)

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

	return bytes_has_prefix(r->path, BYTES_LIT("/memfd:")) && bytes_has_suffix(r->path, tail) &&
	       r->pin.object >= 0 && fstat(r->pin.object, &st) == 0 && st.st_nlink == 0;
}

/* ---- pins */

/*
 * "/", "." and ".." are no names that could be changed. The call is made all the same, because each
 * has its own errno for them: on the directory that they lead to, under what was written last.
 */
static void name_directory(struct bytes asked, struct act_pin *pin)
{
	(void)pin_trim(&asked);
	asked = bytes_base_name(asked);
	if (pin->parent >= 0 || pin->object < 0 || asked.len == 0)
		return;
	pin->parent = pin->object;
	pin->name = asked.len == 1 ? BYTES_LIT(".") : BYTES_LIT("..");
}

/*
 * A name that is longer than any can be. It is for the file system to say so, when its turn comes
 * (what is wrong with the directory, or with the other path of a rename, comes before): so the
 * directory is pinned, and as much of the name as makes it too long.
 */
static int pin_overlong(struct decode *c, int dirfd, struct bytes asked, struct bytes *ret_path,
			struct act_pin *ret)
{
	_cleanup_(resolved_fini) struct resolved found = RESOLVED_INIT;
	struct bytes name = bytes_base_name(asked);
	size_t head = asked.len - name.len;
	char *dir = arena_alloc(&c->d->arena, head + 2);
	int r;

	if (!dir)
		return decode_fail(ACTION_NO_MEMORY);
	memcpy(dir, asked.p, head);
	memcpy(dir + head, ".", 2);
	r = resolve_path(c, dirfd, (struct bytes){.p = dir, .len = head + 1},
			 (struct look){.flags = LOOK_AT_OBJECT}, &found);
	if (r == 0)
		r = resolve_lexical(c, found.path, name, ret_path);
	if (r == 0)
		r = decode_copy(c, name.p, NAME_MAX + 1, &found.pin.name);
	if (r)
		return r;
	found.pin.parent = found.pin.object;
	*ret = found.pin;
	return 0;
}

/* The place that a name has, itself never followed. */
static int pin_place(struct decode *c, int dirfd, struct bytes asked, struct bytes *ret_path,
		     struct act_pin *ret)
{
	_cleanup_(resolved_fini) struct resolved found = RESOLVED_INIT;
	struct bytes trimmed = asked;
	int r;

	(void)pin_trim(&trimmed);
	if (bytes_base_name(trimmed).len > NAME_MAX)
		return pin_overlong(c, dirfd, trimmed, ret_path, ret);
	r = resolve_path(c, dirfd, asked, (struct look){.flags = LOOK_AT_ENTRY}, &found);
	if (r)
		return r;
	name_directory(asked, &found.pin);
	c->a->exists = found.exists;
	*ret_path = found.path;
	*ret = found.pin;
	return 0;
}

/* Whether a file is missing, or no directory where the path ends in a slash. */
static int check_object(struct act_pin *pin)
{
	struct stat st;

	if (pin->object < 0) {
		if (!pin->error)
			pin->error = ENOENT;
		return 0;
	}
	if (pin->wants_directory && fstat(pin->object, &st) == 0 && !S_ISDIR(st.st_mode))
		return ENOTDIR;
	return 0;
}

/* The object that is there. */
static int pin_thing(struct decode *c, int dirfd, struct bytes asked, unsigned flags,
		     struct resolved *ret)
{
	int r;

	r = resolve_path(c, dirfd, asked, (struct look){.flags = LOOK_AT_OBJECT | flags}, ret);
	if (r)
		return r;
	c->a->exists = ret->exists;
	return check_object(&ret->pin);
}

/* ---- one place */

/* The octal number of fdinfo's "flags:" line (proc(5)). */
static bool says_path(const char *fdinfo)
{
	const char *line = strstr(fdinfo, "flags:\t");
	uint64_t flags = 0;

	for (line = line ? line + strlen("flags:\t") : ""; *line >= '0' && *line <= '7'; line++)
		flags = flags << 3 | (uint64_t)(*line - '0');
	return flags & O_PATH;
}

/* An O_PATH descriptor is none for the calls that take a file. */
static int refuse_path_fd(struct decode *c, int fd)
{
	_cleanup_(fd_closep) int info = -1;
	char name[32], text[512];
	ssize_t n;

	(void)snprintf(name, sizeof(name), "fdinfo/%d", fd);
	info = target_open(c, name, O_RDONLY);
	if (info == -ENOENT)
		return EBADF;
	n = info < 0 ? -1 : read(info, text, sizeof(text) - 1);
	if (n < 0)
		return decode_fail(ACTION_UNREADABLE);
	text[n] = '\0';
	return says_path(text) ? EBADF : 0;
}

/*
 * A change through a descriptor that the target holds. Also where it has no path and nothing is
 * decided, it is pinned: by its number the call could reach another file that a second thread puts
 * there.
 */
static int change_fd(struct decode *c, int fd, bool takes_path_fd)
{
	_cleanup_(resolved_fini) struct resolved found = RESOLVED_INIT;
	int r;

	if (fd < 0)
		return EBADF;
	r = resolve_fd(c, fd, (struct look){.flags = LOOK_AT_OBJECT}, &found);
	if (r == 0 && !takes_path_fd)
		r = refuse_path_fd(c, fd);
	if (r)
		return r;
	c->a->act.kind = ACT_CHANGE;
	c->a->act.pin = found.pin;
	c->a->object = found.path;
	c->a->exists = true;
	if (found.is_own_pathless || is_memfd(&found))
		return 0;
	return step_add_path(c, c->row->op, found.path);
}

int decode_fd(struct decode *c)
{
	int r = change_prepare(c);

	return r ? r : change_fd(c, decode_arg_int(c, c->row->dirfd), false);
}

static int decode_entry(struct decode *c)
{
	struct action *a = c->a;
	int r;

	r = read_path(c, c->row->path, &a->asked);
	if (r)
		return r;
	r = pin_place(c, dirfd_of(c, c->row->dirfd), a->asked, &a->object, &a->act.pin);
	if (r)
		return r;
	a->act.kind = ACT_CHANGE;
	return step_add_path(c, c->row->op, a->object);
}

/* utimensat(fd, NULL) is futimens(3). */
static bool is_futimens(const struct decode *c)
{
	return c->row->op == OP_TIMES && c->row->dirfd != TRAP_NO_ARG &&
	       decode_arg_int(c, c->row->dirfd) != AT_FDCWD;
}

static int decode_object(struct decode *c)
{
	_cleanup_(resolved_fini) struct resolved found = RESOLVED_INIT;
	struct action *a = c->a;
	int dirfd = dirfd_of(c, c->row->dirfd);
	int flags = c->row->flags == TRAP_NO_ARG ? 0 : decode_arg_int(c, c->row->flags);
	bool follows = !c->row->no_follow && !(flags & AT_SYMLINK_NOFOLLOW);
	int r;

	if (decode_arg(c, c->row->path) == 0 && is_futimens(c))
		return flags ? EINVAL : change_fd(c, dirfd, false);
	if (decode_arg(c, c->row->path) == 0 && change_takes_null(c, flags)) {
		a->asked = BYTES_LIT("");
	} else {
		r = read_path(c, c->row->path, &a->asked);
		if (r)
			return r;
	}
	if (a->asked.len == 0 && change_takes_null(c, flags) && dirfd != AT_FDCWD)
		return change_fd(c, dirfd, false);
	if (a->asked.len == 0 && (flags & AT_EMPTY_PATH) && dirfd != AT_FDCWD)
		return change_fd(c, dirfd, true);
	r = pin_thing(c, dirfd, a->asked,
		      (follows ? LOOK_FOLLOW : 0) | (flags & AT_EMPTY_PATH ? LOOK_EMPTY_PATH : 0),
		      &found);
	if (r)
		return r;
	a->act.kind = ACT_CHANGE;
	a->act.pin = found.pin;
	a->object = found.path;
	if (found.is_own_pathless)
		return 0;
	return step_add_path(c, c->row->op, found.path);
}

int decode_path(struct decode *c)
{
	const uint32_t entries = OP_BIT(OP_DELETE) | OP_BIT(OP_MKDIR) | OP_BIT(OP_MKNOD);
	int flags = c->row->flags == TRAP_NO_ARG ? 0 : decode_arg_int(c, c->row->flags);
	int r;

	r = change_prepare(c);
	if (r)
		return r;
	/* As a kernel answers that does not know the flag yet, which programs know how to take. */
	if (flags & ~KNOWN_AT_FLAGS)
		return EINVAL;
	if (change_is_nothing(c)) {
		c->a->act.kind = ACT_CHANGE;
		return 0;
	}
	return OP_BIT(c->row->op) & entries ? decode_entry(c) : decode_object(c);
}

/* ---- two places */

/*
 * rename: both names go away and come into being; link: a second name. Either way what is there can
 * then be read under another name, so it must be allowed to be read under its own.
 */
static int add_two_steps(struct decode *c, bool is_exchange)
{
	struct action *a = c->a;
	bool is_link = c->row->op == OP_LINK;
	const struct {
		bool wanted;
		enum action_op op;
		struct bytes path;
	} steps[] = {
		{true, c->row->op, a->object},       {true, OP_READ, a->object},
		{is_exchange, OP_CREATE, a->object}, {true, c->row->op, a->object2},
		{is_exchange, OP_READ, a->object2},  {!is_link, OP_CREATE, a->object2},
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

static int pin_source(struct decode *c, int flags)
{
	_cleanup_(resolved_fini) struct resolved found = RESOLVED_INIT;
	struct action *a = c->a;
	int dirfd = dirfd_of(c, c->row->dirfd);
	int r;

	if (c->row->op != OP_LINK)
		return pin_place(c, dirfd, a->asked, &a->object, &a->act.pin);
	r = pin_thing(c, dirfd, a->asked,
		      (flags & AT_SYMLINK_FOLLOW ? LOOK_FOLLOW : 0) |
			      (flags & AT_EMPTY_PATH ? LOOK_EMPTY_PATH : 0),
		      &found);
	a->object = found.path;
	a->act.pin = found.pin;
	return r;
}

/* What the walk to @pin fails with, asked only where another error waits behind it: the kernel
 * wants to search the directory before it reads the second path. */
static int error_before(const struct act_pin *pin)
{
	struct stat st;

	if (pin->error || pin->parent < 0)
		return pin->error;
	return fstatat(pin->parent, ".", &st, 0) < 0 ? errno : 0;
}

static bool is_directory(const struct act_pin *pin)
{
	struct stat st;

	return pin->parent >= 0 && pin->name.p &&
	       fstatat(pin->parent, pin->name.p, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISDIR(st.st_mode);
}

int decode_two_path(struct decode *c)
{
	struct action *a = c->a;
	bool is_link = c->row->op == OP_LINK;
	int flags = c->row->flags == TRAP_NO_ARG ? 0 : decode_arg_int(c, c->row->flags);
	struct bytes asked2;
	bool exists;
	int r;

	r = change_prepare(c);
	if (r)
		return r;
	if (flags & ~(is_link ? KNOWN_LINK_FLAGS : KNOWN_RENAME_FLAGS))
		return EINVAL;
	if ((flags & RENAME_EXCHANGE) && (flags & (RENAME_NOREPLACE | RENAME_WHITEOUT)) && !is_link)
		return EINVAL;
	r = read_path(c, c->row->path, &a->asked);
	if (r == 0)
		r = pin_source(c, flags);
	if (r)
		return r;
	exists = a->exists;
	r = read_path(c, c->row->path2, &asked2);
	if (r == 0)
		r = pin_place(c, dirfd_of(c, c->row->dirfd2), asked2, &a->object2, &a->act.pin2);
	/* Of two things that are wrong, the first is what the call fails with. */
	if (r > 0 && error_before(&a->act.pin))
		return error_before(&a->act.pin);
	if (r)
		return r;
	a->exists = exists;
	a->act.kind = ACT_CHANGE;
	a->act.change.flags = is_link ? 0 : flags;
	a->moves_directory =
		!is_link && (is_directory(&a->act.pin) ||
			     ((flags & RENAME_EXCHANGE) && is_directory(&a->act.pin2)));
	return add_two_steps(c, !is_link && (flags & RENAME_EXCHANGE));
}

int decode_symlink(struct decode *c)
{
	struct action *a = c->a;
	int r;

	r = read_path(c, c->row->path, &a->object2);
	if (r)
		return r;
	if (a->object2.len == 0)
		return ENOENT;
	r = read_path(c, c->row->path2, &a->asked);
	if (r)
		return r;
	r = pin_place(c, dirfd_of(c, c->row->dirfd2), a->asked, &a->object, &a->act.pin);
	if (r)
		return r;
	a->act.kind = ACT_CHANGE;
	a->act.change = (struct act_change){.data = a->object2.p, .data_len = a->object2.len};
	return step_add_path(c, c->row->op, a->object);
}
