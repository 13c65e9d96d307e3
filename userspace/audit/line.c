/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/reader.h"
#include "base/io.h"

#include "audit/line.h"
#include "audit/scan_private.h"

_Static_assert(LINE_WHY_SIZE == sizeof(((struct reader_line *)0)->why), "the same texts");

#define DEPTH_MAX 4 /* ours are no deeper */

static const struct {
	const char *name; /* with its quotes and the colon */
	size_t len;
} keys[_LINE_KEY_MAX] = {
#define KEY(string, id) [LINE_##id] = {"\"" string "\":", sizeof(string) + 2}
	KEY("v", V),
	KEY("seq", SEQ),
	KEY("time", TIME),
	KEY("event", EVENT),
	KEY("session", SESSION),
	KEY("agent", AGENT),
	KEY("pid", PID),
	KEY("tid", TID),
	KEY("ppid", PPID),
	KEY("exe", EXE),
	KEY("kind", KIND),
	KEY("op", OP),
	KEY("syscall", SYSCALL),
	KEY("object", OBJECT),
	KEY("object2", OBJECT2),
	KEY("asked", ASKED),
	KEY("domains", DOMAINS),
	KEY("aliases", ALIASES),
	KEY("listener", LISTENER),
	KEY("argv", ARGV),
	KEY("argc", ARGC),
	KEY("argv_truncated", ARGV_TRUNCATED),
	KEY("interpreter", INTERPRETER),
	KEY("cwd", CWD),
	KEY("verdict", VERDICT),
	KEY("would_have", WOULD_HAVE),
	KEY("mode", MODE),
	KEY("policy", POLICY),
	KEY("rule", RULE),
	KEY("reason", REASON),
	KEY("layer", LAYER),
	KEY("latency_ns", LATENCY),
	KEY("result", RESULT),
	KEY("errno", ERRNO),
	KEY("held", HELD),
	KEY("approver", APPROVER),
	KEY("suggest", SUGGEST),
	KEY("cost", COST),
	KEY("spent", SPENT),
	KEY("note", NOTE),
	KEY("redacted", REDACTED),
	KEY("steps", STEPS),
	KEY("prev", PREV),
	KEY("utc_offset_s", UTC_OFFSET),
	KEY("layers", LAYERS),
#undef KEY
};

enum line_key line_key_find(const char *name)
{
	size_t len = strlen(name), i;

	for (i = 0; i < _LINE_KEY_MAX; i++)
		if (keys[i].len == len + 3 && memcmp(keys[i].name + 1, name, len) == 0)
			break;
	return (enum line_key)i;
}

/* ---- splitting: each reader takes what it knows off the front of @in, or says false */

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

static size_t count_digits(struct bytes in)
{
	size_t n = 0;

	while (n < in.len && in.p[n] >= '0' && in.p[n] <= '9')
		n++;
	return n;
}

