/* SPDX-License-Identifier: Apache-2.0 */
/* Of changes.c: the calls, one line each. What a call does to its path is all that its name says.
 */
#pragma once

#include "changes_fixture.h"

/* ---- shapes of paths */

static const struct shape {
	const char *label, *path;
} shapes[] = {
	{"f", "f"},
	{"missing", "new"},
	{"d", "d"},
	{"e", "e"},
	{"d/", "d/"},
	{"e//", "e//"},
	{"f/", "f/"},
	{"missing/", "new/"},
	{"l", "l"},
	{"l/", "l/"},
	{"ld", "ld"},
	{"ld/", "ld/"},
	{"dang", "dang"},
	{"dang/", "dang/"},
	{"loop", "loop"},
	{"loop/x", "loop/x"},
	{".", "."},
	{"..", ".."},
	{"./", "./"},
	{"d/.", "d/."},
	{"d/..", "d/.."},
	{"d/../", "d/../"},
	{"/", "/"},
	{"//", "//"},
	{"/.", "/."},
	{"/..", "/.."},
	{"empty", ""},
	{"noparent/x", "new/x"},
	{"f/x", "f/x"},
	{"f/.", "f/."},
	{"f/..", "f/.."},
	{"new/.", "new/."},
	{"new/..", "new/.."},
	{"na/x", "na/x"},
	{"na/new", "na/new"},
	{"na/", "na/"},
	{"ro/x", "ro/x"},
	{"ro/new", "ro/new"},
	{"d/x", "d/x"},
	{"d/new", "d/new"},
	{"ld/x", "ld/x"},
	{"ld/new", "ld/new"},
	{"dang/x", "dang/x"},
	{"p", "p"},
	{"hl", "hl"},
	{"s", "s"},
	{"sg/new", "sg/new"},
	{"d/d/../x", "d/../d/x"},
	{"long", long_name},
	{"long/x", long_path + 1},
	{"too-long", long_path},
	{"fd", fd_path},
	{"NULL", NULL},
	{"bad", BAD_POINTER},
	{"cwd/f", "/proc/self/cwd/f"},
	{"self", "/proc/self"},
	{"dev-null/x", "/dev/null/x"},
};

/* ---- calls with one path */

static const struct timespec set_times[2] = {{.tv_sec = 11, .tv_nsec = 12}, {.tv_sec = 13}};
static const struct timespec now_omit[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_OMIT}};
static const struct timespec omit_set[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 99}};
static const struct timespec omit_both[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_OMIT}};
static const struct timespec bad_times[2] = {{.tv_nsec = 1000000000}, {}};
static const struct timeval set_timevals[2] = {{.tv_sec = 21, .tv_usec = 22}, {.tv_sec = 23}};
static const struct timeval bad_timevals[2] = {{.tv_usec = 1000000}, {}};
static const struct utimbuf set_utimes = {.actime = 31, .modtime = 33};
static char big_value[XATTR_MAX + 1];

struct xattr_args_v0 {
	uint64_t value __attribute__((aligned(8)));
	uint32_t size, flags;
};

struct file_attr_v0 {
	uint64_t xflags;
	uint32_t extsize, nextents, projid, cowextsize;
};

#define CALL(name, ...)                                                                            \
	static long name(const char *p)                                                            \
	{                                                                                          \
		return __VA_ARGS__;                                                                \
	}

