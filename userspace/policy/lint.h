/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is allowed in a policy and probably not meant: rules that can never decide, an allow that
 * swallows a later deny, expressions that an agent can make slow, secrets that stay readable.
 */
#pragma once

#include "policy/policy.h"

struct lint_finding {
	const char *code; /* "shadowed-rule", ...: stable, for tools */
	const char *file;
	unsigned line, column;
	const char *message;
	const char *hint; /* what to do */
};

struct lint {
	const struct policy_vars *vars;
	/* What the links on the way to @path lead to, in memory that lives until the next call;
	 * NULL: nothing else, or it is not there. May be NULL. */
	const char *(*resolve)(void *ctx, const char *path);
	/* Called for each finding, in no particular order; texts are borrowed for the call. */
	void (*found)(void *ctx, const struct lint_finding *finding);
	void *ctx;
};

/* Return: 0, -ENOMEM. */
int policy_lint(const struct policy *p, const struct lint *lint) _must_check_;
