/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>

#include "base/io.h"

#include "behalf/proc.h"

#define STATUS_SIZE 4096

int proc_read_file(int proc, pid_t tid, const char *name, char *buf, size_t size)
{
	_cleanup_(fd_closep) int fd = -1;
	char path[48];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%d/%s", (int)tid, name);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, buf, size - 1);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return n ? 0 : -ESRCH;
}

int proc_read_stat(int proc, pid_t tid, struct proc_stat *ret)
{
	char text[1024];
	const char *p;
	int ppid;
	unsigned long long start;
	int r = proc_read_file(proc, tid, "stat", text, sizeof(text));

	if (r < 0)
		return r == -ENOENT ? -ESRCH : r;
	p = strrchr(text, ')'); /* the name before it may hold anything */
	if (!p ||
	    sscanf(p,
		   ") %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d "
		   "%llu",
		   &ppid, &start) != 2)
		return -EIO;
	*ret = (struct proc_stat){.ppid = ppid, .start = start};
	return 0;
}

/* The last number of a line of the "status" file; 0: there is none. */
static unsigned last_number(const char *text, const char *name, unsigned *ret_count)
{
	const char *p = strstr(text, name);
	uint64_t n = 0;

	*ret_count = 0;
	for (p = p ? p + strlen(name) : ""; *p && *p != '\n'; ++*ret_count) {
		size_t len;

		p += strspn(p, "\t ");
		len = strspn(p, "0123456789");
		if (parse_u64((struct bytes){.p = p, .len = len}, UINT32_MAX, &n) < 0)
			break;
		p += len;
	}
	return (unsigned)n;
}

bool proc_is_namespace_init(int proc, pid_t tid)
{
	char text[STATUS_SIZE];
	unsigned count, n;

	if (proc_read_file(proc, tid, "status", text, sizeof(text)) < 0)
		return true;
	n = last_number(text, "\nNSpid:", &count);
	return count > 1 && n == 1;
}

unsigned proc_count_filters(int proc, pid_t tid)
{
	char text[STATUS_SIZE];
	unsigned count;

	if (proc_read_file(proc, tid, "status", text, sizeof(text)) < 0)
		return 0;
	return last_number(text, "\nSeccomp_filters:", &count);
}

int proc_read_size_limit(int proc, pid_t tid, uint64_t *ret)
{
	static const char name[] = "\nMax file size";
	char text[STATUS_SIZE];
	struct bytes word;
	const char *p;
	int r = proc_read_file(proc, tid, "limits", text, sizeof(text));

	if (r < 0)
		return r;
	p = strstr(text, name);
	if (!p)
		return -EIO;
	p += sizeof(name) - 1;
	p += strspn(p, " ");
	word = (struct bytes){.p = p, .len = strcspn(p, " ")};
	if (bytes_eq_str(word, "unlimited")) {
		*ret = UINT64_MAX;
		return 0;
	}
	return parse_u64(word, UINT64_MAX, ret) < 0 ? -EIO : 0;
}

int proc_read_caps(int proc, pid_t tid, uint64_t *ret)
{
	char text[STATUS_SIZE];
	unsigned long long caps;
	const char *p;
	int r = proc_read_file(proc, tid, "status", text, sizeof(text));

	if (r < 0)
		return r;
	p = strstr(text, "\nCapEff:");
	if (!p || sscanf(p, "\nCapEff: %llx", &caps) != 1)
		return -EIO;
	*ret = caps;
	return 0;
}
