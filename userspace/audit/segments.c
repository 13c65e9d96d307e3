/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>

#include "base/dirs.h"
#include "base/io.h"

#include "audit/segments.h"

static int compare(const void *a, const void *b)
{
	const struct segment *x = a, *y = b;

	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return (int)x->is_compressed - (int)y->is_compressed;
}

/* Is @entry a closed file of the log @name? */
static bool parse_name(const char *name, const char *entry, struct segment *ret)
{
	struct bytes rest = bytes_of(entry);
	const struct bytes suffix = BYTES_LIT(SEGMENTS_SUFFIX);
	size_t len = strlen(name);

	if (!bytes_has_prefix(rest, bytes_of(name)) || entry[len] != '.')
		return false;
	rest = (struct bytes){.p = entry + len + 1, .len = rest.len - len - 1};
	ret->is_compressed =
		rest.len > suffix.len && streq(rest.p + rest.len - suffix.len, suffix.p);
	if (ret->is_compressed)
		rest.len -= suffix.len;
	return rest.len && rest.p[0] != '0' && parse_u64(rest, INT64_MAX, &ret->number) == 0;
}

static int add(struct segments *s, const struct segment *segment)
{
	struct segment *v = s->v;

	if (s->n == SEGMENTS_MAX)
		return -E2BIG;
	if ((s->n & (s->n - 1)) == 0) { /* full: it doubles */
		v = reallocarray(s->v, s->n ? 2 * s->n : 1, sizeof(*v));
		if (!v)
			return -ENOMEM;
		s->v = v;
	}
	v[s->n++] = *segment;
	return 0;
}

/* Where both are there, a compression has just ended, or never did: the plain one is whole. */
static void drop_doubles(struct segments *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		if (n == 0 || s->v[n - 1].number != s->v[i].number)
			s->v[n++] = s->v[i];
	s->n = n;
}

int segments_list(int dirfd, const char *name, struct segments *ret)
{
	_cleanup_(io_closedirp) DIR *d = NULL;
	struct segments s = SEGMENTS_NULL;
	struct dirent *e;
	int fd, r = 0;

	fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	d = fdopendir(fd);
	if (!d) {
		r = -errno;
		(void)close(fd);
		return r;
	}
	while (r == 0 && (e = readdir(d))) {
		struct segment segment;

		if (parse_name(name, e->d_name, &segment))
			r = add(&s, &segment);
	}
	if (r < 0) {
		segments_fini(&s);
		return r;
	}
	if (s.n)
		qsort(s.v, s.n, sizeof(*s.v), compare);
	drop_doubles(&s);
	*ret = s;
	return 0;
}

int segments_of(const char *path, struct segments *ret)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	_cleanup_(freep) char *dir = strndup(path, (size_t)(name - path));
	_cleanup_(fd_closep) int fd = -1;
	int r;

	*ret = SEGMENTS_NULL;
	if (!dir)
		return -ENOMEM;
	fd = open(dir[0] ? dir : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = segments_list(fd, name, ret);
	return r == -EACCES ? 0 : r;
}

void segments_fini(struct segments *s)
{
	free(s->v);
	*s = SEGMENTS_NULL;
}

char *segment_path(const char *path, const struct segment *s)
{
	return str_format("%s.%llu%s", path, (unsigned long long)s->number,
			  s->is_compressed ? SEGMENTS_SUFFIX : "");
}
