/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/stat.h>
#include <zstd.h>

#include "audit/reader.h"
#include "audit/segments.h"

#include "audit/rawlog.h"

/* Read at once; a line that does not end in it is moved to the front of the buffer. */
#define RAWLOG_CHUNK ((size_t)256 * 1024)
#define RAWLOG_CAP   (READER_LINE_MAX + RAWLOG_CHUNK)

/* A compressed file, read from its beginning on. */
struct packed {
	ZSTD_DCtx *context;
	uint64_t at; /* in the text: what comes next */
	ZSTD_inBuffer in;
	bool is_in_frame; /* more of it is to come */
	char buffer[RAWLOG_CHUNK];
};

struct rawlog {
	int fd;
	struct packed *packed; /* NULL: a plain file */
	uint64_t offset;       /* of buffer[start] */
	uint64_t number;       /* of the line that begins there */
	uint64_t skipped;      /* bytes of a line that is too long, which are gone */
	size_t start, end;     /* of what is left of the buffer */
	char buffer[RAWLOG_CAP];
};

static int open_packed(struct rawlog *l)
{
	l->packed = calloc(1, sizeof(*l->packed));
	if (!l->packed)
		return -ENOMEM;
	l->packed->context = ZSTD_createDCtx();
	return l->packed->context ? 0 : -ENOMEM;
}

/* Return: bytes, 0 at the end, -errno; -EBADMSG: this is not Zstandard's format, or cut off. */
static ssize_t read_packed(struct rawlog *l, char *p, size_t len)
{
	struct packed *z = l->packed;
	ZSTD_outBuffer out = {.dst = p, .size = len};

	while (out.pos == 0) {
		bool is_at_end = false;
		size_t code;

		if (z->in.pos == z->in.size) {
			ssize_t n = read(l->fd, z->buffer, sizeof(z->buffer));

			if (n < 0 && errno == EINTR)
				continue;
			if (n < 0)
				return -errno;
			is_at_end = n == 0;
			z->in = (ZSTD_inBuffer){.src = z->buffer, .size = (size_t)n};
		}
		if (is_at_end && !z->is_in_frame)
			return 0;
		/* At the end there may be something left that found no room before. */
		code = ZSTD_decompressStream(z->context, &out, &z->in);
		if (ZSTD_isError(code) || (is_at_end && out.pos == 0))
			return -EBADMSG;
		z->is_in_frame = code != 0;
	}
	z->at += out.pos;
	return (ssize_t)out.pos;
}

