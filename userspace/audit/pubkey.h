/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The public half of a key that signs checkpoints: Ed25519. In files it is what openssl(1) reads, a
 * SubjectPublicKeyInfo (RFC 8410) in base64: with the lines of PEM around it, or bare in the list
 * of keys (audit/keylist.h).
 */
#pragma once

#include "base/diag.h"
#include "base/strbuf.h"

#define PUBKEY_ID_HEX          ((size_t)64)
#define PUBKEY_BYTES           ((size_t)32)
#define PUBKEY_SIGNATURE_BYTES ((size_t)64)

struct pubkey {
	unsigned char key[PUBKEY_BYTES];
};

/* What a checkpoint calls it: the SHA-256 of its 32 bytes, in hex. */
void pubkey_id(const struct pubkey *k, char ret[static PUBKEY_ID_HEX + 1]);
bool pubkey_verify(const struct pubkey *k, struct bytes text,
		   const unsigned char signature[static PUBKEY_SIGNATURE_BYTES]);
/* Appends the base64. */
void pubkey_add_base64(const struct pubkey *k, struct strbuf *out);
/* Return: false: @base64 is no such key. */
bool pubkey_from_base64(struct bytes base64, struct pubkey *ret);
/* Reads PEM from @path. Return: 0; -ENOENT, -errno, -EINVAL with @reterr_diag. */
int pubkey_load(const char *path, struct pubkey *ret, struct diag *reterr_diag);
