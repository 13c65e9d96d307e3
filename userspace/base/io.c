/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/io.h"

#define IO_CHUNK_BYTES 16384
#define LOCK_ROUND_MS  1

int io_write_all(int fd, const void *p, size_t len)
{
	const char *s = p;

	while (len) {
		ssize_t n = write(fd, s, len);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		s += n;
		len -= (size_t)n;
	}
	return 0;
}

int io_read_all(int fd, struct strbuf *out)
{
	for (;;) {
		char chunk[IO_CHUNK_BYTES];
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (n == 0)
			return 0;
		strbuf_add(out, chunk, (size_t)n);
		if (strbuf_error(out))
			return strbuf_error(out);
	}
}

int io_read_file_at(int dirfd, const char *path, struct strbuf *out)
{
	_cleanup_(fd_closep) int fd = -1;
	struct stat st;

	/* O_NONBLOCK: a FIFO put in the place of a file must not hang us. */
	fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	return io_read_all(fd, out);
}

void io_closedirp(DIR **d)
{
	if (*d)
		(void)closedir(*d);
}

int io_lock_at(int dirfd, const char *name, uint64_t wait_ns)
{
	_cleanup_(fd_closep) int fd =
		openat(dirfd, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0200);
	uint64_t end_ns = clock_monotonic_ns() + wait_ns;

	if (fd < 0)
		return -errno;
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (clock_monotonic_ns() >= end_ns)
			return -EBUSY;
		(void)poll(NULL, 0, LOCK_ROUND_MS);
	}
	return TAKE_FD(fd);
}

int io_replace_file_at(int dirfd, const char *name, const char *fresh, struct bytes text,
		       bool is_durable)
{
	_cleanup_(fd_closep) int fd = -1;
	int r;

	/* Whatever a crash left there is nobody's: the caller has the lock. */
	(void)unlinkat(dirfd, fresh, 0);
	fd = openat(dirfd, fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = io_write_all(fd, text.p, text.len);
	if (r == 0 && ((is_durable && fsync(fd) < 0) || renameat(dirfd, fresh, dirfd, name) < 0))
		r = -errno;
	if (r == 0 && is_durable && fsync(dirfd) < 0)
		r = -errno;
	return r;
}

int io_mkdir_p(const char *path, mode_t mode)
{
	_cleanup_(freep) char *copy = strdup(path);

	if (!copy)
		return -ENOMEM;
	if (copy[0] == '\0')
		return -ENOENT;
	for (char *p = copy + 1;; p++) {
		char c = *p;

		if (c != '/' && c != '\0')
			continue;
		*p = '\0';
		if (mkdir(copy, mode) < 0 && errno != EEXIST)
			return -errno;
		if (c == '\0')
			return 0;
		*p = c;
	}
}

int parse_u64(struct bytes s, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;

	if (s.len == 0)
		return -EINVAL;
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return -EINVAL;
		if (__builtin_mul_overflow(v, (uint64_t)10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v) || v > max)
			return -ERANGE;
	}
	*ret = v;
	return 0;
}

int parse_status_field(const char *text, const char *name, uint64_t *ret)
{
	size_t n = strlen(name);

	for (const char *line = text; line && *line;) {
		const char *end = strchr(line, '\n');

		if (strncmp(line, name, n) == 0 && line[n] == ':') {
			const char *p = line + n + 1;
			size_t digits;

			p += strspn(p, " \t");
			digits = strspn(p, "0123456789");
			return parse_u64((struct bytes){.p = p, .len = digits}, UINT64_MAX, ret);
		}
		line = end ? end + 1 : NULL;
	}
	return -ENOENT;
}
