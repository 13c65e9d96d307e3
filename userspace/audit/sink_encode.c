/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A line of the log for journald and for syslog. Journald takes any bytes, so its fields hold the
 * agent's own; syslog's receivers do not, so there everything is printable.
 */
#include <endian.h>

#include "base/clock.h"
#include "base/escape.h"

#include "audit/format_private.h"
#include "audit/sink_private.h"

#define JOURNALD_FIELD_MAX ((size_t)64) /* of a name; it ignores longer ones */
#define SYSLOG_FACILITY    10           /* authpriv: what was done is nobody else's business */
#define SYSLOG_VALUE_MAX   ((size_t)2048)
#define SYSLOG_TIME_DIGITS ((size_t)26) /* "2026-11-21T05:07:52.123456": no more are allowed */
/* The number for documentation (RFC 5612): we have none of our own. */
#define SYSLOG_SD_ID "holdfast@32473"

enum priority {
	PRIORITY_WARNING = 4,
	PRIORITY_NOTICE = 5,
	PRIORITY_INFO = 6,
};

static const struct {
	const char *word; /* an event, or an action's verdict */
	enum priority priority;
} priorities[] = {
	{"deny", PRIORITY_WARNING},         {"flag", PRIORITY_WARNING},
	{"notice", PRIORITY_WARNING},       {"held", PRIORITY_NOTICE},
	{"session_start", PRIORITY_NOTICE}, {"session_end", PRIORITY_NOTICE},
};

static enum priority priority_of(const json_t *root)
{
	const char *event = reader_word(root, "event");
	const char *word = streq(event, "action") ? reader_word(root, "verdict") : event;

	for (size_t i = 0; i < ARRAY_SIZE(priorities); i++)
		if (streq(word, priorities[i].word))
			return priorities[i].priority;
	return PRIORITY_INFO;
}

/* ---- journald */

/* A value with a newline has its length in front; every value may. */
static void journald_field(const char *name, struct bytes value, struct strbuf *out)
{
	uint64_t len = htole64(value.len);

	strbuf_add_str(out, name);
	if (value.len && memchr(value.p, '\n', value.len)) {
		strbuf_add_char(out, '\n');
		strbuf_add(out, &len, sizeof(len));
	} else {
		strbuf_add_char(out, '=');
	}
	strbuf_add_bytes(out, value);
	strbuf_add_char(out, '\n');
}

