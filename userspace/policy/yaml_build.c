/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From nodes to values, as PyYAML's SafeConstructor does it. A node is made once; where aliases
 * share it, the values share their children, so a small text stays small, and its size with all
 * aliases written out is known before anybody walks it.
 */
#include "policy/pytext.h"
#include "policy/value_build.h"
#include "policy/yaml11.h"

static int build(struct yaml_build *b, struct yaml_node *n, unsigned depth);

static const char *kind_name(const struct yaml_node *n)
{
	static const char *const names[] = {"a scalar", "a list", "a map"};

	return names[n->kind];
}

/* ---- the two keys that mean something: << and = */

static struct yaml_item *copy_item(const struct yaml_build *b, struct yaml_node *node)
{
	struct yaml_item *item = arena_alloc(b->nodes, sizeof(*item));

	if (item)
		*item = (struct yaml_item){.node = node};
	return item;
}

static int flatten(struct yaml_build *b, struct yaml_node *map);

/* Puts the pairs of @from before **tail. */
static int merge_map(struct yaml_build *b, const struct yaml_node *at, struct yaml_node *from,
		     struct yaml_item ***tail, size_t *n)
{
	int r;

	if (from->kind != YAML_MAP)
		return yaml_fail(b, at, "'<<' merges a map or a list of maps, not %s",
				 kind_name(from));
	r = flatten(b, from);
	if (r < 0)
		return r;
	for (const struct yaml_item *i = from->first; i; i = i->next) {
		if (++b->merged > YAML_MAX_VALUES)
			return yaml_fail(b, at, "the merge keys bring too many values");
		**tail = copy_item(b, i->node);
		if (!**tail)
			return -ENOMEM;
		*tail = &(**tail)->next;
	}
	*n += from->n;
	return 0;
}

/* Of a list the first map counts most, so it comes last. The items of a list that was read are
 * chained one way only. */
static int merge_list(struct yaml_build *b, const struct yaml_node *at,
		      const struct yaml_node *list, struct yaml_item ***tail, size_t *n)
{
	_cleanup_(freep) struct yaml_node **maps = calloc(list->n + 1, sizeof(*maps));
	size_t count = 0;
	int r = 0;

	if (!maps)
		return -ENOMEM;
	for (const struct yaml_item *i = list->first; i; i = i->next)
		maps[count++] = i->node;
	while (r == 0 && count > 0)
		r = merge_map(b, at, maps[--count], tail, n);
	return r;
}

static int merge(struct yaml_build *b, const struct yaml_node *key, struct yaml_node *from,
		 struct yaml_item ***tail, size_t *n)
{
	if (from->kind == YAML_LIST)
		return merge_list(b, key, from, tail, n);
	return merge_map(b, key, from, tail, n);
}

/*
 * Takes the merge keys out of @map and puts what they merge first, where it gives way to the map's
 * own keys. Only a map that is made or merged is flattened: elsewhere '<<' has no meaning, and '='
 * neither.
 */
static int flatten(struct yaml_build *b, struct yaml_node *map)
{
	struct yaml_item *merged = NULL, **tail = &merged;
	struct yaml_item **link = &map->first;
	size_t n_merged = 0;
	int r;

	if (map->is_flat)
		return 0;
	if (++b->depth > VALUE_MAX_DEPTH)
		return yaml_fail(b, map, "merge keys are nested too deeply");
	map->is_flat = true;
	while (*link) {
		struct yaml_item *key = *link, *value = key->next;

		if (key->node->tag == YAML_TAG_MERGE) {
			*link = value->next;
			map->n -= 2;
			r = merge(b, key->node, value->node, &tail, &n_merged);
			if (r < 0)
				return r;
			continue;
		}
		if (key->node->tag == YAML_TAG_VALUE)
			key->node->tag = YAML_TAG_STR;
		link = &value->next;
	}
	*tail = map->first;
	map->first = merged;
	map->n_merged = n_merged / 2;
	map->n += n_merged;
	b->depth--;
	return 0;
}

/* ---- scalars */

/* A map stands for the scalar under its key '='. */
static int scalar_of(const struct yaml_build *b, const struct yaml_node *n, struct bytes *ret)
{
	const struct yaml_node *at = n;

	for (unsigned depth = 0; at->kind == YAML_MAP && depth < VALUE_MAX_DEPTH; depth++) {
		const struct yaml_item *key = at->first;

		while (key && key->node->tag != YAML_TAG_VALUE)
			key = key->next->next;
		if (!key)
			break;
		at = key->next->node;
	}
	if (at->kind != YAML_SCALAR)
		return yaml_fail(b, n, "a scalar is expected here, not %s", kind_name(at));
	*ret = at->text;
	return 0;
}

