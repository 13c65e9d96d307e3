/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/reader.h"
#include "audit/record.h"
#include "base/clock.h"
#include "base/escape.h"

#include "audit/scan_private.h"

#define STEPS_DEPTH_MAX 4

/* What is done with a key's value. */
enum value {
	VALUE_IGNORED,
	VALUE_STEPS,
	VALUE_VERSION,
	VALUE_TIME,
	VALUE_EVENT,
	VALUE_PID,
	VALUE_PPID,
	VALUE_KIND,
	VALUE_OP,
	VALUE_VERDICT,
	VALUE_ARGV,
	VALUE_TEXT,
};

struct key {
	const char *name; /* with its quotes and the colon */
	uint8_t len;
	uint8_t value;
	uint8_t text;
};

#define KEY(string, what)                                                                          \
	{                                                                                          \
		"\"" string "\":", sizeof(string) + 2, VALUE_##what, 0                             \
	}
#define KEY_TEXT(string, what)                                                                     \
	{                                                                                          \
		"\"" string "\":", sizeof(string) + 2, VALUE_TEXT, SCAN_##what                     \
	}

/* In the order in which codec_add_line() writes them. */
static const struct key keys[] = {
	KEY("v", VERSION),
	KEY("seq", IGNORED),
	KEY("time", TIME),
	KEY("event", EVENT),
	KEY_TEXT("session", SESSION),
	KEY_TEXT("agent", AGENT),
	KEY("pid", PID),
	KEY("tid", IGNORED),
	KEY("ppid", PPID),
	KEY_TEXT("exe", EXE),
	KEY("kind", KIND),
	KEY("op", OP),
	KEY("syscall", IGNORED),
	KEY_TEXT("object", OBJECT),
	KEY_TEXT("object2", OBJECT2),
	KEY_TEXT("asked", ASKED),
	KEY("domains", STEPS),
	KEY("aliases", IGNORED),
	{"\"argv\":", 7, VALUE_ARGV, SCAN_ARGV},
	KEY("argc", IGNORED),
	KEY("argv_truncated", IGNORED),
	KEY_TEXT("interpreter", INTERPRETER),
	KEY_TEXT("cwd", CWD),
	KEY("verdict", VERDICT),
	KEY("would_have", IGNORED),
	KEY("mode", IGNORED),
	KEY_TEXT("policy", POLICY),
	KEY_TEXT("rule", RULE),
	KEY_TEXT("reason", REASON),
	KEY("layer", IGNORED),
	KEY("latency_ns", IGNORED),
	KEY("result", IGNORED),
	KEY("errno", IGNORED),
	KEY_TEXT("held", HELD),
	KEY_TEXT("approver", APPROVER),
	KEY_TEXT("suggest", SUGGEST),
	KEY("cost", IGNORED),
	KEY("spent", IGNORED),
	KEY_TEXT("note", NOTE),
	KEY("redacted", IGNORED),
	KEY("steps", STEPS),
	KEY("prev", IGNORED),
};

/* The key @name; ARRAY_SIZE(keys): unknown. */
static size_t key_find(const char *name)
{
	size_t len = strlen(name), i;

	for (i = 0; i < ARRAY_SIZE(keys); i++)
		if (keys[i].len == len + 3 && memcmp(keys[i].name + 1, name, len) == 0)
			break;
	return i;
}

bool scan_is_searched(const char *key)
{
	size_t i = key_find(key);

	/* A checkpoint's are hashes. */
	if (i == ARRAY_SIZE(keys))
		return !streq(key, "signature") && !streq(key, "key");
	return keys[i].value >= VALUE_ARGV;
}

/* ---- a line, fast: each reader takes the value off the front of @in, or says false */

static bool take(struct bytes *in, struct bytes what)
{
	if (!bytes_has_prefix(*in, what))
		return false;
	in->p += what.len;
	in->len -= what.len;
	return true;
}

static bool take_string(struct bytes *in, struct bytes *ret)
{
	const char *close;

	if (in->len < 2 || in->p[0] != '"')
		return false;
	close = scan_string_end(in->p + 1, in->p + in->len);
	if (!close)
		return false;
	*ret = (struct bytes){.p = in->p + 1, .len = (size_t)(close - in->p - 1)};
	in->len -= ret->len + 2;
	in->p = close + 1;
	return true;
}

static bool take_text(struct bytes *in, struct bytes *ret)
{
	*ret = BYTES_NULL;
	return take(in, BYTES_LIT("null")) || take_string(in, ret);
}

static size_t count_digits(struct bytes in)
{
	size_t n = 0;

	while (n < in.len && in.p[n] >= '0' && in.p[n] <= '9')
		n++;
	return n;
}

static bool take_number(struct bytes *in, uint64_t *ret)
{
	size_t n = count_digits(*in);

	*ret = 0;
	if (n == 0 || n > 18 || (n > 1 && in->p[0] == '0'))
		return false;
	for (size_t i = 0; i < n; i++)
		*ret = *ret * 10 + (uint64_t)(in->p[i] - '0');
	in->p += n;
	in->len -= n;
	return true;
}