static bool take_number(struct bytes *in)
{
	size_t n = count_digits(*in);

	if (n == 0 || n > 18 || (n > 1 && in->p[0] == '0'))
		return false;
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

static bool take_plain(struct bytes *in)
{
	struct bytes text;

	if (take_string(in, &text) || take(in, BYTES_LIT("null")) || take(in, BYTES_LIT("true")) ||
	    take(in, BYTES_LIT("false")))
		return true;
	return take_number(in) && take_rest_of_double(in);
}

static bool take_value(struct bytes *in, unsigned int depth)
{
	bool is_object = take(in, BYTES_LIT("{"));
	struct bytes close = is_object ? BYTES_LIT("}") : BYTES_LIT("]"), key;

	if (!is_object && !take(in, BYTES_LIT("[")))
		return take_plain(in);
	if (take(in, close))
		return true;
	do {
		/* A key with an escape could be one that libraries refuse. */
		if (is_object && (!take_string(in, &key) || memchr(key.p, '\\', key.len) ||
				  !take(in, BYTES_LIT(":"))))
			return false;
		if (depth == DEPTH_MAX || !take_value(in, depth + 1))
			return false;
	} while (take(in, BYTES_LIT(",")));
	return take(in, close);
}

bool line_split(struct bytes text, struct line *ret)
{
	struct bytes in = text;
	size_t next = 0;

	*ret = (struct line){};
	if (!take(&in, BYTES_LIT("{")))
		return false;
	do {
		const char *start;

		while (next < _LINE_KEY_MAX &&
		       !take(&in, (struct bytes){.p = keys[next].name, .len = keys[next].len}))
			next++;
		start = in.p;
		if (next == _LINE_KEY_MAX || !take_value(&in, 0))
			return false;
		ret->values[next++] = (struct bytes){.p = start, .len = (size_t)(in.p - start)};
	} while (take(&in, BYTES_LIT(",")));
	return in.len == 1 && in.p[0] == '}';
}

/* ---- lines that others wrote */

static int add_value(const json_t *v, struct arena *mem, struct bytes *ret)
{
	char *text = json_dumps(v, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_ENCODE_ANY);

	if (!text)
		return -ENOMEM;
	*ret = arena_copy(mem, text, strlen(text));
	free(text);
	return ret->p ? 0 : -ENOMEM;
}

static int read_values(struct bytes text, struct arena *mem, struct line *ret,
		       char why[static LINE_WHY_SIZE])
{
	struct reader_line line = {};
	const char *name;
	json_t *v;
	int r = 0;

	*ret = (struct line){};
	if (reader_parse(text, &line) != READER_LINE) {
		memcpy(why, line.why, LINE_WHY_SIZE);
		json_decref(line.root);
		return 1;
	}
	json_object_foreach(line.root, name, v)
	{
		enum line_key key = line_key_find(name);

		if (r == 0 && key != _LINE_KEY_MAX)
			r = add_value(v, mem, &ret->values[key]);
	}
	json_decref(line.root);
	return r;
}

int line_take(struct bytes text, struct arena *mem, struct line *ret,
	      char why[static LINE_WHY_SIZE])
{
	if (line_split(text, ret) &&
	    (bytes_eq_str(ret->values[LINE_V], "2") || bytes_eq_str(ret->values[LINE_V], "1")) &&
	    line_word(ret, LINE_EVENT).p && line_word(ret, LINE_TIME).p)
		return 0;
	return read_values(text, mem, ret, why);
}

/* ---- values */

bool line_has(const struct line *l, enum line_key key)
{
	return l->values[key].p && !bytes_eq_str(l->values[key], "null");
}

static bool is_string(struct bytes raw)
{
	return raw.len >= 2 && raw.p[0] == '"';
}

static struct bytes inside(struct bytes raw)
{
	return (struct bytes){.p = raw.p + 1, .len = raw.len - 2};
}

struct bytes line_word(const struct line *l, enum line_key key)
{
	struct bytes raw = l->values[key], word;

	if (!is_string(raw))
		return BYTES_NULL;
	word = inside(raw);
	return word.len && memchr(word.p, '\\', word.len) ? BYTES_NULL : word;
}

bool line_u64(const struct line *l, enum line_key key, uint64_t *ret)
{
	return l->values[key].p && parse_u64(l->values[key], INT64_MAX, ret) == 0;
}

/* Strings with escapes are few: the library undoes them. */
static int decode_escapes(struct bytes raw, struct arena *mem, struct bytes *ret)
{
	struct strbuf text = STRBUF_INIT(READER_LINE_MAX);
	json_t *v = json_loadb(raw.p, raw.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	int r = v ? 0 : -EBADMSG;

	if (v) {
		reader_decode(v, &text);
		*ret = arena_copy(mem, strbuf_str(&text), text.len);
		r = strbuf_error(&text) || !ret->p ? -ENOMEM : 0;
	}
	json_decref(v);
	strbuf_fini(&text);
	return r;
}

static int decode_string(struct bytes raw, struct arena *mem, struct bytes *ret)
{
	if (!is_string(raw))
		return -EBADMSG;
	if (raw.len > 2 && memchr(raw.p, '\\', raw.len))
		return decode_escapes(raw, mem, ret);
	*ret = inside(raw);
	return 0;
}

int line_string(const struct line *l, enum line_key key, struct arena *mem, struct bytes *ret)
{
	*ret = BYTES_NULL;
	return line_has(l, key) ? decode_string(l->values[key], mem, ret) : 0;
}

/* How many there are at most: one more than commas. */
static size_t count_elements(struct bytes raw)
{
	size_t n = 1;

	for (const char *p = raw.p; (p = memchr(p, ',', (size_t)(raw.p + raw.len - p))); p++)
		n++;
	return n;
}

int line_strings(const struct line *l, enum line_key key, struct arena *mem,
		 const struct bytes **ret, size_t *ret_n)
{
	struct bytes raw = l->values[key];
	struct bytes *list, word;
	size_t n = 0;

	*ret = NULL;
	*ret_n = 0;
	if (!line_has(l, key))
		return 0;
	if (raw.len < 2 || raw.p[0] != '[')
		return -EBADMSG;
	list = arena_alloc(mem, count_elements(raw) * sizeof(*list));
	if (!list)
		return -ENOMEM;
	raw = inside(raw);
	while (scan_next_argument(&raw, &word)) {
		/* With its quotes. */
		int r = decode_string((struct bytes){word.p - 1, word.len + 2}, mem, &list[n]);

		if (r < 0)
			return r;
		n++;
	}
	if (raw.len)
		return -EBADMSG;
	*ret = list;
	*ret_n = n;
	return 0;
}
