/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/dirs.h"
#include "base/io.h"

#include "control/grantstore.h"

#define FILE_NAME    "grants.json"
#define FRESH_NAME   "grants.json.new"
#define LOCK_NAME    "lock"
#define LOCK_WAIT_NS (200 * NS_PER_MSEC)
#define BOOT_ID_PATH "/proc/sys/kernel/random/boot_id"

/* What is replaced within a tick of the file system's clock may look the same. */
#define TICK_NS (20 * NS_PER_MSEC)

/* A file is replaced by another: so is its inode. */
struct stamp {
	bool is_there;
	uint64_t dev, ino, size, ctime_ns;
};

struct grantstore {
	char *dir, *path;
	int dirfd;
	struct stamp stamp; /* of what was read */
	bool is_young;      /* it could have been replaced once more without looking different */
	char boot[37];
};

static int fail(const struct grantstore *s, int error, const char *what, struct diag *d)
{
	(void)diag_set(d, s->path, 0, 0, "%s: %s", what, strerror(-error));
	return error;
}

static int open_dir(struct grantstore *s, struct diag *d)
{
	struct stat st;
	int r = io_mkdir_p(s->dir, 0700);

	if (r < 0)
		return fail(s, r, "cannot make the directory of grants", d);
	s->dirfd = open(s->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (s->dirfd < 0 || fstat(s->dirfd, &st) < 0)
		return fail(s, -errno, "cannot open the directory of grants", d);
	if (st.st_uid != geteuid() || (st.st_mode & 022))
		return diag_set(d, s->dir, 0, 0,
				"the directory of grants must belong to you (uid %u) and be "
				"writable by nobody else; no grant of it holds",
				geteuid());
	return 0;
}

static void read_boot(struct grantstore *s)
{
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT((size_t)128);

	if (io_read_file_at(AT_FDCWD, BOOT_ID_PATH, &text) == 0 && text.len >= sizeof(s->boot) - 1)
		memcpy(s->boot, text.p, sizeof(s->boot) - 1);
}

static void store_freep(struct grantstore **s)
{
	grantstore_free(*s);
}

char *grantstore_place(void)
{
	_cleanup_(freep) char *state = dirs_state();
	_cleanup_(freep) char *dir = state ? str_format("%s/grants", state) : NULL;
	char *resolved;

	if (!dir)
		return NULL;
	(void)io_mkdir_p(dir, 0700); /* opening it says why it cannot be made */
	resolved = realpath(dir, NULL);
	return resolved ? resolved : TAKE_PTR(dir);
}

int grantstore_open(const char *dir, struct grantstore **ret, struct diag *reterr_diag)
{
	_cleanup_(store_freep) struct grantstore *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->dirfd = -1;
	s->dir = dir ? strdup(dir) : grantstore_place();
	s->path = s->dir ? str_format("%s/" FILE_NAME, s->dir) : NULL;
	if (!s->path)
		return -ENOMEM;
	r = open_dir(s, reterr_diag);
	if (r < 0)
		return r;
	read_boot(s);
	*ret = TAKE_PTR(s);
	return 0;
}

struct grantstore *grantstore_free(struct grantstore *s)
{
	if (!s)
		return NULL;
	fd_close(s->dirfd);
	free(s->dir);
	free(s->path);
	free(s);
	return NULL;
}

const char *grantstore_boot(const struct grantstore *s)
{
	return s->boot;
}

static struct stamp stamp_of(const struct stat *st)
{
	return (struct stamp){
		.is_there = true,
		.dev = st->st_dev,
		.ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.ctime_ns =
			(uint64_t)st->st_ctim.tv_sec * NS_PER_SEC + (uint64_t)st->st_ctim.tv_nsec,
	};
}

/* Reads from the descriptor whose owner was looked at. */
static int read_file(struct grantstore *s, struct strbuf *text, struct diag *d)
{
	_cleanup_(fd_closep) int fd =
		openat(s->dirfd, FILE_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	int r;

	s->stamp = (struct stamp){};
	s->is_young = false;
	if (fd < 0)
		return errno == ENOENT ? -ENOENT : fail(s, -errno, "cannot read the grants", d);
	if (fstat(fd, &st) < 0)
		return fail(s, -errno, "cannot read the grants", d);
	s->stamp = stamp_of(&st);
	s->is_young = clock_realtime_ns() < s->stamp.ctime_ns + TICK_NS;
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077) ||
	    st.st_nlink != 1)
		return diag_set(d, s->path, 0, 0,
				"the file of grants must be yours alone (uid %u, mode 0600, one "
				"name), so none of them holds: look who changed that, then remove "
				"it",
				geteuid());
	r = io_read_all(fd, text);
	return r < 0 ? fail(s, r, "cannot read the grants", d) : 0;
}

int grantstore_read(struct grantstore *s, struct grantlist *ret, struct diag *reterr_diag)
{
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(GRANTLIST_MAX_BYTES);
	int r = read_file(s, &text, reterr_diag);

	grantlist_fini(ret);
	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = grantlist_parse(s->path, strbuf_bytes(&text), ret, reterr_diag);
	if (r == 0)
		grantlist_expire(ret, clock_boottime_ns(), s->boot);
	return r;
}

static int write_file(struct grantstore *s, const struct grantlist *l)
{
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(GRANTLIST_MAX_BYTES);

	grantlist_write(l, &text);
	if (strbuf_error(&text))
		return strbuf_error(&text);
	return io_replace_file_at(s->dirfd, FILE_NAME, FRESH_NAME, strbuf_bytes(&text), true);
}

int grantstore_change(struct grantstore *s, int (*fn)(struct grantlist *l, void *arg), void *arg,
		      struct diag *reterr_diag)
{
	_cleanup_(grantlist_fini) struct grantlist l = {};
	_cleanup_(fd_closep) int locked = io_lock_at(s->dirfd, LOCK_NAME, LOCK_WAIT_NS);
	int r;

	if (locked < 0)
		return fail(s, locked, "cannot lock the grants", reterr_diag);
	r = grantstore_read(s, &l, reterr_diag);
	if (r < 0)
		return r;
	r = fn(&l, arg);
	if (r == -ENOSPC)
		return diag_set(reterr_diag, s->path, 0, 0,
				"there are %d grants, and no more are kept: revoke some",
				GRANTS_MAX);
	if (r < 0)
		return fail(s, r, "cannot change the grants", reterr_diag);
	if (r == 0)
		r = write_file(s, &l);
	return r < 0 ? fail(s, r, "cannot write the grants", reterr_diag) : r;
}

bool grantstore_has_changed(const struct grantstore *s)
{
	struct stamp now = {};
	struct stat st;

	if (s->is_young)
		return true;
	if (fstatat(s->dirfd, FILE_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0)
		now = stamp_of(&st);
	else if (errno != ENOENT)
		return true;
	return now.is_there != s->stamp.is_there || now.dev != s->stamp.dev ||
	       now.ino != s->stamp.ino || now.size != s->stamp.size ||
	       now.ctime_ns != s->stamp.ctime_ns;
}
