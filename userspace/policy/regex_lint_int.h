/* SPDX-License-Identifier: Apache-2.0 */
/* Inside regex_lint*.c only: the tree of a PCRE2 pattern, as coarse as the questions to it. */
#pragma once

#include "base/arena.h"

#include "policy/regex_lint.h"

#define LINT_ENDLESS UINT32_MAX

/* Of characters beyond ASCII. */
enum {
	LINT_DIGIT = 1 << 0,
	LINT_WORD = 1 << 1, /* not digits */
	LINT_SPACE = 1 << 2,
	LINT_OTHER = 1 << 3,
	LINT_BEYOND = 15,
};

struct lint_set {
	uint64_t ascii[2];
	unsigned beyond;
};

enum lint_type {
	LINT_SET,
	LINT_CAT, /* all of the children */
	LINT_ALT, /* one of the children */
	LINT_REPEAT,
	LINT_ASSERT, /* takes nothing */
	LINT_OPAQUE, /* not looked into */
};

struct lint_node {
	enum lint_type type;
	struct lint_set set;
	uint32_t min, max;
	bool keeps; /* atomic or possessive: gives nothing back */
	struct lint_node *first, *next;
};

/* Return: NULL: no memory, or what this parser does not know. */
struct lint_node *lint_parse(struct arena *mem, struct bytes pattern);
