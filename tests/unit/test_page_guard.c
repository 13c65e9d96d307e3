/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the page's server looks at before it believes a request.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>

#include <cmocka.h>

#include "page/guard.h"
#include "page/login.h"

static void test_host(void **state)
{
	static const struct {
		const char *listen, *host;
		bool is_ours;
	} rows[] = {
		{"127.0.0.1", "127.0.0.1:8377", true},
		{"127.0.0.1", "localhost:8377", true},
		{"127.0.0.1", "LOCALHOST:8377", true},
		{"127.0.0.1", "127.0.0.1:8378", false},
		{"127.0.0.1", "127.0.0.1", false},
		{"127.0.0.1", "127.0.0.2:8377", false},
		{"127.0.0.1", "[::1]:8377", false},
		{"127.0.0.1", "evil.example:8377", false},
		{"127.0.0.1", "localhost.evil.example:8377", false},
		{"127.0.0.1", "127.0.0.1.evil.example:8377", false},
		{"127.0.0.1", "localhost:8377:8377", false},
		{"127.0.0.1", "localhost:08377x", false},
		{"127.0.0.1", "localhost:", false},
		{"127.0.0.1", ":8377", false},
		{"127.0.0.1", "", false},
		{"127.0.0.1", "0x7f000001:8377", false},
		{"::1", "[::1]:8377", true},
		{"::1", "localhost:8377", true},
		{"::1", "::1:8377", false},
		{"::1", "[::2]:8377", false},
		{"::1", "[::1", false},
		{"::1", "[::1]8377", false},
		{"192.0.2.7", "192.0.2.7:8377", true},
		{"192.0.2.7", "localhost:8377", false},
		{"192.0.2.7", "host.example:8377", false},
		{"0.0.0.0", "192.0.2.9:8377", true},
		{"0.0.0.0", "rebound.example:8377", false},
	};
	struct guard_place p;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(guard_place_parse(rows[i].listen, 8377, &p), 0);
		if (guard_host_is_ours(&p, rows[i].host) != rows[i].is_ours)
			fail_msg("%s at %s", rows[i].host, rows[i].listen);
	}
	assert_false(guard_host_is_ours(&p, NULL));
}

static void test_port_80_needs_no_number(void **state)
{
	struct guard_place p;

	(void)state;
	assert_int_equal(guard_place_parse("127.0.0.1", 80, &p), 0);
	assert_true(guard_host_is_ours(&p, "localhost"));
}

static void test_only_addresses_are_listened_on(void **state)
{
	struct guard_place p;

	(void)state;
	assert_int_equal(guard_place_parse("localhost", 1, &p), -EINVAL);
	assert_int_equal(guard_place_parse("", 1, &p), -EINVAL);
	assert_int_equal(guard_place_parse("127.1", 1, &p), -EINVAL);
	assert_int_equal(guard_place_parse("127.9.9.9", 1, &p), 0);
	assert_true(p.is_loopback);
	assert_int_equal(guard_place_parse("0.0.0.0", 1, &p), 0);
	assert_true(p.is_any && !p.is_loopback);
}

static void test_origin(void **state)
{
	(void)state;
	assert_true(guard_origin_is_ours("http://127.0.0.1:8377", "127.0.0.1:8377"));
	assert_false(guard_origin_is_ours("http://localhost:8377", "127.0.0.1:8377"));
	assert_false(guard_origin_is_ours("http://127.0.0.1:3000", "127.0.0.1:8377"));
	assert_false(guard_origin_is_ours("https://127.0.0.1:8377", "127.0.0.1:8377"));
	assert_false(guard_origin_is_ours("http://127.0.0.1:8377.evil.example", "127.0.0.1:8377"));
	assert_false(guard_origin_is_ours("null", "127.0.0.1:8377"));
	assert_false(guard_origin_is_ours("", "127.0.0.1:8377"));
	assert_false(guard_origin_is_ours(NULL, "127.0.0.1:8377"));
	assert_false(guard_origin_is_ours("http://127.0.0.1:8377", NULL));
}

