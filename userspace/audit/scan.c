/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/line.h"
#include "audit/reader.h"
#include "audit/record.h"
#include "base/clock.h"
#include "base/escape.h"
#include "base/io.h"

#include "audit/scan_private.h"

/* The keys whose strings are kept and searched, by enum scan_text. */
static const enum line_key text_keys[_SCAN_TEXT_MAX] = {
	[SCAN_SESSION] = LINE_SESSION, [SCAN_AGENT] = LINE_AGENT,
	[SCAN_EXE] = LINE_EXE,         [SCAN_OBJECT] = LINE_OBJECT,
	[SCAN_OBJECT2] = LINE_OBJECT2, [SCAN_ASKED] = LINE_ASKED,
	[SCAN_ARGV] = LINE_ARGV,       [SCAN_INTERPRETER] = LINE_INTERPRETER,
	[SCAN_CWD] = LINE_CWD,         [SCAN_POLICY] = LINE_POLICY,
	[SCAN_RULE] = LINE_RULE,       [SCAN_REASON] = LINE_REASON,
	[SCAN_HELD] = LINE_HELD,       [SCAN_APPROVER] = LINE_APPROVER,
	[SCAN_SUGGEST] = LINE_SUGGEST, [SCAN_NOTE] = LINE_NOTE,
};

/* _SCAN_TEXT_MAX: it is no text that is kept. */
static enum scan_text text_of(enum line_key key)
{
	size_t i;

	for (i = 0; i < _SCAN_TEXT_MAX; i++)
		if (text_keys[i] == key)
			break;
	return (enum scan_text)i;
}

/* A decision's key, and not one of session_start's. */
static bool is_known(enum line_key key)
{
	return key < LINE_UTC_OFFSET;
}

bool scan_is_searched(const char *key)
{
	enum line_key k = line_key_find(key);

	/* A checkpoint's are hashes. */
	if (!is_known(k))
		return !streq(key, "signature") && !streq(key, "key");
	return text_of(k) != _SCAN_TEXT_MAX;
}

/* ---- a line, fast: each reader says false where only the library can tell */

static bool is_string(struct bytes raw)
{
	return raw.len >= 2 && raw.p[0] == '"';
}

static bool is_null(struct bytes raw)
{
	return !raw.p || bytes_eq_str(raw, "null");
}

static bool read_text(struct bytes raw, struct bytes *ret)
{
	*ret = BYTES_NULL;
	if (is_string(raw))
		*ret = (struct bytes){.p = raw.p + 1, .len = raw.len - 2};
	return is_string(raw) || is_null(raw);
}

static bool read_argv(struct bytes raw, struct bytes *ret)
{
	struct bytes rest, argument;

	*ret = BYTES_NULL;
	if (is_null(raw))
		return true;
	if (raw.p[0] != '[')
		return false;
	*ret = rest = (struct bytes){.p = raw.p + 1, .len = raw.len - 2};
	while (rest.len && rest.p[0] == '"' && scan_next_argument(&rest, &argument))
		;
	return rest.len == 0;
}

static bool read_id(struct bytes raw, uint32_t *ret)
{
	uint64_t number = 0;

	if (!is_null(raw) && parse_u64(raw, UINT32_MAX, &number) < 0)
		return false;
	*ret = (uint32_t)number;
	return true;
}

static unsigned int two_digits(const char *p)
{
	return (unsigned int)(p[0] - '0') * 10 + (unsigned int)(p[1] - '0');
}

/* "2026-11-21T05:12:34.000000000Z", the day remembered. */
static bool read_time(struct scanner *s, struct bytes text, uint64_t *ret)
{
	static const char form[] = "dddd-dd-ddTdd:dd:dd.dddddddddZ";
	unsigned int hour, minute, second, nanosecond = 0;
	char day[] = "0000-00-00T00:00:00Z";

	if (text.len != sizeof(form) - 1)
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (form[i] == 'd' ? text.p[i] < '0' || text.p[i] > '9' : text.p[i] != form[i])
			return false;
	if (memcmp(s->date, text.p, sizeof(s->date)) != 0) {
		memcpy(day, text.p, sizeof(s->date));
		if (clock_parse_rfc3339(day, &s->date_ns) < 0)
			return false;
		memcpy(s->date, text.p, sizeof(s->date));
	}
	hour = two_digits(text.p + 11);
	minute = two_digits(text.p + 14);
	second = two_digits(text.p + 17);
	for (size_t i = 20; i < 29; i++)
		nanosecond = nanosecond * 10 + (unsigned int)(text.p[i] - '0');
	if (hour > 23 || minute > 59 || second > 59 || s->date_ns > UINT64_MAX - 86400 * NS_PER_SEC)
		return false;
	*ret = s->date_ns + ((hour * 60 + minute) * 60 + second) * NS_PER_SEC + nanosecond;
	return true;
}

static uint8_t kind_of(struct bytes word)
{
	enum action_kind v;

	return word.p && kind_parse(word, &v) == 0 ? (uint8_t)v : SCAN_NONE;
}

static uint8_t op_of(struct bytes word)
{
	enum action_op v;

	return word.p && op_parse(word, &v) == 0 ? (uint8_t)v : SCAN_NONE;
}

static uint8_t verdict_of(struct bytes word)
{
	enum verdict v;

	return word.p && verdict_parse(word, &v) == 0 ? (uint8_t)v : SCAN_NONE;
}

