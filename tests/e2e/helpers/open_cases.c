/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens every object of a small tree in every way, and prints what came of each:
 * tests/e2e/open.bats compares what it says natively and supervised.
 *
 *   open_cases DIRECTORY      a scratch directory of its own, empty
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static char scratch[PATH_MAX];
static int dir_fd, memfd, deleted_fd, pipe_fd[2], socket_fd;

static const struct {
	const char *name;
	int flags;
} ways[] = {
	{"RDONLY", O_RDONLY},
	{"WRONLY", O_WRONLY},
	{"RDWR", O_RDWR},
	{"ioctl-only", 3},
	{"CLOEXEC", O_RDONLY | O_CLOEXEC},
	{"APPEND", O_WRONLY | O_APPEND},
	{"TRUNC", O_WRONLY | O_TRUNC},
	{"RDONLY|TRUNC", O_RDONLY | O_TRUNC},
	{"CREAT", O_WRONLY | O_CREAT},
	{"RDONLY|CREAT", O_RDONLY | O_CREAT},
	{"CREAT|TRUNC", O_RDWR | O_CREAT | O_TRUNC},
	{"CREAT|EXCL", O_WRONLY | O_CREAT | O_EXCL},
	{"CREAT|NOFOLLOW", O_WRONLY | O_CREAT | O_NOFOLLOW},
	{"CREAT|DIRECTORY", O_RDONLY | O_CREAT | O_DIRECTORY},
	{"EXCL", O_RDONLY | O_EXCL},
	{"DIRECTORY", O_RDONLY | O_DIRECTORY},
	{"WRONLY|DIRECTORY", O_WRONLY | O_DIRECTORY},
	{"NOFOLLOW", O_RDONLY | O_NOFOLLOW},
	{"NOFOLLOW|DIRECTORY", O_RDONLY | O_NOFOLLOW | O_DIRECTORY},
	{"PATH", O_PATH},
	{"PATH|NOFOLLOW", O_PATH | O_NOFOLLOW},
	{"PATH|DIRECTORY", O_PATH | O_DIRECTORY},
	{"PATH|CREAT|TRUNC", O_PATH | O_CREAT | O_TRUNC | O_RDWR},
	{"TMPFILE", O_TMPFILE | O_RDWR},
	{"TMPFILE|EXCL", O_TMPFILE | O_WRONLY | O_EXCL},
	{"RDONLY|TMPFILE", O_TMPFILE | O_RDONLY},
	{"NOATIME", O_RDONLY | O_NOATIME},
	{"SYNC", O_WRONLY | O_SYNC},
	{"DSYNC", O_WRONLY | O_DSYNC},
	{"ASYNC", O_RDONLY | O_ASYNC},
	{"NOCTTY", O_RDWR | O_NOCTTY},
	{"unknown-bits", O_RDONLY | 0x38000000},
};

static const char *const paths[] = {
	"file",
	"./file",
	"dir/../file",
	"file/",
	"file/.",
	"file/..",
	"file/below",
	"empty",
	"unreadable",
	"unwritable",
	"executable",
	"missing",
	"missing/",
	"missing/below",
	"missing/../file",
	"dir",
	"dir/",
	"dir/.",
	"dir/..",
	"dir/inner",
	"dir/new",
	"closed/inner",
	"closed/missing",
	"sealed/inner",
	"sealed/missing",
	".",
	"..",
	"/",
	"//",
	"",
	"link",
	"link/",
	"absolute-link",
	"chain",
	"dangling",
	"dangling/",
	"dangling-far",
	"dir-link",
	"dir-link/",
	"dir-link/inner",
	"dir-link/../file",
	"slash-link",
	"loop",
	"loop/below",
	"fifo",
	"fifo-link",
	"socket",
	"hard",
	"name\nwith \xff bytes",
	"/dev/null",
	"/dev/zero",
	"/dev/full",
	"/dev/null/",
	"/dev/ptmx",
	"/dev/tty",
	"/dev/fd",
	"/dev/fd/0",
	"/dev/fd/999",
	"/dev/stdin",
	"/proc/self",
	"/proc/self/",
	"/proc/self/status",
	"/proc/self/comm",
	"/proc/self/environ",
	"/proc/self/mem",
	"/proc/self/maps",
	"/proc/self/cwd",
	"/proc/self/cwd/file",
	"/proc/self/root",
	"/proc/self/exe",
	"/proc/self/ns/net",
	"/proc/self/ns/user",
	"/proc/self/attr/current",
	"/proc/self/oom_score_adj",
	"/proc/self/uid_map",
	"/proc/self/setgroups",
	"/proc/thread-self",
	"/proc/thread-self/comm",
	"/proc/self/task/../comm",
	"/proc/self/fd/../comm",
	"/proc/1/environ",
	"/proc/1/root",
	"/proc/1/fd",
	"/proc/version",
	"/proc/mounts",
	"/proc/net/dev",
	"/proc/sys/kernel/hostname",
	"/proc/nothing",
	"/proc/0",
	"/sys/kernel/mm",
	"@memfd",
	"@deleted",
	"@pipe-read",
	"@pipe-write",
	"@socket",
	"@dir",
	"@dir/inner",
	"@long-name",
	"@long-path",
	"@too-long-path",
};