CALL(do_unlink, syscall(__NR_unlink, p))
CALL(do_rmdir, syscall(__NR_rmdir, p))
CALL(do_unlinkat, syscall(__NR_unlinkat, AT_FDCWD, p, 0))
CALL(do_unlinkat_dir, syscall(__NR_unlinkat, AT_FDCWD, p, AT_REMOVEDIR))
CALL(do_unlinkat_flag, syscall(__NR_unlinkat, AT_FDCWD, p, 1))
CALL(do_unlinkat_dirfd, syscall(__NR_unlinkat, dir_fd, p, 0))
CALL(do_unlinkat_badfd, syscall(__NR_unlinkat, 999, p, 0))
CALL(do_unlinkat_filefd, syscall(__NR_unlinkat, file_fd, p, 0))
CALL(do_mkdir, syscall(__NR_mkdir, p, 0777))
CALL(do_mkdir_sticky, syscall(__NR_mkdir, p, 07777))
CALL(do_mkdirat, syscall(__NR_mkdirat, dir_fd, p, 0700))
CALL(do_mknod_fifo, syscall(__NR_mknod, p, S_IFIFO | 0666, 0))
CALL(do_mknod_sock, syscall(__NR_mknod, p, S_IFSOCK | 0777, 0))
CALL(do_mknod_reg, syscall(__NR_mknod, p, S_IFREG | 0666, 0))
CALL(do_mknod_zero, syscall(__NR_mknod, p, 0640, 0))
CALL(do_mknod_dir, syscall(__NR_mknod, p, S_IFDIR | 0777, 0))
CALL(do_mknod_link, syscall(__NR_mknod, p, S_IFLNK | 0777, 0))
CALL(do_mknod_bad, syscall(__NR_mknod, p, 0150000, 0))
CALL(do_mknod_whiteout, syscall(__NR_mknod, p, S_IFCHR | 0666, 0))
CALL(do_mknodat, syscall(__NR_mknodat, dir_fd, p, S_IFIFO | 0600, 0))
CALL(do_symlink, syscall(__NR_symlink, "text", p))
CALL(do_symlink_empty, syscall(__NR_symlink, "", p))
CALL(do_symlink_bad, syscall(__NR_symlink, BAD_POINTER, p))
CALL(do_symlink_long, syscall(__NR_symlink, long_path, p))
CALL(do_symlinkat, syscall(__NR_symlinkat, "../up", dir_fd, p))
CALL(do_chmod, syscall(__NR_chmod, p, 0604))
CALL(do_chmod_suid, syscall(__NR_chmod, p, 06711))
CALL(do_chmod_high, syscall(__NR_chmod, p, 0170644))
CALL(do_fchmodat, syscall(__NR_fchmodat, dir_fd, p, 0604))
CALL(do_fchmodat2, syscall(NR_FCHMODAT2, AT_FDCWD, p, 0604, 0))
CALL(do_fchmodat2_nofollow, syscall(NR_FCHMODAT2, AT_FDCWD, p, 0604, AT_SYMLINK_NOFOLLOW))
CALL(do_fchmodat2_empty, syscall(NR_FCHMODAT2, file_fd, p, 0604, AT_EMPTY_PATH))
CALL(do_fchmodat2_bad, syscall(NR_FCHMODAT2, AT_FDCWD, p, 0604, 0x40))
CALL(do_chown_none, syscall(__NR_chown, p, -1, -1))
CALL(do_chown, syscall(__NR_chown, p, getuid(), getgid()))
CALL(do_chown_other, syscall(__NR_chown, p, 12345, 54321))
CALL(do_lchown, syscall(__NR_lchown, p, getuid(), getgid()))
CALL(do_lchown_other, syscall(__NR_lchown, p, 12345, -1))
CALL(do_fchownat, syscall(__NR_fchownat, AT_FDCWD, p, -1, getgid(), AT_SYMLINK_NOFOLLOW))
CALL(do_fchownat_empty, syscall(__NR_fchownat, path_fd, p, getuid(), -1, AT_EMPTY_PATH))
CALL(do_fchownat_bad, syscall(__NR_fchownat, AT_FDCWD, p, -1, -1, 0x80))
CALL(do_utime, syscall(__NR_utime, p, &set_utimes))
CALL(do_utime_null, syscall(__NR_utime, p, NULL))
CALL(do_utime_bad, syscall(__NR_utime, p, 8))
CALL(do_utimes, syscall(__NR_utimes, p, set_timevals))
CALL(do_utimes_null, syscall(__NR_utimes, p, NULL))
CALL(do_utimes_bad, syscall(__NR_utimes, p, bad_timevals))
CALL(do_futimesat, syscall(__NR_futimesat, dir_fd, p, set_timevals))
CALL(do_utimensat, syscall(__NR_utimensat, AT_FDCWD, p, set_times, 0))
CALL(do_utimensat_null, syscall(__NR_utimensat, AT_FDCWD, p, NULL, 0))
CALL(do_utimensat_nofollow, syscall(__NR_utimensat, AT_FDCWD, p, set_times, AT_SYMLINK_NOFOLLOW))
CALL(do_utimensat_now, syscall(__NR_utimensat, AT_FDCWD, p, now_omit, 0))
CALL(do_utimensat_omit, syscall(__NR_utimensat, AT_FDCWD, p, omit_set, 0))
CALL(do_utimensat_omits, syscall(__NR_utimensat, AT_FDCWD, p, omit_both, 0))
CALL(do_utimensat_range, syscall(__NR_utimensat, AT_FDCWD, p, bad_times, 0))
CALL(do_utimensat_fault, syscall(__NR_utimensat, AT_FDCWD, p, 8, 0))
CALL(do_utimensat_flag, syscall(__NR_utimensat, AT_FDCWD, p, set_times, 0x4000))
CALL(do_utimensat_fd, syscall(__NR_utimensat, file_fd, p, set_times, 0))
CALL(do_utimensat_empty, syscall(__NR_utimensat, path_fd, p, set_times, AT_EMPTY_PATH))
CALL(do_setxattr, syscall(__NR_setxattr, p, "user.k", "value", 5, 0))
CALL(do_setxattr_create, syscall(__NR_setxattr, p, "user.had", "v", 1, XATTR_CREATE))
CALL(do_setxattr_replace, syscall(__NR_setxattr, p, "user.k", "v", 1, XATTR_REPLACE))
CALL(do_setxattr_flag, syscall(__NR_setxattr, p, "user.k", "v", 1, 8))
CALL(do_setxattr_empty, syscall(__NR_setxattr, p, "user.k", NULL, 0, 0))
CALL(do_setxattr_big, syscall(__NR_setxattr, p, "user.k", big_value, 1000, 0))
CALL(do_setxattr_over, syscall(__NR_setxattr, p, "user.k", big_value, XATTR_MAX + 1, 0))
CALL(do_setxattr_fault, syscall(__NR_setxattr, p, "user.k", BAD_POINTER, 4, 0))
CALL(do_setxattr_name, syscall(__NR_setxattr, p, long_name, "v", 1, 0))
CALL(do_setxattr_noname, syscall(__NR_setxattr, p, "", "v", 1, 0))
CALL(do_setxattr_badname, syscall(__NR_setxattr, p, BAD_POINTER, "v", 1, 0))
CALL(do_setxattr_space, syscall(__NR_setxattr, p, "bogus.k", "v", 1, 0))
CALL(do_lsetxattr, syscall(__NR_lsetxattr, p, "user.k", "value", 5, 0))
CALL(do_removexattr, syscall(__NR_removexattr, p, "user.had"))
CALL(do_removexattr_none, syscall(__NR_removexattr, p, "user.none"))
CALL(do_lremovexattr, syscall(__NR_lremovexattr, p, "user.had"))
CALL(do_removexattrat, syscall(NR_REMOVEXATTRAT, AT_FDCWD, p, 0, "user.had"))
CALL(do_removexattrat_empty, syscall(NR_REMOVEXATTRAT, file_fd, p, AT_EMPTY_PATH, "user.had"))
CALL(do_truncate, syscall(__NR_truncate, p, 0))
CALL(do_truncate_grow, syscall(__NR_truncate, p, 5000))
CALL(do_truncate_neg, syscall(__NR_truncate, p, -1))
CALL(do_truncate_limit, syscall(__NR_truncate, p, 1 << 20))

