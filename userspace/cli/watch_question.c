/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <curses.h>
#include <stdio.h>

#include "base/escape.h"

#include "broker/held_text.h"
#include "cli/watch.h"

#define FOOT_LINES 5 /* what the answer covers (2), the message or the input, the keys (2) */
#define KEY_ESCAPE 27
#define KEY_DELETE 127

static const struct {
	struct answer_term term;
	const char *word; /* what has to be typed for it */
	const char *said;
} terms[] = {
	{{.life = ANSWER_ONCE}, NULL, "once"},
	{{.life = ANSWER_DURATION, .duration_ns = 30 * NS_PER_SEC}, "30s", "for 30 seconds"},
	{{.life = ANSWER_DURATION, .duration_ns = 600 * NS_PER_SEC}, "10m", "for 10 minutes"},
	{{.life = ANSWER_DURATION, .duration_ns = 3600 * NS_PER_SEC}, "1h", "for an hour"},
	{{.life = ANSWER_DURATION, .duration_ns = 12 * 3600 * NS_PER_SEC}, "12h", "for 12 hours"},
	{{.life = ANSWER_SESSION}, "session", "to the end of this session"},
	{{.life = ANSWER_RESTART}, "restart", "until the machine is started anew"},
	{{.life = ANSWER_ALWAYS}, "always", "always, until it is revoked"},
};

void question_open(struct question *q, const char *id)
{
	question_close(q);
	(void)snprintf(q->id, sizeof(q->id), "%s", id);
	q->text = STRBUF_INIT(WATCH_TEXT_MAX);
}

void question_close(struct question *q)
{
	strbuf_fini(&q->text);
	*q = (struct question){};
}

/* ---- drawing */

struct drawing {
	size_t top, room;
};

static bool draw_line(size_t number, const char *line, size_t len, void *arg)
{
	struct drawing *d = arg;

	if (number < d->top)
		return true;
	if (number < d->top + d->room)
		screen_line((int)(number - d->top) + 1, line, len, A_NORMAL);
	return true;
}

static bool has_answers(const json_t *entry)
{
	return json_array_size(json_object_get(entry, "answers")) > 0;
}

/* In words what the answer would cover: the session's, which would make the grant of them. */
static void describe_answer(const struct question *q, const json_t *entry, struct strbuf *out)
{
	const json_t *a = json_array_get(json_object_get(entry, "answers"), q->scope);
	const char *covers = json_string_value(json_object_get(a, "covers"));
	uint64_t waiting = (uint64_t)json_integer_value(json_object_get(entry, "waiting"));

	strbuf_add_str(out, "An answer covers: ");
	if (q->term == 0) {
		strbuf_add_str(out, "what waits now, once");
		if (waiting > 1)
			strbuf_add_fmt(out, " (%llu equal actions)", (unsigned long long)waiting);
	} else {
		const char *scope = json_string_value(json_object_get(a, "scope"));

		escape_terminal_max(out, bytes_of(covers ? covers : "?"), 600);
		strbuf_add_fmt(out, " -- %s", terms[q->term].said);
		strbuf_add_str(out, " [");
		escape_terminal_max(out, bytes_of(scope ? scope : "?"), 20);
		strbuf_add_str(out, "]");
	}
	if (q->is_rest)
		strbuf_add_str(out, "; and all else that waits under this rule, once");
}

static bool draw_cover(size_t number, const char *line, size_t len, void *arg)
{
	const int *y = arg;

	if (number < 2)
		screen_line(*y + (int)number, line, len, A_BOLD);
	return number < 2;
}

static void draw_foot(struct question *q, const json_t *entry)
{
	_cleanup_(strbuf_fini) struct strbuf cover = STRBUF_INIT(WATCH_TEXT_MAX);
	_cleanup_(strbuf_fini) struct strbuf line = STRBUF_INIT(WATCH_TEXT_MAX);
	int y = LINES - FOOT_LINES;

	if (entry)
		describe_answer(q, entry, &cover);
	(void)screen_wrap(strbuf_str(&cover), (size_t)COLS, draw_cover, &y);
	if (q->mode == QUESTION_REASON)
		strbuf_add_str(&line, "Reason: ");
	else if (q->mode == QUESTION_WORD)
		strbuf_add_fmt(&line,
			       "%s %s: type %s and Enter: ", q->is_approval ? "Allow" : "Deny",
			       terms[q->term].said, terms[q->term].word);
	if (q->mode == QUESTION_KEYS)
		strbuf_add_str(&line, q->message);
	else
		escape_terminal(&line, bytes_of(q->input));
	screen_text(LINES - 3, strbuf_str(&line), A_BOLD);
	if (q->is_over || !entry) {
		screen_text(LINES - 2, "any key  back to the list", A_REVERSE);
		return;
	}
	screen_text(LINES - 2, "a allow  d deny  r reason  o rest alike  Esc back", A_REVERSE);
	screen_text(LINES - 1,
		    has_answers(entry) ? "t for how long  s how much  Up/Down read on"
				       : "only once can be given  Up/Down read on",
		    A_REVERSE);
}

