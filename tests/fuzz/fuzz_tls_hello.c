/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first bytes of a connection, of an agent or of a server. What is read must be the same
 * wherever the bytes are cut, and what is no ClientHello at some point never becomes one.
 */
#include "names/tls_hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool is_true)
{
	if (!is_true)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes all = {.p = (const char *)data, .len = size};
	struct tls_hello hello = {}, again = {};
	int r = tls_hello_read(all, &hello), asks = tls_asks_again(all);

	for (size_t len = 0; len < size; len += 1 + size / 64) {
		/* A copy of its own: what is read past the end shows. */
		char *copy = malloc(len + 1);
		struct bytes cut = {.p = copy, .len = len};
		int part, part_asks;

		check(copy);
		memcpy(copy, data, len);
		part = tls_hello_read(cut, &again);
		part_asks = tls_asks_again(cut);
		check(part == TLS_E_MORE || part == r);
		check(part_asks == -EAGAIN || part_asks == asks);
		if (part == 0)
			check(again.wire_len == hello.wire_len && streq(again.name, hello.name) &&
			      again.has_ech == hello.has_ech);
		free(copy);
	}
	if (r == 0) {
		check(tls_is_likely(all));
		check(hello.wire_len <= size && hello.wire_len <= TLS_HELLO_WIRE_MAX);
		check(strnlen(hello.name, DNS_NAME_SIZE) <= 253);
		check(strcspn(hello.name, " /%:\n") == strlen(hello.name));
	}
	return 0;
}
