/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strbuf.h"

#include "policy/source.h"
#include "policy/vars.h"

struct gatherer {
	const struct policy_load *load;
	const struct loader *l;
	struct arena *nodes;
	struct source *first;
	struct source **tail;
	size_t n_files;
	size_t n_bytes;
};

struct node *source_key(const struct node *map, const char *key)
{
	if (map->type != NODE_MAP)
		return NULL;
	for (const struct node *k = map->first; k; k = k->next->next)
		if (k->type == NODE_SCALAR && bytes_eq_str(k->text, key))
			return k->next;
	return NULL;
}

struct loader source_loader(const struct loader *l, const struct source *s)
{
	struct loader own = *l;

	own.file = s->file;
	own.scope = s->vars;
	return own;
}

/* @file without the directory of the document, which all of a chain mostly share. */
static const char *short_name(const struct gatherer *g, const char *file)
{
	struct bytes document = bytes_of(g->load->file);
	size_t directory = document.len - bytes_base_name(document).len;

	return strncmp(file, document.p, directory) == 0 ? file + directory : file;
}

static void add_chain(const struct gatherer *g, const struct source *s, struct strbuf *out)
{
	if (s->parent) {
		add_chain(g, s->parent, out);
		strbuf_add_str(out, " -> ");
	}
	strbuf_add_str(out, short_name(g, s->file));
}

/* Refuses @at of @from, which names @file, and shows how it came to that. */
static int fail_chain(const struct gatherer *g, const struct source *from, const struct node *at,
		      const char *file, const char *what)
{
	_cleanup_(strbuf_fini) struct strbuf chain = STRBUF_INIT(512);

	add_chain(g, from, &chain);
	strbuf_add_fmt(&chain, " -> %s", short_name(g, file));
	return diag_set(g->l->diag, from->file, at->line, at->column, "%s: %s", what,
			strbuf_str(&chain));
}

static int check_chain(const struct gatherer *g, const struct source *from, const struct node *at,
		       const char *file)
{
	for (const struct source *s = from; s; s = s->parent)
		if (streq(s->file, file))
			return fail_chain(g, from, at, file,
					  "these files name each other in a loop; take one out");
	if (from->depth == SOURCE_MAX_DEPTH)
		return fail_chain(g, from, at, file, "more than 8 files deep");
	if (g->n_files == POLICY_MAX_FILES)
		return fail_chain(g, from, at, file, "a policy is made of at most 64 files");
	return 0;
}

static bool is_gathered(const struct gatherer *g, unsigned layer, const char *file)
{
	for (const struct source *s = g->first; s; s = s->next)
		if (s->layer == layer && streq(s->file, file))
			return true;
	return false;
}

/* Asks the caller's reader. Its words are kept; the place is where the file is named. */
static int read_named(const struct gatherer *g, const struct source *from, const struct node *at,
		      const char *name, struct policy_text *ret)
{
	struct diag d = {};
	int r;

	if (!g->load->read)
		return diag_set(g->l->diag, from->file, at->line, at->column,
				"a policy that is given as text alone cannot name other files");
	r = g->load->read(g->load->read_ctx, from->file, name, ret, &d);
	if (r == -EINVAL)
		return diag_set(g->l->diag, from->file, at->line, at->column, "%s", d.message);
	return r;
}

