/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The chain of the log: each line's `prev` is the SHA-256 of the line before it in its file, its
 * bytes without the newline, in lower-case hex; `prev` is the last key of a line, so it can be
 * found without a JSON parser.
 *
 * The hash is OpenSSL's, which uses the processor's SHA instructions: a line of 560 bytes takes 0.3
 * us of the writer's core, with libsodium's portable code 2 us, more than the writer has for a
 * record in all. It is linked statically: the few kilobytes of SHA-256, and not a library whose
 * loading would be a tenth of what `run` takes to start.
 */
#pragma once

#include "base/util.h"

#define CHAIN_HEX ((size_t)64)
/* The end of each line: `,"prev":"<64 hex>"}`. */
#define CHAIN_TAIL_BYTES (CHAIN_HEX + strlen(",\"prev\":\"\"}"))

/* The `prev` of a line: hex, not terminated. */
struct chain_link {
	char hex[CHAIN_HEX];
};

/* The `prev` of a file's first line. */
extern const struct chain_link chain_first;

struct chain; /* a hash in the making */

/* Return: 0, -ENOMEM. */
int chain_new(struct chain **ret);
struct chain *chain_free(struct chain *c);
void chain_freep(struct chain **c);

/* Hashes a line in one piece, without its newline. Return: 0, -ENOMEM. */
int chain_hash(struct chain *c, struct bytes line, struct chain_link *ret);
/* The same in pieces: begin, any number of adds, end. Return: 0, -ENOMEM. */
int chain_begin(struct chain *c);
int chain_add(struct chain *c, struct bytes piece);
int chain_end(struct chain *c, struct chain_link *ret);

/* The `prev` that @line (without its newline) ends with. Return: false: there is none. */
bool chain_prev_of(struct bytes line, struct chain_link *ret);

static inline struct bytes chain_bytes(const struct chain_link *l)
{
	return (struct bytes){.p = l->hex, .len = CHAIN_HEX};
}

static inline bool chain_eq(const struct chain_link *a, const struct chain_link *b)
{
	return memcmp(a->hex, b->hex, CHAIN_HEX) == 0;
}
