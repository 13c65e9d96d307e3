/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rotation. The ring says before the rename that it will be, so that whoever finds a dead writer's
 * ring knows whether FILE is still the old file; a new file begins with a `rotated` record, which
 * is accounted for before anything else is written to it.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/dirs.h"

#include "engine/engine.h"

#include "audit/compress.h"
#include "audit/internal.h"
#include "audit/segments.h"
#include "audit/tail.h"

#define ROTATED_EVENT    "rotated"
#define ROTATED_KEYS_MAX ((size_t)8192)

/* Removes closed files beyond what is to be kept, one of which is about to be added, and says which
 * in the `rotated` record's keys. */
static int prune(struct audit *a, const struct segments *s, struct json *j)
{
	size_t n = a->config.storage.keep && s->n + 1 > a->config.storage.keep
			   ? s->n + 1 - a->config.storage.keep
			   : 0;

	json_key(j, "removed");
	json_begin_array(j);
	for (size_t i = 0; i < n; i++) {
		_cleanup_(freep) char *name = segment_path(a->file.name, &s->v[i]);

		if (!name)
			return -ENOMEM;
		if (unlinkat(a->file.dirfd, name, 0) < 0 && errno != ENOENT)
			return -errno;
		json_u64(j, s->v[i].number);
	}
	json_end_array(j);
	return 0;
}

/* Writes the new file's first line. */
static int begin_file(struct audit *a, uint64_t number, const struct segments *closed)
{
	_cleanup_(strbuf_fini) struct strbuf keys = STRBUF_INIT(ROTATED_KEYS_MAX);
	_cleanup_(freep) char *from =
		segment_path(a->file.name, &(struct segment){.number = number});
	struct audit_position pos = a->at;
	struct json j = JSON_INIT(&keys);
	int r;

	if (!from)
		return -ENOMEM;
	json_begin_object(&j);
	json_key_cstr(&j, "from", from);
	r = prune(a, closed, &j);
	json_end_object(&j);
	if (r == 0)
		r = strbuf_error(&keys);
	if (r < 0)
		return r;
	pos.lines = pos.signed_lines = 0;
	pos.commit.file_bytes = pos.commit.rotating = 0;
	a->at.commit.file_bytes = 0; /* what a failed write is cut back to */
	strbuf_reset(&a->text);
	r = audit_add_made(a, ROTATED_EVENT, (struct bytes){.p = keys.p + 1, .len = keys.len - 2},
			   &pos);
	if (r == 0)
		r = audit_write_to(a, &pos);
	return r < 0 ? r : audit_sync(a, true);
}

static int open_new(struct audit *a)
{
	int fd;

	fd = openat(a->file.dirfd, a->file.name,
		    O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, ENGINE_LOG_MODE);
	if (fd < 0)
		return -errno;
	(void)fd_close(a->file.fd);
	a->file.fd = fd;
	return 0;
}

/* Ends the old file with a checkpoint, on the disk, and announces its new name in the ring. */
static int close_file(struct audit *a, uint64_t number)
{
	struct audit_position pos = a->at;
	int r;

	strbuf_reset(&a->text);
	r = audit_add_checkpoint(a, &pos);
	pos.commit.rotating = number;
	if (r == 0)
		r = audit_write_to(a, &pos);
	return r < 0 ? r : audit_sync(a, true);
}

static int rotate_to(struct audit *a, uint64_t number, const struct segments *closed)
{
	_cleanup_(freep) char *name =
		segment_path(a->file.name, &(struct segment){.number = number});
	int r;

	if (!name)
		return -ENOMEM;
	r = close_file(a, number);
	if (r < 0)
		return r;
	if (renameat2(a->file.dirfd, a->file.name, a->file.dirfd, name, RENAME_NOREPLACE) < 0)
		return -errno;
	r = open_new(a);
	if (r == 0)
		r = begin_file(a, number, closed);
	if (r == 0 && a->config.storage.compresses_closed)
		r = compressor_start(a->file.dirfd, name, &a->compressor);
	return r;
}

int audit_rotate(struct audit *a)
{
	struct segments closed = SEGMENTS_NULL;
	int r;

	if (!a->config.storage.rotate_bytes ||
	    a->at.commit.file_bytes < a->config.storage.rotate_bytes)
		return 0;
	audit_end_compression(a);
	r = segments_list(a->file.dirfd, a->file.name, &closed);
	if (r == 0)
		r = rotate_to(a, closed.n ? closed.v[closed.n - 1].number + 1 : 1, &closed);
	segments_fini(&closed);
	return r;
}

void audit_end_compression(struct audit *a)
{
	a->compressor = compressor_end(a->compressor);
}

/* The link that the new file's first line needs: the old file's last. */
static int take_link(struct audit *a, const char *name)
{
	_cleanup_(fd_closep) int fd = -1;
	struct tail tail;
	int r;

	fd = openat(a->file.dirfd, name, O_RDWR | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = tail_take(fd, a->chain, &tail);
	if (r == 0)
		a->at.prev = tail.link;
	return r;
}

int audit_end_rotation(struct audit *a)
{
	const struct segments none = SEGMENTS_NULL;
	uint64_t number = a->at.commit.rotating;
	_cleanup_(freep) char *name =
		segment_path(a->file.name, &(struct segment){.number = number});
	struct stat st;
	int r;

	if (!name)
		return -ENOMEM;
	if (fstatat(a->file.dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		/* It never came to the rename. */
		a->at.commit.rotating = 0;
		return errno == ENOENT ? audit_begin_at_end(a) : -errno;
	}
	r = take_link(a, name);
	/* At most its first line is in the new file, and nobody has accounted for it. */
	if (r == 0 && ftruncate(a->file.fd, 0) < 0)
		r = -errno;
	return r < 0 ? r : begin_file(a, number, &none);
}
