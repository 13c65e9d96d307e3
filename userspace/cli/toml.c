/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/escape.h"
#include "policy/policy.h"

#include "cli/toml.h"

#define TOML_MAX_KEYS   32 /* parts of one dotted key */
#define TOML_MAX_NUMBER 64

struct toml {
	const char *file;
	struct bytes text;
	size_t at;
	unsigned line;
	size_t line_start;
	unsigned depth;
	struct arena *mem;
	struct diag *diag;
};

struct key_path {
	struct bytes parts[TOML_MAX_KEYS];
	size_t n;
};

static int parse_value(struct toml *t, struct value **ret);

static int fail(const struct toml *t, const char *message)
{
	return diag_set(t->diag, t->file, t->line, (unsigned int)(t->at - t->line_start) + 1, "%s",
			message);
}

/* The next byte; a NUL at the end, which no valid document holds elsewhere. */
static char peek(const struct toml *t)
{
	return t->at < t->text.len ? t->text.p[t->at] : '\0';
}

static bool looking_at(const struct toml *t, const char *s)
{
	size_t n = strlen(s);

	return t->text.len - t->at >= n && memcmp(t->text.p + t->at, s, n) == 0;
}

static void new_line(struct toml *t)
{
	t->at++;
	t->line++;
	t->line_start = t->at;
}

static void skip_blanks(struct toml *t)
{
	while (peek(t) == ' ' || peek(t) == '\t')
		t->at++;
}

static void skip_comment(struct toml *t)
{
	skip_blanks(t);
	if (peek(t) == '#')
		while (t->at < t->text.len && peek(t) != '\n')
			t->at++;
	if (peek(t) == '\r' && looking_at(t, "\r\n"))
		t->at++;
}

/* Blanks, comments and line ends. */
static void skip_lines(struct toml *t)
{
	for (;;) {
		skip_comment(t);
		if (peek(t) != '\n')
			return;
		new_line(t);
	}
}

static int end_line(struct toml *t)
{
	skip_comment(t);
	if (t->at == t->text.len)
		return 0;
	if (peek(t) != '\n')
		return fail(t, "expected the end of the line");
	new_line(t);
	return 0;
}

static struct value *new_value(const struct toml *t, enum value_type type)
{
	struct value *v = arena_alloc(t->mem, sizeof(*v));

	if (v)
		*v = (struct value){.type = type,
				    .line = t->line,
				    .column = (unsigned int)(t->at - t->line_start) + 1};
	return v;
}

static int set_text(const struct toml *t, struct value *v, struct bytes text)
{
	v->text = arena_copy(t->mem, text.p, text.len);
	return v->text.p ? 0 : -ENOMEM;
}

/* ---- strings */

static int add_escape(struct toml *t, struct strbuf *out, bool is_multiline)
{
	static const char letters[] = "btnfre\"\\", values[] = "\b\t\n\f\r\033\"\\";
	char c = peek(t);
	const char *known = c ? strchr(letters, c) : NULL;
	size_t digits = c == 'u' ? 4 : c == 'U' ? 8 : 0;
	uint32_t code = 0;
	char utf8[4];

	if (known) {
		strbuf_add_char(out, values[known - letters]);
		t->at++;
		return 0;
	}
	if (is_multiline && (c == '\n' || c == ' ' || c == '\t' || c == '\r')) {
		skip_blanks(t);
		if (peek(t) == '\r')
			t->at++;
		if (peek(t) != '\n')
			return fail(t,
				    "a backslash is followed by an escape or the end of the line");
		while (peek(t) == '\n' || peek(t) == ' ' || peek(t) == '\t' || peek(t) == '\r') {
			if (peek(t) == '\n')
				new_line(t);
			else
				t->at++;
		}
		return 0;
	}
	if (!digits)
		return fail(
			t,
			"there is no such escape; use single quotes where backslashes are meant");
	t->at++;
	for (size_t i = 0; i < digits; i++, t->at++) {
		static const char hex[] = "0123456789abcdefABCDEF";
		const char *p = peek(t) ? strchr(hex, peek(t)) : NULL;

		if (!p)
			return fail(t, "expected a hexadecimal digit");
		code = code << 4 | (uint32_t)(p - hex < 16 ? p - hex : p - hex - 6);
	}
	if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
		return fail(t, "this is no Unicode character");
	strbuf_add(out, utf8, utf8_write(code, utf8));
	return 0;
}

