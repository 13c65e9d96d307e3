/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "base/clock.h"

#include "audit/show.h"
#include "audit/story.h"

#define STORY_OBJECT_MAX  ((size_t)400)
#define STORY_REASON_MAX  ((size_t)1000)
#define STORY_COMMAND_MAX ((size_t)300)

static void add_label(const char *label, struct strbuf *out)
{
	strbuf_add_fmt(out, "  %-11s ", label);
}

/* "  LABEL  the string at @key"; nothing when there is none. */
static void add_line(const char *label, const json_t *object, const char *key, size_t max,
		     struct strbuf *out)
{
	if (!json_is_string(json_object_get(object, key)))
		return;
	add_label(label, out);
	(void)show_string(object, key, max, out);
	strbuf_add_char(out, '\n');
}

static void add_title(const json_t *story, const json_t *record, struct strbuf *out)
{
	bool is_open = streq(reader_word(record, "event"), "held");

	if (is_open)
		strbuf_add_str(out, json_is_object(json_object_get(story, "answer"))
					    ? "held"
					    : "held, without an answer yet");
	else
		show_word(record, "verdict", 0, out);
	strbuf_add_str(out, ": ");
	show_word(record, "kind", 0, out);
	strbuf_add_char(out, ' ');
	show_word(record, "op", 0, out);
	strbuf_add_char(out, ' ');
	show_object(record, STORY_OBJECT_MAX, out);
	if (json_is_string(json_object_get(record, "object2"))) {
		strbuf_add_str(out, " -> ");
		(void)show_string(record, "object2", STORY_OBJECT_MAX, out);
	}
	strbuf_add_char(out, '\n');
}

static void add_when(const json_t *story, const json_t *record, struct strbuf *out)
{
	uint64_t time;

	add_label("when", out);
	if (clock_parse_rfc3339(reader_word(record, "time"), &time) == 0)
		show_date(time, out);
	strbuf_add_fmt(out, ", record %" PRIu64 " of session ", reader_u64(record, "seq"));
	(void)show_string(story, "session", STORY_OBJECT_MAX, out);
	strbuf_add_char(out, '\n');
}

static void add_result(const json_t *record, struct strbuf *out)
{
	static const struct {
		const char *word, *text;
	} results[] = {
		{"continued", "the kernel carried the call out"},
		{"performed", "Holdfast carried the call out"},
		{"refused", "the call failed"},
		{"gone", "the process had ended or was interrupted"},
		{"killed", "the process was killed before it could do anything"},
	};
	const char *result = reader_word(record, "result");

	for (size_t i = 0; i < ARRAY_SIZE(results); i++) {
		if (!streq(result, results[i].word))
			continue;
		add_label("result", out);
		strbuf_add_str(out, results[i].text);
		if (json_is_string(json_object_get(record, "errno"))) {
			strbuf_add_str(out, " with ");
			show_word(record, "errno", 0, out);
		}
		strbuf_add_str(out, ", after ");
		show_duration(reader_u64(record, "latency_ns"), out);
		strbuf_add_char(out, '\n');
	}
}

static void add_process(const json_t *process, const char *label, struct strbuf *out)
{
	const json_t *commands = json_object_get(process, "commands");
	const json_t *last = json_array_get(commands, json_array_size(commands) - 1);

	add_label(label, out);
	strbuf_add_fmt(out, "%" PRIu64 "  ", reader_u64(process, "pid"));
	if (!show_string(last, "command", STORY_COMMAND_MAX, out) &&
	    !show_string(process, "exe", STORY_COMMAND_MAX, out)) {
		if (show_string(process, "comm", STORY_COMMAND_MAX, out))
			strbuf_add_char(out, ' ');
		strbuf_add_str(out, "(no record of its own)");
	}
	if (json_is_string(json_object_get(process, "exe"))) {
		strbuf_add_str(out, "  [");
		(void)show_string(process, "exe", STORY_COMMAND_MAX, out);
		strbuf_add_char(out, ']');
	}
	strbuf_add_char(out, '\n');
}

static void add_ancestry(const json_t *story, struct strbuf *out)
{
	const json_t *list = json_object_get(story, "ancestry");
	size_t n = json_array_size(list);

	for (size_t i = 0; i < n; i++)
		add_process(json_array_get(list, i), i ? "started by" : "process", out);
	if (!json_array_size(json_object_get(story, "command")))
		return;
	add_label("in", out);
	strbuf_add_str(out, "the session of ");
	show_words(story, "command", 0, STORY_COMMAND_MAX, out);
	strbuf_add_char(out, '\n');
}

/* ---- the rule */

