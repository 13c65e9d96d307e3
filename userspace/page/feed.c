/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>

#include "base/clock.h"
#include "base/dirs.h"
#include "base/io.h"
#include "control/client.h"

#include "page/feed_private.h"

#define RUN_USER  "/run/user"
#define DIRS_MAX  64
#define TICK_MS   1000
#define SETTLE_MS 20 /* a socket is bound before it listens */
#define SCANS     4  /* after 20, 80, 320, 1280 ms */

struct feed {
	struct feed_config config;
	pthread_t thread;
	bool has_thread;
	int inotify, wake;
	pthread_mutex_t lock;
	bool is_stopping, is_scanning;
	unsigned scans_left;
	uint64_t scan_ns; /* when to look for sessions next; 0: not */
	int dirs[DIRS_MAX];
	size_t n_dirs;
	struct followed *sessions[FEED_SESSIONS_MAX];
	size_t n_sessions;
};

/* ---- the table; with the lock */

static struct followed *find(struct feed *f, const char *name)
{
	for (size_t i = 0; i < f->n_sessions; i++)
		if (streq(f->sessions[i]->name, name))
			return f->sessions[i];
	return NULL;
}

static struct followed *followed_free(struct followed *s)
{
	if (!s)
		return NULL;
	feed_log_close(s);
	strbuf_fini(&s->rest);
	free(s->log);
	free(s);
	return NULL;
}

static bool is_watched(const struct feed *f, int watch)
{
	for (size_t i = 0; i < f->n_sessions; i++)
		if (f->sessions[i]->watch == watch)
			return true;
	return false;
}

/* A watch is on a file, and two sessions may write to one. */
static void unwatch(struct feed *f, struct followed *s)
{
	int watch = s->watch;

	feed_log_close(s);
	if (watch >= 0 && !is_watched(f, watch))
		(void)inotify_rm_watch(f->inotify, watch);
}

static void remove_unseen(struct feed *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n_sessions; i++) {
		struct followed *s = f->sessions[i];

		if (s->is_seen) {
			f->sessions[n++] = s;
			continue;
		}
		feed_log_read(s, f->config.hub);
		unwatch(f, s);
		followed_free(s);
		hub_publish(f->config.hub, "sessions", BYTES_LIT("{}"));
	}
	f->n_sessions = n;
}

/* ---- looking for sessions, in the pool */

static void add_session(struct feed *f, const char *name, const json_t *status)
{
	const char *log = json_string_value(json_object_get(status, "log"));
	json_int_t pid = json_integer_value(json_object_get(status, "pid"));
	struct followed *s;

	if (!log || pid <= 0 || pid > INT_MAX || f->n_sessions == FEED_SESSIONS_MAX)
		return;
	s = calloc(1, sizeof(*s));
	if (!s)
		return;
	*s = (struct followed){.supervisor = (pid_t)pid, .fd = -1, .watch = -1, .is_seen = true};
	s->rest = STRBUF_INIT(FEED_LINE_MAX);
	s->credit = FEED_LINES_PER_S;
	s->at_ns = clock_monotonic_ns();
	(void)snprintf(s->name, sizeof(s->name), "%s", name);
	s->log = strdup(log);
	if (!s->log) {
		followed_free(s);
		return;
	}
	/* One whose log cannot be followed is asked about each second: see on_tick(). */
	(void)feed_log_open(s, f->inotify, true);
	f->sessions[f->n_sessions++] = s;
	hub_publish(f->config.hub, "sessions", BYTES_LIT("{}"));
	hub_publish(f->config.hub, "held", BYTES_LIT("{}"));
}

static int see_session(struct control_client *c, void *arg)
{
	const struct control_request q = {.op = CONTROL_STATUS};
	_cleanup_(json_decrefp) json_t *status = NULL;
	struct feed *f = arg;
	struct followed *s;

	if (!guard_is_session_name(c->session))
		return 0;
	(void)pthread_mutex_lock(&f->lock);
	s = find(f, c->session);
	if (s)
		s->is_seen = true;
	(void)pthread_mutex_unlock(&f->lock);
	if (s || control_call(c, &q, &status) != 0)
		return 0;
	(void)pthread_mutex_lock(&f->lock);
	add_session(f, c->session, status);
	(void)pthread_mutex_unlock(&f->lock);
	return 0;
}

