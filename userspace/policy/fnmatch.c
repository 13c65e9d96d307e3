/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CPython makes a regular expression of such a pattern; what that matches is matched here directly,
 * with its corner cases: [z-a] is an empty set, and what is left of a set once such ranges are gone
 * may begin with a '!' that negates it.
 */
#include "base/escape.h"

#include "policy/fnmatch.h"

/* Beyond Unicode: a byte of the text, of the pattern, that is not UTF-8. They equal nothing. */
#define TEXT_BYTE    UINT32_C(0x110000)
#define PATTERN_BYTE UINT32_C(0x110001)

bool pyfnmatch_has_magic(struct bytes pattern)
{
	for (size_t i = 0; i < pattern.len; i++)
		if (pattern.p[i] == '*' || pattern.p[i] == '?' || pattern.p[i] == '[')
			return true;
	return false;
}

/* The character at *s, which is before @end, and steps over it. A lone surrogate counts as one. */
static uint32_t next_char(const char **s, const char *end, uint32_t bad)
{
	size_t left = (size_t)(end - *s), n;
	const unsigned char *c = (const unsigned char *)*s;
	uint32_t cp;

	n = utf8_decode(*s, left, &cp);
	if (n == 0 && left >= 3 && c[0] == 0xed && (c[1] & 0xe0) == 0xa0 && (c[2] & 0xc0) == 0x80) {
		cp = 0xd000U | (c[1] & 0x3fU) << 6 | (c[2] & 0x3fU);
		n = 3;
	} else if (n == 0) {
		cp = bad;
		n = 1;
	}
	*s += n;
	return cp;
}

/* Whether the set from @s to @end, without its brackets, has @c. */
static bool set_matches(const char *s, const char *end, uint32_t c)
{
	bool is_start = true, is_first = true, is_negated = false, found = false;

	while (s < end) {
		uint32_t low = next_char(&s, end, PATTERN_BYTE), high = low;
		/* A '-' at the very end is itself, and so is one after a '!' at the very start. */
		bool is_range = end - s >= 2 && *s == '-' && !(is_start && low == (uint32_t)'!');

		is_start = false;
		if (is_range) {
			s++;
			high = next_char(&s, end, PATTERN_BYTE);
			if (high < low)
				continue;
		}
		if (is_first && low == (uint32_t)'!') {
			is_negated = true;
			found = is_range && (c == (uint32_t)'-' || c == high);
		} else if (c < TEXT_BYTE && c >= low && c <= high) {
			found = true;
		}
		is_first = false;
	}
	return found != is_negated;
}

/* What follows a '['. Return: its ']', NULL: none, the '[' is itself. */
static const char *set_end(const char *s, const char *end)
{
	if (s < end && *s == '!')
		s++;
	if (s < end && *s == ']')
		s++;
	return s < end ? memchr(s, ']', (size_t)(end - s)) : NULL;
}

struct cursor {
	const char *pattern;
	const char *text;
};

/* One character of the text against what stands in the pattern, not a '*'. Steps over both. */
static bool match_one(struct cursor *at, const char *pattern_end, const char *last_bracket,
		      const char *text_end)
{
	uint32_t c = next_char(&at->text, text_end, TEXT_BYTE);
	uint32_t wanted = next_char(&at->pattern, pattern_end, PATTERN_BYTE);
	const char *close;
	bool found;

	if (wanted == (uint32_t)'?')
		return true;
	/* Without @last_bracket a thousand '[' would each look for their end at each character. */
	if (wanted != (uint32_t)'[' || !last_bracket || at->pattern > last_bracket)
		return wanted == c;
	close = set_end(at->pattern, pattern_end);
	if (!close)
		return wanted == c;
	found = set_matches(at->pattern, close, c);
	at->pattern = close + 1;
	return found;
}

bool pyfnmatch(struct bytes pattern, struct bytes text)
{
	/* What is empty may be NULL, to which not even 0 may be added. */
	struct cursor at = {.pattern = pattern.p ? pattern.p : "", .text = text.p ? text.p : ""};
	const char *pattern_end = at.pattern + pattern.len, *text_end = at.text + text.len;
	const char *last_bracket = memrchr(at.pattern, ']', pattern.len);
	struct cursor star = {};

	while (at.text < text_end) {
		struct cursor next = at;

		if (at.pattern < pattern_end && *at.pattern == '*') {
			at.pattern++;
			star = at;
			continue;
		}
		if (at.pattern < pattern_end &&
		    match_one(&next, pattern_end, last_bracket, text_end)) {
			at = next;
			continue;
		}
		if (!star.pattern)
			return false;
		/* What stands between two '*' has one length: the first place where it fits will
		 * do, and the '*' before it need not be tried again. */
		(void)next_char(&star.text, text_end, TEXT_BYTE);
		at = star;
	}
	while (at.pattern < pattern_end && *at.pattern == '*')
		at.pattern++;
	return at.pattern == pattern_end;
}
