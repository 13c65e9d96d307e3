/* SPDX-License-Identifier: Apache-2.0 */
/* `holdfast watch`: the list, and the loop that drives it and the question (watch.h). */
#include <curses.h>
#include <locale.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "base/escape.h"
#include "base/say.h"
#include "control/shown.h"

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/watch.h"

#define KEYS_MAX      512
#define FEED_MS       200
#define SESSION_LINES 4
#define LINE_BYTES    ((size_t)4096)

static const char usage[] =
	"usage: holdfast watch [--once] [--own-terminal] [SESSION]\n"
	"\n"
	"Shows your sessions, or SESSION, on the terminal: what is held on top, decisions flowing by.\n"
	"Enter opens a held action; its own screen says what each answer would cover.\n"
	"\n"
	"  --once          open the first question at once, and end when nothing is held any more\n"
	"  --own-terminal  nobody else may open this terminal from now on; for one that ends with\n"
	"                  the command, such as a popup of tmux\n"
	"\n"
	"Exit status: 0, 1 there is no terminal that can show it, 2 wrong usage.\n";

struct watch {
	struct roster *roster;
	struct watch_feed *feed;
	struct question question;
	char selected[HELD_ID_SIZE];
	size_t row; /* of the selected one */
	bool is_once, owns_terminal, is_over, is_dirty;
};

/* ---- the list */

struct held_row {
	const json_t *entry;
	struct roster_session session;
};

/* The number @n of all that is held, sessions in order. Return: false: there are not so many. */
static bool get_row(const struct watch *w, size_t n, struct held_row *ret)
{
	for (size_t i = 0; i < roster_count(w->roster); i++) {
		size_t size;

		roster_get(w->roster, i, &ret->session);
		size = json_array_size(ret->session.held);
		if (n < size) {
			ret->entry = json_array_get(ret->session.held, n);
			return true;
		}
		n -= size;
	}
	return false;
}

static size_t count_rows(const struct watch *w)
{
	size_t n = 0;

	for (size_t i = 0; i < roster_count(w->roster); i++) {
		struct roster_session s;

		roster_get(w->roster, i, &s);
		n += json_array_size(s.held);
	}
	return n;
}

static void select_row(struct watch *w, size_t row)
{
	struct held_row r;

	w->selected[0] = '\0';
	w->row = row;
	if (get_row(w, row, &r))
		(void)snprintf(w->selected, sizeof(w->selected), "%s",
			       json_string_value(json_object_get(r.entry, "id")));
}

/* What was selected stays selected; when it has gone, what is in its place. */
static void keep_selection(struct watch *w)
{
	size_t n = count_rows(w);
	struct held_row r;

	for (size_t i = 0; i < n && get_row(w, i, &r); i++) {
		if (streq(json_string_value(json_object_get(r.entry, "id")), w->selected)) {
			w->row = i;
			return;
		}
	}
	select_row(w, n ? MIN(w->row, n - 1) : 0);
}

static void add_command(struct strbuf *out, const json_t *o)
{
	const json_t *argv = json_object_get(o, "argv");

	for (size_t i = 0; i < json_array_size(argv) && i < 32; i++) {
		strbuf_add_char(out, ' ');
		shown_add_value(out, json_array_get(argv, i), 100);
	}
}

static void draw_row(const struct watch *w, int y, size_t n)
{
	_cleanup_(strbuf_fini) struct strbuf out = STRBUF_INIT(LINE_BYTES);
	json_int_t left, waiting;
	struct held_row r;

	if (!get_row(w, n, &r))
		return;
	left = json_integer_value(json_object_get(r.entry, "left_ms")) -
	       (json_int_t)((clock_monotonic_ns() - r.session.seen_ns) / NS_PER_MSEC);
	waiting = json_integer_value(json_object_get(r.entry, "waiting"));
	strbuf_add_fmt(&out, "%c ", n == w->row ? '>' : ' ');
	shown_add(&out, r.entry, "id", 8);
	strbuf_add_fmt(&out, " %4llds ", (long long)MAX(left, (json_int_t)0) / 1000);
	if (waiting > 1)
		strbuf_add_fmt(&out, "x%lld ", (long long)waiting);
	shown_add(&out, r.session.status, "agent", 16);
	strbuf_add_char(&out, ' ');
	shown_add(&out, r.entry, "op", 10);
	if (json_array_size(json_object_get(r.entry, "argv")) > 0) {
		add_command(&out, r.entry);
	} else {
		strbuf_add_char(&out, ' ');
		shown_add(&out, r.entry, "object", 300);
	}
	screen_text(y, strbuf_str(&out), n == w->row ? A_BOLD : A_NORMAL);
}

