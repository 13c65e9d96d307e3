/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <signal.h>

#include "base/clock.h"

#include "audit/report.h"
#include "audit/show.h"

#define TEXT_MAX_LINES   20 /* of each list; all of them are in the JSON form */
#define TEXT_OBJECT_MAX  ((size_t)160)
#define TEXT_REASON_MAX  ((size_t)240)
#define TEXT_COMMAND_MAX ((size_t)400)

static void add_label(const char *label, struct strbuf *out)
{
	strbuf_add_fmt(out, "%-10s", label);
}

static void show_more(uint64_t hidden, struct strbuf *out)
{
	if (hidden)
		strbuf_add_fmt(out, "         and %" PRIu64 " more; --json lists them\n", hidden);
}

static void show_policies(const json_t *report, struct strbuf *out)
{
	const json_t *list = json_object_get(report, "policies");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *p = json_array_get(list, i);

		add_label(i ? "" : "policy", out);
		(void)show_string(p, "name", TEXT_OBJECT_MAX, out);
		if (streq(reader_word(p, "mode"), "audit"))
			strbuf_add_str(out, " (audit)");
		strbuf_add_str(out, "  sha256 ");
		(void)show_string(p, "sha256", TEXT_OBJECT_MAX, out);
		if (json_is_string(json_object_get(p, "file"))) {
			strbuf_add_str(out, "  ");
			(void)show_string(p, "file", TEXT_OBJECT_MAX, out);
		}
		strbuf_add_char(out, '\n');
	}
}

static void show_state(const json_t *report, struct strbuf *out)
{
	const char *state = reader_word(report, "state");
	uint64_t signal_number = reader_u64(report, "signal");

	if (streq(state, "running")) {
		strbuf_add_str(out, "still running: this is what it did so far");
	} else if (streq(state, "killed")) {
		strbuf_add_str(out, "unknown: the log has no session_end, so the supervisor was "
				    "killed; what was recorded before is here");
	} else if (json_is_integer(json_object_get(report, "exit"))) {
		strbuf_add_fmt(out, "%" PRIu64, reader_u64(report, "exit"));
	} else if (signal_number) {
		const char *name = signal_number < NSIG ? sigabbrev_np((int)signal_number) : NULL;

		strbuf_add_fmt(out, "signal %" PRIu64 "%s%s", signal_number, name ? ", SIG" : "",
			       name ? name : "");
	} else {
		strbuf_add_str(out, "unknown");
	}
	strbuf_add_char(out, '\n');
}

static void show_time(const json_t *report, struct strbuf *out)
{
	uint64_t started;

	add_label("started", out);
	if (clock_parse_rfc3339(reader_word(report, "started"), &started) == 0)
		show_date(started, out);
	strbuf_add_str(out, ", took ");
	show_duration(reader_u64(report, "duration_ns"), out);
	strbuf_add_char(out, '\n');
}

/* Of a report about several, which are in the order in which they began. */
static void show_sessions(const json_t *report, struct strbuf *out)
{
	const json_t *sessions = json_object_get(report, "sessions");
	const json_t *list = json_object_get(sessions, "list");
	size_t n = json_array_size(list), hidden = n > TEXT_MAX_LINES ? n - TEXT_MAX_LINES : 0;

	add_label("sessions", out);
	strbuf_add_fmt(out, "%" PRIu64 "\n", n + reader_u64(sessions, "unlisted"));
	show_more(hidden, out);
	for (size_t i = hidden; i < n; i++) {
		const json_t *s = json_array_get(list, i);

		strbuf_add_str(out, "  ");
		(void)show_string(s, "session", TEXT_OBJECT_MAX, out);
		strbuf_add_str(out, "  ");
		(void)show_string(s, "agent", TEXT_OBJECT_MAX, out);
		strbuf_add_fmt(out, "  %" PRIu64 " actions, %" PRIu64 " denied; exit ",
			       reader_u64(s, "total"), reader_u64(s, "denied"));
		show_state(s, out);
	}
}

static void show_head(const json_t *report, struct strbuf *out)
{
	add_label("session", out);
	(void)show_string(report, "session", TEXT_OBJECT_MAX, out);
	strbuf_add_char(out, '\n');
	add_label("agent", out);
	(void)show_string(report, "agent", TEXT_OBJECT_MAX, out);
	strbuf_add_char(out, '\n');
	add_label("command", out);
	show_words(report, "command", 0, TEXT_COMMAND_MAX, out);
	strbuf_add_char(out, '\n');
	show_policies(report, out);
	if (streq(reader_word(report, "mode"), "audit"))
		strbuf_add_str(out, "mode      audit: nothing was refused\n");
	show_time(report, out);
	add_label("exit", out);
	show_state(report, out);
}

