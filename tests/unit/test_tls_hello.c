/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "names/tls_hello.h"

/* A ClientHello as it is written: the message, and then records of at most so many bytes. */
struct hello {
	uint8_t message[20000], wire[40000];
	size_t len, wire_len;
};

static void put(struct hello *h, const void *p, size_t len)
{
	memcpy(h->message + h->len, p, len);
	h->len += len;
}

static void put_number(struct hello *h, size_t n, size_t value)
{
	for (size_t i = n; i-- > 0;)
		h->message[h->len++] = (uint8_t)(value >> 8 * i);
}

static void begin(struct hello *h)
{
	h->len = h->wire_len = 0;
	put(h, "\1\0\0\0\3\3", 6);
	memset(h->message + h->len, 'r', 32);
	h->len += 32;
	put(h, "\4sess\0\2\x13\1\1\0\0\0", 13);
}

static void add_extension(struct hello *h, unsigned type, const void *p, size_t len)
{
	put_number(h, 2, type);
	put_number(h, 2, len);
	put(h, p, len);
}

static void add_name(struct hello *h, const char *name)
{
	size_t len = strlen(name);

	put_number(h, 2, 0);
	put_number(h, 2, len + 5);
	put_number(h, 2, len + 3);
	put_number(h, 1, 0);
	put_number(h, 2, len);
	put(h, name, len);
}

/* Of @max bytes each; the last may be shorter. */
static struct bytes end(struct hello *h, size_t max)
{
	size_t extensions = 4 + 2 + 32 + 5 + 4 + 2;

	h->message[extensions] = (uint8_t)((h->len - extensions - 2) >> 8);
	h->message[extensions + 1] = (uint8_t)(h->len - extensions - 2);
	h->message[2] = (uint8_t)((h->len - 4) >> 8);
	h->message[3] = (uint8_t)(h->len - 4);
	for (size_t at = 0; at < h->len; at += max) {
		size_t n = MIN(max, h->len - at);

		memcpy(h->wire + h->wire_len, "\x16\3\1", 3);
		h->wire[h->wire_len + 3] = (uint8_t)(n >> 8);
		h->wire[h->wire_len + 4] = (uint8_t)n;
		memcpy(h->wire + h->wire_len + 5, h->message + at, n);
		h->wire_len += 5 + n;
	}
	return (struct bytes){.p = (const char *)h->wire, .len = h->wire_len};
}

static struct hello h;

static void test_a_name_is_read(void **state)
{
	struct tls_hello got = {};
	struct bytes wire;

	(void)state;
	begin(&h);
	add_extension(&h, 16, "\0\3\2h2", 5);
	add_name(&h, "API.Good.example");
	wire = end(&h, 16384);
	assert_int_equal(tls_hello_read(wire, &got), 0);
	assert_string_equal(got.name, "api.good.example");
	assert_false(got.has_ech);
	assert_int_equal(got.wire_len, wire.len);
	/* What comes behind the record is somebody else's. */
	h.wire[wire.len] = 0x17;
	wire.len++;
	assert_int_equal(tls_hello_read(wire, &got), 0);
	assert_int_equal(got.wire_len, wire.len - 1);
	assert_true(tls_is_likely(wire));
	assert_false(tls_is_likely(BYTES_LIT("GET /")));
}

static void test_a_name_in_pieces(void **state)
{
	struct tls_hello got = {};
	struct bytes wire;

	(void)state;
	for (size_t max = TLS_FRAGMENT_MIN; max < 90; max++) {
		begin(&h);
		add_name(&h, "good.example");
		wire = end(&h, max);
		assert_int_equal(tls_hello_read(wire, &got), 0);
		assert_string_equal(got.name, "good.example");
		assert_int_equal(got.wire_len, wire.len);
		for (size_t len = 0; len < wire.len; len++)
			assert_int_equal(
				tls_hello_read((struct bytes){.p = wire.p, .len = len}, &got),
				TLS_E_MORE);
	}
	/* So many heads for so few bytes are an attack on who reads them. */
	begin(&h);
	add_name(&h, "good.example");
	assert_int_equal(tls_hello_read(end(&h, TLS_FRAGMENT_MIN - 1), &got), -EBADMSG);
}

