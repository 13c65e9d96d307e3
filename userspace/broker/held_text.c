/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "base/escape.h"
#include "control/shown.h"

#include "broker/held_text.h"

#define SHOW_COMMAND_BYTES 1500
#define SHOW_STRING_BYTES  400
#define LINE_MAX_BYTES     ((size_t)64 * 1024)

static uint64_t get_u64(const json_t *o, const char *key)
{
	json_int_t v = json_integer_value(json_object_get(o, key));

	return v > 0 ? (uint64_t)v : 0;
}

static void add_row(struct strbuf *out, const char *label, const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	if (!json_is_string(v) || json_string_length(v) == 0)
		return;
	strbuf_add_fmt(out, "  %-8s ", label);
	shown_add(out, o, key, SHOW_STRING_BYTES);
	strbuf_add_char(out, '\n');
}

/* Which the session asked the DNS for, and was led here by. */
static void add_names(struct strbuf *out, const json_t *o)
{
	const json_t *names = json_object_get(o, "names");

	for (size_t i = 0; i < json_array_size(names); i++) {
		strbuf_add_fmt(out, "  %-8s ", i ? "" : "known as");
		shown_add_value(out, json_array_get(names, i), SHOW_STRING_BYTES);
		strbuf_add_char(out, '\n');
	}
}

static void add_command(struct strbuf *out, const json_t *o)
{
	const json_t *argv = json_object_get(o, "argv");
	_cleanup_(strbuf_fini) struct strbuf line = STRBUF_INIT(LINE_MAX_BYTES);
	_cleanup_(strbuf_fini) struct strbuf arg = STRBUF_INIT(LINE_MAX_BYTES);

	if (json_array_size(argv) == 0)
		return;
	for (size_t i = 0; i < json_array_size(argv); i++) {
		const json_t *v = json_array_get(argv, i);

		if (i)
			strbuf_add_char(&line, ' ');
		strbuf_reset(&arg);
		escape_json_decode(&arg,
				   (struct bytes){json_string_value(v), json_string_length(v)});
		strbuf_add_bytes(&line, strbuf_bytes(&arg));
	}
	strbuf_add_fmt(out, "  %-8s ", "command");
	escape_terminal_max(out, strbuf_bytes(&line), SHOW_COMMAND_BYTES);
	strbuf_add_char(out, '\n');
	if (json_is_true(json_object_get(o, "truncated")))
		strbuf_add_fmt(
			out, "  %-8s NOT ALL OF IT IS SHOWN: it has %" PRIu64 " arguments in all\n",
			"", get_u64(o, "argc"));
}

static void add_approvers(struct strbuf *out, const json_t *o)
{
	const json_t *approvers = json_object_get(o, "approvers");

	if (json_array_size(approvers) == 0)
		return;
	strbuf_add_fmt(out, "  %-8s only ", "answer");
	for (size_t i = 0; i < json_array_size(approvers); i++) {
		if (i)
			strbuf_add_str(out, ", ");
		shown_add_value(out, json_array_get(approvers, i), SHOW_STRING_BYTES);
	}
	strbuf_add_char(out, '\n');
}

/* Where one answer serves many, or many have to answer. */
static void add_question(struct strbuf *out, const json_t *o)
{
	const json_t *by = json_object_get(o, "approved_by");
	uint64_t waiting = get_u64(o, "waiting"), before = get_u64(o, "asked_before");

	if (waiting > 1)
		strbuf_add_fmt(out,
			       "  %-8s %" PRIu64 " equal actions wait; one answer is for all\n", "",
			       waiting);
	if (before)
		strbuf_add_fmt(out, "  %-8s asked %" PRIu64 " times before in this session\n", "",
			       before);
	if (get_u64(o, "count") > 1)
		strbuf_add_fmt(out, "  %-8s %" PRIu64 " have to approve, %zu have\n", "",
			       get_u64(o, "count"), json_array_size(by));
}

/* The words of the session that would make the grant: what is shown is what would be granted. */
static void add_choices(struct strbuf *out, const json_t *o)
{
	const json_t *answers = json_object_get(o, "answers");

	strbuf_add_fmt(out, "  %-8s once (what waits now)\n", "choices");
	for (size_t i = 0; i < json_array_size(answers); i++) {
		const json_t *a = json_array_get(answers, i);

		strbuf_add_fmt(out, "  %-8s --scope ", "");
		shown_add(out, a, "scope", SHOW_STRING_BYTES);
		strbuf_add_str(out, ": ");
		shown_add(out, a, "covers", SHOW_STRING_BYTES);
		strbuf_add_char(out, '\n');
	}
	if (json_array_size(answers) == 0)
		return;
	strbuf_add_fmt(out, "  %-8s --for session, 30s to 12h, restart or always", "");
	if (json_is_string(json_object_get(o, "max_duration"))) {
		strbuf_add_str(out, "; the rule lets it be at most ");
		shown_add(out, o, "max_duration", SHOW_STRING_BYTES);
	}
	strbuf_add_char(out, '\n');
}

void held_text_entry(const json_t *o, const json_t *status, bool is_detailed, struct strbuf *out)
{
	shown_add(out, o, "id", SHOW_STRING_BYTES);
	strbuf_add_str(out, "  ");
	shown_add(out, o, "op", SHOW_STRING_BYTES);
	strbuf_add_str(out, " (");
	shown_add(out, o, "kind", SHOW_STRING_BYTES);
	strbuf_add_fmt(out, "), held for %" PRIu64 " s, denied in %" PRIu64 " s\n",
		       get_u64(o, "age_ms") / 1000, get_u64(o, "left_ms") / 1000);
	add_command(out, o);
	add_row(out, "object", o, "object");
	add_names(out, o);
	add_row(out, "listens", o, "listener");
	add_row(out, "to", o, "object2");
	add_row(out, "in", o, "cwd");
	strbuf_add_fmt(out, "  %-8s %" PRIu64 " ", "process", get_u64(o, "pid"));
	shown_add(out, o, "exe", SHOW_STRING_BYTES);
	strbuf_add_fmt(out, "\n  %-8s ", "agent");
	shown_add(out, status, "agent", SHOW_STRING_BYTES);
	strbuf_add_str(out, ", session ");
	shown_add(out, status, "session", SHOW_STRING_BYTES);
	strbuf_add_char(out, '\n');
	add_row(out, "policy", o, "policy");
	add_row(out, "rule", o, "rule");
	add_row(out, "reason", o, "reason");
	add_row(out, "instead", o, "suggest");
	add_approvers(out, o);
	add_question(out, o);
	if (is_detailed)
		add_choices(out, o);
}
