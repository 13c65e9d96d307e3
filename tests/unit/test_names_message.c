/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "names/message.h"

/* "\3www" and so on are written out; a header is id 0x1234 and what follows. */
#define HEADER(flags, questions, answers, extra)                                                   \
	"\x12\x34" flags "\0" questions "\0" answers "\0\0\0" extra
#define NAME    "\3www\7eXample\0"
#define POINTER "\xc0\x0c"
#define A_IN    "\0\1\0\1"
#define MESSAGE(text)                                                                              \
	(struct bytes)                                                                             \
	{                                                                                          \
		.p = (text), .len = sizeof(text) - 1                                               \
	}
#define QUESTION             HEADER("\1\0", "\1", "\0", "\0") NAME A_IN
#define ANSWER(n)            HEADER("\x81\x80", "\1", n, "\0") NAME A_IN
#define RR(owner, type, len) owner "\0" type "\0\1\0\0\0\x3c\0" len

static void test_question(void **state)
{
	struct dns_question q;
	char out[DNS_QUESTION_MAX];
	size_t n;

	(void)state;
	assert_int_equal(dns_read_question(MESSAGE(QUESTION), &q), 0);
	assert_string_equal(q.name, "www.example");
	assert_int_equal(q.type, DNS_A);
	assert_int_equal(q.id, 0x1234);
	assert_false(q.has_edns);
	n = dns_write_question(&q, MESSAGE(QUESTION), 0x4321, out);
	assert_int_equal(n, sizeof(QUESTION) - 1);
	assert_memory_equal(out, "\x43\x21", 2);
	/* Letters keep their case: a server has to repeat them (0x20). */
	assert_memory_equal(out + 2, &QUESTION[2], n - 2);
}

static void test_edns_options_stay_here(void **state)
{
#define OPTIONS "\0\x2a\0\3abc" /* seven bytes of anything */
	const struct bytes m = MESSAGE(HEADER("\1\0", "\1", "\0", "\1") NAME A_IN
				       "\0\0\x29\x10\0\0\0\x80\0\0\7" OPTIONS);
	struct dns_question q;
	char out[DNS_QUESTION_MAX];
	size_t n;

	(void)state;
	assert_int_equal(dns_read_question(m, &q), 0);
	assert_true(q.has_edns && q.wants_dnssec);
	assert_int_equal(q.udp_size, 4096);
	n = dns_write_question(&q, m, 1, out);
	assert_int_equal(n, m.len - 7);
	assert_null(memmem(out, n, "abc", 3));
	assert_memory_equal(out + n - 11, "\0\0\x29\x04\xd0\0\0\x80\0\0\0", 11);
}

static void test_what_is_no_question(void **state)
{
	static const struct {
		struct bytes text;
		int expected;
	} cases[] = {
		{{"", 0}, -ENODATA},
		{MESSAGE("\x12\x34\1\0\0\1\0\0\0\0\0"), -ENODATA},
		{MESSAGE(HEADER("\x81\0", "\1", "\0", "\0") NAME A_IN), -ENODATA}, /* an answer */
		{MESSAGE(HEADER("\x29\0", "\1", "\0", "\0") NAME A_IN), -EOPNOTSUPP}, /* update */
		{MESSAGE(HEADER("\1\0", "\2", "\0", "\0") NAME A_IN NAME A_IN), -EBADMSG},
		{MESSAGE(HEADER("\1\0", "\0", "\0", "\0")), -EBADMSG},
		{MESSAGE(HEADER("\1\0", "\1", "\1", "\0") NAME A_IN), -EBADMSG},
		{MESSAGE(HEADER("\1\0", "\1", "\0", "\0") NAME "\0\1"), -EBADMSG},
		{MESSAGE(HEADER("\1\0", "\1", "\0", "\0") NAME A_IN "x"), -EBADMSG},
		{MESSAGE(HEADER("\1\0", "\1", "\0", "\0") POINTER A_IN), -EBADMSG}, /* a loop */
		{MESSAGE(HEADER("\1\0", "\1", "\0", "\0") "\x40x\0" A_IN), -EBADMSG},
		{MESSAGE(HEADER("\1\0", "\1", "\0", "\0") "\3a.b\0" A_IN), -EOPNOTSUPP},
		{MESSAGE(HEADER("\1\0", "\1", "\0", "\0") "\3a\0b\0" A_IN), -EOPNOTSUPP},
		{MESSAGE(HEADER("\1\0", "\1", "\0", "\0") NAME "\0\x10\0\3"), -EOPNOTSUPP}, /* CH */
		{MESSAGE(HEADER("\1\0", "\1", "\0", "\1") NAME A_IN NAME A_IN "\0\0\0\0\0\0"),
		 -EOPNOTSUPP},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct dns_question q;
		int r = dns_read_question(cases[i].text, &q);

		if (r != cases[i].expected)
			fail_msg("case %zu: %d", i, r);
	}
}