static void test_fetch_metadata(void **state)
{
	(void)state;
	assert_true(guard_fetch_is_ours(NULL, false));
	assert_true(guard_fetch_is_ours("same-origin", false));
	assert_true(guard_fetch_is_ours("none", true));
	assert_false(guard_fetch_is_ours("none", false));
	assert_false(guard_fetch_is_ours("same-site", true)); /* another port of this machine */
	assert_false(guard_fetch_is_ours("cross-site", true));
}

static void test_tokens(void **state)
{
	char a[GUARD_TOKEN_SIZE], b[GUARD_TOKEN_SIZE];

	(void)state;
	guard_token_new(a);
	guard_token_new(b);
	assert_int_equal(strlen(a), GUARD_TOKEN_LEN);
	assert_string_not_equal(a, b);
	assert_true(guard_token_is(a, bytes_of(a)));
	assert_false(guard_token_is(a, bytes_of(b)));
	assert_false(guard_token_is(a, (struct bytes){a, GUARD_TOKEN_LEN - 1}));
	assert_false(guard_token_is(a, BYTES_NULL));
	assert_false(guard_token_is(a, BYTES_LIT("")));
}

#define T64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_cookie(void **state)
{
	(void)state;
	assert_true(bytes_eq_str(guard_cookie("h-1=" T64, "h-1"), T64));
	assert_true(bytes_eq_str(guard_cookie("a=b; h-1=" T64 "; c=d", "h-1"), T64));
	assert_true(bytes_eq_str(guard_cookie("h-1=short;h-1=" T64, "h-1"), T64));
	assert_null(guard_cookie("xh-1=" T64, "h-1").p);
	assert_null(guard_cookie("h-1=" T64 "0", "h-1").p);
	assert_null(guard_cookie("h-11" T64, "h-1").p);
	assert_null(guard_cookie("; ;;", "h-1").p);
	assert_null(guard_cookie("", "h-1").p);
	assert_null(guard_cookie(NULL, "h-1").p);
}

static void test_session_names(void **state)
{
	char longest[GUARD_NAME_MAX + 2];

	(void)state;
	assert_true(guard_is_session_name("20261121T172814-c79y5p"));
	assert_false(guard_is_session_name(""));
	assert_false(guard_is_session_name("-f"));
	assert_false(guard_is_session_name(".."));
	assert_false(guard_is_session_name("a/b"));
	assert_false(guard_is_session_name("a b"));
	assert_false(guard_is_session_name("a\xc3\xa4"));
	memset(longest, 'a', sizeof(longest));
	longest[GUARD_NAME_MAX] = '\0';
	assert_true(guard_is_session_name(longest));
	longest[GUARD_NAME_MAX] = 'a';
	longest[GUARD_NAME_MAX + 1] = '\0';
	assert_false(guard_is_session_name(longest));
}

static void v4(struct sockaddr_in *a, const char *text, uint16_t port)
{
	*a = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
	assert_int_equal(inet_pton(AF_INET, text, &a->sin_addr), 1);
}

static void test_line_of_tcp(void **state)
{
	static const char line[] =
		"   3: 0100007F:D431 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1000"
		"        0 81923 1 0000000000000000 20 4 30 10 -1";
	struct sockaddr_in peer, ours;
	struct guard_connection c = {};
	const struct sockaddr *p = (const struct sockaddr *)&peer,
			      *o = (const struct sockaddr *)&ours;

	(void)state;
	v4(&peer, "127.0.0.1", 0xd431);
	v4(&ours, "127.0.0.1", 8080);
	assert_true(guard_tcp_line(line, p, o, &c));
	assert_int_equal(c.inode, 81923);
	assert_int_equal(c.uid, 1000);
	assert_false(guard_tcp_line(line, o, p, &c)); /* that is our own end */
	ours.sin_port = htons(8081);
	assert_false(guard_tcp_line(line, p, o, &c));
	ours.sin_port = htons(8080);
	v4(&peer, "127.0.0.2", 0xd431);
	assert_false(guard_tcp_line(line, p, o, &c));
	assert_false(guard_tcp_line("  sl  local_address rem_address   st tx_queue", p, o, &c));
	assert_false(guard_tcp_line("", p, o, &c));
}

