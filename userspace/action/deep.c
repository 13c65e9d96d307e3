/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The name of a directory that lies deeper than the kernel can say (a page, d_path() in
 * fs/d_path.c): "rm -r" of a tree that a program made by mkdir and chdir goes there. From such a
 * directory upward each one is looked for in its parent, with the caller's rights, until the kernel
 * knows the name; the whole is then walked down again, and must lead back. What cannot be found so
 * (a parent that may not be read, a mount on the way) stays without a name, and is denied.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>

#include "action/decode.h"
#include "base/strbuf.h"

/* How many entries of directories one name may cost: some ten milliseconds. */
#define DEEP_ENTRIES_MAX 32768
#define DEEP_PIECE_MAX   (ACTION_PATH_MAX - 1)

struct deep {
	struct decode *c;
	struct strbuf names; /* from below: "c", "/b", "/a", each NUL-terminated */
	size_t n_names;
	unsigned n_entries;
	int at; /* the directory reached; its own name is not in names yet */
	struct stat st;
};

static void deep_fini(struct deep *d)
{
	strbuf_fini(&d->names);
	d->at = fd_close(d->at);
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Looks for what d->at is called in @parent. */
static bool find_entry(struct deep *d, int parent)
{
	_cleanup_(fd_closep) int fd =
		target_open_at(d->c, parent, ".", O_RDONLY | O_DIRECTORY, RESOLVE_NO_XDEV);
	const struct dirent *e;
	bool found = false;
	struct stat st;
	DIR *dir;

	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return false;
	fd = -1; /* the stream's now */
	while (!found && d->n_entries++ < DEEP_ENTRIES_MAX && (e = readdir(dir))) {
		if (e->d_ino != d->st.st_ino || streq(e->d_name, ".") || streq(e->d_name, ".."))
			continue;
		found = fstatat(parent, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			is_same(&st, &d->st);
		if (found)
			strbuf_add(&d->names, e->d_name, strlen(e->d_name) + 1);
	}
	(void)closedir(dir);
	return found && !strbuf_error(&d->names);
}

static bool go_up(struct deep *d)
{
	_cleanup_(fd_closep) int parent =
		target_open_at(d->c, d->at, "..", O_PATH | O_DIRECTORY, RESOLVE_NO_XDEV);

	if (parent < 0 || !find_entry(d, parent) || fstat(parent, &d->st) < 0)
		return false;
	d->n_names++;
	(void)fd_close(d->at);
	d->at = TAKE_FD(parent);
	return true;
}

/* The names from above, "/" before each, behind @top. */
static int join(struct deep *d, struct bytes top, struct bytes *ret)
{
	char *buf = arena_alloc(&d->c->d->arena, top.len + d->names.len + d->n_names + 1);
	const char *end = d->names.p + d->names.len;
	size_t len = top.len == 1 ? 0 : top.len; /* "/" */

	if (!buf)
		return decode_fail(ACTION_NO_MEMORY);
	memcpy(buf, top.p, len);
	for (size_t i = 0; i < d->n_names; i++) {
		const char *name = end - 1;

		while (name > d->names.p && name[-1])
			name--;
		buf[len++] = '/';
		memcpy(buf + len, name, (size_t)(end - name) - 1);
		len += (size_t)(end - name) - 1;
		end = name;
	}
	buf[len] = '\0';
	*ret = (struct bytes){.p = buf, .len = len};
	return 0;
}

/* Whether @tail, which begins with a slash, leads from d->at to the object of @fd. */
static bool leads_to(struct deep *d, struct bytes tail, int fd)
{
	struct stat there, here;

	while (tail.len) {
		char piece[DEEP_PIECE_MAX + 1];
		size_t n = MIN(tail.len, (size_t)DEEP_PIECE_MAX);
		int next;

		while (n < tail.len && tail.p[n] != '/')
			n--; /* a name has at most 255 bytes, so there is a slash */
		memcpy(piece, tail.p + 1, n - 1);
		piece[n - 1] = '\0';
		next = target_open_at(d->c, d->at, piece, O_PATH | O_DIRECTORY,
				      RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS);
		(void)fd_close(d->at);
		d->at = next;
		if (next < 0)
			return false;
		tail.p += n;
		tail.len -= n;
	}
	return fstat(d->at, &there) == 0 && fstat(fd, &here) == 0 && is_same(&there, &here);
}

int deep_name(struct decode *c, int fd, struct bytes *ret)
{
	_cleanup_(deep_fini) struct deep d = {
		.c = c, .names = STRBUF_INIT(ACTION_DEEP_MAX), .at = -1};
	struct bytes top, path;
	int r;

	d.at = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (d.at < 0 || fstat(d.at, &d.st) < 0)
		return decode_fail(ACTION_UNREADABLE);
	if (!S_ISDIR(d.st.st_mode))
		return decode_fail(ACTION_TOO_LONG);
	do {
		if (!go_up(&d))
			return decode_fail(ACTION_TOO_LONG);
		r = resolve_link(c, d.at, &top);
	} while (r == decode_fail(ACTION_TOO_LONG));
	if (r == 0)
		r = join(&d, top, &path);
	if (r)
		return r;
	top.len = top.len == 1 ? 0 : top.len;
	if (!leads_to(&d, (struct bytes){.p = path.p + top.len, .len = path.len - top.len}, fd))
		return decode_fail(ACTION_TOO_LONG);
	*ret = path;
	return 0;
}

int deep_read_cwd(struct decode *c, struct bytes *ret)
{
	_cleanup_(fd_closep) int fd = -1;
	int r = target_readlink(c, "cwd", ret);

	if (r != decode_fail(ACTION_TOO_LONG))
		return r;
	fd = target_open(c, "cwd", O_PATH | O_DIRECTORY);
	return fd < 0 ? decode_fail(ACTION_UNREADABLE) : deep_name(c, fd, ret);
}
