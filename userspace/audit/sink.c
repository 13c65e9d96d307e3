/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sink's process. It looks at the file every 30 ms, as `holdfast log -f` does, and waits for its
 * target only in poll(2), so that it always answers its supervisor.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/clock.h"

#include "audit/sink_private.h"

#define SINK_POLL_MS    30
#define SINK_RETRY_MS   200 /* nobody listens at the socket */
#define SINK_PUMP_LINES 1000
/* More than so much that waits is dropped: it may go on for days, and rotation takes files away. */
#define SINK_BEHIND_MAX ((uint64_t)8 << 20)
#define SINK_STALL_NS   (2 * NS_PER_SEC)  /* without progress for so long is worth a notice */
#define SINK_NOTICE_NS  (10 * NS_PER_SEC) /* between two of a kind */
#define SINK_FINISH_NS  (200 * NS_PER_MSEC)
#define SINK_DRAIN_NS   (5 * NS_PER_SEC)  /* without progress, once the session has ended */
#define SINK_LINGER_NS  (60 * NS_PER_SEC) /* in all, then */

enum pump {
	PUMP_MORE,
	PUMP_END,  /* of the file; nothing waits */
	PUMP_FULL, /* the target takes nothing now */
	PUMP_AWAY, /* there is no target now */
};

struct follower {
	const struct sink_config *config;
	struct sink_target target;
	struct format_context context;

	struct reader *reader; /* NULL: the file is not there yet */
	uint64_t consumed;     /* bytes of its file */
	uint64_t last_seq;

	struct strbuf message; /* that waits */
	bool has_message;
	bool is_dead; /* the command reads no more; everything is dropped */
	int error;    /* of PUMP_AWAY */

	uint64_t dropped; /* and not yet noted */
	uint64_t drop_note_ns, stall_note_ns, progress_ns;
	bool is_stalled;    /* and it was noted */
	uint64_t finish_ns; /* when to answer SINK_FINISH; 0: not asked, or answered */
	bool has_supervisor;
	uint64_t orphaned_ns;
};

/* ---- what the supervisor is told */

static void tell(struct follower *f, enum sink_message type, const char *fmt, ...) _printf_(3, 4);

