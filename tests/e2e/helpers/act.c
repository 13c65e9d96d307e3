/* SPDX-License-Identifier: Apache-2.0 */
/*
 * act [in WAY] OP ARG...: performs one operation by a given system call and prints "OK" or the
 * errno's name; what a read yields is printed before it. WAY says who performs it: a thread, a
 * vfork child, a posix_spawn'ed or clone3'ed process, a daemon.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

extern char **environ;

/* The directory and the base name of @path: for the calls relative to a descriptor. */
static int open_parent(const char *path, const char **ret_base)
{
	char *dir = strdup(path), *slash = strrchr(dir, '/');
	int fd;

	*ret_base = strrchr(path, '/') + 1;
	*slash = '\0';
	fd = open(dir[0] ? dir : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		printf("parent: ");
		fflush(stdout);
	}
	free(dir);
	return fd;
}

static int result(long r)
{
	return r < 0 ? errno : 0;
}

/* An operation that is one call with the paths @a. */
#define SIMPLE(name, call)                                                                         \
	static int op_##name(char **a)                                                             \
	{                                                                                          \
		return result(call);                                                               \
	}

static int copy_out(int fd)
{
	char buf[4096];
	ssize_t n;

	if (fd < 0)
		return errno;
	n = read(fd, buf, sizeof(buf));
	if (n < 0)
		return errno;
	if (n > 0 && write(STDOUT_FILENO, buf, (size_t)n) != n)
		return errno;
	close(fd);
	return 0;
}

static int op_open(char **a)
{
	return copy_out((int)syscall(SYS_open, a[0], O_RDONLY));
}

static int op_openat(char **a)
{
	const char *base;
	int dir = open_parent(a[0], &base);

	return dir < 0 ? errno : copy_out((int)syscall(SYS_openat, dir, base, O_RDONLY));
}

static int op_openat2(char **a)
{
	struct open_how how = {.flags = O_RDONLY};

	return copy_out((int)syscall(SYS_openat2, AT_FDCWD, a[0], &how, sizeof(how)));
}

static int op_openat2_beneath(char **a)
{
	struct open_how how = {.flags = O_RDONLY, .resolve = RESOLVE_BENEATH};
	const char *base;
	int dir = open_parent(a[0], &base);

	return dir < 0 ? errno : copy_out((int)syscall(SYS_openat2, dir, base, &how, sizeof(how)));
}

static int op_chdir_open(char **a)
{
	char *dir = strdup(a[0]), *slash = strrchr(dir, '/');

	*slash = '\0';
	if (chdir(dir) < 0)
		return errno;
	return copy_out(open(slash + 1, O_RDONLY));
}

static int op_chdir_proc_cwd(char **a)
{
	char *dir = strdup(a[0]), *slash = strrchr(dir, '/'), path[4200];

	*slash = '\0';
	if (chdir(dir) < 0)
		return errno;
	snprintf(path, sizeof(path), "/proc/self/cwd/%s", slash + 1);
	return copy_out(open(path, O_RDONLY));
}

static int open_by(const char *prefix, const char *path)
{
	char through[8200];

	snprintf(through, sizeof(through), "%s%s", prefix, path);
	return copy_out(open(through, O_RDONLY));
}

static int op_proc_root(char **a)
{
	return open_by("/proc/self/root", a[0]);
}

static int op_proc_thread_root(char **a)
{
	return open_by("/proc/thread-self/root", a[0]);
}

static int op_proc_pid_root(char **a)
{
	char prefix[64];

	snprintf(prefix, sizeof(prefix), "/proc/%d/task/%d/root", getpid(), gettid());
	return open_by(prefix, a[0]);
}

static int op_dots(char **a)
{
	return open_by("/usr/../usr/.././///", a[0]);
}

/* Through an O_PATH descriptor of the directory, or of the file itself. */
static int through_fd(const char *format, const char *path, bool whole)
{
	const char *base;
	char through[8200];
	int fd = whole ? open(path, O_PATH | O_CLOEXEC) : open_parent(path, &base);

	if (fd < 0)
		return errno;
	snprintf(through, sizeof(through), format, fd);
	if (!whole) {
		strcat(through, "/");
		strcat(through, base);
	}
	return copy_out(open(through, O_RDONLY));
}

static int op_proc_fd_dir(char **a)
{
	return through_fd("/proc/self/fd/%d", a[0], false);
}

static int op_dev_fd_dir(char **a)
{
	return through_fd("/dev/fd/%d", a[0], false);
}

static int op_proc_fd_file(char **a)
{
	return through_fd("/proc/self/fd/%d", a[0], true);
}

static int op_dev_fd_file(char **a)
{
	return through_fd("/dev/fd/%d", a[0], true);
}

SIMPLE(open_wronly, open(a[0], O_WRONLY))
SIMPLE(open_rdwr, open(a[0], O_RDWR))
SIMPLE(open_trunc, open(a[0], O_RDONLY | O_TRUNC))
SIMPLE(open_create, open(a[0], O_RDONLY | O_CREAT, 0644))
SIMPLE(open_tmpfile, open(a[0], O_RDWR | O_TMPFILE, 0644))
SIMPLE(creat, syscall(SYS_creat, a[0], 0644))
static int op_openat2_write(char **a)
{
	struct open_how how = {.flags = O_WRONLY | O_CREAT, .mode = 0644};

	return result(syscall(SYS_openat2, AT_FDCWD, a[0], &how, sizeof(how)));
}

