/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The name of an object where the session began. An agent that may mount can give another name to
 * what is denied, to Holdfast's own files, and to all of /proc; a rule names what it names, so such
 * an object is judged by the name that it had before the session.
 *
 * The mounts of the beginning are kept. For an object on any other mount the kernel says which file
 * system it is on and which part of that is mounted; the names that follow for the mounts of the
 * beginning are tried, and one counts only if it leads to the same inode. Which of the agent's
 * directories the mount is on may so change meanwhile, and nothing is lost by it.
 *
 * A file system that was not there at the beginning (a tmpfs of a sandbox) keeps the agent's names.
 * Not so an overlay: what it shows lies elsewhere, under names that nobody has judged.
 */
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "action/decode.h"
#include "base/io.h"

#define MOUNTINFO_MAX ((size_t)4 << 20)

struct mount_line {
	uint64_t id;
	dev_t dev;
	struct bytes root; /* within the file system; "" for all of it */
	struct bytes place;
	/* Of the beginning: what was at @place. 0: something else covers it. */
	uint64_t root_inode;
	dev_t root_dev; /* as stat(2) has it, which is not @dev on some file systems (btrfs) */
};

struct action_home {
	struct strbuf text; /* what the lines point into */
	struct mount_line *lines;
	size_t n;
};

/* Takes a word off @rest. */
static struct bytes next_word(struct bytes *rest)
{
	const char *end = memchr(rest->p, ' ', rest->len);
	size_t len = end ? (size_t)(end - rest->p) : rest->len;
	struct bytes word = {.p = rest->p, .len = len};

	rest->p += end ? len + 1 : len;
	rest->len -= end ? len + 1 : len;
	return word;
}

/* In place: "\040" is a blank. */
static struct bytes unescape(struct bytes word)
{
	char *to = (char *)(uintptr_t)word.p;
	size_t n = 0;

