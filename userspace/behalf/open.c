/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens what was judged. One component below a pinned parent, through no link: what lies there now
 * is what the name that was judged means, whatever the agent does to the way there. Where there is
 * no name, the object itself is pinned and opened again through our own /proc/self/fd.
 *
 * Links are kept out by RESOLVE_NO_SYMLINKS and not by O_NOFOLLOW, which would stay in the flags
 * that fcntl(2) shows. A FIFO blocks this thread as it would the agent: no end of it is opened
 * earlier or other than the agent's own call would.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "behalf/behalf_private.h"

#define TMPFILE_BIT ((uint64_t)(O_TMPFILE & ~O_DIRECTORY)) /* __O_TMPFILE */
#define MODE_BITS   ((mode_t)07777)

static bool may_create(uint64_t flags)
{
	return flags & (O_CREAT | TMPFILE_BIT);
}

/* Whether the call can end in a new file, as open_named() makes it: what is there is opened without
 * O_CREAT, unless the call insists on making it. To know the umask is half of what a creation
 * costs. */
static bool wants_umask(const struct act_open *o)
{
	const uint64_t exclusive = O_CREAT | O_EXCL;

	return o->creates || (o->flags & exclusive) == exclusive || (o->flags & TMPFILE_BIT);
}

/* Return: a descriptor, -errno. */
static int open_below(int parent, const char *name, uint64_t flags, mode_t mode, uint64_t resolve)
{
	const struct open_how how = {
		.flags = flags | O_CLOEXEC | O_NOCTTY,
		.mode = may_create(flags) ? mode & MODE_BITS : 0,
		.resolve = resolve,
	};
	int fd = (int)syscall(SYS_openat2, parent, name, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

/* A name that had a slash behind it gets it back: the kernel knows what that means. */
static const char *name_of(const struct act_pin *pin, char buf[static NAME_MAX + 2])
{
	if (!pin->wants_directory)
		return pin->name.p;
	memcpy(buf, pin->name.p, pin->name.len);
	memcpy(buf + pin->name.len, "/", 2);
	return buf;
}

/* By its name. -ESTALE: something else is there than was judged. */
static int open_named(const struct action *a, uint64_t flags)
{

	const struct act_open *o = &a->act.open;
	const struct act_pin *pin = &a->act.pin;
	bool is_exclusive = (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL);
	char buf[NAME_MAX + 2];
	const char *name = name_of(pin, buf);
	bool creates = o->creates && (flags & O_CREAT);
	struct stat st;
	int fd;

	if (creates)
		flags |= O_EXCL;
	else if (!is_exclusive)
		flags &= ~(uint64_t)O_CREAT;
	fd = open_below(pin->parent, name, flags, o->mode,
			RESOLVE_NO_SYMLINKS | (o->stays ? RESOLVE_NO_XDEV : 0) |
				(o->resolve & RESOLVE_NO_XDEV));
	if (fd == -EXDEV && !(o->resolve & RESOLVE_NO_XDEV))
		return -ESTALE;
	if (fd == -EEXIST && creates && !is_exclusive)
		return -ESTALE;
	if (fd == -ENOENT && !creates && (o->flags & O_CREAT))
		return -ESTALE;
	if (fd == -ELOOP && (!(flags & O_NOFOLLOW) || pin->wants_directory))
		return -ESTALE;
	/* open(2) refuses this with O_CREAT, which is not passed on; before it looks at rights. */
	if ((fd >= 0 || fd == -EACCES) && !creates && (o->flags & O_CREAT) &&
	    fstatat(pin->parent, pin->name.p, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISDIR(st.st_mode)) {
		(void)fd_close(fd);
		return -EISDIR;
	}
	return fd;
}

/* The object itself. */
static int open_again(struct behalf *b, const struct action *a, uint64_t flags)
{
	const struct act_open *o = &a->act.open;
	char name[BEHALF_FD_NAME_SIZE];
	struct stat st;

	if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		return -EEXIST;
	if (flags & (O_CREAT | O_NOFOLLOW)) {
		if (fstat(a->act.pin.object, &st) < 0)
			return -errno;
		if ((flags & O_CREAT) && S_ISDIR(st.st_mode))
			return -EISDIR;
		/* Below itself, where fcntl(2) is to show O_NOFOLLOW. */
		if ((flags & O_NOFOLLOW) && S_ISDIR(st.st_mode))
			return open_below(a->act.pin.object, ".", flags, o->mode, 0);
	}
	/* The link in /proc/self/fd is ours, and is to be followed. */
	flags &= ~(uint64_t)(O_CREAT | O_NOFOLLOW);
	return open_below(b->self_fds, behalf_fd_name(a->act.pin.object, name), flags, o->mode, 0);
}

/* How the call is to be made. */
struct open_order {
	uint64_t flags;
	int tty; /* what is opened in the place of /dev/tty; BEHALF_TTY_OURS: nothing */
};

static int open_tty(struct behalf *b, const struct action *a, const struct open_order *o)
{
	char name[BEHALF_FD_NAME_SIZE];
	uint64_t flags = o->flags;

	(void)a;
	if (flags & O_DIRECTORY)
		return -ENOTDIR;
	flags &= ~(uint64_t)(O_CREAT | O_EXCL | O_NOFOLLOW);
	return open_below(b->self_fds, behalf_fd_name(o->tty, name), flags, 0, 0);
}

static int open_pinned(struct behalf *b, const struct action *a, void *arg)
{
	const struct act_pin *pin = &a->act.pin;
	const struct open_order *o = arg;

	if (o->tty >= 0)
		return open_tty(b, a, o);
	if (pin->parent >= 0)
		return open_named(a, o->flags);
	if (pin->object >= 0)
		return open_again(b, a, o->flags);
	return pin->error ? -pin->error : -ENOENT;
}

/* See userns.c for both reasons. A FIFO would block a child that no signal of ours reaches. */
static bool wants_userns(const struct action *a, int fd)
{
	const struct act_pin *pin = &a->act.pin;
	struct stat st;

	if (bytes_has_prefix(a->object, BYTES_LIT("/proc/")))
		return true;
	if ((fd != -EACCES && fd != -EPERM) || pin->parent < 0)
		return false;
	return fstatat(pin->parent, pin->name.p, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	       !S_ISFIFO(st.st_mode);
}

/* Return: a descriptor, -errno. */
static int open_as_agent(struct behalf *b, const struct action *a, uint64_t flags)
{
	_cleanup_(fd_closep) int tty = BEHALF_TTY_OURS;
	struct open_order o = {.flags = flags};
	int fd;

	if (a->act.pin.parent >= 0 && !a->act.open.creates && behalf_is_tty(&a->act.pin))
		tty = behalf_find_tty(b, a, flags);
	if (tty < 0 && tty != BEHALF_TTY_OURS)
		return tty;
	o.tty = tty;
	fd = behalf_call(b, a, open_pinned, &o);
	if (wants_userns(a, fd) && behalf_is_in_userns(b, a->tid)) {
		(void)fd_close(fd);
		fd = behalf_call_in_userns(b, a, open_pinned, &o);
	}
	return fd;
}

int behalf_open(struct behalf *b, const struct action *a, struct behalf_result *ret)
{
	uint64_t flags = a->act.open.flags & ~(uint64_t)O_CLOEXEC;
	int fd, r;

	*ret = (struct behalf_result){.fd = -1, .is_cloexec = a->act.open.flags & O_CLOEXEC};
	if (wants_umask(&a->act.open)) {
		r = behalf_take_umask(b, a->tid);
		if (r < 0)
			return r;
	}
	if (flags & (O_CREAT | O_TRUNC | TMPFILE_BIT)) {
		r = behalf_still_waits(b, a);
		if (r < 0)
			return r;
	}
	fd = open_as_agent(b, a, flags);
	if (fd == -ESTALE)
		return -ESTALE;
	if (fd == -EINTR)
		return BEHALF_INTERRUPTED;
	if (fd < 0)
		ret->error = -fd;
	else
		ret->fd = fd;
	return 0;
}