/* Return: the next line. */
static int draw_sessions(const struct watch *w, int y)
{
	size_t n = roster_count(w->roster);

	for (size_t i = 0; i < n && i < SESSION_LINES; i++) {
		_cleanup_(strbuf_fini) struct strbuf out = STRBUF_INIT(LINE_BYTES);
		struct roster_session s;

		roster_get(w->roster, i, &s);
		escape_terminal_max(&out, bytes_of(s.name), 40);
		strbuf_add_char(&out, ' ');
		shown_add(&out, s.status, "agent", 30);
		if (s.problem) {
			strbuf_add_str(&out, ": ");
			escape_terminal_max(&out, bytes_of(s.problem), 200);
		} else if (s.is_silent) {
			strbuf_add_str(&out, ": does not answer");
		} else {
			strbuf_add_fmt(&out, ": %zu held", json_array_size(s.held));
		}
		if (i == SESSION_LINES - 1 && n > SESSION_LINES)
			strbuf_add_fmt(&out, "   (and %zu more)", n - SESSION_LINES);
		screen_text(y++, strbuf_str(&out), A_NORMAL);
	}
	return y;
}

static void draw_list(struct watch *w)
{
	size_t n = count_rows(w), first = 0, room;
	char title[128];
	int y = 1;

	(void)erase();
	(void)snprintf(title, sizeof(title), "holdfast watch: %zu session%s, %zu held",
		       roster_count(w->roster), roster_count(w->roster) == 1 ? "" : "s", n);
	screen_text(0, title, A_REVERSE);
	/* What is held before everything else, whatever the size. */
	room = (size_t)MAX(LINES - 3, 1);
	room = MIN(n, n > room / 2 ? MAX(room / 2, (size_t)3) : n);
	if (w->row >= room && room)
		first = w->row - room + 1;
	for (size_t i = 0; i < room; i++)
		draw_row(w, y++, first + i);
	if (y + SESSION_LINES + 3 <= LINES)
		y = draw_sessions(w, y);
	screen_text(y++,
		    watch_feed_is_brief(w->feed) ? "-- decisions, but what was simply allowed --"
						 : "-- decisions --",
		    A_DIM);
	for (int line = LINES - 2; line >= y; line--) {
		const char *text = watch_feed_line(w->feed, (size_t)(LINES - 2 - line));

		if (text)
			screen_text(line, text, A_NORMAL);
	}
	screen_text(LINES - 1, "Enter question  Up/Down choose  b brief  q quit", A_REVERSE);
	(void)refresh();
}

static void draw(struct watch *w)
{
	if (LINES < WATCH_MIN_LINES || COLS < WATCH_MIN_COLS) {
		/* Nothing can be answered that cannot be shown. */
		question_close(&w->question);
		(void)erase();
		screen_text(0, "holdfast: too small", A_NORMAL);
		(void)refresh();
	} else if (w->question.id[0]) {
		question_draw(&w->question, w->roster, clock_monotonic_ns());
	} else {
		draw_list(w);
	}
	w->is_dirty = false;
}

/* ---- keys */

static void list_key(struct watch *w, int key)
{
	size_t n = count_rows(w);

	switch (key) {
	case KEY_UP:
	case 'k':
		select_row(w, w->row ? w->row - 1 : 0);
		return;
	case KEY_DOWN:
	case 'j':
		select_row(w, n ? MIN(w->row + 1, n - 1) : 0);
		return;
	case '\r':
	case '\n':
	case KEY_ENTER:
		if (w->selected[0] && LINES >= WATCH_MIN_LINES && COLS >= WATCH_MIN_COLS)
			question_open(&w->question, w->selected);
		return;
	case 'b':
		watch_feed_set_brief(w->feed, !watch_feed_is_brief(w->feed));
		return;
	case 'q':
		w->is_over = true;
		return;
	default:
		return;
	}
}

static void on_keys(struct watch *w)
{
	int keys[KEYS_MAX], key;
	bool is_question = w->question.id[0] != '\0';
	size_t n = 0;

	/* All that waits, so that a paste is known as one. */
	while ((key = getch()) != ERR)
		if (key != KEY_RESIZE && n < KEYS_MAX)
			keys[n++] = key;
	w->is_dirty = true;
	if (n == 0)
		return;
	if (is_question) {
		if (!question_keys(&w->question, w->roster, keys, n, clock_monotonic_ns()))
			question_close(&w->question);
		return;
	}
	/* What follows an Enter in the same breath is not for the question that it opens. */
	for (size_t i = 0; i < n && !w->question.id[0] && !w->is_over; i++)
		list_key(w, keys[i]);
}

