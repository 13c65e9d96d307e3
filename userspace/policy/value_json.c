/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON as CPython's json module reads it: strict (no control characters in strings), with NaN and
 * the infinities, and with \u escapes of lone surrogates.
 */
#include <stdlib.h>

#include "base/escape.h"
#include "policy/unicode.h"
#include "policy/value.h"
#include "policy/value_build.h"

struct reader {
	const char *start, *p, *end;
	struct arena *mem;
	struct diag *diag;
	size_t depth;
};

static unsigned column_of(const struct reader *r, const char *at)
{
	return (unsigned)(at - r->start) + 1;
}

static int fail(const struct reader *r, const char *at, const char *what)
{
	return diag_set(r->diag, "", 1, column_of(r, at), "not valid JSON: %s at byte %u", what,
			column_of(r, at));
}

static void skip_blanks(struct reader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r'))
		r->p++;
}

static bool take(struct reader *r, struct bytes word)
{
	if (!bytes_has_prefix((struct bytes){.p = r->p, .len = (size_t)(r->end - r->p)}, word))
		return false;
	r->p += word.len;
	return true;
}

static bool take_char(struct reader *r, char c)
{
	if (r->p == r->end || *r->p != c)
		return false;
	r->p++;
	return true;
}

static int make(struct reader *r, enum value_type type, const char *at, struct value **ret)
{
	*ret = value_new(r->mem, type, 1, column_of(r, at));
	return *ret ? 0 : -ENOMEM;
}

/* ---- strings */

/* Where the closing quote is; NULL: nowhere. */
static const char *find_quote(const struct reader *r)
{
	for (const char *p = r->p; p < r->end; p++) {
		if (*p == '"')
			return p;
		if (*p == '\\')
			p++;
	}
	return NULL;
}

/* Four hexadecimal digits. Return: their value, -1. */
static int hex4(const char *p, const char *end)
{
	int value = 0;

	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		char c = p[i];
		int digit;

		if (c >= '0' && c <= '9')
			digit = c - '0';
		else if (c >= 'a' && c <= 'f')
			digit = c - 'a' + 10;
		else if (c >= 'A' && c <= 'F')
			digit = c - 'A' + 10;
		else
			return -1;
		value = value << 4 | digit;
	}
	return value;
}

/* The character of a \u escape at r->p, behind the 'u'; a pair of surrogates is one. -1: none. */
static int32_t take_unicode(struct reader *r)
{
	int high = hex4(r->p, r->end), low;

	if (high < 0)
		return -1;
	r->p += 4;
	if (high < 0xd800 || high > 0xdbff || r->end - r->p < 6 || r->p[0] != '\\' ||
	    r->p[1] != 'u')
		return high;
	low = hex4(r->p + 2, r->end);
	if (low < 0xdc00 || low > 0xdfff)
		return high;
	r->p += 6;
	return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

/* r->p is behind the backslash. Writes at most three bytes for "\uXXXX", four for a pair: the text
 * never grows. */
static int take_escape(struct reader *r, char **out)
{
	static const char names[] = "\"\\/bfnrt";
	static const char values[] = "\"\\/\b\f\n\r\t";
	const char *at = r->p - 1;
	const char *found;
	int32_t c;

	if (take_char(r, 'u')) {
		c = take_unicode(r);
		if (c < 0)
			return fail(r, at, "an invalid \\uXXXX escape");
		*out += unicode_encode((uint32_t)c, *out);
		return 0;
	}
	found = *r->p ? strchr(names, *r->p) : NULL;
	if (!found)
		return fail(r, at, "an invalid escape");
	*(*out)++ = values[found - names];
	r->p++;
	return 0;
}

static int take_string(struct reader *r, struct value **ret)
{
	const char *at = r->p++;
	const char *quote = find_quote(r);
	char *text, *out;
	int error;

	if (!quote)
		return fail(r, at, "an unterminated string");
	error = make(r, VALUE_STRING, at, ret);
	if (error < 0)
		return error;
	out = text = arena_alloc(r->mem, (size_t)(quote - r->p) + 1);
	if (!text)
		return -ENOMEM;
	while (r->p < quote) {
		if ((unsigned char)*r->p < 0x20)
			return fail(r, r->p, "a control character in a string");
		if (*r->p != '\\') {
			*out++ = *r->p++;
			continue;
		}
		r->p++;
		error = take_escape(r, &out);
		if (error < 0)
			return error;
	}
	r->p = quote + 1;
	*out = '\0';
	arena_trim(r->mem, text, (size_t)(out - text) + 1);
	(*ret)->text = (struct bytes){.p = text, .len = (size_t)(out - text)};
	return 0;
}

/* ---- numbers and names */

static const char *skip_digits(const char *p, const char *end)
{
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p;
}

/* Behind the fraction and the exponent, where they are whole: "1.x" is 1 and a leftover. */
static const char *skip_fraction(const char *p, const char *end)
{
	const char *q;

	if (p < end && *p == '.' && skip_digits(p + 1, end) > p + 1)
		p = skip_digits(p + 1, end);
	if (p < end && (*p == 'e' || *p == 'E')) {
		q = p + 1;
		if (q < end && (*q == '+' || *q == '-'))
			q++;
		if (skip_digits(q, end) > q)
			p = skip_digits(q, end);
	}
	return p;
}

static int take_number(struct reader *r, struct value **ret)
{
	const char *at = r->p;
	const char *digits = at + (*at == '-');
	const char *whole, *stop;
	char *text;
	int error;

	whole = digits < r->end && *digits == '0' ? digits + 1 : skip_digits(digits, r->end);
	if (whole == digits)
		return fail(r, at, "no value where one is expected");
	stop = skip_fraction(whole, r->end);
	if (stop == whole && whole - digits > VALUE_MAX_DIGITS)
		return fail(r, at, "an integer of more than 4300 digits");
	error = make(r, VALUE_FLOAT, at, ret);
	if (error < 0)
		return error;
	text = arena_alloc(r->mem, (size_t)(stop - at) + 1);
	if (!text)
		return -ENOMEM;
	memcpy(text, at, (size_t)(stop - at));
	text[stop - at] = '\0';
	r->p = stop;
	if (stop == whole) {
		value_set_int(*ret, text);
		return 0;
	}
	(*ret)->number = strtod(text, NULL);
	arena_trim(r->mem, text, 0);
	return 0;
}

static const struct name {
	struct bytes word;
	enum value_type type;
	bool is_true;
	double number;
} names[] = {
	{{"null", 4}, VALUE_NULL, false, 0},
	{{"true", 4}, VALUE_BOOL, true, 0},
	{{"false", 5}, VALUE_BOOL, false, 0},
	{{"NaN", 3}, VALUE_FLOAT, false, __builtin_nan("")},
	{{"Infinity", 8}, VALUE_FLOAT, false, __builtin_inf()},
	{{"-Infinity", 9}, VALUE_FLOAT, false, -__builtin_inf()},
};

static int take_scalar(struct reader *r, struct value **ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *at = r->p;
		int error;

		if (!take(r, names[i].word))
			continue;
		error = make(r, names[i].type, at, ret);
		if (error < 0)
			return error;
		(*ret)->is_true = names[i].is_true;
		(*ret)->number = names[i].number;
		return 0;
	}
	if (r->p < r->end && (*r->p == '-' || (*r->p >= '0' && *r->p <= '9')))
		return take_number(r, ret);
	return fail(r, r->p, "no value where one is expected");
}