	for (size_t i = 0; i < word.len; i++) {
		const char *p = word.p + i;

		if (*p == '\\' && i + 3 < word.len) {
			to[n++] = (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
			i += 3;
		} else {
			to[n++] = *p;
		}
	}
	return (struct bytes){.p = word.p, .len = n};
}

/* proc_pid_mountinfo(5): "36 35 98:0 /root /place options ...". */
static bool parse_line(struct bytes line, struct mount_line *ret)
{
	struct bytes id = next_word(&line), dev, major_part, minor_part;
	const char *colon;
	uint64_t major_number, minor_number;

	(void)next_word(&line);
	dev = next_word(&line);
	colon = memchr(dev.p, ':', dev.len);
	if (!colon)
		return false;
	major_part = (struct bytes){.p = dev.p, .len = (size_t)(colon - dev.p)};
	minor_part = (struct bytes){.p = colon + 1, .len = dev.len - major_part.len - 1};
	if (parse_u64(id, UINT64_MAX, &ret->id) < 0 ||
	    parse_u64(major_part, UINT32_MAX, &major_number) < 0 ||
	    parse_u64(minor_part, UINT32_MAX, &minor_number) < 0)
		return false;
	ret->dev = makedev((unsigned int)major_number, (unsigned int)minor_number);
	ret->root = unescape(next_word(&line));
	ret->place = unescape(next_word(&line));
	if (bytes_eq_str(ret->root, "/"))
		ret->root.len = 0;
	if (bytes_eq_str(ret->place, "/"))
		ret->place.len = 0;
	return true;
}

static bool next_line(struct bytes *rest, struct bytes *ret)
{
	const char *end;

	if (rest->len == 0)
		return false;
	end = memchr(rest->p, '\n', rest->len);
	ret->p = rest->p;
	ret->len = end ? (size_t)(end - rest->p) : rest->len;
	rest->p += end ? ret->len + 1 : ret->len;
	rest->len -= end ? ret->len + 1 : ret->len;
	return true;
}

static int by_root(const void *a, const void *b)
{
	const struct mount_line *x = a, *y = b;

	return (x->root.len > y->root.len) - (x->root.len < y->root.len);
}

/* What is at the mount's place. Return: whether that is the mount itself. */
static bool look_at_place(const struct mount_line *m, struct statx *ret)
{
	char path[ACTION_PATH_MAX];

	if (m->place.len >= sizeof(path))
		return false;
	memcpy(path, m->place.p, m->place.len);
	memcpy(path + m->place.len, m->place.len ? "" : "/", m->place.len ? 1 : 2);
	return statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC,
		     STATX_INO | STATX_MNT_ID, ret) == 0 &&
	       (ret->stx_mask & STATX_MNT_ID) && ret->stx_mnt_id == m->id &&
	       (ret->stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

/*
 * Whether @text, on the mount with number @id, is a name of the beginning. Numbers are used again
 * and mounts can be moved: but a mount of this number, at that place, of the same inode, has
 * everything below it that it had. Reading mountinfo would cost forty times as much.
 */
static bool is_in_place(const struct action_home *home, uint64_t id, struct bytes text)
{
	struct statx now;

	for (size_t i = 0; i < home->n; i++) {
		const struct mount_line *m = &home->lines[i];

		if (m->id == id)
			return m->root_inode && bytes_has_prefix(text, m->place) &&
			       (text.len == m->place.len || text.p[m->place.len] == '/') &&
			       look_at_place(m, &now) && now.stx_ino == m->root_inode &&
			       makedev(now.stx_dev_major, now.stx_dev_minor) == m->root_dev;
	}
	return false;
}

int action_home_new(struct action_home **ret)
{
	struct action_home *home = calloc(1, sizeof(*home));
	struct bytes rest, line;
	size_t lines = 0;
	int r;

	if (!home)
		return -ENOMEM;
	home->text = STRBUF_INIT(MOUNTINFO_MAX);
	r = io_read_file_at(AT_FDCWD, "/proc/self/mountinfo", &home->text);
	for (size_t i = 0; r == 0 && i < home->text.len; i++)
		lines += home->text.p[i] == '\n';
	home->lines = calloc(lines + 1, sizeof(*home->lines));
	if (r == 0 && !home->lines)
		r = -ENOMEM;
	if (r < 0) {
		action_home_free(home);
		return r;
	}
	rest = strbuf_bytes(&home->text);
	while (home->n < lines && next_line(&rest, &line)) {
		struct mount_line *m = &home->lines[home->n];
		struct statx there;

		if (!parse_line(line, m))
			continue;
		home->n++;
		if (!look_at_place(m, &there))
			continue;
		m->root_inode = there.stx_ino;
		m->root_dev = makedev(there.stx_dev_major, there.stx_dev_minor);
	}
	qsort(home->lines, home->n, sizeof(*home->lines), by_root);
	*ret = home;
	return 0;
}

struct action_home *action_home_free(struct action_home *home)
{
	if (home) {
		free(home->lines);
		strbuf_fini(&home->text);
		free(home);
	}
	return NULL;
}

/* ---- one object */

struct lookup {
	const struct action_home *home;
	struct bytes text;
	struct statx at;
	dev_t dev;
	bool is_known; /* @mount is set */
	struct mount_line mount;
};

static bool find_mount(int fd, struct strbuf *text, struct lookup *l)
{
	struct bytes rest, line;

	strbuf_reset(text);
	if (fd < 0 || io_read_all(fd, text) < 0)
		return false;
	rest = strbuf_bytes(text);
	while (next_line(&rest, &line))
		if (parse_line(line, &l->mount) && l->mount.id == l->at.stx_mnt_id)
			return true;
	return false;
}

/* Numbers of mounts are used again, so all of the line must be as it was. */
static bool is_of_the_beginning(const struct lookup *l)
{
	for (size_t i = 0; i < l->home->n; i++) {
		const struct mount_line *m = &l->home->lines[i];

		if (m->id == l->mount.id && m->dev == l->mount.dev &&
		    bytes_eq(m->root, l->mount.root) && bytes_eq(m->place, l->mount.place))
			return true;
	}
	return false;
}

static bool is_same_object(const struct lookup *l, const char *path)
{
	_cleanup_(fd_closep) int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && st.st_ino == l->at.stx_ino &&
	       major(st.st_dev) == l->at.stx_dev_major && minor(st.st_dev) == l->at.stx_dev_minor;
}

/* What is @tail below the mounted part, as seen through @m. Return: whether it is the object. */
static bool try_name(const struct lookup *l, const struct mount_line *m, struct bytes tail,
		     struct strbuf *path)
{
	struct bytes root = l->is_known ? l->mount.root : BYTES_LIT("");

	strbuf_reset(path);
	strbuf_add(path, root.p, root.len);
	strbuf_add(path, tail.p, tail.len);
	if (!bytes_has_prefix(strbuf_bytes(path), m->root) ||
	    (path->len > m->root.len && path->p[m->root.len] != '/'))
		return false;
	strbuf_reset(path);
	strbuf_add(path, m->place.p, m->place.len);
	if (root.len > m->root.len) {
		strbuf_add(path, root.p + m->root.len, root.len - m->root.len);
		strbuf_add(path, tail.p, tail.len);
	} else {
		size_t rest = m->root.len - root.len;

		strbuf_add(path, tail.p + rest, tail.len - rest);
	}
	if (path->len == 0)
		strbuf_add_char(path, '/');
	return !path->error && is_same_object(l, strbuf_str(path));
}

/* Return: 1 when @path is the name, 0 when it has none here, a decoder's error. */
static int find_name(const struct lookup *l, struct strbuf *path)
{
	bool is_here = false;

	for (size_t i = 0; i < l->home->n; i++) {
		const struct mount_line *m = &l->home->lines[i];

		if (m->dev != l->dev)
			continue;
		is_here = true;
		for (size_t from = 0; from <= l->text.len; from++) {
			struct bytes tail = {.p = l->text.p + from, .len = l->text.len - from};

			if (tail.len && tail.p[0] != '/')
				continue;
			if (bytes_eq_str(tail, "/"))
				tail.len = 0;
			if (try_name(l, m, tail, path))
				return 1;
		}
	}
	return is_here ? decode_fail(ACTION_UNREADABLE) : 0;
}

/* Removed objects and memory have no name; whatever it is called, it is nobody else. */
static bool is_nameless(const struct lookup *l)
{
	return l->at.stx_nlink == 0 && bytes_has_suffix(l->text, BYTES_LIT(" (deleted)"));
}

int home_name(struct decode *c, int fd, struct bytes *text)
{
	_cleanup_(strbuf_fini) struct strbuf lines = STRBUF_INIT(MOUNTINFO_MAX);
	_cleanup_(strbuf_fini) struct strbuf path = STRBUF_INIT(2 * ACTION_PATH_MAX);
	_cleanup_(fd_closep) int theirs = -1;
	_cleanup_(fd_closep) int ours = -1;
	struct lookup l = {.home = c->d->config.home, .text = *text};
	struct statfs fs;
	int r;

	if (!l.home || resolve_is_pathless(*text))
		return 0;
	if (statx(fd, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW,
		  STATX_INO | STATX_NLINK | STATX_MNT_ID, &l.at) < 0 ||
	    !(l.at.stx_mask & STATX_MNT_ID) || fstatfs(fd, &fs) < 0)
		return decode_fail(ACTION_UNREADABLE);
	if (is_nameless(&l) || is_in_place(l.home, l.at.stx_mnt_id, *text))
		return 0;
	theirs = target_open(c, "mountinfo", O_RDONLY);
	l.is_known = find_mount(theirs, &lines, &l);
	if (!l.is_known) {
		ours = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
		l.is_known = find_mount(ours, &lines, &l);
	}
	if (l.is_known && is_of_the_beginning(&l))
		return 0;
	l.dev = l.is_known ? l.mount.dev : makedev(l.at.stx_dev_major, l.at.stx_dev_minor);
	r = find_name(&l, &path);
	if (r == 1)
		return decode_copy(c, path.p, path.len, text);
	return r == 0 && fs.f_type == OVERLAYFS_SUPER_MAGIC ? decode_fail(ACTION_UNREADABLE) : r;
}
