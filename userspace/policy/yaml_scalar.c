/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The implicit types of YAML 1.1, as PyYAML 6.0's resolver tells them, and the constructors of
 * null, bool, int and float. yaml_other.c has dates and binaries.
 */
#include <math.h>
#include <stdio.h>

#include "policy/bigint.h"
#include "policy/pytext.h"
#include "policy/value_build.h"
#include "policy/yaml11.h"

#define DIGITS "0123456789"

static const char tag_prefix[] = "tag:yaml.org,2002:";
static const char *const tag_names[_YAML_TAG_MAX] = {
	[YAML_TAG_NULL] = "null",     [YAML_TAG_BOOL] = "bool",
	[YAML_TAG_INT] = "int",       [YAML_TAG_FLOAT] = "float",
	[YAML_TAG_BINARY] = "binary", [YAML_TAG_TIMESTAMP] = "timestamp",
	[YAML_TAG_OMAP] = "omap",     [YAML_TAG_PAIRS] = "pairs",
	[YAML_TAG_SET] = "set",       [YAML_TAG_STR] = "str",
	[YAML_TAG_SEQ] = "seq",       [YAML_TAG_MAP] = "map",
	[YAML_TAG_MERGE] = "merge",   [YAML_TAG_VALUE] = "value",
};

enum yaml_tag yaml_tag_of(const char *text)
{
	if (strncmp(text, tag_prefix, sizeof(tag_prefix) - 1) != 0)
		return YAML_TAG_UNKNOWN;
	text += sizeof(tag_prefix) - 1;
	for (unsigned int i = 0; i < YAML_TAG_UNKNOWN; i++)
		if (streq(text, tag_names[i]))
			return (enum yaml_tag)i;
	return YAML_TAG_UNKNOWN;
}

/* ---- the resolver's expressions */

static const char *skip(const char *p, const char *set)
{
	return p + strspn(p, set);
}