/* @quote: '"' or '\''; a literal one has no escapes. */
static int parse_quoted(struct toml *t, struct bytes *ret)
{
	_cleanup_(strbuf_fini) struct strbuf out = STRBUF_INIT(POLICY_MAX_BYTES);
	const char quote = peek(t);
	const char triple[4] = {quote, quote, quote, '\0'};
	bool is_multiline = looking_at(t, triple);
	int r;

	t->at += is_multiline ? 3 : 1;
	if (is_multiline && peek(t) == '\r')
		t->at++;
	if (is_multiline && peek(t) == '\n')
		new_line(t);
	for (;;) {
		char c = peek(t);

		if (t->at >= t->text.len || (!is_multiline && c == '\n'))
			return fail(t, "this string has no end");
		if (is_multiline ? looking_at(t, triple) : c == quote)
			break;
		if (c == '\n') {
			strbuf_add_char(&out, c);
			new_line(t);
			continue;
		}
		if ((unsigned char)c < 0x20 && c != '\t' && c != '\r')
			return fail(t, "a control character in a string");
		t->at++;
		if (c == '\\' && quote == '"') {
			r = add_escape(t, &out, is_multiline);
			if (r < 0)
				return r;
			continue;
		}
		strbuf_add_char(&out, c);
	}
	t->at += is_multiline ? 3 : 1;
	/* Up to two quotes may stand right before the three that end it. */
	for (int i = 0; is_multiline && i < 2 && peek(t) == quote; i++, t->at++)
		strbuf_add_char(&out, quote);
	if (strbuf_error(&out))
		return strbuf_error(&out);
	*ret = arena_copy(t->mem, strbuf_str(&out), out.len);
	return ret->p ? 0 : -ENOMEM;
}

/* ---- keys */

static bool is_bare(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-';
}

static int parse_key(struct toml *t, struct key_path *ret)
{
	*ret = (struct key_path){};
	for (;;) {
		struct bytes part = {.p = t->text.p + t->at};
		int r = 0;

		skip_blanks(t);
		if (ret->n == TOML_MAX_KEYS)
			return fail(t, "a key of too many parts");
		if (peek(t) == '"' || peek(t) == '\'') {
			r = parse_quoted(t, &part);
		} else {
			part.p = t->text.p + t->at;
			while (is_bare(peek(t))) {
				t->at++;
				part.len++;
			}
			if (part.len == 0)
				return fail(t, "expected a key");
		}
		if (r < 0)
			return r;
		ret->parts[ret->n++] = part;
		skip_blanks(t);
		if (peek(t) != '.')
			return 0;
		t->at++;
	}
}

static struct value *find(const struct value *map, struct bytes key)
{
	for (struct value *k = map->first; k; k = k->next->next)
		if (bytes_eq(k->text, key))
			return k->next;
	return NULL;
}

static int add_pair(const struct toml *t, struct value *map, struct bytes key, struct value *v)
{
	struct value *k = new_value(t, VALUE_STRING);
	struct value **tail = &map->first;

	if (!k || set_text(t, k, key) < 0)
		return -ENOMEM;
	while (*tail)
		tail = &(*tail)->next;
	*tail = k;
	k->next = v;
	map->n++;
	return 0;
}

/* The table at @key below @map, made where it is missing; the last one of an array of tables. */
static int descend(struct toml *t, struct value *map, struct bytes key, struct value **ret)
{
	struct value *v = find(map, key);
	int r = 0;

	if (!v) {
		v = new_value(t, VALUE_MAP);
		if (!v)
			return -ENOMEM;
		r = add_pair(t, map, key, v);
	} else if (v->type == VALUE_LIST && v->first) {
		for (v = v->first; v->next; v = v->next)
			;
	}
	if (v->type != VALUE_MAP)
		return fail(t, "this key has a value that is no table");
	*ret = v;
	return r;
}

