/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside pyregex*.c only. The parser reads a pattern once, token by token as CPython's sre does,
 * and writes the PCRE2 pattern as it goes:
 *
 *   pyregex.c        alternatives, sequences, repeats; the entry points
 *   pyregex_group.c  everything that begins with '('
 *   pyregex_escape.c tokens, names, escapes
 *   pyregex_set.c    characters and sets, with and without (?i)
 *
 * What is written does without PCRE2's own options: it starts with (?s), '.' is any character,
 * every set is spelt out, and (?i) is on only around the letters and back-references that want it.
 */
#pragma once

#include "policy/pyregex.h"
#include "policy/pyregex_tables.h"

#define PY_CODE_POINTS UINT32_C(0x110000)
/* sre's MAXREPEAT on a 64-bit machine: no upper bound. */
#define PY_REPEAT_MAX UINT64_C(0xffffffff)
/* What PCRE2 counts to. */
#define PCRE2_REPEAT_MAX UINT64_C(65535)
/* Groups in groups; Python itself gives up at some five hundred. */
#define PY_NEST_MAX 200u

enum {
	PY_IGNORECASE = 1 << 0,
	PY_MULTILINE = 1 << 1,
	PY_DOTALL = 1 << 2,
	PY_VERBOSE = 1 << 3,
	PY_ASCII = 1 << 4,
	PY_UNICODE = 1 << 5,
	PY_LOCALE = 1 << 6,
	PY_TEMPLATE = 1 << 7,
};

#define PY_TYPE_FLAGS ((unsigned)(PY_ASCII | PY_UNICODE | PY_LOCALE))

/* In characters; at most PY_REPEAT_MAX - 1 and PY_REPEAT_MAX. */
struct pywidth {
	uint64_t low, high;
};

/* A run of characters of the pattern. */
struct pyslice {
	size_t start, len;
};

struct pygroup {
	struct pyslice name; /* empty: none */
	struct pywidth width;
	bool is_closed;
};

/* One character, or a backslash with the one after it. */
struct pytoken {
	uint32_t c;
	bool is_escape;
	bool is_end;
};

struct pyparse {
	uint32_t *pattern; /* code points, lone surrogates among them */
	size_t len;
	size_t pos; /* of the next token */
	struct strbuf *out;
	unsigned flags; /* of the whole pattern */
	unsigned depth;
	bool is_caseless; /* what PCRE2 is set to where @out ends */
	struct pygroup *groups;
	size_t groups_n;          /* sre's: group 0 counts */
	size_t lookbehind_groups; /* groups before the outermost look-behind; 0: not inside one */
	size_t condition_max;     /* highest group that a condition names */
	size_t condition_pos;
	char *why; /* REGEX_WHY_SIZE */
	size_t *ret_offset;
};

enum pyitem_kind {
	PYITEM_NONE,
	PYITEM_AT, /* ^ $ \b: cannot be repeated */
	PYITEM_REPEAT,
	PYITEM_ASSERT, /* PCRE2 repeats assertions in its own way: wrapped first */
	PYITEM_OTHER,
};

struct pysequence {
	unsigned flags;
	bool is_first; /* the first of the whole pattern: global flags may stand here */
	enum pyitem_kind last;
	size_t last_start; /* in @out */
	struct pywidth last_width;
	struct pywidth before; /* of everything before the last item */
};

/* Says why at the character @at. Return: -EINVAL: Python refuses the pattern. */
int pyparse_refuse(struct pyparse *p, size_t at, const char *fmt, ...) _printf_(3, 4);
/* Return: -EOPNOTSUPP: Python takes the pattern, we cannot. */
int pyparse_unsupported(struct pyparse *p, size_t at, const char *fmt, ...) _printf_(3, 4);

/* pyregex_escape.c */
struct pytoken pyparse_peek(const struct pyparse *p);
struct pytoken pyparse_next(struct pyparse *p);
bool pyparse_accept(struct pyparse *p, char c);
/* Reads to @terminator and past it. */
int pyparse_until(struct pyparse *p, char terminator, const char *what, struct pyslice *ret);
bool pyparse_is_identifier(const struct pyparse *p, struct pyslice name);
/* int(text): false: not a number, or negative. Saturates. */
bool pyparse_number(const struct pyparse *p, struct pyslice text, uint64_t *ret);
/* @c follows the backslash, both are read. A character's value. */
int pyparse_escape_char(struct pyparse *p, uint32_t c, bool in_set, uint32_t *ret);

/* pyregex_set.c */
/* Makes PCRE2 heed case or not from here on. Return: where the next item starts. */
size_t pyparse_set_caseless(struct pyparse *p, bool caseless);
/* These return where in @out the item starts, which is one atom for PCRE2. */
size_t pyparse_add_literal(struct pyparse *p, unsigned flags, uint32_t c);
size_t pyparse_add_category(struct pyparse *p, unsigned flags, uint32_t letter);
void pyparse_add_boundary(struct pyparse *p, unsigned flags, bool inside);
/* After '['. */
int pyparse_read_set(struct pyparse *p, unsigned flags, size_t *ret_start);

/* pyregex.c */
void pysequence_add(struct pysequence *s, enum pyitem_kind kind, size_t start,
		    struct pywidth width);
int pyparse_alternatives(struct pyparse *p, unsigned flags, struct pywidth *ret);
int pyparse_sequence(struct pyparse *p, unsigned flags, bool is_first, struct pywidth *ret);
struct pywidth pywidth_clamp(struct pywidth w);

/* pyregex_group.c */
/* After '('. */
int pyparse_read_group(struct pyparse *p, struct pysequence *s);
int pyparse_add_reference(struct pyparse *p, struct pysequence *s, size_t group, size_t at);

static inline bool pytoken_is(struct pytoken t, char c)
{
	return !t.is_end && !t.is_escape && t.c == (uint32_t)c;
}

static inline bool py_is_digit(uint32_t c)
{
	return c >= '0' && c <= '9';
}

static inline bool py_is_letter(uint32_t c)
{
	return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static inline bool py_is_surrogate(uint32_t c)
{
	return c >= 0xd800 && c <= 0xdfff;
}