static const struct {
	const char *name;
	uint64_t resolve;
} confinements[] = {
	{"BENEATH", RESOLVE_BENEATH},
	{"IN_ROOT", RESOLVE_IN_ROOT},
	{"NO_SYMLINKS", RESOLVE_NO_SYMLINKS},
	{"NO_MAGICLINKS", RESOLVE_NO_MAGICLINKS},
	{"NO_XDEV", RESOLVE_NO_XDEV},
	{"BENEATH|IN_ROOT", RESOLVE_BENEATH | RESOLVE_IN_ROOT},
};

static void must(int r, const char *what)
{
	if (r < 0) {
		perror(what);
		exit(2);
	}
}

static void write_file(const char *name, const char *text, mode_t mode)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	must(fd, name);
	must((int)write(fd, text, strlen(text)), name);
	must(fchmod(fd, mode), name);
	(void)close(fd);
}

static void link_to(const char *text, const char *name)
{
	(void)unlink(name);
	must(symlink(text, name), name);
}

static void restore(void)
{
	struct stat st;

	(void)unlink("missing");
	(void)unlink("dir/new");
	(void)unlink("dir/made");
	(void)unlink("dir/missing");
	(void)unlink("elsewhere");
	/* Rewriting one costs some milliseconds on ext4. */
	if (stat("file", &st) < 0 || st.st_size != 8)
		write_file("file", "content\n", 0644);
}

static void build(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};
	char text[PATH_MAX + 8];
	int fd;

	must(mkdir("dir", 0755), "dir");
	must(mkdir("closed", 0700), "closed");
	must(mkdir("sealed", 0700), "sealed");
	write_file("dir/inner", "inner\n", 0644);
	write_file("closed/inner", "closed\n", 0644);
	write_file("sealed/inner", "sealed\n", 0644);
	must(chmod("closed", 0000), "closed");
	must(chmod("sealed", 0555), "sealed");
	write_file("file", "content\n", 0644);
	write_file("empty", "", 0640);
	write_file("unreadable", "secret\n", 0000);
	write_file("unwritable", "fixed\n", 0444);
	write_file("executable", "#!/bin/true\n", 0755);
	write_file("name\nwith \xff bytes", "odd\n", 0644);
	write_file("hard-origin", "hard\n", 0644);
	must(link("hard-origin", "hard"), "hard");
	link_to("file", "link");
	(void)snprintf(text, sizeof(text), "%s/file", scratch);
	link_to(text, "absolute-link");
	link_to("dir-link/../link", "chain");
	link_to("dir/made", "dangling");
	link_to("nowhere/at/all", "dangling-far");
	link_to("dir", "dir-link");
	link_to("dir/", "slash-link");
	link_to("loop", "loop");
	must(mkfifo("fifo", 0644), "fifo");
	link_to("fifo", "fifo-link");
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(bind(fd, (struct sockaddr *)&address, sizeof(address)), "bind");
	(void)close(fd);
	dir_fd = open("dir", O_PATH | O_DIRECTORY);
	must(dir_fd, "dir");
	memfd = memfd_create("cases", 0);
	must((int)write(memfd, "memory\n", 7), "memfd");
	deleted_fd = open("gone", O_RDWR | O_CREAT, 0644);
	must((int)write(deleted_fd, "gone\n", 5), "gone");
	must(unlink("gone"), "gone");
	must(pipe(pipe_fd), "pipe");
	socket_fd = socket(AF_UNIX, SOCK_STREAM, 0);
}

