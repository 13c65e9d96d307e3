/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/glob.h"

/* One bit a token, and one for "all matched". */
#define GLOB_WORDS (GLOB_MAX_BYTES / 64 + 1)

struct states {
	uint64_t words[GLOB_WORDS];
};

/*
 * Enters state @i. Tokens that may match nothing let the next state in too.
 */
static void enter(const struct glob *g, struct states *s, size_t i)
{
	for (;; i++) {
		s->words[i / 64] |= UINT64_C(1) << (i % 64);
		if (i == g->n_tokens)
			return;
		switch ((enum glob_token_type)g->tokens[i].type) {
		case GLOB_STAR:
		case GLOB_DOUBLE_STAR:
		case GLOB_DIRS:
			break;
		case GLOB_LITERAL:
		case GLOB_ANY_BYTE:
		case GLOB_ANY_IN_NAME:
		case GLOB_CLASS:
		case GLOB_TREE:
			return;
		}
	}
}

static bool class_has(const struct glob_class *c, unsigned char byte)
{
	return c->bits[byte / 64] >> (byte % 64) & 1;
}

/* Lets token @i take @byte. Return: whether that settles the match. */
static bool step(const struct glob *g, size_t i, unsigned char byte, struct states *next)
{
	const struct glob_token *t = &g->tokens[i];

	switch ((enum glob_token_type)t->type) {
	case GLOB_LITERAL:
		if (t->literal == byte)
			enter(g, next, i + 1);
		return false;
	case GLOB_ANY_BYTE:
		enter(g, next, i + 1);
		return false;
	case GLOB_ANY_IN_NAME:
		if (byte != '/')
			enter(g, next, i + 1);
		return false;
	case GLOB_CLASS:
		if (class_has(&g->classes[t->class], byte))
			enter(g, next, i + 1);
		return false;
	case GLOB_STAR:
		if (byte != '/')
			enter(g, next, i);
		return false;
	case GLOB_DOUBLE_STAR:
		enter(g, next, i);
		return i + 1 == g->n_tokens;
	case GLOB_DIRS:
		/* Inside a component the next token must wait for the '/'. */
		next->words[i / 64] |= UINT64_C(1) << (i % 64);
		if (byte == '/')
			enter(g, next, i + 1);
		return false;
	case GLOB_TREE:
		return byte == '/';
	}
	return false;
}

/* Steps every state that is set. Return: whether that settles the match. */
static bool step_all(const struct glob *g, const struct states *now, unsigned char byte,
		     struct states *next, size_t n_words)
{
	for (size_t w = 0; w < n_words; w++)
		for (uint64_t bits = now->words[w]; bits; bits &= bits - 1) {
			size_t i = w * 64 + (size_t)__builtin_ctzll(bits);

			if (i < g->n_tokens && step(g, i, byte, next))
				return true;
		}
	return false;
}

static bool is_in(const struct states *s, size_t i)
{
	return s->words[i / 64] >> (i % 64) & 1;
}

static bool run(const struct glob *g, struct bytes s)
{
	size_t n_words = g->n_tokens / 64u + 1;
	size_t bytes = n_words * sizeof(uint64_t);
	struct states a, b, *now = &a, *next = &b;
	uint64_t alive;

	for (size_t w = 0; w < n_words; w++)
		now->words[w] = 0;
	enter(g, now, 0);
	for (size_t i = 0; i < s.len; i++) {
		struct states *swap = now;

		memset(next->words, 0, bytes);
		if (step_all(g, now, (unsigned char)s.p[i], next, n_words))
			return true;
		now = next;
		next = swap;
		alive = 0;
		for (size_t w = 0; w < n_words; w++)
			alive |= now->words[w];
		if (!alive)
			return false;
	}
	if (is_in(now, g->n_tokens))
		return true;
	/* A tree's own directory belongs to it. */
	return g->tokens[g->n_tokens - 1].type == GLOB_TREE && is_in(now, g->n_tokens - 1u);
}

static bool has_suffix(const struct glob *g, struct bytes s)
{
	const struct glob_token *t = g->tokens + g->n_tokens - g->n_suffix;
	const char *end = s.p + s.len - g->n_suffix;

	for (size_t i = 0; i < g->n_suffix; i++)
		if (t[i].literal != (unsigned char)end[i])
			return false;
	return true;
}

bool glob_match(const struct glob *g, struct bytes subject)
{
	if (!bytes_has_prefix(subject, g->prefix))
		return false;
	subject.p += g->prefix.len;
	subject.len -= g->prefix.len;
	if (g->n_tokens == 0)
		return subject.len == 0;
	if (g->tokens[0].type == GLOB_TREE)
		return subject.len == 0 || subject.p[0] == '/';
	if (g->n_suffix > subject.len || !has_suffix(g, subject))
		return false;
	return run(g, subject);
}

/* ---- what is below a directory */

/* The states after "DIR/". The first that settles the match is GLOB_BELOW_ALL: only what is at the
 * end of a pattern and takes everything does so. */
static enum glob_below run_below(const struct glob *g, struct bytes dir, struct states *ret)
{
	size_t n_words = g->n_tokens / 64u + 1;
	size_t len = dir.len && dir.p[dir.len - 1] == '/' ? dir.len - 1 : dir.len;
	struct states next;
	uint64_t alive = 0;

	memset(ret->words, 0, n_words * sizeof(uint64_t));
	enter(g, ret, 0);
	for (size_t i = 0; i <= len; i++) {
		unsigned char byte = i < len ? (unsigned char)dir.p[i] : '/';

		if (i < g->prefix.len) {
			if ((unsigned char)g->prefix.p[i] != byte)
				return GLOB_BELOW_NONE;
			continue;
		}
		memset(next.words, 0, n_words * sizeof(uint64_t));
		if (step_all(g, ret, byte, &next, n_words))
			return GLOB_BELOW_ALL;
		memcpy(ret->words, next.words, n_words * sizeof(uint64_t));
	}
	if (len + 1 <= g->prefix.len)
		return GLOB_BELOW_NAMED;
	/* All matched already is a match of the directory itself, and of nothing below it. */
	ret->words[g->n_tokens / 64] &= ~(UINT64_C(1) << (g->n_tokens % 64));
	for (size_t w = 0; w < n_words; w++)
		alive |= ret->words[w];
	return alive ? GLOB_BELOW_SOME : GLOB_BELOW_NONE;
}

enum glob_below glob_match_below(const struct glob *g, struct bytes dir)
{
	struct states s;

	return run_below(g, dir, &s);
}

bool glob_same_below(const struct glob *g, struct bytes a, struct bytes b)
{
	struct states x, y;
	enum glob_below below = run_below(g, a, &x);

	if (below != run_below(g, b, &y))
		return false;
	switch (below) {
	case GLOB_BELOW_NONE:
	case GLOB_BELOW_ALL:
		return true;
	case GLOB_BELOW_NAMED:
		return bytes_eq(a, b);
	case GLOB_BELOW_SOME:
		return memcmp(x.words, y.words, (g->n_tokens / 64u + 1) * sizeof(uint64_t)) == 0;
	}
	return false;
}