static void show_counts(const json_t *report, struct strbuf *out)
{
	const json_t *actions = json_object_get(report, "actions");
	const json_t *verdicts = json_object_get(actions, "by_verdict");
	const json_t *kinds = json_object_get(actions, "by_kind");

	strbuf_add_fmt(out, "\nactions   %" PRIu64, reader_u64(actions, "total"));
	for (int v = 0; v < _VERDICT_MAX; v++)
		if (v != VERDICT_ASK) /* an answered question counts as its answer */
			strbuf_add_fmt(out, "  %s %" PRIu64, verdict_name((enum verdict)v),
				       reader_u64(verdicts, verdict_name((enum verdict)v)));
	strbuf_add_str(out, "\nkinds    ");
	for (int k = 0; k < _KIND_MAX; k++)
		strbuf_add_fmt(out, "%s %s %" PRIu64, k ? " " : "", kind_name((enum action_kind)k),
			       reader_u64(kinds, kind_name((enum action_kind)k)));
	strbuf_add_char(out, '\n');
}

/* Connections that came in; each where the session listened. */
static void show_accepted(const json_t *report, struct strbuf *out)
{
	const json_t *list = json_object_get(report, "accepted");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *l = json_array_get(list, i);
		uint64_t unknown = reader_u64(l, "unknown");

		strbuf_add_fmt(out, "accepted  %" PRIu64, reader_u64(l, "accepted"));
		if (unknown)
			strbuf_add_fmt(out, " to %" PRIu64, reader_u64(l, "accepted") + unknown);
		strbuf_add_str(out, " at ");
		if (!show_string(l, "address", TEXT_OBJECT_MAX, out))
			strbuf_add_str(out, "other addresses");
		strbuf_add_char(out, '\n');
	}
}

static void show_item(const json_t *item, struct strbuf *out)
{
	strbuf_add_fmt(out, "%7" PRIu64 "  ", reader_u64(item, "count"));
	show_word(item, "op", 8, out);
	strbuf_add_char(out, ' ');
	show_object(item, TEXT_OBJECT_MAX, out);
	if (json_is_string(json_object_get(item, "rule"))) {
		strbuf_add_str(out, "  rule '");
		(void)show_string(item, "rule", TEXT_OBJECT_MAX, out);
		strbuf_add_char(out, '\'');
	} else if (json_is_string(json_object_get(item, "policy"))) {
		strbuf_add_str(out, "  default of '");
		(void)show_string(item, "policy", TEXT_OBJECT_MAX, out);
		strbuf_add_char(out, '\'');
	}
	if (json_is_string(json_object_get(item, "reason"))) {
		strbuf_add_str(out, ": ");
		(void)show_string(item, "reason", TEXT_REASON_MAX, out);
	}
	strbuf_add_char(out, '\n');
}

static void show_unlisted(uint64_t unlisted, struct strbuf *out)
{
	if (unlisted)
		strbuf_add_fmt(out, "%7" PRIu64 "  about others\n", unlisted);
}

/* The part of a list that is about @kind (NULL: all of it), under @title. */
static void show_kind(const json_t *list, const char *title, const char *kind, struct strbuf *out)
{
	uint64_t n = 0;

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *item = json_array_get(list, i);

		if (kind && !streq(reader_word(item, "kind"), kind))
			continue;
		if (n++ == 0)
			strbuf_add_fmt(out, "\n%s\n", title);
		if (n <= TEXT_MAX_LINES)
			show_item(item, out);
	}
	show_more(n > TEXT_MAX_LINES ? n - TEXT_MAX_LINES : 0, out);
}

static void show_tallies(const json_t *report, struct strbuf *out)
{
	static const char *const titles[_KIND_MAX] = {
		[KIND_TOOL] = "denied tools",
		[KIND_PATH] = "denied paths",
		[KIND_NETWORK] = "denied addresses",
		[KIND_SYSTEM] = "refused syscalls",
		[KIND_SPEND] = "spent beyond the budget",
	};
	static const struct {
		const char *key, *title;
	} rest[] = {
		{"flagged", "flagged for a person to look at"},
		{"would_deny", "would have been asked about or denied"},
	};
	const json_t *denied = json_object_get(report, "denied");

	for (int k = 0; k < _KIND_MAX; k++)
		show_kind(json_object_get(denied, "list"), titles[k],
			  kind_name((enum action_kind)k), out);
	show_unlisted(reader_u64(denied, "unlisted"), out);
	for (size_t i = 0; i < ARRAY_SIZE(rest); i++) {
		const json_t *t = json_object_get(report, rest[i].key);

		show_kind(json_object_get(t, "list"), rest[i].title, NULL, out);
		show_unlisted(reader_u64(t, "unlisted"), out);
	}
}

