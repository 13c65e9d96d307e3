/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key pair of a host that signs the checkpoints of its logs: Ed25519, in PEM, so that
 * openssl(1) reads both halves. The private half is made on first use, only its owner may read it,
 * and the engine keeps it from agents; the public half stands beside it, under the same name with
 * ".pub" instead of ".key".
 */
#pragma once

#include "base/diag.h"

#define KEYFILE_ID_HEX          ((size_t)64)
#define KEYFILE_PUBLIC_BYTES    ((size_t)32)
#define KEYFILE_SIGNATURE_BYTES ((size_t)64)

struct keyfile;

/* The public half, and what a checkpoint calls it: the SHA-256 of its 32 bytes, in hex. */
struct keyfile_public {
	unsigned char key[KEYFILE_PUBLIC_BYTES];
	char id[KEYFILE_ID_HEX + 1];
};

/* Root: /var/lib/holdfast/log.key; others, and root with XDG_STATE_HOME: $XDG_STATE_HOME/holdfast/
 * keys/log.key. A heap string; NULL: out of memory, or there is no home. */
char *keyfile_path(void);
/* The public half's place for a private half at @path. A heap string; NULL: out of memory. */
char *keyfile_public_path(const char *path);

/*
 * Loads the private half at @path; makes the pair, and its directory (0700), when there is none.
 * Return: 0; -EINVAL, -errno with @reterr_diag: it is another user's, others can read it, it is
 * damaged, it cannot be made.
 */
int keyfile_load(const char *path, struct keyfile **ret, struct diag *reterr_diag);
/* The same without making anything. Return: 0; -ENOENT: there is none; as above. */
int keyfile_open(const char *path, struct keyfile **ret, struct diag *reterr_diag);
/* Wipes it. NULL-safe. Return: NULL. */
struct keyfile *keyfile_free(struct keyfile *k);
void keyfile_freep(struct keyfile **k);
/* Borrowed. */
const struct keyfile_public *keyfile_get_public(const struct keyfile *k);
void keyfile_sign(const struct keyfile *k, struct bytes text,
		  unsigned char ret[static KEYFILE_SIGNATURE_BYTES]);

/* Loads a public half from @path. Return: 0; -ENOENT, -errno with @reterr_diag. */
int keyfile_load_public(const char *path, struct keyfile_public *ret, struct diag *reterr_diag);
bool keyfile_verify(const struct keyfile_public *k, struct bytes text,
		    const unsigned char signature[static KEYFILE_SIGNATURE_BYTES]);
