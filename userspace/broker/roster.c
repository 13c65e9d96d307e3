/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/timerfd.h>

#include "base/clock.h"
#include "base/dirs.h"
#include "base/io.h"

#include "broker/roster_private.h"

#define RUN_USER    "/run/user"
#define RUN_ROOT    "/run/holdfast"
#define DIRS_MAX    64
#define SCAN_NS     (2 * NS_PER_SEC) /* for directories that come and go */
#define EVENTS_MAX  64
#define NAME_LENGTH 200 /* of a session */

struct roster {
	struct roster_config config;
	int epoll, inotify, timer;
	char *dirs[DIRS_MAX];
	size_t n_dirs;
	struct peer *peers[ROSTER_SESSIONS_MAX]; /* in order of names */
	size_t n_peers;
	uint64_t next_scan_ns;
	bool is_changed;
};

void roster_note_change(struct roster *r)
{
	r->is_changed = true;
}

void roster_note_answer(struct roster *r, const struct peer *p, const struct control_request *q,
			int error, const json_t *reply)
{
	if (r->config.answered)
		r->config.answered(r->config.arg, p->name, q, error, reply);
}

/* ---- which there are */

static bool is_wanted(const struct roster *r, const char *name, size_t len)
{
	return len > 0 && len <= NAME_LENGTH &&
	       (!r->config.only ||
		(strlen(r->config.only) == len && strncmp(r->config.only, name, len) == 0));
}

/* Return: its place, or where it belongs. */
static size_t place_of(const struct roster *r, const char *name, bool *ret_is_there)
{
	size_t i = 0;

	while (i < r->n_peers && strcmp(r->peers[i]->name, name) < 0)
		i++;
	*ret_is_there = i < r->n_peers && streq(r->peers[i]->name, name);
	return i;
}

static void add_peer(struct roster *r, const char *dir, const char *name)
{
	struct epoll_event ev = {.events = EPOLLIN};
	struct peer *p;
	bool is_there;
	size_t i = place_of(r, name, &is_there);

	if (is_there || r->n_peers == ROSTER_SESSIONS_MAX)
		return;
	p = peer_new(r, dir, name);
	if (!p)
		return;
	ev.data.ptr = p;
	if (epoll_ctl(r->epoll, EPOLL_CTL_ADD, p->fd, &ev) < 0) {
		peer_free(p);
		return;
	}
	memmove(r->peers + i + 1, r->peers + i, (r->n_peers - i) * sizeof(*r->peers));
	r->peers[i] = p;
	r->n_peers++;
	roster_note_change(r);
}

static void scan_dir(struct roster *r, const char *path)
{
	_cleanup_(io_closedirp) DIR *dir = NULL;
	const struct dirent *entry;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return;
	dir = fdopendir(fd);
	if (!dir) {
		fd_close(fd);
		return;
	}
	while ((entry = readdir(dir))) {
		const char *name = entry->d_name;
		size_t len = strlen(name), suffix = strlen(CONTROL_SUFFIX);
		char session[NAME_LENGTH + 1];

		if (len <= suffix || !streq(name + len - suffix, CONTROL_SUFFIX) ||
		    !is_wanted(r, name, len - suffix))
			continue;
		memcpy(session, name, len - suffix);
		session[len - suffix] = '\0';
		add_peer(r, path, session);
	}
}

static void add_dir(struct roster *r, const char *path)
{
	for (size_t i = 0; i < r->n_dirs; i++)
		if (streq(r->dirs[i], path))
			return;
	if (r->n_dirs == DIRS_MAX)
		return;
	r->dirs[r->n_dirs] = strdup(path);
	if (r->dirs[r->n_dirs])
		r->n_dirs++;
}

/* Root answers for everybody, so it looks where the others' sessions are, too. */
static void find_dirs(struct roster *r)
{
	_cleanup_(freep) char *own = dirs_runtime();
	_cleanup_(io_closedirp) DIR *users = NULL;
	const struct dirent *entry;

	if (own)
		add_dir(r, own);
	if (geteuid() != 0 || r->config.is_own)
		return;
	add_dir(r, RUN_ROOT);
	users = opendir(RUN_USER);
	while (users && (entry = readdir(users))) {
		_cleanup_(freep) char *path = NULL;

		if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
			continue;
		path = str_format(RUN_USER "/%s/holdfast", entry->d_name);
		if (path)
			add_dir(r, path);
	}
}

static void scan(struct roster *r, uint64_t now_ns)
{
	find_dirs(r);
	for (size_t i = 0; i < r->n_dirs; i++) {
		/* The same directory again changes nothing; one that was made anew is seen. */
		(void)inotify_add_watch(r->inotify, r->dirs[i],
					IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
		scan_dir(r, r->dirs[i]);
	}
	for (size_t i = 0; i < r->n_peers; i++)
		if (r->peers[i]->state == PEER_REFUSED && !peer_has_socket(r->peers[i]))
			r->peers[i]->is_over = true;
	r->next_scan_ns = now_ns + SCAN_NS;
}

static void drop_ended(struct roster *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n_peers; i++) {
		if (!r->peers[i]->is_over) {
			r->peers[n++] = r->peers[i];
			continue;
		}
		peer_free(r->peers[i]);
		roster_note_change(r);
	}
	r->n_peers = n;
}

/* ---- driving it */

