/* SPDX-License-Identifier: Apache-2.0 */
/* Of many names one pattern: files of one directory with the same ending, everything below one. */
#include "cli/learn_private.h"

#define EXTENSIONS_MAX 16 /* that are counted in one directory */

/* How many there must be for a pattern that takes in all, by level. */
static const struct {
	size_t tree, extension;
} enough[LEARN_LEVELS] = {{8, 5}, {4, 3}, {2, 2}, {1, 2}};

static const uint32_t classes[] = {OP_BIT(OP_READ), OPS_CHANGE, OP_BIT(OP_EXEC)};

/* ---- folding */

struct sum {
	size_t n;     /* different entries; a tree is one */
	uint32_t ops; /* all of theirs */
	uint64_t uses;
	struct bytes example;
};

static void add_sum(struct sum *to, const struct sum *s)
{
	to->n += s->n;
	to->ops |= s->ops;
	to->uses += s->uses;
	if (!to->example.p)
		to->example = s->example;
}

static struct bytes extension_of(struct bytes name)
{
	const char *dot = name.len ? memrchr(name.p, '.', name.len) : NULL;
	struct bytes tail = BYTES_NULL;

	if (dot && dot > name.p && dot + 1 < name.p + name.len) {
		tail = (struct bytes){.p = dot, .len = (size_t)(name.p + name.len - dot)};
		if (memchr(tail.p, '*', tail.len) || memchr(tail.p, '\\', tail.len))
			tail = BYTES_NULL;
	}
	return tail;
}

/* Files of one directory that share their ending. */
static int fold_extensions(struct learn *l, struct learn_node *dir, uint32_t class, size_t min)
{
	struct {
		struct bytes tail;
		struct sum sum;
	} found[EXTENSIONS_MAX];
	size_t n_found = 0;

	if (dir->depth < (dir->root == LEARN_PROJECT || dir->root == LEARN_TMP ? 0 : 2))
		return 0;
	for (int pass = 0; pass < 2; pass++)
		for (struct learn_node *c = dir->first; c; c = c->next) {
			struct bytes tail = extension_of(c->name);
			size_t i = 0;

			if (c->first || !(c->ops & class) || !tail.p || c->name.p[0] == '*')
				continue;
			while (i < n_found && !bytes_eq(found[i].tail, tail))
				i++;
			if (i == EXTENSIONS_MAX || (pass && found[i].sum.n < min))
				continue;
			if (pass) {
				c->ops &= ~class; /* the pattern has it */
				continue;
			}
			if (i == n_found) {
				found[n_found].tail = tail;
				found[n_found++].sum = (struct sum){};
			}
			add_sum(&found[i].sum, &(struct sum){.n = 1,
							     .ops = c->ops,
							     .uses = c->count,
							     .example = c->example});
		}
	for (size_t i = 0; i < n_found; i++) {
		struct strbuf name = STRBUF_INIT(LEARN_PATTERN_MAX);
		struct learn_node *n = NULL;
		int r;

		if (found[i].sum.n < min)
			continue;
		strbuf_add_char(&name, '*');
		strbuf_add_bytes(&name, found[i].tail);
		r = strbuf_error(&name);
		if (r == 0)
			r = learn_child(l, dir, strbuf_bytes(&name), true, &n);
		strbuf_fini(&name);
		if (r < 0)
			return r;
		if (!n)
			continue;
		n->ops |= found[i].sum.ops & (class | OP_BIT(OP_READ));
		n->count += found[i].sum.uses;
		if (!n->example.p)
			n->example = found[i].sum.example;
	}
	return 0;
}

static int fold(struct learn *l, struct learn_node *dir, uint32_t class, unsigned int level,
		struct sum *ret)
{
	size_t min = enough[level].tree;
	struct sum below = {};
	int r;

	*ret = (struct sum){};
	if (dir->tree_ops & class) {
		*ret = (struct sum){.n = 1,
				    .ops = dir->tree_ops,
				    .uses = dir->tree_count,
				    .example = dir->example};
		return 0;
	}
	r = fold_extensions(l, dir, class, enough[level].extension);
	if (r < 0)
		return r;
	for (struct learn_node *c = dir->first; c; c = c->next) {
		struct sum s;

		r = fold(l, c, class, level, &s);
		if (r < 0)
			return r;
		add_sum(&below, &s);
	}
	if (dir->ops & class)
		add_sum(ret, &(struct sum){.n = 1,
					   .ops = dir->ops,
					   .uses = dir->count,
					   .example = dir->example});
	add_sum(ret, &below);
	/* A directory that has a new name each time: what is in it belongs to that. */
	if (dir->is_wild && dir->root == LEARN_TMP)
		min = 2;
	if (below.n < min || !dir->first || !learn_is_widenable(dir, class))
		return 0;
	dir->tree_ops |= ret->ops & (class | OP_BIT(OP_READ));
	dir->tree_count += ret->uses;
	if (!dir->example.p)
		dir->example = below.example;
	ret->n = 1;
	return 0;
}

