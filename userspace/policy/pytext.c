/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Python's text forms of values. Floats go through printf() and strtod(): glibc's are correctly
 * rounded for any number of digits, as CPython's own are. Holdfast never sets LC_NUMERIC, so the
 * decimal point is a point.
 */
#include <float.h>
#include <math.h>
#include <stdio.h>

#include "policy/pytext.h"
#include "policy/unicode.h"

/* A double has at most 17 significant digits that tell. */
#define MAX_PRECISION 16
/* The longest "%.*f" of a double that round() needs: 309 digits, and its smallest bit's 1074. */
#define FIXED_MAX (DBL_MAX_10_EXP + 1074 + 8)

/* ---- numbers */

/* "nan" has no sign in Python. */
static bool add_special(struct strbuf *out, double v)
{
	if (isnan(v))
		strbuf_add_str(out, "nan");
	else if (isinf(v))
		strbuf_add_str(out, v < 0 ? "-inf" : "inf");
	else
		return false;
	return true;
}

/* One more in the last place of the digits of "d.ddde+xx": the caller knows that none carries out.
 */
static bool increment_last(char *text)
{
	char *last = strchr(text, 'e') - 1;

	if (*last < '0' || *last >= '9')
		return false;
	(*last)++;
	return true;
}

/*
 * The fewest digits that read back as @v (positive), as "d.ddde+xx". Below a power of two doubles
 * lie twice as dense, so there the nearest decimal may be too far down while the next one up still
 * reads back.
 */
static void shortest(double v, char *text, size_t size)
{
	int exponent;
	bool is_power = frexp(v, &exponent) == 0.5;

	for (int precision = 0; precision <= MAX_PRECISION; precision++) {
		(void)snprintf(text, size, "%.*e", precision, v);
		if (strtod(text, NULL) == v)
			return;
		if (is_power && increment_last(text) && strtod(text, NULL) == v)
			return;
	}
}

