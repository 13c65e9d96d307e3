/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds and reads the policies that the user named, and compiles them into the session's stack. All
 * file access of the policy side is here: policy/ itself is pure.
 */
#pragma once

#include "base/diag.h"
#include "policy/policy.h"

#define POLICYSET_TEST_SUFFIX ".test.yaml" /* tests of a policy, beside it; no policy */
#define POLICYSET_HASH_SIZE   65           /* SHA-256 in lower-case hex and a NUL */

struct policyset_entry {
	char *name;
	char *file; /* resolved absolute path */
	/* The SHA-256 of the file; of a policy that names others, that of the binary SHA-256s of
	 * all its files in their order. */
	char hash[POLICYSET_HASH_SIZE];
	/* All files that it is made of, resolved, @file first. */
	char *files[POLICY_MAX_FILES];
	size_t n_files;
	enum policy_mode mode;
	size_t n_rules;
};

struct policyset {
	struct policyset_entry entries[POLICY_MAX_STACK]; /* as in the stack */
	size_t n;
	/* Those whose applies_to leaves the session out. */
	struct policyset_entry left_out[POLICY_MAX_STACK];
	size_t n_left_out;
	struct policy_stack *stack;
};

struct policyset_config {
	const char *const *names; /* NAME, or a FILE: it holds a '/' or ends in .yaml or .yml */
	size_t n_names;
	const char *const *dirs; /* searched in order for NAME.yaml */
	size_t n_dirs;
	struct policy_vars vars;
	bool force_audit;
	/* Policies that do not apply to it are left out; NULL: all are kept. */
	const struct policy_subject *subject;
	enum policy_language language; /* of all of them; AUTO: each tells its own */
	enum verdict dialect_default;  /* see struct policy_load */
	/* Told of what is odd but no error; may be NULL. */
	void (*warn)(void *ctx, const struct diag *d);
	void *warn_ctx;
};

/* Return: 0; -EINVAL with @reterr_diag (position, what to do); -ENOMEM. */
int policyset_load(const struct policyset_config *config, struct policyset *ret,
		   struct diag *reterr_diag) _must_check_;
void policyset_fini(struct policyset *s);
/* Some policy that applies names hosts, or questions for them. */
bool policyset_names_domains(const struct policyset *set);