/* "@name": an object that only a descriptor leads to, and long paths. */
static const char *expand(const char *path, char buf[2 * PATH_MAX])
{
	const struct {
		const char *name;
		int fd;
	} fds[] = {{"@memfd", memfd},          {"@deleted", deleted_fd},
		   {"@pipe-read", pipe_fd[0]}, {"@pipe-write", pipe_fd[1]},
		   {"@socket", socket_fd},     {"@dir", dir_fd}};
	const char *slash = strchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : strlen(path);

	if (path[0] != '@')
		return path;
	for (size_t i = 0; i < COUNT(fds); i++)
		if (strlen(fds[i].name) == len && strncmp(path, fds[i].name, len) == 0) {
			(void)snprintf(buf, 2 * PATH_MAX, "/proc/self/fd/%d%s", fds[i].fd,
				       slash ? slash : "");
			return buf;
		}
	memset(buf, strcmp(path, "@long-name") == 0 ? 'n' : '/', 2 * PATH_MAX);
	strcpy(buf + (strcmp(path, "@long-name") == 0   ? 256
		      : strcmp(path, "@long-path") == 0 ? PATH_MAX - 5
							: PATH_MAX),
	       strcmp(path, "@long-path") == 0 ? "proc" : "");
	return buf;
}

static void print_name(const char *name)
{
	for (const char *p = name; *p; p++)
		if (*p > ' ' && *p <= '~')
			putchar(*p);
		else
			printf("\\x%02x", (unsigned char)*p);
}

/* The kernel's name of the object, without what differs from run to run. */
static void print_object(int fd)
{
	char link[64], text[PATH_MAX + 1], self[32];
	size_t n = strlen(scratch);
	ssize_t len;
	char *p;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, text, PATH_MAX);
	text[len > 0 ? len : 0] = '\0';
	/* Names in a procfs come and go with the cache that they are in. */
	if (strncmp(text, "/proc/", 6) == 0 && (p = strstr(text, " (deleted)")))
		*p = '\0';
	if ((p = strchr(text, '#')))
		*p = '\0';
	(void)snprintf(self, sizeof(self), "/proc/%d", getpid());
	if (strncmp(text, scratch, n) == 0)
		printf(" SCRATCH%s", text + n);
	else if ((p = strstr(text, "/task/")))
		printf(" TASK%s", p + 6 + strspn(p + 6, "0123456789"));
	else if (strncmp(text, self, strlen(self)) == 0)
		printf(" SELF%s", text + strlen(self));
	else if ((p = strchr(text, '[')))
		printf(" %.*s", (int)(p - text), text);
	else if (strncmp(text, "/dev/pts/", 9) == 0)
		printf(" (other)");
	else
		printf(" %s", text);
}

static void print_result(int fd, int error)
{
	struct stat st;
	char text[8] = "";
	ssize_t n;

	if (fd < 0) {
		printf("%s\n", strerrorname_np(error));
		return;
	}
	must(fstat(fd, &st), "fstat");
	printf("%s fl=%o fd=%d mode=%o", fd > 2 ? "ok" : "low", fcntl(fd, F_GETFL),
	       fcntl(fd, F_GETFD), st.st_mode);
	if (S_ISREG(st.st_mode) && st.st_nlink < 3 && st.st_dev != 0)
		printf(" links=%u", (unsigned)st.st_nlink);
	if (S_ISCHR(st.st_mode) && major(st.st_rdev) != 136)
		printf(" rdev=%u:%u", major(st.st_rdev), minor(st.st_rdev));
	print_object(fd);
	(void)fcntl(fd, F_SETFL, O_NONBLOCK);
	n = S_ISREG(st.st_mode) && st.st_nlink ? pread(fd, text, 5, 0) : 0;
	if (n < 0)
		printf(" read=%s", strerrorname_np(errno));
	else if (n == 5 && strspn(text, "0123456789abcdef") >= 5)
		printf(" read=(address)");
	else
		printf(" read=%.*s", (int)strcspn(text, "\n") < (int)n ? 4 : (int)n, text);
	putchar('\n');
	(void)close(fd);
}

