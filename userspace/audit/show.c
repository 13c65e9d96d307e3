/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/escape.h"

#include "audit/show.h"

#define SHOW_OBJECT_MAX ((size_t)240)
#define SHOW_REASON_MAX ((size_t)400)
#define SHOW_NAME_MAX   ((size_t)80)
#define SHOW_WORD_MAX   ((size_t)16)

#define COLOUR_RED    "\033[31m"
#define COLOUR_GREEN  "\033[32m"
#define COLOUR_YELLOW "\033[33m"
#define COLOUR_CYAN   "\033[36m"
#define COLOUR_BOLD   "\033[1m"
#define COLOUR_OFF    "\033[0m"

static const struct {
	const char *word; /* what the record says */
	const char *show;
	const char *colour;
} tags[] = {
	{"allow", "allow", COLOUR_GREEN},    {"flag", "flag", COLOUR_YELLOW},
	{"ask", "ask", COLOUR_CYAN},         {"deny", "deny", COLOUR_RED},
	{"held", "held", COLOUR_CYAN},       {"notice", "note", COLOUR_YELLOW},
	{"kernel", "kernel", COLOUR_BOLD},   {"session_start", "start", COLOUR_BOLD},
	{"session_end", "end", COLOUR_BOLD},
};

/* Ends of a hold that no person made. */
static const struct {
	const char *approver;
	const char *show;
} hold_ends[] = {
	{"timeout", "nobody answered in time"},
	{"signal", "interrupted by a signal"},
	{"exit", "the process had ended"},
	{"shutdown", "the session had ended"},
};

static void local_time(uint64_t realtime_ns, struct tm *ret)
{
	time_t sec = (time_t)(realtime_ns / NS_PER_SEC);

	(void)localtime_r(&sec, ret);
}

void show_date(uint64_t realtime_ns, struct strbuf *out)
{
	char text[32];
	struct tm tm;

	local_time(realtime_ns, &tm);
	(void)strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	strbuf_add_str(out, text);
}

static void add_clock(uint64_t realtime_ns, struct strbuf *out)
{
	struct tm tm;

	local_time(realtime_ns, &tm);
	strbuf_add_fmt(out, "%02d:%02d:%02d.%03u ", tm.tm_hour, tm.tm_min, tm.tm_sec,
		       (unsigned int)(realtime_ns % NS_PER_SEC / NS_PER_MSEC));
}

void show_duration(uint64_t ns, struct strbuf *out)
{
	uint64_t ms = ns / NS_PER_MSEC, s = ns / NS_PER_SEC;

	if (s < 1)
		strbuf_add_fmt(out, "%" PRIu64 "ms", ms);
	else if (s < 60)
		strbuf_add_fmt(out, "%" PRIu64 ".%" PRIu64 "s", s, ms % 1000 / 100);
	else if (s < 3600)
		strbuf_add_fmt(out, "%" PRIu64 "m %02" PRIu64 "s", s / 60, s % 60);
	else
		strbuf_add_fmt(out, "%" PRIu64 "h %02" PRIu64 "m", s / 3600, s % 3600 / 60);
}

bool show_string(const json_t *object, const char *key, size_t max, struct strbuf *out)
{
	struct strbuf raw = STRBUF_INIT(READER_LINE_MAX);
	bool found;

	found = reader_string(object, key, &raw);
	if (found)
		escape_terminal_max(out, strbuf_bytes(&raw), max);
	strbuf_fini(&raw);
	return found;
}

void show_word(const json_t *object, const char *key, size_t width, struct strbuf *out)
{
	size_t start = out->len;

	/* A log can be anybody's, so not even our own words are taken as they are. */
	(void)show_string(object, key, SHOW_WORD_MAX, out);
	while (strbuf_error(out) == 0 && out->len - start < width)
		strbuf_add_char(out, ' ');
}

void show_words(const json_t *object, const char *key, size_t first, size_t max, struct strbuf *out)
{
	const json_t *array = json_object_get(object, key);
	struct strbuf raw = STRBUF_INIT(READER_LINE_MAX);

	for (size_t i = first; i < json_array_size(array); i++) {
		if (i > first)
			strbuf_add_char(&raw, ' ');
		reader_decode(json_array_get(array, i), &raw);
	}
	escape_terminal_max(out, strbuf_bytes(&raw), max);
	strbuf_fini(&raw);
}