static int build_scalar(const struct yaml_build *b, const struct yaml_node *n, struct value *v)
{
	struct bytes text;
	int r = scalar_of(b, n, &text);

	if (r < 0)
		return r;
	v->type = VALUE_NULL;
	if (n->tag == YAML_TAG_BOOL)
		return yaml_make_bool(b, n, text, v);
	if (n->tag == YAML_TAG_INT)
		return yaml_make_int(b, n, text, v);
	if (n->tag == YAML_TAG_FLOAT)
		return yaml_make_float(b, n, text, v);
	if (n->tag == YAML_TAG_BINARY)
		return yaml_make_binary(b, n, text, v);
	if (n->tag == YAML_TAG_TIMESTAMP && n->kind != YAML_SCALAR)
		return yaml_fail(b, n, "a date is a scalar");
	if (n->tag == YAML_TAG_TIMESTAMP)
		return yaml_make_timestamp(b, n, text, v);
	if (n->tag == YAML_TAG_STR) {
		v->type = VALUE_STRING;
		v->text = text;
	}
	return 0;
}

/* ---- lists and maps */

/* A value of its own for what may be shared. */
static struct value *share(const struct yaml_build *b, const struct yaml_node *n)
{
	struct value *v = arena_alloc(b->mem, sizeof(*v));

	if (v) {
		*v = *n->value;
		v->next = NULL;
	}
	return v;
}

/* Makes @child and counts it into @parent; *ret is what @parent holds. */
static int build_child(struct yaml_build *b, struct yaml_node *parent, struct yaml_node *child,
		       unsigned depth, struct value **ret)
{
	int r = build(b, child, depth + 1);

	if (r < 0)
		return r;
	parent->size += child->size;
	parent->depth = MAX(parent->depth, child->depth + 1);
	if (parent->size > YAML_MAX_VALUES)
		return yaml_fail(b, child, "the document has more than %d values, aliases included",
				 YAML_MAX_VALUES);
	if (parent->depth > VALUE_MAX_DEPTH)
		return yaml_fail(b, child, "lists and maps are nested too deeply");
	*ret = share(b, child);
	return *ret ? 0 : -ENOMEM;
}

typedef int (*build_item_fn)(struct yaml_build *b, struct yaml_node *list, struct yaml_node *item,
			     unsigned depth, struct value **ret);

static int build_items(struct yaml_build *b, struct yaml_node *n, unsigned depth, struct value *v,
		       build_item_fn build_item)
{
	struct value **tail = &v->first;
	int r;

	v->type = VALUE_LIST;
	if (n->kind != YAML_LIST)
		return yaml_fail(b, n, "a list is expected here, not %s", kind_name(n));
	for (const struct yaml_item *i = n->first; i; i = i->next) {
		r = build_item(b, n, i->node, depth, tail);
		if (r < 0)
			return r;
		tail = &(*tail)->next;
	}
	v->n = n->n;
	return 0;
}

static int build_list(struct yaml_build *b, struct yaml_node *n, unsigned depth, struct value *v)
{
	return build_items(b, n, depth, v, build_child);
}

/* Sets are of the type VALUE_OTHER, as dates are, but Python cannot hash them. */
static bool is_hashable(const struct yaml_node *n)
{
	return n->value->type != VALUE_LIST && n->value->type != VALUE_MAP &&
	       n->tag != YAML_TAG_SET;
}

static int build_pair(struct yaml_build *b, struct yaml_node *map, const struct yaml_item *key,
		      unsigned depth, struct value ***tail)
{
	int r = build_child(b, map, key->node, depth, *tail);

	if (r < 0)
		return r;
	if (!is_hashable(key->node))
		return yaml_fail(b, key->node, "%s cannot be the key of a map",
				 kind_name(key->node));
	*tail = &(**tail)->next;
	r = build_child(b, map, key->next->node, depth, *tail);
	if (r < 0)
		return r;
	*tail = &(**tail)->next;
	return 0;
}

static void warn_of_duplicate(void *ctx, const struct value *key)
{
	const struct yaml_build *b = ctx;
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(600);
	struct diag d;

	py_add_repr(&text, key);
	(void)diag_set(&d, b->file, key->line, key->column,
		       "the key %s is given again: the last value counts", strbuf_str(&text));
	b->warn(b->ctx, &d);
}

/* The pairs from **@own on are the map's own: if one of these is given twice, a person did not mean
 * it. That they hide what was merged is meant. */
static int close_map(struct yaml_build *b, struct value *v, struct value **own)
{
	struct value own_map = {.type = VALUE_MAP, .first = *own};
	int r = value_map_close(&own_map, b->warn ? warn_of_duplicate : NULL, b);

	if (r < 0)
		return r;
	*own = own_map.first;
	return value_map_close(v, NULL, NULL);
}

static int build_map(struct yaml_build *b, struct yaml_node *n, unsigned depth, struct value *v)
{
	struct value **tail = &v->first, **own = NULL;
	size_t i = 0;
	int r;

	v->type = VALUE_MAP;
	if (n->kind != YAML_MAP)
		return yaml_fail(b, n, "a map is expected here, not %s", kind_name(n));
	r = flatten(b, n);
	if (r < 0)
		return r;
	for (const struct yaml_item *key = n->first; key; key = key->next->next, i++) {
		if (i == n->n_merged)
			own = tail;
		r = build_pair(b, n, key, depth, &tail);
		if (r < 0)
			return r;
	}
	return close_map(b, v, own ? own : tail);
}