static void test_names_have_an_end(void **state)
{
	char m[512] = "\x12\x34\1\0\0\1\0\0\0\0\0";
	struct dns_question q;
	size_t at = 12;

	(void)state;
	/* 253 characters are a name, 254 are none. */
	for (int i = 0; i < 3; i++) {
		m[at] = 63;
		memset(m + at + 1, 'a', 63);
		at += 64;
	}
	m[at] = 61;
	memset(m + at + 1, 'b', 62);
	memcpy(m + at + 62, "\0\0\1\0\1", 5);
	assert_int_equal(dns_read_question((struct bytes){.p = m, .len = at + 67}, &q), 0);
	assert_int_equal(strlen(q.name), 253);
	m[at] = 62;
	memset(m + at + 1, 'b', 62);
	memcpy(m + at + 63, "\0\0\1\0\1", 5);
	assert_int_equal(dns_read_question((struct bytes){.p = m, .len = at + 68}, &q), -EBADMSG);
}

static struct dns_question asked(void)
{
	struct dns_question q;

	assert_int_equal(dns_read_question(MESSAGE(QUESTION), &q), 0);
	return q;
}

static void test_answer(void **state)
{
	const struct dns_question q = asked();
	struct dns_facts f;

	(void)state;
	/* The alias comes after what it leads to; the last record is of somebody else. */
	assert_int_equal(
		dns_read_answer(
			MESSAGE(ANSWER("\3") RR("\3cdn\3net\0", "\1", "\4") "\1\2\3\4" RR(
				POINTER, "\5", "\x09") "\3CDN\3net\0" RR("\1x\0", "\1",
									 "\4") "\5\6\7\x08"),
			&q, 0x1234, &f),
		0);
	assert_int_equal(f.n_names, 2);
	assert_string_equal(f.names[0], "www.example");
	assert_string_equal(f.names[1], "cdn.net");
	assert_int_equal(f.n_addresses, 1);
	assert_true(f.addresses[0].is_v4);
	assert_memory_equal(f.addresses[0].ip, "\1\2\3\4", 4);
	assert_int_equal(f.ttl, 60);
}

