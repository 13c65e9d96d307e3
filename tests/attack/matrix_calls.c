/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utime.h>

#include "base/io.h"

#include "tests/attack/matrix_calls.h"

/* Numbers that the headers may not have yet; the same on every architecture. */
#define NR_openat2       437
#define NR_fchmodat2     452
#define NR_setxattrat    463
#define NR_removexattrat 466
#define NR_file_setattr  469

#define ATTRIBUTE "user.attacked"

static const struct timespec past[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
static const struct timeval past_us[2] = {{.tv_sec = 1}, {.tv_sec = 1}};

/* In the workspace, of this pair alone. */
static const char *own(struct spot *s, const char *what)
{
	static char path[64];

	(void)snprintf(path, sizeof(path), "tmp/%s%zu", what, s->number);
	return path;
}

/* An absolute name of the workspace, wherever the working directory is now. */
static const char *own_absolute(struct spot *s, const char *what)
{
	static char path[2][512];
	static unsigned int next;
	char *out = path[next++ % 2];

	(void)snprintf(out, sizeof(path[0]), "%s/w/%s", s->top, own(s, what));
	return out;
}

/* The object as a path only (O_PATH), and the name that /proc gives to that. */
static int path_fd(struct spot *s, char name[static 32])
{
	int fd = openat(s->dirfd, s->file, O_PATH);

	(void)snprintf(name, 32, "/proc/self/fd/%d", fd);
	return fd < 0 ? -errno : fd;
}

static int show(int fd)
{
	char byte;

	if (fd < 0)
		return -errno;
	return read(fd, &byte, 1) == 1 ? print_fd(fd) : -errno;
}

/* ---- reading */

static int read_open(struct spot *s)
{
	return show((int)syscall(SYS_open, s->file, O_RDONLY));
}

static int read_openat(struct spot *s)
{
	return show((int)syscall(SYS_openat, s->dirfd, s->file, O_RDONLY));
}

static int read_openat2(struct spot *s)
{
	struct open_how how = {.flags = O_RDONLY};

	return show((int)syscall(NR_openat2, s->dirfd, s->file, &how, sizeof(how)));
}

static int read_openat2_flags(struct spot *s)
{
	struct open_how how = {.flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC};

	return show((int)syscall(NR_openat2, s->dirfd, s->file, &how, sizeof(how)));
}

static int read_mode_three(struct spot *s)
{
	/* O_ACCMODE: neither reading nor writing, but ioctl. */
	int fd = (int)syscall(SYS_openat, s->dirfd, s->file, O_ACCMODE);

	return fd < 0 ? -errno : close(fd);
}

static int read_reopened(struct spot *s)
{
	char name[32];
	int fd = path_fd(s, name);

	return fd < 0 ? fd : show(open(name, O_RDONLY | O_CLOEXEC));
}

static int read_linked(struct spot *s)
{
	const char *to = own_absolute(s, "linked");

	if (linkat(s->dirfd, s->file, AT_FDCWD, to, AT_SYMLINK_FOLLOW) < 0)
		return -errno;
	return show(open(to, O_RDONLY | O_CLOEXEC));
}

static int read_moved(struct spot *s)
{
	const char *to = own_absolute(s, "moved");

	if (renameat(s->dirfd, s->file, AT_FDCWD, to) < 0)
		return -errno;
	return show(open(to, O_RDONLY | O_CLOEXEC));
}

static int read_in_child(struct spot *s)
{
	int status;
	pid_t pid = vfork();

	if (pid == 0) {
		int fd = openat(s->dirfd, s->file, O_RDONLY);

		_exit(fd < 0 ? errno : 0);
	}
	if (waitpid(pid, &status, 0) < 0)
		return -errno;
	return -WEXITSTATUS(status);
}

static int fill_secret(int fd, struct bytes secret)
{
	return io_write_all(fd, secret.p, secret.len);
}

static const struct call reads[] = {
	{"open", read_open, 0},
	{"openat", read_openat, CALL_DIRFD},
	{"openat2", read_openat2, CALL_DIRFD},
	{"openat2 with flags", read_openat2_flags, CALL_DIRFD},
	{"open with mode 3", read_mode_three, CALL_DIRFD},
	{"O_PATH and open", read_reopened, CALL_DIRFD},
	{"linkat and open", read_linked, CALL_DIRFD | CALL_ENTRY},
	{"renameat and open", read_moved, CALL_DIRFD | CALL_ENTRY},
	{"openat in vfork", read_in_child, CALL_DIRFD},
};
_Static_assert(ARRAY_SIZE(reads) == matrix_reads_SIZE, "as in the header");
const struct calls matrix_reads = {.all = reads, .fill = fill_secret};

/* ---- changing what is there */

#define OPENS(function, number, ...)                                                               \
	static int function(struct spot *s)                                                        \
	{                                                                                          \
		return scribble_fd((int)syscall(number, __VA_ARGS__));                             \
	}
#define DOES(function, ...)                                                                        \
	static int function(struct spot *s)                                                        \
	{                                                                                          \
		return outcome(__VA_ARGS__);                                                       \
	}
/* On a descriptor for reading, on one as a path only, and on that by its name in /proc. */
#define DOES_FD(function, flags, ...)                                                              \
	static int function(struct spot *s)                                                        \
	{                                                                                          \
		int fd = openat(s->dirfd, s->file, flags);                                         \
                                                                                                   \
		return fd < 0 ? -errno : outcome(__VA_ARGS__);                                     \
	}
#define DOES_MAGIC(function, ...)                                                                  \
	static int function(struct spot *s)                                                        \
	{                                                                                          \
		char name[32];                                                                     \
		int fd = path_fd(s, name);                                                         \
                                                                                                   \
		return fd < 0 ? fd : outcome(__VA_ARGS__);                                         \
	}

static int truncating_open(struct spot *s)
{
	return outcome(openat(s->dirfd, s->file, O_RDONLY | O_TRUNC));
}

static int write_by_openat2(struct spot *s)
{
	struct open_how how = {.flags = O_WRONLY};

	return scribble_fd((int)syscall(NR_openat2, s->dirfd, s->file, &how, sizeof(how)));
}

static int create_by_openat2(struct spot *s)
{
	struct open_how how = {.flags = O_WRONLY | O_CREAT, .mode = 0644};

	return scribble_fd((int)syscall(NR_openat2, s->dirfd, s->fresh, &how, sizeof(how)));
}

static int put_temporary(struct spot *s)
{
	char name[32];
	int fd = open(in(&(struct world){.top = s->top}, "w/tmp"), O_TMPFILE | O_WRONLY, 0644);

	if (fd < 0)
		return -errno;
	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	return outcome(linkat(AT_FDCWD, name, s->dirfd, s->fresh, AT_SYMLINK_FOLLOW));
}

/* A file of the agent's own, to be put over the object. */
static const char *make_own(struct spot *s)
{
	const char *path = own_absolute(s, "own");
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	(void)scribble_fd(fd);
	return path;
}

static int bind_socket(struct spot *s)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (strlen(s->fresh) >= sizeof(sun.sun_path))
		return -ENAMETOOLONG;
	memcpy(sun.sun_path, s->fresh, strlen(s->fresh));
	return outcome(bind(fd, (struct sockaddr *)&sun, sizeof(sun)));
}

