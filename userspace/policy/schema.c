/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules that hold for every key and value of a document, whatever they mean.
 */
#include "base/strbuf.h"

#include "policy/document.h"

#define NEAREST_MAX_WORD 32

/* Edits (insert, delete, replace, swap neighbours) from @a to @b. */
static size_t edit_distance(struct bytes a, const char *b)
{
	size_t rows[3][NEAREST_MAX_WORD + 1];
	size_t *before = rows[0], *last = rows[1], *now = rows[2], n = strlen(b);

	for (size_t j = 0; j <= n; j++)
		last[j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		size_t *free_row = before;

		now[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t cost = a.p[i - 1] != b[j - 1];

			now[j] = MIN(last[j] + 1, last[j - 1] + cost);
			now[j] = MIN(now[j], now[j - 1] + 1);
			if (i > 1 && j > 1 && a.p[i - 1] == b[j - 2] && a.p[i - 2] == b[j - 1])
				now[j] = MIN(now[j], before[j - 2] + 1);
		}
		before = last;
		last = now;
		now = free_row;
	}
	return last[n];
}

const char *schema_nearest(struct bytes word, const char *const *words, size_t n)
{
	const char *nearest = NULL;
	size_t best = 3; /* more edits than two, or than half of the word, is another word */

	if (word.len > NEAREST_MAX_WORD)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		size_t distance;

		if (strlen(words[i]) > NEAREST_MAX_WORD)
			continue;
		distance = edit_distance(word, words[i]);
		if (distance < best && distance * 2 <= MAX(word.len, strlen(words[i]))) {
			best = distance;
			nearest = words[i];
		}
	}
	return nearest;
}

static int fail_unknown_key(const struct loader *l, const struct node *key, const char *what,
			    const struct field *fields, size_t n_fields)
{
	_cleanup_(strbuf_fini) struct strbuf known = STRBUF_INIT(1024);
	const char *words[SCHEMA_MAX_FIELDS];
	const char *nearest;

	for (size_t i = 0; i < n_fields; i++) {
		words[i] = fields[i].key;
		strbuf_add_fmt(&known, "%s%s", i ? ", " : "", fields[i].key);
	}
	nearest = schema_nearest(key->text, words, n_fields);
	if (nearest)
		return loader_fail(l, key, "unknown key '%.60s' in %s; did you mean '%s'?",
				   key->text.p, what, nearest);
	return loader_fail(l, key, "unknown key '%.60s' in %s; there are %s", key->text.p, what,
			   strbuf_str(&known));
}

static int parse_pair(const struct loader *l, const struct node *key, const char *what,
		      const struct field *fields, size_t n_fields, uint32_t *seen, void *target)
{
	if (key->type != NODE_SCALAR)
		return loader_fail(l, key,
				   "expected a key of %s, found %s; quote text that begins "
				   "with '{' or '['",
				   what, node_describe(key));
	for (size_t i = 0; i < n_fields; i++) {
		if (!bytes_eq_str(key->text, fields[i].key))
			continue;
		if (*seen & UINT32_C(1) << i)
			return loader_fail(l, key, "the key '%s' stands twice in %s", fields[i].key,
					   what);
		*seen |= UINT32_C(1) << i;
		return fields[i].parse(l, key->next, target);
	}
	return fail_unknown_key(l, key, what, fields, n_fields);
}

int schema_map(const struct loader *l, const struct node *n, const char *what,
	       const struct field *fields, size_t n_fields, void *target)
{
	uint32_t seen = 0;

	if (n->type != NODE_MAP)
		return loader_fail(l, n, "%s must be a map such as {%s: ...}, found %s", what,
				   fields[0].key, node_describe(n));
	for (const struct node *key = n->first; key; key = key->next->next) {
		int r = parse_pair(l, key, what, fields, n_fields, &seen, target);

		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < n_fields; i++)
		if (fields[i].is_required && !(seen & UINT32_C(1) << i))
			return loader_fail(l, n, "%s has no '%s'", what, fields[i].key);
	return 0;
}

int schema_string(const struct loader *l, const struct node *n, const char *key, struct bytes *ret)
{
	const char *guessed = node_guessed_type(n);

	if (n->type != NODE_SCALAR)
		return loader_fail(l, n,
				   "'%s' must be a string, found %s; quote text that begins "
				   "with '{' or '['",
				   key, node_describe(n));
	/* Numbers are taken as they are written; these would mean something else elsewhere. */
	if (guessed && guessed[0] != 'a')
		return loader_fail(l, n,
				   "'%s' must be a string, found nothing; to YAML '%s' is "
				   "null unless it is quoted",
				   key, n->text.p);
	if (guessed && streq(guessed, "a boolean"))
		return loader_fail(l, n, "'%s' must be a string, found the boolean '%s'; quote it",
				   key, n->text.p);
	if (n->text.len == 0)
		return loader_fail(l, n, "'%s' must not be empty", key);
	*ret = n->text;
	return 0;
}

int schema_bool(const struct loader *l, const struct node *n, const char *key, bool *ret)
{
	if (n->type == NODE_SCALAR && n->is_plain) {
		if (bytes_eq_str(n->text, "true") || bytes_eq_str(n->text, "false")) {
			*ret = n->text.p[0] == 't';
			return 0;
		}
	}
	return loader_fail(l, n, "'%s' must be true or false, found %s", key, node_describe(n));
}

int schema_verdict(const struct loader *l, const struct node *n, enum verdict *ret)
{
	if (n->type != NODE_SCALAR)
		return loader_fail(l, n, "expected allow, flag, ask or deny, found %s",
				   node_describe(n));
	if (verdict_parse(n->text, ret) < 0)
		return loader_fail(l, n, "expected allow, flag, ask or deny, found '%.60s'",
				   n->text.p);
	return 0;
}

int schema_list(const struct loader *l, const struct node *n, const char *key, size_t *ret_n,
		const struct node **ret_first)
{
	if (n->type == NODE_MAP)
		return loader_fail(l, n,
				   "'%s' must be a string or a list, found a map; quote text "
				   "that begins with '{'",
				   key);
	if (n->type == NODE_LIST && n->n == 0)
		return loader_fail(l, n,
				   "'%s' is an empty list, which matches nothing; remove the "
				   "key or list something",
				   key);
	*ret_n = n->type == NODE_LIST ? n->n : 1;
	*ret_first = n->type == NODE_LIST ? n->first : n;
	return 0;
}
