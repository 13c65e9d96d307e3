/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps the named accounts of a session's budgets: reads them at the start, writes to them what the
 * session spends, and tells the budget what others have. In the main thread: receivers charge the
 * budget in memory, and what they charged is written here once a second. So of two sessions on one
 * account each may be a second behind the other.
 */
#pragma once

#include "base/diag.h"
#include "engine/budget.h"

#define SPENDING_SYNC_NS NS_PER_SEC

struct spending;

/* @budget is borrowed. Return: 0; -EINVAL or -errno with @reterr_diag: an account cannot be had. */
int spending_new(struct budget *budget, struct spending **ret,
		 struct diag *reterr_diag) _must_check_;
struct spending *spending_free(struct spending *s);
/* NULL: no budget names an account. Borrowed: the directory that holds them, to be protected. */
const char *spending_dir(const struct spending *s);
/* Writes and reads, waiting up to @wait_ns for each account. Return: 0; -errno with @reterr_diag:
 * some account could not be; what is missing in it is tried again the next time. */
int spending_sync(struct spending *s, uint64_t wait_ns, struct diag *reterr_diag);
