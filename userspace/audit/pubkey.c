/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sodium.h>

#include "base/io.h"

#include "audit/pubkey.h"

#define PEM_MAX   ((size_t)4096)
#define PEM_BEGIN "-----BEGIN PUBLIC KEY-----"
#define PEM_END   "-----END PUBLIC KEY-----"

/* What stands before the 32 bytes of the key (RFC 8410). */
static const unsigned char prefix[] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
				       0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};

#define DER_BYTES (sizeof(prefix) + PUBKEY_BYTES)

_Static_assert(PUBKEY_BYTES == crypto_sign_PUBLICKEYBYTES, "Ed25519");
_Static_assert(PUBKEY_SIGNATURE_BYTES == crypto_sign_BYTES, "Ed25519");

void pubkey_id(const struct pubkey *k, char ret[static PUBKEY_ID_HEX + 1])
{
	unsigned char hash[crypto_hash_sha256_BYTES];

	(void)crypto_hash_sha256(hash, k->key, sizeof(k->key));
	(void)sodium_bin2hex(ret, PUBKEY_ID_HEX + 1, hash, sizeof(hash));
}

bool pubkey_verify(const struct pubkey *k, struct bytes text,
		   const unsigned char signature[static PUBKEY_SIGNATURE_BYTES])
{
	return crypto_sign_verify_detached(signature, (const unsigned char *)text.p, text.len,
					   k->key) == 0;
}

void pubkey_add_base64(const struct pubkey *k, struct strbuf *out)
{
	unsigned char der[DER_BYTES];
	char text[2 * DER_BYTES];

	memcpy(der, prefix, sizeof(prefix));
	memcpy(der + sizeof(prefix), k->key, sizeof(k->key));
	(void)sodium_bin2base64(text, sizeof(text), der, sizeof(der),
				sodium_base64_VARIANT_ORIGINAL);
	strbuf_add_str(out, text);
}

bool pubkey_from_base64(struct bytes base64, struct pubkey *ret)
{
	unsigned char der[DER_BYTES];
	size_t len;

	if (sodium_base642bin(der, sizeof(der), base64.p, base64.len, "\r\n \t", &len, NULL,
			      sodium_base64_VARIANT_ORIGINAL) != 0 ||
	    len != sizeof(der) || memcmp(der, prefix, sizeof(prefix)) != 0)
		return false;
	memcpy(ret->key, der + sizeof(prefix), sizeof(ret->key));
	return true;
}

static bool read_pem(const char *text, struct pubkey *ret)
{
	const char *from = strstr(text, PEM_BEGIN), *to = from ? strstr(from, PEM_END) : NULL;

	if (!to)
		return false;
	from += strlen(PEM_BEGIN);
	return pubkey_from_base64((struct bytes){.p = from, .len = (size_t)(to - from)}, ret);
}

int pubkey_load(const char *path, struct pubkey *ret, struct diag *reterr_diag)
{
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(PEM_MAX);
	int r;

	r = io_read_file_at(AT_FDCWD, path, &text);
	if (r < 0 && r != -EMSGSIZE) {
		(void)diag_set(reterr_diag, NULL, 0, 0, "cannot read the public key '%s': %s", path,
			       strerror(-r));
		return r;
	}
	if (!read_pem(strbuf_str(&text), ret))
		return diag_set(reterr_diag, NULL, 0, 0,
				"'%s' is not the public half of an Ed25519 key in PEM", path);
	return 0;
}
