/* SPDX-License-Identifier: Apache-2.0 */
/* The open family: which operations a set of flags amounts to. */
#include <fcntl.h>
#include <linux/openat2.h>

#include "action/decode.h"

#define TMPFILE_BIT (O_TMPFILE & ~O_DIRECTORY) /* __O_TMPFILE */
#if defined(__aarch64__)
#define LARGEFILE_BIT 0400000 /* the C library has 0 for it on 64 bits, the kernel has not */
#else
#define LARGEFILE_BIT 0100000
#endif
#define HOW_FLAGS                                                                                  \
	((uint64_t)(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK |    \
		    O_SYNC | O_DSYNC | O_ASYNC | O_DIRECT | LARGEFILE_BIT | O_DIRECTORY |          \
		    O_NOFOLLOW | O_NOATIME | O_CLOEXEC | O_PATH | O_TMPFILE))
#define HOW_RESOLVE                                                                                \
	(RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH |         \
	 RESOLVE_IN_ROOT | RESOLVE_CACHED)
#define HOW_SIZE_MIN 24u   /* OPEN_HOW_SIZE_VER0 */
#define HOW_SIZE_MAX 4096u /* PAGE_SIZE: more is E2BIG */

static bool writes(int flags)
{
	return (flags & O_ACCMODE) != O_RDONLY;
}

/* Mode 3 asks for both permissions and gives neither (ioctl only): taken for both. */
static bool reads(int flags)
{
	return (flags & O_ACCMODE) != O_WRONLY;
}

static bool may_change(int flags)
{
	return (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC | TMPFILE_BIT));
}

/* Adds the steps, the strongest first: that one is what the action is called. */
static int add_steps(struct decode *c, int flags, bool exists, struct bytes path)
{
	bool creates =
		!(flags & O_PATH) && ((flags & TMPFILE_BIT) || ((flags & O_CREAT) && !exists));
	bool truncates = !(flags & (O_PATH | TMPFILE_BIT)) && (flags & O_TRUNC) && !creates;
	bool is_write = !(flags & O_PATH) && writes(flags);
	const struct {
		bool wanted;
		enum action_op op;
	} steps[] = {
		{creates, OP_CREATE},
		{is_write, OP_WRITE},
		{truncates, OP_TRUNCATE},
		{(flags & O_PATH) || reads(flags), OP_READ},
	};

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		int r;

		if (!steps[i].wanted)
			continue;
		r = step_add_path(c, steps[i].op, path);
		if (r)
			return r;
	}
	c->a->op = c->a->steps[0].op;
	return 0;
}

/*
 * What the kernel itself checks of the flags before it looks at the path (build_open_flags() in
 * fs/open.c). Return: 0, the errno.
 */
static int check_flags(const struct act_open *o)
{
	uint64_t flags = o->flags;

	if (flags & O_PATH)
		return 0;
	if ((flags & TMPFILE_BIT) && (!(flags & O_DIRECTORY) || !writes((int)flags)))
		return EINVAL;
	if ((flags & (O_CREAT | O_DIRECTORY)) == (O_CREAT | O_DIRECTORY))
		return EINVAL; /* since Linux 6.4; before, a file was made and ENOTDIR returned */
	if ((o->resolve & RESOLVE_CACHED) && (flags & (O_TRUNC | O_CREAT | TMPFILE_BIT)))
		return EAGAIN;
	return 0;
}

static struct look look_for(const struct act_open *o)
{
	struct look look = {.flags = LOOK_FOLLOW | (o->flags & O_PATH ? 0 : LOOK_PIN),
			    .resolve = o->resolve & ~(uint64_t)RESOLVE_CACHED};
	uint64_t flags = o->flags;

