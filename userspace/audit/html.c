/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "base/escape.h"
#include "policy/unicode.h"

#include "audit/html.h"

#define EXPANSION_MAX 3 /* bytes of HTML for one of text, on the whole */

/* Printable for Unicode, but nothing to see, or to tell from other things. */
static const struct {
	uint32_t first, last;
} invisible[] = {
	{0x034f, 0x034f}, {0x115f, 0x1160},   {0x17b4, 0x17b5},   {0x180b, 0x180f},
	{0x2800, 0x2800}, {0x3164, 0x3164},   {0xfe00, 0xfe0f},   {0xffa0, 0xffa0},
	{0xfffc, 0xfffd}, {0x1d159, 0x1d159}, {0xe0100, 0xe01ef},
};

static bool shows(uint32_t c)
{
	for (size_t i = 0; i < ARRAY_SIZE(invisible); i++)
		if (c >= invisible[i].first && c <= invisible[i].last)
			return false;
	return unicode_is_printable(c);
}

static const char *entity(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

/* Return: how many bytes of @p it took. */
static size_t add_one(struct strbuf *out, const char *p, size_t len)
{
	const char *e = entity(*p);
	uint32_t c;
	size_t n;

	if (e) {
		strbuf_add_str(out, e);
		return 1;
	}
	n = utf8_decode(p, len, &c);
	if (n == 0 || c < 0x20 || c == 0x7f) {
		strbuf_add_fmt(out, "<b>\\x%02x</b>", (unsigned int)(unsigned char)*p);
		return 1;
	}
	if (shows(c))
		strbuf_add(out, p, n);
	else
		strbuf_add_fmt(out, "<b>U+%04" PRIX32 "</b>", c);
	return n;
}

void html_text(struct strbuf *out, struct bytes in, size_t max)
{
	size_t start = out->len, i = 0;

	while (i < in.len && i < max && out->len - start < max * EXPANSION_MAX &&
	       strbuf_error(out) == 0)
		i += add_one(out, in.p + i, in.len - i);
	if (i < in.len)
		strbuf_add_fmt(out, "<b>&hellip; %zu more bytes</b>", in.len - i);
}

static void add_code(const struct strbuf *raw, size_t max, struct strbuf *out)
{
	strbuf_add_str(out, "<code>");
	html_text(out, strbuf_bytes(raw), max);
	strbuf_add_str(out, "</code>");
}

bool html_string(const json_t *object, const char *key, size_t max, struct strbuf *out)
{
	struct strbuf raw = STRBUF_INIT(READER_LINE_MAX);
	bool found;

	found = reader_string(object, key, &raw);
	if (found)
		add_code(&raw, max, out);
	strbuf_fini(&raw);
	return found;
}

void html_words(const json_t *object, const char *key, size_t first, size_t max, struct strbuf *out)
{
	const json_t *array = json_object_get(object, key);
	struct strbuf raw = STRBUF_INIT(READER_LINE_MAX);

	for (size_t i = first; i < json_array_size(array); i++) {
		if (i > first)
			strbuf_add_char(&raw, ' ');
		reader_decode(json_array_get(array, i), &raw);
	}
	add_code(&raw, max, out);
	strbuf_fini(&raw);
}

void html_number(uint64_t n, struct strbuf *out)
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, n);

	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			strbuf_add_str(out, "\u202f");
		strbuf_add_char(out, digits[i]);
	}
}
