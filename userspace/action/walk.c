/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A path walk in user space, component by component, on descriptors: for the paths on which the
 * kernel, asked by us, would not see what the target sees. "self" in a procfs is the target's
 * process there, and "/" its root.
 */
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/vfs.h>

#include "action/decode.h"

#define WALK_MAX_LINKS  40 /* MAXSYMLINKS: more are ELOOP */
#define WALK_NAME_MAX   255
#define PROC_ROOT_INODE 1

struct walk {
	struct decode *c;
	struct look look;
	int root;          /* where "/" is */
	int at;            /* the directory reached so far */
	struct bytes rest; /* what is still to be walked */
	unsigned n_links;
	bool knows_root;      /* the kernel has looked for the root by now */
	bool is_own;          /* the last magic link was one of the target's own */
	bool wants_directory; /* the path ended in a slash, or a link at its end did */
};

static void walk_fini(struct walk *w)
{
	w->root = fd_close(w->root);
	w->at = fd_close(w->at);
}

static int duplicate(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	return copy < 0 ? -errno : copy;
}

static void move_to(struct walk *w, int fd)
{
	(void)fd_close(w->at);
	w->at = fd;
}

static bool is_same_mount(int a, int b)
{
	struct statx sa, sb;

	return statx(a, "", AT_EMPTY_PATH, STATX_MNT_ID, &sa) == 0 &&
	       statx(b, "", AT_EMPTY_PATH, STATX_MNT_ID, &sb) == 0 &&
	       sa.stx_mnt_id == sb.stx_mnt_id;
}

/* A link to an absolute path, as openat2(2) restricts it. */
static int go_to_root(struct walk *w)
{
	int fd;

	if (w->look.resolve & RESOLVE_BENEATH)
		return EXDEV;
	/* The kernel looks for the root when the path begins there, or at the first "..": before
	 * that it is no mount, so another one (nd_jump_root(), handle_dots() in fs/namei.c). */
	if ((w->look.resolve & RESOLVE_NO_XDEV) &&
	    (!w->knows_root || !is_same_mount(w->at, w->root)))
		return EXDEV;
	fd = duplicate(w->root);
	if (fd < 0)
		return decode_fail(ACTION_UNREADABLE);
	move_to(w, fd);
	return 0;
}

static int open_root(struct walk *w, int base)
{
	int fd;

	if (base >= 0 && (w->look.resolve & (RESOLVE_IN_ROOT | RESOLVE_BENEATH)))
		fd = duplicate(base);
	else if (w->c->d->has_foreign_roots)
		fd = target_open(w->c, "root", O_PATH | O_DIRECTORY);
	else
		fd = target_open_at(w->c, AT_FDCWD, "/", O_PATH | O_DIRECTORY, 0);
	if (fd < 0)
		return decode_fail(ACTION_UNREADABLE);
	w->root = fd;
	return 0;
}

static bool is_same_object(int a, int b)
{
	struct stat sa, sb;

	return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
	       sa.st_ino == sb.st_ino;
}

bool resolve_is_same_place(int a, int b)
{
	return is_same_mount(a, b) && is_same_object(a, b);
}

/* Gives up looking, because of @error: the rest is joined as text. */
static int finish_lexical(struct walk *w, const char *name, int error, struct resolved *ret)
{
	struct bytes at, path;
	int none = -1;
	int r;

	ret->exists = false;
	if ((w->look.flags & LOOK_PIN) && error == ENOENT && w->rest.len == 0)
		return pin_entry(w->c, &w->at, bytes_of(name), &none, w->wants_directory, ret);
	ret->pin.error = error;
	r = resolve_text(w->c, w->at, &at);
	if (r)
		return r;
	r = resolve_lexical(w->c, at, bytes_of(name), &path);
	if (r)
		return r;
	while (w->rest.len && w->rest.p[0] == '/') {
		w->rest.p++;
		w->rest.len--;
	}
	return resolve_lexical(w->c, path, w->rest, &ret->path);
}

/* @name is the last one, in the directory reached; NULL: the path's end has no name. */
static int finish_found(struct walk *w, const char *name, int *fd, struct resolved *ret)
{
	int none = -1;
	int r;

	/* Of a name that something is mounted on, the call gets what is mounted; but for one that
	 * means the name itself, which the kernel then refuses. */
	if (!(w->look.flags & LOOK_PIN))
		r = resolve_text(w->c, *fd, &ret->path);
	else if (!name || (!(w->look.flags & LOOK_ENTRY) && w->c->d->has_foreign_roots &&
			   !is_same_mount(w->at, *fd)))
		r = pin_object(w->c, fd, ret);
	else
		r = pin_entry(w->c, &w->at, bytes_of(name),
			      w->look.flags & LOOK_WANT_FD ? fd : &none, w->wants_directory, ret);
	if (r)
		return r;
	ret->exists = true;
	ret->is_own_pathless = w->is_own && resolve_is_pathless(ret->path);
	if (!(w->look.flags & LOOK_PIN) && w->look.flags & LOOK_WANT_FD)
		ret->fd = TAKE_FD(*fd);
	return 0;
}