void show_hold_end(const json_t *object, struct strbuf *out)
{
	bool is_denied = streq(reader_word(object, "verdict"), "deny");
	const char *approver = reader_word(object, "approver");

	for (size_t i = 0; is_denied && i < ARRAY_SIZE(hold_ends); i++)
		if (streq(approver, hold_ends[i].approver)) {
			strbuf_add_str(out, hold_ends[i].show);
			return;
		}
	strbuf_add_str(out, is_denied ? "denied by " : "approved by ");
	if (!show_string(object, "approver", SHOW_NAME_MAX, out))
		strbuf_add_str(out, "somebody");
}

static void add_tag(const char *word, const struct show_style *style, struct strbuf *out)
{
	const char *show = "?", *colour = "";

	for (size_t i = 0; i < ARRAY_SIZE(tags); i++)
		if (streq(word, tags[i].word)) {
			show = tags[i].show;
			colour = tags[i].colour;
		}
	if (style->has_colour)
		strbuf_add_fmt(out, "%s%-5s" COLOUR_OFF "  ", colour, show);
	else
		strbuf_add_fmt(out, "%-5s  ", show);
}

void show_object(const json_t *object, size_t max, struct strbuf *out)
{
	if (!show_string(object, "object", max, out) && !show_string(object, "asked", max, out))
		strbuf_add_char(out, '?');
	if (json_array_size(json_object_get(object, "argv")) > 1) {
		strbuf_add_char(out, ' ');
		show_words(object, "argv", 1, max, out);
	}
}

static void add_object(const json_t *root, struct strbuf *out)
{
	show_word(root, "kind", 7, out);
	strbuf_add_char(out, ' ');
	show_word(root, "op", 8, out);
	strbuf_add_char(out, ' ');
	show_object(root, SHOW_OBJECT_MAX, out);
	if (json_is_string(json_object_get(root, "object2"))) {
		strbuf_add_str(out, " -> ");
		(void)show_string(root, "object2", SHOW_OBJECT_MAX, out);
	}
}

static void add_process(const json_t *root, struct strbuf *out)
{
	struct strbuf exe = STRBUF_INIT(READER_LINE_MAX);

	strbuf_add_str(out, "  [");
	if (reader_string(root, "exe", &exe)) {
		escape_terminal_max(out, bytes_base_name(strbuf_bytes(&exe)), SHOW_NAME_MAX);
		strbuf_add_char(out, ' ');
	}
	strbuf_fini(&exe);
	strbuf_add_fmt(out, "%" PRIu64 "]", reader_u64(root, "pid"));
}

static void add_source(const json_t *root, struct strbuf *out)
{
	bool has_rule = json_is_string(json_object_get(root, "rule"));

	if (has_rule) {
		strbuf_add_str(out, "  rule '");
		(void)show_string(root, "rule", SHOW_NAME_MAX, out);
		strbuf_add_char(out, '\'');
	}
	if (json_is_string(json_object_get(root, "policy"))) {
		strbuf_add_str(out, has_rule ? " of '" : "  default of '");
		(void)show_string(root, "policy", SHOW_NAME_MAX, out);
		strbuf_add_char(out, '\'');
	}
	if (json_is_string(json_object_get(root, "reason"))) {
		strbuf_add_str(out, ": ");
		(void)show_string(root, "reason", SHOW_REASON_MAX, out);
	}
	if (json_is_string(json_object_get(root, "suggest"))) {
		strbuf_add_str(out, "; instead: ");
		(void)show_string(root, "suggest", SHOW_REASON_MAX, out);
	}
}

static void show_action(const json_t *root, const struct show_style *style, struct strbuf *out)
{
	const char *verdict = reader_word(root, "verdict");
	const char *would_have = reader_word(root, "would_have");
	bool was_held = json_is_string(json_object_get(root, "held"));

	add_tag(verdict, style, out);
	add_object(root, out);
	add_process(root, out);
	if (was_held) {
		strbuf_add_str(out, "  held ");
		(void)show_string(root, "held", SHOW_NAME_MAX, out);
		strbuf_add_str(out, " for ");
		show_duration(reader_u64(root, "latency_ns"), out);
		strbuf_add_str(out, ", ");
		show_hold_end(root, out);
	} else if (!streq(verdict, would_have)) {
		strbuf_add_str(out, "  would have: ");
		show_word(root, "would_have", 0, out);
		if (json_is_string(json_object_get(root, "approver"))) {
			strbuf_add_str(out, ", ");
			(void)show_string(root, "approver", SHOW_NAME_MAX, out);
		}
	}
	if (!streq(verdict, "allow") || !streq(would_have, "allow"))
		add_source(root, out);
}

