/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "audit/proctree.h"
#include "audit/report_html_private.h"
#include "audit/report_svg.h"
#include "audit/show.h"

/* Shown of each list; all of them are in the JSON form. */
#define HTML_ITEMS       100
#define HTML_NAMES       25
#define HTML_PLACES      50
#define HTML_PROCESSES   400
#define HTML_DENIALS     3 /* of one process */
#define HTML_MAX_NESTING 40

/* ---- denied, flagged */

static void add_item(const json_t *item, struct strbuf *out)
{
	strbuf_add_str(out, "<tr>");
	html_count(reader_u64(item, "count"), out);
	strbuf_add_str(out, "<td>");
	html_text(out, bytes_of(reader_word(item, "op")), HTML_NAME_MAX);
	strbuf_add_str(out, "</td><td>");
	if (!html_string(item, "object", HTML_OBJECT_MAX, out))
		strbuf_add_char(out, '?');
	if (json_array_size(json_object_get(item, "argv")) > 1) {
		strbuf_add_char(out, ' ');
		html_words(item, "argv", 1, HTML_OBJECT_MAX, out);
	}
	strbuf_add_str(out, "</td><td>");
	if (json_is_string(json_object_get(item, "rule"))) {
		(void)html_string(item, "rule", HTML_NAME_MAX, out);
	} else if (json_is_string(json_object_get(item, "policy"))) {
		strbuf_add_str(out, "default of ");
		(void)html_string(item, "policy", HTML_NAME_MAX, out);
	}
	strbuf_add_str(out, "</td><td>");
	(void)html_string(item, "reason", HTML_REASON_MAX, out);
	if (json_is_string(json_object_get(item, "suggest"))) {
		strbuf_add_str(out, " <strong>Instead:</strong> ");
		(void)html_string(item, "suggest", HTML_REASON_MAX, out);
	}
	strbuf_add_str(out, "</td></tr>\n");
}

static void add_tally(const json_t *tally, const char *title, struct strbuf *out)
{
	static const char *const heads[] = {"#Times", "What", "Object", "Rule", "Why"};
	const json_t *list = json_object_get(tally, "list");
	size_t n = json_array_size(list), shown = MIN(n, (size_t)HTML_ITEMS);

	if (!n)
		return;
	html_table(title, heads, ARRAY_SIZE(heads), true, out);
	for (size_t i = 0; i < shown; i++)
		add_item(json_array_get(list, i), out);
	html_table_end(out);
	html_more(n - shown, "more", out);
	html_more(reader_u64(tally, "unlisted"), "decisions about others", out);
}

void html_decided(const json_t *report, struct strbuf *out)
{
	static const struct {
		const char *key, *title;
	} tallies[] = {
		{"denied", "Denied"},
		{"would_deny", "Let through, but audit mode would have asked or denied"},
		{"flagged", "Allowed, and flagged for a person to look at"},
	};
	size_t n = 0;

	html_section("decided", "Denied and flagged", out);
	for (size_t i = 0; i < ARRAY_SIZE(tallies); i++) {
		const json_t *tally = json_object_get(report, tallies[i].key);

		n += json_array_size(json_object_get(tally, "list"));
		add_tally(tally, tallies[i].title, out);
	}
	if (!n)
		strbuf_add_str(out, "<p>Nothing was denied or flagged.</p>");
	html_section_end(out);
}

/* ---- holds */

static void add_outcome(const json_t *hold, struct strbuf *out)
{
	static const struct {
		const char *outcome, *class, *text;
	} outcomes[] = {
		{"approved", "allow", "approved"},
		{"denied", "deny", "denied"},
		{"timeout", "deny", "nobody answered"},
		{"gone", "deny", "the process went away"},
		{"open", "ask", "waits"},
	};
	const char *outcome = reader_word(hold, "outcome");

	for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++)
		if (streq(outcome, outcomes[i].outcome))
			strbuf_add_fmt(out, "<span class=\"v %s\">%s</span>", outcomes[i].class,
				       outcomes[i].text);
	if (streq(outcome, "approved") || streq(outcome, "denied")) {
		strbuf_add_str(out, " by ");
		if (!html_string(hold, "approver", HTML_OBJECT_MAX, out))
			strbuf_add_str(out, "somebody");
	}
	if (json_is_integer(json_object_get(hold, "waited_ns"))) {
		strbuf_add_str(out, " after ");
		show_duration(reader_u64(hold, "waited_ns"), out);
	}
}

