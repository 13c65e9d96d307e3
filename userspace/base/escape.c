/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>

#include "base/escape.h"

static const char hex_digits[] = "0123456789abcdef";

size_t utf8_decode(const char *p, size_t len, uint32_t *ret_cp)
{
	static const uint32_t min_cp[5] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned char c;
	uint32_t cp;
	size_t n;

	if (len == 0)
		return 0;
	c = (unsigned char)p[0];
	if (c < 0x80) {
		cp = c;
		n = 1;
	} else if (c >= 0xc2 && c <= 0xdf) {
		cp = c & 0x1fU;
		n = 2;
	} else if (c >= 0xe0 && c <= 0xef) {
		cp = c & 0x0fU;
		n = 3;
	} else if (c >= 0xf0 && c <= 0xf4) {
		cp = c & 0x07U;
		n = 4;
	} else {
		return 0;
	}
	if (n > len)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if (((unsigned char)p[i] & 0xc0U) != 0x80)
			return 0;
		cp = (cp << 6) | ((unsigned char)p[i] & 0x3fU);
	}
	if (cp < min_cp[n] || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
		return 0;
	if (ret_cp)
		*ret_cp = cp;
	return n;
}

static void add_hex_byte(struct strbuf *out, unsigned char c)
{
	char s[4] = {'\\', 'x', hex_digits[c >> 4], hex_digits[c & 0xf]};

	strbuf_add(out, s, sizeof(s));
}

static void terminal_char(struct strbuf *out, char c)
{
	switch (c) {
	case '\n':
		strbuf_add_str(out, "\\n");
		break;
	case '\t':
		strbuf_add_str(out, "\\t");
		break;
	case '\r':
		strbuf_add_str(out, "\\r");
		break;
	case '\\':
		strbuf_add_str(out, "\\\\");
		break;
	default:
		if (c >= 0x20 && c < 0x7f)
			strbuf_add_char(out, c);
		else
			add_hex_byte(out, (unsigned char)c);
	}
}

void escape_terminal(struct strbuf *out, struct bytes in)
{
	size_t i = 0;

	while (i < in.len) {
		uint32_t cp = 0;
		size_t n = utf8_decode(in.p + i, in.len - i, &cp);

		if (n <= 1)
			terminal_char(out, in.p[i]);
		else
			strbuf_add_fmt(out, "\\u{%x}", cp);
		i += n ? n : 1;
	}
}

void escape_terminal_max(struct strbuf *out, struct bytes in, size_t max)
{
	size_t head = max * 2 / 3, tail = max - head;

	if (in.len <= max) {
		escape_terminal(out, in);
		return;
	}
	escape_terminal(out, (struct bytes){.p = in.p, .len = head});
	strbuf_add_fmt(out, "...[%zu bytes]...", in.len - max);
	escape_terminal(out, (struct bytes){.p = in.p + in.len - tail, .len = tail});
}

static void json_u16(struct strbuf *out, uint32_t v)
{
	char s[6] = {'\\',
		     'u',
		     hex_digits[v >> 12 & 0xf],
		     hex_digits[v >> 8 & 0xf],
		     hex_digits[v >> 4 & 0xf],
		     hex_digits[v & 0xf]};

	strbuf_add(out, s, sizeof(s));
}

static void json_code_point(struct strbuf *out, uint32_t cp)
{
	if (cp >= 0x10000) {
		cp -= 0x10000;
		json_u16(out, 0xd800 + (cp >> 10));
		json_u16(out, 0xdc00 + (cp & 0x3ff));
	} else {
		json_u16(out, cp);
	}
}

static bool is_hex_escape(const char *p, size_t len)
{
	return len >= 4 && p[0] == '\\' && p[1] == 'x' && isxdigit((unsigned char)p[2]) &&
	       isxdigit((unsigned char)p[3]);
}

static bool is_plain_json(char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

void escape_json(struct strbuf *out, struct bytes in)
{
	size_t i = 0;

	while (i < in.len) {
		size_t run = i, n;
		uint32_t cp = 0;

		while (run < in.len && is_plain_json(in.p[run]))
			run++;
		strbuf_add(out, in.p + i, run - i);
		i = run;
		if (i == in.len)
			break;
		n = utf8_decode(in.p + i, in.len - i, &cp);
		if (n == 0) {
			strbuf_add_char(out, '\\');
			add_hex_byte(out, (unsigned char)in.p[i]);
			n = 1;
		} else if (in.p[i] == '\\') {
			strbuf_add_str(out,
				       is_hex_escape(in.p + i, in.len - i) ? "\\\\x5c" : "\\\\");
		} else if (in.p[i] == '"') {
			strbuf_add_str(out, "\\\"");
		} else {
			json_code_point(out, cp);
		}
		i += n;
	}
}

static unsigned int hex_value(char c)
{
	return (unsigned int)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

void escape_json_decode(struct strbuf *out, struct bytes in)
{
	for (size_t i = 0; i < in.len;) {
		if (is_hex_escape(in.p + i, in.len - i)) {
			strbuf_add_char(
				out, (char)(hex_value(in.p[i + 2]) << 4 | hex_value(in.p[i + 3])));
			i += 4;
		} else {
			strbuf_add_char(out, in.p[i++]);
		}
	}
}

size_t utf8_write(uint32_t cp, char out[static 4])
{
	static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
	size_t n = cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;

	for (size_t i = n; i-- > 1; cp >>= 6)
		out[i] = (char)(0x80 | (cp & 0x3f));
	out[0] = (char)(lead[n == 1 ? 0 : n] | cp);
	return n;
}

void escape_markup(struct strbuf *out, struct bytes in)
{
	for (size_t i = 0; i < in.len; i++)
		switch (in.p[i]) {
		case '<':
			strbuf_add_str(out, "&lt;");
			break;
		case '>':
			strbuf_add_str(out, "&gt;");
			break;
		case '&':
			strbuf_add_str(out, "&amp;");
			break;
		default:
			strbuf_add_char(out, in.p[i]);
		}
}
