/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lines of a log as bytes, with their places: in order, or each by itself. Places are those in
 * the log's text, whether the file is compressed or not. Nothing is parsed here.
 */
#pragma once

#include "base/diag.h"
#include "base/strbuf.h"

struct rawlog;

struct raw_line {
	struct bytes
		text; /* without the newline; empty if @is_too_long; valid until the next call */
	uint64_t offset;
	uint64_t end;     /* of the line, after its newline */
	uint64_t number;  /* from 1 */
	bool is_too_long; /* longer than READER_LINE_MAX */
};

struct rawlog_identity {
	uint64_t device, inode;
	uint64_t size; /* of the file as it is on the disk */
};

int rawlog_open(const char *path, struct rawlog **ret, struct diag *reterr_diag) _must_check_;
struct rawlog *rawlog_close(struct rawlog *l);
void rawlog_closep(struct rawlog **l);
/* Goes on with the line that begins at @offset and has this number. Return: 0; -EIO: the text ends
 * before; -errno. */
int rawlog_seek(struct rawlog *l, uint64_t offset, uint64_t number) _must_check_;
/* Return: 1, a whole line; 0, the end (more may come if the file grows); -errno;
 * -EBADMSG: it is called .zst but is not. */
int rawlog_next(struct rawlog *l, struct raw_line *ret) _must_check_;
/* At the end: is there the beginning of a line without its end? */
bool rawlog_has_half_line(const struct rawlog *l);
/* Of the line that rawlog_next() would return next. */
uint64_t rawlog_number(const struct rawlog *l);
/* The @length bytes at @offset, put in @out, which is emptied first. Return: 0; -EIO: there are no
 * more so many; -errno. Forgets what rawlog_next() was about: rawlog_seek() before it is used
 * again.
 */
int rawlog_read(struct rawlog *l, uint64_t offset, size_t length, struct strbuf *out) _must_check_;
/* Return: 0, -errno. */
/* Is it compressed? Then it does not grow, and going back is slow. */
bool rawlog_is_packed(const struct rawlog *l);
int rawlog_identify_path(const char *path, struct rawlog_identity *ret) _must_check_;
int rawlog_identify(const struct rawlog *l, struct rawlog_identity *ret) _must_check_;
