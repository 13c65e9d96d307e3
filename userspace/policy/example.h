/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `examples` of rules: tests that run whenever the document is read. Inside policy/ only.
 */
#pragma once

#include "policy/document.h"

struct example {
	const struct node *node; /* a text, or a map that is an action as JSON gives it */
	bool is_match;           /* of `match`; else of `not_match` */
	struct vars *scope;
	const struct example *next;
};

/* The value of `examples`, into rule->examples, in @mem. */
int examples_parse(const struct loader *l, const struct node *n, struct arena *mem,
		   struct rule *rule) _must_check_;
/*
 * Runs those of all rules against the whole document; without any this costs nothing. `match`: the
 * rule is the first that matches, but for those of a document that extends its own; `not_match`: it
 * does not match, first or not. Return: 0; -EINVAL: one fails, with the diag at the example;
 * -ENOMEM.
 */
int examples_run(const struct loader *l) _must_check_;