/* ---- lists and maps */

static int take_value(struct reader *r, struct value **ret);

static int take_items(struct reader *r, struct value *list)
{
	struct value **tail = &list->first;
	int error;

	skip_blanks(r);
	if (take_char(r, ']'))
		return 0;
	do {
		error = take_value(r, tail);
		if (error < 0)
			return error;
		tail = &(*tail)->next;
		list->n++;
		skip_blanks(r);
	} while (take_char(r, ','));
	return take_char(r, ']') ? 0 : fail(r, r->p, "no ',' or ']' where one is expected");
}

static int take_pair(struct reader *r, struct value ***tail)
{
	int error;

	skip_blanks(r);
	if (r->p == r->end || *r->p != '"')
		return fail(r, r->p, "no property name in double quotes where one is expected");
	error = take_string(r, *tail);
	if (error < 0)
		return error;
	*tail = &(**tail)->next;
	skip_blanks(r);
	if (!take_char(r, ':'))
		return fail(r, r->p, "no ':' where one is expected");
	error = take_value(r, *tail);
	if (error < 0)
		return error;
	*tail = &(**tail)->next;
	return 0;
}

static int take_pairs(struct reader *r, struct value *map)
{
	struct value **tail = &map->first;
	int error;

	skip_blanks(r);
	if (take_char(r, '}'))
		return 0;
	do {
		error = take_pair(r, &tail);
		if (error < 0)
			return error;
		skip_blanks(r);
	} while (take_char(r, ','));
	if (!take_char(r, '}'))
		return fail(r, r->p, "no ',' or '}' where one is expected");
	return value_map_close(map, NULL, NULL);
}

static int take_nested(struct reader *r, struct value **ret)
{
	bool is_map = *r->p == '{';
	int error;

	if (r->depth == VALUE_MAX_DEPTH)
		return fail(r, r->p, "lists and maps nested too deeply");
	error = make(r, is_map ? VALUE_MAP : VALUE_LIST, r->p, ret);
	if (error < 0)
		return error;
	r->p++;
	r->depth++;
	error = is_map ? take_pairs(r, *ret) : take_items(r, *ret);
	r->depth--;
	return error;
}

static int take_value(struct reader *r, struct value **ret)
{
	skip_blanks(r);
	if (r->p < r->end && *r->p == '"')
		return take_string(r, ret);
	if (r->p < r->end && (*r->p == '{' || *r->p == '['))
		return take_nested(r, ret);
	return take_scalar(r, ret);
}

/* A Python str holds characters: bytes that are none never reach its json module. */
static int check_utf8(const struct reader *r)
{
	for (const char *p = r->p; p < r->end;) {
		size_t n = utf8_decode(p, (size_t)(r->end - p), NULL);

		if (n == 0)
			return fail(r, p, "a byte that is not valid UTF-8");
		p += n;
	}
	return 0;
}

int value_parse_json(struct bytes text, struct arena *mem, struct value **ret, struct diag *d)
{
	struct reader r = {.start = text.p, .p = text.p, .mem = mem, .diag = d};
	struct value *root = NULL;
	int error;

	if (text.len > UINT32_MAX - 2)
		return diag_set(d, "", 0, 0, "the JSON text is too long");
	if (text.len)
		r.end = text.p + text.len;
	else
		r.start = r.p = r.end = "";
	error = check_utf8(&r);
	if (error < 0)
		return error;
	if (bytes_has_prefix(text, BYTES_LIT("\xef\xbb\xbf")))
		return fail(&r, r.p, "a byte order mark");
	error = take_value(&r, &root);
	if (error < 0)
		return error;
	skip_blanks(&r);
	if (r.p < r.end)
		return fail(&r, r.p, "more after the value");
	*ret = root;
	return 0;
}
