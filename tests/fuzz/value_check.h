/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must hold of every value that a reader gives, however hostile its text.
 */
#pragma once

#include "policy/pytext.h"
#include "policy/value.h"

#define CHECK_MEMORY ((size_t)64 * 1024 * 1024)

static inline void check(bool holds)
{
	if (!holds)
		abort();
}

/* Return: how many values there are. */
static inline size_t check_value(const struct value *v, unsigned depth)
{
	size_t n = 0, total = 1;

	check(depth <= VALUE_MAX_DEPTH && v->line > 0 && v->column > 0);
	if (v->type == VALUE_INT)
		check(v->text.len > 0 && v->text.len <= VALUE_MAX_DIGITS + 1);
	if (v->type == VALUE_INT || v->type == VALUE_STRING || v->type == VALUE_OTHER)
		check(v->text.p && v->text.p[v->text.len] == '\0');
	if (v->type != VALUE_LIST && v->type != VALUE_MAP)
		return 1;
	for (const struct value *c = v->first; c; c = c->next) {
		if (v->type == VALUE_MAP && n % 2 == 0)
			check(c->type != VALUE_LIST && c->type != VALUE_MAP && c->next);
		total += check_value(c, depth + 1);
		n++;
	}
	check(n == v->n * (v->type == VALUE_MAP ? 2 : 1));
	return total;
}

/* No key is in a map twice. */
static inline void check_keys(const struct value *map)
{
	if (map->type != VALUE_MAP || map->n > 64)
		return;
	for (const struct value *a = map->first; a; a = a->next->next)
		for (const struct value *b = a->next->next; b; b = b->next->next)
			check(!value_eq(a, b));
}

static inline void check_texts(const struct value *v)
{
	struct strbuf out = STRBUF_INIT((size_t)1024 * 1024);

	py_add_repr(&out, v);
	strbuf_reset(&out);
	py_add_str(&out, v);
	(void)value_is_truthy(v);
	check_keys(v);
	strbuf_fini(&out);
}