static long setxattrat(int fd, const char *p, int at_flags, size_t size)
{
	char room[64] = "";
	struct xattr_args_v0 args = {.value = (uintptr_t) "atv", .size = 3};

	memcpy(room, &args, sizeof(args));
	return syscall(NR_SETXATTRAT, fd, p, at_flags, "user.k", room, size);
}

CALL(do_setxattrat, setxattrat(AT_FDCWD, p, 0, 16))
CALL(do_setxattrat_larger, setxattrat(AT_FDCWD, p, 0, 32))
CALL(do_setxattrat_nofollow, setxattrat(AT_FDCWD, p, AT_SYMLINK_NOFOLLOW, 16))
CALL(do_setxattrat_empty, setxattrat(file_fd, p, AT_EMPTY_PATH, 16))
CALL(do_setxattrat_small, setxattrat(AT_FDCWD, p, 0, 8))
CALL(do_setxattrat_flag, setxattrat(AT_FDCWD, p, 4, 16))

static long file_setattr(int fd, const char *p, int at_flags, size_t size, uint64_t xflags)
{
	char room[64] = "";
	struct file_attr_v0 attr = {.xflags = xflags};

	memcpy(room, &attr, sizeof(attr));
	return syscall(NR_FILE_SETATTR, fd, p, room, size, at_flags);
}

