/* SPDX-License-Identifier: Apache-2.0 */
/* What procfs says of processes besides what they are at (target.c): thread group, parent, process
 * group, terminal. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/sysmacros.h>

#include "action/decode.h"
#include "base/io.h"

#define STATUS_MAX  4096 /* Tgid and PPid are in its first lines */
#define DESCENT_MAX 4096 /* generations */

/* Reads a file of the task's /proc directory @dir into @buf, NUL-terminated. */
static int read_proc_file(int dir, const char *name, char *buf, size_t size)
{
	_cleanup_(fd_closep) int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, buf, size - 1);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return 0;
}

int target_read_status(int dir, pid_t *ret_tgid, pid_t *ret_ppid)
{
	char text[STATUS_MAX];
	uint64_t tgid, ppid;
	int r;

	r = read_proc_file(dir, "status", text, sizeof(text));
	if (r < 0)
		return r;
	if (parse_status_field(text, "Tgid", &tgid) < 0 ||
	    parse_status_field(text, "PPid", &ppid) < 0 || tgid > INT32_MAX || ppid > INT32_MAX)
		return -EIO;
	*ret_tgid = (pid_t)tgid;
	*ret_ppid = (pid_t)ppid;
	return 0;
}

/* The number after @skip others that follow the state in /proc/PID/stat. */
static int read_stat_number(pid_t pid, unsigned skip, pid_t *ret)
{
	char path[32], text[STATUS_MAX];
	const char *p; /* the name before it, in parentheses, may hold anything */
	uint64_t number;
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	r = read_proc_file(AT_FDCWD, path, text, sizeof(text));
	if (r < 0)
		return r;
	p = strrchr(text, ')');
	if (!p || p[1] != ' ' || p[2] == '\0' || p[3] != ' ')
		return -EIO;
	for (p += 4; skip; skip--) {
		p += strcspn(p, " ");
		p += *p == ' ';
	}
	r = parse_u64((struct bytes){.p = p, .len = strspn(p, "0123456789")}, INT32_MAX, &number);
	if (r < 0)
		return r;
	*ret = (pid_t)number;
	return 0;
}

int action_pid_parent(pid_t pid, pid_t *ret)
{
	return read_stat_number(pid, 0, ret);
}

int action_pid_group(pid_t pid, pid_t *ret)
{
	return read_stat_number(pid, 1, ret);
}

int action_pid_terminal(pid_t pid, dev_t *ret)
{
	pid_t number;
	int r = read_stat_number(pid, 3, &number);

	if (r < 0)
		return r;
	/* As the kernel packs it for 32 bits (new_encode_dev() in include/linux/kdev_t.h). */
	*ret = makedev(((unsigned int)number >> 8) & 0xfff,
		       ((unsigned int)number & 0xff) | (((unsigned int)number >> 12) & 0xfff00));
	return 0;
}

int action_pid_descends_from(pid_t pid, pid_t ancestor)
{
	for (int i = 0; i < DESCENT_MAX; i++) {
		int r;

		if (pid == ancestor)
			return 1;
		if (pid <= 0)
			return i ? 0 : -ESRCH;
		r = action_pid_parent(pid, &pid);
		if (r < 0)
			return r == -ENOENT ? -ESRCH : r;
	}
	return -ELOOP;
}
