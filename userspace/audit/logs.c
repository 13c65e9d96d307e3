/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>

#include "audit/place.h"
#include "audit/segments.h"
#include "base/dirs.h"
#include "base/io.h"

#include "audit/logs.h"

void logs_fini(struct logs *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->paths[i]);
	free(l->paths);
	*l = LOGS_NULL;
}

/* Consumes @path, which may be NULL for want of memory. */
static int add_path(struct logs *l, char *path)
{
	if (path && l->n == l->cap) {
		size_t cap = MAX(l->cap * 2, (size_t)16);
		char **paths = reallocarray(l->paths, cap, sizeof(*paths));

		if (!paths) {
			free(path);
			return -ENOMEM;
		}
		l->paths = paths;
		l->cap = cap;
	}
	if (!path)
		return -ENOMEM;
	l->paths[l->n++] = path;
	return 0;
}

static int refuse(const char *path, int error, struct diag *reterr_diag)
{
	(void)diag_set(reterr_diag, NULL, 0, 0, "cannot read the log '%s': %s", path,
		       strerror(error));
	return -error;
}

/* The log @name in @dirfd, which is @dir (ends in '/', or is empty), with its closed files. */
static int add_log(struct logs *l, int dirfd, const char *dir, const char *name)
{
	_cleanup_(freep) char *path = str_format("%s%s", dir, name);
	struct segments segments = SEGMENTS_NULL;
	int r;

	if (!path)
		return -ENOMEM;
	r = segments_list(dirfd, name, &segments);
	for (size_t i = 0; r == 0 && i < segments.n; i++)
		r = add_path(l, segment_path(path, &segments.v[i]));
	segments_fini(&segments);
	/* Without leave to list the directory, its log can still be read. */
	return r && r != -EACCES ? r : add_path(l, TAKE_PTR(path));
}

int logs_add(struct logs *l, const char *path, struct diag *reterr_diag)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	_cleanup_(freep) char *dir = strndup(path, (size_t)(name - path));
	_cleanup_(fd_closep) int fd = -1;
	int r;

	if (!dir)
		return -ENOMEM;
	fd = open(dir[0] ? dir : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return refuse(path, errno, reterr_diag);
	r = add_log(l, fd, dir, name);
	return r < 0 ? refuse(path, -r, reterr_diag) : 0;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int logs_add_dir(struct logs *l, const char *dir, struct diag *reterr_diag)
{
	_cleanup_(io_closedirp) DIR *d = opendir(dir);
	_cleanup_(freep) char *prefix = str_format("%s/", dir);
	struct logs names = LOGS_NULL;
	struct dirent *e;
	int r = 0;

	if (!d) {
		r = errno;
		(void)diag_set(reterr_diag, NULL, 0, 0, "cannot look for sessions in '%s': %s", dir,
			       strerror(r));
		return -r;
	}
	if (!prefix)
		return -ENOMEM;
	while (r == 0 && (e = readdir(d)))
		if ((e->d_type == DT_REG || e->d_type == DT_UNKNOWN) &&
		    bytes_has_suffix(bytes_of(e->d_name), bytes_of(PLACE_SUFFIX)))
			r = add_path(&names, strdup(e->d_name));
	if (names.n)
		qsort(names.paths, names.n, sizeof(*names.paths), compare);
	for (size_t i = 0; r == 0 && i < names.n; i++)
		r = add_log(l, dirfd(d), prefix, names.paths[i]);
	logs_fini(&names);
	return r < 0 ? refuse(dir, -r, reterr_diag) : 0;
}
