/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Globs on paths and on names, over bytes and never over a locale's characters.
 *
 * A glob becomes a literal prefix and a list of tokens, which the matcher runs as a set of states:
 * the time is at most subject times pattern, whatever either holds, and nothing is allocated.
 */
#pragma once

#include "base/arena.h"
#include "policy/policy.h"

#define GLOB_MAX_BYTES        4096 /* of a pattern, after its variables are expanded */
#define GLOB_MAX_ALTERNATIVES 256  /* that the braces of one pattern may make */
#define GLOB_MAX_BRACES       32   /* groups in one pattern */
#define GLOB_WHY_SIZE         320

enum glob_kind {
	GLOB_PATH, /* '*' and '?' stop at '/', the subject is an absolute path */
	GLOB_NAME, /* '/' is a byte like any other */
};

enum glob_token_type {
	GLOB_LITERAL,
	GLOB_ANY_BYTE,    /* one byte */
	GLOB_ANY_IN_NAME, /* one byte but '/' */
	GLOB_CLASS,       /* one byte of a set */
	GLOB_STAR,        /* any number of bytes but '/' */
	GLOB_DOUBLE_STAR, /* any number of bytes */
	GLOB_DIRS,        /* after a '/': nothing, or anything that ends in '/' */
	GLOB_TREE,        /* at the end: nothing, or '/' and anything */
};

struct glob_token {
	uint8_t type;
	uint8_t literal;
	uint16_t class;
};

struct glob_class {
	uint64_t bits[4];
};

struct glob {
	struct bytes prefix; /* what comes before the first token that is not literal */
	const struct glob_token *tokens;
	const struct glob_class *classes;
	uint16_t n_tokens;
	uint16_t n_suffix; /* how many tokens at the end are literal */
	struct glob *next; /* the next alternative that braces made */
};

/*
 * Compiles @pattern into a list of alternatives in @mem. @vars may be NULL for names.
 * Return: 0; -EINVAL with a sentence for the author in @why; -ENOMEM.
 */
int glob_compile(struct arena *mem, struct bytes pattern, enum glob_kind kind,
		 const struct policy_vars *vars, struct glob **ret,
		 char why[static GLOB_WHY_SIZE]) _must_check_;
bool glob_match(const struct glob *g, struct bytes subject);
/* What a glob makes of the paths below a directory. */
enum glob_below {
	GLOB_BELOW_NONE,  /* it matches none of them */
	GLOB_BELOW_NAMED, /* it names something there: the directory is above its literal part */
	GLOB_BELOW_SOME,  /* some, perhaps */
	GLOB_BELOW_ALL,
};
/* @dir has no slash at its end, but for "/". */
enum glob_below glob_match_below(const struct glob *g, struct bytes dir);
/* True when surely @g matches below @a what it matches below @b, name for name. */
bool glob_same_below(const struct glob *g, struct bytes a, struct bytes b);
/* Without wildcards: prefix is all there is. */
static inline bool glob_is_literal(const struct glob *g)
{
	return g->n_tokens == 0;
}
