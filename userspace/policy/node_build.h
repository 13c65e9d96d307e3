/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tree of nodes in the making, for the two readers of YAML: libyaml's events (node.c) and the
 * quick one (node_quick.c). Inside policy/ only.
 */
#pragma once

#include "policy/node.h"

#define NODE_MAX_DEPTH 64

struct node_builder {
	struct arena *mem;
	size_t max_depth;
	size_t count;
	size_t depth;
	struct node *open[NODE_MAX_DEPTH];
	struct node **tail[NODE_MAX_DEPTH]; /* where the next child of open[i] goes */
	struct node *root;
};

/* Adds a node at the end of the innermost open one. Return: 0, -ENOMEM; -E2BIG: too many. */
int node_build_add(struct node_builder *b, enum node_type type, unsigned line, unsigned column,
		   struct node **ret) _must_check_;
/* A scalar, whose text is copied. Return: as above. */
int node_build_scalar(struct node_builder *b, struct bytes text, bool is_plain, unsigned line,
		      unsigned column) _must_check_;
/* A list or map, until it is closed. Return: as above; -ELOOP: nested too deeply. */
int node_build_open(struct node_builder *b, enum node_type type, unsigned line,
		    unsigned column) _must_check_;
/* Return: 0; -EINVAL: none is open. */
int node_build_close(struct node_builder *b) _must_check_;

enum {
	NODE_QUICK_OTHER = 1, /* not in the simple form: ask libyaml */
};

/*
 * Reads @text, whose characters were checked, if it is in the simple form that policies are
 * written in. What it reads is what libyaml would read, to the last position; it refuses nothing
 * by itself. @b is fresh. Return: 0, NODE_QUICK_OTHER, -ENOMEM.
 */
int node_quick_parse(struct node_builder *b, struct bytes text) _must_check_;