SIMPLE(truncate, truncate(a[0], 0))
SIMPLE(unlink, syscall(SYS_unlink, a[0]))
static int op_unlinkat(char **a)
{
	const char *base;
	int dir = open_parent(a[0], &base);

	return dir < 0 ? errno : result(unlinkat(dir, base, 0));
}

SIMPLE(rmdir, rmdir(a[0]))
SIMPLE(mkdir, syscall(SYS_mkdir, a[0], 0755))
static int op_mkdirat(char **a)
{
	const char *base;
	int dir = open_parent(a[0], &base);

	return dir < 0 ? errno : result(mkdirat(dir, base, 0755));
}

SIMPLE(mknod, syscall(SYS_mknod, a[0], S_IFIFO | 0600, 0))
SIMPLE(mknodat, mknodat(AT_FDCWD, a[0], S_IFIFO | 0600, 0))
SIMPLE(rename, syscall(SYS_rename, a[0], a[1]))
SIMPLE(renameat, syscall(SYS_renameat, AT_FDCWD, a[0], AT_FDCWD, a[1]))
static int op_renameat2(char **a)
{
	const char *from, *to;
	int d1 = open_parent(a[0], &from), d2 = open_parent(a[1], &to);

	return d1 < 0 || d2 < 0 ? errno : result(syscall(SYS_renameat2, d1, from, d2, to, 0));
}

SIMPLE(exchange, syscall(SYS_renameat2, AT_FDCWD, a[0], AT_FDCWD, a[1], RENAME_EXCHANGE))
SIMPLE(link, syscall(SYS_link, a[0], a[1]))
SIMPLE(linkat, linkat(AT_FDCWD, a[0], AT_FDCWD, a[1], 0))
static int op_linkat_fd(char **a)
{
	char link[64];
	int fd = open(a[0], O_PATH);

	if (fd < 0)
		return errno;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return result(linkat(AT_FDCWD, link, AT_FDCWD, a[1], AT_SYMLINK_FOLLOW));
}

static int op_linkat_empty(char **a)
{
	int fd = open(a[0], O_PATH);

	return fd < 0 ? errno : result(linkat(fd, "", AT_FDCWD, a[1], AT_EMPTY_PATH));
}

SIMPLE(symlink, syscall(SYS_symlink, a[0], a[1]))
SIMPLE(symlinkat, symlinkat(a[0], AT_FDCWD, a[1]))
SIMPLE(chmod, syscall(SYS_chmod, a[0], 0600))
SIMPLE(fchmodat, syscall(SYS_fchmodat, AT_FDCWD, a[0], 0600))
SIMPLE(fchmodat2, syscall(452, AT_FDCWD, a[0], 0600, 0))
SIMPLE(chown, syscall(SYS_chown, a[0], getuid(), getgid()))
SIMPLE(lchown, syscall(SYS_lchown, a[0], getuid(), getgid()))
SIMPLE(fchownat, fchownat(AT_FDCWD, a[0], getuid(), getgid(), AT_SYMLINK_NOFOLLOW))
SIMPLE(setxattr, setxattr(a[0], "user.holdfast", "x", 1, 0))
SIMPLE(removexattr, removexattr(a[0], "user.holdfast"))
SIMPLE(utimensat, utimensat(AT_FDCWD, a[0], NULL, 0))
SIMPLE(utimes, syscall(SYS_utimes, a[0], NULL))
SIMPLE(exec, syscall(SYS_execve, a[0], a, environ))
static int op_execveat(char **a)
{
	const char *base;
	int dir = open_parent(a[0], &base);

	return dir < 0 ? errno : result(syscall(SYS_execveat, dir, base, a, environ, 0));
}

static int op_fexecve(char **a)
{
	int fd = open(a[0], O_PATH);

	return fd < 0 ? errno : result(syscall(SYS_execveat, fd, "", a, environ, AT_EMPTY_PATH));
}

static int op_exec_proc_fd(char **a)
{
	char link[64];
	int fd = open(a[0], O_PATH);

	if (fd < 0)
		return errno;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return result(execve(link, a, environ));
}

static int op_exec_memfd(char **a)
{
	int from = open(a[0], O_RDONLY | O_CLOEXEC), to = memfd_create("image", MFD_CLOEXEC);
	char buf[65536];
	ssize_t n;

	if (from < 0 || to < 0)
		return errno;
	while ((n = read(from, buf, sizeof(buf))) > 0)
		if (write(to, buf, (size_t)n) != n)
			return EIO;
	return result(syscall(SYS_execveat, to, "", a, environ, AT_EMPTY_PATH));
}