static int add_source(struct gatherer *g, const struct source *from, const struct policy_text *text,
		      const struct node *at, struct source **ret)
{
	struct source *s = arena_alloc(g->nodes, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	*s = (struct source){.parent = from, .depth = from ? from->depth + 1 : 0};
	r = schema_keep(g->l, bytes_of(text->file), &s->file);
	if (r < 0)
		return r;
	g->n_files++;
	if (text->text.len > POLICY_MAX_BYTES - g->n_bytes)
		return diag_set(g->l->diag, from ? from->file : s->file, at ? at->line : 0,
				at ? at->column : 0,
				"the policy and the files it names are larger than %zu MiB",
				POLICY_MAX_BYTES / 1024 / 1024);
	g->n_bytes += text->text.len;
	r = node_parse(s->file, text->text, POLICY_MAX_DEPTH, g->nodes, &s->root, g->l->diag);
	if (r < 0)
		return r;
	*g->tail = s;
	g->tail = &s->next;
	*ret = s;
	return 0;
}

static bool is_file_name(const char *name)
{
	struct bytes s = bytes_of(name);

	return strchr(name, '/') || bytes_has_suffix(s, BYTES_LIT(".yaml")) ||
	       bytes_has_suffix(s, BYTES_LIT(".yml"));
}

/* A string of `include` or `extends`, its ~ and variables replaced. */
static int read_name(const struct gatherer *g, const struct source *from, const struct node *n,
		     const char *key, const char **ret)
{
	const struct loader l = source_loader(g->l, from);
	struct bytes s = {};
	int r = schema_string(&l, n, key, &s);

	if (r == 0)
		r = vars_expand_place(&l, n, s, &s);
	if (r < 0)
		return r;
	if (streq(key, "include") && !is_file_name(s.p))
		return loader_fail(&l, n,
				   "'include' lists files; '%.60s' is no file name: write "
				   "./%.60s.yaml",
				   s.p, s.p);
	*ret = s.p;
	return 0;
}

static int gather_includes(struct gatherer *g, struct source *from);

static int gather_include(struct gatherer *g, struct source *from, const struct node *item)
{
	struct policy_text text = {};
	struct source *s = NULL;
	const char *name = NULL;
	int r = read_name(g, from, item, "include", &name);

	if (r == 0)
		r = read_named(g, from, item, name, &text);
	if (r == 0)
		r = check_chain(g, from, item, text.file);
	/* Two fragments may need the same third one. */
	if (r < 0 || is_gathered(g, from->layer, text.file))
		return r;
	r = add_source(g, from, &text, item, &s);
	if (r < 0)
		return r;
	s->is_fragment = true;
	s->layer = from->layer;
	s->vars = from->vars;
	return gather_includes(g, s);
}

/* The fragments of @from, and then theirs, before those that are named after them. */
static int gather_includes(struct gatherer *g, struct source *from)
{
	const struct node *key = source_key(from->root, "include"), *item = NULL;
	const struct node *vars = source_key(from->root, "vars");
	const struct loader l = source_loader(g->l, from);
	size_t n = 0;
	int r = vars ? vars_add(&l, vars, from->is_fragment, from->vars) : 0;

	if (r < 0 || !key)
		return r;
	r = schema_list(&l, key, "include", &n, &item);
	for (; r == 0 && n; n--, item = item->next)
		r = gather_include(g, from, item);
	return r;
}

/* @s begins a layer: gives it variables of its own and gathers its fragments. */
static int gather_layer(struct gatherer *g, struct source *s)
{
	s->vars = arena_alloc(g->nodes, sizeof(*s->vars));
	if (!s->vars)
		return -ENOMEM;
	*s->vars = (struct vars){.mem = g->nodes};
	return gather_includes(g, s);
}

/* What @from extends becomes the next layer. Return: 0 and the source, NULL when there is none. */
static int gather_base(struct gatherer *g, const struct source *from, struct source **ret)
{
	const struct node *key = source_key(from->root, "extends");
	struct policy_text text = {};
	struct source *s = NULL;
	const char *name = NULL;
	int r;

	*ret = NULL;
	if (!key)
		return 0;
	r = read_name(g, from, key, "extends", &name);
	if (r == 0)
		r = read_named(g, from, key, name, &text);
	if (r == 0)
		r = check_chain(g, from, key, text.file);
	if (r == 0)
		r = add_source(g, from, &text, key, &s);
	if (r < 0)
		return r;
	s->layer = from->layer + 1;
	*ret = s;
	return 0;
}

int source_gather(const struct policy_load *load, const struct loader *l, struct arena *nodes,
		  struct source **ret)
{
	struct gatherer g = {.load = load, .l = l, .nodes = nodes};
	const struct policy_text text = {.file = load->file, .text = load->text};
	struct source *s = NULL;
	int r;

	g.tail = &g.first;
	r = add_source(&g, NULL, &text, NULL, &s);
	while (r == 0 && s) {
		struct source *base = NULL;

		r = gather_layer(&g, s);
		if (r == 0)
			r = gather_base(&g, s, &base);
		s = base;
	}
	if (r == 0)
		*ret = g.first;
	return r;
}