static void test_line_of_tcp6(void **state)
{
	static const char line[] =
		"   0: 00000000000000000000000001000000:D431 00000000000000000000000001000000:1F90 01 "
		"00000000:00000000 00:00000000 00000000     0        0 77 1 0000000000000000";
	struct sockaddr_in6 peer = {.sin6_family = AF_INET6,
				    .sin6_port = htons(0xd431),
				    .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr_in6 ours = {.sin6_family = AF_INET6,
				    .sin6_port = htons(8080),
				    .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct guard_connection c = {};

	(void)state;
	assert_true(guard_tcp_line(line, (const struct sockaddr *)&peer,
				   (const struct sockaddr *)&ours, &c));
	assert_int_equal(c.inode, 77);
}

static void test_a_link_works_once(void **state)
{
	char token[GUARD_TOKEN_SIZE], next[GUARD_TOKEN_SIZE];
	struct login who, found;
	struct logins l;

	(void)state;
	logins_init(&l);
	logins_token(&l, token);
	assert_false(logins_enter(&l, BYTES_LIT(T64), &who));
	assert_true(logins_enter(&l, bytes_of(token), &who));
	assert_false(logins_enter(&l, bytes_of(token), &who));
	logins_token(&l, next);
	assert_string_not_equal(token, next);
	assert_true(logins_find(&l, bytes_of(who.cookie), &found));
	assert_string_equal(found.csrf, who.csrf);
	assert_false(logins_find(&l, bytes_of(token), &found));
	assert_false(logins_find(&l, bytes_of(who.csrf), &found));
	logins_leave(&l, &who);
	assert_false(logins_find(&l, bytes_of(who.cookie), &found));
	logins_fini(&l);
}

static void test_one_browser_too_many_ends_the_idlest(void **state)
{
	char token[GUARD_TOKEN_SIZE];
	struct login who[LOGIN_MAX + 1], found;
	struct logins l;

	(void)state;
	logins_init(&l);
	for (size_t i = 0; i < ARRAY_SIZE(who); i++) {
		logins_token(&l, token);
		assert_true(logins_enter(&l, bytes_of(token), &who[i]));
	}
	assert_false(logins_find(&l, bytes_of(who[0].cookie), &found));
	for (size_t i = 1; i < ARRAY_SIZE(who); i++)
		assert_true(logins_find(&l, bytes_of(who[i].cookie), &found));
	l.list[0].used_ns = 1; /* since the machine was started */
	l.list[0].used_ns -= LOGIN_IDLE_NS;
	assert_false(logins_find(&l, bytes_of(l.list[0].cookie), &found));
	logins_fini(&l);
}

/* Nobody is in before somebody came: a cookie of zeros is nobody's. */
static void test_an_empty_place_is_nobody(void **state)
{
	char zeros[GUARD_TOKEN_LEN] = {};
	struct login found;
	struct logins l;

	(void)state;
	logins_init(&l);
	assert_false(logins_find(&l, (struct bytes){zeros, sizeof(zeros)}, &found));
	logins_fini(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_port_80_needs_no_number),
		cmocka_unit_test(test_only_addresses_are_listened_on),
		cmocka_unit_test(test_origin),
		cmocka_unit_test(test_fetch_metadata),
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_cookie),
		cmocka_unit_test(test_session_names),
		cmocka_unit_test(test_line_of_tcp),
		cmocka_unit_test(test_line_of_tcp6),
		cmocka_unit_test(test_a_link_works_once),
		cmocka_unit_test(test_one_browser_too_many_ends_the_idlest),
		cmocka_unit_test(test_an_empty_place_is_nobody),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("page-guard", tests, NULL, NULL);
}
