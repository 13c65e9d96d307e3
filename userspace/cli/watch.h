/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `holdfast watch`, inside. Two views: the list (sessions, what is held, decisions flowing by),
 * which answers nothing, and the question (all of one held action), which does. A key counts there
 * only when it was meant for what is on the screen:
 *
 * - the question has been whole on the screen, or was read to its end;
 * - nothing was typed in the WATCH_SETTLE_NS since it was drawn (what is typed begins that anew);
 * - it came alone: several keys at once are a paste, or meant for something else;
 * - it is about the action that it was drawn for; when that has ended, keys lead back to the list.
 *
 * An answer that is wider than what waits now wants its duration typed as a word.
 *
 * All text on the screen is ASCII: what comes from sessions and logs is escaped (base/escape.h).
 */
#pragma once

#include "base/clock.h"
#include "broker/roster.h"

#define WATCH_SETTLE_NS  (300 * NS_PER_MSEC)
#define WATCH_TEXT_MAX   ((size_t)128 * 1024)
#define WATCH_MIN_LINES  8
#define WATCH_MIN_COLS   30
#define WATCH_INPUT_MAX  200 /* bytes typed for a reason or a word */
#define WATCH_FEED_LINES 200

/* ---- the decisions that flow by */

struct watch_feed;

int watch_feed_new(struct watch_feed **ret) _must_check_;
struct watch_feed *watch_feed_free(struct watch_feed *f);
/* Reads what was written to the logs of the sessions in @r since the last call. Return: whether
 * there was something. */
bool watch_feed_read(struct watch_feed *f, const struct roster *r);
/* The newest is 0. NULL: there are not so many. */
const char *watch_feed_line(const struct watch_feed *f, size_t i);
/* Only what was not simply allowed. */
void watch_feed_set_brief(struct watch_feed *f, bool is_brief);
bool watch_feed_is_brief(const struct watch_feed *f);

/* ---- the question */

enum question_mode {
	QUESTION_KEYS,
	QUESTION_REASON, /* typing a reason */
	QUESTION_WORD,   /* typing the word that a wider answer wants */
};

struct question {
	char id[HELD_ID_SIZE]; /* "": none is open */
	bool is_over;          /* it was answered here or elsewhere, or has ended */
	bool was_sent;         /* an answer is on its way */
	uint64_t drawn_ns;     /* the last time when nothing had been typed; 0: not drawn yet */
	size_t top;            /* the first line of the text that is shown */
	size_t max_top;        /* more would show nothing else */
	bool was_read;         /* its end has been on the screen */
	enum question_mode mode;
	bool is_approval; /* of the answer that waits for its word */
	size_t scope;     /* in the entry's "answers" */
	size_t term;      /* in the table of terms */
	bool is_rest;
	char input[WATCH_INPUT_MAX + 1];
	char reason[WATCH_INPUT_MAX + 1];
	char message[512]; /* what came of a key, or of an answer; clean ASCII */
	struct strbuf text;
};

void question_open(struct question *q, const char *id);
void question_close(struct question *q);
/* Draws it. @r may not hold it any more. */
void question_draw(struct question *q, const struct roster *r, uint64_t now_ns);
/* @keys: all that were waiting. Return: false: back to the list. */
bool question_keys(struct question *q, struct roster *r, const int *keys, size_t n,
		   uint64_t now_ns);
/* What came of an answer. */
void question_answered(struct question *q, const struct control_request *request, int r,
		       const json_t *reply);

/* ---- drawing */

/* Puts clean ASCII into line @y, cut to the screen's width and filled up; @attributes of curses. */
void screen_line(int y, const char *text, size_t len, unsigned attributes);
void screen_text(int y, const char *text, unsigned attributes);
/*
 * Calls @fn for each line that @text takes in @width columns, without the newline, until it returns
 * false. Return: how many there were.
 */
size_t screen_wrap(const char *text, size_t width,
		   bool (*fn)(size_t number, const char *line, size_t len, void *arg), void *arg);