/* ---- the loop */

static void on_changed(void *arg)
{
	struct watch *w = arg;

	w->is_dirty = true;
}

static void on_answered(void *arg, const char *session, const struct control_request *q, int r,
			const json_t *reply)
{
	struct watch *w = arg;

	(void)session;
	question_answered(&w->question, q, r, reply);
	w->is_dirty = true;
}

/* --once: a question is always open, until there is none. */
static void do_once(struct watch *w)
{
	if (count_rows(w) == 0) {
		struct roster_session s = {};

		/* Not before it was asked. */
		if (roster_count(w->roster))
			roster_get(w->roster, 0, &s);
		w->is_over = roster_count(w->roster) == 0 || s.held || s.problem;
		return;
	}
	if (w->question.id[0] && !w->question.is_over)
		return;
	select_row(w, 0);
	question_open(&w->question, w->selected);
	w->is_dirty = true;
}

static void run(struct watch *w)
{
	struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN},
			       {.fd = roster_fd(w->roster), .events = POLLIN}};
	uint64_t drawn_ns = 0;

	while (!w->is_over) {
		uint64_t now_ns = clock_monotonic_ns();

		keep_selection(w);
		if (w->is_once)
			do_once(w);
		if (w->is_dirty || now_ns - drawn_ns >= NS_PER_SEC) {
			/* All of it, so that nothing that somebody else drew stays. */
			if (w->owns_terminal)
				(void)redrawwin(stdscr);
			draw(w);
			drawn_ns = now_ns;
		}
		(void)poll(fds, ARRAY_SIZE(fds), FEED_MS); /* EINTR: the window's size */
		if (fds[0].revents & (POLLHUP | POLLERR | POLLNVAL))
			return;
		on_keys(w);
		roster_dispatch(w->roster);
		if (watch_feed_read(w->feed, w->roster))
			w->is_dirty = true;
	}
}

/* Return: NULL after saying why not. */
static SCREEN *open_screen(void)
{
	const char *term = getenv("TERM");
	SCREEN *screen;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		say("`holdfast watch` needs a terminal; `holdfast held` lists what waits");
		return NULL;
	}
	screen = term && term[0] && !streq(term, "dumb") ? newterm(NULL, stdout, stdin) : NULL;
	if (!screen) {
		say("the terminal '%s' cannot show `holdfast watch`; `holdfast held` lists what waits",
		    term ? term : "");
		return NULL;
	}
	(void)cbreak();
	(void)noecho();
	(void)nonl();
	(void)nodelay(stdscr, TRUE);
	(void)keypad(stdscr, TRUE);
	(void)curs_set(0);
	(void)set_escdelay(25);
	return screen;
}

static int watch_all(struct watch *w, const char *session)
{
	const struct roster_config config = {
		.only = session, .changed = on_changed, .answered = on_answered, .arg = w};
	SCREEN *screen;
	int r = watch_feed_new(&w->feed);

	if (r == 0)
		r = roster_new(&config, &w->roster);
	if (r < 0) {
		say("cannot look for sessions: %s", strerror(-r));
		return 1;
	}
	if (session && roster_count(w->roster) == 0) {
		say("no session '%.100s' is running", session);
		return 1;
	}
	/* An agent of the same user could draw other questions over ours. */
	if (w->owns_terminal && ioctl(STDIN_FILENO, TIOCEXCL) < 0) {
		say("cannot have this terminal for ourselves: %s", strerror(errno));
		return 1;
	}
	screen = open_screen();
	if (!screen)
		return 1;
	run(w);
	(void)endwin();
	delscreen(screen);
	return 0;
}

int cmd_watch(int argc, char **argv)
{
	struct watch w = {.is_dirty = true};
	const struct option_row rows[] = {
		{"once", .flag = &w.is_once}, {"own-terminal", .flag = &w.owns_terminal}, {}};
	const struct options options = {.command = "watch", .usage = usage, .rows = rows};
	int status = options_read_operands(&options, argc, argv, 1);

	if (status)
		return status == OPTIONS_HELPED ? 0 : 2;
	/* For the terminal's own sequences; what is put on it is ASCII in any case. */
	(void)setlocale(LC_CTYPE, "");
	status = watch_all(&w, argv[optind]);
	question_close(&w.question);
	w.roster = roster_free(w.roster);
	w.feed = watch_feed_free(w.feed);
	return status;
}
