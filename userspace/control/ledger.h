/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A named account: what all sessions that name it have spent, in DIR/NAME.json. Every change is
 * made under a lock (NAME.lock, flock(2): the file itself is replaced) and by renaming a whole new
 * file over the old one, so two at once lose nothing and a crash leaves one or the other.
 */
#pragma once

#include "base/diag.h"

#include "policy/policy.h"

#define LEDGER_NAME_MAX POLICY_ACCOUNT_MAX_BYTES

struct ledger;

/* Letters, digits, '-', '_' and '.', which does not begin it; at most LEDGER_NAME_MAX. */
bool ledger_is_name(const char *name);
/* $XDG_STATE_HOME/holdfast/accounts (root: /var/log/holdfast/accounts). The caller frees it; NULL:
 * out of memory, or no home. */
char *ledger_dir(void);
/*
 * Opens the account @name in @dir, which is made with 0700 when missing and must be ours. Return:
 * 0; -EINVAL or -errno with @reterr_diag.
 */
int ledger_open(const char *dir, const char *name, struct ledger **ret,
		struct diag *reterr_diag) _must_check_;
struct ledger *ledger_free(struct ledger *l);
const char *ledger_name(const struct ledger *l);
/*
 * Adds @amount, which is not negative; 0 only reads. Return: 0 and what is spent then; -EBUSY:
 * somebody else had the lock for all of @wait_ns; -EINVAL: the file is not an account's; -errno;
 * all with @reterr_diag, and nothing added.
 */
int ledger_add(struct ledger *l, double amount, uint64_t wait_ns, double *ret_spent,
	       struct diag *reterr_diag) _must_check_;
/* Somebody else may have changed the file since the last ledger_add(). One system call. */
bool ledger_has_changed(const struct ledger *l);
