/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML, reduced to what a policy may be made of: scalars, lists and maps with their positions.
 * Aliases, anchors, tags, several documents and anything that shows differently than it reads are
 * refused here; what the keys mean is not known here.
 */
#pragma once

#include "base/arena.h"
#include "base/diag.h"

enum node_type {
	NODE_SCALAR,
	NODE_LIST,
	NODE_MAP,
};

struct node {
	enum node_type type;
	unsigned line, column; /* from 1 */
	bool is_plain;         /* a scalar without quotes: YAML would guess a type for it */
	struct bytes text;     /* scalar; NUL-terminated, holds no NUL itself */
	struct node *first;    /* list: items; map: key, value, key, value */
	struct node *next;
	size_t n; /* children; a map's pairs count once */
};

/*
 * Reads the one document in @text into @mem, which owns the nodes. Return: 0; -EINVAL with @d set;
 * -ENOMEM.
 */
int node_parse(const char *file, struct bytes text, size_t max_depth, struct arena *mem,
	       struct node **ret, struct diag *d) _must_check_;
/* The same by libyaml alone: what node_parse() is compared with. */
int node_parse_with_libyaml(const char *file, struct bytes text, size_t max_depth,
			    struct arena *mem, struct node **ret, struct diag *d) _must_check_;

/* To be asked before libyaml is: its time grows with the square of the number of directives.
 * Return: 0; -EINVAL with @d set. */
int node_check_directives(const char *file, struct bytes text, struct diag *d) _must_check_;

/* What YAML takes an unquoted scalar for: "a boolean", "null", "a number"; NULL: a string. */
const char *node_guessed_type(const struct node *n);
/* "a list", "a map", "a string", "a number", ...: for messages. */
const char *node_describe(const struct node *n);
