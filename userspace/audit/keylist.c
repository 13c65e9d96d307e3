/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/dirs.h"
#include "base/io.h"

#include "audit/keylist.h"

#define LINE_MAX_BYTES ((size_t)512)
#define LIST_NAME      "log.keys"

static const char *const roles[_KEYLIST_ROLE_MAX] = {
	[KEYLIST_SESSION] = "session",
	[KEYLIST_RECOVERY] = "recovery",
	[KEYLIST_HOST] = "host",
};

/* ---- where it is */

char *keylist_path(void)
{
	const char *xdg = getenv("XDG_STATE_HOME");
	_cleanup_(freep) char *state = NULL;

	if (geteuid() == 0 && (!xdg || xdg[0] != '/'))
		return strdup("/var/lib/holdfast/" LIST_NAME);
	state = dirs_state();
	return state ? str_format("%s/keys/" LIST_NAME, state) : NULL;
}

static char *beside(const char *path, const char *name)
{
	const char *slash = strrchr(path, '/');

	return str_format("%.*s%s", slash ? (int)(slash + 1 - path) : 0, path, name);
}

char *keylist_old_private(const char *path)
{
	return beside(path, "log.key");
}

char *keylist_old_public(const char *path)
{
	return beside(path, "log.pub");
}

/* ---- writing */

static int refuse(const char *path, const char *what, int r, struct diag *reterr_diag)
{
	(void)diag_set(reterr_diag, NULL, 0, 0, "the list of keys that sign the log, '%s', %s",
		       path, what);
	return r;
}

static int refuse_errno(const char *path, int r, struct diag *reterr_diag)
{
	(void)diag_set(reterr_diag, NULL, 0, 0,
		       "cannot use the list of keys that sign the log, '%s': %s; XDG_STATE_HOME "
		       "says where it is",
		       path, strerror(-r));
	return r;
}

static int check(const char *path, int fd, struct diag *reterr_diag)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return refuse_errno(path, -errno, reterr_diag);
	if (!S_ISREG(st.st_mode))
		return refuse(path, "is not a regular file", -EINVAL, reterr_diag);
	if (st.st_uid != geteuid())
		return refuse(path, "belongs to another user", -EPERM, reterr_diag);
	if (st.st_mode & 022)
		return refuse(path,
			      "can be changed by others, so what it says proves nothing: look at "
			      "what is in it, then make its mode 0644",
			      -EPERM, reterr_diag);
	return 0;
}

/* Opens it; makes it, on the disk with its name, when there is none. Return: 0, -errno. */
static int open_or_make(const char *path, int *ret)
{
	_cleanup_(freep) char *dir = beside(path, ".");
	_cleanup_(fd_closep) int fd = -1, dirfd = -1;
	int r;

	if (!dir)
		return -ENOMEM;
	r = io_mkdir_p(dir, 0700);
	if (r < 0)
		return r;
	fd = open(path, O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
		dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0 && (dirfd < 0 || fsync(dirfd) < 0))
			return -errno;
	}
	if (fd < 0)
		return -errno;
	*ret = TAKE_FD(fd);
	return 0;
}

/* Return: 0; -errno with @reterr_diag. */
static int retire_old_key(const char *path, int fd, struct diag *reterr_diag)
{
	_cleanup_(freep) char *private = keylist_old_private(path);
	_cleanup_(freep) char *public = keylist_old_public(path);
	struct pubkey k;
	int r;

	if (!private || !public)
		return refuse_errno(path, -ENOMEM, reterr_diag);
	if (access(private, F_OK) < 0)
		return 0;
	r = pubkey_load(public, &k, NULL);
	if (r < 0) {
		(void)diag_set(reterr_diag, NULL, 0, 0,
			       "the public half '%s' of the key that signed logs so far cannot be "
			       "read (%s), and without it they cannot be checked: put it back, or "
			       "remove '%s'",
			       public, r == -EINVAL ? "it is damaged" : strerror(-r), private);
		return r;
	}
	r = keylist_register(fd, KEYLIST_HOST, BYTES_LIT("-"), &k);
	if (r == 0 && fdatasync(fd) < 0)
		r = -errno;
	if (r == 0 && unlink(private) < 0 && errno != ENOENT)
		r = -errno;
	return r < 0 ? refuse_errno(path, r, reterr_diag) : 0;
}