static void test_answers_that_are_none(void **state)
{
	static const struct {
		struct bytes text;
		int expected;
	} cases[] = {
		{MESSAGE(QUESTION), -ENOMSG},
		{MESSAGE(HEADER("\x81\x80", "\1", "\0", "\0") "\3www\5other\0" A_IN), -ENOMSG},
		/* Text ends at a NUL, a name does not. */
		{MESSAGE(HEADER("\x81\x80", "\1", "\0", "\0") "\3www\10example\0\0" A_IN), -ENOMSG},
		{MESSAGE(HEADER("\x81\x80", "\1", "\0", "\0") NAME "\0\x1c\0\1"), -ENOMSG},
		{MESSAGE(HEADER("\x81\x80", "\0", "\0", "\0")), -ENOMSG},
		{MESSAGE(ANSWER("\1")), -EBADMSG},
		{MESSAGE(ANSWER("\1") RR(POINTER, "\1", "\5") "\1\2\3\4\5"), -EBADMSG},
		{MESSAGE(ANSWER("\1") RR(POINTER, "\1", "\4") "\1\2\3"), -EBADMSG},
		{MESSAGE(ANSWER("\1") RR(POINTER, "\1", "\4") "\1\2\3\4\5"), -EBADMSG},
		{MESSAGE(ANSWER("\1") RR("\xc0\x1d", "\1", "\4") "\1\2\3\4"), -EBADMSG},
		{MESSAGE(ANSWER("\1") RR(POINTER, "\x1c", "\4") "\1\2\3\4"), -EBADMSG},
	};
	const struct dns_question q = asked();
	struct dns_facts f;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int r = dns_read_answer(cases[i].text, &q, 0x1234, &f);

		if (r != cases[i].expected)
			fail_msg("case %zu: %d", i, r);
	}
	assert_int_equal(dns_read_answer(MESSAGE(ANSWER("\0")), &q, 0x1235, &f), -ENOMSG);
}

static void test_aliases_in_a_circle_end(void **state)
{
	const struct dns_question q = asked();
	struct dns_facts f;

	(void)state;
	assert_int_equal(dns_read_answer(MESSAGE(ANSWER("\2") RR(POINTER, "\5", "\3") "\1a\0" RR(
						 "\1a\0", "\5", "\2") POINTER),
					 &q, 0x1234, &f),
			 0);
	assert_int_equal(f.n_names, 2);
}

static void test_hints_are_addresses(void **state)
{
	static const char question[] = HEADER("\1\0", "\1", "\0", "\0") NAME "\0\x41\0\1";
	struct dns_question q;
	struct dns_facts f;

	(void)state;
	assert_int_equal(dns_read_question(MESSAGE(question), &q), 0);
	assert_int_equal(
		dns_read_answer(MESSAGE(HEADER("\x81\x80", "\1", "\1", "\0") NAME "\0\x41\0\1" RR(
					POINTER, "\x41",
					"\x1f") "\0\1\0"
						"\0\4\0\4\1\2\3\4"
						"\0\6\0\x10\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1"),
				&q, 0x1234, &f),
		0);
	assert_int_equal(f.n_addresses, 2);
	assert_true(f.addresses[0].is_v4);
	assert_false(f.addresses[1].is_v4);
	assert_memory_equal(f.addresses[1].ip, "\x20\1\xd\xb8", 4);
}

static void test_error(void **state)
{
	struct dns_question q;
	char out[DNS_QUESTION_MAX];
	size_t n;

	(void)state;
	assert_int_equal(dns_read_question(MESSAGE(QUESTION), &q), 0);
	n = dns_write_error(&q, MESSAGE(QUESTION), DNS_NXDOMAIN, out);
	assert_int_equal(n, sizeof(QUESTION) - 1);
	assert_memory_equal(out, "\x12\x34\x81\x83\0\1\0\0\0\0\0\0", 12);
	assert_memory_equal(out + 12, &QUESTION[12], n - 12);
	assert_int_equal(dns_write_cut(&q, MESSAGE(QUESTION), out), n);
	assert_memory_equal(out, "\x12\x34\x83\x80\0\1\0\0\0\0\0\0", 12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_question),
		cmocka_unit_test(test_edns_options_stay_here),
		cmocka_unit_test(test_what_is_no_question),
		cmocka_unit_test(test_names_have_an_end),
		cmocka_unit_test(test_answer),
		cmocka_unit_test(test_answers_that_are_none),
		cmocka_unit_test(test_aliases_in_a_circle_end),
		cmocka_unit_test(test_hints_are_addresses),
		cmocka_unit_test(test_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
