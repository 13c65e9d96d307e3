/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CSV by RFC 4180: CRLF, quotes doubled, as many columns in each record as in the header. For
 * spreadsheets a cell must not become a formula, so a text that begins with one of = + - @ (or with
 * an apostrophe, so that this can be told back) gets an apostrophe in front. Control characters
 * take the log's \xNN form: no record spans lines, no cell can drive a terminal.
 */
#include "base/escape.h"

#include "audit/format_private.h"

static const char *const columns[] = {
	"v",       "seq",        "time",       "event",   "session", "agent",    "pid",
	"tid",     "ppid",       "exe",        "kind",    "op",      "syscall",  "object",
	"object2", "asked",      "domains",    "aliases", "argv",    "argc",     "interpreter",
	"cwd",     "verdict",    "would_have", "mode",    "policy",  "rule",     "reason",
	"layer",   "latency_ns", "result",     "errno",   "held",    "approver", "suggest",
	"cost",    "spent",      "note",       "other",
};

/* Not in "other" either: it is about the file, and means nothing outside of it. */
static const char *const left_out[] = {"prev"};

void format_csv_header(struct strbuf *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		if (i)
			strbuf_add_char(out, ',');
		strbuf_add_str(out, columns[i]);
	}
	strbuf_add_str(out, "\r\n");
}

static bool is_control(uint32_t cp)
{
	return cp < 0x20 || (cp >= 0x7f && cp < 0xa0);
}

/* The inside of a quoted cell. */
static void add_text(struct bytes s, struct strbuf *out)
{
	for (size_t i = 0, n; i < s.len; i += n) {
		uint32_t cp = 0;

		n = utf8_decode(s.p + i, s.len - i, &cp);
		if (n == 0 || is_control(cp)) {
			n = n ? n : 1;
			for (size_t k = i; k < i + n; k++)
				strbuf_add_fmt(out, "\\x%02x", (unsigned char)s.p[k]);
			continue;
		}
		if (cp == '"')
			strbuf_add_char(out, '"');
		strbuf_add(out, s.p + i, n);
	}
}

static void add_cell(struct bytes s, struct strbuf *out)
{
	strbuf_add_char(out, '"');
	if (s.len && memchr("=+-@'", s.p[0], 5))
		strbuf_add_char(out, '\'');
	add_text(s, out);
	strbuf_add_char(out, '"');
}

/* A missing value is an empty cell, an empty string a pair of quotes. */
static void add_value(const json_t *value, struct strbuf *out)
{
	struct strbuf text = STRBUF_INIT(out->max);

	if (!value || json_is_null(value))
		return;
	if (json_is_string(value)) {
		add_cell((struct bytes){.p = json_string_value(value),
					.len = json_string_length(value)},
			 out);
		return;
	}
	format_add_json(value, &text);
	if (json_is_array(value) || json_is_object(value))
		add_cell(strbuf_bytes(&text), out);
	else
		strbuf_add_bytes(out, strbuf_bytes(&text));
	if (strbuf_error(&text))
		out->error = strbuf_error(&text);
	strbuf_fini(&text);
}

static void add_other(const json_t *root, struct strbuf *out)
{
	const char *known[ARRAY_SIZE(columns) + ARRAY_SIZE(left_out)];
	json_t *rest;

	memcpy(known, columns, sizeof(columns));
	memcpy(known + ARRAY_SIZE(columns), left_out, sizeof(left_out));
	/* A key "other" of the log's own would be lost, so it is not known. */
	known[ARRAY_SIZE(columns) - 1] = columns[0];
	rest = format_rest(root, known, ARRAY_SIZE(known));
	if (!rest)
		out->error = -ENOMEM;
	else if (json_object_size(rest))
		add_value(rest, out);
	json_decref(rest);
}

void format_csv_line(_unused_ const struct format_context *c, const struct reader_line *line,
		     struct strbuf *out)
{
	for (size_t i = 0; i + 1 < ARRAY_SIZE(columns); i++) {
		add_value(json_object_get(line->root, columns[i]), out);
		strbuf_add_char(out, ',');
	}
	add_other(line->root, out);
}