	if ((flags & O_NOFOLLOW) || (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		look.flags &= ~LOOK_FOLLOW;
	if (!(flags & O_CREAT))
		look.flags |= LOOK_NAME_ONLY;
	return look;
}

/* @o: as the call has it. */
static int decode_flags(struct decode *c, struct act_open o)
{
	struct action *a = c->a;
	_cleanup_(resolved_fini) struct resolved found = RESOLVED_INIT;
	int dirfd = c->row->dirfd == TRAP_NO_ARG ? AT_FDCWD : decode_arg_int(c, c->row->dirfd);
	int flags = (int)o.flags;
	struct look look;
	bool ends_in_slash;
	int r;

	/* Told apart even if the call goes wrong later: a record names the operation. */
	a->op = !(flags & O_PATH) && writes(flags) ? OP_WRITE : OP_READ;
	r = check_flags(&o);
	if (r)
		return r;
	c->leaves_rights = c->d->rights.may_stay && !may_change(flags);
	if (!c->leaves_rights)
		(void)rights_settle();
	r = target_read_string(c, decode_arg(c, c->row->path), ACTION_PATH_MAX, ENAMETOOLONG,
			       &a->asked);
	if (r)
		return r;
	look = look_for(&o);
	/* With O_CREAT the kernel does not look what a slash stands behind. */
	ends_in_slash = (flags & O_CREAT) && bytes_has_suffix(a->asked, BYTES_LIT("/"));
	if (ends_in_slash)
		look.flags = LOOK_PIN | LOOK_ENTRY | LOOK_NAME_ONLY;
	r = resolve_path(c, dirfd, a->asked, look, &found);
	if (r)
		return r;
	if (ends_in_slash && found.pin.parent >= 0)
		return EISDIR;
	a->object = found.path;
	a->exists = found.exists;
	a->looks_outside = a->looks_outside || procfs_is_memory_outside(c, &found);
	o.creates = !found.exists && (flags & O_CREAT);
	o.stays = c->d->has_foreign_roots;
	/*
	 * O_PATH stays at ACT_CONTINUE, because SECCOMP_IOCTL_NOTIF_ADDFD takes no such descriptor
	 * (EBADF). WHY-CONTINUE-IS-SAFE: the flags are in a register, and a descriptor that can be
	 * neither read nor written tells no more than stat(2) and chdir(2), which nobody traps;
	 * whatever is done through it later (a path below it, /proc/self/fd, execveat) is judged by
	 * itself, by the object that it then leads to.
	 */
	if (!(flags & O_PATH)) {
		a->act.kind = ACT_OPEN;
		a->act.pin = found.pin;
		a->act.open = o;
	}
	if (found.is_own_pathless)
		return 0; /* its own pipe, by another name */
	return add_steps(c, flags, found.exists, found.path);
}

int decode_open(struct decode *c)
{
	bool is_creat = c->row->flags == TRAP_NO_ARG; /* creat(2) */
	int flags = is_creat ? O_CREAT | O_WRONLY | O_TRUNC : decode_arg_int(c, c->row->flags);
	int mode = is_creat ? c->row->path + 1 : c->row->flags + 1;

	/* Bits that open(2) does not know are no error to it. */
	if (flags & O_PATH) /* which makes it ignore others */
		flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	return decode_flags(c, (struct act_open){.flags = (uint64_t)(uint32_t)flags & HOW_FLAGS,
						 .mode = (mode_t)decode_arg(c, mode)});
}

/* What a newer caller added must be zero, as copy_struct_from_user() wants it. */
static int check_tail(struct decode *c, uint64_t address, size_t len)
{
	char buf[256];

	while (len) {
		size_t n = MIN(len, sizeof(buf));
		int r = target_read(c, address, buf, n);

		if (r)
			return r;
		for (size_t i = 0; i < n; i++)
			if (buf[i])
				return E2BIG;
		address += n;
		len -= n;
	}
	return 0;
}

/* What openat2(2) refuses and open(2) lets pass. */
static bool is_bad_how(const struct open_how *how)
{
	const uint64_t confined = RESOLVE_BENEATH | RESOLVE_IN_ROOT;
	const uint64_t beside_path = O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC;

	if ((how->resolve & confined) == confined)
		return true;
	if (how->mode & ~UINT64_C(07777) || (how->mode && !(how->flags & (O_CREAT | TMPFILE_BIT))))
		return true;
	return (how->flags & O_PATH) && (how->flags & ~beside_path);
}

int decode_openat2(struct decode *c)
{
	uint64_t address = decode_arg(c, c->row->flags);
	uint64_t size = decode_arg(c, c->row->flags + 1);
	struct open_how how;
	int r;

	if (size < HOW_SIZE_MIN)
		return EINVAL;
	if (size > HOW_SIZE_MAX)
		return E2BIG;
	r = target_read(c, address, &how, sizeof(how));
	if (r)
		return r;
	r = check_tail(c, address + sizeof(how), (size_t)size - sizeof(how));
	if (r)
		return r;
	if ((how.flags & ~HOW_FLAGS) || (how.resolve & ~(uint64_t)HOW_RESOLVE))
		return decode_fail(ACTION_UNKNOWN);
	if (is_bad_how(&how))
		return EINVAL;
	/* Cannot be injected, and its flags are in memory: another open would come of a continue.
	 * Callers of openat2(2) know what to do without it. */
	if (how.flags & O_PATH)
		return ENOSYS;
	return decode_flags(c, (struct act_open){.flags = how.flags,
						 .mode = (mode_t)how.mode,
						 .resolve = how.resolve});
}
