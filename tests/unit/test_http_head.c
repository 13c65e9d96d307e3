/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <sys/types.h>

#include "tests/unit/unit.h"

#include "names/http_head.h"

static struct http_head h;

static int read_head(const char *text)
{
	return http_head_read(bytes_of(text), &h);
}

static void test_a_request(void **state)
{
	const char text[] = "GET /a%20b/c?q=/../x HTTP/1.1\r\nHost: Good.Example:8080\r\n"
			    "Accept:\t*/* \r\n\r\nGET";

	(void)state;
	assert_int_equal(read_head(text), 0);
	assert_string_equal(h.method, "GET");
	assert_string_equal(h.host, "good.example");
	assert_string_equal(h.path, "/a b/c");
	assert_int_equal(h.wire_len, sizeof(text) - 4);
	assert_int_equal(h.body.state, HTTP_BODY_NONE);
	for (size_t len = 0; len < h.wire_len; len++) {
		struct bytes cut = {.p = text, .len = len};

		assert_int_equal(http_head_read(cut, &h), HTTP_E_MORE);
		if (len)
			assert_true(http_is_likely(cut));
		assert_int_equal(read_head(text), 0);
	}
	assert_int_equal(read_head("OPTIONS * HTTP/1.1\r\nhost:x\r\n\r\n"), 0);
	assert_string_equal(h.path, "");
	assert_int_equal(
		read_head("GET http://Good.example/p HTTP/1.0\r\nHost: good.example\r\n\r\n"), 0);
	assert_string_equal(h.path, "/p");
	assert_string_equal(h.host, "good.example");
}

static void test_no_request(void **state)
{
	static const char *const bad[] = {
		"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET / HTTP/1.1\nHost: a\n\n",
		"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
		"GET / HTTP/1.1\r\nX: a\r\n\tb\r\nHost: a\r\n\r\n",
		"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
		"GET / HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1\r\nHost:\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n",
		"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /\x80 HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET / HTTP/1.2\r\nHost: a\r\n\r\n",
		"GET / HTTP/0.9\r\nHost: a\r\n\r\n",
		"GET /\r\n",
		"G{T / HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET * HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999999999999999\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n",
		"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
	};
	static const char *const other[] = {
		"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (read_head(bad[i]) != -EBADMSG)
			fail_msg("taken for a request: %s", bad[i]);
	for (size_t i = 0; i < ARRAY_SIZE(other); i++)
		assert_int_equal(read_head(other[i]), HTTP_E_OTHER);
	assert_false(http_is_likely(BYTES_LIT("\x16\3\1")));
	assert_false(http_is_likely(BYTES_LIT("SSH-2.0-OpenSSH_9.2p1 Debian")) &&
		     read_head("SSH-2.0-OpenSSH_9.2p1 Debian\r\n") != -EBADMSG);
}

static void test_which_file_is_meant(void **state)
{
	static const char *const unclear[] = {
		"/a/../b", "/..",  "/a/%2e%2E/b", "/a/./b", "//a", "/a//b",  "/a%2fb", "/a%5cb",
		"/a\\b",   "/%00", "/%0a",        "/%zz",   "/%2", "/a%25b", "/a#b",   "/a;x/..;/b",
	};
	static const char *const clear[] = {"/", "/a/", "/a.b/..c", "/a;v=1", "/%7Ea", "/@scope"};
	char text[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(unclear); i++) {
		(void)snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n",
			       unclear[i]);
		assert_int_equal(read_head(text), 0);
		assert_string_equal(h.path, "");
	}
	for (size_t i = 0; i < ARRAY_SIZE(clear); i++) {
		(void)snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", clear[i]);
		assert_int_equal(read_head(text), 0);
		assert_int_equal(h.path[0], '/');
	}
}