static void tell(struct follower *f, enum sink_message type, const char *fmt, ...)
{
	char text[SINK_MESSAGE_MAX];
	va_list ap;
	int n;

	text[0] = (char)type;
	va_start(ap, fmt);
	n = vsnprintf(text + 1, sizeof(text) - 1, fmt, ap);
	va_end(ap);
	n = MIN(n, (int)sizeof(text) - 2);
	(void)send(f->config->control, text, (size_t)n + 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void tell_drops(struct follower *f, uint64_t now_ns, bool is_last)
{
	if (!f->dropped || (!is_last && now_ns < f->drop_note_ns + SINK_NOTICE_NS))
		return;
	tell(f, SINK_NOTICE, "The log sink '%.200s' dropped %llu lines; they are in the log only",
	     f->config->name, (unsigned long long)f->dropped);
	f->dropped = 0;
	f->drop_note_ns = now_ns;
}

static void tell_stall(struct follower *f, enum pump state, uint64_t now_ns)
{
	bool is_waiting = state == PUMP_FULL || state == PUMP_AWAY;

	if (!is_waiting || f->is_stalled || now_ns < f->progress_ns + SINK_STALL_NS ||
	    (f->stall_note_ns && now_ns < f->stall_note_ns + SINK_NOTICE_NS))
		return;
	f->is_stalled = true;
	f->stall_note_ns = now_ns;
	tell(f, SINK_NOTICE, "The log sink '%.200s' takes nothing: %s", f->config->name,
	     state == PUMP_AWAY ? strerror(f->error) : "it does not read");
}

static void die(struct follower *f)
{
	f->is_dead = true;
	f->dropped += f->has_message;
	f->has_message = false;
	f->drop_note_ns = clock_monotonic_ns(); /* what follows is noted together */
	sink_target_close(&f->target, false);
	tell(f, SINK_NOTICE,
	     "The command of the log sink '%.200s' has ended; it gets no more lines",
	     f->config->name);
}

/* ---- the file */

/* Return: READER_LINE of our session, READER_END. */
static int next_line(struct follower *f, struct reader_line *ret)
{
	struct diag d = {};
	int r;

	if (!f->reader && reader_open(f->config->log_path, &f->reader, &d) < 0)
		return READER_END; /* it is not there yet */
	for (;;) {
		r = reader_next(f->reader, ret);
		if (r <= READER_END)
			return READER_END;
		if (r == READER_DAMAGED)
			continue;
		/* The reader goes on in the new file when the log is rotated. */
		f->consumed = (ret->number == 1 ? 0 : f->consumed) + ret->text.len + 1;
		if (streq(reader_word(ret->root, "session"), f->config->session))
			return READER_LINE;
	}
}

static void count_gap(struct follower *f, const struct reader_line *line)
{
	uint64_t seq = reader_u64(line->root, "seq");

	if (f->last_seq && seq > f->last_seq + 1)
		f->dropped += seq - f->last_seq - 1;
	f->last_seq = MAX(f->last_seq, seq);
}

static void take_line(struct follower *f, const struct reader_line *line)
{
	count_gap(f, line);
	format_learn(&f->context, line);
	if (f->is_dead) {
		f->dropped++;
		return;
	}
	strbuf_reset(&f->message);
	sink_encode(f->config->spec.kind, &f->context, line, &f->message);
	f->has_message = strbuf_error(&f->message) == 0;
	f->dropped += !f->has_message;
}

static uint64_t bytes_behind(const struct follower *f)
{
	struct stat st;

	if (!f->reader || stat(f->config->log_path, &st) < 0)
		return 0;
	return (uint64_t)st.st_size > f->consumed ? (uint64_t)st.st_size - f->consumed : 0;
}

/* The message that waits stays: a part of it may have been taken. */
static void skip_to_end(struct follower *f)
{
	struct reader_line line;

	while (next_line(f, &line) == READER_LINE) {
		count_gap(f, &line);
		format_learn(&f->context, &line);
		f->dropped++;
	}
}

/* ---- pumping */

static enum pump send_message(struct follower *f, uint64_t now_ns)
{
	int r = sink_target_send(&f->target, strbuf_bytes(&f->message), &f->error);

	if (r == -EAGAIN || r == -ENOTCONN) {
		if (bytes_behind(f) > SINK_BEHIND_MAX)
			skip_to_end(f);
		return r == -EAGAIN ? PUMP_FULL : PUMP_AWAY;
	}
	if (r == -EPIPE) {
		die(f);
		return PUMP_MORE;
	}
	f->has_message = false;
	f->dropped += r < 0;
	f->progress_ns = now_ns;
	f->is_stalled = false;
	return PUMP_MORE;
}

static enum pump pump(struct follower *f, uint64_t now_ns)
{
	enum pump state = PUMP_MORE;
	struct reader_line line;

	for (int i = 0; i < SINK_PUMP_LINES && state == PUMP_MORE; i++) {
		if (!f->has_message) {
			if (next_line(f, &line) == READER_END)
				return PUMP_END;
			take_line(f, &line);
		}
		if (f->has_message)
			state = send_message(f, now_ns);
	}
	return state;
}

/* ---- the supervisor */

static void listen_to_supervisor(struct follower *f, uint64_t now_ns)
{
	char type;

	while (f->has_supervisor) {
		ssize_t n = recv(f->config->control, &type, sizeof(type), MSG_DONTWAIT);

		if (n == (ssize_t)sizeof(type)) {
			if (type == SINK_FINISH)
				f->finish_ns = now_ns + SINK_FINISH_NS;
		} else if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			return;
		} else {
			f->has_supervisor = false;
			f->orphaned_ns = f->progress_ns = now_ns;
		}
	}
}

/* The lines of the file that were not looked at yet. */
static uint64_t lines_behind(const struct follower *f)
{
	_cleanup_(fd_closep) int fd = -1;
	uint64_t lines = f->has_message;
	char chunk[16384];
	ssize_t n;

	if (bytes_behind(f) == 0)
		return lines;
	fd = open(f->config->log_path, O_RDONLY | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
	for (uint64_t at = f->consumed; fd >= 0; at += (uint64_t)n) {
		n = pread(fd, chunk, sizeof(chunk), (off_t)at);
		if (n <= 0)
			return lines;
		for (ssize_t i = 0; i < n; i++)
			lines += chunk[i] == '\n';
	}
	return lines;
}

static void answer_finish(struct follower *f, enum pump state, uint64_t now_ns)
{
	uint64_t waiting;

	if (!f->finish_ns || (state != PUMP_END && now_ns < f->finish_ns))
		return;
	f->finish_ns = 0;
	tell_drops(f, now_ns, true);
	waiting = state == PUMP_END ? 0 : lines_behind(f);
	if (waiting)
		tell(f, SINK_NOTICE,
		     "The log sink '%.200s' had not taken the last %llu lines when the session ended; it has 5 s more",
		     f->config->name, (unsigned long long)waiting);
	tell(f, SINK_DONE, "%s", "");
}

static bool is_over(const struct follower *f, enum pump state, uint64_t now_ns)
{
	return !f->has_supervisor &&
	       (state == PUMP_END || now_ns > f->progress_ns + SINK_DRAIN_NS ||
		now_ns > f->orphaned_ns + SINK_LINGER_NS);
}

static void wait_for_more(struct follower *f, enum pump state)
{
	struct pollfd fds[] = {
		{.fd = f->has_supervisor ? f->config->control : -1, .events = POLLIN},
		{.fd = f->target.fd, .events = state == PUMP_FULL ? POLLOUT : 0},
	};

	if (state != PUMP_MORE)
		(void)poll(fds, ARRAY_SIZE(fds), state == PUMP_AWAY ? SINK_RETRY_MS : SINK_POLL_MS);
	/* A pipe that nobody reads any more, while there is nothing to write. */
	if (f->config->spec.kind == SINK_COMMAND && !f->is_dead && (fds[1].revents & POLLERR))
		die(f);
}

int sink_run(const struct sink_config *config)
{
	struct follower f = {.config = config,
			     .message = STRBUF_INIT(SINK_TEXT_MAX),
			     .has_supervisor = true,
			     .progress_ns = clock_monotonic_ns()};
	enum pump state;
	uint64_t now_ns;
	int r;

	/* The agent may be of the same user: it shall not read or trace this process. */
	(void)prctl(PR_SET_DUMPABLE, 0);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGCHLD, SIG_IGN); /* the command leaves no zombie */
	r = sink_target_open(&config->spec, &f.target);
	if (r < 0)
		return r;
	do {
		now_ns = clock_monotonic_ns();
		listen_to_supervisor(&f, now_ns);
		state = pump(&f, now_ns);
		if (state == PUMP_END)
			f.progress_ns = now_ns;
		tell_stall(&f, state, now_ns);
		tell_drops(&f, now_ns, false);
		answer_finish(&f, state, now_ns);
		if (is_over(&f, state, now_ns))
			break;
		wait_for_more(&f, state);
	} while (true);
	sink_target_close(&f.target, state != PUMP_END);
	reader_close(f.reader);
	format_context_fini(&f.context);
	strbuf_fini(&f.message);
	return 0;
}
