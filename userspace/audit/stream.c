/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/stat.h>
#include <zstd.h>

#include "audit/stream.h"

/* More memory than this is not given to a file that somebody else may have made. */
#define STREAM_WINDOW_LOG_MAX 27

struct stream {
	int fd;
	ZSTD_DCtx *ctx; /* NULL: it is not compressed */
	bool is_in_frame;
	char *buffer; /* compressed bytes, from `start` to `end` */
	size_t size, start, end;
};

static int refuse(const char *path, int error, struct diag *reterr_diag)
{
	(void)diag_set(reterr_diag, NULL, 0, 0, "cannot read the log '%s': %s", path,
		       strerror(error));
	return -error;
}

static ssize_t read_fd(int fd, void *p, size_t size)
{
	ssize_t n;

	do
		n = read(fd, p, size);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static int begin_compressed(struct stream *s)
{
	s->ctx = ZSTD_createDCtx();
	s->size = ZSTD_DStreamInSize();
	s->buffer = malloc(s->size);
	if (!s->ctx || !s->buffer)
		return -ENOMEM;
	(void)ZSTD_DCtx_setParameter(s->ctx, ZSTD_d_windowLogMax, STREAM_WINDOW_LOG_MAX);
	return 0;
}

int stream_open(const char *path, struct stream **ret, struct diag *reterr_diag)
{
	_cleanup_(stream_closep) struct stream *s = calloc(1, sizeof(*s));
	unsigned char magic[4];
	struct stat st;
	int r = 0;

	if (!s)
		return refuse(path, ENOMEM, reterr_diag);
	s->fd = open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC);
	if (s->fd < 0 || fstat(s->fd, &st) < 0)
		return refuse(path, errno, reterr_diag);
	if (S_ISDIR(st.st_mode)) {
		(void)diag_set(reterr_diag, NULL, 0, 0,
			       "'%s' is a directory; name a log file in it", path);
		return -EISDIR;
	}
	/* A pipe cannot be looked into: it is taken as it is. */
	if (S_ISREG(st.st_mode) && pread(s->fd, magic, sizeof(magic), 0) == sizeof(magic) &&
	    memcmp(magic, "\x28\xb5\x2f\xfd", sizeof(magic)) == 0)
		r = begin_compressed(s);
	if (r < 0)
		return refuse(path, -r, reterr_diag);
	*ret = TAKE_PTR(s);
	return 0;
}

struct stream *stream_close(struct stream *s)
{
	if (!s)
		return NULL;
	(void)fd_close(s->fd);
	(void)ZSTD_freeDCtx(s->ctx);
	free(s->buffer);
	free(s);
	return NULL;
}

void stream_closep(struct stream **s)
{
	*s = stream_close(*s);
}

/* Return: 1 there is something in the buffer; 0 the end; -errno. */
static int fill(struct stream *s)
{
	ssize_t n;

	if (s->start < s->end)
		return 1;
	n = read_fd(s->fd, s->buffer, s->size);
	if (n < 0)
		return (int)n;
	s->start = 0;
	s->end = (size_t)n;
	return n > 0;
}

ssize_t stream_read(struct stream *s, void *p, size_t size)
{
	ZSTD_outBuffer out = {.dst = p, .size = size};

	if (!s->ctx)
		return read_fd(s->fd, p, size);
	while (out.pos == 0) {
		ZSTD_inBuffer in;
		size_t left;
		int r = fill(s);

		if (r < 0)
			return r;
		if (r == 0 && !s->is_in_frame)
			return 0;
		in = (ZSTD_inBuffer){.src = s->buffer + s->start, .size = s->end - s->start};
		left = ZSTD_decompressStream(s->ctx, &out, &in);
		if (ZSTD_isError(left) || (r == 0 && out.pos == 0))
			return -EBADMSG;
		s->start += in.pos;
		s->is_in_frame = left != 0;
	}
	return (ssize_t)out.pos;
}

bool stream_is_replaced(const struct stream *s, const char *path)
{
	struct stat a, b;

	return fstat(s->fd, &a) == 0 && stat(path, &b) == 0 &&
	       (a.st_dev != b.st_dev || a.st_ino != b.st_ino);
}

const char *stream_error(int r)
{
	return r == -EBADMSG ? "what is compressed in it is damaged or cut off" : strerror(-r);
}