/* Return: bytes of the body, in one piece and byte by byte. */
static ssize_t skipped(struct http_body body, const char *text)
{
	struct http_body slow = body;
	ssize_t n = http_body_skip(&body, bytes_of(text)), m = 0;

	for (; text[m] && slow.state != HTTP_BODY_NONE; m++)
		if (http_body_skip(&slow, (struct bytes){.p = text + m, .len = 1}) < 0)
			return n < 0 ? -EBADMSG : -EPROTO;
	return n == m && slow.state == body.state ? n : -EPROTO;
}

static void test_what_of_a_body_need_not_be_read(void **state)
{
	static const char head[] = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 30000\r\n\r\n";
	struct http_body chunks = {.state = HTTP_BODY_SIZE};

	(void)state;
	assert_int_equal(read_head(head), 0);
	assert_int_equal(http_body_run(&h.body), 30000);
	http_body_pass(&h.body, 29999);
	assert_int_equal(http_body_run(&h.body), 1);
	http_body_pass(&h.body, 1);
	assert_int_equal(http_body_run(&h.body), 0);
	assert_int_equal(h.body.state, HTTP_BODY_NONE);
	assert_int_equal(http_body_run(&chunks), 0);
	assert_int_equal(http_body_skip(&chunks, bytes_of("ff\r\nabc")), 7);
	assert_int_equal(http_body_run(&chunks), 0xff - 3);
	http_body_pass(&chunks, 0xff - 3);
	assert_int_equal(http_body_run(&chunks), 0);
	assert_int_equal(http_body_skip(&chunks, bytes_of("\r\n0\r\n\r\nGET")), 7);
	assert_int_equal(chunks.state, HTTP_BODY_NONE);
}

static void test_where_the_body_ends(void **state)
{
	const struct http_body chunked = {.state = HTTP_BODY_SIZE};
	static const char *const bad[] = {
		"3;x=y\r\nabc\r\n0\r\n\r\n",
		"3\nabc\n0\n\n",
		"3\r\nabcd\r\n0\r\n\r\n",
		" 3\r\nabc\r\n",
		"\r\n\r\n",
		"0\r\nX: y\r\n\r\n",
		"0x3\r\n",
		"-1\r\n",
		"1000000000000000\r\n",
	};

	(void)state;
	assert_int_equal(read_head("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"), 0);
	assert_int_equal(skipped(h.body, "abcGET /"), 3);
	assert_int_equal(
		read_head("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"), 0);
	assert_int_equal(h.body.state, HTTP_BODY_SIZE);
	assert_int_equal(skipped(h.body, "3\r\nabc\r\n00A\r\n0123456789\r\n0\r\n\r\nGET"), 30);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(skipped(chunked, bad[i]), -EBADMSG);
}

static void test_limits(void **state)
{
	static char text[HTTP_HEAD_MAX + 64];
	size_t n;

	(void)state;
	n = (size_t)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\nX: ");
	memset(text + n, 'x', HTTP_HEAD_MAX - n - 4);
	memcpy(text + HTTP_HEAD_MAX - 4, "\r\n\r\n", 4);
	assert_int_equal(http_head_read((struct bytes){.p = text, .len = HTTP_HEAD_MAX}, &h), 0);
	memmove(text + n + 1, text + n, HTTP_HEAD_MAX - n);
	assert_int_equal(http_head_read((struct bytes){.p = text, .len = HTTP_HEAD_MAX + 1}, &h),
			 -EBADMSG);
	n = (size_t)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n");
	for (int i = 0; i < HTTP_HEADERS_MAX - 1; i++, n += 5)
		memcpy(text + n, "X:y\r\n", 5);
	memcpy(text + n, "\r\n\0", 3);
	assert_int_equal(read_head(text), 0);
	memcpy(text + n, "X:y\r\n\r\n\0", 8);
	assert_int_equal(read_head(text), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_request),
		cmocka_unit_test(test_no_request),
		cmocka_unit_test(test_which_file_is_meant),
		cmocka_unit_test(test_where_the_body_ends),
		cmocka_unit_test(test_what_of_a_body_need_not_be_read),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