/* A word; one with an escape could spell ours another way. */
static bool read_word(struct bytes raw, uint8_t (*parse)(struct bytes), uint8_t *ret)
{
	struct bytes word;

	if (!read_text(raw, &word) || (word.len && memchr(word.p, '\\', word.len)))
		return false;
	*ret = parse(word);
	return true;
}

bool scan_line(struct scanner *s, struct bytes line, struct scan *ret)
{
	struct bytes time;
	struct line l;

	*ret = (struct scan){.is_plain = true};
	if (!line_split(line, &l) ||
	    (!bytes_eq_str(l.values[LINE_V], "2") && !bytes_eq_str(l.values[LINE_V], "1")) ||
	    !is_string(l.values[LINE_EVENT]) || !is_string(l.values[LINE_TIME]))
		return false;
	for (size_t i = 0; i < _SCAN_TEXT_MAX; i++) {
		struct bytes raw = l.values[text_keys[i]];

		if (i == SCAN_ARGV ? !read_argv(raw, &ret->texts[i])
				   : !read_text(raw, &ret->texts[i]))
			return false;
	}
	return read_text(l.values[LINE_TIME], &time) && read_time(s, time, &ret->time_ns) &&
	       read_id(l.values[LINE_PID], &ret->pid) && read_id(l.values[LINE_PPID], &ret->ppid) &&
	       read_word(l.values[LINE_KIND], kind_of, &ret->kind) &&
	       read_word(l.values[LINE_OP], op_of, &ret->op) &&
	       read_word(l.values[LINE_VERDICT], verdict_of, &ret->verdict);
}

/* ---- the same from what the library read */

static struct bytes word_of(const json_t *root, const char *key)
{
	const json_t *v = json_object_get(root, key);

	return (struct bytes){.p = json_string_value(v), .len = json_string_length(v)};
}

static uint32_t id_of(const json_t *root, const char *key)
{
	uint64_t v = reader_u64(root, key);

	return v <= UINT32_MAX ? (uint32_t)v : 0;
}

static bool has_strings(json_t *v)
{
	const char *key;
	json_t *member;
	size_t i;

	if (json_is_string(v))
		return true;
	json_array_foreach(v, i, member) if (has_strings(member)) return true;
	json_object_foreach(v, key, member) if (has_strings(member)) return true;
	return false;
}

static void add_raw(const json_t *string, struct strbuf *decoded, struct strbuf *out)
{
	strbuf_reset(decoded);
	reader_decode(string, decoded);
	escape_json(out, strbuf_bytes(decoded));
}

/* Return: is that all that there is to search in @v? */
static bool add_text(json_t *v, bool is_argv, struct strbuf *decoded, struct strbuf *out)
{
	bool is_all = true, is_first = true;
	json_t *member;
	size_t i;

	if (!is_argv) {
		if (json_is_string(v))
			add_raw(v, decoded, out);
		return json_is_string(v) || !has_strings(v);
	}
	if (!json_is_array(v))
		return !has_strings(v);
	json_array_foreach(v, i, member)
	{
		if (!json_is_string(member)) {
			is_all = is_all && !has_strings(member);
			continue;
		}
		strbuf_add_str(out, is_first ? "\"" : ",\"");
		is_first = false;
		add_raw(member, decoded, out);
		strbuf_add_char(out, '"');
	}
	return is_all;
}

/* Where a text is in the memory that may move while it grows. */
struct place {
	size_t start, len;
	bool is_there;
};

int scan_root(json_t *root, uint64_t time_ns, struct strbuf *mem, struct scan *ret)
{
	struct strbuf decoded = STRBUF_INIT(READER_LINE_MAX);
	struct place places[_SCAN_TEXT_MAX] = {};
	struct scan scan = {.time_ns = time_ns,
			    .pid = id_of(root, "pid"),
			    .ppid = id_of(root, "ppid"),
			    .kind = kind_of(word_of(root, "kind")),
			    .op = op_of(word_of(root, "op")),
			    .verdict = verdict_of(word_of(root, "verdict")),
			    .is_plain = true};
	const char *name;
	json_t *v;
	int r;

	strbuf_reset(mem);
	json_object_foreach(root, name, v)
	{
		enum line_key key = line_key_find(name);
		enum scan_text text = text_of(key);
		bool is_argv = text == SCAN_ARGV;
		size_t start = mem->len;

		if (!is_known(key)) {
			scan.is_plain =
				scan.is_plain && !(scan_is_searched(name) && has_strings(v));
			continue;
		}
		if (text == _SCAN_TEXT_MAX)
			continue;
		scan.is_plain = add_text(v, is_argv, &decoded, mem) && scan.is_plain;
		places[text] =
			(struct place){.start = start,
				       .len = mem->len - start,
				       .is_there = is_argv ? json_is_array(v) : json_is_string(v)};
	}
	r = strbuf_error(&decoded) ? strbuf_error(&decoded) : strbuf_error(mem);
	strbuf_fini(&decoded);
	if (r < 0)
		return -ENOMEM;
	for (size_t i = 0; i < _SCAN_TEXT_MAX; i++)
		if (places[i].is_there)
			scan.texts[i] = (struct bytes){.p = strbuf_str(mem) + places[i].start,
						       .len = places[i].len};
	*ret = scan;
	return 0;
}