static void show_held(const json_t *root, const struct show_style *style, struct strbuf *out)
{
	add_tag("held", style, out);
	add_object(root, out);
	add_process(root, out);
	strbuf_add_str(out, "  waits as ");
	(void)show_string(root, "held", SHOW_NAME_MAX, out);
	add_source(root, out);
}

static void show_start(const json_t *root, const struct show_style *style, struct strbuf *out)
{
	add_tag("session_start", style, out);
	strbuf_add_str(out, "session ");
	(void)show_string(root, "session", SHOW_NAME_MAX, out);
	strbuf_add_str(out, ", agent ");
	(void)show_string(root, "agent", SHOW_NAME_MAX, out);
	strbuf_add_str(out, ": ");
	show_words(root, "command", 0, SHOW_OBJECT_MAX, out);
}

static void show_end(const json_t *root, const struct show_style *style, struct strbuf *out)
{
	const json_t *counts = json_object_get(root, "counts");

	add_tag("session_end", style, out);
	if (json_is_integer(json_object_get(root, "exit")))
		strbuf_add_fmt(out, "exit %" PRIu64, reader_u64(root, "exit"));
	else if (json_is_integer(json_object_get(root, "signal")))
		strbuf_add_fmt(out, "signal %" PRIu64, reader_u64(root, "signal"));
	else
		strbuf_add_str(out, "exit unknown");
	strbuf_add_str(out, " after ");
	show_duration(reader_u64(root, "duration_ns"), out);
	strbuf_add_fmt(out, ", %" PRIu64 " actions, %" PRIu64 " denied",
		       reader_u64(counts, "total"),
		       reader_u64(json_object_get(counts, "by_verdict"), "deny"));
}

static void show_other(const json_t *root, const struct show_style *style, struct strbuf *out)
{
	add_tag("notice", style, out);
	if (!show_string(root, "note", SHOW_REASON_MAX, out))
		(void)show_string(root, "event", SHOW_NAME_MAX, out);
}

/* The single processes are in the JSON, and what each did stands beside. */
static void show_processes(const json_t *root, const struct show_style *style, struct strbuf *out)
{
	static const char *const whats[] = {"fork", "exec", "exit"};
	unsigned counts[ARRAY_SIZE(whats)] = {};
	const json_t *event;
	size_t index;

	json_array_foreach(json_object_get(root, "list"), index, event)
	{
		for (size_t i = 0; i < ARRAY_SIZE(whats); i++)
			counts[i] += streq(reader_word(event, "what"), whats[i]);
	}
	add_tag("kernel", style, out);
	strbuf_add_fmt(out, "processes: %u began, %u executed, %u ended", counts[0], counts[1],
		       counts[2]);
}

static void show_lost(const json_t *root, const struct show_style *style, struct strbuf *out)
{
	add_tag("kernel", style, out);
	strbuf_add_fmt(out,
		       "lost: of processes that began %" PRIu64 ", executed %" PRIu64
		       ", ended %" PRIu64 "; not seen at all %" PRIu64,
		       reader_u64(root, "fork"), reader_u64(root, "exec"), reader_u64(root, "exit"),
		       reader_u64(root, "unmarked"));
}

static const struct {
	const char *event;
	void (*show)(const json_t *root, const struct show_style *style, struct strbuf *out);
} events[] = {
	{"action", show_action}, {"held", show_held},           {"processes", show_processes},
	{"lost", show_lost},     {"session_start", show_start}, {"session_end", show_end},
};

void show_line(const struct reader_line *line, const struct show_style *style, struct strbuf *out)
{
	const char *event = reader_word(line->root, "event");
	void (*show)(const json_t *, const struct show_style *, struct strbuf *) = show_other;

	for (size_t i = 0; i < ARRAY_SIZE(events); i++)
		if (streq(event, events[i].event))
			show = events[i].show;
	add_clock(line->time_ns, out);
	show(line->root, style, out);
	strbuf_add_char(out, '\n');
}