static void add_hold(const json_t *hold, struct strbuf *out)
{
	strbuf_add_str(out, "<tr><td>");
	(void)html_string(hold, "id", HTML_NAME_MAX, out);
	strbuf_add_str(out, "</td><td>");
	html_text(out, bytes_of(reader_word(hold, "op")), HTML_NAME_MAX);
	strbuf_add_char(out, ' ');
	if (!html_string(hold, "object", HTML_OBJECT_MAX, out))
		strbuf_add_char(out, '?');
	if (json_array_size(json_object_get(hold, "argv")) > 1) {
		strbuf_add_char(out, ' ');
		html_words(hold, "argv", 1, HTML_OBJECT_MAX, out);
	}
	strbuf_add_str(out, "</td><td>");
	(void)html_string(hold, "reason", HTML_REASON_MAX, out);
	strbuf_add_str(out, "</td><td>");
	add_outcome(hold, out);
	strbuf_add_str(out, "</td></tr>\n");
}

void html_holds(const json_t *report, struct strbuf *out)
{
	static const char *const heads[] = {"Id", "What", "Why", "Answer"};
	const json_t *holds = json_object_get(report, "holds");
	const json_t *list = json_object_get(holds, "list");
	size_t n = json_array_size(list), shown = MIN(n, (size_t)HTML_ITEMS);

	html_section("holds", "Held for an answer", out);
	if (!n)
		strbuf_add_str(out, "<p>Nothing was held.</p>");
	else
		strbuf_add_fmt(out, "<p>%llu question%s to a person, %.1f an hour.</p>",
			       (unsigned long long)reader_u64(holds, "questions"),
			       reader_u64(holds, "questions") == 1 ? "" : "s",
			       json_real_value(json_object_get(holds, "questions_per_hour")));
	if (n)
		html_table("Held actions and their answers", heads, ARRAY_SIZE(heads), true, out);
	for (size_t i = 0; i < shown; i++)
		add_hold(json_array_get(list, i), out);
	if (n)
		html_table_end(out);
	html_more(n - shown + reader_u64(holds, "unlisted"), "more", out);
	html_section_end(out);
}

/* ---- processes */

static void add_kinds(const json_t *process, struct strbuf *out)
{
	const json_t *counts = json_object_get(process, "counts");

	for (int k = 0; k < _KIND_MAX; k++) {
		const char *name = kind_name((enum action_kind)k);
		const json_t *kind = json_object_get(counts, name);
		uint64_t n = 0;

		for (int v = 0; v < _VERDICT_MAX; v++)
			n += reader_u64(kind, verdict_name((enum verdict)v));
		if (n) {
			strbuf_add_fmt(out, ", %s ", name);
			html_number(n, out);
		}
	}
}

static void add_process(const struct proctree_row *row, struct strbuf *out)
{
	const json_t *commands = json_object_get(row->process, "commands");
	const json_t *last = json_array_get(commands, json_array_size(commands) - 1);

	strbuf_add_fmt(out, "<span class=\"dim\">%" PRIu64 "</span> ",
		       reader_u64(row->process, "pid"));
	if (!html_string(last, "command", HTML_OBJECT_MAX, out) &&
	    !html_string(row->process, "exe", HTML_OBJECT_MAX, out)) {
		if (html_string(row->process, "comm", HTML_OBJECT_MAX, out))
			strbuf_add_char(out, ' ');
		strbuf_add_str(out, "(no record of its own)");
	}
	strbuf_add_str(out, " <span class=\"dim\">");
	if (row->n > 1) {
		strbuf_add_str(out, "and ");
		html_number(row->n - 1, out);
		strbuf_add_str(out, " more like it, ");
	}
	html_number(row->total, out);
	strbuf_add_str(out, row->total == 1 ? " action" : " actions");
	if (row->n == 1)
		add_kinds(row->process, out);
	strbuf_add_str(out, "</span>");
}

static void add_denials(const struct proctree_row *row, struct strbuf *out)
{
	const json_t *list = json_object_get(row->process, "denials");
	size_t n = MIN(json_array_size(list), (size_t)HTML_DENIALS);

	for (size_t i = 0; i < n; i++) {
		const json_t *d = json_array_get(list, i);

		strbuf_add_str(out, "<div class=\"no\">denied ");
		html_text(out, bytes_of(reader_word(d, "op")), HTML_NAME_MAX);
		strbuf_add_char(out, ' ');
		(void)html_string(d, "object", HTML_OBJECT_MAX, out);
		if (json_is_string(json_object_get(d, "rule"))) {
			strbuf_add_str(out, " by ");
			(void)html_string(d, "rule", HTML_NAME_MAX, out);
		}
		strbuf_add_str(out, "</div>");
	}
	if (row->denied > n)
		strbuf_add_fmt(out, "<div class=\"no\">and %" PRIu64 " more denied</div>",
			       row->denied - n);
}

