/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <signal.h>

#include "base/clock.h"

#include "audit/report_html_private.h"
#include "audit/report_svg.h"
#include "audit/show.h"

#define HTML_SESSIONS 200
#define HTML_NOTICES  64

void html_section(const char *id, const char *title, struct strbuf *out)
{
	strbuf_add_fmt(out, "\n<section id=\"%s\"><h2>%s</h2>\n", id, title);
}

void html_section_end(struct strbuf *out)
{
	strbuf_add_str(out, "</section>\n");
}

void html_table(const char *caption, const char *const *heads, size_t n, bool is_text,
		struct strbuf *out)
{
	strbuf_add_fmt(out, "<div class=\"wide\"><table%s><caption>%s</caption><thead><tr>",
		       is_text ? " class=\"stack\"" : "", caption);
	for (size_t i = 0; i < n; i++)
		strbuf_add_fmt(out, "<th scope=\"col\"%s>%s</th>",
			       heads[i][0] == '#' ? " class=\"n\"" : "",
			       heads[i] + (heads[i][0] == '#'));
	strbuf_add_str(out, "</tr></thead><tbody>\n");
}

void html_table_end(struct strbuf *out)
{
	strbuf_add_str(out, "</tbody></table></div>\n");
}

void html_more(uint64_t n, const char *what, struct strbuf *out)
{
	if (!n)
		return;
	strbuf_add_str(out, "<p class=\"dim\">and ");
	html_number(n, out);
	strbuf_add_fmt(out, " %s</p>\n", what);
}

void html_count(uint64_t n, struct strbuf *out)
{
	strbuf_add_str(out, "<td class=\"n\">");
	html_number(n, out);
	strbuf_add_str(out, "</td>");
}

void html_verdict(const char *verdict, struct strbuf *out)
{
	strbuf_add_fmt(out, "<span class=\"v %s\">%s</span>", verdict, verdict);
}

/* ---- what the session was */

/* A line of the list of facts; nothing when there is no such text. */
static void add_fact(const char *label, const json_t *object, const char *key, struct strbuf *out)
{
	if (!json_is_string(json_object_get(object, key)))
		return;
	strbuf_add_fmt(out, "<dt>%s</dt><dd>", label);
	(void)html_string(object, key, HTML_OBJECT_MAX, out);
	strbuf_add_str(out, "</dd>\n");
}

static void add_policies(const json_t *report, struct strbuf *out)
{
	const json_t *list = json_object_get(report, "policies");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *p = json_array_get(list, i);

		strbuf_add_fmt(out, "<dt>%s</dt><dd>", i ? "" : "Policy");
		(void)html_string(p, "name", HTML_NAME_MAX, out);
		if (streq(reader_word(p, "mode"), "audit"))
			strbuf_add_str(out, " (audit)");
		if (json_is_false(json_object_get(p, "applies")))
			strbuf_add_str(out, " (does not apply)");
		strbuf_add_str(out, " <span class=\"dim\">");
		(void)html_string(p, "file", HTML_OBJECT_MAX, out);
		strbuf_add_str(out, "</span></dd>\n");
	}
}

static void add_state(const json_t *report, struct strbuf *out)
{
	const char *state = reader_word(report, "state");
	uint64_t signal_number = reader_u64(report, "signal");

	strbuf_add_str(out, "<dt>Exit</dt><dd>");
	if (streq(state, "running"))
		strbuf_add_str(out, "still running: this is what it did so far");
	else if (streq(state, "killed"))
		strbuf_add_str(out, "unknown: the log has no last record, so the supervisor was "
				    "killed; what was recorded before is here");
	else if (json_is_integer(json_object_get(report, "exit")))
		strbuf_add_fmt(out, "%" PRIu64, reader_u64(report, "exit"));
	else if (signal_number)
		strbuf_add_fmt(out, "signal %" PRIu64, signal_number);
	else
		strbuf_add_str(out, "unknown");
	strbuf_add_str(out, "</dd>\n");
}

static void add_date(const json_t *object, const char *key, struct strbuf *out)
{
	uint64_t time;

	if (clock_parse_rfc3339(reader_word(object, key), &time) == 0)
		show_date(time, out);
	else
		strbuf_add_str(out, "unknown");
}

static void add_facts(const json_t *report, struct strbuf *out)
{
	strbuf_add_str(out, "<section id=\"session\"><h2>Session</h2><dl>\n");
	add_fact("Name", report, "session", out);
	add_fact("Agent", report, "agent", out);
	if (json_is_array(json_object_get(report, "command"))) {
		strbuf_add_str(out, "<dt>Command</dt><dd>");
		html_words(report, "command", 0, HTML_COMMAND_MAX, out);
		strbuf_add_str(out, "</dd>\n");
	}
	add_fact("Directory", report, "cwd", out);
	add_policies(report, out);
	if (streq(reader_word(report, "mode"), "audit"))
		strbuf_add_str(out, "<dt>Mode</dt><dd>audit: nothing was refused</dd>\n");
	add_fact("Since", report, "since", out);
	strbuf_add_str(out, "<dt>Started</dt><dd>");
	add_date(report, "started", out);
	strbuf_add_str(out, ", took ");
	show_duration(reader_u64(report, "duration_ns"), out);
	strbuf_add_str(out, "</dd>\n");
	if (!json_object_get(report, "sessions"))
		add_state(report, out);
	add_fact("Log", report, "log", out);
	strbuf_add_str(out, "</dl>");
	html_section_end(out);
}

