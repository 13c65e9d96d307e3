/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-256 of one piece of memory, by OpenSSL, which uses the processor's SHA instructions:
 * libsodium's portable code takes six times as long, most of a millisecond for a policy of a
 * thousand rules. Linked statically, as audit/chain.h says.
 */
#pragma once

#include "base/util.h"

#define SHA256_BYTES ((size_t)32)

void sha256(struct bytes data, unsigned char ret[static SHA256_BYTES]);
