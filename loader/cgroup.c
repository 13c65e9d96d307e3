/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/io.h"

#include "loader/cgroup.h"

#define PROC_FILE_MAX ((size_t)1 << 20)

/*
 * The first mount of the hierarchy's root in /proc/self/mountinfo (proc(5)): fields 4 and 5 are
 * what of the file system is mounted and where, and the type follows " - ". The kernel escapes
 * blanks as \040; a mount point that has any is not taken.
 */
static int find_mount(const char *mountinfo, char *ret, size_t size)
{
	for (const char *line = mountinfo; *line;
	     line = strchrnul(line, '\n'), line += *line != 0) {
		int length = (int)(strchrnul(line, '\n') - line);
		const char *type = memmem(line, (size_t)length, " - cgroup2 ", 11);
		const char *root = line;
		const char *point;

		if (!type)
			continue;
		for (int field = 1; field < 4; field++)
			root = strchrnul(root, ' ') + 1;
		point = strchrnul(root, ' ') + 1;
		if (strncmp(root, "/ ", 2) != 0)
			continue;
		length = (int)(strchrnul(point, ' ') - point);
		if (memchr(point, '\\', (size_t)length))
			continue;
		return snprintf(ret, size, "%.*s", length, point) < (int)size ? 0 : -ENAMETOOLONG;
	}
	return -ENOENT;
}

int cgroup_of(pid_t pid, char *ret_path, size_t size)
{
	char file[32] = "/proc/self/cgroup";
	_cleanup_(strbuf_fini) struct strbuf mountinfo = STRBUF_INIT(PROC_FILE_MAX);
	_cleanup_(strbuf_fini) struct strbuf own = STRBUF_INIT(PROC_FILE_MAX);
	char mount[PATH_MAX];
	const char *line;
	int r;

	if (pid)
		(void)snprintf(file, sizeof(file), "/proc/%d/cgroup", pid);
	r = io_read_file_at(AT_FDCWD, "/proc/self/mountinfo", &mountinfo);
	if (r == 0)
		r = io_read_file_at(AT_FDCWD, file, &own);
	if (r == 0)
		r = find_mount(strbuf_str(&mountinfo), mount, sizeof(mount));
	if (r < 0)
		return r;
	/* Of the form "0::/path"; lines of v1 have other numbers. */
	line = strbuf_str(&own);
	if (strncmp(line, "0::", 3) != 0) {
		line = strstr(line, "\n0::");
		if (!line)
			return -ENOENT;
		line++;
	}
	line += 3;
	r = snprintf(ret_path, size, "%s%.*s", mount, (int)(strchrnul(line, '\n') - line), line);
	return r < (int)size ? 0 : -ENAMETOOLONG;
}

int cgroup_make(pid_t pid, const char *what, char *ret_path, size_t size)
{
	char parent[PATH_MAX];
	int fd;
	int r = cgroup_of(pid, parent, sizeof(parent));

	if (r < 0)
		return r;
	r = snprintf(ret_path, size, "%s%sholdfast-%s-%d", parent,
		     parent[strlen(parent) - 1] == '/' ? "" : "/", what, getpid());
	if (r >= (int)size)
		return -ENAMETOOLONG;
	/* One of this name is that of a process that had our number, and is no more. */
	if (mkdir(ret_path, 0755) < 0 &&
	    (errno != EEXIST || rmdir(ret_path) < 0 || mkdir(ret_path, 0755) < 0))
		return -errno;
	fd = open(ret_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		r = -errno;
		(void)rmdir(ret_path);
		return r;
	}
	return fd;
}

int cgroup_join(int cgroup, pid_t pid)
{
	_cleanup_(fd_closep) int fd = openat(cgroup, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	char text[16];

	if (fd < 0)
		return -errno;
	return io_write_all(fd, text, (size_t)snprintf(text, sizeof(text), "%d", pid));
}
