/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <jansson.h>
#include <sys/stat.h>

#include "audit/show.h"

#include "cli/watch.h"

#define FEED_LOGS  ROSTER_SESSIONS_MAX
#define CHUNK      ((size_t)64 * 1024)
#define LOOK_BACK  ((off_t)32 * 1024)   /* of a log that is new to us */
#define FALL_BACK  ((off_t)1024 * 1024) /* further behind than this, what is between is left out */
#define LINE_BYTES ((size_t)256 * 1024)
#define SHOW_BYTES ((size_t)8192)

struct log {
	char *path, *session;
	int fd;
	off_t at;
	bool is_cut; /* what comes first is not the beginning of a line */
	bool is_wanted;
	struct strbuf part; /* of a line whose end was not written yet */
};

struct watch_feed {
	struct log logs[FEED_LOGS];
	size_t n_logs;
	char *lines[WATCH_FEED_LINES];
	size_t n_lines, newest; /* a ring */
	bool is_brief, has_more;
	char chunk[CHUNK];
};

int watch_feed_new(struct watch_feed **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

static void log_fini(struct log *l)
{
	free(l->path);
	free(l->session);
	fd_close(l->fd);
	strbuf_fini(&l->part);
}

struct watch_feed *watch_feed_free(struct watch_feed *f)
{
	if (!f)
		return NULL;
	for (size_t i = 0; i < f->n_logs; i++)
		log_fini(&f->logs[i]);
	for (size_t i = 0; i < WATCH_FEED_LINES; i++)
		free(f->lines[i]);
	free(f);
	return NULL;
}

void watch_feed_set_brief(struct watch_feed *f, bool is_brief)
{
	f->is_brief = is_brief;
}

bool watch_feed_is_brief(const struct watch_feed *f)
{
	return f->is_brief;
}

const char *watch_feed_line(const struct watch_feed *f, size_t i)
{
	if (i >= f->n_lines)
		return NULL;
	return f->lines[(f->newest + WATCH_FEED_LINES - i) % WATCH_FEED_LINES];
}

static void add_line(struct watch_feed *f, const char *text)
{
	size_t next = (f->newest + 1) % WATCH_FEED_LINES;
	char *copy = strndup(text, strcspn(text, "\n"));

	if (!copy)
		return;
	free(f->lines[next]);
	f->lines[next] = copy;
	f->newest = next;
	f->n_lines = MIN(f->n_lines + 1, (size_t)WATCH_FEED_LINES);
	f->has_more = true;
}

static bool is_shown(const struct watch_feed *f, const struct log *l, const json_t *root)
{
	const char *event = reader_word(root, "event"), *verdict = reader_word(root, "verdict");

	if (!streq(reader_word(root, "session"), l->session) || streq(event, "checkpoint"))
		return false;
	return !f->is_brief || !streq(event, "action") || !streq(verdict, "allow") ||
	       json_is_string(json_object_get(root, "held"));
}

static void take_line(struct watch_feed *f, const struct log *l, struct bytes text)
{
	static const struct show_style plain = {};
	_cleanup_(strbuf_fini) struct strbuf out = STRBUF_INIT(SHOW_BYTES);
	struct reader_line line = {};

	if (reader_parse(text, &line) == READER_LINE && is_shown(f, l, line.root)) {
		show_line(&line, &plain, &out);
		add_line(f, strbuf_str(&out));
	}
	json_decref(line.root);
}

static void take_bytes(struct watch_feed *f, struct log *l, const char *p, size_t len)
{
	while (len) {
		const char *end = memchr(p, '\n', len);
		size_t n = end ? (size_t)(end - p) : len;

		strbuf_add(&l->part, p, n);
		if (!end)
			return;
		if (!l->is_cut && !strbuf_error(&l->part))
			take_line(f, l, strbuf_bytes(&l->part));
		l->is_cut = false;
		strbuf_reset(&l->part);
		p += n + 1;
		len -= n + 1;
	}
}

/* ---- files */

/* A regular file, and nothing that opening or reading waits for: the path is what a session says,
 * and for root that may be somebody else. */
static bool open_log(struct log *l)
{
	_cleanup_(fd_closep) int fd =
		open(l->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	l->at = 0;
	l->fd = TAKE_FD(fd);
	return true;
}

/* A log that was rotated goes on in another file. */
static bool is_replaced(const struct log *l)
{
	struct stat ours, there;

	return fstat(l->fd, &ours) == 0 && stat(l->path, &there) == 0 &&
	       (ours.st_ino != there.st_ino || ours.st_dev != there.st_dev);
}

static void skip(struct log *l)
{
	struct stat st;

	if (fstat(l->fd, &st) < 0 || st.st_size - l->at <= FALL_BACK)
		return;
	l->at = st.st_size - LOOK_BACK;
	l->is_cut = true;
	strbuf_reset(&l->part);
}

static void follow(struct watch_feed *f, struct log *l)
{
	ssize_t n;

	if (l->fd < 0 && !open_log(l))
		return;
	skip(l);
	while ((n = pread(l->fd, f->chunk, sizeof(f->chunk), l->at)) > 0) {
		l->at += n;
		take_bytes(f, l, f->chunk, (size_t)n);
	}
	if (is_replaced(l)) {
		l->fd = fd_close(l->fd);
		strbuf_reset(&l->part);
	}
}

static struct log *find_log(struct watch_feed *f, const char *session)
{
	for (size_t i = 0; i < f->n_logs; i++)
		if (streq(f->logs[i].session, session))
			return &f->logs[i];
	return NULL;
}

static void add_log(struct watch_feed *f, const char *session, const char *path)
{
	struct log *l = &f->logs[f->n_logs];
	struct stat st;

	if (f->n_logs == FEED_LOGS)
		return;
	*l = (struct log){.path = strdup(path),
			  .session = strdup(session),
			  .fd = -1,
			  .is_wanted = true,
			  .part = STRBUF_INIT(LINE_BYTES)};
	if (!l->path || !l->session) {
		log_fini(l);
		return;
	}
	f->n_logs++;
	/* Of a session that has run for long, the end. */
	if (open_log(l) && fstat(l->fd, &st) == 0 && st.st_size > LOOK_BACK) {
		l->at = st.st_size - LOOK_BACK;
		l->is_cut = true;
	}
}

/* A log is read to its end before it is forgotten: the last record says how the session ended. */
static void drop_unwanted(struct watch_feed *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n_logs; i++) {
		if (f->logs[i].is_wanted)
			f->logs[n++] = f->logs[i];
		else
			log_fini(&f->logs[i]);
	}
	f->n_logs = n;
}

bool watch_feed_read(struct watch_feed *f, const struct roster *r)
{
	f->has_more = false;
	for (size_t i = 0; i < f->n_logs; i++)
		f->logs[i].is_wanted = false;
	for (size_t i = 0; i < roster_count(r); i++) {
		struct roster_session s;
		const char *path;
		struct log *l;

		roster_get(r, i, &s);
		path = json_string_value(json_object_get(s.status, "log"));
		l = find_log(f, s.name);
		if (l)
			l->is_wanted = true;
		else if (path)
			add_log(f, s.name, path);
	}
	for (size_t i = 0; i < f->n_logs; i++)
		follow(f, &f->logs[i]);
	drop_unwanted(f);
	return f->has_more;
}
