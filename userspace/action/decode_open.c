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

static int decode_flags(struct decode *c, int flags, uint64_t resolve)
{
	struct action *a = c->a;
	_cleanup_(resolved_fini) struct resolved found = RESOLVED_INIT;
	struct look look = {.flags = LOOK_FOLLOW, .resolve = resolve & ~(uint64_t)RESOLVE_CACHED};
	int dirfd = c->row->dirfd == TRAP_NO_ARG ? AT_FDCWD : decode_arg_int(c, c->row->dirfd);
	int r;

	/* Told apart even if the call goes wrong later: a record names the operation. */
	a->op = !(flags & O_PATH) && writes(flags) ? OP_WRITE : OP_READ;
	if ((flags & O_NOFOLLOW) || (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		look.flags = 0;
	if (!(flags & (O_CREAT | TMPFILE_BIT)))
		look.flags |= LOOK_NAME_ONLY;
	r = target_read_string(c, decode_arg(c, c->row->path), ACTION_PATH_MAX, ENAMETOOLONG,
			       &a->asked);
	if (r)
		return r;
	r = resolve_path(c, dirfd, a->asked, look, &found);
	if (r)
		return r;
	a->object = found.path;
	a->exists = found.exists;
	if (found.is_own_pathless)
		return 0; /* its own pipe, by another name */
	return add_steps(c, flags, found.exists, found.path);
}

int decode_open(struct decode *c)
{
	int flags = c->row->flags == TRAP_NO_ARG ? O_CREAT | O_WRONLY | O_TRUNC /* creat(2) */
						 : decode_arg_int(c, c->row->flags);

	return decode_flags(c, flags, 0);
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
	return decode_flags(c, (int)how.flags, how.resolve);
}