/*
 * The whole name is random: python looks for a usable directory of temporary files so. Some of it
 * may have been taken to be random already ("y_*"), and the rest for what stays.
 */
static bool is_probe(const struct learn_node *n)
{
	const uint32_t made_and_gone = OP_BIT(OP_CREATE) | OP_BIT(OP_DELETE);
	struct bytes name = n->is_wild ? bytes_base_name(n->example) : n->name;

	if (n->first || name.len != 8 || (n->ops & made_and_gone) != made_and_gone ||
	    bytes_eq_str(n->name, "*"))
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789_", name.p[i]))
			return false;
	return true;
}

/* mkdtemp(3)'s six letters may look like a word; what was made and removed again had them by
 * chance. */
static void widen_temporary(struct learn *l, struct learn_node *n)
{
	const uint32_t made = OP_BIT(OP_CREATE) | OP_BIT(OP_MKDIR);
	struct bytes head = {.p = n->name.p, .len = n->name.len - MIN(n->name.len, (size_t)6)};
	struct strbuf name = STRBUF_INIT(LEARN_PATTERN_MAX);
	struct bytes kept;

	if (n->is_wild || !(n->ops & made) || !(n->ops & OP_BIT(OP_DELETE)) || head.len < 2 ||
	    !strchr("-._", head.p[head.len - 1]) || strcspn(n->name.p + head.len, "-._\\?") != 6)
		return;
	strbuf_add_bytes(&name, head);
	strbuf_add_char(&name, '*');
	kept = learn_keep(l, &name);
	strbuf_fini(&name);
	if (!kept.p)
		return; /* it stays as narrow as it is */
	n->name = kept;
	n->is_wild = true;
}

static int fold_probes(struct learn *l)
{
	for (struct learn_node *n = l->roots[LEARN_TMP]->first; n; n = n->next)
		widen_temporary(l, n);
	for (struct learn_node *n = l->roots[LEARN_TMP]->first; n; n = n->next) {
		struct learn_node *any = NULL;
		int r;

		if (!is_probe(n))
			continue;
		r = learn_child(l, l->roots[LEARN_TMP], BYTES_LIT("????????"), true, &any);
		if (r < 0)
			return r;
		if (!any)
			continue;
		any->ops |= n->ops;
		any->count += n->count;
		any->example = n->example;
		if (!n->is_wild) /* else it may be others' name, too */
			n->ops = 0;
	}
	return 0;
}

int learn_fold(struct learn *l, unsigned int level)
{
	int r = level ? 0 : fold_probes(l);

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
		for (unsigned int root = 0; root < _LEARN_ROOT_MAX; root++) {
			struct sum s;

			r = fold(l, l->roots[root], classes[i], level, &s);

			if (r < 0)
				return r;
		}
	return 0;
}

/* ---- what is left */

static int add_item(struct learn *l, struct learn_items *items, const struct learn_node *n,
		    bool is_tree, uint32_t ops, bool is_wild)
{
	struct strbuf pattern = STRBUF_INIT(LEARN_PATTERN_MAX);
	struct learn_item *item;

	if (items->n == items->size) {
		size_t size = items->size ? items->size * 2 : 256;
		struct learn_item *grown = reallocarray(items->list, size, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		items->list = grown;
		items->size = size;
	}
	learn_add_pattern(&pattern, n);
	if (is_tree)
		strbuf_add_str(&pattern, "/**");
	if (pattern.len == 0)
		strbuf_add_char(&pattern, '/');
	item = &items->list[items->n];
	*item = (struct learn_item){.pattern = learn_keep(l, &pattern),
				    .example = n->example,
				    .ops = ops,
				    .count = is_tree ? n->tree_count : n->count,
				    .root = n->root,
				    .rank = is_tree ? 2 : is_wild};
	strbuf_fini(&pattern);
	if (!item->pattern.p)
		return -ENOMEM;
	/* The language has no longer ones. */
	if (item->pattern.len <= GLOB_MAX_BYTES / 2)
		items->n++;
	else
		l->result.n_dropped += item->count;
	return 0;
}

/* @covered: what a tree above allows. */
static int collect(struct learn *l, const struct learn_node *n, uint32_t covered, bool is_wild,
		   struct learn_items *items)
{
	int r = 0;

	is_wild |= n->is_wild || memchr(n->name.p, '?', n->name.len);
	if (n->tree_ops & ~covered)
		r = add_item(l, items, n, true, n->tree_ops & ~covered, is_wild);
	covered |= n->tree_ops;
	if (r == 0 && (n->ops & ~covered))
		r = add_item(l, items, n, false, n->ops & ~covered, is_wild);
	for (const struct learn_node *c = n->first; r == 0 && c; c = c->next)
		r = collect(l, c, covered, is_wild, items);
	return r;
}

int learn_collect(struct learn *l, struct learn_items *ret)
{
	int r = 0;

	ret->n = 0;
	for (unsigned int root = 0; r == 0 && root < _LEARN_ROOT_MAX; root++)
		r = collect(l, l->roots[root], 0, false, ret);
	return r;
}
