/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>

#include "base/escape.h"

#include "tests/unit/unit.h"

#define BUFFER_MAX ((size_t)1 << 20)

struct example {
	struct bytes in;
	const char *out;
};

static void test_what_is_shown_on_a_terminal_is_printable_ascii(void **state)
{
	static const struct example examples[] = {
		{BYTES_LIT("plain text 123"), "plain text 123"},
		{BYTES_LIT("\033[2Jgone"), "\\x1b[2Jgone"},
		{BYTES_LIT("a\nb\tc\rd"), "a\\nb\\tc\\rd"},
		{BYTES_LIT("back\\slash"), "back\\\\slash"},
		{BYTES_LIT("nul\0here"), "nul\\x00here"},
		{BYTES_LIT("\x7f"), "\\x7f"},
		{BYTES_LIT("bad \xff utf8"), "bad \\xff utf8"},
		{BYTES_LIT("\xe2\x80\xae"), "\\u{202e}"}, /* right-to-left override */
		{BYTES_LIT("\xc2\x9b"), "\\u{9b}"},       /* CSI as one C1 character */
		{BYTES_LIT("\xf0\x9f\x98\x80"), "\\u{1f600}"},
		{BYTES_LIT(""), ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
		struct strbuf b = STRBUF_INIT(BUFFER_MAX);

		escape_terminal(&b, examples[i].in);
		assert_string_equal(strbuf_str(&b), examples[i].out);
		strbuf_fini(&b);
	}
}

static void test_a_long_text_keeps_head_and_tail(void **state)
{
	struct strbuf b = STRBUF_INIT(BUFFER_MAX);
	char text[1000];

	(void)state;
	memset(text, 'm', sizeof(text));
	text[0] = 'H';
	text[sizeof(text) - 1] = 'T';
	escape_terminal_max(&b, (struct bytes){.p = text, .len = sizeof(text)}, 30);
	assert_int_equal(b.p[0], 'H');
	assert_int_equal(b.p[b.len - 1], 'T');
	assert_non_null(strstr(strbuf_str(&b), "...[970 bytes]..."));
	strbuf_reset(&b);
	escape_terminal_max(&b, (struct bytes){.p = text, .len = 30}, 30);
	assert_null(strstr(strbuf_str(&b), "bytes"));
	strbuf_fini(&b);
}

static void test_json_strings_are_ascii_without_controls(void **state)
{
	static const struct example examples[] = {
		{BYTES_LIT("a\"b"), "a\\\"b"},
		{BYTES_LIT("a\\b"), "a\\\\b"},
		{BYTES_LIT("a\nb"), "a\\u000ab"},
		{BYTES_LIT("\xc3\xa9"), "\\u00e9"},
		{BYTES_LIT("\xf0\x9f\x98\x80"), "\\ud83d\\ude00"},
		{BYTES_LIT("\xff"), "\\\\xff"},
		{BYTES_LIT("\\xff"), "\\\\x5cxff"},
		{BYTES_LIT("\\xfg"), "\\\\xfg"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
		struct strbuf b = STRBUF_INIT(BUFFER_MAX);

		escape_json(&b, examples[i].in);
		assert_string_equal(strbuf_str(&b), examples[i].out);
		strbuf_fini(&b);
	}
}

/* Writes @in as a JSON string, reads it with jansson, undoes our layer: must be @in again. */
static void check_round_trip(struct bytes in)
{
	struct strbuf text = STRBUF_INIT(BUFFER_MAX), back = STRBUF_INIT(BUFFER_MAX);
	json_error_t error;
	json_t *parsed;

	strbuf_add_char(&text, '"');
	escape_json(&text, in);
	strbuf_add_char(&text, '"');
	for (size_t i = 0; i < text.len; i++)
		assert_in_range(text.p[i], 0x20, 0x7e);
	parsed = json_loadb(text.p, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
	assert_non_null(parsed);
	escape_json_decode(&back, (struct bytes){.p = json_string_value(parsed),
						 .len = json_string_length(parsed)});
	assert_int_equal(back.len, in.len);
	assert_memory_equal(strbuf_bytes(&back).p, in.p, in.len);
	json_decref(parsed);
	strbuf_fini(&text);
	strbuf_fini(&back);
}

static void test_random_bytes_come_back_from_json(void **state)
{
	uint64_t seed = UNIT_SEED;

	(void)state;
	for (unsigned int round = 0; round < 20000; round++) {
		char in[64];
		size_t len = unit_random(&seed) % sizeof(in);

		for (size_t i = 0; i < len; i++)
			in[i] = (char)(unit_random(&seed) >> 56);
		check_round_trip((struct bytes){.p = in, .len = len});
	}
}

/* Few symbols, so that backslashes, 'x', hex digits and broken sequences meet in every order. */
static void test_texts_that_look_like_escapes_come_back_from_json(void **state)
{
	static const char alphabet[] = "\\\\x5cfF0\"u\xff\xc3\xa9\xf0\x9f\n";
	uint64_t seed = UNIT_SEED;

	(void)state;
	for (unsigned int round = 0; round < 50000; round++) {
		char in[12];
		size_t len = unit_random(&seed) % sizeof(in);

		for (size_t i = 0; i < len; i++)
			in[i] = alphabet[unit_random(&seed) % (sizeof(alphabet) - 1)];
		check_round_trip((struct bytes){.p = in, .len = len});
	}
}

static void test_every_code_point_is_decoded_and_nothing_else(void **state)
{
	uint32_t cp = 0;

	(void)state;
	assert_int_equal(utf8_decode("\xed\x9f\xbf", 3, &cp), 3);
	assert_int_equal(cp, 0xd7ff);
	assert_int_equal(utf8_decode("\xf4\x8f\xbf\xbf", 4, &cp), 4);
	assert_int_equal(cp, 0x10ffff);
	assert_int_equal(utf8_decode("\xed\xa0\x80", 3, &cp), 0);     /* surrogate */
	assert_int_equal(utf8_decode("\xc0\xaf", 2, &cp), 0);         /* '/' written too long */
	assert_int_equal(utf8_decode("\xe0\x80\xaf", 3, &cp), 0);     /* and longer */
	assert_int_equal(utf8_decode("\xf4\x90\x80\x80", 4, &cp), 0); /* past the last one */
	assert_int_equal(utf8_decode("\xe2\x82", 2, &cp), 0);         /* cut off */
	assert_int_equal(utf8_decode("\x80", 1, &cp), 0);
	assert_int_equal(utf8_decode("", 0, &cp), 0);
}

static void test_markup_is_text(void **state)
{
	struct strbuf out = STRBUF_INIT(100);

	(void)state;
	escape_markup(&out, BYTES_LIT("<b>a & \"b\"</b> &lt;"));
	assert_string_equal(strbuf_str(&out), "&lt;b&gt;a &amp; \"b\"&lt;/b&gt; &amp;lt;");
	strbuf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_shown_on_a_terminal_is_printable_ascii),
		cmocka_unit_test(test_a_long_text_keeps_head_and_tail),
		cmocka_unit_test(test_json_strings_are_ascii_without_controls),
		cmocka_unit_test(test_random_bytes_come_back_from_json),
		cmocka_unit_test(test_texts_that_look_like_escapes_come_back_from_json),
		cmocka_unit_test(test_markup_is_text),
		cmocka_unit_test(test_every_code_point_is_decoded_and_nothing_else),
	};

	return cmocka_run_group_tests_name("base/escape", tests, NULL, NULL);
}