static void add_rule(const json_t *story, const json_t *record, struct strbuf *out)
{
	const json_t *source = json_object_get(story, "source");
	bool has_policy = json_is_string(json_object_get(record, "policy"));

	add_label("decided by", out);
	if (json_string_length(json_object_get(record, "rule"))) {
		strbuf_add_str(out, "rule '");
		(void)show_string(record, "rule", STORY_OBJECT_MAX, out);
		strbuf_add_str(out, "' of '");
		(void)show_string(record, "policy", STORY_OBJECT_MAX, out);
		strbuf_add_char(out, '\'');
	} else if (has_policy) {
		strbuf_add_str(out, "the default of '");
		(void)show_string(record, "policy", STORY_OBJECT_MAX, out);
		strbuf_add_char(out, '\'');
	} else {
		strbuf_add_str(out, "Holdfast itself");
	}
	if (json_is_string(json_object_get(source, "file"))) {
		strbuf_add_str(out, ", ");
		(void)show_string(source, "file", STORY_OBJECT_MAX, out);
		if (reader_u64(source, "line"))
			strbuf_add_fmt(out, ":%" PRIu64, reader_u64(source, "line"));
	}
	strbuf_add_char(out, '\n');
	if (!streq(reader_word(record, "verdict"), reader_word(record, "would_have")) &&
	    !json_is_string(json_object_get(record, "held")))
		add_line("would have", record, "would_have", STORY_OBJECT_MAX, out);
	add_line("reason", record, "reason", STORY_REASON_MAX, out);
	add_line("instead", record, "suggest", STORY_REASON_MAX, out);
	add_line("policy", source, "note", STORY_REASON_MAX, out);
}

static void add_rule_text(const json_t *story, struct strbuf *out)
{
	const json_t *lines = json_object_get(json_object_get(story, "source"), "text");

	if (json_array_size(lines))
		strbuf_add_str(out, "\nthe rule\n");
	for (size_t i = 0; i < json_array_size(lines); i++) {
		json_t *line = json_object();

		(void)json_object_set(line, "text", json_array_get(lines, i));
		strbuf_add_str(out, "  ");
		(void)show_string(line, "text", STORY_REASON_MAX, out);
		strbuf_add_char(out, '\n');
		json_decref(line);
	}
}

/* ---- the hold */

static void add_hold(const json_t *story, struct strbuf *out)
{
	const json_t *hold = json_object_get(story, "hold");
	const json_t *answer = json_object_get(story, "answer");
	const json_t *known = json_is_object(hold) ? hold : answer;

	if (!json_is_object(known))
		return;
	strbuf_add_str(out, "\nheld as ");
	(void)show_string(known, "held", STORY_OBJECT_MAX, out);
	if (json_is_object(hold))
		strbuf_add_fmt(out, " (record %" PRIu64 ")", reader_u64(hold, "seq"));
	strbuf_add_char(out, '\n');
	if (json_is_object(hold) && json_is_object(answer))
		add_line("asked for", hold, "reason", STORY_REASON_MAX, out);
	add_label("answer", out);
	if (json_is_object(answer)) {
		show_hold_end(answer, out);
		strbuf_add_str(out, " after ");
		show_duration(reader_u64(answer, "latency_ns"), out);
		strbuf_add_fmt(out, " (record %" PRIu64 ")\n", reader_u64(answer, "seq"));
	} else {
		strbuf_add_str(out, "none in the log\n");
	}
}

/* ---- what else */

static void add_records(const json_t *list, const char *title, struct strbuf *out)
{
	const struct show_style style = {};

	if (json_array_size(list))
		strbuf_add_fmt(out, "\n%s\n", title);
	for (size_t i = 0; i < json_array_size(list); i++) {
		struct reader_line line = {.root = json_array_get(list, i)};

		(void)clock_parse_rfc3339(reader_word(line.root, "time"), &line.time_ns);
		strbuf_add_fmt(out, "  #%-6" PRIu64 " ", reader_u64(line.root, "seq"));
		show_line(&line, &style, out);
	}
}

static void add_same(const json_t *story, struct strbuf *out)
{
	const json_t *same = json_object_get(story, "same");
	uint64_t total = reader_u64(same, "total"), by_rule = reader_u64(same, "by_rule");

	strbuf_add_str(out, "\nhow often\n");
	add_label("the same", out);
	if (total > 1)
		strbuf_add_fmt(out,
			       "%" PRIu64 " times in this session, %" PRIu64 " of them before\n",
			       total, reader_u64(same, "before"));
	else
		strbuf_add_str(out, "only this once in this session\n");
	if (by_rule) {
		add_label("the rule", out);
		strbuf_add_fmt(out, "decided %" PRIu64 " action%s\n", by_rule,
			       by_rule == 1 ? "" : "s");
	}
}

void story_show(const json_t *story, struct strbuf *out)
{
	const json_t *record = json_object_get(story, "record");

	add_title(story, record, out);
	add_when(story, record, out);
	add_line("asked as", record, "asked", STORY_OBJECT_MAX, out);
	add_line("listens", record, "listener", STORY_OBJECT_MAX, out);
	add_line("directory", record, "cwd", STORY_OBJECT_MAX, out);
	add_ancestry(story, out);
	add_rule(story, record, out);
	add_result(record, out);
	add_hold(story, out);
	add_rule_text(story, out);
	add_records(json_object_get(story, "before"), "before it, the same process", out);
	add_records(json_object_get(story, "after"), "after it", out);
	add_same(story, out);
}