static void set_timer(struct roster *r, uint64_t next_ns)
{
	const struct itimerspec when = {
		.it_value = {.tv_sec = (time_t)(next_ns / NS_PER_SEC),
			     .tv_nsec = (long)(next_ns % NS_PER_SEC) + 1},
	};

	(void)timerfd_settime(r->timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static void tick(struct roster *r)
{
	uint64_t now_ns = clock_monotonic_ns(), next;

	if (now_ns >= r->next_scan_ns)
		scan(r, now_ns);
	next = r->next_scan_ns;
	for (size_t i = 0; i < r->n_peers; i++)
		next = MIN(next, peer_tick(r->peers[i], now_ns));
	drop_ended(r);
	set_timer(r, next);
	if (r->is_changed) {
		r->is_changed = false;
		if (r->config.changed)
			r->config.changed(r->config.arg);
	}
}

/* What happened does not matter: everything is looked at again. */
static void drain(struct roster *r)
{
	char events[4096];

	while (read(r->inotify, events, sizeof(events)) > 0)
		r->next_scan_ns = 0;
}

void roster_dispatch(struct roster *r)
{
	struct epoll_event events[EVENTS_MAX];
	uint64_t expirations;
	int n = epoll_wait(r->epoll, events, EVENTS_MAX, 0);

	for (int i = 0; i < n; i++) {
		if (events[i].data.ptr == &r->inotify)
			drain(r);
		else if (events[i].data.ptr == &r->timer)
			(void)!read(r->timer, &expirations, sizeof(expirations));
		else
			peer_read(events[i].data.ptr);
	}
	tick(r);
}

static int watch(struct roster *r, int *fd)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = fd};

	return *fd < 0 || epoll_ctl(r->epoll, EPOLL_CTL_ADD, *fd, &ev) < 0 ? -errno : 0;
}

int roster_new(const struct roster_config *config, struct roster **ret)
{
	struct roster *r = calloc(1, sizeof(*r));
	int error;

	if (!r)
		return -ENOMEM;
	r->config = *config;
	r->epoll = epoll_create1(EPOLL_CLOEXEC);
	r->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	r->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	error = r->epoll < 0 ? -errno : watch(r, &r->inotify);
	if (error == 0)
		error = watch(r, &r->timer);
	if (error < 0) {
		roster_free(r);
		return error;
	}
	tick(r);
	*ret = r;
	return 0;
}

struct roster *roster_free(struct roster *r)
{
	if (!r)
		return NULL;
	r->config.answered = NULL;
	for (size_t i = 0; i < r->n_peers; i++)
		peer_free(r->peers[i]);
	for (size_t i = 0; i < r->n_dirs; i++)
		free(r->dirs[i]);
	fd_close(r->epoll);
	fd_close(r->inotify);
	fd_close(r->timer);
	free(r);
	return NULL;
}

int roster_fd(const struct roster *r)
{
	return r->epoll;
}

/* ---- what is known */

size_t roster_count(const struct roster *r)
{
	return r->n_peers;
}

void roster_get(const struct roster *r, size_t i, struct roster_session *ret)
{
	const struct peer *p = r->peers[i];

	*ret = (struct roster_session){
		.name = p->name,
		.status = p->status,
		.held = p->held,
		.seen_ns = p->seen_ns,
		.is_silent = p->was_silent,
		.problem = p->problem,
	};
}

const json_t *roster_find(const struct roster *r, const char *id, size_t *ret_session)
{
	for (size_t i = 0; i < r->n_peers; i++) {
		const json_t *held = r->peers[i]->held;

		for (size_t k = 0; k < json_array_size(held); k++) {
			const json_t *o = json_array_get(held, k);

			if (streq(json_string_value(json_object_get(o, "id")), id)) {
				*ret_session = i;
				return o;
			}
		}
	}
	return NULL;
}

static int add_request(struct roster *r, struct peer *p, const struct control_request *q)
{
	struct control_request *copy;

	if (p->n_answers == ROSTER_ANSWERS_MAX)
		return -ENOSPC;
	copy = malloc(sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	*copy = *q;
	p->answers[p->n_answers++] = copy;
	set_timer(r, 1); /* it goes out with the next dispatch */
	return 0;
}

int roster_answer(struct roster *r, const struct control_request *q)
{
	size_t i;

	return roster_find(r, q->id, &i) ? add_request(r, r->peers[i], q) : -ENOENT;
}

int roster_report(struct roster *r, size_t i, const char *what)
{
	struct control_request q = {.op = CONTROL_ATTEMPT};
	int error;

	/* One at a time: whoever tries often must not keep answers from going out. */
	for (size_t k = 0; k < r->peers[i]->n_answers; k++)
		if (r->peers[i]->answers[k]->op == CONTROL_ATTEMPT)
			return -ENOSPC;
	q.reason_len = MIN(strlen(what), sizeof(q.reason));
	memcpy(q.reason, what, q.reason_len);
	error = add_request(r, r->peers[i], &q);
	/* Now, if it waits for nothing else: who tried may end, and the session with it, as soon as
	 * he has his answer. */
	if (error == 0)
		(void)peer_tick(r->peers[i], clock_monotonic_ns());
	return error;
}

void roster_hurry(struct roster *r)
{
	for (size_t i = 0; i < r->n_peers; i++)
		r->peers[i]->next_ns = 0;
	set_timer(r, 1);
}
