/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/limits.h>
#include <linux/xattr.h>
#include <sys/time.h>
#include <utime.h>

#include "action/decode_change.h"

#define NR_SETXATTRAT    463
#define NR_REMOVEXATTRAT 466
#define NR_FILE_SETATTR  469
#define STRUCT_MAX       4096u /* PAGE_SIZE: larger ones are E2BIG, all of copy_struct_from_user() */
#define XATTR_ARGS_SIZE  16u   /* XATTR_ARGS_SIZE_VER0 of linux/xattr.h */
#define FILE_ATTR_SIZE   24u   /* FILE_ATTR_SIZE_VER0 of linux/fs.h */
#define FILE_ATTR_XFLAGS                                                                           \
	0x8003ffffu /* FS_XFLAG_*: a change with others fails with EINVAL at once */
#define USEC_PER_SEC 1000000
#define NS_PER_USEC  1000

/* struct xattr_args of linux/xattr.h (6.13), which the distribution's headers do not have. */
struct xattr_args_v0 {
	uint64_t value;
	uint32_t size, flags;
};

/* The first argument behind the path or descriptor. */
static int first_argument(const struct trap_row *row)
{
	return (row->path == TRAP_NO_ARG ? row->dirfd : row->path) + 1;
}

/* A structure that later versions of the kernel may lengthen: what is beyond @known must be zero.
 * @least: the size of its first version. *ret has @size bytes. */
static int read_struct(struct decode *c, uint64_t address, uint64_t size, size_t least,
		       const void **ret)
{
	char *p;
	int r;

	if (size < least)
		return EINVAL;
	if (size > STRUCT_MAX)
		return E2BIG;
	p = arena_alloc(&c->d->arena, (size_t)size);
	if (!p)
		return decode_fail(ACTION_NO_MEMORY);
	r = target_read(c, address, p, (size_t)size);
	if (r)
		return r;
	for (size_t i = least; i < size; i++)
		if (p[i])
			return E2BIG;
	*ret = p;
	return 0;
}

/* ---- times */

static int set_times(struct decode *c, const struct timespec times[2])
{
	struct bytes copy;
	int r = decode_copy(c, times, 2 * sizeof(*times), &copy);

	c->a->act.change.data = copy.p;
	c->a->act.change.data_len = copy.len;
	return r;
}

#ifdef __NR_utime /* newer architectures have utimensat alone */
static int prepare_utime(struct decode *c, uint64_t address)
{
	struct timespec times[2] = {};
	struct utimbuf in;
	int r = target_read(c, address, &in, sizeof(in));

	times[0].tv_sec = in.actime;
	times[1].tv_sec = in.modtime;
	return r ? r : set_times(c, times);
}

static int prepare_timevals(struct decode *c, uint64_t address)
{
	struct timespec times[2] = {};
	struct timeval in[2];
	int r = target_read(c, address, in, sizeof(in));

	if (r)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(in); i++) {
		if (in[i].tv_usec < 0 || in[i].tv_usec >= USEC_PER_SEC)
			return EINVAL;
		times[i].tv_sec = in[i].tv_sec;
		times[i].tv_nsec = in[i].tv_usec * NS_PER_USEC;
	}
	return set_times(c, times);
}
#endif

static int prepare_timespecs(struct decode *c, uint64_t address)
{
	struct timespec times[2];
	int r = target_read(c, address, times, sizeof(times));

	return r ? r : set_times(c, times);
}

static int prepare_times(struct decode *c)
{
	uint64_t address = decode_arg(c, first_argument(c->row));

	if (address == 0)
		return 0;
	switch (c->row->nr) {
#ifdef __NR_utime
	case __NR_utime:
		return prepare_utime(c, address);
	case __NR_utimes:
	case __NR_futimesat:
		return prepare_timevals(c, address);
#endif
	default:
		return prepare_timespecs(c, address);
	}
}

bool change_is_nothing(const struct decode *c)
{
	const struct timespec *times = c->a->act.change.data;

	return c->row->nr == __NR_utimensat && times && times[0].tv_nsec == UTIME_OMIT &&
	       times[1].tv_nsec == UTIME_OMIT;
}

bool change_takes_null(const struct decode *c, int flags)
{
	switch (c->row->nr) {
	case NR_SETXATTRAT:
	case NR_REMOVEXATTRAT:
	case NR_FILE_SETATTR:
		return flags & AT_EMPTY_PATH;
	default:
		return false;
	}
}

/* ---- extended attributes */

static int prepare_xattr_name(struct decode *c, uint64_t address)
{
	struct bytes *name = &c->a->act.change.attr;
	int r = target_read_string(c, address, XATTR_NAME_MAX + 1, ERANGE, name);

	if (r)
		return r;
	return name->len == 0 ? ERANGE : 0;
}

struct xattr_value {
	uint64_t address, size;
	int flags;
};

