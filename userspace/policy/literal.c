/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/literal.h"

#define GRAM_BYTES 3

struct reader {
	struct bytes in;
	size_t at;
	char run[LITERAL_MAX_BYTES];
	size_t n; /* bytes of the run that is being read */
	char *best;
	size_t n_best;
};

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static void end_run(struct reader *r)
{
	if (r->n > r->n_best) {
		memcpy(r->best, r->run, r->n);
		r->n_best = r->n;
	}
	r->n = 0;
}

static void add(struct reader *r, char c)
{
	/* What is past the room is needed, too, but this much tells enough. */
	if (r->n == sizeof(r->run))
		end_run(r);
	r->run[r->n++] = c;
}

/* Escapes after which a bracket may be something else than it looks. */
static bool is_tricky_escape(char c)
{
	return c == 'Q' || c == 'E' || c == 'c';
}

/* Steps over a class. Return: false when it is none, or not plain. */
static bool skip_class(struct reader *r)
{
	size_t i = r->at + 1;

	if (i < r->in.len && r->in.p[i] == '^')
		i++;
	if (i < r->in.len && r->in.p[i] == ']')
		i++;
	for (; i < r->in.len && r->in.p[i] != ']'; i++) {
		/* [:alpha:] and the like hold a ']' of their own. */
		if (r->in.p[i] == '[')
			return false;
		if (r->in.p[i] == '\\' && (++i >= r->in.len || is_tricky_escape(r->in.p[i])))
			return false;
	}
	r->at = i + 1;
	return i < r->in.len;
}

/* Steps over a group and all in it. */
static bool skip_group(struct reader *r)
{
	size_t depth = 0;

	while (r->at < r->in.len) {
		struct bytes rest = {.p = r->in.p + r->at, .len = r->in.len - r->at};

		if (rest.p[0] == '\\') {
			if (rest.len < 2 || is_tricky_escape(rest.p[1]))
				return false;
			r->at += 2;
			continue;
		}
		if (rest.p[0] == '[') {
			if (!skip_class(r))
				return false;
			continue;
		}
		/* Options and verbs change what is outside, comments are no pattern. */
		if (bytes_has_prefix(rest, BYTES_LIT("(*")))
			return false;
		if (bytes_has_prefix(rest, BYTES_LIT("(?")) &&
		    (rest.len < 3 || !strchr(":=!<", rest.p[2]) || rest.p[2] == '\0'))
			return false;
		if (rest.p[0] == '(')
			depth++;
		r->at++;
		if (rest.p[0] == ')' && --depth == 0)
			return true;
	}
	return false;
}

static bool read_escape(struct reader *r)
{
	char c = r->at + 1 < r->in.len ? r->in.p[r->at + 1] : '\0';

	if (c == '\0' || c & 0x80)
		return false;
	r->at += 2;
	if (!is_alnum(c)) {
		add(r, c);
		return true;
	}
	/* Assertions and types; others take more than one byte, or mean something else. */
	if (!strchr("bBAzZGdDsSwWhHvVN", c))
		return false;
	/* \N{U+...} */
	if (c == 'N' && r->at < r->in.len && r->in.p[r->at] == '{')
		return false;
	end_run(r);
	return true;
}

/* {2}, {2,} or {2,3}. Anything else in braces is text, or belongs to something that is not read. */
static bool skip_braces(struct reader *r)
{
	size_t i = r->at + 1, n_digits = 0, n_commas = 0;

	for (; i < r->in.len && r->in.p[i] != '}'; i++) {
		if (r->in.p[i] == ',' && n_digits > 0 && n_commas == 0)
			n_commas++;
		else if (r->in.p[i] >= '0' && r->in.p[i] <= '9')
			n_digits++;
		else
			return false;
	}
	r->at = i;
	return i < r->in.len && n_digits > 0;
}

/* What is repeated may be repeated zero times, if not by this then by another after it. */
static bool read_quantifier(struct reader *r)
{
	if (r->n)
		r->n--;
	end_run(r);
	if (r->in.p[r->at] == '{' && !skip_braces(r))
		return false;
	r->at++;
	if (r->at < r->in.len && (r->in.p[r->at] == '?' || r->in.p[r->at] == '+'))
		r->at++;
	return true;
}

/* Return: false when no literal of the pattern can be trusted. */
static bool read_one(struct reader *r)
{
	char c = r->in.p[r->at];

	switch (c) {
	case '\\':
		return read_escape(r);
	case '[':
		end_run(r);
		return skip_class(r);
	case '(':
		end_run(r);
		return skip_group(r);
	case '?':
	case '*':
	case '+':
	case '{':
		return read_quantifier(r);
	case '|':
	case ')':
	case '\0':
		return false;
	case '.':
	case '^':
	case '$':
		end_run(r);
		break;
	default:
		/* A character of several bytes may be repeated as a whole. */
		if (c & 0x80)
			end_run(r);
		else
			add(r, c);
		break;
	}
	r->at++;
	return true;
}

size_t literal_of(struct bytes pattern, char ret[static LITERAL_MAX_BYTES])
{
	struct reader r = {.in = pattern, .best = ret};

	while (r.at < pattern.len)
		if (!read_one(&r))
			return 0;
	end_run(&r);
	return r.n_best;
}

static uint16_t gram_at(const char *p)
{
	uint32_t bytes = (unsigned char)p[0] | (uint32_t)(unsigned char)p[1] << 8 |
			 (uint32_t)(unsigned char)p[2] << 16;

	return (uint16_t)(bytes * UINT32_C(0x9e3779b1) >> 20);
}

_Static_assert(LITERAL_BITS == 1 << 12, "what gram_at() returns");

struct literal_grams literal_grams_of(struct bytes pattern)
{
	char text[LITERAL_MAX_BYTES];
	size_t n = literal_of(pattern, text);
	struct literal_grams g = {};

	/* Beginning at both ends: numbered patterns differ in the middle or at the end. */
	for (size_t i = 0; n >= GRAM_BYTES && i <= n - GRAM_BYTES && g.n < LITERAL_GRAMS; i++) {
		size_t at = i % 2 ? i / 2 : n - GRAM_BYTES - i / 2;

		g.at[g.n++] = gram_at(text + at);
	}
	return g;
}

void literal_set_build(struct literal_set *set, struct bytes subject)
{
	set->is_built = true;
	set->has_all = subject.len > LITERAL_SUBJECT_MAX;
	if (set->has_all)
		return;
	memset(set->bits, 0, sizeof(set->bits));
	for (size_t i = 0; i + GRAM_BYTES <= subject.len; i++) {
		uint16_t at = gram_at(subject.p + i);

		set->bits[at / 64] |= UINT64_C(1) << (at % 64);
	}
}
