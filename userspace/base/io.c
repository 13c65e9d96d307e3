/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/io.h"

#define IO_CHUNK_BYTES 16384

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