/* Puts the text of a link before what is left of the path. */
static int follow_text(struct walk *w, struct bytes text)
{
	char *p;

	if (text.len == 0)
		return ENOENT;
	p = arena_alloc(&w->c->d->arena, text.len + w->rest.len + 1);
	if (!p)
		return decode_fail(ACTION_NO_MEMORY);
	memcpy(p, text.p, text.len);
	if (w->rest.len)
		memcpy(p + text.len, w->rest.p, w->rest.len); /* it begins with '/' */
	p[text.len + w->rest.len] = '\0';
	w->rest = (struct bytes){.p = p, .len = text.len + w->rest.len};
	w->wants_directory |= pin_trim(&w->rest);
	return text.p[0] == '/' ? go_to_root(w) : 0;
}

static int read_link(struct walk *w, int link, struct bytes *ret)
{
	char text[ACTION_PATH_MAX];
	ssize_t n = readlinkat(link, "", text, sizeof(text));

	if (n < 0 || n == sizeof(text))
		return decode_fail(n < 0 ? ACTION_UNREADABLE : ACTION_TOO_LONG);
	return decode_copy(w->c, text, (size_t)n, ret);
}

/* True when the directory reached is the target's own /proc/TGID/fd, or that of one of its threads.
 */
static bool is_own_fd_dir(struct walk *w)
{
	struct bytes text, prefix;

	return resolve_text(w->c, w->at, &text) == 0 &&
	       decode_format(w->c, &prefix, "/proc/%d/", (int)w->c->t->tgid) == 0 &&
	       bytes_has_prefix(text, prefix) && bytes_eq_str(bytes_base_name(text), "fd");
}

/* Whether @text is below the target's own directory in our procfs. */
static bool names_target(const struct walk *w, struct bytes text)
{
	char name[32];
	size_t n = (size_t)snprintf(name, sizeof(name), "/proc/%d/", (int)w->c->t->tgid);

	return bytes_has_prefix(text, (struct bytes){.p = name, .len = n});
}

/*
 * A link of procfs: sets *ret_text where the target's "self" differs from ours, *ret_fd where the
 * link leads to an object and not to a path (-1 when we may not follow it), neither where it is a
 * link like any other.
 */
static int follow_proc_link(struct walk *w, const char *name, struct bytes *ret_text, int *ret_fd,
			    bool *ret_is_magic)
{
	struct bytes text;
	struct stat st;
	int fd;

	if (fstat(w->at, &st) < 0)
		return decode_fail(ACTION_UNREADABLE);
	if (st.st_ino == PROC_ROOT_INODE && (streq(name, "self") || streq(name, "thread-self")))
		return procfs_self(w->c, w->at, name[0] == 't', ret_text);
	fd = target_open_at(w->c, w->at, name, O_PATH, RESOLVE_NO_MAGICLINKS);
	(void)fd_close(fd);
	if (fd != -ELOOP)
		return 0;
	*ret_is_magic = true;
	if (w->look.resolve & RESOLVE_NO_MAGICLINKS)
		return ELOOP;
	/* The kernel would let us, who share their rights, or are them. */
	if (resolve_text(w->c, w->at, &text) != 0 || resolve_is_pathless(text) ||
	    resolve_names_guard(w->c, text, false) || hidden_owns(w->c, text))
		return EACCES;
	if (w->look.resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT))
		return EXDEV; /* as openat2(2) has it for now */
	w->is_own = is_own_fd_dir(w);
	/* The kernel would not let them, where Landlock binds them, but us. */
	if (!w->is_own && procfs_is_outside(w->c, w->at, text))
		w->c->a->looks_outside = true;
	fd = target_open_at(w->c, w->at, name, O_PATH, 0);
	/* What the target may not look at: its own it may, although we perhaps may not. */
	if (fd == -EACCES && !names_target(w, text))
		return EACCES;
	*ret_fd = fd < 0 ? -1 : fd;
	return 0;
}

