/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "audit/reader.h"
#include "base/clock.h"

#include "page/feed_private.h"

#define READ_BYTES ((size_t)64 * 1024)
#define BEHIND_BYTES                                                                               \
	((off_t)1 << 20) /* further behind than this, what lies between is left out                \
			  */
#define SHOW_BYTES ((size_t)400)
#define BRIEF_MAX  ((size_t)32 * 1024)
#define ARGV_SHOWN 16

int feed_log_open(struct followed *s, int inotify, bool at_end)
{
	/* Non-blocking: it may be a FIFO by now. */
	_cleanup_(fd_closep) int fd = open(s->log, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	off_t from = 0;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	s->watch = inotify_add_watch(inotify, s->log, IN_MODIFY | IN_MOVE_SELF | IN_DELETE_SELF);
	if (s->watch < 0)
		return -errno;
	/* What it has done while it was being found is news, too. */
	if (at_end && st.st_size > (off_t)READ_BYTES)
		from = lseek(fd, -(off_t)READ_BYTES, SEEK_END);
	if (from < 0)
		return -errno;
	s->is_skipping = from > 0;
	strbuf_reset(&s->rest);
	s->fd = TAKE_FD(fd);
	return 0;
}

void feed_log_close(struct followed *s)
{
	s->fd = fd_close(s->fd);
	s->watch = -1;
}

/* ---- one record */

/* Head and tail: either may hold the danger. */
static void add_cut(struct json *j, struct bytes s)
{
	_cleanup_(strbuf_fini) struct strbuf b = STRBUF_INIT(SHOW_BYTES + 64);
	size_t head = SHOW_BYTES * 2 / 3, tail = SHOW_BYTES - head;

	if (s.len <= SHOW_BYTES) {
		json_str(j, s);
		return;
	}
	strbuf_add(&b, s.p, head);
	strbuf_add_fmt(&b, "...[%zu bytes]...", s.len - SHOW_BYTES);
	strbuf_add(&b, s.p + s.len - tail, tail);
	json_str(j, strbuf_bytes(&b));
}

static void add_string(struct json *j, const json_t *root, const char *key)
{
	_cleanup_(strbuf_fini) struct strbuf b = STRBUF_INIT(FEED_LINE_MAX);

	if (!reader_string(root, key, &b))
		return;
	json_key(j, key);
	add_cut(j, strbuf_bytes(&b));
}

static void add_argv(struct json *j, const json_t *argv)
{
	if (!json_array_size(argv))
		return;
	json_key(j, "argv");
	json_begin_array(j);
	for (size_t i = 0; i < MIN(json_array_size(argv), (size_t)ARGV_SHOWN); i++) {
		_cleanup_(strbuf_fini) struct strbuf b = STRBUF_INIT(FEED_LINE_MAX);

		reader_decode(json_array_get(argv, i), &b);
		add_cut(j, strbuf_bytes(&b));
	}
	json_end_array(j);
	json_key_u64(j, "argc", json_array_size(argv));
}

bool feed_brief(struct bytes line, struct strbuf *out)
{
	static const char *const strings[] = {"time", "event",  "session",  "agent",   "exe",
					      "kind", "op",     "object",   "object2", "policy",
					      "rule", "reason", "approver", "held",    "note"};
	struct reader_line parsed = {};
	struct json j = JSON_INIT(out);
	bool is_record = reader_parse(line, &parsed) == READER_LINE;

	if (is_record) {
		const char *verdict = reader_word(parsed.root, "verdict");

		json_begin_object(&j);
		json_key_u64(&j, "seq", reader_u64(parsed.root, "seq"));
		json_key_u64(&j, "pid", reader_u64(parsed.root, "pid"));
		for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
			add_string(&j, parsed.root, strings[i]);
		if (verdict[0])
			json_key_cstr(&j, "verdict", verdict);
		add_argv(&j, json_object_get(parsed.root, "argv"));
		json_end_object(&j);
		is_record = !strbuf_error(out);
	}
	json_decref(parsed.root);
	return is_record;
}

/* ---- what came */

struct news {
	struct followed *s;
	struct hub *hub;
	bool has_held;
	uint64_t n_skipped;
};

static bool has(struct bytes line, const char *what)
{
	return memmem(line.p, line.len, what, strlen(what)) != NULL;
}

/* Half of it is kept for what a person should see: what was only allowed goes first. */
static bool take_credit(struct followed *s, bool is_notable)
{
	uint64_t now_ns = clock_monotonic_ns();
	uint64_t more = (now_ns - s->at_ns) * FEED_LINES_PER_S / NS_PER_SEC;

	if (more) {
		s->credit = MIN(s->credit + more, (uint64_t)FEED_LINES_PER_S);
		s->at_ns = now_ns;
	}
	if (s->credit <= (is_notable ? 0 : FEED_LINES_PER_S / 2))
		return false;
	s->credit--;
	return true;
}

/* Inside a string of our log no quote stands bare: what is looked for here is never the agent's. */
static void take_line(struct news *n, struct bytes line)
{
	_cleanup_(strbuf_fini) struct strbuf b = STRBUF_INIT(BRIEF_MAX);
	_cleanup_(freep) char *session = NULL;

	if (asprintf(&session, "\"session\":\"%s\"", n->s->name) < 0) {
		session = NULL;
		return;
	}
	if (!has(line, session)) /* another session that writes to the same file */
		return;
	if (has(line, "\"held\":\"") || has(line, "\"event\":\"session_end\""))
		n->has_held = true;
	if (!take_credit(n->s, !has(line, "\"verdict\":\"allow\"")))
		n->n_skipped++;
	else if (feed_brief(line, &b))
		hub_publish(n->hub, "decision", strbuf_bytes(&b));
}

static void take_bytes(struct news *n, const char *p, size_t len)
{
	struct followed *s = n->s;

	while (len) {
		const char *end = memchr(p, '\n', len);
		size_t part = end ? (size_t)(end - p) : len;

		if (!s->is_skipping)
			strbuf_add(&s->rest, p, part);
		if (strbuf_error(&s->rest)) {
			s->is_skipping = true;
			n->n_skipped++;
			n->has_held = true; /* it may have been about one */
			strbuf_reset(&s->rest);
		}
		if (!end)
			return;
		if (!s->is_skipping)
			take_line(n, strbuf_bytes(&s->rest));
		s->is_skipping = false;
		strbuf_reset(&s->rest);
		p += part + 1;
		len -= part + 1;
	}
}

static void catch_up(struct news *n)
{
	off_t at = lseek(n->s->fd, 0, SEEK_CUR);
	struct stat st;

	if (at < 0 || fstat(n->s->fd, &st) < 0 || st.st_size - at <= BEHIND_BYTES ||
	    lseek(n->s->fd, -(off_t)READ_BYTES, SEEK_END) < 0)
		return;
	strbuf_reset(&n->s->rest);
	n->s->is_skipping = true;
	n->has_held = true;
	n->n_skipped++;
}

static void publish_number(struct hub *hub, const char *event, const char *session, uint64_t number)
{
	char text[GUARD_NAME_MAX + 64];
	int len = snprintf(text, sizeof(text), "{\"session\":\"%s\",\"n\":%llu}", session,
			   (unsigned long long)number);

	hub_publish(hub, event, (struct bytes){.p = text, .len = (size_t)len});
}

void feed_log_read(struct followed *s, struct hub *hub)
{
	struct news n = {.s = s, .hub = hub};
	_cleanup_(freep) char *buffer = malloc(READ_BYTES);
	ssize_t got;

	if (!buffer || s->fd < 0)
		return;
	catch_up(&n);
	while ((got = read(s->fd, buffer, READ_BYTES)) > 0)
		take_bytes(&n, buffer, (size_t)got);
	if (n.has_held)
		publish_number(hub, "held", s->name, 0);
	if (n.n_skipped)
		publish_number(hub, "skipped", s->name, n.n_skipped);
}
