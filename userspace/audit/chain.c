/* SPDX-License-Identifier: Apache-2.0 */
/* Since OpenSSL 3.0 the plain functions are called deprecated in favour of EVP, whose fetch loads
 * providers and a configuration at each start: a millisecond, for the same code underneath. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include "audit/chain.h"

static const char tail_begin[] = ",\"prev\":\"", tail_end[] = "\"}";

struct chain {
	SHA256_CTX ctx;
};

const struct chain_link chain_first = {
	.hex = {'0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0',
		'0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0',
		'0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0',
		'0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0'},
};

int chain_new(struct chain **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

struct chain *chain_free(struct chain *c)
{
	free(c);
	return NULL;
}

void chain_freep(struct chain **c)
{
	*c = chain_free(*c);
}

int chain_begin(struct chain *c)
{
	return SHA256_Init(&c->ctx) ? 0 : -ENOMEM;
}

int chain_add(struct chain *c, struct bytes piece)
{
	return SHA256_Update(&c->ctx, piece.p, piece.len) ? 0 : -ENOMEM;
}

int chain_end(struct chain *c, struct chain_link *ret)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char hash[SHA256_DIGEST_LENGTH];

	if (!SHA256_Final(hash, &c->ctx))
		return -ENOMEM;
	for (size_t i = 0; i < sizeof(hash); i++) {
		ret->hex[2 * i] = digits[hash[i] >> 4];
		ret->hex[2 * i + 1] = digits[hash[i] & 15];
	}
	return 0;
}

int chain_hash(struct chain *c, struct bytes line, struct chain_link *ret)
{
	int r;

	r = chain_begin(c);
	if (r == 0)
		r = chain_add(c, line);
	return r < 0 ? r : chain_end(c, ret);
}

bool chain_prev_of(struct bytes line, struct chain_link *ret)
{
	const size_t begin = strlen(tail_begin), end = strlen(tail_end);
	const char *tail;

	if (line.len < CHAIN_TAIL_BYTES)
		return false;
	tail = line.p + line.len - CHAIN_TAIL_BYTES;
	if (memcmp(tail, tail_begin, begin) != 0 ||
	    memcmp(tail + begin + CHAIN_HEX, tail_end, end) != 0)
		return false;
	for (size_t i = 0; i < CHAIN_HEX; i++) {
		char c = tail[begin + i];

		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
			return false;
		ret->hex[i] = c;
	}
	return true;
}
