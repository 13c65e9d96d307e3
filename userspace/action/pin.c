/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pinning the place that a path leads to: its parent directory as a descriptor, and one name in it.
 * What is judged is the kernel's name of that descriptor and the name; what is performed acts on
 * the same two, so that a link or a directory that the agent changes meanwhile leads nowhere else.
 *
 * The kernel walks to the parent in one call. The last component is only ever looked at, never
 * walked through: where it is a link, its text starts the next round, from the same parent.
 * Keeping parents from one call to the next was rejected: whether a path still leads to them could
 * only be found out by walking it.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/vfs.h>

#include "action/decode.h"

#define PIN_MAX_LINKS 40 /* MAXSYMLINKS: more are ELOOP */

bool pin_trim(struct bytes *path)
{
	size_t len = path->len;

	while (path->len > 1 && path->p[path->len - 1] == '/')
		path->len--;
	return path->len != len;
}

int pin_object(struct decode *c, int *object, struct resolved *ret)
{
	int r = resolve_text(c, *object, &ret->path);

	if (r)
		return r;
	ret->exists = true;
	ret->pin = ACT_PIN_INIT;
	ret->pin.object = act_own(c, TAKE_FD(*object));
	return 0;
}

int pin_entry(struct decode *c, int *parent, struct bytes name, int *object, bool wants_directory,
	      struct resolved *ret)
{
	struct bytes text, copy;
	int r;

	r = resolve_directory_text(c, *parent, &text);
	if (r)
		return r;
	r = resolve_lexical(c, text, name, &ret->path);
	if (r)
		return r;
	r = decode_copy(c, name.p, name.len, &copy);
	if (r)
		return r;
	ret->pin = ACT_PIN_INIT;
	ret->pin.parent = act_own(c, TAKE_FD(*parent));
	ret->pin.object = act_own(c, TAKE_FD(*object));
	ret->pin.name = copy;
	ret->pin.wants_directory = wants_directory;
	return 0;
}

/* One round: the parent of what @path names from @base, and what is there. */
struct round {
	int *base;         /* consumed where it is the parent itself */
	struct bytes path; /* NUL-terminated behind perhaps some slashes */
	struct bytes name; /* its last component */
	bool wants_directory;
	int parent, object;
	char *link; /* text of the link that must be followed, .len of it; NULL: none */
	size_t link_len;
	bool exists;
};

static void round_fini(struct round *o)
{
	o->parent = fd_close(o->parent);
	o->object = fd_close(o->object);
}

static int open_parent(struct decode *c, struct round *o, struct look look)
{
	size_t len = (size_t)(o->name.p - o->path.p);
	char dir[ACTION_PATH_MAX] _uninitialized_;

	if (len == 0 && *o->base >= 0) {
		o->parent = TAKE_FD(*o->base);
		return 0;
	}
	if (len >= sizeof(dir))
		return RESOLVE_UNDECIDED;
	memcpy(dir, o->path.p, len);
	dir[len] = '\0';
	o->parent = target_walk_at(c, *o->base < 0 ? AT_FDCWD : *o->base, dir,
				   RESOLVE_NO_MAGICLINKS | look.resolve);
	return o->parent < 0 ? RESOLVE_UNDECIDED : 0;
}

static bool is_in_procfs(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) < 0 || fs.f_type == PROC_SUPER_MAGIC;
}

/* Reads the link that @name in the parent is, if it is one. */
static int read_link(struct decode *c, struct round *o, const char *name)
{
	char *text = arena_alloc(&c->d->arena, ACTION_PATH_MAX + 1);
	ssize_t n;

	if (!text)
		return decode_fail(ACTION_NO_MEMORY);
	n = readlinkat(o->parent, name, text, ACTION_PATH_MAX);
	if (n < 0) {
		arena_trim(&c->d->arena, text, 0);
		if (errno != EINVAL && errno != ENOENT)
			return RESOLVE_UNDECIDED;
		o->exists = errno == EINVAL;
		return 0;
	}
	/* Magic links, and "self", mean something else to the target. */
	if (n == 0 || n == ACTION_PATH_MAX || is_in_procfs(o->parent))
		return RESOLVE_UNDECIDED;
	text[n] = '\0';
	arena_trim(&c->d->arena, text, (size_t)n + 1);
	o->exists = true;
	o->link = text;
	o->link_len = (size_t)n;
	return 0;
}

