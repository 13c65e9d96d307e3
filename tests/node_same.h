/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The quick reader of a policy's YAML against libyaml: for a unit test and a fuzz target.
 */
#pragma once

#include "policy/node_build.h"

#define NODE_SAME_DEPTH  32
#define NODE_SAME_MEMORY ((size_t)1 << 28)

static inline bool node_is_same(const struct node *a, const struct node *b)
{
	const struct node *x = a->first, *y = b->first;

	if (a->type != b->type || a->line != b->line || a->column != b->column || a->n != b->n ||
	    a->is_plain != b->is_plain || a->text.len != b->text.len)
		return false;
	if (a->type == NODE_SCALAR)
		return memcmp(a->text.p, b->text.p, a->text.len + 1) == 0;
	for (; x && y; x = x->next, y = y->next)
		if (!node_is_same(x, y))
			return false;
	return !x && !y;
}

/* Return: 1: both read @text, and the same; 0: the quick reader left it to libyaml, or neither
 * takes it; -1: they differ. */
static inline int node_read_same(struct bytes text)
{
	struct arena mem = ARENA_INIT(NODE_SAME_MEMORY);
	struct node_builder quick = {.mem = &mem, .max_depth = NODE_SAME_DEPTH};
	struct node *full = NULL;
	struct node *either = NULL;
	struct diag d = {};
	int full_r, either_r, same = 0;

	full_r = node_parse_with_libyaml("x.yaml", text, NODE_SAME_DEPTH, &mem, &full, &d);
	either_r = node_parse("x.yaml", text, NODE_SAME_DEPTH, &mem, &either, &d);
	/* With a byte order mark, or what no policy may hold, it is not asked. */
	if (either_r == 0 && !bytes_has_prefix(text, BYTES_LIT("\xef")))
		same = node_quick_parse(&quick, text) == 0;
	if (full_r != either_r || (full_r == 0 && !node_is_same(full, either)))
		same = -1;
	arena_fini(&mem);
	return same;
}
