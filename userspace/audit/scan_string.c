/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/reader.h"
#include "base/escape.h"

#include "audit/scan_private.h"

#define EVERY_BYTE(b) (UINT64_C(0x0101010101010101) * (b))

static uint64_t has_zero(uint64_t v)
{
	return (v - EVERY_BYTE(1)) & ~v & EVERY_BYTE(0x80);
}

/* Not 0: one of the eight bytes is a control, a quote, a backslash or beyond ASCII. */
static uint64_t has_special(uint64_t v)
{
	return (v & EVERY_BYTE(0x80)) | ((v - EVERY_BYTE(0x20)) & ~v & EVERY_BYTE(0x80)) |
	       has_zero(v ^ EVERY_BYTE('"')) | has_zero(v ^ EVERY_BYTE('\\'));
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The number of the \uXXXX at @p. Return: false: it is none. */
static bool unicode_escape(const char *p, const char *end, uint32_t *ret)
{
	uint32_t v = 0;

	if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
		return false;
	for (int i = 2; i < 6; i++) {
		int digit = hex_value(p[i]);

		if (digit < 0)
			return false;
		v = v << 4 | (uint32_t)digit;
	}
	*ret = v;
	return true;
}

/* The length of the escape at @p, with its code point; 0: not sure. */
static size_t escape_at(const char *p, const char *end, uint32_t *ret)
{
	static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
	const char *letter;
	uint32_t low;

	if (end - p < 2)
		return 0;
	letter = memchr(letters, p[1], sizeof(letters) - 1);
	if (letter) {
		*ret = (unsigned char)meanings[letter - letters];
		return 2;
	}
	if (!unicode_escape(p, end, ret))
		return 0;
	if (*ret < 0xd800 || *ret > 0xdfff)
		return 6;
	if (*ret > 0xdbff || !unicode_escape(p + 6, end, &low) || low < 0xdc00 || low > 0xdfff)
		return 0;
	*ret = 0x10000 + ((*ret & 0x3ff) << 10) + (low & 0x3ff);
	return 12;
}

const char *scan_string_end(const char *p, const char *end)
{
	for (;;) {
		uint32_t code_point;
		uint64_t eight;
		size_t n;

		for (; end - p >= 8; p += 8) {
			memcpy(&eight, p, sizeof(eight));
			if (has_special(eight))
				break;
		}
		while (p < end && *p >= 0x20 && *p != '"' && *p != '\\')
			p++;
		if (p == end || *p == '"')
			return p == end ? NULL : p;
		n = *p == '\\' ? escape_at(p, end, &code_point) : 0;
		if (!n)
			return NULL;
		p += n;
	}
}

/* As JSON means it; \xNN stays. */
static void unescape(struct bytes raw, struct strbuf *out)
{
	const char *p = raw.p, *end = raw.p + raw.len;

	while (p < end) {
		const char *backslash = memchr(p, '\\', (size_t)(end - p));
		const char *stop = backslash ? backslash : end;
		uint32_t code_point = 0;
		char utf8[4];
		size_t n;

		strbuf_add(out, p, (size_t)(stop - p));
		p = stop;
		n = p < end ? escape_at(p, end, &code_point) : 0;
		if (n)
			strbuf_add(out, utf8, utf8_write(code_point, utf8));
		p += p < end && !n ? 1 : n;
	}
}

void scan_decode(struct bytes raw, struct strbuf *out)
{
	struct strbuf text = STRBUF_INIT(READER_LINE_MAX);

	if (!raw.len || !memchr(raw.p, '\\', raw.len)) {
		strbuf_add_bytes(out, raw);
		return;
	}
	unescape(raw, &text);
	escape_json_decode(out, strbuf_bytes(&text));
	strbuf_fini(&text);
}

bool scan_next_argument(struct bytes *argv, struct bytes *ret_raw)
{
	const char *end, *close;

	if (argv->len < 2)
		return false;
	end = argv->p + argv->len;
	close = scan_string_end(argv->p + 1, end);
	if (!close)
		return false;
	*ret_raw = (struct bytes){.p = argv->p + 1, .len = (size_t)(close - argv->p - 1)};
	close += close + 1 < end ? 2 : 1;
	*argv = (struct bytes){.p = close, .len = (size_t)(end - close)};
	return true;
}