static int look_at_object(struct decode *c, struct round *o, const char *name, struct look look)
{
	struct stat st;

	o->object = target_open_at(c, o->parent, name, O_PATH | O_NOFOLLOW, look.resolve);
	if (o->object == -ENOENT) {
		o->exists = false;
		o->object = -1;
		return 0;
	}
	if (o->object < 0 || fstat(o->object, &st) < 0)
		return RESOLVE_UNDECIDED;
	o->exists = true;
	return S_ISLNK(st.st_mode) ? 1 : 0;
}

/* What is there under the name, as far as the caller wants to know. */
static int look_at_name(struct decode *c, struct round *o, struct look look)
{
	bool follows =
		(look.flags & LOOK_FOLLOW) || (o->wants_directory && !(look.flags & LOOK_ENTRY));
	char name[NAME_MAX + 1];
	int r;

	memcpy(name, o->name.p, o->name.len);
	name[o->name.len] = '\0';
	o->exists = true;
	if (look.flags & LOOK_WANT_FD) {
		r = look_at_object(c, o, name, look);
		if (r <= 0 || !follows)
			return MIN(r, 0);
		o->object = fd_close(o->object);
		return read_link(c, o, name);
	}
	if (!follows && (look.flags & LOOK_NAME_ONLY))
		return 0;
	r = read_link(c, o, name);
	if (r || !o->link)
		return r;
	if (!follows)
		o->link = NULL;
	return 0;
}

static bool split(struct round *o)
{
	const char *slash;

	o->wants_directory |= pin_trim(&o->path);
	slash = memrchr(o->path.p, '/', o->path.len);
	o->name.p = slash ? slash + 1 : o->path.p;
	o->name.len = o->path.len - (size_t)(o->name.p - o->path.p);
	return o->name.len > 0 && o->name.len <= NAME_MAX && !bytes_eq_str(o->name, ".") &&
	       !bytes_eq_str(o->name, "..");
}

/* "/", "." and "..": no name to act on. */
static int pin_nameless(struct decode *c, const struct round *o, struct look look,
			struct resolved *ret)
{
	_cleanup_(fd_closep) int fd = -1;
	int r;

	if (o->name.len > NAME_MAX)
		return RESOLVE_UNDECIDED;
	fd = target_open_at(c, *o->base < 0 ? AT_FDCWD : *o->base, o->path.p, O_PATH | O_DIRECTORY,
			    RESOLVE_NO_MAGICLINKS | look.resolve);
	if (fd < 0)
		return RESOLVE_UNDECIDED;
	r = pin_object(c, &fd, ret);
	if (r == 0 && resolve_names_us(c, ret->path))
		return RESOLVE_UNDECIDED;
	return r;
}

/* A link was found: the next round starts where its text does. */
static int next_round(struct round *o, struct look look)
{
	/* What RESOLVE_* forbid is seen from the first directory. */
	if (look.resolve)
		return RESOLVE_UNDECIDED;
	*o->base = fd_close(*o->base);
	if (o->link[0] != '/')
		*o->base = TAKE_FD(o->parent);
	o->parent = fd_close(o->parent);
	o->path = (struct bytes){.p = o->link, .len = o->link_len};
	o->link = NULL;
	return 0;
}

int pin_path(struct decode *c, int *base, struct bytes path, struct look look, struct resolved *ret)
{
	_cleanup_(round_fini) struct round o = {
		.base = base, .path = path, .parent = -1, .object = -1};
	int r;

	for (unsigned i = 0; i <= PIN_MAX_LINKS; i++) {
		if (!split(&o))
			return pin_nameless(c, &o, look, ret);
		r = open_parent(c, &o, look);
		if (r)
			return r;
		r = look_at_name(c, &o, look);
		if (r)
			return r;
		if (!o.link) {
			ret->exists = o.exists;
			r = pin_entry(c, &o.parent, o.name, &o.object, o.wants_directory, ret);
			return r == 0 && resolve_names_us(c, ret->path) ? RESOLVE_UNDECIDED : r;
		}
		r = next_round(&o, look);
		if (r)
			return r;
	}
	return ELOOP;
}
