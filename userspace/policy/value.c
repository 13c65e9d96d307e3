/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values: building, looking up, comparing.
 */
#include <math.h>
#include <stdio.h>

#include "policy/value.h"
#include "policy/value_build.h"

struct value *value_new(struct arena *mem, enum value_type type, unsigned line, unsigned column)
{
	struct value *v = arena_alloc(mem, sizeof(*v));

	if (v)
		*v = (struct value){.type = type, .line = line, .column = column};
	return v;
}

void value_set_int(struct value *v, char *text)
{
	bool is_negative = *text == '-';

	text += is_negative;
	while (text[0] == '0' && text[1])
		text++;
	/* "-000" is 0: integers have no negative zero. Before other digits there is room for the
	 * sign: its old place, or that of a zero. */
	if (is_negative && text[0] != '0')
		*--text = '-';
	v->type = VALUE_INT;
	v->text = bytes_of(text);
	v->number = strtod(text, NULL);
}

const struct value *value_get(const struct value *map, const char *key)
{
	if (!map || map->type != VALUE_MAP)
		return NULL;
	for (const struct value *k = map->first; k; k = k->next->next)
		if (k->type == VALUE_STRING && bytes_eq_str(k->text, key))
			return k->next;
	return NULL;
}

bool value_is_truthy(const struct value *v)
{
	switch (v->type) {
	case VALUE_NULL:
		return false;
	case VALUE_BOOL:
	case VALUE_OTHER:
		return v->is_true;
	case VALUE_INT:
	case VALUE_FLOAT:
		return v->number != 0;
	case VALUE_STRING:
		return v->text.len > 0;
	case VALUE_LIST:
	case VALUE_MAP:
		return v->n > 0;
	}
	return false;
}

/* ---- comparing */

static bool is_number(const struct value *v)
{
	return v->type == VALUE_BOOL || v->type == VALUE_INT || v->type == VALUE_FLOAT;
}

static double number_of(const struct value *v)
{
	return v->type == VALUE_BOOL ? (double)v->is_true : v->number;
}

static int compare_sizes(size_t a, size_t b)
{
	return (a > b) - (a < b);
}

static int compare_bytes(struct bytes a, struct bytes b)
{
	size_t n = MIN(a.len, b.len);
	int r = n ? memcmp(a.p, b.p, n) : 0;

	return r ? r : compare_sizes(a.len, b.len);
}

static int compare_digits(struct bytes a, struct bytes b)
{
	bool is_negative = a.p[0] == '-';
	int r;

	if (is_negative != (b.p[0] == '-'))
		return is_negative ? -1 : 1;
	r = a.len != b.len ? compare_sizes(a.len, b.len) : compare_bytes(a, b);
	return is_negative ? -r : r;
}

/*
 * Rounding to a double keeps the order, so doubles that differ tell. Where they are equal, the
 * integers decide; a double past 2^53 is an integer, whose digits printf() knows exactly.
 */
static int compare_numbers(const struct value *a, const struct value *b)
{
	const double exact = 9007199254740992.0;
	char text[512];
	double x = number_of(a), y = number_of(b);

	if (isnan(x) || isnan(y))
		return isnan(x) - isnan(y);
	if (x != y)
		return x < y ? -1 : 1;
	if (fabs(x) < exact || (a->type != VALUE_INT && b->type != VALUE_INT))
		return 0;
	if (a->type == VALUE_INT && b->type == VALUE_INT)
		return compare_digits(a->text, b->text);
	if (b->type == VALUE_INT)
		return -compare_numbers(b, a);
	if (isinf(y))
		return y > 0 ? -1 : 1;
	(void)snprintf(text, sizeof(text), "%.0f", y);
	return compare_digits(a->text, bytes_of(text));
}

/* Inside containers Python compares objects first, and its readers have one NaN object each. */
static bool item_eq(const struct value *a, const struct value *b)
{
	return value_eq(a, b) || (a->type == VALUE_FLOAT && b->type == VALUE_FLOAT &&
				  isnan(a->number) && isnan(b->number));
}

static bool list_eq(const struct value *a, const struct value *b)
{
	const struct value *y = b->first;

	if (a->n != b->n)
		return false;
	for (const struct value *x = a->first; x; x = x->next, y = y->next)
		if (!item_eq(x, y))
			return false;
	return true;
}

