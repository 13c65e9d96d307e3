/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "base/escape.h"
#include "policy/pytext.h"

#include "cli/policy_answer.h"

static void add_unit(struct strbuf *out, uint32_t unit)
{
	static const char hex[] = "0123456789abcdef";
	const char text[6] = {'\\',
			      'u',
			      hex[unit >> 12 & 0xf],
			      hex[unit >> 8 & 0xf],
			      hex[unit >> 4 & 0xf],
			      hex[unit & 0xf]};

	strbuf_add(out, text, sizeof(text));
}

static void add_code_point(struct strbuf *out, uint32_t cp)
{
	if (cp >= 0x10000) {
		add_unit(out, 0xd800 + ((cp - 0x10000) >> 10));
		add_unit(out, 0xdc00 + ((cp - 0x10000) & 0x3ff));
	} else {
		add_unit(out, cp);
	}
}

/* A surrogate that stands alone, as if UTF-8 allowed it. Return: its length; 0: something else. */
static size_t decode_surrogate(struct bytes s, uint32_t *ret)
{
	const unsigned char *p = (const unsigned char *)s.p;

	if (s.len < 3 || p[0] != 0xed || p[1] < 0xa0 || p[1] > 0xbf || (p[2] & 0xc0) != 0x80)
		return 0;
	*ret = 0xd000U | (p[1] & 0x3fU) << 6 | (p[2] & 0x3fU);
	return 3;
}

static void add_control(struct strbuf *out, char c)
{
	static const char letters[] = {
		['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
	unsigned char at = (unsigned char)c;

	if (at < sizeof(letters) && letters[at]) {
		strbuf_add_char(out, '\\');
		strbuf_add_char(out, letters[at]);
	} else {
		add_unit(out, at);
	}
}

static bool is_plain(char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

void answer_add_text(struct strbuf *out, struct bytes text)
{
	size_t i = 0;

	if (!text.p) {
		strbuf_add_str(out, "null");
		return;
	}
	strbuf_add_char(out, '"');
	while (i < text.len) {
		struct bytes rest = {.p = text.p + i, .len = text.len - i};
		size_t run = 0, n;
		uint32_t cp = 0;

		while (run < rest.len && is_plain(rest.p[run]))
			run++;
		strbuf_add(out, rest.p, run);
		i += run;
		if (run)
			continue;
		n = utf8_decode(rest.p, rest.len, &cp);
		if (n == 0)
			n = decode_surrogate(rest, &cp);
		if (n == 0)
			cp = 0xdc00U + (unsigned char)rest.p[0];
		if (cp == '"' || cp == '\\') {
			strbuf_add_char(out, '\\');
			strbuf_add_char(out, (char)cp);
		} else if (cp < 0x20) {
			add_control(out, (char)cp);
		} else {
			add_code_point(out, cp);
		}
		i += n ? n : 1;
	}
	strbuf_add_char(out, '"');
}

void answer_add_number(struct strbuf *out, double v)
{
	if (isnan(v))
		strbuf_add_str(out, "NaN");
	else if (isinf(v))
		strbuf_add_str(out, v < 0 ? "-Infinity" : "Infinity");
	else
		py_add_float(out, v);
}

static void add_key(struct strbuf *out, const char *head, const char *text)
{
	strbuf_add_str(out, head);
	answer_add_text(out, bytes_of(text));
}

void answer_add_result(struct strbuf *out, const struct policy_result *result, double spent,
		       double remaining)
{
	const struct policy_source *s = &result->source;
	const char *verdict = verdict_name(result->verdict);

	add_key(out, "{\"verdict\":", verdict);
	add_key(out, ",\"word\":", s->word ? s->word : verdict);
	add_key(out, ",\"policy\":", s->policy);
	add_key(out, ",\"rule\":", s->rule);
	add_key(out, ",\"reason\":", s->reason);
	strbuf_add_str(out, ",\"spent\":");
	answer_add_number(out, spent);
	strbuf_add_str(out, ",\"remaining\":");
	answer_add_number(out, remaining);
	strbuf_add_char(out, '}');
}

void answer_add_error(struct strbuf *out, const char *error)
{
	add_key(out, "{\"error\":", error);
	strbuf_add_char(out, '}');
}
