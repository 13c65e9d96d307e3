/* SPDX-License-Identifier: Apache-2.0 */
/* See audit/chain.c for why not EVP, which SHA256() is today. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include "base/sha256.h"

_Static_assert(SHA256_BYTES == SHA256_DIGEST_LENGTH, "the same hash");

/* These cannot fail with a plain SHA256_CTX. */
void sha256(struct bytes data, unsigned char ret[static SHA256_BYTES])
{
	SHA256_CTX ctx;

	(void)SHA256_Init(&ctx);
	(void)SHA256_Update(&ctx, data.p, data.len);
	(void)SHA256_Final(ret, &ctx);
}