static int prepare_xattr_value(struct decode *c, uint64_t name, struct xattr_value v)
{
	struct act_change *change = &c->a->act.change;
	char *p;
	int r;

	if (v.flags & ~(XATTR_CREATE | XATTR_REPLACE))
		return EINVAL;
	r = prepare_xattr_name(c, name);
	if (r)
		return r;
	change->number[0] = CHANGE_XATTR_SET;
	change->flags = v.flags;
	if (v.size == 0)
		return 0;
	if (v.size > XATTR_SIZE_MAX)
		return E2BIG;
	p = arena_alloc(&c->d->arena, (size_t)v.size);
	if (!p)
		return decode_fail(ACTION_NO_MEMORY);
	change->data = p;
	change->data_len = (size_t)v.size;
	return target_read(c, v.address, p, (size_t)v.size);
}

static int check_at_flags(const struct decode *c)
{
	return decode_arg_int(c, c->row->flags) & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) ? EINVAL
											 : 0;
}

static int prepare_setxattrat(struct decode *c)
{
	const struct xattr_args_v0 *args;
	const void *p;
	int r;

	r = read_struct(c, decode_arg(c, 4), decode_arg(c, 5), XATTR_ARGS_SIZE, &p);
	if (r)
		return r;
	args = p;
	r = check_at_flags(c);
	if (r)
		return r;
	return prepare_xattr_value(c, decode_arg(c, 3),
				   (struct xattr_value){.address = args->value,
							.size = args->size,
							.flags = (int)args->flags});
}

static int prepare_setxattr(struct decode *c)
{
	int i = first_argument(c->row);

	return prepare_xattr_value(c, decode_arg(c, i),
				   (struct xattr_value){.address = decode_arg(c, i + 1),
							.size = decode_arg(c, i + 2),
							.flags = decode_arg_int(c, i + 3)});
}

static int prepare_removexattr(struct decode *c)
{
	int i = first_argument(c->row);
	int r = 0;

	if (c->row->nr == NR_REMOVEXATTRAT) {
		r = check_at_flags(c);
		i++; /* behind the flags */
	}
	c->a->act.change.number[0] = CHANGE_XATTR_REMOVE;
	return r ? r : prepare_xattr_name(c, decode_arg(c, i));
}

static int prepare_file_attr(struct decode *c)
{
	struct act_change *change = &c->a->act.change;
	int r = check_at_flags(c);
	uint64_t xflags; /* the first member */

	if (r)
		return r;
	change->number[0] = CHANGE_FILE_ATTR;
	change->data_len = (size_t)decode_arg(c, 3);
	r = read_struct(c, decode_arg(c, 2), decode_arg(c, 3), FILE_ATTR_SIZE, &change->data);
	if (r)
		return r;
	memcpy(&xflags, change->data, sizeof(xflags));
	return xflags & ~(uint64_t)FILE_ATTR_XFLAGS ? EINVAL : 0;
}

static int prepare_xattr(struct decode *c)
{
	switch (c->row->nr) {
	case NR_SETXATTRAT:
		return prepare_setxattrat(c);
	case NR_FILE_SETATTR:
		return prepare_file_attr(c);
	case NR_REMOVEXATTRAT:
	case __NR_removexattr:
	case __NR_lremovexattr:
	case __NR_fremovexattr:
		return prepare_removexattr(c);
	default:
		return prepare_setxattr(c);
	}
}

/* ---- numbers */

static int prepare_delete(struct decode *c)
{
	struct act_change *change = &c->a->act.change;

#ifdef __NR_rmdir
	if (c->row->nr == __NR_rmdir)
		change->flags = AT_REMOVEDIR;
#endif
	if (c->row->nr == __NR_unlinkat)
		change->flags = decode_arg_int(c, 2);
	return change->flags & ~AT_REMOVEDIR ? EINVAL : 0;
}

static int prepare_numbers(struct decode *c)
{
	int i = first_argument(c->row);

	c->a->act.change.number[0] = decode_arg(c, i);
	c->a->act.change.number[1] = decode_arg(c, i + 1);
	return 0;
}

/* The kernel looks at the type before it looks at the path. */
static int prepare_mknod(struct decode *c)
{
	int r = prepare_numbers(c);

	switch (c->a->act.change.number[0] & S_IFMT) {
	case 0:
	case S_IFREG:
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		return r;
	case S_IFDIR:
		return EPERM;
	default:
		return EINVAL;
	}
}

static int prepare_truncate(struct decode *c)
{
	int r = prepare_numbers(c);

	return (int64_t)c->a->act.change.number[0] < 0 ? EINVAL : r;
}

int change_prepare(struct decode *c)
{
	static int (*const prepare[_OP_MAX])(struct decode *) = {
		[OP_DELETE] = prepare_delete, [OP_MKDIR] = prepare_numbers,
		[OP_MKNOD] = prepare_mknod,   [OP_CHMOD] = prepare_numbers,
		[OP_CHOWN] = prepare_numbers, [OP_TIMES] = prepare_times,
		[OP_XATTR] = prepare_xattr,   [OP_TRUNCATE] = prepare_truncate,
	};

	c->a->act.change = (struct act_change){};
	return prepare[c->row->op] ? prepare[c->row->op](c) : 0;
}