/* What would wait for somebody else, change the machine, or differ by itself. */
static bool is_left_out(const char *path, int flags)
{
	bool is_machine = strncmp(path, "/proc/sys", 9) == 0 || strncmp(path, "/sys", 4) == 0 ||
			  strstr(path, "oom_score") || strstr(path, "_map") ||
			  strstr(path, "setgroups");
	bool changes = (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC));

	if ((flags & O_TMPFILE) == O_TMPFILE && path[0] == '/')
		return true;
	return is_machine && changes && !(flags & O_PATH);
}

static void try_open(const char *path, size_t way)
{
	char buf[2 * PATH_MAX];
	int flags = ways[way].flags;
	int fd;

	if (is_left_out(path, flags))
		return;
	if (strstr(path, "fifo") || strstr(path, "pipe") || strstr(path, "/fd/0") ||
	    strstr(path, "stdin"))
		flags |= O_NONBLOCK;
	restore();
	print_name(path);
	printf(" %s: ", ways[way].name);
	(void)umask(way % 2 ? 0022 : 0077);
	errno = 0;
	fd = open(expand(path, buf), flags, 01666);
	print_result(fd, errno);
}

static void try_openat2(const char *path, size_t how_index, int dirfd, uint64_t flags)
{
	char buf[2 * PATH_MAX];
	const struct open_how how = {.flags = flags,
				     .mode = flags & O_CREAT ? 0640 : 0,
				     .resolve = confinements[how_index].resolve};
	int fd;

	if (is_left_out(path, (int)flags))
		return;
	restore();
	print_name(path);
	printf(" openat2 %s %s %s: ", dirfd == AT_FDCWD ? "cwd" : "dir",
	       confinements[how_index].name, flags & O_CREAT ? "CREAT" : "RDONLY");
	fd = (int)syscall(SYS_openat2, dirfd, expand(path, buf), &how, sizeof(how));
	print_result(fd, errno);
}

static void print_call(const char *name, int fd, int error)
{
	printf("%s: ", name);
	print_result(fd, error);
}

#define CALL(name, call)                                                                           \
	do {                                                                                       \
		int fd_ = (int)(call);                                                             \
		print_call(name, fd_, errno);                                                      \
	} while (0)

static void try_others(void)
{
	static const struct open_how hows[] = {
		{.flags = O_RDONLY, .mode = 0600},
		{.flags = O_CREAT, .mode = 0200000},
		{.flags = O_PATH | O_RDWR},
		{.flags = O_CREAT | O_DIRECTORY},
		{.flags = O_TMPFILE & ~O_DIRECTORY},
		{.flags = O_TMPFILE},
		{.flags = O_RDONLY | O_TMPFILE, .mode = 0600},
	};

	for (size_t i = 0; i < COUNT(hows); i++)
		CALL("bad how", syscall(SYS_openat2, AT_FDCWD, "file", &hows[i], sizeof(hows[i])));
	CALL("small how", syscall(SYS_openat2, AT_FDCWD, "file", &hows[0], 8));
	CALL("null path", syscall(SYS_openat, AT_FDCWD, NULL, O_RDONLY));
	CALL("bad dirfd", openat(777, "file", O_RDONLY));
	CALL("dirfd is a file", openat(memfd, "file", O_RDONLY));
	CALL("creat", creat("missing", 0606));
	CALL("dirfd", openat(dir_fd, "inner", O_RDONLY));
}

int main(int argc, char *argv[])
{
	if (argc != 2 || chdir(argv[1]) < 0 || !getcwd(scratch, sizeof(scratch)))
		return 2;
	(void)umask(0);
	build();
	for (size_t i = 0; i < COUNT(paths); i++)
		for (size_t j = 0; j < COUNT(ways); j++)
			try_open(paths[i], j);
	for (size_t i = 0; i < COUNT(paths); i++)
		for (size_t j = 0; j < COUNT(confinements); j++) {
			if (strstr(paths[i], "fifo") || strstr(paths[i], "pipe") ||
			    strstr(paths[i], "/fd/0") || strstr(paths[i], "stdin"))
				continue;
			try_openat2(paths[i], j, AT_FDCWD, O_RDONLY);
			try_openat2(paths[i], j, dir_fd, O_RDONLY);
			try_openat2(paths[i], j, AT_FDCWD, O_WRONLY | O_CREAT);
		}
	try_others();
	return 0;
}