static const struct op {
	const char *name;
	int (*perform)(char **args);
} ops[] = {
	{"open", op_open},
	{"openat", op_openat},
	{"openat2", op_openat2},
	{"openat2-beneath", op_openat2_beneath},
	{"chdir-open", op_chdir_open},
	{"chdir-proc-cwd", op_chdir_proc_cwd},
	{"proc-root", op_proc_root},
	{"proc-thread-root", op_proc_thread_root},
	{"proc-pid-root", op_proc_pid_root},
	{"dots", op_dots},
	{"proc-fd-dir", op_proc_fd_dir},
	{"dev-fd-dir", op_dev_fd_dir},
	{"proc-fd-file", op_proc_fd_file},
	{"dev-fd-file", op_dev_fd_file},
	{"open-wronly", op_open_wronly},
	{"open-rdwr", op_open_rdwr},
	{"open-trunc", op_open_trunc},
	{"open-create", op_open_create},
	{"open-tmpfile", op_open_tmpfile},
	{"creat", op_creat},
	{"openat2-write", op_openat2_write},
	{"truncate", op_truncate},
	{"unlink", op_unlink},
	{"unlinkat", op_unlinkat},
	{"rmdir", op_rmdir},
	{"mkdir", op_mkdir},
	{"mkdirat", op_mkdirat},
	{"mknod", op_mknod},
	{"mknodat", op_mknodat},
	{"rename", op_rename},
	{"renameat", op_renameat},
	{"renameat2", op_renameat2},
	{"exchange", op_exchange},
	{"link", op_link},
	{"linkat", op_linkat},
	{"linkat-fd", op_linkat_fd},
	{"linkat-empty", op_linkat_empty},
	{"symlink", op_symlink},
	{"symlinkat", op_symlinkat},
	{"chmod", op_chmod},
	{"fchmodat", op_fchmodat},
	{"fchmodat2", op_fchmodat2},
	{"chown", op_chown},
	{"lchown", op_lchown},
	{"fchownat", op_fchownat},
	{"setxattr", op_setxattr},
	{"removexattr", op_removexattr},
	{"utimensat", op_utimensat},
	{"utimes", op_utimes},
	{"exec", op_exec},
	{"execveat", op_execveat},
	{"fexecve", op_fexecve},
	{"exec-proc-fd", op_exec_proc_fd},
	{"exec-memfd", op_exec_memfd},
};

static char **the_args;

static int perform(void)
{
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		int r;

		if (strcmp(ops[i].name, the_args[0]) != 0)
			continue;
		r = ops[i].perform(the_args + 1);
		dprintf(STDOUT_FILENO, "%s\n", r ? strerrorname_np(r) : "OK");
		return r ? 1 : 0;
	}
	dprintf(STDERR_FILENO, "act: no operation '%s'\n", the_args[0]);
	return 2;
}

static void *thread_main(void *arg)
{
	*(int *)arg = perform();
	return NULL;
}

static int in_thread(void)
{
	pthread_t t;
	int r = 2;

	if (pthread_create(&t, NULL, thread_main, &r) == 0)
		pthread_join(t, NULL);
	return r;
}

static int wait_status(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return 2;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 2;
}

static int in_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(perform());
	return wait_status(pid);
}

static int in_vfork(void)
{
	/* Volatile: the child shares this frame. */
	volatile pid_t pid = vfork();

	if (pid == 0)
		_exit(perform());
	return wait_status(pid);
}

static int in_clone3(void)
{
	struct clone_args args = {.exit_signal = SIGCHLD};
	long pid = syscall(SYS_clone3, &args, sizeof(args));

	/* Absent in a session; every libc then does this. */
	if (pid < 0 && errno == ENOSYS)
		return in_fork();
	if (pid == 0)
		_exit(perform());
	return wait_status((pid_t)pid);
}

static int in_spawn(void)
{
	char *argv[16] = {"act"};
	pid_t pid;

	for (int i = 0; i < 14 && the_args[i]; i++)
		argv[i + 1] = the_args[i];
	if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ) != 0)
		return 2;
	return wait_status(pid);
}

/* Forks twice, in a session of its own; the pipe's end tells when the grandchild is done. */
static int in_daemon(void)
{
	int end[2];
	char c;

	if (pipe(end) < 0)
		return 2;
	if (fork() == 0) {
		setsid();
		if (fork() == 0) {
			while (getppid() != 1 && kill(getppid(), 0) == 0 &&
			       getsid(getppid()) == getsid(0))
				sched_yield();
			_exit(perform());
		}
		_exit(0);
	}
	close(end[1]);
	while (read(end[0], &c, 1) > 0)
		;
	return 0;
}

static const struct way {
	const char *name;
	int (*run)(void);
} ways[] = {
	{"thread", in_thread}, {"fork", in_fork},   {"vfork", in_vfork},
	{"clone3", in_clone3}, {"spawn", in_spawn}, {"daemon", in_daemon},
};

int main(int argc, char **argv)
{
	the_args = argv + 1;
	if (argc >= 4 && strcmp(argv[1], "in") == 0) {
		the_args = argv + 3;
		for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
			if (strcmp(ways[i].name, argv[2]) == 0)
				return ways[i].run();
		return 2;
	}
	return argc < 2 ? 2 : perform();
}
