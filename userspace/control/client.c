/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "base/clock.h"
#include "base/dirs.h"
#include "base/io.h"

#include "control/client.h"
#include "control/socket.h"

#define STALE_S         3
#define HANGS_MS        500 /* a session that took this long hangs */
#define PATIENCE_MIN_MS 100
#define RUN_USER        "/run/user" /* where login sessions have their XDG_RUNTIME_DIR */

static void client_fini(struct control_client *c)
{
	c->fd = fd_close(c->fd);
	free(c->session);
	c->session = NULL;
}

/* ---- one packet */

int control_receive(int fd, int flags, json_t **ret)
{
	_cleanup_(freep) char *packet = malloc(CONTROL_PACKET_MAX + 1);
	_cleanup_(json_decrefp) json_t *root = NULL;
	const json_t *word;
	ssize_t n;

	if (!packet)
		return -ENOMEM;
	do {
		n = recv(fd, packet, CONTROL_PACKET_MAX + 1, flags);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	if (n == 0)
		return -ECONNRESET;
	if ((size_t)n > CONTROL_PACKET_MAX)
		return -EPROTO;
	root = json_loadb(packet, (size_t)n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	if (!root || json_integer_value(json_object_get(root, "v")) != CONTROL_VERSION)
		return -EPROTO;
	word = json_object_get(root, "error");
	*ret = TAKE_PTR(root);
	if (json_is_true(json_object_get(*ret, "ok")))
		return 0;
	return (int)control_error_parse(json_is_string(word) ? json_string_value(word) : "");
}

int control_call(struct control_client *c, const struct control_request *q, json_t **ret)
{
	_cleanup_(strbuf_fini) struct strbuf b = STRBUF_INIT(CONTROL_PACKET_MAX);
	struct json j = JSON_INIT(&b);

	control_request_write(q, &j);
	if (strbuf_error(&b))
		return strbuf_error(&b);
	if (send(c->fd, b.p, b.len, MSG_NOSIGNAL) < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	return control_receive(c->fd, 0, ret);
}

/* ---- one session */

static int connect_to(int dirfd, const char *dir, const char *name, unsigned ms, int *ret_fd)
{
	const struct timeval limit = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
	_cleanup_(fd_closep) int fd = -1;
	struct sockaddr_un a;
	int r = control_socket_address(dirfd, dir, name, &a);

	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* Between bind() and listen() a session that begins looks like one that died. */
static bool is_new(const struct stat *st)
{
	return clock_realtime_ns() / NS_PER_SEC < (uint64_t)st->st_mtime + STALE_S;
}

/*
 * Nobody listens, so nobody ever will: a session's name is used once. Only a socket of ours in a
 * directory of ours: root looks into directories that others fill.
 */
static void remove_stale(int dirfd, const char *name)
{
	struct stat dir, st;

	if (fstat(dirfd, &dir) == 0 && dir.st_uid == geteuid() &&
	    fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(st.st_mode) &&
	    st.st_uid == geteuid() && !is_new(&st))
		(void)unlinkat(dirfd, name, 0);
}

struct visit {
	const char *session; /* only this one; NULL: all */
	control_session_fn fn;
	control_refused_fn refused;
	void *arg;
	/* How long a call may take, in ms. Sessions that hang are not each waited for that long:
	 * what they took is taken off, down to PATIENCE_MIN_MS. */
	unsigned *patience_ms;
	bool is_quiet; /* who refuses us is not told of */
};

/* The other end speaks first. */
static int greet(const struct visit *v, struct control_client *c)
{
	_cleanup_(json_decrefp) json_t *greeting = NULL;
	const char *message;
	int r = control_receive(c->fd, 0, &greeting);

	if (r == 0)
		return v->fn(c, v->arg);
	message = json_string_value(json_object_get(greeting, "message"));
	if (!message)
		message = r < 0 ? strerror(-r) : control_error_name((enum control_error)r);
	if (!v->is_quiet)
		v->refused(c->session, r, message, v->arg);
	return 0;
}

static int visit_socket(const struct visit *v, int dirfd, const char *dir, const char *name)
{
	_cleanup_(client_fini) struct control_client c = {.fd = -1};
	_cleanup_(freep) char *spend = NULL;
	int r;

	c.session = strndup(name, strlen(name) - strlen(CONTROL_SUFFIX));
	spend = c.session ? str_format("%s" CONTROL_SPEND_SUFFIX, c.session) : NULL;
	if (!spend)
		return -ENOMEM;
	r = connect_to(dirfd, dir, name, *v->patience_ms, &c.fd);
	if (r == -ECONNREFUSED) {
		remove_stale(dirfd, name);
		remove_stale(dirfd, spend);
		return 0;
	}
	if (r == -ENOENT) /* it ended meanwhile */
		return 0;
	if (r == 0)
		return greet(v, &c);
	if (!v->is_quiet)
		v->refused(c.session, r, strerror(-r), v->arg);
	return 0;
}

int control_at(const char *path, control_session_fn fn, control_refused_fn refused, void *arg)
{
	const struct visit v = {.fn = fn, .refused = refused, .arg = arg};
	_cleanup_(client_fini) struct control_client c = {.fd = -1};
	_cleanup_(freep) char *dir = strdup(path);
	_cleanup_(fd_closep) int dirfd = -1;
	char *name = dir ? strrchr(dir, '/') : NULL;
	int r;

	if (!dir)
		return -ENOMEM;
	if (!name || name == dir)
		return -EINVAL;
	*name++ = '\0';
	c.session = strndup(name, strcspn(name, "."));
	if (!c.session)
		return -ENOMEM;
	/* Only a long path needs it, and a policy may refuse the directory. */
	dirfd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	r = connect_to(dirfd, dir, name, CONTROL_CALL_MS, &c.fd);
	return r < 0 ? r : greet(&v, &c);
}

/* ---- all sessions */

static int is_socket_name(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name), suffix = strlen(CONTROL_SUFFIX);

	return len > suffix && streq(entry->d_name + len - suffix, CONTROL_SUFFIX);
}

static int is_uid_name(const struct dirent *entry)
{
	return entry->d_name[0] >= '0' && entry->d_name[0] <= '9';
}

static void free_names(struct dirent **names, int n)
{
	for (int i = 0; i < n; i++)
		free(names[i]);
	free(names);
}

/* @owner: whose it must be; -1: anybody's. */
static int visit_dir(const struct visit *v, const char *dir, uid_t owner)
{
	_cleanup_(fd_closep) int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct dirent **names;
	struct stat st;
	int n, r = 0;

	if (dirfd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	if (owner != (uid_t)-1 &&
	    (fstat(dirfd, &st) < 0 || st.st_uid != owner || (st.st_mode & 022)))
		return 0;
	n = scandirat(dirfd, ".", &names, is_socket_name, alphasort);
	if (n < 0)
		return -errno;
	for (int i = 0; i < n && r == 0; i++) {
		uint64_t began_ns = clock_monotonic_ns(), took_ms;
		const char *name = names[i]->d_name;

		if (!v->session || (strlen(v->session) + strlen(CONTROL_SUFFIX) == strlen(name) &&
				    strncmp(v->session, name, strlen(v->session)) == 0))
			r = visit_socket(v, dirfd, dir, name);
		took_ms = (clock_monotonic_ns() - began_ns) / NS_PER_MSEC;
		if (took_ms >= HANGS_MS)
			*v->patience_ms -= (unsigned)MIN(
				took_ms, (uint64_t)(*v->patience_ms - PATIENCE_MIN_MS));
	}
	free_names(names, n);
	return r;
}

/* Root answers for everybody, so it also looks where the others' sessions are. */
static int visit_users(const struct visit *v, const char *visited)
{
	struct dirent **names;
	int n = scandir(RUN_USER, &names, is_uid_name, alphasort), r = 0;

	if (n < 0)
		return 0; /* no login sessions on this machine */
	for (int i = 0; i < n && r == 0; i++) {
		_cleanup_(freep) char *dir = str_format(RUN_USER "/%s/holdfast", names[i]->d_name);

		if (!dir)
			r = -ENOMEM;
		else if (!streq(dir, visited))
			r = visit_dir(v, dir, (uid_t)-1);
	}
	free_names(names, n);
	return r;
}

int control_each_session(const char *session, control_session_fn fn, control_refused_fn refused,
			 void *arg)
{
	unsigned patience_ms = session ? CONTROL_CALL_MS : CONTROL_LIST_MS;
	const struct visit v = {.session = session,
				.fn = fn,
				.refused = refused,
				.arg = arg,
				.patience_ms = &patience_ms};
	_cleanup_(freep) char *dir = dirs_runtime();
	int r;

	if (!dir)
		return -ENOMEM;
	r = visit_dir(&v, dir, (uid_t)-1);
	if (r == 0 && geteuid() == 0 && !streq(dir, "/run/holdfast"))
		r = visit_dir(&v, "/run/holdfast", (uid_t)-1);
	return r == 0 && geteuid() == 0 ? visit_users(&v, dir) : r;
}

/* ---- those that we may be an approver of */

static int is_approvers_name(const struct dirent *entry)
{
	return strncmp(entry->d_name, DIRS_APPROVERS_NAME, strlen(DIRS_APPROVERS_NAME)) == 0;
}

/* Anybody may make one, so it counts only when it is his whose name it has. */
static int visit_approvers(const struct visit *v)
{
	struct dirent **names;
	int n, r = visit_dir(v, DIRS_APPROVERS_ROOT, 0);

	n = scandir(DIRS_APPROVERS_TOP, &names, is_approvers_name, alphasort);
	if (n < 0)
		return r;
	for (int i = 0; i < n && r == 0; i++) {
		const char *number = names[i]->d_name + strlen(DIRS_APPROVERS_NAME);
		_cleanup_(freep) char *dir = str_format(DIRS_APPROVERS_TOP "/%s", names[i]->d_name);
		uint64_t uid;

		if (!dir)
			r = -ENOMEM;
		else if (parse_u64(bytes_of(number), UINT32_MAX - 1, &uid) == 0 && uid != geteuid())
			r = visit_dir(v, dir, (uid_t)uid);
	}
	free_names(names, n);
	return r;
}

int control_each_session_to_answer(const char *session, control_session_fn fn,
				   control_refused_fn refused, void *arg)
{
	unsigned patience_ms = CONTROL_LIST_MS;
	const struct visit v = {.session = session,
				.fn = fn,
				.refused = refused,
				.arg = arg,
				.patience_ms = &patience_ms,
				.is_quiet = true};
	int r = control_each_session(session, fn, refused, arg);

	/* Root is let in everywhere else. */
	return r == 0 && geteuid() != 0 ? visit_approvers(&v) : r;
}
