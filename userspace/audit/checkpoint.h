/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a `checkpoint` record signs, and its keys: everything up to it, as the chain's hash of the
 * line before. docs/audit.md says how to check it by hand.
 */
#pragma once

#include "audit/chain.h"
#include "audit/signkey.h"
#include "base/strbuf.h"

#define CHECKPOINT_EVENT    "checkpoint"
#define CHECKPOINT_LINES    ((uint64_t)10000) /* at least one in so many */
#define CHECKPOINT_TEXT_MAX ((size_t)1024)
#define CHECKPOINT_KEYS_MAX ((size_t)1024)

struct checkpoint {
	struct bytes session;
	uint64_t lines, bytes;  /* of the file, before the record */
	struct chain_link prev; /* the record's own */
	bool is_recovered;      /* made after the death of who wrote the lines */
};

/* Appends the text that is signed. */
void checkpoint_add_text(const struct checkpoint *c, struct strbuf *out);
/* Appends the record's keys `lines` to `signature` as JSON, without braces. @key NULL: unsigned.
 * Return: 0, -errno. */
int checkpoint_add_keys(const struct checkpoint *c, const struct signkey *key, struct strbuf *out);
