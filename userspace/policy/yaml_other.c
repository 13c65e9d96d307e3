/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dates and binaries of YAML: checked as Python's datetime and base64 check them, and kept as the
 * text that str() and repr() give.
 */
#include <stdio.h>

#include "base/strbuf.h"
#include "policy/value_build.h"
#include "policy/yaml11.h"

int yaml_make_other(const struct yaml_build *b, struct value *v, bool is_true, const char *str,
		    const char *repr)
{
	v->type = VALUE_OTHER;
	v->is_true = is_true;
	v->text = arena_copy(b->mem, str, strlen(str));
	if (!v->text.p)
		return -ENOMEM;
	if (!repr)
		return 0;
	v->first = value_new(b->mem, VALUE_STRING, v->line, v->column);
	if (!v->first)
		return -ENOMEM;
	v->first->text = arena_copy(b->mem, repr, strlen(repr));
	return v->first->text.p ? 0 : -ENOMEM;
}

/* ---- timestamps */

struct timestamp {
	int year, month, day;
	bool has_short_date; /* a month or a day of one digit */
	bool has_time;
	int hour, minute, second, microsecond;
	bool has_zone;
	int zone; /* minutes */
};

/* From @min to @max digits. Return: behind them; NULL: too few. */
static const char *take_number(const char *p, int min, int max, int *ret)
{
	int n = 0;

	for (*ret = 0; n < max && p[n] >= '0' && p[n] <= '9'; n++)
		*ret = *ret * 10 + (p[n] - '0');
	return n >= min ? p + n : NULL;
}

static const char *take_char(const char *p, char c)
{
	return p && *p == c ? p + 1 : NULL;
}

/* Digits past the sixth do not count. */
static const char *take_fraction(const char *p, int *ret)
{
	int scale = 100000;

	for (*ret = 0; *p >= '0' && *p <= '9'; p++, scale /= 10)
		*ret += (*p - '0') * scale;
	return p;
}

/* (?:[ \t]*(?:Z|[-+]hh?(?::mm)?))? ; no time zone is no blanks either. */
static const char *take_zone(const char *p, struct timestamp *t)
{
	const char *start = p;
	int hours, minutes = 0;
	bool is_negative;

	p += strspn(p, " \t");
	if (*p == '\0')
		return start;
	t->has_zone = true;
	t->zone = 0;
	if (*p == 'Z')
		return p + 1;
	if (*p != '+' && *p != '-')
		return NULL;
	is_negative = *p == '-';
	p = take_number(p + 1, 1, 2, &hours);
	if (p && *p == ':')
		p = take_number(p + 1, 2, 2, &minutes);
	if (p)
		t->zone = (hours * 60 + minutes) * (is_negative ? -1 : 1);
	return p;
}

static const char *take_time(const char *p, struct timestamp *t)
{
	size_t blanks = strspn(p, " \t");

	t->has_time = true;
	if (blanks == 0 && *p != 't' && *p != 'T')
		return NULL;
	p = take_number(p + MAX(blanks, (size_t)1), 1, 2, &t->hour);
	p = take_char(p, ':');
	p = p ? take_number(p, 2, 2, &t->minute) : NULL;
	p = take_char(p, ':');
	p = p ? take_number(p, 2, 2, &t->second) : NULL;
	if (p && *p == '.')
		p = take_fraction(p + 1, &t->microsecond);
	return p ? take_zone(p, t) : NULL;
}

static bool parse_timestamp(const char *p, struct timestamp *t)
{
	const char *month, *day;

	*t = (struct timestamp){};
	month = take_char(take_number(p, 4, 4, &t->year), '-');
	p = month ? take_number(month, 1, 2, &t->month) : NULL;
	day = take_char(p, '-');
	p = day ? take_number(day, 1, 2, &t->day) : NULL;
	if (!p)
		return false;
	t->has_short_date = day - month < 3 || p - day < 2;
	if (*p != '\0')
		p = take_time(p, t);
	return p && *p == '\0';
}

bool yaml_is_timestamp(const char *text)
{
	struct timestamp t;

	return parse_timestamp(text, &t) && (t.has_time || !t.has_short_date);
}

static bool is_valid(const struct timestamp *t)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool is_leap = t->year % 4 == 0 && (t->year % 100 != 0 || t->year % 400 == 0);

	return t->year >= 1 && t->month >= 1 && t->month <= 12 && t->day >= 1 &&
	       t->day <= days[t->month - 1] + (t->month == 2 && is_leap) && t->hour <= 23 &&
	       t->minute <= 59 && t->second <= 59 && abs(t->zone) < 24 * 60;
}

