/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens, names and escapes of Python patterns. */
#include "policy/pyregex_int.h"

struct pytoken pyparse_peek(const struct pyparse *p)
{
	if (p->pos >= p->len)
		return (struct pytoken){.is_end = true};
	/* There is one: a pattern that ends in half an escape never gets here. */
	if (p->pattern[p->pos] == '\\')
		return (struct pytoken){.c = p->pattern[p->pos + 1], .is_escape = true};
	return (struct pytoken){.c = p->pattern[p->pos]};
}

struct pytoken pyparse_next(struct pyparse *p)
{
	struct pytoken t = pyparse_peek(p);

	if (!t.is_end)
		p->pos += t.is_escape ? 2 : 1;
	return t;
}

bool pyparse_accept(struct pyparse *p, char c)
{
	if (!pytoken_is(pyparse_peek(p), c))
		return false;
	p->pos++;
	return true;
}

int pyparse_until(struct pyparse *p, char terminator, const char *what, struct pyslice *ret)
{
	size_t start = p->pos;

	for (;;) {
		struct pytoken t = pyparse_next(p);
		size_t len = p->pos - start;

		if (t.is_end && len == 0)
			return pyparse_refuse(p, start, "missing %s", what);
		if (t.is_end)
			return pyparse_refuse(p, start, "missing %c, unterminated name",
					      terminator);
		if (!pytoken_is(t, terminator))
			continue;
		if (len == 1)
			return pyparse_refuse(p, start, "missing %s", what);
		*ret = (struct pyslice){.start = start, .len = len - 1};
		return 0;
	}
}

static bool is_in(const struct pyregex_range *ranges, size_t n, uint32_t c)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (c > ranges[middle].last)
			low = middle + 1;
		else if (c < ranges[middle].first)
			high = middle;
		else
			return true;
	}
	return false;
}

bool pyparse_is_identifier(const struct pyparse *p, struct pyslice name)
{
	for (size_t i = 0; i < name.len; i++) {
		uint32_t c = p->pattern[name.start + i];

		if (is_in(pyregex_id_start, pyregex_id_start_n, c))
			continue;
		if (i == 0 || !is_in(pyregex_id_continue, pyregex_id_continue_n, c))
			return false;
	}
	return name.len > 0;
}

/* Return: 0 to 9, or -1. */
static int digit_value(uint32_t c)
{
	for (size_t i = 0; i < pyregex_zeros_n; i++)
		for (uint32_t zero = pyregex_zeros[i].first; zero <= pyregex_zeros[i].last; zero++)
			if (c >= zero && c <= zero + 9)
				return (int)(c - zero);
	return -1;
}

/* What int() strips: not the separators \x1c to \x1f, though str.isspace() has them. */
static bool is_stripped(uint32_t c)
{
	return (c >= '\t' && c <= '\r') || c == ' ' || c == 0x85 || c == 0xa0 || c == 0x1680 ||
	       (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
	       c == 0x205f || c == 0x3000;
}

bool pyparse_number(const struct pyparse *p, struct pyslice text, uint64_t *ret)
{
	const uint32_t *s = p->pattern + text.start, *end = s + text.len;
	bool negative = false, after_digit = false;
	uint64_t n = 0;

	while (s < end && is_stripped(*s))
		s++;
	while (s < end && is_stripped(end[-1]))
		end--;
	if (s < end && (*s == '+' || *s == '-'))
		negative = *s++ == '-';
	for (; s < end; s++) {
		int digit = digit_value(*s);

		if (digit < 0 && (*s != '_' || !after_digit))
			return false;
		after_digit = digit >= 0;
		if (digit >= 0)
			n = MIN(n * 10 + (uint64_t)digit, PY_REPEAT_MAX);
	}
	*ret = n;
	return after_digit && (!negative || n == 0);
}

static int digit_in_base(uint32_t c, uint32_t base)
{
	uint32_t v = base;

	if (py_is_digit(c))
		v = c - '0';
	else if (py_is_letter(c))
		v = (c | 0x20) - 'a' + 10;
	return v < base ? (int)v : -1;
}

/* Reads at most @max digits. Return: how many. */
static size_t read_digits(struct pyparse *p, size_t max, uint32_t base, uint32_t *value)
{
	size_t n;

	for (n = 0; n < max; n++) {
		struct pytoken t = pyparse_peek(p);
		int digit = t.is_end || t.is_escape ? -1 : digit_in_base(t.c, base);

		if (digit < 0)
			break;
		*value = *value * base + (uint32_t)digit;
		p->pos++;
	}
	return n;
}

static int read_hex(struct pyparse *p, uint32_t letter, size_t digits, uint32_t *ret)
{
	size_t at = p->pos - 2;
	uint32_t value = 0;

	if (read_digits(p, digits, 16, &value) < digits)
		return pyparse_refuse(p, at, "incomplete escape: \\%c takes %zu hexadecimal digits",
				      (char)letter, digits);
	if (value >= PY_CODE_POINTS)
		return pyparse_refuse(p, at, "bad escape: there is no character %#x", value);
	*ret = value;
	return 0;
}

static int read_name(struct pyparse *p)
{
	size_t at = p->pos - 2;
	struct pyslice name;
	int r;

	if (!pyparse_accept(p, '{'))
		return pyparse_refuse(p, p->pos, "missing {");
	r = pyparse_until(p, '}', "character name", &name);
	if (r < 0)
		return r;
	return pyparse_unsupported(
		p, at, "characters cannot be given by name here: write \\uXXXX for \\N{...}");
}

/* @first, an octal digit, is read. */
static int read_octal(struct pyparse *p, uint32_t first, uint32_t *ret)
{
	size_t at = p->pos - 2;
	uint32_t value = first - '0';

	(void)read_digits(p, 2, 8, &value);
	if (value > 0377)
		return pyparse_refuse(p, at, "octal escape value outside of range 0-0o377");
	*ret = value;
	return 0;
}

int pyparse_escape_char(struct pyparse *p, uint32_t c, bool in_set, uint32_t *ret)
{
	static const struct {
		char letter;
		char value;
	} controls[] = {{'a', '\a'}, {'b', '\b'}, {'f', '\f'}, {'n', '\n'},
			{'r', '\r'}, {'t', '\t'}, {'v', '\v'}};
	size_t at = p->pos - 2;

	for (size_t i = 0; i < ARRAY_SIZE(controls); i++) {
		if (c == (uint32_t)controls[i].letter) {
			*ret = (uint32_t)controls[i].value;
			return 0;
		}
	}
	if (c == 'x')
		return read_hex(p, c, 2, ret);
	if (c == 'u')
		return read_hex(p, c, 4, ret);
	if (c == 'U')
		return read_hex(p, c, 8, ret);
	if (c == 'N')
		return read_name(p);
	/* Outside of sets only \0 gets here; the caller tells \1 and \101 apart. */
	if (c == '0' || (in_set && c >= '1' && c <= '7'))
		return read_octal(p, c, ret);
	if (py_is_digit(c) || py_is_letter(c))
		return pyparse_refuse(p, at, "bad escape \\%c", (char)c);
	*ret = c;
	return 0;
}
