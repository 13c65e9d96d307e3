/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "base/escape.h"
#include "policy/pytext.h"

#include "policy/pyjson.h"

#define SURROGATES 0xD800u /* to 0xDFFF */
#define FIRST_PAIR 0x10000u

void pyjson_add_float(struct strbuf *out, double v)
{
	if (isnan(v))
		strbuf_add_str(out, "NaN");
	else if (isinf(v))
		strbuf_add_str(out, v > 0 ? "Infinity" : "-Infinity");
	else
		py_add_float(out, v);
}

static void add_code_point(struct strbuf *out, uint32_t cp)
{
	if (cp >= FIRST_PAIR)
		strbuf_add_fmt(out, "\\u%04x\\u%04x", SURROGATES + ((cp - FIRST_PAIR) >> 10),
			       SURROGATES + 0x400 + ((cp - FIRST_PAIR) & 0x3FF));
	else
		strbuf_add_fmt(out, "\\u%04x", cp);
}

/* A lone surrogate, as value.h has it; 0: none. */
static uint32_t surrogate_at(struct bytes text, size_t i)
{
	const unsigned char *p = (const unsigned char *)text.p + i;

	if (text.len - i < 3 || p[0] != 0xED || p[1] < 0xA0 || p[1] > 0xBF || (p[2] & 0xC0) != 0x80)
		return 0;
	return SURROGATES + ((p[1] & 0x1Fu) << 6) + (p[2] & 0x3Fu);
}

void pyjson_add_text(struct strbuf *out, struct bytes text)
{
	static const char plain[] = "\"\\\n\r\t\f\b", escaped[] = "\"\\nrtfb";

	strbuf_add_char(out, '"');
	for (size_t i = 0; i < text.len;) {
		const char c = text.p[i], *special = c ? strchr(plain, c) : NULL;
		uint32_t cp = 0;
		size_t n = utf8_decode(text.p + i, text.len - i, &cp);

		if (special) {
			strbuf_add_char(out, '\\');
			strbuf_add_char(out, escaped[special - plain]);
		} else if (n == 0) {
			cp = surrogate_at(text, i);
			n = cp ? 3 : 1;
			add_code_point(out, cp ? cp : SURROGATES + 0x400 + (unsigned char)c);
		} else if (cp < ' ' || cp > '~') {
			add_code_point(out, cp);
		} else {
			strbuf_add_char(out, c);
		}
		i += n;
	}
	strbuf_add_char(out, '"');
}

void pyjson_add_value(struct strbuf *out, const struct value *v)
{
	bool is_map = v->type == VALUE_MAP, is_key = true;

	switch (v->type) {
	case VALUE_NULL:
		strbuf_add_str(out, "null");
		return;
	case VALUE_BOOL:
		strbuf_add_str(out, v->is_true ? "true" : "false");
		return;
	case VALUE_INT:
		strbuf_add_bytes(out, v->text);
		return;
	case VALUE_FLOAT:
		pyjson_add_float(out, v->number);
		return;
	case VALUE_STRING:
	case VALUE_OTHER:
		pyjson_add_text(out, v->text);
		return;
	case VALUE_LIST:
	case VALUE_MAP:
		break;
	}
	strbuf_add_char(out, is_map ? '{' : '[');
	for (const struct value *child = v->first; child; child = child->next) {
		if (child != v->first)
			strbuf_add_str(out, is_map && !is_key ? ": " : ", ");
		pyjson_add_value(out, child);
		is_key = !is_key;
	}
	strbuf_add_char(out, is_map ? '}' : ']');
}
