/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What differs from run to run though the same is done: process numbers, names of temporary files,
 * times, ports that the kernel picks, the directory of the run. Replaced by words in brackets, so
 * that two runs can be compared.
 */
#pragma once

#include "base/strbuf.h"
#include "policy/vocab.h"

#define NORMAL_PIDS 3

struct normal {
	struct bytes cwd;           /* the session's directory becomes "[cwd]"; .p NULL: it stays */
	uint64_t pids[NORMAL_PIDS]; /* of the process that acts; 0: none */
};

/* Appends @text to @out as a stable text. */
void normal_add(const struct normal *n, struct bytes text, struct strbuf *out);
/* The same for "address:port" and "unix:/path" of an operation @op. */
void normal_add_address(const struct normal *n, enum action_op op, struct bytes text,
			struct strbuf *out);