static void make_text(struct question *q, const struct roster *r, const json_t *entry, size_t i)
{
	struct roster_session s;

	roster_get(r, i, &s);
	strbuf_reset(&q->text);
	held_text_entry(entry, s.status, false, &q->text);
}

void question_draw(struct question *q, const struct roster *r, uint64_t now_ns)
{
	struct drawing d = {.top = q->top, .room = (size_t)MAX(LINES - FOOT_LINES - 1, 1)};
	size_t session = 0, n;
	const json_t *entry = roster_find(r, q->id, &session);

	if (entry)
		make_text(q, r, entry, session);
	else if (!q->is_over) {
		q->is_over = true;
		if (!q->was_sent)
			(void)snprintf(q->message, sizeof(q->message),
				       "It was answered elsewhere, or has ended.");
	}
	(void)erase();
	n = screen_wrap(strbuf_str(&q->text), (size_t)COLS, draw_line, &d);
	q->max_top = n > d.room ? n - d.room : 0;
	if (q->top > q->max_top) { /* the window has grown */
		q->top = q->max_top;
		d.top = q->top;
		(void)screen_wrap(strbuf_str(&q->text), (size_t)COLS, draw_line, &d);
	}
	q->was_read = q->was_read || q->top == q->max_top;
	screen_text(0, q->was_read ? "holdfast: a question" : "holdfast: a question; read on: Down",
		    A_REVERSE);
	draw_foot(q, entry);
	(void)refresh();
	if (!q->drawn_ns)
		q->drawn_ns = now_ns;
}

/* ---- answering */

static void tell(struct question *q, const char *message)
{
	(void)snprintf(q->message, sizeof(q->message), "%s", message);
}

static void send_answer(struct question *q, struct roster *r, const json_t *entry)
{
	struct control_request request = {.op = q->is_approval ? CONTROL_APPROVE : CONTROL_DENY,
					  .rest = q->is_rest,
					  .reason_len = strlen(q->reason)};
	const json_t *a = json_array_get(json_object_get(entry, "answers"), q->scope);
	const char *scope = json_string_value(json_object_get(a, "scope"));

	memcpy(request.id, q->id, sizeof(request.id));
	memcpy(request.reason, q->reason, request.reason_len);
	request.term = terms[q->term].term;
	if (q->term != 0 && (!scope || answer_scope_parse(bytes_of(scope), &request.scope) < 0)) {
		tell(q, "This cannot be given for longer than once.");
		return;
	}
	if (roster_answer(r, &request) < 0) {
		tell(q, "It was answered elsewhere, or has ended.");
		return;
	}
	q->was_sent = true;
	tell(q, "...");
}

void question_answered(struct question *q, const struct control_request *request, int r,
		       const json_t *reply)
{
	const char *message = json_string_value(json_object_get(reply, "message"));
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(WATCH_TEXT_MAX);
	json_int_t missing = json_integer_value(json_object_get(reply, "missing"));

	if (!streq(q->id, request->id))
		return;
	q->was_sent = r == 0;
	q->is_over = r == 0 && missing == 0;
	if (r == 0 && missing)
		strbuf_add_fmt(&text, "Counted; %lld more must approve.", (long long)missing);
	else if (r == 0)
		strbuf_add_str(&text, request->op == CONTROL_APPROVE ? "Allowed." : "Denied.");
	else
		escape_terminal_max(
			&text, bytes_of(message ? message : strerror(r < 0 ? -r : EPROTO)), 400);
	tell(q, strbuf_str(&text));
}

