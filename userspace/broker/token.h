/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers that travel: who has a token can give one answer to one held action, until it expires.
 * Text of letters, digits, '-', '_' and '.', for the end of a URL:
 *
 *   v1.SESSION.ID.allow|deny.EXPIRY.NONCE.MAC
 *
 * EXPIRY is in seconds since 1970, NONCE is of the question (so one answer uses up all of its
 * tokens), MAC is HMAC-SHA256 over everything before the last dot. The key is made at the broker's
 * start and is nowhere but in its memory, which nobody else may read: what an agent finds in files
 * makes no token, and tokens of a broker that has ended are void.
 */
#pragma once

#include "control/protocol.h"

#define TOKEN_KEY_BYTES    32
#define TOKEN_NONCE_BYTES  16
#define TOKEN_MAX          512
#define TOKEN_SESSION_SIZE 201 /* as the roster has them, and a NUL */

struct token {
	char session[TOKEN_SESSION_SIZE];
	char id[HELD_ID_SIZE];
	bool approve;
	uint64_t expires_s; /* CLOCK_REALTIME */
	unsigned char nonce[TOKEN_NONCE_BYTES];
};

/* Return: 0; -EINVAL: the session's name has bytes that a token cannot hold. */
int token_write(const struct token *t, const unsigned char key[static TOKEN_KEY_BYTES],
		char out[static TOKEN_MAX]) _must_check_;
/*
 * Reads @text, hostile bytes, and checks its MAC; whether it has expired or was used is the
 * caller's. Return: 0; -EINVAL: no token; -EACCES: of another key, or changed.
 */
int token_read(struct bytes text, const unsigned char key[static TOKEN_KEY_BYTES],
	       struct token *ret) _must_check_;