static void add_session(const json_t *s, struct strbuf *out)
{
	strbuf_add_str(out, "<tr><td>");
	(void)html_string(s, "session", HTML_NAME_MAX, out);
	strbuf_add_str(out, "</td><td>");
	html_words(s, "command", 0, HTML_OBJECT_MAX, out);
	strbuf_add_str(out, "</td><td>");
	add_date(s, "started", out);
	strbuf_add_str(out, "</td><td>");
	html_text(out, bytes_of(reader_word(s, "state")), HTML_NAME_MAX);
	strbuf_add_str(out, "</td>");
	html_count(reader_u64(s, "total"), out);
	html_count(reader_u64(s, "denied"), out);
	strbuf_add_str(out, "</tr>\n");
}

static void add_sessions(const json_t *report, struct strbuf *out)
{
	static const char *const heads[] = {"Session", "Command",  "Started",
					    "State",   "#Actions", "#Denied"};
	const json_t *sessions = json_object_get(report, "sessions");
	const json_t *list = json_object_get(sessions, "list");
	size_t n = json_array_size(list), shown = MIN(n, (size_t)HTML_SESSIONS);

	if (!sessions)
		return;
	html_section("sessions", "Sessions", out);
	html_table("The sessions of this report", heads, ARRAY_SIZE(heads), false, out);
	for (size_t i = n - shown; i < n; i++)
		add_session(json_array_get(list, i), out);
	html_table_end(out);
	html_more(n - shown + reader_u64(sessions, "unlisted"), "more sessions", out);
	html_section_end(out);
}

/* ---- numbers */

static void add_tile(const char *class, uint64_t n, const char *what, struct strbuf *out)
{
	strbuf_add_fmt(out, "<li class=\"%s\"><b>", class);
	html_number(n, out);
	strbuf_add_fmt(out, "</b> <span>%s</span></li>", what);
}

static void add_tiles(const json_t *report, struct strbuf *out)
{
	const json_t *actions = json_object_get(report, "actions");
	const json_t *verdicts = json_object_get(actions, "by_verdict");

	strbuf_add_str(out, "<ul class=\"big\">");
	add_tile("", reader_u64(actions, "total"), "decisions", out);
	add_tile("allow", reader_u64(verdicts, "allow"), "allowed", out);
	add_tile("flag", reader_u64(verdicts, "flag"), "flagged", out);
	add_tile("deny", reader_u64(verdicts, "deny"), "denied", out);
	add_tile("ask", reader_u64(json_object_get(report, "holds"), "total"), "held", out);
	strbuf_add_str(out, "</ul>\n");
}

static void add_kinds(const json_t *report, struct strbuf *out)
{
	static const char *const heads[] = {"Kind", "#Allowed", "#Flagged", "#Denied"};
	const json_t *kinds = json_object_get(report, "kinds");

	html_table("Decisions by kind and verdict", heads, ARRAY_SIZE(heads), false, out);
	for (int k = 0; k < _KIND_MAX; k++) {
		const char *name = kind_name((enum action_kind)k);
		const json_t *v = json_object_get(kinds, name);

		strbuf_add_fmt(out, "<tr><td>%s</td>", name);
		html_count(reader_u64(v, "allow"), out);
		html_count(reader_u64(v, "flag"), out);
		html_count(reader_u64(v, "deny"), out);
		strbuf_add_str(out, "</tr>\n");
	}
	html_table_end(out);
}

/* The plot's numbers, in a dozen lines. */
static void add_times(const json_t *report, struct strbuf *out)
{
	static const char *const heads[] = {"From", "#Allowed", "#Flagged", "#Denied"};
	const json_t *timeline = json_object_get(report, "timeline");
	const json_t *buckets = json_object_get(timeline, "buckets");
	size_t n = json_array_size(buckets), step = (n + 11) / 12;

	strbuf_add_str(out, "<details><summary>The same as a table</summary>");
	html_table("Decisions over time", heads, ARRAY_SIZE(heads), false, out);
	for (size_t i = 0; i < n; i += step) {
		uint64_t sums[_VERDICT_MAX] = {};

		for (size_t b = i; b < MIN(i + step, n); b++)
			for (int v = 0; v < _VERDICT_MAX; v++)
				sums[v] += reader_u64(
					json_object_get(json_array_get(buckets, b), "by_verdict"),
					verdict_name((enum verdict)v));
		strbuf_add_str(out, "<tr><td>+");
		show_duration(reader_u64(timeline, "bucket_ns") * i, out);
		strbuf_add_str(out, "</td>");
		html_count(sums[VERDICT_ALLOW], out);
		html_count(sums[VERDICT_FLAG], out);
		html_count(sums[VERDICT_DENY], out);
		strbuf_add_str(out, "</tr>\n");
	}
	html_table_end(out);
	strbuf_add_str(out, "</details>\n");
}

