/* SPDX-License-Identifier: Apache-2.0 */
/* Every call that changes a file or the tree, aimed at what lies outside of the workspace. */
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <utime.h>

#include "tests/attack/attack.h"

#define FILE(w) in(w, "out/file")
#define NEW(w)  in(w, "out/new")

/* ---- opens that change */

static int open_with(const struct world *w, int flags)
{
	return scribble_fd((int)syscall(SYS_openat, AT_FDCWD, FILE(w), flags, 0644));
}

static int open_write(const struct world *w)
{
	return open_with(w, O_WRONLY);
}

static int open_read_write(const struct world *w)
{
	return open_with(w, O_RDWR);
}

static int open_append(const struct world *w)
{
	return open_with(w, O_WRONLY | O_APPEND);
}

static int open_legacy(const struct world *w)
{
	return scribble_fd((int)syscall(SYS_open, FILE(w), O_WRONLY));
}

static int open_truncate(const struct world *w)
{
	return outcome(open(FILE(w), O_RDONLY | O_TRUNC | O_CLOEXEC));
}

static int open_create(const struct world *w)
{
	return outcome(open(NEW(w), O_RDONLY | O_CREAT | O_CLOEXEC, 0644));
}

static int open_create_exclusive(const struct world *w)
{
	return outcome(open(NEW(w), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
}

/* Access mode 3: neither reads nor writes, but device ioctls, and it asks for both permissions. */
static int open_mode_3(const struct world *w)
{
	int fd = open(FILE(w), O_ACCMODE | O_TRUNC | O_CLOEXEC);

	return outcome(fd);
}

static int open_mapped(const struct world *w)
{
	int fd = open(FILE(w), O_RDWR | O_CLOEXEC);
	char *p;

	if (fd < 0)
		return -errno;
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	p[0] = 'X';
	return 0;
}

static int tmpfile_outside(const struct world *w)
{
	int fd = open(in(w, "out"), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0644);

	if (fd < 0)
		return -errno;
	return outcome(linkat(AT_FDCWD, in(&(struct world){.top = "/proc/self/fd"}, "%d", fd),
			      AT_FDCWD, NEW(w), AT_SYMLINK_FOLLOW));
}

static int tmpfile_then_linkat(const struct world *w)
{
	int fd = open("dir", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0644);

	if (fd < 0)
		return -errno;
	return outcome(linkat(AT_FDCWD, in(&(struct world){.top = "/proc/self/fd"}, "%d", fd),
			      AT_FDCWD, NEW(w), AT_SYMLINK_FOLLOW));
}

/* ---- size */

static int do_truncate(const struct world *w)
{
	return outcome(truncate(FILE(w), 1));
}

static int truncate_by_descriptor(const struct world *w)
{
	int fd = open(FILE(w), O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : outcome(ftruncate(fd, 1));
}

static int do_fallocate(const struct world *w)
{
	int fd = open(FILE(w), O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : outcome(fallocate(fd, 0, 0, 8192));
}

static int do_copy_file_range(const struct world *w)
{
	int from = open("file", O_RDONLY | O_CLOEXEC);
	int to = open(FILE(w), O_WRONLY | O_CLOEXEC);

	return from < 0 || to < 0 ? -errno : outcome(copy_file_range(from, NULL, to, NULL, 4, 0));
}

/* ---- the tree: X(function, call) */

#define TREE_CALLS                                                                                 \
	X(do_rename_in, rename("file", NEW(w)))                                                    \
	X(do_rename_over, rename("file", FILE(w)))                                                 \
	X(do_rename_out, rename(FILE(w), "taken"))                                                 \
	X(do_renameat, renameat(AT_FDCWD, FILE(w), AT_FDCWD, "taken"))                             \
	X(do_renameat2, renameat2(AT_FDCWD, FILE(w), AT_FDCWD, "taken", RENAME_NOREPLACE))         \
	X(do_rename_exchange, renameat2(AT_FDCWD, "file", AT_FDCWD, FILE(w), RENAME_EXCHANGE))     \
	X(do_rename_legacy, syscall(SYS_rename, FILE(w), "taken"))                                 \
	X(do_link, link("file", NEW(w)))                                                           \
	X(do_linkat, linkat(AT_FDCWD, "file", AT_FDCWD, NEW(w), 0))                                \
	X(do_link_from, link(FILE(w), "taken"))                                                    \
	X(do_symlink, symlink("/anything", NEW(w)))                                                \
	X(do_symlinkat, symlinkat("/anything", AT_FDCWD, NEW(w)))                                  \
	X(do_unlink, unlink(FILE(w)))                                                              \
	X(do_unlinkat, unlinkat(AT_FDCWD, FILE(w), 0))                                             \
	X(do_rmdir, rmdir(in(w, "out/dir")))                                                       \
	X(do_unlinkat_dir, unlinkat(AT_FDCWD, in(w, "out/dir"), AT_REMOVEDIR))                     \
	X(do_unlink_secret, unlink(in(w, "secret/id_rsa")))                                        \
	X(do_mkdir, mkdir(NEW(w), 0755))                                                           \
	X(do_mkdirat, mkdirat(AT_FDCWD, NEW(w), 0755))                                             \
	X(do_mknod, mknod(NEW(w), S_IFREG | 0644, 0))                                              \
	X(do_mknodat, mknodat(AT_FDCWD, NEW(w), S_IFREG | 0644, 0))                                \
	X(do_mkfifo, mkfifo(NEW(w), 0644))                                                         \
	X(do_mknod_socket, mknod(NEW(w), S_IFSOCK | 0644, 0))                                      \
	X(do_mknod_whiteout, mknod(NEW(w), S_IFCHR | 0644, 0))                                     \
	X(do_chmod, chmod(FILE(w), 0777))                                                          \
	X(do_fchmodat, syscall(SYS_fchmodat, AT_FDCWD, FILE(w), 0777))                             \
	X(do_fchmodat2, syscall(452, AT_FDCWD, FILE(w), 0777, 0))                                  \
	X(do_chown, chown(FILE(w), geteuid(), getegid()))                                          \
	X(do_lchown, lchown(FILE(w), geteuid(), getegid()))                                        \
	X(do_fchownat, fchownat(AT_FDCWD, FILE(w), geteuid(), getegid(), 0))                       \
	X(do_setxattr, setxattr(FILE(w), "user.a", "b", 1, 0))                                     \
	X(do_lsetxattr, lsetxattr(FILE(w), "user.a", "b", 1, 0))                                   \
	X(do_utime, utime(FILE(w), NULL))                                                          \
	X(do_utimes, utimes(FILE(w), NULL))                                                        \
	X(do_futimesat, syscall(SYS_futimesat, AT_FDCWD, FILE(w), NULL))                           \
	X(do_utimensat, utimensat(AT_FDCWD, FILE(w), NULL, 0))                                     \
	X(do_utimensat_no_follow, utimensat(AT_FDCWD, FILE(w), NULL, AT_SYMLINK_NOFOLLOW))

#define X(function, call)                                                                          \
	static int function(const struct world *w)                                                 \
	{                                                                                          \
		return outcome(call);                                                              \
	}
TREE_CALLS
#undef X

/* ---- by a descriptor that was opened for reading: the policy has given that one (PW has not) */

static int with_descriptor(const struct world *w, int (*call)(int fd))
{
	int fd = open(FILE(w), O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : outcome(call(fd));
}

static int call_fchmod(int fd)
{
	return fchmod(fd, 0777);
}

static int call_fchown(int fd)
{
	return fchown(fd, geteuid(), getegid());
}

static int call_fsetxattr(int fd)
{
	return fsetxattr(fd, "user.a", "b", 1, 0);
}

static int call_futimens(int fd)
{
	return futimens(fd, NULL);
}

static int call_utimensat_empty(int fd)
{
	return (int)syscall(SYS_utimensat, fd, "", NULL, AT_EMPTY_PATH);
}

static int call_fchownat_empty(int fd)
{
	return fchownat(fd, "", geteuid(), getegid(), AT_EMPTY_PATH);
}

static int call_fchmodat2_empty(int fd)
{
	return (int)syscall(452, fd, "", 0777, AT_EMPTY_PATH);
}

static int call_chmod_proc_fd(int fd)
{
	return chmod(in(&(struct world){.top = "/proc/self/fd"}, "%d", fd), 0777);
}

/* NODUMP: an attribute that its owner may set, and that does no harm. */
static int set_flags(int fd, unsigned long request)
{
	int flags = 0;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
		return -1;
	flags |= FS_NODUMP_FL;
	return (int)syscall(SYS_ioctl, fd, request, &flags);
}

static int call_setflags(int fd)
{
	return set_flags(fd, FS_IOC_SETFLAGS);
}

static int call_setflags_high(int fd)
{
	return set_flags(fd, (1UL << 32) | FS_IOC_SETFLAGS);
}

static int call_setflags32(int fd)
{
	return set_flags(fd, FS_IOC32_SETFLAGS);
}

static int call_setversion(int fd)
{
	int version = 7;

	return ioctl(fd, FS_IOC_SETVERSION, &version);
}

static int call_fssetxattr(int fd)
{
	struct fsxattr attr = {0};

	if (ioctl(fd, FS_IOC_FSGETXATTR, &attr) < 0)
		return -1;
	attr.fsx_xflags |= FS_XFLAG_NODUMP;
	return ioctl(fd, FS_IOC_FSSETXATTR, &attr);
}

#define FD_CALLS                                                                                   \
	X(fd_fchmod, call_fchmod)                                                                  \
	X(fd_fchown, call_fchown)                                                                  \
	X(fd_fsetxattr, call_fsetxattr)                                                            \
	X(fd_futimens, call_futimens)                                                              \
	X(fd_utimensat_empty, call_utimensat_empty)                                                \
	X(fd_fchownat_empty, call_fchownat_empty)                                                  \
	X(fd_fchmodat2_empty, call_fchmodat2_empty)                                                \
	X(fd_chmod_proc_fd, call_chmod_proc_fd)                                                    \
	X(fd_setflags, call_setflags)                                                              \
	X(fd_setflags_high, call_setflags_high)                                                    \
	X(fd_setflags32, call_setflags32)                                                          \
	X(fd_setversion, call_setversion)                                                          \
	X(fd_fssetxattr, call_fssetxattr)

#define X(function, call)                                                                          \
	static int function(const struct world *w)                                                 \
	{                                                                                          \
		return with_descriptor(w, call);                                                   \
	}
FD_CALLS
#undef X

/* ---- calls by number, newer than most headers */

static int do_setxattrat(const struct world *w)
{
	struct {
		uint64_t value;
		uint32_t size, flags;
	} args = {(uintptr_t) "b", 1, 0};

	return outcome(syscall(463, AT_FDCWD, FILE(w), 0, "user.a", &args, sizeof(args)));
}

/* What prepare gave it is taken away. */
static int give_attribute(const struct world *w)
{
	return outcome(setxattr(FILE(w), "user.given", "x", 1, 0));
}

static int do_removexattr(const struct world *w)
{
	return outcome(removexattr(FILE(w), "user.given"));
}

static int do_lremovexattr(const struct world *w)
{
	return outcome(lremovexattr(FILE(w), "user.given"));
}

static int do_fremovexattr(const struct world *w)
{
	int fd = open(FILE(w), O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : outcome(fremovexattr(fd, "user.given"));
}

static int do_removexattrat(const struct world *w)
{
	return outcome(syscall(466, AT_FDCWD, FILE(w), 0, "user.given"));
}

static int do_file_setattr(const struct world *w)
{
	struct {
		uint64_t xflags;
		uint32_t extsize, nextents, projid, cowextsize;
	} attr = {.xflags = FS_XFLAG_NODUMP};

	return outcome(syscall(469, AT_FDCWD, FILE(w), &attr, sizeof(attr), 0));
}

static int bind_outside(const struct world *w)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	(void)snprintf(sun.sun_path, sizeof(sun.sun_path), "../out/new");
	(void)w;
	return outcome(bind(fd, (struct sockaddr *)&sun, sizeof(sun)));
}

static int do_ficlone(const struct world *w)
{
	int from = open("file", O_RDONLY | O_CLOEXEC);
	int to = open(FILE(w), O_WRONLY | O_CLOEXEC);

	return from < 0 || to < 0 ? -errno : outcome(ioctl(to, FICLONE, from));
}

/* ---- the same inside: must work */

static int inside(const struct world *w)
{
	int fd = open("new", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	(void)w;
	if (fd < 0 || chmod("new", 0640) < 0 || fchmod(fd, 0600) < 0 ||
	    fchmodat(AT_FDCWD, "new", 0644, 0) < 0 || utimensat(AT_FDCWD, "new", NULL, 0) < 0 ||
	    futimens(fd, NULL) < 0 || truncate("new", 10) < 0 || rename("new", "other") < 0 ||
	    link("other", "linked") < 0 || symlink("other", "pointed") < 0 ||
	    unlink("linked") < 0 || mkdir("made", 0755) < 0 || rmdir("made") < 0 ||
	    mkfifo("pipe", 0600) < 0 || unlink("pipe") < 0 || unlink("pointed") < 0 ||
	    chown("other", geteuid(), getegid()) < 0)
		return -errno;
	return 0;
}

static int tmpfile_inside(const struct world *w)
{
	int fd = open("dir", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0644);

	(void)w;
	if (fd < 0)
		return -errno;
	return outcome(linkat(AT_FDCWD, in(&(struct world){.top = "/proc/self/fd"}, "%d", fd),
			      AT_FDCWD, "published", AT_SYMLINK_FOLLOW));
}

#define CHANGES(fact, ids, attack, what)                                                           \
	{                                                                                          \
		fact, ids, attack, SHIP | PW, .effect = EFFECT_CHANGED, .object = what             \
	}

static const struct attack_row rows[] = {
	CHANGES("open_for_writing_is_denied", "D:open", open_write, "out/file"),
	CHANGES("open_for_reading_and_writing_is_denied", "D:open", open_read_write, "out/file"),
	CHANGES("open_for_appending_is_denied", "D:open", open_append, "out/file"),
	CHANGES("legacy_open_is_denied", "D:open P20", open_legacy, "out/file"),
	CHANGES("o_rdonly_with_o_trunc_is_a_write", "T038 B14", open_truncate, "out/file"),
	CHANGES("o_rdonly_with_o_creat_is_a_write", "B14", open_create, "out/new"),
	CHANGES("o_creat_with_o_excl_is_denied", "D:open", open_create_exclusive, "out/new"),
	CHANGES("access_mode_3_with_o_trunc_is_a_write", "B14", open_mode_3, "out/file"),
	CHANGES("shared_mapping_is_decided_at_the_open", "D:ftruncate", open_mapped, "out/file"),
	CHANGES("o_tmpfile_outside_is_denied", "B15", tmpfile_outside, "out"),
	CHANGES("o_tmpfile_then_linkat_does_not_publish_outside", "B15", tmpfile_then_linkat,
		"out/new"),
	CHANGES("truncate_is_denied", "D:truncate P16", do_truncate, "out/file"),
	CHANGES("ftruncate_is_decided_at_the_open", "D:ftruncate", truncate_by_descriptor,
		"out/file"),
	CHANGES("fallocate_is_decided_at_the_open", "D:ftruncate P16", do_fallocate, "out/file"),
	CHANGES("copy_file_range_is_decided_at_the_open", "D:splice P16", do_copy_file_range,
		"out/file"),
	CHANGES("rename_to_outside_is_denied", "D:rename", do_rename_in, "out/new"),
	CHANGES("rename_over_a_file_outside_is_denied", "D:rename P27", do_rename_over, "out/file"),
	CHANGES("rename_from_outside_is_denied", "D:rename", do_rename_out, "out/file"),
	CHANGES("renameat_is_denied", "D:rename", do_renameat, "out/file"),
	CHANGES("renameat2_is_denied", "D:rename P16", do_renameat2, "out/file"),
	CHANGES("rename_exchange_is_denied", "D:rename", do_rename_exchange, "out/file"),
	CHANGES("rename_by_its_own_number_is_denied", "D:rename", do_rename_legacy, "out/file"),
	CHANGES("link_to_outside_is_denied", "D:link", do_link, "out/new"),
	CHANGES("linkat_to_outside_is_denied", "D:link P16", do_linkat, "out/new"),
	CHANGES("link_from_outside_is_denied", "D:link", do_link_from, "out/file"),
	CHANGES("symlink_outside_is_denied", "D:symlink", do_symlink, "out/new"),
	CHANGES("symlinkat_outside_is_denied", "D:symlink P16", do_symlinkat, "out/new"),
	CHANGES("unlink_is_denied", "T042 D:unlink", do_unlink, "out/file"),
	CHANGES("unlinkat_is_denied", "T042 D:unlink", do_unlinkat, "out/file"),
	CHANGES("rmdir_is_denied", "T042 D:unlink", do_rmdir, "out/dir"),
	CHANGES("unlinkat_of_a_directory_is_denied", "T042 D:unlink", do_unlinkat_dir, "out/dir"),
	CHANGES("unlink_of_a_secret_is_denied", "T042 D:unlink", do_unlink_secret, "id_rsa"),
	CHANGES("mkdir_is_denied", "D:mkdir", do_mkdir, "out/new"),
	CHANGES("mkdirat_is_denied", "D:mkdir", do_mkdirat, "out/new"),
	CHANGES("mknod_of_a_file_is_denied", "D:mknod", do_mknod, "out/new"),
	CHANGES("mknodat_of_a_file_is_denied", "D:mknod", do_mknodat, "out/new"),
	CHANGES("mkfifo_is_denied", "D:mknod", do_mkfifo, "out/new"),
	CHANGES("mknod_of_a_socket_is_denied", "D:mknod", do_mknod_socket, "out/new"),
	CHANGES("mknod_of_a_whiteout_is_denied", "D:mknod", do_mknod_whiteout, "out/new"),
	CHANGES("bind_of_a_socket_is_denied", "T094 D:bind", bind_outside, "out/new"),
	CHANGES("chmod_is_denied", "T044 D:chmod", do_chmod, "out/file"),
	CHANGES("fchmodat_is_denied", "T044 D:chmod", do_fchmodat, "out/file"),
	CHANGES("fchmodat2_is_denied", "T044 D:chmod", do_fchmodat2, "out/file"),
	CHANGES("fchmod_of_a_descriptor_for_reading_is_denied", "T044 D:chmod", fd_fchmod,
		"out/file"),
	CHANGES("fchmodat2_with_an_empty_path_is_denied", "T044 D:chmod", fd_fchmodat2_empty,
		"out/file"),
	CHANGES("chmod_of_proc_self_fd_is_denied", "T044 D:chmod", fd_chmod_proc_fd, "out/file"),
	CHANGES("chown_is_denied", "D:chown", do_chown, "out/file"),
	CHANGES("lchown_is_denied", "D:chown", do_lchown, "out/file"),
	CHANGES("fchownat_is_denied", "D:chown", do_fchownat, "out/file"),
	CHANGES("fchown_is_denied", "D:chown", fd_fchown, "out/file"),
	CHANGES("fchownat_with_an_empty_path_is_denied", "D:chown", fd_fchownat_empty, "out/file"),
	CHANGES("setxattr_is_denied", "D:xattr", do_setxattr, "out/file"),
	CHANGES("lsetxattr_is_denied", "D:xattr", do_lsetxattr, "out/file"),
	CHANGES("fsetxattr_is_denied", "D:xattr", fd_fsetxattr, "out/file"),
	CHANGES("setxattrat_is_denied", "D:xattr E6", do_setxattrat, "out/file"),
#define REMOVES(fact, attack)                                                                      \
	{                                                                                          \
		fact, "D:xattr E6", attack, SHIP | PW,                                             \
			.effect = EFFECT_CHANGED, .object = "out/file", .prepare = give_attribute  \
	}
	REMOVES("removexattr_is_denied", do_removexattr),
	REMOVES("lremovexattr_is_denied", do_lremovexattr),
	REMOVES("fremovexattr_is_denied", do_fremovexattr),
	REMOVES("removexattrat_is_denied", do_removexattrat),
	CHANGES("utime_is_denied", "D:utime", do_utime, "out/file"),
	CHANGES("utimes_is_denied", "D:utime", do_utimes, "out/file"),
	CHANGES("futimesat_is_denied", "D:utime", do_futimesat, "out/file"),
	CHANGES("utimensat_is_denied", "D:utime", do_utimensat, "out/file"),
	CHANGES("utimensat_that_does_not_follow_is_denied", "D:utime", do_utimensat_no_follow,
		"out/file"),
	CHANGES("futimens_is_denied", "D:utime", fd_futimens, "out/file"),
	CHANGES("utimensat_with_an_empty_path_is_denied", "D:utime", fd_utimensat_empty,
		"out/file"),
	CHANGES("file_setattr_is_denied", "T092 D:attr E6", do_file_setattr, "out/file"),
	CHANGES("ficlone_is_decided_at_the_open", "T092 D:attr", do_ficlone, "out/file"),
#define ATTRIBUTES(fact, ids, attack, what)                                                        \
	{                                                                                          \
		fact, ids, attack, SHIP | READ_ONLY, .effect = EFFECT_CHANGED, .object = what      \
	}
	ATTRIBUTES("fs_ioc_setflags_is_refused", "T092 D:attr", fd_setflags, "FS_IOC_SETFLAGS"),
	ATTRIBUTES("fs_ioc_setflags_with_high_bits_is_refused", "T092 D:attr E7", fd_setflags_high,
		   "FS_IOC_SETFLAGS"),
	{"fs_ioc32_setflags_is_refused", "T092 D:attr", fd_setflags32, SHIP | READ_ONLY,
	 .object = "FS_IOC32_SETFLAGS", .not_native = "only programs of 32 bits may"},
	ATTRIBUTES("fs_ioc_setversion_is_refused", "T092 D:attr", fd_setversion,
		   "FS_IOC_SETVERSION"),
	ATTRIBUTES("fs_ioc_fssetxattr_is_refused", "T092 D:attr", fd_fssetxattr,
		   "FS_IOC_FSSETXATTR"),
	{"all_of_it_works_inside", "T044", inside, SHIP | PW, .flags = ROW_ALLOWED},
	{"o_tmpfile_then_linkat_works_inside", "B15", tmpfile_inside, SHIP | PW,
	 .flags = ROW_ALLOWED},
};

const struct attack_group attack_group = {"change", rows, ARRAY_SIZE(rows), false, false};
