/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From what the agent wrote to the name of the object that the kernel would use. The kernel itself
 * walks the path for us (openat2 with O_PATH), and says the name of what it found; only where our
 * own identity would show (/proc/self, magic links), or where something is missing, walk.c does it.
 *
 * What our credentials may not walk is still named, lexically: a path never becomes "no object".
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "action/decode.h"
#include "base/io.h"

#define FD_NAME_SIZE 24

static void format_fd(char out[static FD_NAME_SIZE], const char *prefix, int fd)
{
	char digits[12];
	size_t i = sizeof(digits);
	size_t n = strlen(prefix);
	unsigned v = (unsigned)fd;

	do {
		digits[--i] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	memcpy(out, prefix, n);
	memcpy(out + n, digits + i, sizeof(digits) - i);
	out[n + sizeof(digits) - i] = '\0';
}

int resolve_link(struct decode *c, int fd, struct bytes *ret)
{
	char name[FD_NAME_SIZE];
	char *buf = arena_alloc(&c->d->arena, ACTION_PATH_MAX + 1);
	ssize_t n;

	if (!buf)
		return decode_fail(ACTION_NO_MEMORY);
	format_fd(name, "", fd);
	n = readlinkat(c->d->self_fds, name, buf, ACTION_PATH_MAX);
	if (n < 0 || n == ACTION_PATH_MAX) {
		bool is_deep = n >= 0 || errno == ENAMETOOLONG;

		arena_trim(&c->d->arena, buf, 0);
		return decode_fail(is_deep ? ACTION_TOO_LONG : ACTION_UNREADABLE);
	}
	if (n && buf[0] == '(') /* "(unreachable)/x": outside of every root that we know */
		return decode_fail(ACTION_UNREADABLE);
	buf[n] = '\0';
	arena_trim(&c->d->arena, buf, (size_t)n + 1);
	*ret = (struct bytes){.p = buf, .len = (size_t)n};
	return 0;
}

/*
 * The name of a directory by making it the thread's own: getcwd(2) costs half of what the link in
 * /proc/self/fd does, for which the kernel first looks up the descriptor's file there. Nothing is
 * kept by it: the directory is let go of with the call's descriptors (action_decoder_release()), or
 * nobody could unmount what it is on.
 * Return: whether it has a name that our root knows; what does not is left to the link.
 */
static bool name_directory(struct decode *c, int fd, struct bytes *ret)
{
	char *buf;
	long n;

	if (!c->d->has_own_cwd || fchdir(fd) < 0)
		return false;
	c->d->is_elsewhere = true;
	buf = arena_alloc(&c->d->arena, ACTION_PATH_MAX + 1);
	/* The C library's would look for a name by itself where the kernel has none. */
	n = buf ? syscall(SYS_getcwd, buf, ACTION_PATH_MAX) : -1;
	if (n > 1 && buf[0] == '/') {
		arena_trim(&c->d->arena, buf, (size_t)n);
		*ret = (struct bytes){.p = buf, .len = (size_t)n - 1};
		return true;
	}
	if (buf)
		arena_trim(&c->d->arena, buf, 0);
	return false;
}

int resolve_text(struct decode *c, int fd, struct bytes *ret)
{
	int r = resolve_link(c, fd, ret);

	if (r < 0 || c->d->has_foreign_roots)
		(void)rights_settle();
	if (r == decode_fail(ACTION_TOO_LONG))
		r = deep_name(c, fd, ret);
	return r == 0 && c->d->has_foreign_roots ? home_name(c, fd, ret) : r;
}

int resolve_directory_text(struct decode *c, int fd, struct bytes *ret)
{
	if (!c->d->has_foreign_roots && name_directory(c, fd, ret))
		return 0;
	return resolve_text(c, fd, ret);
}

int resolve_lexical(struct decode *c, struct bytes base, struct bytes path, struct bytes *ret)
{
	char *buf = arena_alloc(&c->d->arena, base.len + path.len + 3);
	size_t len = 0;

	if (!buf)
		return decode_fail(ACTION_NO_MEMORY);
	if (path.len == 0 || path.p[0] != '/') {
		while (base.len && base.p[base.len - 1] == '/')
			base.len--;
		if (base.len)
			memcpy(buf, base.p, base.len);
		len = base.len;
	}
	for (size_t i = 0; i < path.len;) {
		const char *slash = memchr(path.p + i, '/', path.len - i);
		size_t n = slash ? (size_t)(slash - path.p) - i : path.len - i;
		const char *p = path.p + i;

		i += n + 1;
		if (n == 0 || (n == 1 && p[0] == '.'))
			continue;
		if (n == 2 && p[0] == '.' && p[1] == '.') {
			while (len && buf[--len] != '/')
				;
			continue;
		}
		buf[len++] = '/';
		memcpy(buf + len, p, n);
		len += n;
	}
	if (len == 0)
		buf[len++] = '/';
	buf[len] = '\0';
	arena_trim(&c->d->arena, buf, len + 1);
	*ret = (struct bytes){.p = buf, .len = len};
	return 0;
}

bool resolve_names_us(const struct decode *c, struct bytes text)
{
	const char *name = c->d->self_name;
	size_t n = c->d->self_name_len;

	for (const char *p = text.p; (p = memmem(p, text.len - (size_t)(p - text.p), name, n));
	     p++) {
		const char *after = p + n;

		if (after == text.p + text.len || *after == '/')
			return true;
	}
	return false;
}

/* What the target has as @dirfd, O_PATH. Return: a descriptor or, for no descriptor, as a decoder
 * with the value in *ret_error. */
static int open_thing(struct decode *c, int dirfd, int *ret_error)
{
	char name[FD_NAME_SIZE] = "cwd";
	int fd;

	*ret_error = 0;
	if (dirfd < 0 && dirfd != AT_FDCWD) {
		*ret_error = EBADF;
		return -1;
	}
	if (dirfd != AT_FDCWD)
		format_fd(name, "fd/", dirfd);
	fd = target_open(c, name, O_PATH);
	if (fd >= 0)
		return fd;
	if (fd == -ENOENT && dirfd != AT_FDCWD)
		*ret_error = EBADF;
	else
		*ret_error = decode_fail(ACTION_UNREADABLE);
	return -1;
}

/* Whether @number is a task of a process that guards the session, also one of its threads, whose
 * directory in a procfs is not listed but is there. */
static bool is_guard_task(const struct decode *c, pid_t number)
{
	const pid_t guards[] = {c->d->self, c->d->config.guards[0], c->d->config.guards[1]};
	char path[64];

	(void)rights_settle();

	for (size_t i = 0; i < ARRAY_SIZE(guards); i++) {
		if (guards[i] <= 0)
			continue;
		if (guards[i] == number)
			return true;
		(void)snprintf(path, sizeof(path), "/proc/%d/task/%d", (int)guards[i], (int)number);
		if (faccessat(AT_FDCWD, path, F_OK, AT_EACCESS) == 0)
			return true;
	}
	return false;
}

/* Of one who has ended by the time that the kernel's record of him is read, nothing is known; then
 * his number is looked at like any other. */
static bool is_callers(const struct decode *c, pid_t number)
{
	return c->t && (number == c->t->tgid || number == c->t->tid);
}

bool resolve_names_guard(const struct decode *c, struct bytes text, bool only_first)
{
	while (text.len) {
		const char *slash;
		uint64_t number;
		struct bytes name;

		text.p++; /* the slash before the name */
		text.len--;
		slash = memchr(text.p, '/', text.len);
		name = (struct bytes){.p = text.p,
				      .len = slash ? (size_t)(slash - text.p) : text.len};
		text.p += name.len;
		text.len -= name.len;
		if (parse_u64(name, INT32_MAX, &number) == 0 && !is_callers(c, (pid_t)number) &&
		    is_guard_task(c, (pid_t)number))
			return true;
		if (only_first)
			break;
	}
	return false;
}

/* The directory that relative paths start from. Return: as open_thing(), perhaps not O_PATH. */
static int open_base(struct decode *c, int dirfd, int *ret_error)
{
	int fd = dirfd < 0 ? -EAGAIN : target_take_directory(c, dirfd);

	*ret_error = fd == -EBADF ? EBADF : 0;
	if (fd >= 0 || fd == -EBADF)
		return MAX(fd, -1);
	return open_thing(c, dirfd, ret_error);
}

/* A pipe, a socket, an anonymous file: the fd is the target's own. */
static int keep_found(struct decode *c, int *fd, struct look look, struct resolved *ret)
{
	int r = resolve_text(c, *fd, &ret->path);

	if (r)
		return r;
	ret->exists = true;
	if (look.flags & LOOK_WANT_FD)
		ret->fd = TAKE_FD(*fd);
	return 0;
}

int resolve_fd(struct decode *c, int fd, struct look look, struct resolved *ret)
{
	_cleanup_(fd_closep) int base = -1;
	int r;

	base = open_thing(c, fd, &r);
	if (base < 0)
		return r;
	r = look.flags & LOOK_PIN ? pin_object(c, &base, ret) : keep_found(c, &base, look, ret);
	if (r)
		return r;
	ret->is_own_pathless = resolve_is_pathless(ret->path);
	return 0;
}

/* The parent exists and the last name does not: what every creation and many a search asks for. */
static int resolve_missing(struct decode *c, int base, struct bytes path, struct look look,
			   struct resolved *ret)
{
	_cleanup_(fd_closep) int parent = -1;
	const char *slash = memrchr(path.p, '/', path.len);
	const char *last = slash ? slash + 1 : path.p;
	struct bytes name = bytes_of(last);
	struct bytes text;
	char dir[ACTION_PATH_MAX] _uninitialized_;
	char one;
	int r;

	/* A trailing slash, "." and ".." are left to the walk. */
	if (name.len == 0 || streq(last, ".") || streq(last, "..") || path.len >= sizeof(dir))
		return RESOLVE_UNDECIDED;
	memcpy(dir, slash ? path.p : ".", slash ? (size_t)(last - path.p) : 1);
	dir[slash ? last - path.p : 1] = '\0';
	parent = target_open_at(c, base, dir, O_PATH | O_DIRECTORY,
				RESOLVE_NO_MAGICLINKS | look.resolve);
	if (parent < 0)
		return RESOLVE_UNDECIDED;
	/* A dangling link, or no longer missing. Nothing comes of either for a call that does not
	 * create. */
	if (!(look.flags & LOOK_NAME_ONLY) &&
	    (readlinkat(parent, last, &one, 1) >= 0 || errno != ENOENT))
		return RESOLVE_UNDECIDED;
	r = resolve_directory_text(c, parent, &text);
	if (r)
		return r;
	if (resolve_names_us(c, text))
		return RESOLVE_UNDECIDED;
	ret->exists = false;
	return resolve_lexical(c, text, name, &ret->path);
}

static int resolve_fast(struct decode *c, int base, struct bytes path, struct look look,
			struct resolved *ret)
{
	_cleanup_(fd_closep) int fd = -1;
	int flags = O_PATH | (look.flags & LOOK_FOLLOW ? 0 : O_NOFOLLOW);
	int r;

	fd = target_open_at(c, base, path.p, flags, RESOLVE_NO_MAGICLINKS | look.resolve);
	if (fd == -ENOENT)
		return resolve_missing(c, base, path, look, ret);
	if (fd < 0)
		return RESOLVE_UNDECIDED;
	r = keep_found(c, &fd, look, ret);
	if (r)
		return r;
	if (resolve_names_us(c, ret->path)) {
		resolved_fini(ret);
		return RESOLVE_UNDECIDED;
	}
	return 0;
}

/* One name, no more: nothing on the way to it that could be a link. */
static bool is_plain_name(struct bytes path)
{
	return path.len <= NAME_MAX && !memchr(path.p, '/', path.len) && !bytes_eq_str(path, ".") &&
	       !bytes_eq_str(path, "..");
}

/*
 * A name right below a directory, itself not followed: the directory's name and that one are all
 * there is to it. What walks a tree (fts(3): grep -r, find, rm -r, tar) asks this way, and it costs
 * a third of the full resolution.
 */
static int resolve_child(struct decode *c, int dirfd, struct bytes path, struct resolved *ret)
{
	char link[FD_NAME_SIZE] = "cwd";
	struct bytes dir;
	int r;

	if (dirfd != AT_FDCWD && dirfd < 0)
		return RESOLVE_UNDECIDED;
	if (dirfd != AT_FDCWD)
		format_fd(link, "fd/", dirfd);
	r = target_readlink(c, link, &dir);
	if (r)
		return RESOLVE_UNDECIDED;
	/* A directory that was removed, one outside of every root, or no directory at all. */
	if (dir.len == 0 || dir.p[0] != '/' || bytes_has_suffix(dir, BYTES_LIT(" (deleted)")))
		return RESOLVE_UNDECIDED;
	ret->exists = true;
	return resolve_lexical(c, dir, path, &ret->path);
}

int resolve_path(struct decode *c, int dirfd, struct bytes path, struct look look,
		 struct resolved *ret)
{
	_cleanup_(fd_closep) int base = -1;
	/* RESOLVE_IN_ROOT and BENEATH give absolute paths a base, too. */
	bool has_base = path.len == 0 || path.p[0] != '/' ||
			(look.resolve & (RESOLVE_IN_ROOT | RESOLVE_BENEATH));
	int r;

	if (path.len == 0) {
		if (look.flags & LOOK_EMPTY_PATH)
			return resolve_fd(c, dirfd, look, ret);
		return ENOENT;
	}
	if ((look.flags & LOOK_NAME_ONLY) &&
	    !(look.flags & (LOOK_FOLLOW | LOOK_WANT_FD | LOOK_PIN)) && !look.resolve &&
	    !c->d->has_foreign_roots && is_plain_name(path)) {
		r = resolve_child(c, dirfd, path, ret);
		if (r != RESOLVE_UNDECIDED)
			return r;
	}
	if (has_base) {
		base = open_base(c, dirfd, &r);
		if (base < 0)
			return r;
	}
	if (!c->d->has_foreign_roots) {
		r = look.flags & LOOK_PIN
			    ? pin_path(c, &base, path, look, ret)
			    : resolve_fast(c, base < 0 ? AT_FDCWD : base, path, look, ret);
		if (r != RESOLVE_UNDECIDED)
			return r;
		if (has_base && base < 0)
			base = open_base(c, dirfd, &r);
		if (has_base && base < 0)
			return r;
	}
	(void)rights_settle();
	return walk_path(c, base, path, look, ret);
}
