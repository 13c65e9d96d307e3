/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/dirs.h"
#include "base/io.h"

#include "engine/engine.h"

#include "audit/logfile.h"

#define NEXT_STEP "name another place with --log"

int logfile_refuse(const char *path, int error, struct diag *reterr_diag)
{
	if (error == ENOSPC || error == EDQUOT)
		(void)diag_set(reterr_diag, NULL, 0, 0,
			       "no room for the log '%s': %s; free 2 MiB there or " NEXT_STEP, path,
			       strerror(error));
	else
		(void)diag_set(reterr_diag, NULL, 0, 0, "cannot write the log '%s': %s; " NEXT_STEP,
			       path, strerror(error));
	return -error;
}

/* As above, for the directory. */
static int refuse_dir(const char *dir, const char *path, int error, struct diag *reterr_diag)
{
	(void)diag_set(reterr_diag, NULL, 0, 0,
		       "cannot use the directory '%s' for the log '%s': %s; " NEXT_STEP, dir, path,
		       strerror(error));
	return -error;
}

/* The directory part of @path as the kernel resolves it. */
static int resolve_dir(const char *path, bool create, char **ret, struct diag *reterr_diag)
{
	const char *slash = strrchr(path, '/');
	_cleanup_(freep) char *dir = NULL;
	char *resolved;
	int r;

	if (!slash)
		dir = strdup(".");
	else
		dir = strndup(path, slash == path ? 1 : (size_t)(slash - path));
	if (!dir)
		return logfile_refuse(path, ENOMEM, reterr_diag);
	if (create) {
		r = io_mkdir_p(dir, 0700);
		if (r < 0)
			return refuse_dir(dir, path, -r, reterr_diag);
	}
	resolved = realpath(dir, NULL);
	if (!resolved)
		return refuse_dir(dir, path, errno, reterr_diag);
	*ret = resolved;
	return 0;
}

int logfile_init(const char *path, bool create, struct logfile *ret, struct diag *reterr_diag)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	_cleanup_(freep) char *dir = NULL;
	struct logfile f = LOGFILE_NULL;
	int r;

	if (name[0] == '\0')
		return logfile_refuse(path, EISDIR, reterr_diag);
	r = resolve_dir(path, create, &dir, reterr_diag);
	if (r < 0)
		return r;
	f.dirfd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (f.dirfd < 0)
		return refuse_dir(dir, path, errno, reterr_diag);
	f.path = str_format("%s/%s", streq(dir, "/") ? "" : dir, name);
	f.ring_name = str_format("%s.ring", name);
	if (!f.path || !f.ring_name) {
		logfile_fini(&f);
		return logfile_refuse(path, ENOMEM, reterr_diag);
	}
	f.name = strrchr(f.path, '/') + 1;
	*ret = f;
	return 0;
}

static int refuse_symlink(const struct logfile *f, struct diag *reterr_diag)
{
	char target[512];
	ssize_t n;

	n = readlinkat(f->dirfd, f->name, target, sizeof(target));
	(void)diag_set(reterr_diag, NULL, 0, 0,
		       "the log '%s' is a symlink to '%.*s'; refusing to follow it: name the file "
		       "itself, or another place, with --log",
		       f->path, n < 0 ? 0 : (int)n, target);
	return -ELOOP;
}

static int refuse_kind(const struct logfile *f, const char *what, struct diag *reterr_diag)
{
	return diag_set(reterr_diag, NULL, 0, 0,
			"the log '%s' %s; refusing to write to it: " NEXT_STEP, f->path, what);
}

/* A file that was there before: is it one that we may append to? */
static int check_existing(const struct logfile *f, int fd, struct diag *reterr_diag)
{
	struct stat st;
	char first;

	if (fstat(fd, &st) < 0)
		return logfile_refuse(f->path, errno, reterr_diag);
	if (!S_ISREG(st.st_mode))
		return refuse_kind(f, "is not a regular file", reterr_diag);
	if (st.st_uid != geteuid())
		return refuse_kind(f, "belongs to another user", reterr_diag);
	if (st.st_nlink != 1)
		return refuse_kind(f, "has several hard links", reterr_diag);
	if (st.st_size > 0 && (pread(fd, &first, 1, 0) != 1 || first != '{'))
		return refuse_kind(f, "is a file of another kind", reterr_diag);
	return 0;
}

static int open_existing(struct logfile *f, struct diag *reterr_diag)
{
	_cleanup_(fd_closep) int fd = -1;
	struct stat st;
	int r;

	fd = openat(f->dirfd, f->name,
		    O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0) {
		r = -errno;
		if (fstatat(f->dirfd, f->name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
			if (S_ISLNK(st.st_mode))
				return refuse_symlink(f, reterr_diag);
			if (S_ISDIR(st.st_mode))
				return refuse_kind(f, "is a directory", reterr_diag);
			if (!S_ISREG(st.st_mode))
				return refuse_kind(f, "is not a regular file", reterr_diag);
		}
		return logfile_refuse(f->path, -r, reterr_diag);
	}
	r = check_existing(f, fd, reterr_diag);
	if (r < 0)
		return r;
	f->fd = TAKE_FD(fd);
	return 0;
}

/* One that was made before logs had a mode of their own gets it. */
static int take_existing(struct logfile *f, struct diag *reterr_diag)
{
	struct stat st;
	int r = open_existing(f, reterr_diag);

	if (r == 0 && fstat(f->fd, &st) == 0 && (st.st_mode & ALLPERMS) == (S_IRUSR | S_IWUSR))
		(void)fchmod(f->fd, ENGINE_LOG_MODE); /* without it is as it was */
	return r;
}

int logfile_open(struct logfile *f, bool create, struct diag *reterr_diag)
{
	int fd;

	if (!create)
		return open_existing(f, reterr_diag);
	fd = openat(f->dirfd, f->name,
		    O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, ENGINE_LOG_MODE);
	if (fd >= 0) {
		f->fd = fd;
		return 0;
	}
	if (errno == EEXIST)
		return take_existing(f, reterr_diag);
	return logfile_refuse(f->path, errno, reterr_diag);
}

void logfile_fini(struct logfile *f)
{
	f->dirfd = fd_close(f->dirfd);
	f->fd = fd_close(f->fd);
	free(f->path);
	free(f->ring_name);
	*f = LOGFILE_NULL;
}
