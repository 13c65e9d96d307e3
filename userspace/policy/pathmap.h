/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a stack says of paths, as tables that a program in the kernel can look up: automatons over a
 * path's bytes for the globs of all rules, run side by side. What a path ends in is a kind for
 * each; paths of the same kinds are matched by the same globs, so no rule can tell them apart.
 *
 * There are several automatons because one for all globs has a state for each combination of what
 * was met on the way: a tree that the path is in, times a directory's name that it has passed,
 * times the part of a name that it stands in.
 */
#pragma once

#include "policy/policy.h"

/* Past these a stack is decided on by notification. */
#define PATHMAP_MAX_CELLS ((size_t)1 << 20)
#define PATHMAP_MAX_KINDS ((size_t)1 << 18) /* combinations of them */
#define PATHMAP_FIRST_OP  OP_READ
#define PATHMAP_OPS       14 /* OP_READ to OP_TIMES */

enum pathmap_part {
	PATHMAP_ANCHORED,      /* from the root on, without a gap but at the end */
	PATHMAP_ANCHORED_GAPS, /* with "**" within */
	PATHMAP_FLOATING,      /* a name anywhere */
	PATHMAP_FLOATING_GAPS, /* that remembers what was passed */
	_PATHMAP_PART_MAX,
};

struct pathmap {
	/*
	 * The class of each byte; then a row of cells for each state: the next state for each
	 * class, and last the kind of a path that ends there.
	 */
	uint8_t bytes[256];
	size_t n_classes;
	uint16_t *cells;
	size_t n_states;
	struct {
		uint16_t first; /* the state in which a path begins */
		uint16_t n_kinds;
	} parts[_PATHMAP_PART_MAX];
	/* Two bits of enum verdict for each operation, for each combination of kinds; the last part
	 * counts fastest. */
	uint32_t *verdicts;
	size_t n_verdicts;
	uint32_t ops;                     /* OP_BIT()s that are decided here */
	const char *why_not[PATHMAP_OPS]; /* of the others, by the operation's place */
};

/* Absolute, resolved paths of files or trees that nobody may read or change, whatever the policies
 * say. Borrowed. */
struct pathmap_kept {
	const char *const *paths;
	size_t n;
};

static inline size_t pathmap_width(const struct pathmap *m)
{
	return m->n_classes + 1;
}

/*
 * Of absolute paths without "//" and without a slash at the end. Return: 0; -EOPNOTSUPP: there are
 * too many globs, and *ret_why is a phrase that says so; -ENOMEM. That rules of some operation look
 * at more than paths is no error: it is not among ret->ops then.
 */
int pathmap_new(const struct policy_stack *s, const struct pathmap_kept *kept, struct pathmap **ret,
		const char **ret_why) _must_check_;
struct pathmap *pathmap_free(struct pathmap *m);
/* As the kernel's program looks it up. @op: one of m->ops. */
enum verdict pathmap_verdict(const struct pathmap *m, enum action_op op, struct bytes path);

static inline void pathmap_freep(struct pathmap **m)
{
	*m = pathmap_free(*m);
}
