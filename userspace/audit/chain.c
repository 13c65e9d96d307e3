/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "audit/chain.h"

#define CHAIN_HASH_BYTES ((size_t)32)

static const char tail_begin[] = ",\"prev\":\"", tail_end[] = "\"}";

struct chain {
	EVP_MD *md;
	EVP_MD_CTX *ctx;
};

const struct chain_link chain_first = {
	.hex = {'0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0',
		'0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0',
		'0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0',
		'0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0'},
};

int chain_new(struct chain **ret)
{
	_cleanup_(chain_freep) struct chain *c = NULL;

	/* No configuration file: it could name modules to load, and the environment names it. */
	if (!OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL))
		return -ENOMEM;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->md = EVP_MD_fetch(NULL, "SHA2-256", NULL);
	c->ctx = EVP_MD_CTX_new();
	if (!c->md || !c->ctx || !EVP_DigestInit_ex2(c->ctx, c->md, NULL))
		return -ENOMEM;
	*ret = TAKE_PTR(c);
	return 0;
}

struct chain *chain_free(struct chain *c)
{
	if (!c)
		return NULL;
	EVP_MD_CTX_free(c->ctx);
	EVP_MD_free(c->md);
	free(c);
	return NULL;
}

void chain_freep(struct chain **c)
{
	*c = chain_free(*c);
}

int chain_begin(struct chain *c)
{
	return EVP_DigestInit_ex2(c->ctx, NULL, NULL) ? 0 : -ENOMEM;
}

int chain_add(struct chain *c, struct bytes piece)
{
	return EVP_DigestUpdate(c->ctx, piece.p, piece.len) ? 0 : -ENOMEM;
}

int chain_end(struct chain *c, struct chain_link *ret)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char hash[CHAIN_HASH_BYTES];

	if (!EVP_DigestFinal_ex(c->ctx, hash, NULL))
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