static ssize_t read_some(struct rawlog *l, char *p, size_t len)
{
	ssize_t n;

	if (l->packed)
		return read_packed(l, p, len);
	do
		n = read(l->fd, p, len);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static int seek_packed(struct rawlog *l, uint64_t offset)
{
	struct packed *z = l->packed;

	if (offset < z->at) {
		if (lseek(l->fd, 0, SEEK_SET) < 0)
			return -errno;
		(void)ZSTD_DCtx_reset(z->context, ZSTD_reset_session_only);
		z->in = (ZSTD_inBuffer){};
		z->is_in_frame = false;
		z->at = 0;
	}
	while (z->at < offset) {
		ssize_t n = read_packed(l, l->buffer,
					(size_t)MIN(offset - z->at, (uint64_t)RAWLOG_CAP));

		if (n <= 0)
			return n < 0 ? (int)n : -EIO;
	}
	return 0;
}

int rawlog_open(const char *path, struct rawlog **ret, struct diag *reterr_diag)
{
	_cleanup_(fd_closep) int fd = -1;
	struct rawlog *l;
	struct stat st;

	fd = open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		int saved = errno;

		(void)diag_set(reterr_diag, NULL, 0, 0, "cannot read the log '%s': %s", path,
			       strerror(saved));
		return -saved;
	}
	if (S_ISDIR(st.st_mode)) {
		(void)diag_set(reterr_diag, NULL, 0, 0,
			       "'%s' is a directory; name a log file in it", path);
		return -EISDIR;
	}
	l = malloc(sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->packed = NULL;
	l->fd = TAKE_FD(fd);
	if (bytes_has_suffix(bytes_of(path), bytes_of(SEGMENTS_SUFFIX)) && open_packed(l) < 0) {
		rawlog_close(l);
		return -ENOMEM;
	}
	l->offset = l->skipped = 0;
	l->number = 1;
	l->start = l->end = 0;
	*ret = l;
	return 0;
}

struct rawlog *rawlog_close(struct rawlog *l)
{
	if (!l)
		return NULL;
	(void)fd_close(l->fd);
	if (l->packed)
		(void)ZSTD_freeDCtx(l->packed->context);
	free(l->packed);
	free(l);
	return NULL;
}

void rawlog_closep(struct rawlog **l)
{
	*l = rawlog_close(*l);
}

int rawlog_seek(struct rawlog *l, uint64_t offset, uint64_t number)
{
	if (offset > INT64_MAX)
		return -EIO;
	if (l->packed) {
		int r = seek_packed(l, offset);

		if (r < 0)
			return r;
	} else if (lseek(l->fd, (off_t)offset, SEEK_SET) < 0) {
		return -errno;
	}
	l->offset = offset;
	l->number = number;
	l->skipped = 0;
	l->start = l->end = 0;
	return 0;
}

/* Return: bytes, 0 at the end, -errno. */
static ssize_t fill(struct rawlog *l)
{
	ssize_t n;

	if (l->start > 0) {
		memmove(l->buffer, l->buffer + l->start, l->end - l->start);
		l->end -= l->start;
		l->start = 0;
	}
	n = read_some(l, l->buffer + l->end, MIN(RAWLOG_CHUNK, RAWLOG_CAP - l->end));
	if (n > 0)
		l->end += (size_t)n;
	return n;
}

int rawlog_next(struct rawlog *l, struct raw_line *ret)
{
	size_t seen = 0;

	for (;;) {
		size_t left = l->end - l->start;
		const char *begin = l->buffer + l->start;
		const char *newline = memchr(begin + seen, '\n', left - seen);
		ssize_t n;

		if (newline) {
			size_t len = (size_t)(newline - begin);

			*ret = (struct raw_line){.text = {.p = begin, .len = len},
						 .offset = l->offset - l->skipped,
						 .end = l->offset + len + 1,
						 .number = l->number++,
						 .is_too_long = l->skipped + len > READER_LINE_MAX};
			if (ret->is_too_long)
				ret->text = BYTES_LIT("");
			l->offset = ret->end;
			l->skipped = 0;
			l->start += len + 1;
			return 1;
		}
		seen = left;
		if (left > READER_LINE_MAX || l->skipped) {
			l->skipped += left;
			l->offset += left;
			l->start = l->end;
			seen = 0;
		}
		n = fill(l);
		if (n <= 0)
			return (int)n;
	}
}

bool rawlog_has_half_line(const struct rawlog *l)
{
	return l->end > l->start || l->skipped;
}

uint64_t rawlog_number(const struct rawlog *l)
{
	return l->number;
}

int rawlog_read(struct rawlog *l, uint64_t offset, size_t length, struct strbuf *out)
{
	size_t done = 0;

	strbuf_reset(out);
	if (strbuf_reserve(out, length) < 0)
		return strbuf_error(out);
	if (l->packed) {
		int r = seek_packed(l, offset);

		if (r < 0)
			return r;
	}
	while (done < length) {
		ssize_t n = l->packed ? read_packed(l, out->p + done, length - done)
				      : pread(l->fd, out->p + done, length - done,
					      (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 ? -EIO : l->packed ? (int)n : -errno;
		done += (size_t)n;
	}
	out->p[length] = '\0';
	out->len = length;
	return 0;
}

static struct rawlog_identity identity_of(const struct stat *st)
{
	return (struct rawlog_identity){.device = (uint64_t)st->st_dev,
					.inode = (uint64_t)st->st_ino,
					.size = (uint64_t)st->st_size};
}

int rawlog_identify(const struct rawlog *l, struct rawlog_identity *ret)
{
	struct stat st;

	if (fstat(l->fd, &st) < 0)
		return -errno;
	*ret = identity_of(&st);
	return 0;
}

int rawlog_identify_path(const char *path, struct rawlog_identity *ret)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	*ret = identity_of(&st);
	return 0;
}

bool rawlog_is_packed(const struct rawlog *l)
{
	return l->packed != NULL;
}
