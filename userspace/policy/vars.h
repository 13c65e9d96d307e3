/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `vars`, and ${name} in patterns. What a variable stands for is literal: it is quoted for the kind
 * of pattern in which it stands, before the pattern is compiled. Inside policy/ only.
 */
#pragma once

#include "policy/document.h"

#define VARS_MAX 256 /* of one document and its fragments */

struct var {
	struct bytes name, value;
	const char *file; /* where it is defined */
	unsigned line;
	bool is_fragment;
	struct var *next;
};

struct vars {
	struct arena *mem;
	struct var *first;
	size_t n;
	size_t n_expanded; /* bytes that patterns have become */
};

/*
 * Adds the map @n. A document's own value counts before a fragment's; two fragments must agree.
 * Values may use ~, the built-in variables, and those that are defined before them.
 */
int vars_add(const struct loader *l, const struct node *n, bool is_fragment,
	     struct vars *vars) _must_check_;
/* Replaces variables in every pattern of @match, the value of `match` or `unless`, in place. */
int vars_expand_match(const struct loader *l, struct node *match) _must_check_;
/* A path that is no pattern: ~ at its start and built-in and own variables anywhere. */
int vars_expand_place(const struct loader *l, const struct node *n, struct bytes text,
		      struct bytes *ret) _must_check_;
/* Text in which '${' may also mean something else, such as a command line: unknown names stay. */
int vars_expand_text(const struct loader *l, const struct node *n, struct bytes text,
		     struct bytes *ret) _must_check_;
