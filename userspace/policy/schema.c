/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules that hold for every key and value of a document, whatever they mean.
 */
#include <ctype.h>
#include <inttypes.h>

#include "base/io.h"
#include "base/strbuf.h"

#include "policy/schema.h"

#define NEAREST_MAX_WORD       32
#define SCHEMA_MONEY_MAX       1e12
#define SCHEMA_MONEY_MAX_BYTES 32

/* A letter that multiplies the number before it. */
struct schema_unit {
	char letter;
	uint64_t factor;
};

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

int schema_keep(const struct loader *l, struct bytes s, const char **ret)
{
	struct bytes copy = arena_copy(l->mem, s.p, s.len);

	if (!copy.p)
		return -ENOMEM;
	*ret = copy.p;
	return 0;
}

int schema_text(const struct loader *l, const struct node *n, const char *key, const char **ret)
{
	struct bytes s = {};
	int r = schema_string(l, n, key, &s);

	if (r < 0)
		return r;
	if (s.len > SCHEMA_TEXT_MAX_BYTES)
		return loader_fail(l, n, "'%s' has at most %d bytes", key, SCHEMA_TEXT_MAX_BYTES);
	return schema_keep(l, s, ret);
}

int schema_word(const struct loader *l, const struct node *n, const char *key, const char **ret)
{
	struct bytes s = {};
	int r = schema_string(l, n, key, &s);

	if (r < 0)
		return r;
	for (size_t i = 0; i < s.len; i++)
		if ((s.p[i] & 0x80) || (!isalnum(s.p[i]) && !strchr("._-", s.p[i])))
			return loader_fail(l, n,
					   "'%s' is made of letters, digits, '.', '_' and '-'; "
					   "'%.60s' is not",
					   key, s.p);
	if (s.len > SCHEMA_NAME_MAX_BYTES)
		return loader_fail(l, n, "'%s' has at most %d bytes", key, SCHEMA_NAME_MAX_BYTES);
	return schema_keep(l, s, ret);
}

int schema_words(const struct loader *l, const struct node *n, const char *key,
		 const char *const **ret, size_t *ret_n)
{
	const struct node *item = NULL;
	const char **words;
	size_t count = 0;
	int r = schema_list(l, n, key, &count, &item);

	if (r < 0)
		return r;
	words = arena_alloc(l->mem, count * sizeof(*words));
	if (!words)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < count; i++, item = item->next)
		r = schema_word(l, item, key, &words[i]);
	*ret = words;
	*ret_n = count;
	return r;
}

/* ---- numbers */

/* "a number 0x10", "a list": three arguments of a "%s%s%.40s". */
#define FOUND(n)                                                                                   \
	node_describe(n), (n)->type == NODE_SCALAR ? " " : "",                                     \
		(n)->type == NODE_SCALAR ? (n)->text.p : ""

int schema_count(const struct loader *l, const struct node *n, const char *key, uint64_t max,
		 uint64_t *ret)
{
	if (n->type == NODE_SCALAR && n->is_plain && parse_u64(n->text, max, ret) == 0 && *ret &&
	    n->text.p[0] != '0')
		return 0;
	if (n->type == NODE_SCALAR && bytes_eq_str(n->text, "0"))
		return loader_fail(l, n,
				   "'%s' must be at least 1; to refuse them all say so with "
				   "'default' or a rule",
				   key);
	return loader_fail(l, n,
			   "'%s' must be a whole number from 1 to %" PRIu64 ", found %s%s%.40s",
			   key, max, FOUND(n));
}

static size_t digits_at(struct bytes s, size_t at)
{
	size_t n = 0;

	while (at + n < s.len && s.p[at + n] >= '0' && s.p[at + n] <= '9')
		n++;
	return n;
}

/* 5, 5.00, 5e-6: nothing else, so that neither a locale nor hexadecimal nor "inf" comes in. */
static bool is_decimal(struct bytes s)
{
	size_t at = digits_at(s, 0), n;

	if (at == 0)
		return false;
	if (at < s.len && s.p[at] == '.') {
		n = digits_at(s, at + 1);
		if (n == 0)
			return false;
		at += n + 1;
	}
	if (at < s.len && (s.p[at] == 'e' || s.p[at] == 'E')) {
		at++;
		if (at < s.len && (s.p[at] == '-' || s.p[at] == '+'))
			at++;
		n = digits_at(s, at);
		if (n == 0 || n > 3)
			return false;
		at += n;
	}
	return at == s.len;
}