static const struct value *find_key(const struct value *map, const struct value *key)
{
	for (const struct value *k = map->first; k; k = k->next->next)
		if (item_eq(k, key))
			return k->next;
	return NULL;
}

static bool map_eq(const struct value *a, const struct value *b)
{
	const struct value *y = b->first;

	if (a->n != b->n)
		return false;
	for (const struct value *x = a->first; x; x = x->next->next, y = y->next->next) {
		/* Mostly both have the same order. */
		const struct value *other = item_eq(x, y) ? y->next : find_key(b, x);

		if (!other || !item_eq(x->next, other))
			return false;
	}
	return true;
}

bool value_eq(const struct value *a, const struct value *b)
{
	if (is_number(a) && is_number(b))
		return compare_numbers(a, b) == 0 && !isnan(number_of(a));
	if (a->type != b->type)
		return false;
	switch (a->type) {
	case VALUE_NULL:
		return true;
	case VALUE_STRING:
	case VALUE_OTHER:
		return bytes_eq(a->text, b->text);
	case VALUE_LIST:
		return list_eq(a, b);
	case VALUE_MAP:
		return map_eq(a, b);
	case VALUE_BOOL:
	case VALUE_INT:
	case VALUE_FLOAT:
		return false; /* numbers, seen to above */
	}
	return false;
}

int value_compare_keys(const struct value *a, const struct value *b)
{
	if (is_number(a) && is_number(b))
		return compare_numbers(a, b);
	if (a->type != b->type)
		return (int)a->type - (int)b->type;
	return compare_bytes(a->text, b->text);
}

/* ---- dictionaries */

struct entry {
	struct value *key;
	size_t position;
};

static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int r = value_compare_keys(x->key, y->key);

	return r ? r : compare_sizes(x->position, y->position);
}

/* Sorted, so that a million keys of an agent's choice cost no more than a million others; a hash
 * table would need a secret. */
static int sort_entries(const struct value *map, size_t n, struct entry **ret)
{
	struct entry *entries = calloc(n, sizeof(*entries));
	size_t i = 0;

	if (!entries)
		return -ENOMEM;
	for (struct value *k = map->first; k; k = k->next->next, i++)
		entries[i] = (struct entry){.key = k, .position = i};
	qsort(entries, n, sizeof(*entries), compare_entries);
	*ret = entries;
	return 0;
}

/* Gives @old, in its place in the chain, the content of @new. */
static void replace(struct value *old, const struct value *new)
{
	struct value *next = old->next;

	*old = *new;
	old->next = next;
}

int value_map_close(struct value *map, void (*on_duplicate)(void *ctx, const struct value *key),
		    void *ctx)
{
	_cleanup_(freep) struct entry *entries = NULL;
	_cleanup_(freep) bool *is_dropped = NULL;
	struct value **link = &map->first;
	size_t n = 0;
	int r;

	for (const struct value *k = map->first; k; k = k->next->next)
		n++;
	map->n = n;
	if (n < 2)
		return 0;
	r = sort_entries(map, n, &entries);
	if (r < 0)
		return r;
	is_dropped = calloc(n, sizeof(*is_dropped));
	if (!is_dropped)
		return -ENOMEM;
	for (size_t i = 1, first = 0; i < n; i++) {
		if (value_compare_keys(entries[first].key, entries[i].key) != 0) {
			first = i;
			continue;
		}
		if (on_duplicate)
			on_duplicate(ctx, entries[i].key);
		replace(entries[first].key->next, entries[i].key->next);
		is_dropped[entries[i].position] = true;
		map->n--;
	}
	for (size_t i = 0; i < n; i++) {
		if (is_dropped[i])
			*link = (*link)->next->next;
		else
			link = &(*link)->next->next;
	}
	return 0;
}

struct value *value_copy(const struct value *v, struct arena *mem)
{
	struct value *copy = arena_alloc(mem, sizeof(*copy)), **end;

	if (!copy)
		return NULL;
	*copy = *v;
	copy->first = copy->next = NULL;
	if (v->text.p) {
		copy->text = arena_copy(mem, v->text.p, v->text.len);
		if (!copy->text.p)
			return NULL;
	}
	end = &copy->first;
	for (const struct value *child = v->first; child; child = child->next) {
		*end = value_copy(child, mem);
		if (!*end)
			return NULL;
		end = &(*end)->next;
	}
	return copy;
}
