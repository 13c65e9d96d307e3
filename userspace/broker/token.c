/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>

#include "base/io.h"

#include "broker/token.h"

#define B64      sodium_base64_VARIANT_URLSAFE_NO_PADDING
#define MAC_TEXT sodium_base64_ENCODED_LEN(crypto_auth_hmacsha256_BYTES, B64)
#define N_PARTS  7
#define NAME_ABC "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

_Static_assert(TOKEN_KEY_BYTES == crypto_auth_hmacsha256_KEYBYTES, "HMAC-SHA256's");

static void mac_of(struct bytes s, const unsigned char *key,
		   unsigned char out[static crypto_auth_hmacsha256_BYTES])
{
	(void)crypto_auth_hmacsha256(out, (const unsigned char *)s.p, s.len, key);
}

int token_write(const struct token *t, const unsigned char key[static TOKEN_KEY_BYTES],
		char out[static TOKEN_MAX])
{
	unsigned char mac[crypto_auth_hmacsha256_BYTES];
	char nonce[sodium_base64_ENCODED_LEN(TOKEN_NONCE_BYTES, B64)], mac_text[MAC_TEXT];
	int n;

	if (!t->session[0] || t->session[strspn(t->session, NAME_ABC)])
		return -EINVAL;
	(void)sodium_bin2base64(nonce, sizeof(nonce), t->nonce, sizeof(t->nonce), B64);
	n = snprintf(out, TOKEN_MAX, "v1.%s.%s.%s.%" PRIu64 ".%s", t->session, t->id,
		     t->approve ? "allow" : "deny", t->expires_s, nonce);
	mac_of((struct bytes){out, (size_t)n}, key, mac);
	(void)sodium_bin2base64(mac_text, sizeof(mac_text), mac, sizeof(mac), B64);
	if (snprintf(out + n, TOKEN_MAX - (size_t)n, ".%s", mac_text) >= TOKEN_MAX - n)
		return -EINVAL;
	return 0;
}

/* Return: whether there are exactly N_PARTS parts between dots, none of them empty. */
static bool split(struct bytes text, struct bytes parts[static N_PARTS])
{
	const char *at = text.p, *end = text.p + text.len;

	for (size_t i = 0; i < N_PARTS; i++) {
		const char *dot = i + 1 < N_PARTS ? memchr(at, '.', (size_t)(end - at)) : end;

		if (!dot || dot == at)
			return false;
		parts[i] = (struct bytes){at, (size_t)(dot - at)};
		at = dot == end ? end : dot + 1;
	}
	return true;
}

/* What was signed by us has this form; it is checked all the same. */
static int read_parts(const struct bytes parts[static N_PARTS], struct token *ret)
{
	size_t len = 0;

	*ret = (struct token){};
	if (parts[1].len >= sizeof(ret->session) || parts[2].len != HELD_ID_SIZE - 1)
		return -EINVAL;
	memcpy(ret->session, parts[1].p, parts[1].len);
	memcpy(ret->id, parts[2].p, parts[2].len);
	ret->approve = bytes_eq_str(parts[3], "allow");
	if ((!ret->approve && !bytes_eq_str(parts[3], "deny")) || !control_is_id(ret->id) ||
	    parse_u64(parts[4], UINT64_MAX / NS_PER_SEC, &ret->expires_s) < 0 ||
	    sodium_base642bin(ret->nonce, sizeof(ret->nonce), parts[5].p, parts[5].len, NULL, &len,
			      NULL, B64) < 0 ||
	    len != sizeof(ret->nonce))
		return -EINVAL;
	return 0;
}

int token_read(struct bytes text, const unsigned char key[static TOKEN_KEY_BYTES],
	       struct token *ret)
{
	unsigned char mac[crypto_auth_hmacsha256_BYTES];
	char mac_text[MAC_TEXT];
	struct bytes parts[N_PARTS];

	if (text.len >= TOKEN_MAX || !split(text, parts) || !bytes_eq_str(parts[0], "v1"))
		return -EINVAL;
	/* First of all, so that nothing is looked at that others wrote. As text: decoders take more
	 * than one text for the same bytes, libsodium's also some that are not of the alphabet. */
	mac_of((struct bytes){text.p, (size_t)(parts[N_PARTS - 1].p - 1 - text.p)}, key, mac);
	(void)sodium_bin2base64(mac_text, sizeof(mac_text), mac, sizeof(mac), B64);
	if (parts[N_PARTS - 1].len != strlen(mac_text) ||
	    sodium_memcmp(mac_text, parts[N_PARTS - 1].p, strlen(mac_text)) != 0)
		return -EACCES;
	return read_parts(parts, ret);
}
