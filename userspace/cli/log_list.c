/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "audit/place.h"
#include "base/dirs.h"
#include "base/io.h"
#include "base/say.h"

#include "cli/log_file.h"
#include "cli/log_list.h"

struct log_list {
	char **names; /* owned */
	size_t n, capacity;
};

static void log_list_fini(struct log_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->names[i]);
	free(l->names);
}

static int add_name(struct log_list *l, const char *name)
{
	if (l->n == l->capacity) {
		size_t capacity = l->capacity ? l->capacity * 2 : 64;
		char **names = realloc(l->names, capacity * sizeof(*names));

		if (!names)
			return -ENOMEM;
		l->names = names;
		l->capacity = capacity;
	}
	l->names[l->n] = strdup(name);
	return l->names[l->n] ? (l->n++, 0) : -ENOMEM;
}

static uint64_t written_ns(const struct stat *st)
{
	return (uint64_t)st->st_mtim.tv_sec * NS_PER_SEC + (uint64_t)st->st_mtim.tv_nsec;
}

static int find_logs(const char *dir, uint64_t since_ns, struct log_list *l)
{
	_cleanup_(io_closedirp) DIR *d = NULL;
	struct dirent *e;
	struct stat st;
	int r = 0;

	d = opendir(dir);
	if (!d)
		return errno == ENOENT ? 0 : -errno;
	while (r == 0 && (e = readdir(d))) {
		if (!bytes_has_suffix(bytes_of(e->d_name), BYTES_LIT(PLACE_SUFFIX)) ||
		    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(st.st_mode) || written_ns(&st) < since_ns)
			continue;
		r = add_name(l, e->d_name);
	}
	return r;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int read_one(const char *dir, const char *name,
		    int (*fn)(void *ctx, const char *path, struct reader *reader), void *ctx)
{
	_cleanup_(reader_closep) struct reader *reader = NULL;
	_cleanup_(freep) char *path = NULL, *found = NULL;

	path = str_format("%s/%s", dir, name);
	if (!path)
		return -ENOMEM;
	if (log_file_open(path, &found, &reader) < 0)
		return 0; /* it has said why */
	return fn(ctx, found, reader);
}

int log_list_each(uint64_t since_ns, int (*fn)(void *ctx, const char *path, struct reader *reader),
		  void *ctx)
{
	_cleanup_(log_list_fini) struct log_list l = {};
	_cleanup_(freep) char *dir = dirs_state();
	int r;

	if (!dir) {
		say("there is no default place for logs: set HOME or XDG_STATE_HOME");
		return -ENOENT;
	}
	r = find_logs(dir, since_ns, &l);
	if (r < 0) {
		say("cannot look for sessions in '%s': %s", dir, strerror(-r));
		return r;
	}
	qsort(l.names, l.n, sizeof(char *), by_name);
	for (size_t i = 0; r == 0 && i < l.n; i++)
		r = read_one(dir, l.names[i], fn, ctx);
	return r;
}