/* ---- sets, ordered maps and pairs */

/* A longer one is nothing that a policy could hold. */
#define REPR_MAX ((size_t)1024 * 1024)

static int make_repr(const struct yaml_build *b, const struct yaml_node *n, struct value *v,
		     bool is_true, const struct strbuf *repr)
{
	if (strbuf_error(repr) == -EMSGSIZE)
		return yaml_fail(b, n, "a set or a pair of more than %zu bytes", REPR_MAX);
	if (strbuf_error(repr))
		return -ENOMEM;
	return yaml_make_other(b, v, is_true, strbuf_str(repr), NULL);
}

/* Python's own order changes from run to run; ours is the document's. */
static int build_set(struct yaml_build *b, struct yaml_node *n, unsigned depth, struct value *v)
{
	_cleanup_(strbuf_fini) struct strbuf repr = STRBUF_INIT(REPR_MAX);
	struct value map = {};
	int r = build_map(b, n, depth, &map);

	if (r < 0)
		return r;
	for (const struct value *k = map.first; k; k = k->next->next) {
		strbuf_add_str(&repr, k == map.first ? "{" : ", ");
		py_add_repr(&repr, k);
	}
	strbuf_add_str(&repr, map.n ? "}" : "set()");
	return make_repr(b, n, v, map.n > 0, &repr);
}

/* Pairs are tuples in Python, which print otherwise than lists. */
static int build_tuple(struct yaml_build *b, struct yaml_node *list, struct yaml_node *map,
		       unsigned depth, struct value **ret)
{
	_cleanup_(strbuf_fini) struct strbuf repr = STRBUF_INIT(REPR_MAX);
	struct value *key = NULL, *value = NULL;
	int r;

	if (map->kind != YAML_MAP || map->n != 2)
		return yaml_fail(b, map, "a map of one key is expected here");
	r = build_child(b, list, map->first->node, depth, &key);
	if (r < 0)
		return r;
	r = build_child(b, list, map->first->next->node, depth, &value);
	if (r < 0)
		return r;
	strbuf_add_char(&repr, '(');
	py_add_repr(&repr, key);
	strbuf_add_str(&repr, ", ");
	py_add_repr(&repr, value);
	strbuf_add_char(&repr, ')');
	*ret = value_new(b->mem, VALUE_OTHER, map->line, map->column);
	return *ret ? make_repr(b, map, *ret, true, &repr) : -ENOMEM;
}

static int build_pairs(struct yaml_build *b, struct yaml_node *n, unsigned depth, struct value *v)
{
	return build_items(b, n, depth, v, build_tuple);
}

static int build_tagged(struct yaml_build *b, struct yaml_node *n, unsigned depth, struct value *v)
{
	switch (n->tag) {
	case YAML_TAG_NULL:
	case YAML_TAG_BOOL:
	case YAML_TAG_INT:
	case YAML_TAG_FLOAT:
	case YAML_TAG_BINARY:
	case YAML_TAG_TIMESTAMP:
	case YAML_TAG_STR:
		return build_scalar(b, n, v);
	case YAML_TAG_SEQ:
		return build_list(b, n, depth, v);
	case YAML_TAG_MAP:
		return build_map(b, n, depth, v);
	case YAML_TAG_SET:
		return build_set(b, n, depth, v);
	case YAML_TAG_OMAP:
	case YAML_TAG_PAIRS:
		return build_pairs(b, n, depth, v);
	case YAML_TAG_MERGE:
	case YAML_TAG_VALUE:
		return yaml_fail(b, n, "a plain '%s' is no value: quote it",
				 n->tag == YAML_TAG_MERGE ? "<<" : "=");
	case YAML_TAG_UNKNOWN:
		return yaml_fail(b, n, "the tag '%s' is not known: leave it out, or quote the text",
				 n->tag_text);
	case _YAML_TAG_MAX:
		break;
	}
	return -EINVAL;
}

static int build(struct yaml_build *b, struct yaml_node *n, unsigned depth)
{
	struct value *v;
	int r;

	if (n->value)
		return 0;
	/* Merged maps may have been read before they are reached. */
	if (depth > VALUE_MAX_DEPTH)
		return yaml_fail(b, n, "lists and maps are nested too deeply");
	v = value_new(b->mem, VALUE_NULL, n->line, n->column);
	if (!v)
		return -ENOMEM;
	n->size = 1;
	n->depth = 0;
	r = build_tagged(b, n, depth, v);
	if (r < 0)
		return r;
	n->value = v;
	return 0;
}

int yaml_build_value(struct yaml_build *b, struct yaml_node *root, struct value **ret)
{
	int r = build(b, root, 0);

	if (r < 0)
		return r;
	*ret = root->value;
	return 0;
}
