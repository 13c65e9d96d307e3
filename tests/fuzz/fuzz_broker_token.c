/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens of the broker come from the network: what is taken for one is exactly what was made. */
#include <sodium.h>

#include "broker/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned char key[TOKEN_KEY_BYTES] = "0123456789abcdef0123456789abcde";
	const struct bytes text = {(const char *)data, size};
	char again[TOKEN_MAX];
	struct token t;

	if (sodium_init() < 0)
		__builtin_trap();
	if (token_read(text, key, &t) < 0)
		return 0;
	if (token_write(&t, key, again) < 0 || !bytes_eq_str(text, again))
		__builtin_trap();
	return 0;
}