int keylist_open(const char *path, int *ret_fd, struct diag *reterr_diag)
{
	_cleanup_(fd_closep) int fd = -1;
	int r;

	r = open_or_make(path, &fd);
	if (r < 0)
		return refuse_errno(path, r, reterr_diag);
	r = check(path, fd, reterr_diag);
	if (r == 0)
		r = retire_old_key(path, fd, reterr_diag);
	if (r == 0)
		*ret_fd = TAKE_FD(fd);
	return r;
}

int keylist_register(int fd, enum keylist_role role, struct bytes session, const struct pubkey *k)
{
	_cleanup_(strbuf_fini) struct strbuf line = STRBUF_INIT(LINE_MAX_BYTES);
	char time[CLOCK_RFC3339_SIZE], last = '\n';
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size > 0 && pread(fd, &last, 1, st.st_size - 1) < 0)
		return -errno;
	if (last != '\n') /* a full disk cut somebody's line short */
		strbuf_add_char(&line, '\n');
	clock_format_rfc3339(clock_realtime_ns(), time);
	strbuf_add_fmt(&line, "%s %s ", time, roles[role]);
	strbuf_add_bytes(&line, session);
	strbuf_add_char(&line, ' ');
	pubkey_add_base64(k, &line);
	strbuf_add_char(&line, '\n');
	if (strbuf_error(&line))
		return strbuf_error(&line);
	/* In one piece, or another session's line could come between. */
	n = write(fd, line.p, line.len);
	if (n < 0)
		return -errno;
	return (size_t)n == line.len ? 0 : -ENOSPC;
}

/* ---- reading */

struct entry {
	struct bytes session; /* in keylist.text */
	enum keylist_role role;
	size_t number; /* of its line; lines are in order of time */
	struct pubkey key;
};

struct keylist {
	struct strbuf text;
	struct entry *v; /* by session, role, number */
	size_t n;
};

static int compare_bytes(struct bytes a, struct bytes b)
{
	int r = memcmp(a.p, b.p, MIN(a.len, b.len));

	return r ? r : (a.len > b.len) - (a.len < b.len);
}

static int compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int r = compare_bytes(x->session, y->session);

	if (r)
		return r;
	if (x->role != y->role)
		return x->role < y->role ? -1 : 1;
	return (x->number > y->number) - (x->number < y->number);
}

static int add(struct keylist *l, const struct entry *e)
{
	struct entry *v = l->v;

	if ((l->n & (l->n - 1)) == 0) { /* full: it doubles */
		v = reallocarray(l->v, l->n ? 2 * l->n : 1, sizeof(*v));
		if (!v)
			return -ENOMEM;
		l->v = v;
	}
	v[l->n++] = *e;
	return 0;
}

/* The word of @line up to the next blank, which is taken away with it. */
static struct bytes take_word(struct bytes *line)
{
	const char *blank = memchr(line->p, ' ', line->len);
	struct bytes word = {.p = line->p, .len = blank ? (size_t)(blank - line->p) : line->len};
	size_t taken = word.len + (blank != NULL);

	*line = (struct bytes){.p = line->p + taken, .len = line->len - taken};
	return word;
}

static bool read_line(struct bytes line, struct entry *ret)
{
	struct bytes role;

	if (take_word(&line).len == 0)
		return false;
	role = take_word(&line);
	ret->session = take_word(&line);
	ret->role = _KEYLIST_ROLE_MAX;
	for (size_t i = 0; i < ARRAY_SIZE(roles); i++)
		if (bytes_eq_str(role, roles[i]))
			ret->role = (enum keylist_role)i;
	return ret->role != _KEYLIST_ROLE_MAX && ret->session.len &&
	       pubkey_from_base64(line, &ret->key);
}

/* Of the lines of l->text. Return: 0, -ENOMEM, -EINVAL with @reterr_diag. */
static int read_lines(struct keylist *l, const char *name, struct diag *reterr_diag)
{
	struct bytes rest = strbuf_bytes(&l->text);
	bool is_empty = rest.len == 0;
	const char *end;
	int r = 0;

	for (size_t number = 1; r == 0 && (end = memchr(rest.p, '\n', rest.len)); number++) {
		struct bytes line = {.p = rest.p, .len = (size_t)(end - rest.p)};
		struct entry e = {.number = number};

		rest = (struct bytes){.p = end + 1, .len = rest.len - line.len - 1};
		/* What a full disk cut short registers nothing. */
		if (read_line(line, &e))
			r = add(l, &e);
	}
	if (r == 0 && l->n == 0 && !is_empty)
		return diag_set(reterr_diag, NULL, 0, 0,
				"'%s' is no list of keys: a line is TIME, 'session', 'recovery' or "
				"'host', SESSION and an Ed25519 key in base64",
				name);
	return r;
}

