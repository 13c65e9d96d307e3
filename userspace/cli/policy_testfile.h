/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of a policy, NAME.test.yaml beside NAME.yaml (docs/policy.md, "Tests"): which policy, and
 * which action is to get which answer.
 */
#pragma once

#include "cli/policy_use.h"

struct policy_test {
	const char *name;
	const struct value *map; /* the entry; line and column are its */
	const struct value *action, *command, *rule, *reason; /* NULL: not given */
	const char *expect_word;                              /* as written */
	enum verdict expect;
	bool expects_error; /* `expect: error`: what the original raises on */
	double spent;       /* by the session before */
};

struct policy_testfile {
	const char *file;
	char *policies[POLICY_MAX_STACK]; /* owned; names or files */
	size_t n_policies;
	struct policy_use use; /* what the file says of language, home and so on; not loaded */
	struct arena mem;
	struct policy_test *tests; /* in @mem */
	size_t n_tests;
};

/* @file stays the caller's. Return: 0; -EINVAL with @d; -ENOMEM. policy_testfile_fini() in any
 * case. */
int policy_testfile_read(const char *file, struct policy_testfile *ret, struct diag *d);
void policy_testfile_fini(struct policy_testfile *t);
/* The action of one test. Return: 0; -EINVAL with @d; -ENOMEM. */
int policy_test_action(const struct policy_testfile *t, const struct policy_test *test,
		       struct arena *mem, struct apiaction *ret, struct diag *d);