static void add_decisions(const json_t *report, struct strbuf *out)
{
	html_section("decisions", "Decisions", out);
	strbuf_add_str(out, "<ul class=\"key\"><li class=\"allow\">allowed</li><li class=\"flag\">"
			    "flagged</li><li class=\"deny\">denied</li></ul>"
			    "<h3>Over time</h3>");
	svg_timeline(report, out);
	add_times(report, out);
	strbuf_add_str(out, "<h3>By kind</h3>");
	svg_kinds(report, out);
	add_kinds(report, out);
	html_section_end(out);
}

static void add_money(const char *label, double value, struct strbuf *out)
{
	strbuf_add_fmt(out, "<dt>%s</dt><dd>%.6g</dd>\n", label, value);
}

static void add_spend(const json_t *report, struct strbuf *out)
{
	double budget = json_number_value(json_object_get(report, "budget"));
	double spent = json_number_value(json_object_get(report, "spent"));

	if (!(budget > 0) && !(spent > 0))
		return;
	html_section("spend", "Spend", out);
	if (budget > 0)
		strbuf_add_str(out, "<ul class=\"key\"><li class=\"allow\">spent</li>"
				    "<li class=\"limit\">budget</li></ul>");
	svg_spend(report, out);
	strbuf_add_str(out, "<dl>\n");
	add_money("Spent", spent, out);
	if (budget > 0) {
		add_money("Budget", budget, out);
		add_money("Remaining", json_number_value(json_object_get(report, "remaining")),
			  out);
	}
	strbuf_add_str(out, "</dl>");
	html_section_end(out);
}

/* ---- what to know before trusting it */

static void add_notices(const json_t *report, struct strbuf *out)
{
	const json_t *notices = json_object_get(report, "notices");
	const json_t *list = json_object_get(notices, "list");
	size_t n = json_array_size(list), shown = MIN(n, (size_t)HTML_NOTICES);

	if (!n)
		return;
	html_section("notices", "Notices", out);
	strbuf_add_str(out, "<ul>\n");
	for (size_t i = 0; i < shown; i++) {
		strbuf_add_str(out, "<li>");
		(void)html_string(json_array_get(list, i), "note", HTML_REASON_MAX, out);
		strbuf_add_str(out, "</li>\n");
	}
	strbuf_add_str(out, "</ul>\n");
	html_more(n - shown + reader_u64(notices, "unlisted"), "more", out);
	html_section_end(out);
}

static void add_doubts(const json_t *report, struct strbuf *out)
{
	static const struct {
		const char *key, *text;
	} doubts[] = {
		{"missing_records", "records are missing from the log: their numbers have gaps"},
		{"damaged_lines", "lines of the log are damaged and were left out"},
		{"earlier_sessions", "earlier sessions in this log are not part of this report"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(doubts); i++) {
		uint64_t n = reader_u64(report, doubts[i].key);

		if (!n)
			continue;
		strbuf_add_str(out, "<p class=\"card doubt\"><strong>");
		html_number(n, out);
		strbuf_add_fmt(out, "</strong> %s</p>\n", doubts[i].text);
	}
}

static void add_head(const json_t *report, struct strbuf *out)
{
	strbuf_add_fmt(
		out,
		"<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
		"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
		"style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
		"<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
		"<meta name=\"referrer\" content=\"no-referrer\">\n"
		"<meta name=\"generator\" content=\"holdfast\">\n"
		"<title>Holdfast report</title>\n<style>%s</style></head>\n<body>\n<header><h1>",
		report_html_style);
	if (json_object_get(report, "sessions"))
		strbuf_add_str(out, "What the sessions did");
	else
		strbuf_add_str(out, "What ");
	if (!json_object_get(report, "sessions")) {
		if (!html_string(report, "agent", HTML_NAME_MAX, out))
			strbuf_add_str(out, "the agent");
		strbuf_add_str(out, " did");
	}
	strbuf_add_str(out, "</h1></header>\n<nav aria-label=\"Contents\">"
			    "<a href=\"#session\">Session</a><a href=\"#decisions\">Decisions</a>"
			    "<a href=\"#decided\">Denied and flagged</a><a href=\"#holds\">Held</a>"
			    "<a href=\"#processes\">Processes</a><a href=\"#files\">Files</a>"
			    "<a href=\"#places\">Places</a></nav>\n<main>\n");
}

void report_html(const json_t *report, struct strbuf *out)
{
	add_head(report, out);
	add_tiles(report, out);
	add_doubts(report, out);
	add_facts(report, out);
	add_sessions(report, out);
	add_decisions(report, out);
	html_decided(report, out);
	html_holds(report, out);
	html_processes(report, out);
	html_files(report, out);
	html_places(report, out);
	add_spend(report, out);
	add_notices(report, out);
	strbuf_add_str(out, "</main>\n<footer class=\"dim\">Made by holdfast report. Bytes that do "
			    "not print are shown by their numbers.</footer>\n</body></html>\n");
}
