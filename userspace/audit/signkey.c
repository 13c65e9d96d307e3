/* SPDX-License-Identifier: Apache-2.0 */
#include <sodium.h>
#include <sys/mman.h>

#include "audit/signkey.h"

struct signkey {
	struct pubkey public;
	unsigned char secret[crypto_sign_SECRETKEYBYTES];
};

int signkey_new(struct signkey **ret)
{
	struct signkey *k;

	if (sodium_init() < 0)
		return -EIO;
	/* Pages of its own: what is said about them is said about nothing else. sodium_malloc()
	 * would have them too, but not say where they begin. */
	k = mmap(NULL, sizeof(*k), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (k == MAP_FAILED)
		return -ENOMEM;
	(void)mlock(k, sizeof(*k)); /* RLIMIT_MEMLOCK may be 0: then only root reads the swap */
	if (madvise(k, sizeof(*k), MADV_WIPEONFORK) < 0 ||
	    madvise(k, sizeof(*k), MADV_DONTDUMP) < 0) {
		(void)munmap(k, sizeof(*k));
		return -ENOMEM;
	}
	(void)crypto_sign_keypair(k->public.key, k->secret);
	*ret = k;
	return 0;
}

struct signkey *signkey_free(struct signkey *k)
{
	if (!k)
		return NULL;
	sodium_memzero(k, sizeof(*k));
	(void)munmap(k, sizeof(*k));
	return NULL;
}

void signkey_freep(struct signkey **k)
{
	*k = signkey_free(*k);
}

const struct pubkey *signkey_public(const struct signkey *k)
{
	return &k->public;
}

void signkey_sign(const struct signkey *k, struct bytes text,
		  unsigned char ret[static PUBKEY_SIGNATURE_BYTES])
{
	(void)crypto_sign_detached(ret, NULL, (const unsigned char *)text.p, text.len, k->secret);
}
