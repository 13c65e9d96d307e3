/* SPDX-License-Identifier: Apache-2.0 */
/* From what was learned to rules. Private to learn_*.c. */
#pragma once

#include "cli/learn_private.h"

struct learn_rule {
	struct import_rule rule;
	uint64_t count;
	bool has_examples;
	bool is_left_out;   /* there were too many, and this was used least */
	unsigned last_line; /* in the document that was made */
};

struct learn_rules {
	struct learn_rule *list;
	size_t n, size;
};

/* All rules, in the order in which they are to be asked. Texts are made in im->mem. Return: 0,
 * -errno. */
int learn_make_rules(struct learn *l, struct import *im, struct learn_items *items,
		     struct learn_rules *ret) _must_check_;
/* The rules that would allow the secrets that were used. */
int learn_add_secrets(struct learn *l, struct import *im) _must_check_;
