/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What number the target has in a procfs, which shows the tasks of one PID namespace by their
 * numbers there: that of a sandbox of the agent's is another than ours. The kernel says all numbers
 * of a task, from our namespace inwards ("NSpid:" in proc_pid_status(5)); the one that this procfs
 * goes by is the one under which it shows the rest of that list.
 */
#include <fcntl.h>
#include <stdio.h>

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