static int parse_pair(struct toml *t, struct value *map)
{
	struct key_path key;
	struct value *v = NULL;
	int r = parse_key(t, &key);

	if (r < 0)
		return r;
	for (size_t i = 0; i + 1 < key.n; i++) {
		r = descend(t, map, key.parts[i], &map);
		if (r < 0)
			return r;
	}
	if (find(map, key.parts[key.n - 1]))
		return fail(t, "this key stands twice");
	if (peek(t) != '=')
		return fail(t, "expected '=' after the key");
	t->at++;
	skip_blanks(t);
	r = parse_value(t, &v);
	return r < 0 ? r : add_pair(t, map, key.parts[key.n - 1], v);
}

/* ---- values */

static int parse_array(struct toml *t, struct value **ret)
{
	struct value *list = new_value(t, VALUE_LIST), **tail;

	if (!list)
		return -ENOMEM;
	tail = &list->first;
	t->at++;
	for (skip_lines(t); peek(t) != ']'; skip_lines(t)) {
		struct value *item = NULL;
		int r = parse_value(t, &item);

		if (r < 0)
			return r;
		*tail = item;
		tail = &item->next;
		list->n++;
		skip_lines(t);
		if (peek(t) == ',')
			t->at++;
		else if (peek(t) != ']')
			return fail(t, "expected ',' or ']'");
	}
	t->at++;
	*ret = list;
	return 0;
}

static int parse_inline_table(struct toml *t, struct value **ret)
{
	struct value *map = new_value(t, VALUE_MAP);

	if (!map)
		return -ENOMEM;
	t->at++;
	skip_blanks(t);
	while (peek(t) != '}') {
		int r = parse_pair(t, map);

		if (r < 0)
			return r;
		skip_blanks(t);
		if (peek(t) == ',')
			t->at++;
		else if (peek(t) != '}')
			return fail(t, "expected ',' or '}'");
		skip_blanks(t);
	}
	t->at++;
	*ret = map;
	return 0;
}

static bool is_date(struct bytes s)
{
	return (s.len >= 10 && s.p[4] == '-' && s.p[7] == '-') ||
	       (s.len >= 8 && s.p[2] == ':' && s.p[5] == ':');
}

/* A whole number without its sign, "0x" and the like included. Return: 0, -EINVAL, -ERANGE. */
static int parse_whole(const char *digits, uint64_t *ret)
{
	static const char hex[] = "0123456789abcdef";
	static const struct {
		char letter;
		unsigned base;
	} prefixes[] = {{'x', 16}, {'o', 8}, {'b', 2}};
	unsigned base = 10;

	for (size_t i = 0; digits[0] == '0' && i < ARRAY_SIZE(prefixes); i++)
		if (digits[1] == prefixes[i].letter)
			base = prefixes[i].base;
	if (base != 10)
		digits += 2;
	if (!*digits)
		return -EINVAL;
	*ret = 0;
	for (; *digits; digits++) {
		const char *p =
			strchr(hex, *digits >= 'A' && *digits <= 'F' ? *digits + 32 : *digits);

		if (!p || p - hex >= (ptrdiff_t)base)
			return -EINVAL;
		if (__builtin_mul_overflow(*ret, base, ret) ||
		    __builtin_add_overflow(*ret, (uint64_t)(p - hex), ret))
			return -ERANGE;
	}
	return *ret > INT64_MAX ? -ERANGE : 0;
}

static int parse_number(struct toml *t, struct bytes s, struct value *v)
{
	char text[TOML_MAX_NUMBER];
	bool is_negative = s.p[0] == '-';
	uint64_t whole = 0;
	size_t n = 0;
	char *end;
	int r;

	if (s.len >= sizeof(text))
		return fail(t, "a number of too many digits");
	for (size_t i = s.p[0] == '-' || s.p[0] == '+'; i < s.len; i++)
		if (s.p[i] != '_')
			text[n++] = s.p[i];
	text[n] = '\0';
	r = parse_whole(text, &whole);
	if (r == -ERANGE)
		return fail(t, "a whole number past 64 bits");
	if (r == 0) {
		v->type = VALUE_INT;
		v->number = is_negative ? -(double)whole : (double)whole;
		(void)snprintf(text, sizeof(text), "%s%llu", is_negative && whole ? "-" : "",
			       (unsigned long long)whole);
		return set_text(t, v, bytes_of(text));
	}
	v->type = VALUE_FLOAT;
	v->number = strtod(text, &end);
	if (is_negative)
		v->number = -v->number;
	return *end == '\0' && n ? 0 : fail(t, "expected a value; quote text");
}