static const char *skip_sign(const char *p)
{
	return p + (*p == '+' || *p == '-');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_one_of(const char *text, const char *const *words)
{
	for (; *words; words++)
		if (streq(text, *words))
			return true;
	return false;
}

/* (?::[0-5]?[0-9])+ ; NULL: not there */
static const char *skip_sixties(const char *p)
{
	const char *start = p;

	while (*p == ':' && is_digit(p[1])) {
		if (!is_digit(p[2]))
			p += 2;
		else if (p[1] <= '5')
			p += 3;
		else
			return NULL;
	}
	return p == start ? NULL : p;
}

/* (?:[eE][-+][0-9]+)?$ */
static bool is_exponent(const char *p)
{
	if (*p == '\0')
		return true;
	if ((*p != 'e' && *p != 'E') || (p[1] != '-' && p[1] != '+') || !is_digit(p[2]))
		return false;
	return *skip(p + 2, DIGITS) == '\0';
}

static bool is_float(const char *text)
{
	static const char *const infinities[] = {".inf", ".Inf", ".INF", NULL};
	static const char *const nans[] = {".nan", ".NaN", ".NAN", NULL};
	const char *p = skip_sign(text);

	if (is_one_of(p, infinities) || is_one_of(text, nans))
		return true;
	if (*text == '.')
		return is_digit(text[1]) && is_exponent(skip(text + 1, DIGITS "_"));
	if (!is_digit(*p))
		return false;
	p = skip(p, DIGITS "_");
	if (*p == '.')
		return is_exponent(skip(p + 1, DIGITS "_"));
	p = skip_sixties(p);
	return p && *p == '.' && *skip(p + 1, DIGITS "_") == '\0';
}

static bool is_int(const char *text)
{
	const char *p = skip_sign(text);

	if (p[0] == '0' && p[1] == 'b')
		return p[2] && *skip(p + 2, "01_") == '\0';
	if (p[0] == '0' && p[1] == 'x')
		return p[2] && *skip(p + 2, DIGITS "abcdefABCDEF_") == '\0';
	if (p[0] == '0')
		return *skip(p + 1, "01234567_") == '\0';
	if (!is_digit(*p))
		return false;
	p = skip(p, DIGITS "_");
	if (*p == ':')
		p = skip_sixties(p);
	return p && *p == '\0';
}

enum yaml_tag yaml_resolve(struct bytes text)
{
	static const char *const booleans[] = {
		"yes",   "Yes",   "YES", "no", "No", "NO",  "true", "True", "TRUE", "false",
		"False", "FALSE", "on",  "On", "ON", "off", "Off",  "OFF",  NULL};
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
	_cleanup_(freep) char *line = NULL;
	const char *p = text.p;

	if (memchr(p, '\0', text.len))
		return YAML_TAG_STR;
	/* Python's '$' matches before a last newline, too. */
	if (text.len > 1 && p[text.len - 1] == '\n') {
		line = strndup(p, text.len - 1);
		p = line ? line : p;
	}
	if (is_one_of(p, booleans))
		return YAML_TAG_BOOL;
	if (is_float(p))
		return YAML_TAG_FLOAT;
	if (is_int(p))
		return YAML_TAG_INT;
	if (streq(p, "<<"))
		return YAML_TAG_MERGE;
	if (is_one_of(p, nulls))
		return YAML_TAG_NULL;
	if (yaml_is_timestamp(p))
		return YAML_TAG_TIMESTAMP;
	return streq(p, "=") ? YAML_TAG_VALUE : YAML_TAG_STR;
}

/* ---- constructors */

static int fail(const struct yaml_build *b, const struct yaml_node *n, const char *what,
		struct bytes text)
{
	return yaml_fail(b, n, "'%.*s' is no %s", (int)MIN(text.len, (size_t)100), text.p, what);
}

int yaml_make_bool(const struct yaml_build *b, const struct yaml_node *n, struct bytes text,
		   struct value *v)
{
	static const char *const words[] = {"no", "yes", "false", "true", "off", "on"};

	v->type = VALUE_BOOL;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (text.len == strlen(words[i]) && strcasecmp(text.p, words[i]) == 0) {
			v->is_true = i % 2;
			return 0;
		}
	return fail(b, n, "boolean", text);
}

/* Without its underscores, in @b's arena. */
static char *without_underscores(const struct yaml_build *b, struct bytes text)
{
	char *copy = arena_alloc(b->nodes, text.len + 1), *to = copy;

	if (!copy)
		return NULL;
	for (size_t i = 0; i < text.len; i++)
		if (text.p[i] != '_')
			*to++ = text.p[i];
	*to = '\0';
	return copy;
}

/* int(text, base) of Python, into @out (multiplied by the base's power, and added). */
static bool read_digits(const char *text, unsigned base, struct bigint *out, bool *ret_negative)
{
	_cleanup_(strbuf_fini) struct strbuf ascii = STRBUF_INIT(SIZE_MAX / 2);
	const char *p;
	char prefix;

	py_add_ascii(&ascii, bytes_of(text));
	while (ascii.len && strchr(" \t\n\v\f\r", ascii.p[ascii.len - 1]))
		strbuf_truncate(&ascii, ascii.len - 1);
	p = skip(strbuf_str(&ascii), " \t\n\v\f\r");
	if (*p == '-')
		*ret_negative = !*ret_negative;
	p = skip_sign(p);
	prefix = base == 16 ? 'x' : base == 8 ? 'o' : base == 2 ? 'b' : '\0';
	if (prefix && p[0] == '0' && (p[1] | 0x20) == prefix)
		p += 2;
	return bigint_read(out, p, base);
}

/* "190:20:30" is a number of base 60. */
static bool read_sixties(char *text, struct bigint *out)
{
	bigint_set(out, 0);
	for (char *part = text; part;) {
		struct bigint digit;
		bool is_negative = false;
		char *colon = strchr(part, ':');

		if (colon)
			*colon = '\0';
		if (!read_digits(part, 10, &digit, &is_negative) || is_negative ||
		    !bigint_multiply(out, 60) || !bigint_add(out, &digit))
			return false;
		part = colon ? colon + 1 : NULL;
	}
	return true;
}

/* Decimal digits alone need no arithmetic. */
static bool is_short_decimal(const char *p)
{
	size_t n = strspn(p, DIGITS);

	return n > 0 && n <= VALUE_MAX_DIGITS && p[n] == '\0' && (p[0] != '0' || n == 1);
}

static bool read_int(char *p, struct bigint *ret, bool *ret_negative)
{
	if (p[0] == '0' && p[1] == 'b')
		return read_digits(p + 2, 2, ret, ret_negative);
	if (p[0] == '0' && p[1] == 'x')
		return read_digits(p + 2, 16, ret, ret_negative);
	if (p[0] == '0' && p[1])
		return read_digits(p, 8, ret, ret_negative);
	if (strchr(p, ':'))
		return read_sixties(p, ret);
	return read_digits(p, 10, ret, ret_negative);
}

int yaml_make_int(const struct yaml_build *b, const struct yaml_node *n, struct bytes text,
		  struct value *v)
{
	char *p = without_underscores(b, text), *digits;
	bool is_negative;
	struct bigint big;

	if (!p)
		return -ENOMEM;
	is_negative = *p == '-';
	p += *p == '-' || *p == '+';
	digits = arena_alloc(b->mem, BIGINT_TEXT_SIZE);
	if (!digits)
		return -ENOMEM;
	digits[0] = '-';
	if (memchr(text.p, '\0', text.len))
		return fail(b, n, "integer", text);
	if (is_short_decimal(p))
		memcpy(digits + 1, p, strlen(p) + 1);
	else if (read_int(p, &big, &is_negative))
		(void)bigint_format(&big, digits + 1);
	else
		return fail(b, n, "integer of at most 4300 digits", text);
	arena_trim(b->mem, digits, strlen(digits) + 1);
	value_set_int(v, is_negative ? digits : digits + 1);
	return 0;
}

/* The sum, from the last part, of each times its power of 60 as the nearest double. */
static bool read_float_sixties(char *text, double *ret)
{
	char digits[BIGINT_TEXT_SIZE];
	struct bigint base;
	char *colon;

	*ret = 0;
	bigint_set(&base, 1);
	do {
		double part, power;

		colon = strrchr(text, ':');
		if (py_float(bytes_of(colon ? colon + 1 : text), &part) < 0)
			return false;
		(void)bigint_format(&base, digits);
		power = strtod(digits, NULL);
		if (isinf(power))
			return false;
		*ret += part * power;
		if (colon)
			*colon = '\0';
	} while (colon && bigint_multiply(&base, 60));
	return true;
}

int yaml_make_float(const struct yaml_build *b, const struct yaml_node *n, struct bytes text,
		    struct value *v)
{
	char *p = without_underscores(b, text);
	double sign = 1;
	bool ok = true;

	if (!p)
		return -ENOMEM;
	v->type = VALUE_FLOAT;
	if (*p == '-')
		sign = -1;
	p += *p == '-' || *p == '+';
	if (memchr(text.p, '\0', text.len))
		ok = false;
	else if (strcasecmp(p, ".inf") == 0)
		v->number = INFINITY;
	else if (strcasecmp(p, ".nan") == 0)
		v->number = (double)NAN;
	else if (strchr(p, ':'))
		ok = read_float_sixties(p, &v->number);
	else
		ok = py_float(bytes_of(p), &v->number) == 0;
	v->number *= sign;
	return ok ? 0 : fail(b, n, "number", text);
}