/* "rule" becomes HOLDFAST_RULE. Return: false: it cannot be a field's name. */
static bool journald_name(const char *key, char out[static JOURNALD_FIELD_MAX + 1])
{
	static const char prefix[] = "HOLDFAST_";
	size_t n = sizeof(prefix) - 1;

	memcpy(out, prefix, n);
	for (; *key; key++) {
		char c = *key >= 'a' && *key <= 'z' ? (char)(*key - 'a' + 'A') : *key;

		if (n == JOURNALD_FIELD_MAX ||
		    !((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'))
			return false;
		out[n++] = c;
	}
	out[n] = '\0';
	return true;
}

static void journald_value(const char *name, const json_t *value, struct strbuf *out)
{
	struct strbuf text = STRBUF_INIT(READER_LINE_MAX * 2);

	if (json_is_string(value))
		reader_decode(value, &text);
	else
		format_add_json(value, &text);
	journald_field(name, strbuf_bytes(&text), out);
	strbuf_fini(&text);
}

static void encode_journald(_unused_ const struct format_context *c, const struct reader_line *line,
			    struct strbuf *out)
{
	struct strbuf message = STRBUF_INIT(READER_LINE_MAX);
	char name[JOURNALD_FIELD_MAX + 1];
	const char *key;
	json_t *value;

	format_message(line, &message);
	journald_field("MESSAGE", strbuf_bytes(&message), out);
	strbuf_fini(&message);
	strbuf_add_fmt(out, "PRIORITY=%d\nSYSLOG_IDENTIFIER=holdfast\nSYSLOG_FACILITY=%d\n",
		       priority_of(line->root), SYSLOG_FACILITY);
	json_object_foreach(line->root, key,
			    value) if (!json_is_null(value) && journald_name(key, name))
		journald_value(name, value, out);
}

/* ---- syslog */

static const char *const syslog_params[] = {
	"session", "seq",   "agent",   "pid",        "exe",  "kind",   "op",   "object",
	"object2", "argv",  "verdict", "would_have", "mode", "policy", "rule", "reason",
	"result",  "errno", "held",    "approver",   "cost", "spent",  "note", "prev",
};

/* Printable, and without what ends a value: " \ ]. */
static void syslog_value(struct bytes value, struct strbuf *out)
{
	size_t len = MIN(value.len, SYSLOG_VALUE_MAX);

	for (size_t i = 0, n; i < len; i += n) {
		uint32_t cp = 0;

		n = utf8_decode(value.p + i, value.len - i, &cp);
		if (n == 0 || cp < 0x20 || (cp >= 0x7f && cp < 0xa0)) {
			n = n ? n : 1;
			for (size_t k = i; k < i + n; k++)
				strbuf_add_fmt(out, "\\\\x%02x", (unsigned char)value.p[k]);
			continue;
		}
		if (cp == '"' || cp == '\\' || cp == ']')
			strbuf_add_char(out, '\\');
		strbuf_add(out, value.p + i, n);
	}
}

static void syslog_param(const json_t *root, const char *key, struct strbuf *out)
{
	const json_t *value = json_object_get(root, key);
	struct strbuf text = STRBUF_INIT(READER_LINE_MAX * 2);

	if (!value || json_is_null(value))
		return;
	if (json_is_string(value))
		strbuf_add(&text, json_string_value(value), json_string_length(value));
	else
		format_add_json(value, &text);
	strbuf_add_fmt(out, " %s=\"", key);
	syslog_value(strbuf_bytes(&text), out);
	strbuf_add_char(out, '"');
	strbuf_fini(&text);
}

/* A word of the header: printable, no blank, "-" when there is none. */
static void syslog_word(const char *word, size_t max, struct strbuf *out)
{
	size_t n = 0;

	for (; *word && n < max; word++)
		if (*word > 0x20 && *word < 0x7f) {
			strbuf_add_char(out, *word);
			n++;
		}
	if (n == 0)
		strbuf_add_char(out, '-');
}

static void encode_syslog(const struct format_context *c, const struct reader_line *line,
			  struct strbuf *out)
{
	const json_t *start = format_start(c, line);
	char time[CLOCK_RFC3339_SIZE];

	clock_format_rfc3339(line->time_ns, time);
	time[SYSLOG_TIME_DIGITS] = '\0';
	strbuf_add_fmt(out, "<%d>1 %sZ ", SYSLOG_FACILITY * 8 + (int)priority_of(line->root), time);
	syslog_word(reader_word(start, "host"), 255, out);
	strbuf_add_str(out, " holdfast ");
	if (reader_u64(start, "supervisor"))
		strbuf_add_u64(out, reader_u64(start, "supervisor"));
	else
		strbuf_add_char(out, '-');
	strbuf_add_char(out, ' ');
	syslog_word(reader_word(line->root, "event"), 32, out);
	strbuf_add_str(out, " [" SYSLOG_SD_ID);
	for (size_t i = 0; i < ARRAY_SIZE(syslog_params); i++)
		syslog_param(line->root, syslog_params[i], out);
	strbuf_add_str(out, "] ");
	format_message(line, out);
}

/* ---- the lines themselves */

static void encode_line(_unused_ const struct format_context *c, const struct reader_line *line,
			struct strbuf *out)
{
	strbuf_add_bytes(out, line->text);
	strbuf_add_char(out, '\n');
}

static void (*const encoders[_SINK_KIND_MAX])(const struct format_context *c,
					      const struct reader_line *line,
					      struct strbuf *out) = {
	[SINK_JOURNALD] = encode_journald,
	[SINK_SYSLOG] = encode_syslog,
	[SINK_COMMAND] = encode_line,
};

void sink_encode(enum sink_kind kind, const struct format_context *c,
		 const struct reader_line *line, struct strbuf *out)
{
	encoders[kind](c, line, out);
}
