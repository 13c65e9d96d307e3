/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What account.c keeps and account_report.c prints.
 */
#pragma once

#include "base/arena.h"

#include "policy/account.h"

/* Sources of spend are named by the agent; past so many the one that was quiet longest is forgotten
 * by the guard. */
#define ACCOUNT_MAX_KEYS 64
#define ACCOUNT_KEY_SIZE 128 /* longer keys are guarded by their beginning */

/* Calls of one key that are still in the window, at most as many as trip the guard. */
struct account_calls {
	char key[ACCOUNT_KEY_SIZE];
	double last;
	double *times; /* oldest first */
	size_t n;
};

/* NULL: None. */
struct account_action {
	enum policy_call_type type;
	const struct value *tool_name, *url, *domain, *source, *cost, *metadata;
};

struct account_decision {
	struct account_action action;
	enum verdict verdict;
	const char *reason;
	double timestamp;
	struct account_decision *next;
};

struct account {
	struct account_config config; /* its session_id is ours */
	double spent;
	bool is_soft_told;
	struct account_calls calls[ACCOUNT_MAX_KEYS];
	size_t n_calls;
	struct strbuf error;
	struct arena mem; /* of the decisions */
	struct account_decision *first, **end;
	bool is_incomplete; /* a decision could not be kept */
};

/* "tool", "http", "cost". */
const char *account_call_word(enum policy_call_type type);
