/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compresses a closed file of the log in a thread of its own: NAME becomes NAME.zst (Zstandard).
 * One that does not succeed leaves NAME as it is, and nothing else. Private to audit/.
 */
#pragma once

#include "base/util.h"

struct compressor;

/* @dirfd is borrowed until the end. Return: 0, -errno. */
int compressor_start(int dirfd, const char *name, struct compressor **ret);
/* Waits for its end. NULL-safe. Return: NULL. */
struct compressor *compressor_end(struct compressor *c);