static void begin_answer(struct question *q, struct roster *r, const json_t *entry,
			 bool is_approval)
{
	if (q->was_sent)
		return;
	if (!q->was_read) {
		tell(q, "Read to its end first: Down.");
		return;
	}
	q->is_approval = is_approval;
	if (q->term == 0) {
		send_answer(q, r, entry);
		return;
	}
	q->mode = QUESTION_WORD;
	q->input[0] = '\0';
}

static void end_input(struct question *q, struct roster *r, const json_t *entry)
{
	enum question_mode mode = q->mode;

	q->mode = QUESTION_KEYS;
	if (mode == QUESTION_REASON)
		(void)snprintf(q->reason, sizeof(q->reason), "%s", q->input);
	else if (streq(q->input, terms[q->term].word))
		send_answer(q, r, entry);
	else
		tell(q, "Not that word: nothing was answered.");
}

static void input_key(struct question *q, struct roster *r, const json_t *entry, int key)
{
	size_t len = strlen(q->input);

	if (key == '\r' || key == '\n' || key == KEY_ENTER) {
		end_input(q, r, entry);
	} else if (key == KEY_ESCAPE) {
		q->mode = QUESTION_KEYS;
	} else if ((key == KEY_BACKSPACE || key == KEY_DELETE || key == '\b') && len) {
		q->input[len - 1] = '\0';
	} else if (key >= ' ' && key < 256 && key != KEY_DELETE && len < WATCH_INPUT_MAX) {
		q->input[len] = (char)key;
		q->input[len + 1] = '\0';
	}
}

static void next_term(struct question *q, const json_t *entry)
{
	const char *word = json_string_value(json_object_get(entry, "max_duration"));
	struct answer_term max;

	if (!has_answers(entry)) {
		tell(q, "This can be answered once only.");
		return;
	}
	do {
		q->term = (q->term + 1) % ARRAY_SIZE(terms);
	} while (q->term && word && answer_term_parse(bytes_of(word), &max) == 0 &&
		 !answer_term_is_within(&terms[q->term].term, &max));
	if (!q->term)
		q->scope = 0;
}

static void next_scope(struct question *q, const json_t *entry)
{
	if (!q->term) {
		tell(q, "First for how long: t. What waits now is one action.");
		return;
	}
	q->scope =
		(q->scope + 1) % MAX(json_array_size(json_object_get(entry, "answers")), (size_t)1);
}

static size_t page_of_lines(void)
{
	return (size_t)MAX(LINES - FOOT_LINES - 2, 1);
}

/* Return: false: back. */
static bool command_key(struct question *q, struct roster *r, const json_t *entry, int key)
{
	q->message[0] = '\0';
	switch (key) {
	case 'a':
	case 'd':
		begin_answer(q, r, entry, key == 'a');
		return true;
	case 't':
		next_term(q, entry);
		return true;
	case 's':
		next_scope(q, entry);
		return true;
	case 'o':
		q->is_rest = !q->is_rest;
		return true;
	case 'r':
		q->mode = QUESTION_REASON;
		(void)snprintf(q->input, sizeof(q->input), "%s", q->reason);
		return true;
	case KEY_DOWN:
	case KEY_NPAGE:
	case ' ':
		q->top = MIN(q->top + (key == KEY_DOWN ? 1 : page_of_lines()), q->max_top);
		return true;
	case KEY_UP:
	case KEY_PPAGE:
		q->top -= MIN(q->top, key == KEY_UP ? 1 : page_of_lines());
		return true;
	case KEY_ESCAPE:
	case 'q':
		return false;
	default:
		return true;
	}
}

bool question_keys(struct question *q, struct roster *r, const int *keys, size_t n, uint64_t now_ns)
{
	size_t session;
	const json_t *entry = roster_find(r, q->id, &session);

	/* What is typed before there was time to see the question was meant for something else. */
	if (!q->drawn_ns || now_ns - q->drawn_ns < WATCH_SETTLE_NS) {
		q->drawn_ns = now_ns;
		return true;
	}
	if (q->is_over || !entry)
		return false;
	if (q->mode != QUESTION_KEYS) {
		for (size_t i = 0; i < n && q->mode != QUESTION_KEYS; i++)
			input_key(q, r, entry, keys[i]);
		return true;
	}
	if (n > 1) {
		tell(q, "Several keys at once: not taken as an answer.");
		return true;
	}
	return command_key(q, r, entry, keys[0]);
}