static void add_digits(struct strbuf *out, const char *digits, size_t n, int exponent)
{
	if (exponent < -4 || exponent >= 16) {
		strbuf_add_char(out, digits[0]);
		if (n > 1)
			strbuf_add_char(out, '.');
		strbuf_add(out, digits + 1, n - 1);
		strbuf_add_fmt(out, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
		return;
	}
	if (exponent < 0) {
		strbuf_add_str(out, "0.");
		for (int i = exponent + 1; i < 0; i++)
			strbuf_add_char(out, '0');
		strbuf_add(out, digits, n);
		return;
	}
	for (size_t i = 0; i < MAX(n, (size_t)exponent + 2); i++) {
		if (i == (size_t)exponent + 1)
			strbuf_add_char(out, '.');
		strbuf_add_char(out, i < n ? digits[i] : '0');
	}
}

void py_add_float(struct strbuf *out, double v)
{
	char text[48], digits[MAX_PRECISION + 2];
	int exponent, sign;
	size_t n = 0;
	char *e;

	if (add_special(out, v))
		return;
	if (signbit(v))
		strbuf_add_char(out, '-');
	if (v == 0) {
		strbuf_add_str(out, "0.0");
		return;
	}
	shortest(fabs(v), text, sizeof(text));
	e = strchr(text, 'e');
	for (const char *p = text; p < e; p++)
		if (*p != '.')
			digits[n++] = *p;
	while (n > 1 && digits[n - 1] == '0')
		n--;
	sign = e[1] == '-' ? -1 : 1;
	exponent = 0;
	for (const char *p = e + 2; *p; p++)
		exponent = exponent * 10 + (*p - '0');
	add_digits(out, digits, n, sign * exponent);
}

void py_add_fixed(struct strbuf *out, double v, int digits)
{
	if (!add_special(out, v))
		strbuf_add_fmt(out, "%.*f", digits, v);
}

/* round() to tens, hundreds, ...: "%.*e" rounds at the right place as long as a digit is left. */
static double round_left(double v, int digits)
{
	char text[FIXED_MAX];
	double half, unit;
	int exponent;

	(void)snprintf(text, sizeof(text), "%.17e", v);
	exponent = (int)strtod(strchr(text, 'e') + 1, NULL);
	if (exponent + digits >= 0) {
		(void)snprintf(text, sizeof(text), "%.*e", exponent + digits, v);
		return strtod(text, NULL);
	}
	if (exponent + digits < -1)
		return copysign(0, v);
	(void)snprintf(text, sizeof(text), "5e%d", -digits - 1);
	half = strtod(text, NULL);
	(void)snprintf(text, sizeof(text), "1e%d", -digits);
	unit = strtod(text, NULL);
	return copysign(fabs(v) > half ? unit : 0, v);
}

double py_round(double v, int digits)
{
	char text[FIXED_MAX];

	if (!isfinite(v) || v == 0)
		return v;
	/* CPython's own bounds: past them nothing changes, or nothing is left. */
	if (digits > (DBL_MANT_DIG - DBL_MIN_EXP) * 30103 / 100000)
		return v;
	if (digits < -(DBL_MAX_EXP + 1) * 30103 / 100000)
		return copysign(0, v);
	if (digits < 0)
		return round_left(v, digits);
	(void)snprintf(text, sizeof(text), "%.*f", digits, v);
	return strtod(text, NULL);
}

/* ---- float(text) */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_ascii_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

void py_add_ascii(struct strbuf *out, struct bytes text)
{
	for (size_t i = 0; i < text.len;) {
		uint32_t c;
		int digit;

		i += unicode_decode(text.p + i, text.len - i, &c);
		digit = unicode_decimal(c);
		if (c < 0x7f)
			strbuf_add_char(out, (char)c);
		else if (unicode_is_space(c))
			strbuf_add_char(out, ' ');
		else
			strbuf_add_char(out, digit >= 0 ? (char)('0' + digit) : '?');
	}
}

/* Underscores stand between digits only. Return: false when one does not. */
static bool drop_underscores(char *text)
{
	char previous = '\0';
	char *to = text;

	for (const char *p = text; *p; p++) {
		if (*p == '_' && !is_digit(previous))
			return false;
		if (*p != '_') {
			if (previous == '_' && !is_digit(*p))
				return false;
			*to++ = *p;
		}
		previous = *p;
	}
	*to = '\0';
	return previous != '_';
}

/* [+-] digits [. digits] [e [+-] digits], with a digit before or after the point. */
static bool is_decimal_number(const char *p)
{
	size_t before, after = 0;

	p += *p == '+' || *p == '-';
	before = strspn(p, "0123456789");
	p += before;
	if (*p == '.') {
		after = strspn(++p, "0123456789");
		p += after;
	}
	if (before + after == 0)
		return false;
	if (*p == 'e' || *p == 'E') {
		p++;
		p += *p == '+' || *p == '-';
		if (!is_digit(*p))
			return false;
		p += strspn(p, "0123456789");
	}
	return *p == '\0';
}

static bool parse_special(const char *p, double *ret)
{
	bool is_negative = *p == '-';

	p += *p == '+' || *p == '-';
	if (strcasecmp(p, "inf") == 0 || strcasecmp(p, "infinity") == 0)
		*ret = is_negative ? -INFINITY : INFINITY;
	else if (strcasecmp(p, "nan") == 0)
		*ret = is_negative ? -(double)NAN : (double)NAN;
	else
		return false;
	return true;
}

int py_float(struct bytes text, double *ret)
{
	_cleanup_(strbuf_fini) struct strbuf ascii = STRBUF_INIT(text.len + 1);
	char *p;

	py_add_ascii(&ascii, text);
	if (strbuf_error(&ascii) || ascii.len == 0)
		return -EINVAL;
	while (ascii.len && is_ascii_blank(ascii.p[ascii.len - 1]))
		strbuf_truncate(&ascii, ascii.len - 1);
	p = ascii.p;
	while (is_ascii_blank(*p))
		p++;
	if (memchr(ascii.p, '\0', ascii.len) || !drop_underscores(p))
		return -EINVAL;
	if (parse_special(p, ret))
		return 0;
	if (!is_decimal_number(p))
		return -EINVAL;
	*ret = strtod(p, NULL);
	return 0;
}

/* ---- text */

struct bytes py_strip(struct bytes text)
{
	uint32_t c;
	size_t n;

	while (text.len) {
		n = unicode_decode(text.p, text.len, &c);
		if (!unicode_is_space(c))
			break;
		text.p += n;
		text.len -= n;
	}
	while (text.len) {
		n = 1;
		while (n < MIN(text.len, (size_t)4) && (text.p[text.len - n] & 0xc0) == 0x80)
			n++;
		if (unicode_decode(text.p + text.len - n, n, &c) != n || !unicode_is_space(c))
			break;
		text.len -= n;
	}
	return text;
}

static bool is_cased_before(struct bytes text, size_t at)
{
	while (at > 0) {
		size_t start = at - 1;
		uint32_t c;

		while (start > 0 && at - start < 4 && (text.p[start] & 0xc0) == 0x80)
			start--;
		if (unicode_decode(text.p + start, at - start, &c) != at - start)
			return false;
		if (!unicode_is_case_ignorable(c))
			return unicode_is_cased(c);
		at = start;
	}
	return false;
}

static bool is_cased_after(struct bytes text, size_t at)
{
	while (at < text.len) {
		uint32_t c;

		at += unicode_decode(text.p + at, text.len - at, &c);
		if (!unicode_is_case_ignorable(c))
			return unicode_is_cased(c);
	}
	return false;
}

#define CAPITAL_SIGMA      0x3a3
#define SMALL_FINAL_SIGMA  0x3c2
#define CAPITAL_I_WITH_DOT 0x130

void py_add_lower(struct strbuf *out, struct bytes text)
{
	for (size_t i = 0; i < text.len;) {
		char utf8[4];
		uint32_t c, lower;
		size_t n = unicode_decode(text.p + i, text.len - i, &c);

		lower = unicode_lower(c);
		if (c == CAPITAL_SIGMA && is_cased_before(text, i) && !is_cased_after(text, i + n))
			lower = SMALL_FINAL_SIGMA;
		if (c == CAPITAL_I_WITH_DOT)
			strbuf_add_str(out, "i\xcc\x87");
		else if (lower == c)
			strbuf_add(out, text.p + i, n);
		else
			strbuf_add(out, utf8, unicode_encode(lower, utf8));
		i += n;
	}
}

static void add_escaped(struct strbuf *out, uint32_t c)
{
	if (c < 0x100)
		strbuf_add_fmt(out, "\\x%02x", c);
	else if (c < 0x10000)
		strbuf_add_fmt(out, "\\u%04x", c);
	else
		strbuf_add_fmt(out, "\\U%08x", c);
}

static void add_text_repr(struct strbuf *out, struct bytes text)
{
	bool has_single = text.len && memchr(text.p, '\'', text.len);
	bool has_double = text.len && memchr(text.p, '"', text.len);
	char quote = has_single && !has_double ? '"' : '\'';

	strbuf_add_char(out, quote);
	for (size_t i = 0; i < text.len;) {
		uint32_t c;
		size_t n = unicode_decode(text.p + i, text.len - i, &c);

		if (c == (unsigned char)quote || c == '\\') {
			strbuf_add_char(out, '\\');
			strbuf_add_char(out, (char)c);
		} else if (c == '\n') {
			strbuf_add_str(out, "\\n");
		} else if (c == '\r') {
			strbuf_add_str(out, "\\r");
		} else if (c == '\t') {
			strbuf_add_str(out, "\\t");
		} else if (unicode_is_printable(c)) {
			strbuf_add(out, text.p + i, n);
		} else {
			add_escaped(out, c);
		}
		i += n;
	}
	strbuf_add_char(out, quote);
}

/* ---- values */

static void add_list(struct strbuf *out, const struct value *list)
{
	strbuf_add_char(out, '[');
	for (const struct value *v = list->first; v; v = v->next) {
		if (v != list->first)
			strbuf_add_str(out, ", ");
		py_add_repr(out, v);
	}
	strbuf_add_char(out, ']');
}

static void add_map(struct strbuf *out, const struct value *map)
{
	strbuf_add_char(out, '{');
	for (const struct value *key = map->first; key; key = key->next->next) {
		if (key != map->first)
			strbuf_add_str(out, ", ");
		py_add_repr(out, key);
		strbuf_add_str(out, ": ");
		py_add_repr(out, key->next);
	}
	strbuf_add_char(out, '}');
}

void py_add_repr(struct strbuf *out, const struct value *v)
{
	switch (v->type) {
	case VALUE_NULL:
		strbuf_add_str(out, "None");
		return;
	case VALUE_BOOL:
		strbuf_add_str(out, v->is_true ? "True" : "False");
		return;
	case VALUE_INT:
		strbuf_add_bytes(out, v->text);
		return;
	case VALUE_FLOAT:
		py_add_float(out, v->number);
		return;
	case VALUE_STRING:
		add_text_repr(out, v->text);
		return;
	case VALUE_LIST:
		add_list(out, v);
		return;
	case VALUE_MAP:
		add_map(out, v);
		return;
	case VALUE_OTHER:
		strbuf_add_bytes(out, v->first ? v->first->text : v->text);
		return;
	}
}

void py_add_str(struct strbuf *out, const struct value *v)
{
	if (v->type == VALUE_STRING || v->type == VALUE_OTHER)
		strbuf_add_bytes(out, v->text);
	else
		py_add_repr(out, v);
}