static int set_flags(struct spot *s)
{
	int fd = openat(s->dirfd, s->file, O_RDONLY);
	int flags = 0;

	if (fd < 0 || ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
		return -errno;
	flags |= FS_NODUMP_FL;
	return outcome(ioctl(fd, FS_IOC_SETFLAGS, &flags));
}

static int set_fsx(struct spot *s)
{
	struct fsxattr x = {.fsx_xflags = FS_XFLAG_NODUMP};
	int fd = openat(s->dirfd, s->file, O_RDONLY);

	return fd < 0 ? -errno : outcome(ioctl(fd, FS_IOC_FSSETXATTR, &x));
}

/* struct file_attr and struct xattr_args of newer headers. */
static const uint64_t no_dump[3] = {FS_XFLAG_NODUMP};
static const struct {
	uint64_t value;
	uint32_t size, flags;
} no_value;

OPENS(write_open, SYS_open, s->file, O_WRONLY)
OPENS(write_openat, SYS_openat, s->dirfd, s->file, O_RDWR)
OPENS(write_append, SYS_openat, s->dirfd, s->file, O_WRONLY | O_APPEND)
OPENS(write_creat, SYS_creat, s->file, 0644)
OPENS(create_creat, SYS_creat, s->fresh, 0644)
OPENS(create_open, SYS_open, s->fresh, O_WRONLY | O_CREAT, 0644)
OPENS(create_openat, SYS_openat, s->dirfd, s->fresh, O_WRONLY | O_CREAT, 0644)
OPENS(temporary, SYS_openat, s->dirfd, s->dir, O_TMPFILE | O_WRONLY, 0644)
DOES(do_truncate, truncate(s->file, 0))
DOES(do_unlink, unlink(s->file))
DOES(do_unlinkat, unlinkat(s->dirfd, s->file, 0))
DOES(do_rmdir, rmdir(s->dir))
DOES(do_unlinkat_dir, unlinkat(s->dirfd, s->dir, AT_REMOVEDIR))
DOES(do_rename, rename(s->file, own_absolute(s, "moved")))
DOES(do_renameat, renameat(s->dirfd, s->file, AT_FDCWD, own_absolute(s, "moved")))
DOES(do_renameat2, syscall(SYS_renameat2, s->dirfd, s->file, AT_FDCWD, own_absolute(s, "moved"), 1))
DOES(do_rename_dir, renameat(s->dirfd, s->dir, AT_FDCWD, own_absolute(s, "moved")))
DOES(rename_over, renameat(AT_FDCWD, make_own(s), s->dirfd, s->file))
DOES(rename_into, rename(make_own(s), s->fresh))
DOES(exchange, syscall(SYS_renameat2, AT_FDCWD, make_own(s), s->dirfd, s->file, 2))
DOES(link_out, link(s->file, own_absolute(s, "linked")))
DOES(link_into, link(make_own(s), s->fresh))
DOES(linkat_into, linkat(AT_FDCWD, make_own(s), s->dirfd, s->fresh, 0))
DOES(do_symlink, symlink("/etc/passwd", s->fresh))
DOES(do_symlinkat, symlinkat("/etc/passwd", s->dirfd, s->fresh))
DOES(do_mkdir, mkdir(s->fresh, 0755))
DOES(do_mkdirat, mkdirat(s->dirfd, s->fresh, 0755))
DOES(do_mknod, mknod(s->fresh, S_IFIFO | 0644, 0))
DOES(do_mknodat, mknodat(s->dirfd, s->fresh, S_IFREG | 0644, 0))
DOES(do_chmod, chmod(s->file, 0777))
DOES(do_fchmodat, syscall(SYS_fchmodat, s->dirfd, s->file, 0777))
DOES(do_fchmodat2, syscall(NR_fchmodat2, s->dirfd, s->file, 0777, 0))
DOES_FD(do_fchmod, O_RDONLY, fchmod(fd, 0777))
DOES_FD(empty_fchmodat2, O_PATH, syscall(NR_fchmodat2, fd, "", 0777, AT_EMPTY_PATH))
DOES_MAGIC(magic_chmod, chmod(name, 0777))
DOES(do_chown, chown(s->file, getuid(), getgid()))
DOES(do_lchown, lchown(s->file, getuid(), getgid()))
DOES(do_fchownat, fchownat(s->dirfd, s->file, getuid(), getgid(), 0))
DOES_FD(do_fchown, O_RDONLY, fchown(fd, getuid(), getgid()))
DOES_FD(empty_fchownat, O_PATH, fchownat(fd, "", getuid(), getgid(), AT_EMPTY_PATH))
DOES(do_utime, syscall(SYS_utime, s->file, &(struct utimbuf){.actime = 1}))
DOES(do_utimes, syscall(SYS_utimes, s->file, past_us))
DOES(do_futimesat, syscall(SYS_futimesat, s->dirfd, s->file, past_us))
DOES(do_utimensat, syscall(SYS_utimensat, s->dirfd, s->file, past, 0))
DOES_FD(do_futimens, O_RDONLY, syscall(SYS_utimensat, fd, NULL, past, 0))
DOES_FD(empty_utimensat, O_PATH, syscall(SYS_utimensat, fd, "", past, AT_EMPTY_PATH))
DOES(do_setxattr, setxattr(s->file, ATTRIBUTE, "x", 1, 0))
DOES(do_lsetxattr, lsetxattr(s->file, ATTRIBUTE, "x", 1, 0))
DOES_FD(do_fsetxattr, O_RDONLY, fsetxattr(fd, ATTRIBUTE, "x", 1, 0))
DOES(do_setxattrat,
     syscall(NR_setxattrat, s->dirfd, s->file, 0, ATTRIBUTE, &no_value, sizeof(no_value)))
DOES_FD(empty_setxattrat, O_PATH,
	syscall(NR_setxattrat, fd, "", AT_EMPTY_PATH, ATTRIBUTE, &no_value, sizeof(no_value)))
DOES_FD(null_setxattrat, O_RDONLY,
	syscall(NR_setxattrat, fd, NULL, AT_EMPTY_PATH, ATTRIBUTE, &no_value, sizeof(no_value)))
DOES(do_file_setattr, syscall(NR_file_setattr, s->dirfd, s->file, no_dump, sizeof(no_dump), 0))
DOES_FD(empty_file_setattr, O_PATH,
	syscall(NR_file_setattr, fd, "", no_dump, sizeof(no_dump), AT_EMPTY_PATH))
DOES_FD(null_file_setattr, O_RDONLY,
	syscall(NR_file_setattr, fd, NULL, no_dump, sizeof(no_dump), AT_EMPTY_PATH))
DOES_MAGIC(magic_truncate, truncate(name, 0))

static int magic_write(struct spot *s)
{
	char name[32];
	int fd = path_fd(s, name);

	return fd < 0 ? fd : scribble_fd(open(name, O_WRONLY | O_CLOEXEC));
}

static const struct call changes[] = {
	{"open for writing", write_open, 0},
	{"openat for both", write_openat, CALL_DIRFD},
	{"openat to append", write_append, CALL_DIRFD},
	{"openat2 for writing", write_by_openat2, CALL_DIRFD},
	{"creat over it", write_creat, 0},
	{"creat", create_creat, CALL_FRESH},
	{"open and create", create_open, CALL_FRESH},
	{"openat and create", create_openat, CALL_DIRFD | CALL_FRESH},
	{"openat2 and create", create_by_openat2, CALL_DIRFD | CALL_FRESH},
	{"open for reading, truncating", truncating_open, CALL_DIRFD},
	{"O_TMPFILE", temporary, CALL_DIRFD | CALL_DIR},
	{"O_TMPFILE and linkat", put_temporary, CALL_DIRFD | CALL_FRESH},
	{"truncate", do_truncate, 0},
	{"unlink", do_unlink, CALL_ENTRY},
	{"unlinkat", do_unlinkat, CALL_DIRFD | CALL_ENTRY},
	{"rmdir", do_rmdir, CALL_ENTRY | CALL_DIR},
	{"unlinkat of a directory", do_unlinkat_dir, CALL_DIRFD | CALL_ENTRY | CALL_DIR},
	{"rename", do_rename, CALL_ENTRY},
	{"renameat", do_renameat, CALL_DIRFD | CALL_ENTRY},
	{"renameat2", do_renameat2, CALL_DIRFD | CALL_ENTRY},
	{"renameat of a directory", do_rename_dir, CALL_DIRFD | CALL_ENTRY | CALL_DIR},
	{"renameat over it", rename_over, CALL_DIRFD | CALL_ENTRY},
	{"rename into", rename_into, CALL_ENTRY | CALL_FRESH},
	{"exchange", exchange, CALL_DIRFD | CALL_ENTRY},
	{"link out", link_out, CALL_ENTRY},
	{"link into", link_into, CALL_ENTRY | CALL_FRESH},
	{"linkat into", linkat_into, CALL_DIRFD | CALL_ENTRY | CALL_FRESH},
	{"symlink", do_symlink, CALL_ENTRY | CALL_FRESH},
	{"symlinkat", do_symlinkat, CALL_DIRFD | CALL_ENTRY | CALL_FRESH},
	{"mkdir", do_mkdir, CALL_ENTRY | CALL_FRESH},
	{"mkdirat", do_mkdirat, CALL_DIRFD | CALL_ENTRY | CALL_FRESH},
	{"mknod", do_mknod, CALL_ENTRY | CALL_FRESH},
	{"mknodat", do_mknodat, CALL_DIRFD | CALL_ENTRY | CALL_FRESH},
	{"bind", bind_socket, CALL_ENTRY | CALL_FRESH},
	{"chmod", do_chmod, 0},
	{"fchmod", do_fchmod, CALL_DIRFD},
	{"fchmodat", do_fchmodat, CALL_DIRFD},
	{"fchmodat2", do_fchmodat2, CALL_DIRFD},
	{"fchmodat2 of a path", empty_fchmodat2, CALL_DIRFD},
	{"chmod of a path's name", magic_chmod, CALL_DIRFD},
	{"chown", do_chown, 0},
	{"lchown", do_lchown, CALL_ENTRY},
	{"fchown", do_fchown, CALL_DIRFD},
	{"fchownat", do_fchownat, CALL_DIRFD},
	{"fchownat of a path", empty_fchownat, CALL_DIRFD},
	{"utime", do_utime, 0},
	{"utimes", do_utimes, 0},
	{"futimesat", do_futimesat, CALL_DIRFD},
	{"utimensat", do_utimensat, CALL_DIRFD},
	{"futimens", do_futimens, CALL_DIRFD},
	{"utimensat of a path", empty_utimensat, CALL_DIRFD},
	{"FS_IOC_SETFLAGS", set_flags, CALL_DIRFD | CALL_UNTOLD},
	{"FS_IOC_FSSETXATTR", set_fsx, CALL_DIRFD | CALL_UNTOLD},
	{"setxattr", do_setxattr, 0},
	{"lsetxattr", do_lsetxattr, CALL_ENTRY},
	{"fsetxattr", do_fsetxattr, CALL_DIRFD},
	{"setxattrat", do_setxattrat, CALL_DIRFD},
	{"setxattrat of a path", empty_setxattrat, CALL_DIRFD},
	{"setxattrat of a descriptor", null_setxattrat, CALL_DIRFD},
	{"file_setattr", do_file_setattr, CALL_DIRFD},
	{"file_setattr of a path", empty_file_setattr, CALL_DIRFD},
	{"file_setattr of a descriptor", null_file_setattr, CALL_DIRFD},
	{"truncate of a path's name", magic_truncate, CALL_DIRFD},
	{"write to a path's name", magic_write, CALL_DIRFD},
};
_Static_assert(ARRAY_SIZE(changes) == matrix_changes_SIZE, "as in the header");
const struct calls matrix_changes = {.all = changes, .fill = fill_secret};

/* ---- executing */

static char *const argv_of[] = {(char[]){"attack"}, NULL};

static int run_execve(struct spot *s)
{
	return outcome(execve(s->file, argv_of, NULL));
}

static int run_execveat(struct spot *s)
{
	return outcome(syscall(SYS_execveat, s->dirfd, s->file, argv_of, NULL, 0));
}

static int run_path(struct spot *s)
{
	int fd = openat(s->dirfd, s->file, O_PATH);

	return fd < 0 ? -errno
		      : outcome(syscall(SYS_execveat, fd, "", argv_of, NULL, AT_EMPTY_PATH));
}

static int run_magic(struct spot *s)
{
	char name[32];
	int fd = path_fd(s, name);

	return fd < 0 ? fd : outcome(execve(name, argv_of, NULL));
}

static int run_linked(struct spot *s)
{
	const char *to = own_absolute(s, "linked");

	if (linkat(s->dirfd, s->file, AT_FDCWD, to, AT_SYMLINK_FOLLOW) < 0)
		return -errno;
	return outcome(execve(to, argv_of, NULL));
}

static int run_in_child(struct spot *s)
{
	int status, r = 0;
	pid_t pid = vfork();

	if (pid == 0) {
		(void)execve(s->file, argv_of, NULL);
		_exit(errno);
	}
	if (waitpid(pid, &status, 0) < 0)
		r = -errno;
	return r < 0 ? r : -WEXITSTATUS(status);
}

int matrix_fill_program(int fd, struct bytes secret)
{
	static const char text[] = "#!/bin/sh\nexit 0\n";

	(void)secret;
	return io_write_all(fd, text, strlen(text));
}

static const struct call execs[] = {
	{"execve", run_execve, 0},
	{"execveat", run_execveat, CALL_DIRFD},
	{"execveat of a path", run_path, CALL_DIRFD},
	{"execve of a path's name", run_magic, CALL_DIRFD},
	{"linkat and execve", run_linked, CALL_DIRFD | CALL_ENTRY},
	{"execve in vfork", run_in_child, 0},
};
_Static_assert(ARRAY_SIZE(execs) == matrix_execs_SIZE, "as in the header");
const struct calls matrix_execs = {.all = execs, .fill = matrix_fill_program};