/* One that does not answer, or not us, lives all the same. */
static void see_refused(const char *session, int error, const char *message, void *arg)
{
	struct feed *f = arg;
	struct followed *s;

	(void)error;
	(void)message;
	(void)pthread_mutex_lock(&f->lock);
	s = find(f, session);
	if (s)
		s->is_seen = true;
	(void)pthread_mutex_unlock(&f->lock);
}

static void watch_dir(struct feed *f, const char *path)
{
	int watch = inotify_add_watch(f->inotify, path,
				      IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_ONLYDIR);

	for (size_t i = 0; i < f->n_dirs; i++)
		if (f->dirs[i] == watch)
			return;
	if (watch >= 0 && f->n_dirs < DIRS_MAX)
		f->dirs[f->n_dirs++] = watch;
}

/* Where control_each_session() looks. */
static void watch_dirs(struct feed *f)
{
	_cleanup_(freep) char *own = dirs_runtime();
	_cleanup_(io_closedirp) DIR *users = NULL;
	const struct dirent *e;

	/* There is none yet before the first session of a user; not to have it is no failure. */
	if (own && io_mkdir_p(own, 0700) == 0)
		watch_dir(f, own);
	if (geteuid() != 0)
		return;
	watch_dir(f, "/run/holdfast");
	watch_dir(f, RUN_USER);
	users = opendir(RUN_USER);
	while (users && (e = readdir(users))) {
		_cleanup_(freep) char *dir = NULL;

		if (e->d_name[0] < '0' || e->d_name[0] > '9')
			continue;
		dir = str_format(RUN_USER "/%s/holdfast", e->d_name);
		if (dir)
			watch_dir(f, dir);
	}
}

static void scan(void *arg)
{
	struct feed *f = arg;

	(void)pthread_mutex_lock(&f->lock);
	watch_dirs(f);
	for (size_t i = 0; i < f->n_sessions; i++)
		f->sessions[i]->is_seen = false;
	(void)pthread_mutex_unlock(&f->lock);
	(void)control_each_session(NULL, see_session, see_refused, f);
	(void)pthread_mutex_lock(&f->lock);
	remove_unseen(f);
	f->is_scanning = false;
	(void)pthread_mutex_unlock(&f->lock);
}

/* ---- the thread; with the lock, but in poll() */

static void want_scan(struct feed *f)
{
	f->scans_left = SCANS;
	f->scan_ns = clock_monotonic_ns() + SETTLE_MS * NS_PER_MSEC;
}

static void scan_if_due(struct feed *f)
{
	uint64_t now_ns = clock_monotonic_ns(), pause_ms = SETTLE_MS;

	if (!f->scan_ns || now_ns < f->scan_ns || f->is_scanning)
		return;
	f->is_scanning = pool_add(f->config.pool, scan, f) == 0;
	f->scans_left--;
	for (unsigned i = f->scans_left; i < SCANS; i++)
		pause_ms *= 4;
	f->scan_ns = f->scans_left ? now_ns + pause_ms * NS_PER_MSEC : 0;
}

/* The log became a closed file, or went: the session goes on in a new one of this name. */
static void reopen(struct feed *f, struct followed *s)
{
	feed_log_read(s, f->config.hub);
	unwatch(f, s);
	(void)feed_log_open(s, f->inotify, false);
}

static void on_event(struct feed *f, const struct inotify_event *e)
{
	for (size_t i = 0; i < f->n_dirs; i++)
		if (f->dirs[i] == e->wd)
			want_scan(f);
	for (size_t i = 0; i < f->n_sessions; i++) {
		struct followed *s = f->sessions[i];

		if (s->watch != e->wd || e->wd < 0)
			continue;
		if (e->mask & (IN_MOVE_SELF | IN_DELETE_SELF | IN_IGNORED))
			reopen(f, s);
		feed_log_read(s, f->config.hub);
	}
	if (e->mask & IN_Q_OVERFLOW)
		want_scan(f);
}

static void read_events(struct feed *f)
{
	_Alignas(struct inotify_event) char
		buffer[16 * (sizeof(struct inotify_event) + NAME_MAX + 1)];
	ssize_t len;

	while ((len = read(f->inotify, buffer, sizeof(buffer))) > 0)
		for (const char *p = buffer; p < buffer + len;) {
			const struct inotify_event *e = (const void *)p;

			on_event(f, e);
			p += sizeof(*e) + e->len;
		}
}

static void on_tick(struct feed *f)
{
	for (size_t i = 0; i < f->n_sessions; i++) {
		struct followed *s = f->sessions[i];

		if (s->fd >= 0)
			continue;
		/* A log that could not be opened: meanwhile, ask. */
		if (feed_log_open(s, f->inotify, false) < 0)
			hub_publish(f->config.hub, "held", BYTES_LIT("{}"));
		feed_log_read(s, f->config.hub);
	}
}

