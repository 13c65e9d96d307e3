/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files that one policy is made of: the document, the fragments that it includes, and what it
 * extends with that one's fragments. They are read before any key is understood, so that the
 * variables of all are known to the rules of all. Inside policy/ only.
 */
#pragma once

#include "policy/document.h"

#define SOURCE_MAX_DEPTH 8 /* of files that name files */

struct source {
	const char *file; /* in the policy's memory */
	struct node *root;
	struct source *next;         /* in the order of evaluation */
	const struct source *parent; /* the file that names this one; NULL: the document itself */
	unsigned depth;
	bool is_fragment;
	/* 0: the document and its fragments; 1: what it extends and that one's; and so on. */
	unsigned layer;
	struct vars *vars; /* of the whole layer */
};

/*
 * Reads all files. Nodes and sources are made in @nodes, file names in l->policy. Return: 0;
 * -EINVAL with the diag set; -ENOMEM.
 */
int source_gather(const struct policy_load *load, const struct loader *l, struct arena *nodes,
		  struct source **ret) _must_check_;

/* The value of @key in a map; NULL when there is none. */
struct node *source_key(const struct node *map, const char *key);

/* @l for the keys of @s. */
struct loader source_loader(const struct loader *l, const struct source *s);
