/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that travel: what was changed in them, or signed by another, is none. */
#include <sodium.h>
#include <stdio.h>

#include "broker/token.h"

#include "unit.h"

static const unsigned char key[TOKEN_KEY_BYTES] = "0123456789abcdef0123456789abcde";
static const struct token sample = {
	.session = "20261121T051234-k3f9qz",
	.id = "abcd2345",
	.approve = true,
	.expires_s = 1795237200,
	.nonce = {1, 2, 3, 255},
};

static void test_a_token_reads_back(void **state)
{
	struct token t = sample, back;
	char text[TOKEN_MAX];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		t.approve = i;
		assert_int_equal(token_write(&t, key, text), 0);
		assert_int_equal(token_read(bytes_of(text), key, &back), 0);
		assert_string_equal(back.session, t.session);
		assert_string_equal(back.id, t.id);
		assert_int_equal(back.approve, t.approve);
		assert_int_equal(back.expires_s, t.expires_s);
		assert_memory_equal(back.nonce, t.nonce, sizeof(t.nonce));
	}
}

static void test_every_changed_byte_is_noticed(void **state)
{
	char text[TOKEN_MAX], changed[TOKEN_MAX];
	struct token back;

	(void)state;
	assert_int_equal(token_write(&sample, key, text), 0);
	for (size_t i = 0; text[i]; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			memcpy(changed, text, sizeof(text));
			changed[i] = (char)(changed[i] ^ 1 << bit);
			assert_true(token_read((struct bytes){changed, strlen(text)}, key, &back) <
				    0);
		}
}

/* libsodium decodes some bytes above ASCII as '_' (found by fuzzing). */
static void test_a_signature_has_one_spelling(void **state)
{
	char text[TOKEN_MAX], changed[TOKEN_MAX];
	struct token t = sample, back;

	(void)state;
	for (t.expires_s = 1; t.expires_s < 200; t.expires_s++) {
		size_t mac;

		assert_int_equal(token_write(&t, key, text), 0);
		mac = (size_t)(strrchr(text, '.') - text) + 1;
		for (size_t i = mac; text[i]; i++)
			for (unsigned c = 1; c < 256; c++) {
				memcpy(changed, text, sizeof(text));
				changed[i] = (char)c;
				if (changed[i] != text[i])
					assert_int_equal(token_read(bytes_of(changed), key, &back),
							 -EACCES);
			}
	}
}

static void test_a_part_is_no_token(void **state)
{
	char text[TOKEN_MAX + 2];
	struct token back;
	size_t len;

	(void)state;
	assert_int_equal(token_write(&sample, key, text), 0);
	len = strlen(text);
	for (size_t i = 0; i < len; i++)
		assert_true(token_read((struct bytes){text, i}, key, &back) < 0);
	memcpy(text + len, "A", 2);
	assert_true(token_read((struct bytes){text, len + 1}, key, &back) < 0);
	assert_true(token_read(BYTES_LIT("v1......"), key, &back) < 0);
	assert_true(token_read(BYTES_LIT("v1.a.b.c.d.e.f"), key, &back) == -EACCES);
}

static void test_a_token_of_another_broker_is_refused(void **state)
{
	unsigned char other[TOKEN_KEY_BYTES];
	char text[TOKEN_MAX];
	struct token back;

	(void)state;
	memcpy(other, key, sizeof(key));
	other[31] ^= 1;
	assert_int_equal(token_write(&sample, other, text), 0);
	assert_int_equal(token_read(bytes_of(text), key, &back), -EACCES);
}

static void test_a_name_that_would_be_ambiguous_has_no_token(void **state)
{
	static const char *const names[] = {"", "a.b", "a b", "a/b", "\xc3\xa4"};
	char text[TOKEN_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct token t = sample;

		(void)snprintf(t.session, sizeof(t.session), "%s", names[i]);
		assert_int_equal(token_write(&t, key, text), -EINVAL);
	}
}

static void test_the_longest_name_fits(void **state)
{
	struct token t = sample, back;
	char text[TOKEN_MAX];

	(void)state;
	memset(t.session, 'a', sizeof(t.session) - 1);
	assert_int_equal(token_write(&t, key, text), 0);
	assert_int_equal(token_read(bytes_of(text), key, &back), 0);
	assert_string_equal(back.session, t.session);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_token_reads_back),
		cmocka_unit_test(test_every_changed_byte_is_noticed),
		cmocka_unit_test(test_a_signature_has_one_spelling),
		cmocka_unit_test(test_a_part_is_no_token),
		cmocka_unit_test(test_a_token_of_another_broker_is_refused),
		cmocka_unit_test(test_a_name_that_would_be_ambiguous_has_no_token),
		cmocka_unit_test(test_the_longest_name_fits),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
