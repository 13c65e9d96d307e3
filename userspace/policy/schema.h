/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Documents of the user's as tables of keys: a map is a table of `struct field`, and what is wrong
 * is said with file, line and column. Policies are read so, and so is whatever else the user writes
 * in strict YAML (broker/config.c).
 */
#pragma once

#include "policy/node.h"
#include "policy/policy.h"

struct vars;
struct regex_scratch;

/* What the schema layer carries along. */
struct loader {
	const char *file;   /* the one that is being read */
	struct vars *scope; /* the variables that its patterns may use */
	const struct policy_vars *vars;
	struct arena *mem;             /* keeps what stays of the document */
	struct policy *policy;         /* NULL: it is no policy */
	struct regex_scratch *scratch; /* borrowed */
	struct diag *diag;
};

#define loader_fail(l, node, ...)                                                                  \
	diag_set((l)->diag, (l)->file, (node)->line, (node)->column, __VA_ARGS__)

/* One key of a map: @parse reads its value into @target. */
struct field {
	const char *key;
	bool is_required;
	int (*parse)(const struct loader *l, const struct node *value, void *target);
};

#define SCHEMA_MAX_FIELDS 32

/* schema.c: what every map and value has in common. 0; -EINVAL with the diag set; -ENOMEM. */
int schema_map(const struct loader *l, const struct node *n, const char *what,
	       const struct field *fields, size_t n_fields, void *target) _must_check_;
/* A string that is not empty. @ret is NUL-terminated. */
int schema_string(const struct loader *l, const struct node *n, const char *key,
		  struct bytes *ret) _must_check_;
int schema_bool(const struct loader *l, const struct node *n, const char *key,
		bool *ret) _must_check_;
int schema_verdict(const struct loader *l, const struct node *n, enum verdict *ret) _must_check_;
/*
 * A value, or a list of values that is not empty: *ret_first and, through its next, the others. A
 * value that is no list may have a next all the same, so count.
 */
int schema_list(const struct loader *l, const struct node *n, const char *key, size_t *ret_n,
		const struct node **ret_first) _must_check_;
/* Copies @s into l->mem, NUL-terminated. */
int schema_keep(const struct loader *l, struct bytes s, const char **ret) _must_check_;
/* Text for people, kept in l->mem. */
#define SCHEMA_TEXT_MAX_BYTES 2000
int schema_text(const struct loader *l, const struct node *n, const char *key,
		const char **ret) _must_check_;
/* Letters, digits, '.', '_' and '-', kept in l->mem. */
#define SCHEMA_NAME_MAX_BYTES 128
int schema_word(const struct loader *l, const struct node *n, const char *key,
		const char **ret) _must_check_;
int schema_words(const struct loader *l, const struct node *n, const char *key,
		 const char *const **ret, size_t *ret_n) _must_check_;
/* A whole number from 1 to @max. */
int schema_count(const struct loader *l, const struct node *n, const char *key, uint64_t max,
		 uint64_t *ret) _must_check_;
/* Not negative: 0.05, or "$0.05". */
int schema_money(const struct loader *l, const struct node *n, const char *key,
		 double *ret) _must_check_;
/* Between 0 and 1, neither of them. */
int schema_fraction(const struct loader *l, const struct node *n, const char *key,
		    double *ret) _must_check_;
/* Between @min and @max, both included. */
int schema_number(const struct loader *l, const struct node *n, const char *key, unsigned min,
		  unsigned max, double *ret) _must_check_;
/* 30s, 10m, 2h, or whole seconds; at least one. */
int schema_duration(const struct loader *l, const struct node *n, const char *key,
		    uint64_t max_seconds, uint64_t *ret_ns) _must_check_;
/* Bytes: 4096, 64K, 10M, 2G; at least one. */
int schema_size(const struct loader *l, const struct node *n, const char *key,
		uint64_t *ret) _must_check_;
/* The nearest of @words, or NULL when none is near. */
const char *schema_nearest(struct bytes word, const char *const *words, size_t n);
