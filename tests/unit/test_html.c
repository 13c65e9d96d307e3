/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Untrusted bytes in HTML, and numbers for people.
 */
#include "audit/html.h"

#include "tests/unit/unit.h"

static void test_text_is_escaped_and_visible(void **state)
{
	static const struct {
		struct bytes in;
		const char *out;
	} rows[] = {
		{BYTES_LIT("a b/c.d"), "a b/c.d"},
		{BYTES_LIT("<a href=\"x\">&'"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;"},
		{BYTES_LIT("&lt;"), "&amp;lt;"},
		{BYTES_LIT("\033[2J\n\t\x7f"),
		 "<b>\\x1b</b>[2J<b>\\x0a</b><b>\\x09</b><b>\\x7f</b>"},
		{BYTES_LIT("a\0b"), "a<b>\\x00</b>b"},
		{BYTES_LIT("\xff\xc0\xaf"), "<b>\\xff</b><b>\\xc0</b><b>\\xaf</b>"},
		{BYTES_LIT("\xed\xa0\x80"), "<b>\\xed</b><b>\\xa0</b><b>\\x80</b>"},
		{BYTES_LIT("\u00e9\u65e5"), "\u00e9\u65e5"},
		{BYTES_LIT("\u202e\u2066\u200b\ufeff"),
		 "<b>U+202E</b><b>U+2066</b><b>U+200B</b><b>U+FEFF</b>"},
		{BYTES_LIT("\u00a0\u3164\u00ad\U000e0041\ufe0f"),
		 "<b>U+00A0</b><b>U+3164</b><b>U+00AD</b><b>U+E0041</b><b>U+FE0F</b>"},
		{BYTES_LIT("\xc2\x9b"), "<b>U+009B</b>"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct strbuf out = STRBUF_INIT(4096);

		html_text(&out, rows[i].in, 100);
		assert_string_equal(strbuf_str(&out), rows[i].out);
		strbuf_fini(&out);
	}
}

static void test_text_is_bounded(void **state)
{
	struct strbuf out = STRBUF_INIT(4096);
	char in[1000];

	(void)state;
	memset(in, 'x', sizeof(in));
	html_text(&out, (struct bytes){.p = in, .len = 10}, 10);
	assert_string_equal(strbuf_str(&out), "xxxxxxxxxx");
	strbuf_reset(&out);
	html_text(&out, (struct bytes){.p = in, .len = 11}, 10);
	assert_string_equal(strbuf_str(&out), "xxxxxxxxxx<b>&hellip; 1 more bytes</b>");
	/* What gets longer by escaping is bounded, too. */
	strbuf_reset(&out);
	memset(in, '\x01', sizeof(in));
	html_text(&out, (struct bytes){.p = in, .len = sizeof(in)}, 100);
	assert_true(out.len < 400);
	strbuf_fini(&out);
}

static void test_numbers_have_groups(void **state)
{
	struct strbuf out = STRBUF_INIT(4096);

	(void)state;
	html_number(0, &out);
	strbuf_add_char(&out, ' ');
	html_number(999, &out);
	strbuf_add_char(&out, ' ');
	html_number(1234567, &out);
	assert_string_equal(strbuf_str(&out), "0 999 1\u202f234\u202f567");
	strbuf_fini(&out);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_is_escaped_and_visible),
		cmocka_unit_test(test_text_is_bounded),
		cmocka_unit_test(test_numbers_have_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