int schema_money(const struct loader *l, const struct node *n, const char *key, double *ret)
{
	struct bytes s = n->text;
	double value;

	if (n->type == NODE_SCALAR && s.len && s.p[0] == '-')
		return loader_fail(l, n, "'%s' must not be negative, found %.40s", key, s.p);
	if (n->type == NODE_SCALAR && s.len && s.p[0] == '$')
		s = (struct bytes){.p = s.p + 1, .len = s.len - 1};
	if (n->type == NODE_SCALAR && s.len <= SCHEMA_MONEY_MAX_BYTES && is_decimal(s)) {
		value = strtod(s.p, NULL);
		if (value <= SCHEMA_MONEY_MAX) {
			*ret = value;
			return 0;
		}
	}
	return loader_fail(l, n,
			   "'%s' must be an amount of money such as 0.05 or \"$0.05\", found "
			   "%s%s%.40s",
			   key, FOUND(n));
}

int schema_fraction(const struct loader *l, const struct node *n, const char *key, double *ret)
{
	if (n->type == NODE_SCALAR && n->is_plain && n->text.len <= SCHEMA_MONEY_MAX_BYTES &&
	    is_decimal(n->text)) {
		*ret = strtod(n->text.p, NULL);
		if (*ret > 0 && *ret < 1)
			return 0;
	}
	return loader_fail(l, n,
			   "'%s' must be a part of the whole between 0 and 1, such as 0.8, "
			   "found %s%s%.40s",
			   key, FOUND(n));
}

int schema_number(const struct loader *l, const struct node *n, const char *key, unsigned min,
		  unsigned max, double *ret)
{
	if (n->type == NODE_SCALAR && n->is_plain && n->text.len <= SCHEMA_MONEY_MAX_BYTES &&
	    is_decimal(n->text)) {
		*ret = strtod(n->text.p, NULL);
		if (*ret >= min && *ret <= max)
			return 0;
	}
	return loader_fail(l, n, "'%s' must be a number from %u to %u, found %s%s%.40s", key, min,
			   max, FOUND(n));
}

/* Splits the last byte off when it is one of @units. Return: what it multiplies by, 1 without. */
static uint64_t take_unit(struct bytes *s, const struct schema_unit *units, size_t n)
{
	for (size_t i = 0; s->len > 1 && i < n; i++)
		if (s->p[s->len - 1] == units[i].letter) {
			s->len--;
			return units[i].factor;
		}
	return 1;
}

static int parse_scaled(const struct node *n, const struct schema_unit *units, size_t n_units,
			uint64_t max, uint64_t *ret)
{
	struct bytes s = n->text;
	uint64_t factor;

	if (n->type != NODE_SCALAR)
		return -EINVAL;
	factor = take_unit(&s, units, n_units);
	if (parse_u64(s, max / factor, ret) < 0 || *ret == 0 || s.p[0] == '0')
		return -EINVAL;
	*ret *= factor;
	return 0;
}

int schema_duration(const struct loader *l, const struct node *n, const char *key,
		    uint64_t max_seconds, uint64_t *ret_ns)
{
	static const struct schema_unit units[] = {{'s', 1}, {'m', 60}, {'h', 3600}};
	uint64_t seconds;

	if (parse_scaled(n, units, ARRAY_SIZE(units), max_seconds, &seconds) == 0) {
		*ret_ns = seconds * NS_PER_SEC;
		return 0;
	}
	return loader_fail(l, n,
			   "'%s' must be a time such as 30s, 10m or 2h, or whole seconds, at most "
			   "%" PRIu64 " seconds; found %s%s%.40s",
			   key, max_seconds, FOUND(n));
}

int schema_size(const struct loader *l, const struct node *n, const char *key, uint64_t *ret)
{
	static const struct schema_unit units[] = {
		{'K', UINT64_C(1) << 10}, {'M', UINT64_C(1) << 20}, {'G', UINT64_C(1) << 30}};

	if (parse_scaled(n, units, ARRAY_SIZE(units), INT64_MAX, ret) == 0)
		return 0;
	return loader_fail(l, n,
			   "'%s' must be a number of bytes such as 4096, 64K, 10M or 2G, at least "
			   "1; found %s%s%.40s",
			   key, FOUND(n));
}
