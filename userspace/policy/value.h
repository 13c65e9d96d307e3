/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A JSON or YAML value as Python sees it. Dialect documents and actions that come as JSON must be
 * read, compared and printed as their original libraries do, so integers have any length, text may
 * hold lone surrogates, and maps keep their order. (jansson was rejected for this: its integers end
 * at 64 bits, and it refuses lone surrogates, NaN and Infinity, which Python's json accepts.)
 *
 * Values live in the arena they were made in.
 */
#pragma once

#include "base/arena.h"
#include "base/diag.h"

#define VALUE_MAX_DEPTH 200

enum value_type {
	VALUE_NULL,
	VALUE_BOOL,
	VALUE_INT,    /* any length: @text is canonical decimal, as str(int) prints it */
	VALUE_FLOAT,  /* @number; may be NaN or infinite */
	VALUE_STRING, /* @text: UTF-8, NUL-terminated, may hold NULs; a lone surrogate is three
			 bytes as if UTF-8 allowed it */
	VALUE_LIST,
	VALUE_MAP,   /* in the order of the document; a repeated key has its last value and its
			first place, as in a Python dict */
	VALUE_OTHER, /* YAML only: a date, binary, a set, a pair; @text is its str(), @is_true its
			bool(), @first a string with its repr() */
};

struct value {
	enum value_type type;
	bool is_true;
	struct bytes text;
	double number;       /* VALUE_FLOAT; VALUE_INT: float(int), infinite past the range */
	struct value *first; /* list: items; map: key, value, key, value */
	struct value *next;
	size_t n;              /* children; a map's pairs count once */
	unsigned line, column; /* from 1; JSON: line 1, column is the byte */
};

/*
 * Reads one JSON text as Python's json.loads() does (RFC 8259, and NaN, Infinity, -Infinity, lone
 * surrogates, duplicate keys). Return: 0; -EINVAL with @d set; -ENOMEM.
 */
int value_parse_json(struct bytes text, struct arena *mem, struct value **ret,
		     struct diag *d) _must_check_;
/*
 * Reads one YAML document as PyYAML 6.0's safe_load() does: YAML 1.1 types (yes/no/on/off, octal
 * 010, sexagesimal, dates, merge keys), anchors and aliases (bounded, so that a small text cannot
 * become a large tree), duplicate keys (the last counts; @warn is told). An empty document is
 * VALUE_NULL. What safe_load() refuses is refused.
 */
int value_parse_yaml(const char *file, struct bytes text, struct arena *mem,
		     void (*warn)(void *ctx, const struct diag *d), void *ctx, struct value **ret,
		     struct diag *d) _must_check_;

/* The longest integer, as CPython limits int(text) and str(int). */
#define VALUE_MAX_DIGITS 4300

/* The value of the text key @key; NULL when there is none, or @map is no map or
 * NULL: so calls can be nested. */
const struct value *value_get(const struct value *map, const char *key);
/* Python's ==: 1 == 1.0 == True; maps regardless of order. */
bool value_eq(const struct value *a, const struct value *b);
/* A copy of the whole tree in @mem. NULL: out of memory. */
struct value *value_copy(const struct value *v, struct arena *mem) _must_check_;
/* Python's bool(v). */
bool value_is_truthy(const struct value *v);
