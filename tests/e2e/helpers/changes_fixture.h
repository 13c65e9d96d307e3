/* SPDX-License-Identifier: Apache-2.0 */
/* Of changes.c: the tree on which each call is made, and how it is printed afterwards. */
#pragma once

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>
#include <utime.h>

#define ARRAY_SIZE(a)    (sizeof(a) / sizeof((a)[0]))
#define NR_FCHMODAT2     452
#define NR_SETXATTRAT    463
#define NR_REMOVEXATTRAT 466
#define NR_FILE_SETATTR  469
#define XATTR_MAX        65536
#define BAD_POINTER      ((const char *)8)

static time_t started;
static volatile sig_atomic_t n_sigxfsz;
static char long_name[300], long_path[4200], fd_path[32], own_dir[64];
static char other_path[200];
static int file_fd, dir_fd, path_fd, link_fd;
static long n_rows;

static void die(const char *what)
{
	fprintf(stderr, "changes: %s: %m\n", what);
	exit(2);
}

static void on_sigxfsz(int sig)
{
	(void)sig;
	n_sigxfsz++;
}

/* ---- the fixture */

static void put_file(const char *name, mode_t mode)
{
	const struct timespec then[2] = {{.tv_sec = 1000, .tv_nsec = 5}, {.tv_sec = 2000}};
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, name, strlen(name)) < 0 || fchmod(fd, mode) < 0 ||
	    futimens(fd, then) < 0)
		die(name);
	close(fd);
}

static void must(long r, const char *what)
{
	if (r < 0)
		die(what);
}

static void remove_tree(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct dirent *e;
	DIR *d;

	if (fd < 0 && errno == EACCES) {
		must(fchmodat(at, name, 0700, 0), name);
		fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	}
	if (fd < 0) {
		must(unlinkat(at, name, 0), name);
		return;
	}
	must(fchmod(fd, 0700), name);
	d = fdopendir(fd);
	while ((e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			remove_tree(fd, e->d_name);
	closedir(d);
	must(unlinkat(at, name, AT_REMOVEDIR), name);
}

static void make_fixture(void)
{
	umask(022);
	/* Two levels, so that ".." is ours as well. */
	must(mkdir("w", 0755), "w");
	must(mkdir("w/w", 0755), "w/w");
	must(chdir("w/w"), "w/w");
	put_file("f", 0644);
	put_file("g", 0600);
	put_file("s", 06755);
	must(mkdir("d", 0755), "d");
	put_file("d/x", 0644);
	must(mkdir("e", 0755), "e");
	must(symlink("f", "l"), "l");
	must(symlink("d", "ld"), "ld");
	must(symlink("nowhere", "dang"), "dang");
	must(symlink("loop", "loop"), "loop");
	must(link("g", "hl"), "hl");
	must(mkfifo("p", 0644), "p");
	must(mkdir("na", 0755), "na");
	put_file("na/x", 0644);
	must(chmod("na", 0), "na");
	must(mkdir("ro", 0755), "ro");
	put_file("ro/x", 0644);
	must(chmod("ro", 0555), "ro");
	must(mkdir("sg", 0755), "sg");
	must(chmod("sg", 02755), "sg");
	(void)setxattr("f", "user.had", "1", 1, 0);
	file_fd = open("f", O_RDWR | O_CLOEXEC);
	dir_fd = open("d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	path_fd = open("f", O_PATH | O_CLOEXEC);
	link_fd = open("l", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (file_fd < 0 || dir_fd < 0 || path_fd < 0 || link_fd < 0)
		die("descriptors");
	snprintf(fd_path, sizeof(fd_path), "/proc/self/fd/%d", file_fd);
}

static void remove_fixture(void)
{
	close(file_fd);
	close(dir_fd);
	close(path_fd);
	close(link_fd);
	umask(022);
	must(chdir(own_dir), own_dir);
	remove_tree(AT_FDCWD, "w");
}

/* ---- what is printed */

static void print_time(const char *name, struct timespec t)
{
	if (t.tv_sec >= started)
		printf(" %s=now", name);
	else
		printf(" %s=%lld.%09ld", name, (long long)t.tv_sec, t.tv_nsec);
}

static void print_xattrs(const char *path)
{
	char names[1024], *p;
	ssize_t n = llistxattr(path, names, sizeof(names));

	for (p = names; n > 0 && p < names + n; p += strlen(p) + 1) {
		char value[256];
		ssize_t len = lgetxattr(path, p, value, sizeof(value));

		printf(" %s:%zd:%.*s", p, len, len > 0 && value[0] >= ' ' ? (int)len : 0, value);
	}
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void print_tree(const char *path)
{
	char text[128] = "";
	struct stat st;
	int fd;

	must(lstat(path, &st), path);
	printf(" [%s %o %u:%u %lu", path, st.st_mode, st.st_uid, st.st_gid,
	       (unsigned long)st.st_nlink);
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
		printf(" dev=%llx", (unsigned long long)st.st_rdev);
	if (S_ISREG(st.st_mode)) {
		printf(" %lld", (long long)st.st_size);
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOATIME);
		if (fd >= 0 && read(fd, text, 8) >= 0)
			printf(" '%s'", text);
		close(fd);
	}
	if (S_ISLNK(st.st_mode) && readlink(path, text, sizeof(text) - 1) >= 0)
		printf(" ->%s", text);
	if (!S_ISDIR(st.st_mode) && !S_ISLNK(st.st_mode)) {
		print_time("a", st.st_atim);
		print_time("m", st.st_mtim);
	} else if (st.st_mtim.tv_sec < started) {
		print_time("m", st.st_mtim);
	}
	print_xattrs(path);
	printf("]");
	if (S_ISDIR(st.st_mode)) {
		struct dirent **list;
		int n;

		if (geteuid() == st.st_uid || geteuid() == 0)
			must(chmod(path, 0755), path);
		n = scandir(path, &list, NULL, by_name);
		for (int i = 0; i < n; i++) {
			char below[512];

			if (list[i]->d_name[0] != '.') {
				snprintf(below, sizeof(below), "%s/%.200s", path, list[i]->d_name);
				print_tree(below);
			}
			free(list[i]);
		}
		free(list);
	}
}

static void print_result(const char *call, const char *a, const char *b, long r, int error)
{
	printf("%s(%.30s%s%.30s) = %s", call, a, b ? ", " : "", b ? b : "",
	       r < 0 ? strerrorname_np(error) : "0");
	if (r > 0)
		printf(" r=%ld", r);
	if (n_sigxfsz)
		printf(" SIGXFSZ*%d", (int)n_sigxfsz);
	n_sigxfsz = 0;
	/* By its name from above: the call may have made it unsearchable. */
	must(chdir(own_dir), own_dir);
	print_tree("w");
	printf("\n");
	n_rows++;
}