static void test_none_and_encrypted(void **state)
{
	static const unsigned types[] = {0xfe0d, 0xfe0a, 0xffce};
	struct tls_hello got = {};

	(void)state;
	begin(&h);
	add_extension(&h, 16, "\0\3\2h2", 5);
	assert_int_equal(tls_hello_read(end(&h, 16384), &got), 0);
	assert_string_equal(got.name, "");
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		begin(&h);
		add_name(&h, "front.example");
		add_extension(&h, types[i], "inner", 5);
		assert_int_equal(tls_hello_read(end(&h, 16384), &got), 0);
		assert_string_equal(got.name, "front.example");
		assert_true(got.has_ech);
	}
}

static void test_what_has_two_readings(void **state)
{
	static const char *const names[] = {
		"", ".", "a..b", "a.example.", "a b", "a/b", "[::1]", "a\n",
	};
	struct tls_hello got = {};
	struct bytes wire;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		begin(&h);
		add_name(&h, names[i]);
		assert_int_equal(tls_hello_read(end(&h, 16384), &got), -EBADMSG);
	}
	begin(&h);
	add_name(&h, "good.example");
	add_name(&h, "evil.example");
	assert_int_equal(tls_hello_read(end(&h, 16384), &got), -EBADMSG);
	begin(&h);
	add_extension(&h, 0, "\0\10\0\0\1a\0\0\1b", 10);
	assert_int_equal(tls_hello_read(end(&h, 16384), &got), -EBADMSG);
	begin(&h);
	add_extension(&h, 0, "\0\4\1\0\1a", 6); /* a kind that nobody has defined */
	assert_int_equal(tls_hello_read(end(&h, 16384), &got), -EBADMSG);
	/* Another message in the same record. */
	begin(&h);
	add_name(&h, "good.example");
	wire = end(&h, 16384);
	h.wire[wire.len] = 1;
	wire.len++;
	h.wire[4]++;
	assert_int_equal(tls_hello_read(wire, &got), -EBADMSG);
	/* Another kind of record in the middle of it. */
	begin(&h);
	add_name(&h, "good.example");
	wire = end(&h, 40);
	h.wire[45] = TLS_ALERT;
	assert_int_equal(tls_hello_read(wire, &got), -EBADMSG);
}

static void test_a_server_that_asks_again(void **state)
{
	static const char retry[] = "\x16\3\3\0\x58\2\0\0\x54\3\3"
				    "\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe\x1d\x8c\x02\x1e\x65\xb8"
				    "\x91\xc2\xa2\x11\x16\x7a\xbb\x8c\x5e\x07\x9e\x09\xe2\xc8\xa8"
				    "\x33\x9c";
	char data[sizeof(retry)];
	struct bytes all = {.p = data, .len = sizeof(retry) - 1};

	(void)state;
	memcpy(data, retry, sizeof(data));
	assert_int_equal(tls_asks_again(all), 1);
	for (size_t len = 0; len < all.len; len++)
		assert_int_equal(tls_asks_again((struct bytes){.p = data, .len = len}), -EAGAIN);
	data[20] ^= 1;
	assert_int_equal(tls_asks_again(all), 0);
	data[0] = TLS_ALERT;
	assert_int_equal(tls_asks_again((struct bytes){.p = data, .len = 1}), 0);
	/* In pieces, so that nobody sees it. */
	memcpy(data, retry, sizeof(data));
	data[4] = 20;
	assert_int_equal(tls_asks_again(all), -EBADMSG);
	assert_int_equal(tls_asks_again((struct bytes){.p = data, .len = 5}), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_name_is_read),
		cmocka_unit_test(test_a_name_in_pieces),
		cmocka_unit_test(test_none_and_encrypted),
		cmocka_unit_test(test_what_has_two_readings),
		cmocka_unit_test(test_a_server_that_asks_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