CALL(do_file_setattr, file_setattr(AT_FDCWD, p, 0, 24, FS_XFLAG_NODUMP))
CALL(do_file_setattr_larger, file_setattr(AT_FDCWD, p, 0, 40, FS_XFLAG_NODUMP))
CALL(do_file_setattr_small, file_setattr(AT_FDCWD, p, 0, 16, 0))
CALL(do_file_setattr_bits, file_setattr(AT_FDCWD, p, 0, 24, 1ull << 40))
CALL(do_file_setattr_nofollow, file_setattr(AT_FDCWD, p, AT_SYMLINK_NOFOLLOW, 24, 0))
CALL(do_file_setattr_empty, file_setattr(file_fd, p, AT_EMPTY_PATH, 24, FS_XFLAG_NOATIME))
CALL(do_file_setattr_flag, file_setattr(AT_FDCWD, p, 2, 24, 0))

struct call {
	const char *name;
	long (*fn)(const char *);
};

#define C(f)                                                                                       \
	{                                                                                          \
#f, do_##f                                                                         \
	}
static const struct call calls[] = {
	C(unlink),
	C(rmdir),
	C(unlinkat),
	C(unlinkat_dir),
	C(unlinkat_flag),
	C(unlinkat_dirfd),
	C(unlinkat_badfd),
	C(unlinkat_filefd),
	C(mkdir),
	C(mkdir_sticky),
	C(mkdirat),
	C(mknod_fifo),
	C(mknod_sock),
	C(mknod_reg),
	C(mknod_zero),
	C(mknod_dir),
	C(mknod_link),
	C(mknod_bad),
	C(mknod_whiteout),
	C(mknodat),
	C(symlink),
	C(symlink_empty),
	C(symlink_bad),
	C(symlink_long),
	C(symlinkat),
	C(chmod),
	C(chmod_suid),
	C(chmod_high),
	C(fchmodat),
	C(fchmodat2),
	C(fchmodat2_nofollow),
	C(fchmodat2_empty),
	C(fchmodat2_bad),
	C(chown_none),
	C(chown),
	C(chown_other),
	C(lchown),
	C(lchown_other),
	C(fchownat),
	C(fchownat_empty),
	C(fchownat_bad),
	C(utime),
	C(utime_null),
	C(utime_bad),
	C(utimes),
	C(utimes_null),
	C(utimes_bad),
	C(futimesat),
	C(utimensat),
	C(utimensat_null),
	C(utimensat_nofollow),
	C(utimensat_now),
	C(utimensat_omit),
	C(utimensat_omits),
	C(utimensat_range),
	C(utimensat_fault),
	C(utimensat_flag),
	C(utimensat_fd),
	C(utimensat_empty),
	C(setxattr),
	C(setxattr_create),
	C(setxattr_replace),
	C(setxattr_flag),
	C(setxattr_empty),
	C(setxattr_big),
	C(setxattr_over),
	C(setxattr_fault),
	C(setxattr_name),
	C(setxattr_noname),
	C(setxattr_badname),
	C(setxattr_space),

	C(lsetxattr),
	C(removexattr),
	C(removexattr_none),
	C(lremovexattr),
	C(removexattrat),
	C(removexattrat_empty),
	C(truncate),
	C(truncate_grow),
	C(truncate_neg),
	C(truncate_limit),
	C(setxattrat),
	C(setxattrat_larger),
	C(setxattrat_nofollow),
	C(setxattrat_empty),
	C(setxattrat_small),
	C(setxattrat_flag),
	C(file_setattr),
	C(file_setattr_larger),
	C(file_setattr_small),
	C(file_setattr_bits),
	C(file_setattr_nofollow),
	C(file_setattr_empty),
	C(file_setattr_flag),
};

/* ---- calls with two paths */

struct call2 {
	const char *name;
	long (*fn)(const char *, const char *);
};

#define CALL2(name, ...)                                                                           \
	static long name(const char *p, const char *q)                                             \
	{                                                                                          \
		return __VA_ARGS__;                                                                \
	}

