/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What reading a dialect document needs whatever the dialect: refusals and warnings with their
 * position, texts that outlive the value tree, Python's regular expressions. Inside policy/ only.
 */
#pragma once

#include "policy/dialect.h"

struct dialect_reader {
	const struct policy_load *load;
	struct arena *mem; /* what the compiled document keeps */
	struct diag *d;
};

/* Refuses the document because of @v. Return: -EINVAL. */
#define dialect_fail(r, v, ...)                                                                    \
	diag_set((r)->d, (r)->load->file, (v)->line, (v)->column, __VA_ARGS__)

/* Tells load->warn, if there is one, of something odd at @v. */
void dialect_warn(const struct dialect_reader *r, const struct value *v, const char *fmt, ...)
	_printf_(3, 4);
/* Warns of each key of the map @map that is none of @known, which the original ignores. */
void dialect_warn_unknown(const struct dialect_reader *r, const struct value *map, const char *what,
			  const char *const *known, size_t n_known);

/* "a list", "text", "nothing": for messages. */
const char *dialect_describe(const struct value *v);
/* "list", "str", "NoneType": for what Python says. */
const char *dialect_python_type(const struct value *v);

/* A NUL-terminated copy in @r->mem. Return: 0, -ENOMEM. */
int dialect_keep(const struct dialect_reader *r, struct bytes text, struct bytes *ret) _must_check_;
/* A formatted text in @r->mem. Return: 0, -ENOMEM. */
int dialect_keep_fmt(const struct dialect_reader *r, const char **ret, const char *fmt, ...)
	_printf_(3, 4) _must_check_;
/* A copy of @v and what it holds in @r->mem, without its siblings. Return: 0, -ENOMEM. */
int dialect_keep_value(const struct dialect_reader *r, const struct value *v,
		       struct value **ret) _must_check_;
/*
 * str(@v) as answers and records carry it; NULL for null. Text that holds a NUL is refused, since
 * they would cut it. Warns when @v, the value of @key, is no text. Return: 0, -EINVAL, -ENOMEM.
 */
int dialect_keep_text(const struct dialect_reader *r, const struct value *v, const char *key,
		      const char **ret) _must_check_;
/*
 * Compiles @pattern, which stands at @v. One that Python refuses is no error here: *ret is NULL
 * and *ret_error what Python says, kept in @r->mem. One that Python takes and PCRE2 cannot is
 * refused. Return: 0, -EINVAL, -ENOMEM.
 */
int dialect_regex(const struct dialect_reader *r, const struct value *v, struct bytes pattern,
		  struct regex **ret, const char **ret_error) _must_check_;

/* @text in double quotes, escaped so that it stays on its line. */
void dialect_add_quoted(struct strbuf *out, struct bytes text);
/* "key: text", quoted and escaped so that it is one line of YAML; @indent blanks before it.
 * Nothing when @text is NULL. */
void dialect_show_text(struct strbuf *out, unsigned int indent, const char *key, const char *text);
