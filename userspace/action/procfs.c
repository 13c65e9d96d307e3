/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose files those of a procfs are: of a process outside of the session or in it; and
 * what number the target has in a procfs, which shows the tasks of one PID namespace by their
 * numbers there: that of a sandbox of the agent's is another than ours. The kernel says all numbers
 * of a task, from our namespace inwards ("NSpid:" in proc_pid_status(5)); the one that this procfs
 * goes by is the one under which it shows the rest of that list.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "action/decode.h"
#include "base/io.h"

#define NAMESPACES_MAX 33 /* MAX_PID_NS_LEVEL of the kernel, and the first */
#define STATUS_MAX     4096

struct numbers {
	size_t n;
	pid_t of[NAMESPACES_MAX];
};

static bool parse_numbers(const char *text, const char *name, struct numbers *ret)
{
	const char *p = strstr(text, name);
	uint64_t number;

	ret->n = 0;
	for (p = p ? p + strlen(name) : "\n"; *p != '\n' && ret->n < NAMESPACES_MAX;) {
		size_t len;

		p += strspn(p, "\t ");
		len = strspn(p, "0123456789");
		if (parse_u64((struct bytes){.p = p, .len = len}, INT32_MAX, &number) < 0)
			return false;
		ret->of[ret->n++] = (pid_t)number;
		p += len;
	}
	return ret->n > 0;
}

/* Return: whether the file could be read; consumes @fd, which may be -errno. */
static bool read_numbers(int fd, struct numbers *ret_process, struct numbers *ret_thread)
{
	_cleanup_(fd_closep) int file = fd;
	char text[STATUS_MAX];
	ssize_t n = file < 0 ? -1 : read(file, text, sizeof(text) - 1);

	if (n < 0)
		return false;
	text[n] = '\0';
	return parse_numbers(text, "\nNStgid:", ret_process) &&
	       parse_numbers(text, "\nNSpid:", ret_thread) && ret_process->n == ret_thread->n;
}

static bool is_ours(const struct decode *c, int root)
{
	char text[16];
	ssize_t n = readlinkat(root, "self", text, sizeof(text));

	/* Behind the slash of "/PID". */
	return n > 0 && (size_t)n == c->d->self_name_len - 1 &&
	       memcmp(text, c->d->self_name + 1, (size_t)n) == 0;
}

static bool is_rest(const struct numbers *all, size_t from, const struct numbers *rest)
{
	return rest->n == all->n - from &&
	       memcmp(rest->of, all->of + from, rest->n * sizeof(*rest->of)) == 0;
}

static int format(struct decode *c, pid_t process, pid_t thread, bool is_thread, struct bytes *ret)
{
	return is_thread ? decode_format(c, ret, "%d/task/%d", (int)process, (int)thread)
			 : decode_format(c, ret, "%d", (int)process);
}

int procfs_self(struct decode *c, int root, bool is_thread, struct bytes *ret)
{
	struct numbers process, thread, seen_process, seen_thread;

	if (is_ours(c, root))
		return format(c, c->t->tgid, c->t->tid, is_thread, ret);
	if (!read_numbers(target_open(c, "status", O_RDONLY), &process, &thread))
		return decode_fail(ACTION_UNREADABLE);
	for (size_t i = 0; i < process.n; i++) {
		char path[64];

		(void)snprintf(path, sizeof(path), "%d/task/%d/status", (int)process.of[i],
			       (int)thread.of[i]);
		if (read_numbers(openat(root, path, O_RDONLY | O_CLOEXEC), &seen_process,
				 &seen_thread) &&
		    is_rest(&process, i, &seen_process) && is_rest(&thread, i, &seen_thread))
			return format(c, process.of[i], thread.of[i], is_thread, ret);
	}
	return ENOENT; /* it is not to be seen there */
}

/* ---- processes outside */

/* Field 22 of proc_pid_stat(5): no two processes that had one number have the same. */
static bool read_start(int dir, const char *name, uint64_t *ret)
{
	_cleanup_(fd_closep) int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	char text[STATUS_MAX];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	char *p;

	if (n <= 0)
		return false;
	text[n] = '\0';
	p = strrchr(text, ')');
	for (int i = 0; p && i < 20; i++)
		p = strchr(p + 1, ' ');
	return p && sscanf(p, " %" SCNu64, ret) == 1;
}

/* Whether the number @pid is that of the same process in our procfs. In one of a sandbox's own it
 * is another's, and nobody outside is to be seen. */
static bool is_our_number(const struct decode *c, int process, pid_t pid)
{
	uint64_t theirs, ours;
	struct stat st, proc;
	char path[64];

	if (fstat(process, &st) == 0 && fstat(c->d->self_fds, &proc) == 0 &&
	    st.st_dev == proc.st_dev)
		return true;
	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	return read_start(process, "stat", &theirs) && read_start(AT_FDCWD, path, &ours) &&
	       theirs == ours;
}

/* @process: the directory of a process or thread, called @text: its last component is the number.
 */
static bool is_outside(const struct decode *c, int process, struct bytes text)
{
	uint64_t number;
	int r;

	(void)rights_settle();
	if (parse_u64(bytes_base_name(text), INT32_MAX, &number) < 0 || number == 0 ||
	    (pid_t)number == c->t->tgid || !is_our_number(c, process, (pid_t)number))
		return false;
	r = action_pid_descends_from((pid_t)number, c->d->config.supervisor);
	return r != 1 && r != -ESRCH;
}

static struct bytes parent_of(struct bytes path)
{
	path.len -= MIN(path.len, bytes_base_name(path).len + 1);
	return path;
}

bool procfs_is_outside(struct decode *c, int dir, struct bytes text)
{
	struct bytes name = bytes_base_name(text);
	_cleanup_(fd_closep) int process = -1;

	if (!bytes_eq_str(name, "fd") && !bytes_eq_str(name, "map_files"))
		return false;
	process = openat(dir, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return process < 0 || is_outside(c, process, parent_of(text));
}

bool procfs_is_memory_outside(struct decode *c, const struct resolved *found)
{
	struct bytes name = bytes_base_name(found->path);
	struct statfs fs;
	int object = found->pin.object;

	if (!bytes_eq_str(name, "mem") && !bytes_eq_str(name, "environ"))
		return false;
	if (found->pin.parent >= 0)
		return fstatfs(found->pin.parent, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC &&
		       is_outside(c, found->pin.parent, parent_of(found->path));
	/* By a descriptor of it, or by O_PATH, which looks at nothing: its name is all there is. */
	return bytes_has_prefix(found->path, BYTES_LIT("/proc/")) &&
	       (object >= 0 || !c->d->has_foreign_roots) &&
	       is_outside(c, object < 0 ? c->d->self_fds : object, parent_of(found->path));
}