static void format_time(const struct timestamp *t, struct strbuf *str, struct strbuf *repr)
{
	strbuf_add_fmt(str, " %02d:%02d:%02d", t->hour, t->minute, t->second);
	strbuf_add_fmt(repr, ", %d, %d", t->hour, t->minute);
	if (t->second || t->microsecond)
		strbuf_add_fmt(repr, ", %d", t->second);
	if (t->microsecond) {
		strbuf_add_fmt(str, ".%06d", t->microsecond);
		strbuf_add_fmt(repr, ", %d", t->microsecond);
	}
	if (!t->has_zone)
		return;
	strbuf_add_fmt(str, "%c%02d:%02d", t->zone < 0 ? '-' : '+', abs(t->zone) / 60,
		       abs(t->zone) % 60);
	/* A timedelta has days below zero, but no seconds. */
	if (t->zone == 0)
		strbuf_add_str(repr, ", tzinfo=datetime.timezone.utc");
	else if (t->zone > 0)
		strbuf_add_fmt(repr, ", tzinfo=datetime.timezone(datetime.timedelta(seconds=%d))",
			       t->zone * 60);
	else
		strbuf_add_fmt(
			repr, ", tzinfo=datetime.timezone(datetime.timedelta(days=-1, seconds=%d))",
			86400 + t->zone * 60);
}

int yaml_make_timestamp(const struct yaml_build *b, const struct yaml_node *n, struct bytes text,
			struct value *v)
{
	_cleanup_(strbuf_fini) struct strbuf str = STRBUF_INIT(256);
	_cleanup_(strbuf_fini) struct strbuf repr = STRBUF_INIT(256);
	const char *line = text.p;
	struct timestamp t;

	/* Python's '$' matches before a last newline, too. */
	if (text.len && text.p[text.len - 1] == '\n') {
		struct bytes copy = arena_copy(b->nodes, text.p, text.len - 1);

		if (!copy.p)
			return -ENOMEM;
		line = copy.p;
	}
	if (memchr(text.p, '\0', text.len) || !parse_timestamp(line, &t) || !is_valid(&t))
		return yaml_fail(b, n, "'%.*s' is no date that there is",
				 (int)MIN(text.len, (size_t)100), text.p);
	strbuf_add_fmt(&str, "%04d-%02d-%02d", t.year, t.month, t.day);
	strbuf_add_fmt(&repr, "datetime.date%s(%d, %d, %d", t.has_time ? "time" : "", t.year,
		       t.month, t.day);
	if (t.has_time) {
		strbuf_reset(&repr);
		strbuf_add_fmt(&repr, "datetime.datetime(%d, %d, %d", t.year, t.month, t.day);
		format_time(&t, &str, &repr);
	}
	strbuf_add_char(&repr, ')');
	if (strbuf_error(&str) || strbuf_error(&repr))
		return -ENOMEM;
	return yaml_make_other(b, v, true, strbuf_str(&str), strbuf_str(&repr));
}

/* ---- binaries */

static int base64_value(char c)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *found = c ? strchr(letters, c) : NULL;

	return found ? (int)(found - letters) : -1;
}

/* binascii.a2b_base64(): what is no letter is skipped, and the first whole padding ends it. */
static bool decode_base64(struct bytes text, struct strbuf *out)
{
	unsigned int quad = 0, pads = 0, left = 0;

	for (size_t i = 0; i < text.len; i++) {
		int value = base64_value(text.p[i]);

		if (text.p[i] == '=') {
			if (quad >= 2 && quad + ++pads >= 4)
				return true;
			continue;
		}
		if (value < 0)
			continue;
		pads = 0;
		left = left << 6 | (unsigned int)value;
		if (quad > 0)
			strbuf_add_char(out, (char)(left >> (6 - 2 * quad) & 0xff));
		quad = (quad + 1) % 4;
	}
	return quad == 0;
}

static void add_bytes_repr(struct strbuf *out, struct bytes data)
{
	bool has_single = data.len && memchr(data.p, '\'', data.len);
	bool has_double = data.len && memchr(data.p, '"', data.len);
	char quote = has_single && !has_double ? '"' : '\'';

	strbuf_add_char(out, 'b');
	strbuf_add_char(out, quote);
	for (size_t i = 0; i < data.len; i++) {
		unsigned char c = (unsigned char)data.p[i];
		static const char names[] = {['\t'] = 't', ['\n'] = 'n', ['\r'] = 'r'};

		if (c == (unsigned char)quote || c == '\\')
			strbuf_add_fmt(out, "\\%c", c);
		else if (c < sizeof(names) && names[c])
			strbuf_add_fmt(out, "\\%c", names[c]);
		else if (c < 0x20 || c >= 0x7f)
			strbuf_add_fmt(out, "\\x%02x", c);
		else
			strbuf_add_char(out, (char)c);
	}
	strbuf_add_char(out, quote);
}

int yaml_make_binary(const struct yaml_build *b, const struct yaml_node *n, struct bytes text,
		     struct value *v)
{
	_cleanup_(strbuf_fini) struct strbuf data = STRBUF_INIT(text.len + 1);
	_cleanup_(strbuf_fini) struct strbuf repr = STRBUF_INIT(text.len * 4 + 16);

	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.p[i] >= 0x80)
			return yaml_fail(b, n, "base64 is written in ASCII");
	if (!decode_base64(text, &data))
		return yaml_fail(b, n, "the base64 is cut off");
	add_bytes_repr(&repr, strbuf_bytes(&data));
	if (strbuf_error(&data) || strbuf_error(&repr))
		return -ENOMEM;
	return yaml_make_other(b, v, data.len > 0, strbuf_str(&repr), NULL);
}