CALL2(do_rename, syscall(__NR_rename, p, q))
CALL2(do_noreplace, syscall(__NR_renameat2, AT_FDCWD, p, AT_FDCWD, q, RENAME_NOREPLACE))
CALL2(do_exchange, syscall(__NR_renameat2, AT_FDCWD, p, AT_FDCWD, q, RENAME_EXCHANGE))
CALL2(do_whiteout, syscall(__NR_renameat2, AT_FDCWD, p, AT_FDCWD, q, RENAME_WHITEOUT))
CALL2(do_both, syscall(__NR_renameat2, AT_FDCWD, p, AT_FDCWD, q, 3))
CALL2(do_badflag, syscall(__NR_renameat2, AT_FDCWD, p, AT_FDCWD, q, 0x80))
CALL2(do_renameat, syscall(__NR_renameat, AT_FDCWD, p, dir_fd, q))
CALL2(do_link, syscall(__NR_link, p, q))
CALL2(do_linkat_follow, syscall(__NR_linkat, AT_FDCWD, p, AT_FDCWD, q, AT_SYMLINK_FOLLOW))
CALL2(do_linkat_flag, syscall(__NR_linkat, AT_FDCWD, p, AT_FDCWD, q, 1))
CALL2(do_linkat_empty, syscall(__NR_linkat, path_fd, p, AT_FDCWD, q, AT_EMPTY_PATH))

static const struct call2 calls2[] = {
	C(rename),   C(noreplace), C(exchange),      C(whiteout),    C(both),         C(badflag),
	C(renameat), C(link),      C(linkat_follow), C(linkat_flag), C(linkat_empty),
};

/* ---- calls on descriptors */

static long fd_fchmod(int fd)
{
	return syscall(__NR_fchmod, fd, 0604);
}

static long fd_fchown(int fd)
{
	return syscall(__NR_fchown, fd, getuid(), getgid());
}

static long fd_fchown_other(int fd)
{
	return syscall(__NR_fchown, fd, 12345, -1);
}

static long fd_futimens(int fd)
{
	return syscall(__NR_utimensat, fd, NULL, set_times, 0);
}

static long fd_futimens_flag(int fd)
{
	return syscall(__NR_utimensat, fd, NULL, set_times, AT_SYMLINK_NOFOLLOW);
}

static long fd_futimesat(int fd)
{
	return syscall(__NR_futimesat, fd, NULL, set_timevals);
}

static long fd_fsetxattr(int fd)
{
	return syscall(__NR_fsetxattr, fd, "user.k", "v", 1, 0);
}

static long fd_fremovexattr(int fd)
{
	return syscall(__NR_fremovexattr, fd, "user.had");
}

static long fd_setxattrat(int fd)
{
	return setxattrat(fd, "", AT_EMPTY_PATH, 16);
}

static long fd_setxattrat_null(int fd)
{
	return setxattrat(fd, NULL, AT_EMPTY_PATH, 16);
}

static long fd_file_setattr(int fd)
{
	return file_setattr(fd, "", AT_EMPTY_PATH, 24, FS_XFLAG_NODUMP);
}

static long fd_fchmodat2(int fd)
{
	return syscall(NR_FCHMODAT2, fd, "", 0604, AT_EMPTY_PATH);
}

static long fd_fchownat(int fd)
{
	return syscall(__NR_fchownat, fd, "", getuid(), -1, AT_EMPTY_PATH);
}

static long fd_utimensat(int fd)
{
	return syscall(__NR_utimensat, fd, "", set_times, AT_EMPTY_PATH);
}

static long fd_linkat(int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return syscall(__NR_linkat, AT_FDCWD, path, AT_FDCWD, "linked", AT_SYMLINK_FOLLOW);
}

static long fd_linkat_nofollow(int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return syscall(__NR_linkat, AT_FDCWD, path, AT_FDCWD, "linked", 0);
}

static long fd_linkat_empty(int fd)
{
	return syscall(__NR_linkat, fd, "", AT_FDCWD, "linked", AT_EMPTY_PATH);
}

#define F(f)                                                                                       \
	{                                                                                          \
#f, fd_##f                                                                         \
	}
static const struct {
	const char *name;
	long (*fn)(int);
} fd_calls[] = {
	F(fchmod),          F(fchown),       F(fchown_other), F(futimens),   F(futimens_flag),
	F(futimesat),       F(fsetxattr),    F(fremovexattr), F(setxattrat), F(setxattrat_null),
	F(file_setattr),    F(fchmodat2),    F(fchownat),     F(utimensat),  F(linkat),
	F(linkat_nofollow), F(linkat_empty),
};
