/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/dirs.h"

#include "audit/logfile.h"
#include "audit/place.h"

static int no_default_place(struct diag *reterr_diag)
{
	(void)diag_set(reterr_diag, NULL, 0, 0,
		       "there is no default place for logs: set HOME or XDG_STATE_HOME");
	return -ENOENT;
}

int audit_place(const char *option, const char *session, char **ret_path, struct diag *reterr_diag)
{
	_cleanup_(freep) char *state = NULL, *path = NULL;
	struct logfile f = LOGFILE_NULL;
	struct stat st;
	bool is_dir;
	int r;

	if (!option) {
		state = dirs_state();
		if (!state)
			return no_default_place(reterr_diag);
	}
	if (option && option[0] == '\0')
		return diag_set(reterr_diag, NULL, 0, 0,
				"--log needs the name of a file or directory");
	is_dir = state || option[strlen(option) - 1] == '/' ||
		 (stat(option, &st) == 0 && S_ISDIR(st.st_mode));
	path = is_dir ? str_format("%s/%s" PLACE_SUFFIX, state ? state : option, session)
		      : strdup(option);
	if (!path)
		return logfile_refuse(option ? option : state, ENOMEM, reterr_diag);
	r = logfile_init(path, true, &f, reterr_diag);
	if (r < 0)
		return r;
	*ret_path = TAKE_PTR(f.path);
	logfile_fini(&f);
	return 0;
}

/* "20261121T051234-k3f9qz": the ids sort by the second in which the sessions began. */
#define SESSION_SECOND_BYTES 15

static bool is_session_id(struct bytes s)
{
	for (size_t i = 0; i < MIN(s.len, (size_t)16); i++) {
		if (i == 8    ? s.p[i] != 'T'
		    : i == 15 ? s.p[i] != '-'
			      : !isdigit((unsigned char)s.p[i]))
			return false;
	}
	return s.len > 16;
}

/* What a walk over the default place looks for, and what it found. */
struct search {
	const char *prefix;   /* NULL: the newest */
	char found[256];      /* the best so far, without the suffix; "" none */
	char newest[256];     /* of all that are there */
	unsigned int n_found; /* how many begin so */
	unsigned int n_sessions;
	bool is_exact;
};

/* When the file was made, or last written where the file system does not know. */
static struct statx_timestamp made_at(int dir_fd, const char *name)
{
	struct statx st = {};

	if (statx(dir_fd, name, AT_SYMLINK_NOFOLLOW, STATX_BTIME | STATX_MTIME, &st) < 0)
		return (struct statx_timestamp){};
	return st.stx_mask & STATX_BTIME ? st.stx_btime : st.stx_mtime;
}

static bool is_made_later(int dir_fd, const char *name, const char *id)
{
	_cleanup_(freep) char *other = str_format("%s" PLACE_SUFFIX, id);
	struct statx_timestamp a = made_at(dir_fd, name);
	struct statx_timestamp b = other ? made_at(dir_fd, other) : a;

	return a.tv_sec != b.tv_sec ? a.tv_sec > b.tv_sec : a.tv_nsec > b.tv_nsec;
}

/* The end of an id is random, and tells nothing of sessions of one second. */
static bool is_newer(int dir_fd, const char *name, const char *id)
{
	int order = strncmp(name, id, SESSION_SECOND_BYTES);

	return order ? order > 0 : is_made_later(dir_fd, name, id);
}

static void consider(struct search *s, int dir_fd, const char *name)
{
	struct bytes id = {.p = name, .len = strlen(name)};

	if (id.len <= strlen(PLACE_SUFFIX) || id.len >= sizeof(s->found) ||
	    !streq(name + id.len - strlen(PLACE_SUFFIX), PLACE_SUFFIX))
		return;
	id.len -= strlen(PLACE_SUFFIX);
	if (is_session_id(id)) {
		s->n_sessions++;
		if (is_newer(dir_fd, name, s->newest)) {
			memcpy(s->newest, name, id.len);
			s->newest[id.len] = '\0';
		}
	}
	if (!s->prefix || s->is_exact || !bytes_has_prefix(id, bytes_of(s->prefix)))
		return;
	s->is_exact = bytes_eq_str(id, s->prefix);
	s->n_found = s->is_exact ? 1 : s->n_found + 1;
	memcpy(s->found, name, id.len);
	s->found[id.len] = '\0';
}

static int search_dir(const char *dir, struct search *s)
{
	struct dirent *e;
	DIR *d;

	d = opendir(dir);
	if (!d)
		return errno == ENOENT ? 0 : -errno;
	while ((e = readdir(d)))
		if (e->d_type == DT_REG || e->d_type == DT_UNKNOWN)
			consider(s, dirfd(d), e->d_name);
	(void)closedir(d);
	return 0;
}

static int explain_search(const struct search *s, const char *dir, struct diag *reterr_diag)
{
	if (!s->prefix)
		(void)diag_set(
			reterr_diag, NULL, 0, 0,
			"there is no session in '%s' yet; name a log file, or start one with "
			"'holdfast run'",
			dir);
	else if (s->n_found > 1)
		(void)diag_set(
			reterr_diag, NULL, 0, 0,
			"%u sessions in '%s' begin with '%s', '%s' among them; give more of the "
			"name",
			s->n_found, dir, s->prefix, s->found);
	else if (s->n_sessions)
		(void)diag_set(
			reterr_diag, NULL, 0, 0,
			"'%s' is neither a file nor one of the %u sessions in '%s'; the newest "
			"is '%s'",
			s->prefix, s->n_sessions, dir, s->newest);
	else
		(void)diag_set(reterr_diag, NULL, 0, 0,
			       "'%s' is not a file, and there is no session in '%s' yet", s->prefix,
			       dir);
	return -ENOENT;
}

int audit_find(const char *what, char **ret_path, struct diag *reterr_diag)
{
	_cleanup_(freep) char *dir = NULL;
	struct search s = {.prefix = what};
	struct stat st;
	int r;

	if (what && (strchr(what, '/') || stat(what, &st) == 0)) {
		*ret_path = strdup(what);
		return *ret_path ? 0 : -ENOMEM;
	}
	dir = dirs_state();
	if (!dir)
		return no_default_place(reterr_diag);
	r = search_dir(dir, &s);
	if (r < 0) {
		(void)diag_set(reterr_diag, NULL, 0, 0, "cannot look for sessions in '%s': %s", dir,
			       strerror(-r));
		return r;
	}
	if (what ? s.n_found != 1 : !s.newest[0])
		return explain_search(&s, dir, reterr_diag);
	*ret_path = str_format("%s/%s" PLACE_SUFFIX, dir, what ? s.found : s.newest);
	return *ret_path ? 0 : -ENOMEM;
}