/* With nobody at the page it sleeps until something happens. */
static int timeout_ms(const struct feed *f, bool is_busy)
{
	uint64_t now_ns = clock_monotonic_ns();
	int limit = is_busy ? TICK_MS : -1;

	if (!f->scan_ns)
		return limit;
	if (f->is_scanning || now_ns >= f->scan_ns)
		return SETTLE_MS;
	return (int)MIN((f->scan_ns - now_ns) / NS_PER_MSEC + 1, (uint64_t)TICK_MS);
}

static void *feed_main(void *arg)
{
	struct feed *f = arg;
	struct pollfd fds[] = {{.fd = f->inotify, .events = POLLIN},
			       {.fd = f->wake, .events = POLLIN}};
	uint64_t ticked_ns = 0, ignored;

	(void)pthread_mutex_lock(&f->lock);
	while (!f->is_stopping) {
		bool is_busy = f->config.is_busy(f->config.arg);
		int ms = timeout_ms(f, is_busy);

		(void)pthread_mutex_unlock(&f->lock);
		(void)poll(fds, ARRAY_SIZE(fds), ms);
		if (read(f->wake, &ignored, sizeof(ignored)) < 0)
			ignored = 0; /* it was not that */
		(void)pthread_mutex_lock(&f->lock);
		read_events(f);
		scan_if_due(f);
		if (is_busy && clock_monotonic_ns() - ticked_ns >= TICK_MS * NS_PER_MSEC) {
			ticked_ns = clock_monotonic_ns();
			on_tick(f);
			f->config.tick(f->config.arg);
		}
	}
	(void)pthread_mutex_unlock(&f->lock);
	return NULL;
}

/* ---- for the others */

int feed_new(const struct feed_config *config, struct feed **ret)
{
	struct feed *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return -ENOMEM;
	f->config = *config;
	(void)pthread_mutex_init(&f->lock, NULL);
	f->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	f->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = f->inotify < 0 || f->wake < 0 ? -errno : 0;
	if (r == 0) {
		want_scan(f);
		r = -pthread_create(&f->thread, NULL, feed_main, f);
		f->has_thread = r == 0;
	}
	if (r < 0) {
		feed_free(f);
		return r;
	}
	*ret = f;
	return 0;
}

void feed_wake(struct feed *f)
{
	static const uint64_t one = 1;

	if (write(f->wake, &one, sizeof(one)) < 0)
		return; /* it is full: the thread is being woken */
}

void feed_stop(struct feed *f)
{
	if (!f->has_thread)
		return;
	(void)pthread_mutex_lock(&f->lock);
	f->is_stopping = true;
	(void)pthread_mutex_unlock(&f->lock);
	feed_wake(f);
	(void)pthread_join(f->thread, NULL);
	f->has_thread = false;
}

struct feed *feed_free(struct feed *f)
{
	if (!f)
		return NULL;
	feed_stop(f);
	for (size_t i = 0; i < f->n_sessions; i++)
		followed_free(f->sessions[i]);
	fd_close(f->inotify);
	fd_close(f->wake);
	(void)pthread_mutex_destroy(&f->lock);
	free(f);
	return NULL;
}

size_t feed_supervisors(struct feed *f, pid_t *out, size_t max)
{
	size_t n;

	(void)pthread_mutex_lock(&f->lock);
	n = MIN(f->n_sessions, max);
	for (size_t i = 0; i < n; i++)
		out[i] = f->sessions[i]->supervisor;
	(void)pthread_mutex_unlock(&f->lock);
	return n;
}

char *feed_log_of(struct feed *f, const char *name)
{
	const struct followed *s;
	char *log;

	(void)pthread_mutex_lock(&f->lock);
	s = find(f, name);
	log = s ? strdup(s->log) : NULL;
	(void)pthread_mutex_unlock(&f->lock);
	return log;
}

void feed_name_of(struct feed *f, pid_t supervisor, char *out, size_t size)
{
	(void)snprintf(out, size, "%s", "");
	(void)pthread_mutex_lock(&f->lock);
	for (size_t i = 0; i < f->n_sessions; i++)
		if (f->sessions[i]->supervisor == supervisor)
			(void)snprintf(out, size, "%s", f->sessions[i]->name);
	(void)pthread_mutex_unlock(&f->lock);
}
