/* SPDX-License-Identifier: Apache-2.0 */
/* Alternatives, sequences and repeats of Python patterns; the entry points. See pyregex_int.h. */
#include <stdarg.h>
#include <stdio.h>

#include "base/escape.h"

#include "policy/pyregex_int.h"

#define OUT_MAX REGEX_TRANSLATED_MAX_BYTES

static size_t utf8_size(uint32_t c)
{
	if (c < 0x80)
		return 1;
	if (c < 0x800)
		return 2;
	return c < 0x10000 ? 3 : 4;
}

static void _printf_(3, 0) say(struct pyparse *p, size_t at, const char *fmt, va_list ap)
{
	size_t offset = 0;

	for (size_t i = 0; i < at && i < p->len; i++)
		offset += utf8_size(p->pattern[i]);
	*p->ret_offset = offset;
	(void)vsnprintf(p->why, REGEX_WHY_SIZE, fmt, ap);
}

int pyparse_refuse(struct pyparse *p, size_t at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(p, at, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

int pyparse_unsupported(struct pyparse *p, size_t at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(p, at, fmt, ap);
	va_end(ap);
	return -EOPNOTSUPP;
}

struct pywidth pywidth_clamp(struct pywidth w)
{
	return (struct pywidth){.low = MIN(w.low, PY_REPEAT_MAX - 1),
				.high = MIN(w.high, PY_REPEAT_MAX)};
}

/* Once past PY_REPEAT_MAX the exact value never matters again, so a sum may stop growing there. */
static uint64_t saturate(uint64_t v)
{
	return MIN(v, UINT64_C(1) << 40);
}

static uint64_t saturating_product(uint64_t a, uint64_t b)
{
	uint64_t v;

	return __builtin_mul_overflow(a, b, &v) ? saturate(UINT64_MAX) : saturate(v);
}

void pysequence_add(struct pysequence *s, enum pyitem_kind kind, size_t start, struct pywidth width)
{
	s->before.low = saturate(s->before.low + s->last_width.low);
	s->before.high = saturate(s->before.high + s->last_width.high);
	s->last = kind;
	s->last_start = start;
	s->last_width = width;
}

static const struct pywidth one_wide = {1, 1};

/* ---- repeats */

struct repeat {
	uint64_t min, max; /* @max PY_REPEAT_MAX: no end */
	size_t start;
};

/* Return: whether there was a number. */
static bool read_count(struct pyparse *p, uint64_t *ret)
{
	uint64_t n = 0;
	bool some = false;

	for (;;) {
		struct pytoken t = pyparse_peek(p);

		if (t.is_end || t.is_escape || !py_is_digit(t.c))
			break;
		n = MIN(n * 10 + (t.c - '0'), PY_REPEAT_MAX);
		some = true;
		p->pos++;
	}
	if (some)
		*ret = n;
	return some;
}

/* After '{'. Return: 1 when it is a literal brace. */
static int read_braces(struct pyparse *p, struct repeat *ret)
{
	size_t start = p->pos;
	bool has_min, has_max;

	ret->min = 0;
	ret->max = PY_REPEAT_MAX;
	if (pytoken_is(pyparse_peek(p), '}'))
		return 1;
	has_min = read_count(p, &ret->min);
	has_max = has_min;
	if (pyparse_accept(p, ','))
		has_max = read_count(p, &ret->max);
	else if (has_min)
		ret->max = ret->min;
	if (!pyparse_accept(p, '}')) {
		p->pos = start;
		return 1;
	}
	if ((has_min && ret->min >= PY_REPEAT_MAX) || (has_max && ret->max >= PY_REPEAT_MAX))
		return pyparse_refuse(p, start, "the repetition number is too large");
	if (has_max && ret->max < ret->min)
		return pyparse_refuse(p, start, "min repeat greater than max repeat");
	return 0;
}

static int check_repeat(struct pyparse *p, const struct pysequence *s, const struct repeat *r)
{
	if (s->last == PYITEM_NONE || s->last == PYITEM_AT)
		return pyparse_refuse(p, r->start, "nothing to repeat");
	if (s->last == PYITEM_REPEAT)
		return pyparse_refuse(p, r->start, "multiple repeat");
	if (p->flags & PY_TEMPLATE)
		return pyparse_refuse(p, r->start, "repeats are not allowed under (?t)");
	/* No subject is as long as an upper bound that PCRE2 cannot count to and this one can pass.
	 */
	if (r->min > PCRE2_REPEAT_MAX || (r->max > PCRE2_REPEAT_MAX && r->max < REGEX_SUBJECT_MAX))
		return pyparse_unsupported(p, r->start, "more than %u repeats are not supported",
					   (unsigned)PCRE2_REPEAT_MAX);
	return 0;
}

/* Wraps what @out holds from @start on. */
static void wrap(struct strbuf *out, size_t start, const char *open)
{
	size_t len = strlen(open);

	if (strbuf_reserve(out, len + 1) < 0)
		return;
	memmove(out->p + start + len, out->p + start, out->len - start);
	memcpy(out->p + start, open, len);
	out->len += len;
	strbuf_add_char(out, ')');
}

static void add_quantifier(struct strbuf *out, const struct repeat *r)
{
	bool is_endless = r->max > PCRE2_REPEAT_MAX;

	if (r->min == 0 && r->max == 1)
		strbuf_add_char(out, '?');
	else if (r->min == 0 && is_endless)
		strbuf_add_char(out, '*');
	else if (r->min == 1 && is_endless)
		strbuf_add_char(out, '+');
	else if (is_endless)
		strbuf_add_fmt(out, "{%u,}", (unsigned)r->min);
	else
		strbuf_add_fmt(out, "{%u,%u}", (unsigned)r->min, (unsigned)r->max);
}

/* @c, one of ?*+{, is read. Return: 1 when it is a literal brace. */
static int read_repeat(struct pyparse *p, struct pysequence *s, uint32_t c)
{
	struct repeat r = {.min = c == '+', .max = c == '?' ? 1 : PY_REPEAT_MAX};
	bool lazy, possessive;
	int e;

	r.start = p->pos - 1;
	if (c == '{') {
		e = read_braces(p, &r);
		if (e)
			return e;
	}
	e = check_repeat(p, s, &r);
	if (e < 0)
		return e;
	lazy = pyparse_accept(p, '?');
	possessive = !lazy && pyparse_accept(p, '+');
	if (r.max == 0) {
		/* Groups must still count. (PCRE2 takes '(-|\A){0}b' for anchored.) */
		wrap(p->out, s->last_start, "(?(DEFINE)");
	} else {
		if (s->last == PYITEM_ASSERT)
			wrap(p->out, s->last_start, "(?:");
		add_quantifier(p->out, &r);
		if (lazy || possessive)
			strbuf_add_char(p->out, lazy ? '?' : '+');
	}
	s->last = PYITEM_REPEAT;
	s->last_width.low = saturating_product(s->last_width.low, r.min);
	s->last_width.high = saturating_product(s->last_width.high, r.max);
	return 0;
}

/* ---- sequences */

static void add_at(struct pyparse *p, struct pysequence *s, const char *text)
{
	size_t start = p->out->len;

	strbuf_add_str(p->out, text);
	pysequence_add(s, PYITEM_AT, start, (struct pywidth){});
}

/* \1 to \99, or \101 to \377: @c is read. */
static int read_reference(struct pyparse *p, struct pysequence *s, uint32_t c)
{
	size_t at = p->pos - 2;
	uint32_t second, third, group = c - '0';
	struct pytoken t = pyparse_peek(p);

	if (!t.is_end && !t.is_escape && py_is_digit(t.c)) {
		second = t.c - '0';
		p->pos++;
		t = pyparse_peek(p);
		third = t.is_end || t.is_escape || !py_is_digit(t.c) ? 8 : t.c - '0';
		if (group < 8 && second < 8 && third < 8) {
			p->pos++;
			if (group > 3)
				return pyparse_refuse(
					p, at, "octal escape value outside of range 0-0o377");
			pysequence_add(
				s, PYITEM_OTHER,
				pyparse_add_literal(p, s->flags, group * 64 + second * 8 + third),
				one_wide);
			return 0;
		}
		group = group * 10 + second;
	}
	if (group >= p->groups_n)
		return pyparse_refuse(p, at, "invalid group reference %u", group);
	return pyparse_add_reference(p, s, group, at);
}

static int read_escape(struct pyparse *p, struct pysequence *s, uint32_t c)
{
	uint32_t value;
	size_t start;
	int r;

	if (c == 'A' || c == 'Z') {
		add_at(p, s, c == 'A' ? "\\A" : "\\z");
		return 0;
	}
	if (c == 'b' || c == 'B') {
		start = p->out->len;
		pyparse_add_boundary(p, s->flags, c == 'B');
		pysequence_add(s, PYITEM_AT, start, (struct pywidth){});
		return 0;
	}
	if (c >= '1' && c <= '9')
		return read_reference(p, s, c);
	if (c < 0x80 && c && strchr("dDsSwW", (int)c)) {
		start = pyparse_add_category(p, s->flags, c);
	} else {
		r = pyparse_escape_char(p, c, false, &value);
		if (r < 0)
			return r;
		start = pyparse_add_literal(p, s->flags, value);
	}
	pysequence_add(s, PYITEM_OTHER, start, one_wide);
	return 0;
}

static void add_dot(struct pyparse *p, struct pysequence *s)
{
	size_t start = p->out->len;

	strbuf_add_str(p->out, s->flags & PY_DOTALL ? "." : "[^\\n]");
	pysequence_add(s, PYITEM_OTHER, start, one_wide);
}

static int read_set(struct pyparse *p, struct pysequence *s)
{
	size_t start;
	int r = pyparse_read_set(p, s->flags, &start);

	if (r < 0)
		return r;
	pysequence_add(s, PYITEM_OTHER, start, one_wide);
	return 0;
}

/* The token @t, which is no escape, is read. */
static int read_special(struct pyparse *p, struct pysequence *s, uint32_t c)
{
	bool is_multiline = s->flags & PY_MULTILINE;
	int r;

	switch (c) {
	case '[':
		return read_set(p, s);
	case '(':
		return pyparse_read_group(p, s);
	case '.':
		add_dot(p, s);
		return 0;
	case '^':
		add_at(p, s, is_multiline ? "(?:\\A|(?<=\\n))" : "\\A");
		return 0;
	case '$':
		add_at(p, s, is_multiline ? "(?:\\z|(?=\\n))" : "\\Z");
		return 0;
	case '?':
	case '*':
	case '+':
	case '{':
		r = read_repeat(p, s, c);
		if (r <= 0)
			return r;
		break;
	default:
		break;
	}
	pysequence_add(s, PYITEM_OTHER, pyparse_add_literal(p, s->flags, c), one_wide);
	return 0;
}

static void skip_comment(struct pyparse *p)
{
	struct pytoken t;

	do
		t = pyparse_next(p);
	while (!t.is_end && !pytoken_is(t, '\n'));
}

int pyparse_sequence(struct pyparse *p, unsigned flags, bool is_first, struct pywidth *ret)
{
	struct pysequence s = {.flags = flags, .is_first = is_first};

	for (;;) {
		struct pytoken t = pyparse_peek(p);
		int r = 0;

		if (t.is_end || pytoken_is(t, '|') || pytoken_is(t, ')'))
			break;
		(void)pyparse_next(p);
		if (t.is_escape)
			r = read_escape(p, &s, t.c);
		else if ((s.flags & PY_VERBOSE) && t.c < 0x80 && t.c &&
			 strchr(" \t\n\r\v\f", (int)t.c))
			continue;
		else if ((s.flags & PY_VERBOSE) && t.c == '#')
			skip_comment(p);
		else
			r = read_special(p, &s, t.c);
		if (r < 0)
			return r;
	}
	pysequence_add(&s, PYITEM_NONE, 0, (struct pywidth){});
	*ret = pywidth_clamp(s.before);
	return 0;
}

int pyparse_alternatives(struct pyparse *p, unsigned flags, struct pywidth *ret)
{
	struct pywidth all = {.low = PY_REPEAT_MAX - 1};
	bool is_top = p->depth == 0, is_first = is_top;
	int r;

	if (p->depth > PY_NEST_MAX)
		return pyparse_unsupported(p, p->pos,
					   "more than %u groups in groups are not "
					   "supported",
					   PY_NEST_MAX);
	p->depth++;
	for (;;) {
		struct pywidth one;

		r = pyparse_sequence(p, flags, is_first, &one);
		if (r < 0)
			return r;
		all.low = MIN(all.low, one.low);
		all.high = MAX(all.high, one.high);
		if (!pyparse_accept(p, '|'))
			break;
		strbuf_add_char(p->out, '|');
		is_first = false;
		if (is_top)
			flags = p->flags;
	}
	p->depth--;
	*ret = all;
	return 0;
}

/* ---- entry points */

/* A lone surrogate as three bytes, which utf8_decode() refuses. */
static size_t decode_surrogate(const char *s, size_t len, uint32_t *ret)
{
	if (len < 3 || (unsigned char)s[0] != 0xed || ((unsigned char)s[1] & 0xe0) != 0xa0 ||
	    ((unsigned char)s[2] & 0xc0) != 0x80)
		return 0;
	*ret = 0xd000U | ((unsigned char)s[1] & 0x3fU) << 6 | ((unsigned char)s[2] & 0x3fU);
	return 3;
}

static int decode(struct pyparse *p, struct bytes pattern)
{
	for (size_t i = 0; i < pattern.len;) {
		uint32_t *c = &p->pattern[p->len];
		size_t n = utf8_decode(pattern.p + i, pattern.len - i, c);

		if (n == 0)
			n = decode_surrogate(pattern.p + i, pattern.len - i, c);
		if (n == 0) {
			(void)pyparse_refuse(p, p->len, "not valid UTF-8");
			return -EINVAL;
		}
		p->len++;
		i += n;
	}
	return 0;
}

/* A half escape at the end spoils the whole: sre reads one token ahead. */
static int check_last_escape(struct pyparse *p)
{
	size_t i = 0;

	while (i < p->len)
		i += p->pattern[i] == '\\' ? 2 : 1;
	if (i > p->len)
		return pyparse_refuse(p, p->len - 1, "bad escape (end of pattern)");
	return 0;
}

static int translate(struct pyparse *p)
{
	struct pywidth width;
	int r;

	r = check_last_escape(p);
	if (r < 0)
		return r;
	strbuf_add_str(p->out, "(?s)");
	r = pyparse_alternatives(p, 0, &width);
	if (r < 0)
		return r;
	if ((p->flags & PY_ASCII) && (p->flags & PY_UNICODE))
		return pyparse_refuse(p, 0, "ASCII and UNICODE flags are incompatible");
	if (p->pos < p->len)
		return pyparse_refuse(p, p->pos, "unbalanced parenthesis");
	if (p->condition_max >= p->groups_n)
		return pyparse_refuse(p, p->condition_pos, "invalid group reference %zu",
				      p->condition_max);
	r = strbuf_error(p->out);
	if (r == -EMSGSIZE)
		return pyparse_unsupported(p, 0, "too large once its characters are spelt out");
	return r;
}

static void pyparse_fini(struct pyparse *p)
{
	free(p->pattern);
	free(p->groups);
}

int pyregex_translate(struct bytes pattern, struct strbuf *out, char why[static REGEX_WHY_SIZE],
		      size_t *ret_offset)
{
	_cleanup_(pyparse_fini) struct pyparse p = {
		.out = out, .why = why, .ret_offset = ret_offset, .groups_n = 1};
	int r;

	*ret_offset = 0;
	if (pattern.len > REGEX_MAX_BYTES)
		return pyparse_unsupported(&p, 0, "longer than %zu bytes", REGEX_MAX_BYTES);
	p.pattern = calloc(pattern.len + 1, sizeof(*p.pattern));
	/* Each group has a '(' of its own; group 0 is the whole. */
	p.groups = calloc(pattern.len + 1, sizeof(*p.groups));
	if (!p.pattern || !p.groups)
		return -ENOMEM;
	r = decode(&p, pattern);
	if (r < 0)
		return r;
	return translate(&p);
}

int pyregex_new(struct bytes pattern, struct regex **ret, char why[static REGEX_WHY_SIZE],
		size_t *ret_offset)
{
	_cleanup_(strbuf_fini) struct strbuf out = STRBUF_INIT(OUT_MAX);
	int r;

	r = pyregex_translate(pattern, &out, why, ret_offset);
	if (r < 0)
		return r;
	r = regex_new_translated(strbuf_bytes(&out), ret, why, ret_offset);
	if (r != -EINVAL)
		return r;
	/* An offset into the translation would mislead. */
	*ret_offset = 0;
	return -EOPNOTSUPP;
}