static void show_hold(const json_t *h, struct strbuf *out)
{
	const char *outcome = reader_word(h, "outcome");

	strbuf_add_str(out, "  ");
	(void)show_string(h, "id", TEXT_OBJECT_MAX, out);
	strbuf_add_fmt(out, "  %-8s  ", streq(outcome, "open") ? "waiting" : outcome);
	show_word(h, "op", 8, out);
	strbuf_add_char(out, ' ');
	show_object(h, TEXT_OBJECT_MAX, out);
	if (json_is_integer(json_object_get(h, "waited_ns"))) {
		strbuf_add_str(out, "  after ");
		show_duration(reader_u64(h, "waited_ns"), out);
	}
	if (streq(outcome, "approved") || streq(outcome, "denied")) {
		strbuf_add_str(out, " by ");
		if (!show_string(h, "approver", TEXT_OBJECT_MAX, out))
			strbuf_add_str(out, "somebody");
	}
	strbuf_add_char(out, '\n');
}

static void show_holds(const json_t *report, struct strbuf *out)
{
	static const char *const outcomes[] = {"approved", "denied", "timeout", "gone", "open"};
	const json_t *holds = json_object_get(report, "holds");
	const json_t *list = json_object_get(holds, "list");
	size_t n = json_array_size(list), shown = MIN(n, (size_t)TEXT_MAX_LINES);

	if (!reader_u64(holds, "total"))
		return;
	strbuf_add_fmt(out, "\nheld      %" PRIu64, reader_u64(holds, "total"));
	for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++)
		strbuf_add_fmt(out, "  %s %" PRIu64, outcomes[i], reader_u64(holds, outcomes[i]));
	strbuf_add_fmt(out, "\n          %" PRIu64 " question%s, %.1f an hour\n",
		       reader_u64(holds, "questions"),
		       reader_u64(holds, "questions") == 1 ? "" : "s",
		       json_real_value(json_object_get(holds, "questions_per_hour")));
	for (size_t i = 0; i < shown; i++)
		show_hold(json_array_get(list, i), out);
	show_more(n - shown + reader_u64(holds, "unlisted"), out);
}

static void show_notices(const json_t *report, struct strbuf *out)
{
	const json_t *notices = json_object_get(report, "notices");
	const json_t *list = json_object_get(notices, "list");
	size_t n = json_array_size(list), shown = MIN(n, (size_t)TEXT_MAX_LINES);

	if (n)
		strbuf_add_str(out, "\nnotices\n");
	for (size_t i = 0; i < shown; i++) {
		strbuf_add_str(out, "  ");
		(void)show_string(json_array_get(list, i), "note", TEXT_REASON_MAX, out);
		strbuf_add_char(out, '\n');
	}
	show_more(n - shown + reader_u64(notices, "unlisted"), out);
}

/* What a reader should know before trusting the numbers. */
static void show_doubts(const json_t *report, struct strbuf *out)
{
	static const struct {
		const char *key, *text;
	} doubts[] = {
		{"missing_records", "records are missing from the log (their numbers have gaps)"},
		{"damaged_lines", "lines of the log are damaged and were left out"},
		{"earlier_sessions", "earlier sessions in this log are not part of this report"},
	};
	bool is_first = true;

	for (size_t i = 0; i < ARRAY_SIZE(doubts); i++) {
		uint64_t n = reader_u64(report, doubts[i].key);

		if (n) {
			strbuf_add_fmt(out, "%snote: %" PRIu64 " %s\n", is_first ? "\n" : "", n,
				       doubts[i].text);
			is_first = false;
		}
	}
}

void report_show(const json_t *report, struct strbuf *out)
{
	if (json_object_get(report, "sessions")) {
		show_sessions(report, out);
		show_time(report, out);
	} else {
		show_head(report, out);
	}
	show_counts(report, out);
	show_accepted(report, out);
	show_tallies(report, out);
	show_holds(report, out);
	show_notices(report, out);
	show_doubts(report, out);
}