/* Lists in lists; what is nested deeper than a page can show stands at its last level. */
static void add_rows(const struct proctree_row *rows, size_t n, struct strbuf *out)
{
	size_t depth = 0;

	strbuf_add_str(out, "<ul class=\"tree\">\n");
	for (size_t i = 0; i < n; i++) {
		size_t next = i + 1 < n ? MIN(rows[i + 1].depth, (size_t)HTML_MAX_NESTING) : 0;

		strbuf_add_str(out, "<li>");
		add_process(&rows[i], out);
		add_denials(&rows[i], out);
		if (next > depth) {
			strbuf_add_str(out, "<ul>\n");
			depth++;
			continue;
		}
		strbuf_add_str(out, "</li>\n");
		for (; depth > next; depth--)
			strbuf_add_str(out, "</ul></li>\n");
	}
	strbuf_add_str(out, "</ul>\n");
}

void html_processes(const json_t *report, struct strbuf *out)
{
	const json_t *processes = json_object_get(report, "processes");
	_cleanup_(freep) struct proctree_row *rows = NULL;
	uint64_t total = reader_u64(processes, "total");
	size_t n = 0, listed = json_array_size(json_object_get(processes, "list"));

	rows = proctree_rows(json_object_get(processes, "list"), &n);
	html_section("processes", "Processes", out);
	add_rows(rows, rows ? MIN(n, (size_t)HTML_PROCESSES) : 0, out);
	if (n > HTML_PROCESSES)
		html_more(n - HTML_PROCESSES, "more lines; holdfast tree shows them", out);
	html_more(total > listed ? total - listed : 0, "more processes; holdfast tree shows them",
		  out);
	html_section_end(out);
}

/* ---- names */

static void add_names(const json_t *names, const char *caption, const char *head, size_t max,
		      struct strbuf *out)
{
	const char *const heads[] = {head, "#Times", "#Denied", "Share"};
	const json_t *list = json_object_get(names, "list");
	size_t n = json_array_size(list), shown = MIN(n, max);
	uint64_t most = reader_u64(json_array_get(list, 0), "count");

	if (!n)
		return;
	html_table(caption, heads, ARRAY_SIZE(heads), false, out);
	for (size_t i = 0; i < shown; i++) {
		const json_t *item = json_array_get(list, i);
		uint64_t count = reader_u64(item, "count"), denied = reader_u64(item, "denied");

		strbuf_add_str(out, "<tr><td>");
		(void)html_string(item, "object", HTML_OBJECT_MAX, out);
		strbuf_add_str(out, "</td>");
		html_count(count, out);
		html_count(denied, out);
		strbuf_add_str(out, "<td>");
		svg_bar(count, denied, most, out);
		strbuf_add_str(out, "</td></tr>\n");
	}
	html_table_end(out);
	html_more(n - shown, "more", out);
	html_more(reader_u64(names, "unlisted"), "actions on others", out);
}

void html_files(const json_t *report, struct strbuf *out)
{
	static const struct {
		const char *key, *caption, *head;
	} lists[] = {
		{"directories_changed", "Directories in which most was changed", "Directory"},
		{"changed", "Files that were changed most", "File"},
		{"directories_read", "Directories from which most was read", "Directory"},
		{"read", "Files that were read most", "File"},
	};
	const json_t *files = json_object_get(report, "files");
	size_t n = 0;

	html_section("files", "Files", out);
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		const json_t *names = json_object_get(files, lists[i].key);

		n += json_array_size(json_object_get(names, "list"));
		add_names(names, lists[i].caption, lists[i].head, HTML_NAMES, out);
	}
	if (!n)
		strbuf_add_str(out, "<p>No file was recorded.</p>");
	html_section_end(out);
}

void html_places(const json_t *report, struct strbuf *out)
{
	const json_t *places = json_object_get(report, "places");

	html_section("places", "Places", out);
	if (!json_array_size(json_object_get(places, "list")))
		strbuf_add_str(out, "<p>No connection was recorded.</p>");
	add_names(places, "Where it connected, sent or listened", "Place", HTML_PLACES, out);
	html_section_end(out);
}