/* Follows the link @name, opened as @link. *ret_fd is what it led to, -1 when the path goes on. */
static int follow(struct walk *w, const char *name, int link, int *ret_fd)
{
	struct bytes text = BYTES_NULL;
	bool is_magic = false;
	struct statfs fs;
	int r;

	*ret_fd = -1;
	if (++w->n_links > WALK_MAX_LINKS || (w->look.resolve & RESOLVE_NO_SYMLINKS))
		return ELOOP;
	if (fstatfs(w->at, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC) {
		r = follow_proc_link(w, name, &text, ret_fd, &is_magic);
		if (r || *ret_fd >= 0)
			return r;
	}
	if (!text.p) {
		r = read_link(w, link, &text);
		if (r)
			return r;
	}
	if (is_magic && resolve_is_pathless(text))
		return decode_fail(ACTION_UNREADABLE);
	return follow_text(w, text);
}

static int go_up(struct walk *w)
{
	int fd;

	w->knows_root = true;
	if (is_same_object(w->at, w->root))
		return w->look.resolve & RESOLVE_BENEATH ? EXDEV : 0;
	fd = target_open_at(w->c, w->at, "..", O_PATH | O_DIRECTORY,
			    w->look.resolve & RESOLVE_NO_XDEV);
	if (fd == -ENOTDIR || fd == -EXDEV)
		return -fd;
	if (fd < 0)
		return decode_fail(ACTION_UNREADABLE);
	move_to(w, fd);
	return 0;
}

/* Takes the next name off the path. Return: false when nothing is left. */
static bool next_name(struct walk *w, struct bytes *ret)
{
	const char *slash;

	while (w->rest.len && w->rest.p[0] == '/') {
		w->rest.p++;
		w->rest.len--;
	}
	if (w->rest.len == 0)
		return false;
	slash = memchr(w->rest.p, '/', w->rest.len);
	ret->p = w->rest.p;
	ret->len = slash ? (size_t)(slash - w->rest.p) : w->rest.len;
	w->rest.p += ret->len;
	w->rest.len -= ret->len;
	return true;
}

#define WALK_ON (-1000)

/* One name that is neither "." nor "..". Return: WALK_ON, or as a decoder when *ret is complete. */
static int step_into(struct walk *w, const char *name, struct resolved *ret)
{
	_cleanup_(fd_closep) int fd = -1;
	bool is_last = w->rest.len == 0;
	bool follows = !is_last || (w->look.flags & LOOK_FOLLOW) ||
		       (w->wants_directory && !(w->look.flags & LOOK_ENTRY));
	bool is_jump = false;
	struct stat st;
	int r;

	fd = target_open_at(w->c, w->at, name, O_PATH | O_NOFOLLOW,
			    w->look.resolve & RESOLVE_NO_XDEV);
	if (fd == -ENOTDIR || fd == -EXDEV)
		return -fd;
	if (fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM)
		return decode_fail(ACTION_UNREADABLE);
	if (fd < 0)
		return finish_lexical(w, name, -fd, ret);
	if (fstat(fd, &st) < 0)
		return decode_fail(ACTION_UNREADABLE);
	if (S_ISLNK(st.st_mode) && follows) {
		int direct;

		r = follow(w, name, fd, &direct);
		if (r)
			return r;
		if (direct < 0)
			return WALK_ON;
		(void)fd_close(fd);
		fd = direct;
		is_jump = true;
	}
	if (is_last)
		return finish_found(w, is_jump ? NULL : name, &fd, ret);
	w->is_own = false;
	move_to(w, TAKE_FD(fd));
	return WALK_ON;
}

static bool is_directory(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The kernel looks at the directory, and whether it may be searched, before it looks at the name.
 */
static int too_long(struct walk *w)
{
	int fd = target_open_at(w->c, w->at, ".", O_PATH | O_DIRECTORY, 0);

	(void)fd_close(fd);
	return fd == -ENOTDIR || fd == -EACCES ? -fd : ENAMETOOLONG;
}

static int walk_all(struct walk *w, struct resolved *ret)
{
	struct bytes name;
	int r;

	while (next_name(w, &name)) {
		char text[WALK_NAME_MAX + 1];

		if (name.len > WALK_NAME_MAX)
			return too_long(w);
		memcpy(text, name.p, name.len);
		text[name.len] = '\0';
		if (streq(text, ".") && is_directory(w->at))
			continue;
		if (streq(text, "."))
			return ENOTDIR;
		r = streq(text, "..") ? go_up(w) : step_into(w, text, ret);
		if (r == 0 && streq(text, ".."))
			continue;
		if (r != WALK_ON)
			return r;
	}
	return finish_found(w, NULL, &w->at, ret);
}

int walk_path(struct decode *c, int base, struct bytes path, struct look look, struct resolved *ret)
{
	_cleanup_(walk_fini) struct walk w = {
		.c = c, .look = look, .root = -1, .at = -1, .rest = path};
	int r;

	if (path.p[0] == '/' && (look.resolve & RESOLVE_BENEATH))
		return EXDEV;
	w.knows_root = path.p[0] == '/' || (look.resolve & RESOLVE_IN_ROOT);
	w.wants_directory = pin_trim(&w.rest);
	r = open_root(&w, base);
	if (r)
		return r;
	w.at = duplicate(path.p[0] == '/' || base < 0 ? w.root : base);
	if (w.at < 0)
		return decode_fail(ACTION_UNREADABLE);
	return walk_all(&w, ret);
}
