/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <sys/stat.h>

#include "base/io.h"

#include "audit/reader.h"
#include "audit/tail.h"

#define TAIL_CHUNK_BYTES    ((size_t)16 * 1024)
#define TAIL_COUNT_BYTES    ((size_t)256 * 1024)
#define TAIL_END_BYTES      ((size_t)128)
#define TAIL_CHECKPOINT_MAX ((size_t)4096)

/* Reads the @len bytes at @at. Return: 0, -errno (-EIO: the file has become shorter). */
static int read_at(int fd, char *p, size_t len, uint64_t at)
{
	while (len) {
		ssize_t n = pread(fd, p, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		p += n;
		len -= (size_t)n;
		at += (uint64_t)n;
	}
	return 0;
}

/* Where the line that ends before @end begins. Return: 0, -EMSGSIZE, -errno. */
static int find_start(int fd, uint64_t end, uint64_t *ret)
{
	char chunk[TAIL_CHUNK_BYTES];
	uint64_t at = end;

	while (at > 0) {
		size_t len = MIN(sizeof(chunk), (size_t)at);
		const char *newline;
		int r;

		if (end - at > TAIL_LINE_MAX)
			return -EMSGSIZE;
		r = read_at(fd, chunk, len, at - len);
		if (r < 0)
			return r;
		newline = memrchr(chunk, '\n', len);
		if (newline) {
			*ret = at - len + (uint64_t)(newline - chunk) + 1;
			return 0;
		}
		at -= len;
	}
	*ret = 0;
	return 0;
}

static int add_range(int fd, struct chain *c, uint64_t start, uint64_t end)
{
	char chunk[TAIL_CHUNK_BYTES];

	while (start < end) {
		size_t len = MIN(sizeof(chunk), (size_t)(end - start));
		int r = read_at(fd, chunk, len, start);

		if (r == 0)
			r = chain_add(c, (struct bytes){.p = chunk, .len = len});
		if (r < 0)
			return r;
		start += len;
	}
	return 0;
}

/* The link that the whole lines up to @end (0, or right after a newline) make. */
static int link_of(int fd, struct chain *c, uint64_t end, struct chain_link *ret)
{
	uint64_t start;
	int r;

	*ret = chain_first;
	if (end == 0)
		return 0;
	r = find_start(fd, end - 1, &start);
	if (r == 0)
		r = chain_begin(c);
	if (r == 0)
		r = add_range(fd, c, start, end - 1);
	return r < 0 ? r : chain_end(c, ret);
}

/* Is the line from @start to @end whole, but for its newline? */
static bool has_prev(int fd, uint64_t start, uint64_t end)
{
	struct chain_link link;
	char tail[TAIL_END_BYTES];
	size_t len = MIN(sizeof(tail), (size_t)(end - start));

	return read_at(fd, tail, len, end - len) == 0 &&
	       chain_prev_of((struct bytes){.p = tail, .len = len}, &link);
}

static int finish_half_line(int fd, struct chain *c, struct tail *t)
{
	char text[TAIL_END_BYTES];
	struct chain_link before;
	uint64_t start;
	int len = 0, r;

	r = find_start(fd, t->file_bytes, &start);
	if (r == 0)
		r = link_of(fd, c, start, &before);
	if (r < 0)
		return r;
	if (!has_prev(fd, start, t->file_bytes))
		len = snprintf(text, sizeof(text), ",\"prev\":\"%.*s\"}", (int)CHAIN_HEX,
			       before.hex);
	text[len++] = '\n';
	r = io_write_all(fd, text, (size_t)len);
	t->file_bytes += (uint64_t)len;
	return r;
}

/*
 * Most logs end with a checkpoint, which counts what is before it: 100 MB of a log that many
 * sessions append to need not be read again by each (20 ms). It must stand where it says that it
 * does; one that somebody put there makes a wrong count, which `verify` finds, and a broken chain
 * as well.
 */
static bool count_by_checkpoint(int fd, uint64_t end, uint64_t *ret)
{
	_cleanup_(json_decrefp) json_t *root = NULL;
	char text[TAIL_CHECKPOINT_MAX];
	uint64_t start, lines;
	int r = end ? find_start(fd, end - 1, &start) : -ENOENT;

	if (r < 0 || end - start > sizeof(text) ||
	    read_at(fd, text, (size_t)(end - start), start) < 0)
		return false;
	root = json_loadb(text, (size_t)(end - start), 0, NULL);
	lines = reader_u64(root, "lines");
	if (!root || !streq(reader_word(root, "event"), "checkpoint") ||
	    reader_u64(root, "bytes") != start || lines >= end)
		return false;
	*ret = lines + 1;
	return true;
}

/* Return: 0, -errno. */
static int count_lines(int fd, uint64_t end, uint64_t *ret)
{
	_cleanup_(freep) char *chunk = malloc(TAIL_COUNT_BYTES);
	uint64_t n = 0;

	if (count_by_checkpoint(fd, end, ret))
		return 0;
	if (!chunk)
		return -ENOMEM;
	for (uint64_t at = 0; at < end;) {
		size_t len = MIN(TAIL_COUNT_BYTES, (size_t)(end - at));
		int r = read_at(fd, chunk, len, at);

		if (r < 0)
			return r;
		for (const char *p = chunk; (p = memchr(p, '\n', len - (size_t)(p - chunk))); p++)
			n++;
		at += len;
	}
	*ret = n;
	return 0;
}

int tail_take(int fd, struct chain *c, struct tail *ret)
{
	struct tail t = {};
	struct stat st;
	char last;
	int r = 0;

	if (fstat(fd, &st) < 0)
		return -errno;
	t.file_bytes = (uint64_t)st.st_size;
	if (t.file_bytes > 0) {
		r = read_at(fd, &last, 1, t.file_bytes - 1);
		if (r == 0 && last != '\n')
			r = finish_half_line(fd, c, &t);
	}
	if (r == 0)
		r = link_of(fd, c, t.file_bytes, &t.link);
	if (r == 0)
		r = count_lines(fd, t.file_bytes, &t.lines);
	if (r == 0)
		*ret = t;
	return r;
}
