/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML as PyYAML composes it: nodes with tags, which aliases may share. yaml11.c reads them,
 * yaml_scalar.c knows what scalars mean, yaml_build.c makes values of them. Inside policy/ only.
 */
#pragma once

#include "policy/value.h"

enum yaml_kind {
	YAML_SCALAR,
	YAML_LIST,
	YAML_MAP,
};

/* "tag:yaml.org,2002:..." */
enum yaml_tag {
	YAML_TAG_NULL,
	YAML_TAG_BOOL,
	YAML_TAG_INT,
	YAML_TAG_FLOAT,
	YAML_TAG_BINARY,
	YAML_TAG_TIMESTAMP,
	YAML_TAG_OMAP,
	YAML_TAG_PAIRS,
	YAML_TAG_SET,
	YAML_TAG_STR,
	YAML_TAG_SEQ,
	YAML_TAG_MAP,
	YAML_TAG_MERGE,
	YAML_TAG_VALUE,
	YAML_TAG_UNKNOWN, /* PyYAML has no constructor for it */
	_YAML_TAG_MAX,
};

struct yaml_node;

struct yaml_item {
	struct yaml_node *node;
	struct yaml_item *next;
};

struct yaml_node {
	enum yaml_kind kind;
	enum yaml_tag tag;
	const char *tag_text; /* YAML_TAG_UNKNOWN */
	unsigned line, column;
	struct bytes text;       /* scalar; NUL-terminated, in the values' arena */
	struct yaml_item *first; /* list: items; map: key, value, key, value */
	size_t n;                /* of them */
	size_t n_merged;         /* pairs at the beginning that merge keys brought */
	bool is_open;            /* its end was not read yet: an alias of it is recursive */
	bool is_flat;            /* its merge keys have been seen to */
	struct value *value;     /* once made */
	size_t size;             /* values in it, aliases written out */
	unsigned depth;          /* of lists and maps in it */
};

struct yaml_build {
	const char *file;
	struct arena *mem;   /* of the values */
	struct arena *nodes; /* of what is only needed meanwhile */
	void (*warn)(void *ctx, const struct diag *d);
	void *ctx;
	struct diag *diag;
	size_t merged;  /* items that merge keys brought */
	unsigned depth; /* of maps that are being merged */
};

#define YAML_MAX_VALUES 1000000

#define yaml_fail(b, node, ...)                                                                    \
	diag_set((b)->diag, (b)->file, (node)->line, (node)->column, __VA_ARGS__)

/* What an untagged plain scalar is. */
enum yaml_tag yaml_resolve(struct bytes text);
/* A date, or a date and a time, that the resolver knows. */
bool yaml_is_timestamp(const char *text);
/* Of a whole tag; YAML_TAG_UNKNOWN. */
enum yaml_tag yaml_tag_of(const char *text);

/*
 * The scalar values of @text, as the constructors of SafeLoader make them. @v has its position set.
 * Return: 0; -EINVAL with the diag set: they raise; -ENOMEM.
 */
int yaml_make_bool(const struct yaml_build *b, const struct yaml_node *n, struct bytes text,
		   struct value *v) _must_check_;
int yaml_make_int(const struct yaml_build *b, const struct yaml_node *n, struct bytes text,
		  struct value *v) _must_check_;
int yaml_make_float(const struct yaml_build *b, const struct yaml_node *n, struct bytes text,
		    struct value *v) _must_check_;
int yaml_make_binary(const struct yaml_build *b, const struct yaml_node *n, struct bytes text,
		     struct value *v) _must_check_;
int yaml_make_timestamp(const struct yaml_build *b, const struct yaml_node *n, struct bytes text,
			struct value *v) _must_check_;
/* A VALUE_OTHER; @repr may be NULL when it is the same. Return: 0, -ENOMEM. */
int yaml_make_other(const struct yaml_build *b, struct value *v, bool is_true, const char *str,
		    const char *repr) _must_check_;
/* From nodes without cycles. Return: 0; -EINVAL with the diag set; -ENOMEM. */
int yaml_build_value(struct yaml_build *b, struct yaml_node *root, struct value **ret) _must_check_;