static void sort(struct keylist *l)
{
	if (l->n)
		qsort(l->v, l->n, sizeof(*l->v), compare);
}

/* Takes @text, also when it fails. */
static int make(const char *name, struct strbuf *text, struct keylist **ret,
		struct diag *reterr_diag)
{
	_cleanup_(keylist_freep) struct keylist *l = calloc(1, sizeof(*l));
	int r;

	if (!l) {
		strbuf_fini(text);
		return -ENOMEM;
	}
	l->text = *text;
	r = read_lines(l, name, reterr_diag);
	if (r < 0)
		return r;
	sort(l);
	*ret = TAKE_PTR(l);
	return 0;
}

int keylist_parse(const char *name, struct bytes text, struct keylist **ret,
		  struct diag *reterr_diag)
{
	struct strbuf copy = STRBUF_INIT(KEYLIST_BYTES_MAX);

	strbuf_add_bytes(&copy, text);
	if (strbuf_error(&copy))
		return strbuf_error(&copy);
	return make(name, &copy, ret, reterr_diag);
}

int keylist_load(const char *path, struct keylist **ret, struct diag *reterr_diag)
{
	struct strbuf text = STRBUF_INIT(KEYLIST_BYTES_MAX);
	int r;

	r = io_read_file_at(AT_FDCWD, path, &text);
	if (r < 0) {
		strbuf_fini(&text);
		(void)diag_set(reterr_diag, NULL, 0, 0, "cannot read the list of keys '%s': %s",
			       path, r == -EINVAL ? "not a regular file" : strerror(-r));
		return r;
	}
	r = make(path, &text, ret, reterr_diag);
	if (r == -ENOMEM)
		(void)refuse_errno(path, r, reterr_diag);
	return r;
}

int keylist_add_host(struct keylist *l, const struct pubkey *k)
{
	const struct entry e = {.session = BYTES_LIT("-"), .role = KEYLIST_HOST, .key = *k};
	int r = add(l, &e);

	if (r == 0)
		sort(l);
	return r;
}

struct keylist *keylist_free(struct keylist *l)
{
	if (!l)
		return NULL;
	strbuf_fini(&l->text);
	free(l->v);
	free(l);
	return NULL;
}

void keylist_freep(struct keylist **l)
{
	*l = keylist_free(*l);
}

/* The first entry of the session and role; l->v + l->n, or another's: there is none. */
static const struct entry *find_first(const struct keylist *l, struct bytes session,
				      enum keylist_role role)
{
	const struct entry wanted = {.session = session, .role = role};
	size_t low = 0, high = l->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare(&l->v[middle], &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return l->v + low;
}

static bool is_of(const struct keylist *l, const struct entry *e, struct bytes session,
		  enum keylist_role role)
{
	return e < l->v + l->n && e->role == role && bytes_eq(e->session, session);
}

/* Is one of the keys of this session and role called @id? Only the first one that a session itself
 * has counts. */
static const struct pubkey *find_key(const struct keylist *l, struct bytes session,
				     enum keylist_role role, const char *id)
{
	char its[PUBKEY_ID_HEX + 1];

	for (const struct entry *e = find_first(l, session, role); is_of(l, e, session, role);
	     e++) {
		pubkey_id(&e->key, its);
		if (streq(its, id))
			return &e->key;
		if (role == KEYLIST_SESSION)
			break;
	}
	return NULL;
}

enum keylist_answer keylist_ask(const struct keylist *l, struct bytes session, bool is_recovery,
				const char *id, const struct pubkey **ret_key)
{
	static const struct bytes any = BYTES_LIT("-");
	bool has_own = is_of(l, find_first(l, session, KEYLIST_SESSION), session, KEYLIST_SESSION);

	*ret_key = find_key(l, session, is_recovery ? KEYLIST_RECOVERY : KEYLIST_SESSION, id);
	if (*ret_key)
		return KEYLIST_IS_REGISTERED;
	if (has_own)
		return KEYLIST_HAS_OTHER;
	*ret_key = find_key(l, any, KEYLIST_HOST, id);
	return *ret_key ? KEYLIST_IS_FORMER : KEYLIST_KNOWS_NO_SESSION;
}
