/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy asked rule by rule, in order and without the index: what `policy explain` shows, and
 * what the compiled tables are tested against. Slow. Inside policy/ only.
 */
#pragma once

#include "policy/document.h"

/* @is_limit: whether it matches is not known, because a regular expression hit its limit. */
typedef void (*naive_fn)(void *ctx, const struct rule *rule, bool is_limit);

/* Tells of every rule of @p that matches @q, in the order in which they decide. Does not allocate.
 */
void naive_each(const struct policy *p, struct regex_scratch *scratch, const struct policy_query *q,
		naive_fn fn, void *ctx);
/* One rule by itself; a limit counts as a match. Does not allocate. */
bool naive_matches(const struct rule *rule, struct regex_scratch *scratch,
		   const struct policy_query *q);
