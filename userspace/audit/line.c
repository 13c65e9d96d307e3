/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/reader.h"
#include "base/io.h"

#include "audit/line.h"

_Static_assert(LINE_WHY_SIZE == sizeof(((struct reader_line *)0)->why), "the same texts");

#define DEPTH_MAX 2048 /* the library's own */

/* In the order of a line: the next key is nearly always the next of these, or a few further on. */
static const struct {
	const char *name;
	uint8_t len;
	uint8_t key;
} keys[] = {
#define KEY(string, id)                                                                            \
	{                                                                                          \
		string, sizeof(string) - 1, LINE_##id                                              \
	}
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
	KEY("argv", ARGV),
	KEY("argc", ARGC),
	KEY("argv_truncated", ARGV_TRUNCATED),
	KEY("cwd", CWD),
	KEY("verdict", VERDICT),
	KEY("would_have", WOULD_HAVE),
	KEY("policy", POLICY),
	KEY("rule", RULE),
	KEY("reason", REASON),
	KEY("held", HELD),
	KEY("approver", APPROVER),
	KEY("cost", COST),
	KEY("steps", STEPS),
	KEY("redacted", REDACTED),
	KEY("utc_offset_s", UTC_OFFSET),
	KEY("layers", LAYERS),
#undef KEY
};

/* After the quote that opens a string; the quote that closes it, or NULL. */
static const char *string_end(const char *p, const char *end)
{
	const char *start = p;

	for (;;) {
		const char *quote = memchr(p, '"', (size_t)(end - p));
		const char *q = quote;

		if (!quote)
			return NULL;
		while (q > start && q[-1] == '\\')
			q--;
		if ((quote - q) % 2 == 0)
			return quote;
		p = quote + 1;
	}
}

/* The end of the array or object at @p. */
static const char *group_end(const char *p, const char *end)
{
	unsigned int depth = 0;

	for (; p < end; p++) {
		if (*p == '"') {
			p = string_end(p + 1, end);
			if (!p)
				return NULL;
		} else if (*p == '[' || *p == '{') {
			if (++depth > DEPTH_MAX)
				return NULL;
		} else if (*p == ']' || *p == '}') {
			if (--depth == 0)
				return p + 1;
		}
	}
	return NULL;
}

static const char *plain_end(const char *p, const char *end)
{
	const char *start = p;

	while (p < end && ((*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') || *p == '-' ||
			   *p == '+' || *p == '.' || *p == 'E'))
		p++;
	return p == start ? NULL : p;
}

static const char *value_end(const char *p, const char *end)
{
	const char *close;

	if (p == end)
		return NULL;
	if (*p == '[' || *p == '{')
		return group_end(p, end);
	if (*p != '"')
		return plain_end(p, end);
	close = string_end(p + 1, end);
	return close ? close + 1 : NULL;
}

/* Where @name is in the table, looked for from *@next on, which then is the one after it. */
static size_t find_key(struct bytes name, size_t *next)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		size_t k = *next + i;

		k -= k >= ARRAY_SIZE(keys) ? ARRAY_SIZE(keys) : 0;
		if (keys[k].len == name.len && memcmp(keys[k].name, name.p, name.len) == 0) {
			*next = k + 1 == ARRAY_SIZE(keys) ? 0 : k + 1;
			return keys[k].key;
		}
	}
	return _LINE_KEY_MAX;
}

bool line_split(struct bytes text, struct line *ret)
{
	const char *p = text.p, *end = text.p + text.len;
	size_t next = 0;

	*ret = (struct line){};
	if (text.len < 2 || *p++ != '{')
		return false;
	for (;;) {
		const char *name = p + 1, *close;
		size_t key;

		if (p == end || *p != '"')
			return false;
		close = string_end(name, end);
		if (!close || end - close < 2 || close[1] != ':')
			return false;
		key = find_key((struct bytes){name, (size_t)(close - name)}, &next);
		p = value_end(close + 2, end);
		if (!p || p == end)
			return false;
		if (key < _LINE_KEY_MAX)
			ret->values[key] = (struct bytes){close + 2, (size_t)(p - close) - 2};
		if (*p == '}')
			return p + 1 == end;
		if (*p++ != ',')
			return false;
	}
}

static int rewrite(struct bytes text, struct arena *mem, struct bytes *ret,
		   char why[static LINE_WHY_SIZE])
{
	struct reader_line line = {};
	char *compact;

	if (reader_parse(text, &line) != READER_LINE) {
		memcpy(why, line.why, LINE_WHY_SIZE);
		json_decref(line.root);
		return 1;
	}
	compact = json_dumps(line.root, JSON_COMPACT | JSON_ENSURE_ASCII);
	json_decref(line.root);
	if (!compact)
		return -ENOMEM;
	*ret = arena_copy(mem, compact, strlen(compact));
	free(compact);
	return ret->p ? 0 : -ENOMEM;
}

int line_take(struct bytes text, struct arena *mem, struct line *ret,
	      char why[static LINE_WHY_SIZE])
{
	int r;

	if (line_split(text, ret) &&
	    (bytes_eq_str(ret->values[LINE_V], "2") || bytes_eq_str(ret->values[LINE_V], "1")) &&
	    line_word(ret, LINE_EVENT).p && line_word(ret, LINE_TIME).p)
		return 0;
	r = rewrite(text, mem, &text, why);
	if (r)
		return r;
	/* What the library has written, we can read. */
	return line_split(text, ret) ? 0 : -ENOMEM;
}

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
	const char *p, *end;
	struct bytes *list;
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
	p = raw.p + 1;
	end = raw.p + raw.len;
	while (*p != ']') {
		const char *close = value_end(p, end);
		int r;

		if (!close || close == end)
			return -EBADMSG;
		r = decode_string((struct bytes){p, (size_t)(close - p)}, mem, &list[n]);
		if (r < 0)
			return r;
		n++;
		p = close;
		if (*p == ',')
			p++;
		else if (*p != ']')
			return -EBADMSG;
	}
	*ret = list;
	*ret_n = n;
	return 0;
}