/* A number with a fraction or an exponent that no library refuses: few digits. */
static bool take_rest_of_double(struct bytes *in)
{
	size_t n;

	if (take(in, BYTES_LIT("."))) {
		n = count_digits(*in);
		if (n == 0 || n > 18)
			return false;
		in->p += n;
		in->len -= n;
	}
	if (!take(in, BYTES_LIT("e")))
		return true;
	if (!take(in, BYTES_LIT("-")))
		(void)take(in, BYTES_LIT("+"));
	n = count_digits(*in);
	if (n == 0 || n > 2)
		return false;
	in->p += n;
	in->len -= n;
	return true;
}

static bool take_ignored(struct bytes *in)
{
	struct bytes text;
	uint64_t number;

	if (take_text(in, &text) || take(in, BYTES_LIT("true")) || take(in, BYTES_LIT("false")))
		return true;
	return take_number(in, &number) && take_rest_of_double(in);
}

/* Nested values, no deeper than ours are. */
static bool take_steps(struct bytes *in, unsigned int depth)
{
	bool is_object = take(in, BYTES_LIT("{"));
	struct bytes close = is_object ? BYTES_LIT("}") : BYTES_LIT("]"), key;

	if (!is_object && !take(in, BYTES_LIT("[")))
		return take_ignored(in);
	if (take(in, close))
		return true;
	do {
		/* A key with an escape could be one that libraries refuse. */
		if (is_object && (!take_string(in, &key) || memchr(key.p, '\\', key.len) ||
				  !take(in, BYTES_LIT(":"))))
			return false;
		if (depth == STEPS_DEPTH_MAX || !take_steps(in, depth + 1))
			return false;
	} while (take(in, BYTES_LIT(",")));
	return take(in, close);
}

static bool take_id(struct bytes *in, uint32_t *ret)
{
	uint64_t number = 0;

	if (!take(in, BYTES_LIT("null")) && !take_number(in, &number))
		return false;
	*ret = (uint32_t)number;
	/* What follows a number is checked by the caller: neither fraction nor exponent. */
	return number <= UINT32_MAX;
}

static bool take_argv(struct bytes *in, struct bytes *ret)
{
	struct bytes argument;
	const char *start;

	*ret = BYTES_NULL;
	if (take(in, BYTES_LIT("null")))
		return true;
	if (!take(in, BYTES_LIT("[")))
		return false;
	start = in->p;
	*ret = (struct bytes){.p = start, .len = 0};
	if (take(in, BYTES_LIT("]")))
		return true;
	do {
		if (!take_string(in, &argument))
			return false;
	} while (take(in, BYTES_LIT(",")));
	ret->len = (size_t)(in->p - start);
	return take(in, BYTES_LIT("]"));
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
static bool take_word(struct bytes *in, uint8_t (*parse)(struct bytes), uint8_t *ret)
{
	struct bytes word;

	if (!take_text(in, &word) || (word.len && memchr(word.p, '\\', word.len)))
		return false;
	*ret = parse(word);
	return true;
}

static bool take_value(struct scanner *s, const struct key *key, struct bytes *in, struct scan *ret)
{
	struct bytes word = BYTES_NULL;

	switch ((enum value)key->value) {
	case VALUE_VERSION:
		return take(in, BYTES_LIT("2")) || take(in, BYTES_LIT("1"));
	case VALUE_TIME:
		return take_string(in, &word) && read_time(s, word, &ret->time_ns);
	case VALUE_EVENT:
		return take_string(in, &word);
	case VALUE_PID:
		return take_id(in, &ret->pid);
	case VALUE_PPID:
		return take_id(in, &ret->ppid);
	case VALUE_KIND:
		return take_word(in, kind_of, &ret->kind);
	case VALUE_OP:
		return take_word(in, op_of, &ret->op);
	case VALUE_VERDICT:
		return take_word(in, verdict_of, &ret->verdict);
	case VALUE_ARGV:
		return take_argv(in, &ret->texts[SCAN_ARGV]);
	case VALUE_TEXT:
		return take_text(in, &ret->texts[key->text]);
	case VALUE_STEPS:
		return take_steps(in, 0);
	case VALUE_IGNORED:
		break;
	}
	return take_ignored(in);
}

bool scan_line(struct scanner *s, struct bytes line, struct scan *ret)
{
	unsigned int needed = 1U << VALUE_VERSION | 1U << VALUE_TIME | 1U << VALUE_EVENT;
	struct bytes in = line;
	size_t next = 0;

	*ret = (struct scan){
		.kind = SCAN_NONE, .op = SCAN_NONE, .verdict = SCAN_NONE, .is_plain = true};
	if (!take(&in, BYTES_LIT("{")))
		return false;
	do {
		while (next < ARRAY_SIZE(keys) &&
		       !take(&in, (struct bytes){.p = keys[next].name, .len = keys[next].len}))
			next++;
		if (next == ARRAY_SIZE(keys) || !take_value(s, &keys[next], &in, ret))
			return false;
		needed &= ~(1U << keys[next++].value);
	} while (take(&in, BYTES_LIT(",")));
	return !needed && in.len == 1 && in.p[0] == '}';
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
		size_t i = key_find(name), start = mem->len;
		bool is_argv;

		if (i == ARRAY_SIZE(keys)) {
			scan.is_plain =
				scan.is_plain && !(scan_is_searched(name) && has_strings(v));
			continue;
		}
		is_argv = keys[i].value == VALUE_ARGV;
		if (keys[i].value < VALUE_ARGV)
			continue;
		scan.is_plain = add_text(v, is_argv, &decoded, mem) && scan.is_plain;
		places[keys[i].text] =
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