static int parse_word(struct toml *t, struct value **ret)
{
	struct bytes s = {.p = t->text.p + t->at};
	struct value *v = new_value(t, VALUE_BOOL);
	int r;

	if (!v)
		return -ENOMEM;
	while (is_bare(peek(t)) || (peek(t) && strchr("+.:", peek(t)))) {
		t->at++;
		s.len++;
	}
	if (s.len == 0)
		return fail(t, "expected a value");
	*ret = v;
	if (bytes_eq_str(s, "true") || bytes_eq_str(s, "false")) {
		v->is_true = s.p[0] == 't';
		return 0;
	}
	if (!is_date(s))
		return parse_number(t, s, v);
	v->type = VALUE_OTHER;
	r = set_text(t, v, s);
	/* "1979-05-27 07:32:00": the time may stand after a blank. */
	if (r == 0 && peek(t) == ' ' && t->text.len - t->at > 8 && t->text.p[t->at + 3] == ':') {
		t->at++;
		while (is_bare(peek(t)) || (peek(t) && strchr("+.:", peek(t))))
			t->at++;
		s.len = (size_t)(t->text.p + t->at - s.p);
		r = set_text(t, v, s);
	}
	return r;
}

static int parse_value(struct toml *t, struct value **ret)
{
	char c = peek(t);
	int r;

	if (t->depth == VALUE_MAX_DEPTH)
		return fail(t, "nested too deep");
	t->depth++;
	if (c == '"' || c == '\'') {
		*ret = new_value(t, VALUE_STRING);
		r = *ret ? parse_quoted(t, &(*ret)->text) : -ENOMEM;
	} else if (c == '[') {
		r = parse_array(t, ret);
	} else if (c == '{') {
		r = parse_inline_table(t, ret);
	} else {
		r = parse_word(t, ret);
	}
	t->depth--;
	return r;
}

/* "[a.b]" and "[[a.b]]" */
static int parse_header(struct toml *t, struct value *root, struct value **ret)
{
	bool is_array = looking_at(t, "[[");
	struct value *map = root, *list, **tail;
	struct key_path key;
	struct bytes last;
	int r;

	t->at += is_array ? 2 : 1;
	r = parse_key(t, &key);
	if (r < 0)
		return r;
	if (!looking_at(t, is_array ? "]]" : "]"))
		return fail(t, is_array ? "expected ']]'" : "expected ']'");
	t->at += is_array ? 2 : 1;
	for (size_t i = 0; i + 1 < key.n; i++) {
		r = descend(t, map, key.parts[i], &map);
		if (r < 0)
			return r;
	}
	last = key.parts[key.n - 1];
	if (!is_array)
		return descend(t, map, last, ret);
	list = find(map, last);
	if (!list) {
		list = new_value(t, VALUE_LIST);
		if (!list || add_pair(t, map, last, list) < 0)
			return -ENOMEM;
	}
	if (list->type != VALUE_LIST)
		return fail(t, "this key has a value that is no array of tables");
	*ret = new_value(t, VALUE_MAP);
	if (!*ret)
		return -ENOMEM;
	for (tail = &list->first; *tail; tail = &(*tail)->next)
		;
	*tail = *ret;
	list->n++;
	return 0;
}

int toml_parse(const char *file, struct bytes text, struct arena *mem, struct value **ret,
	       struct diag *d)
{
	struct toml t = {.file = file, .text = text, .line = 1, .mem = mem, .diag = d};
	struct value *root = new_value(&t, VALUE_MAP), *map = root;
	int r = root ? 0 : -ENOMEM;

	for (skip_lines(&t); r == 0 && t.at < text.len; skip_lines(&t)) {
		if (peek(&t) == '[')
			r = parse_header(&t, root, &map);
		else
			r = parse_pair(&t, map);
		if (r == 0)
			r = end_line(&t);
	}
	*ret = root;
	return r;
}
