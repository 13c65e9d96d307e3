/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths as a tree of names, in which what is random is a wildcard from the start. Of many names in
 * one directory comes a pattern for them all, but only in places where that gives away nothing: in
 * the project, in directories of temporary files, and deep in others. Reading, changing and
 * starting are counted and generalised apart from each other.
 */
#include "policy/secrets.h"

#include "cli/learn_private.h"

static const char *const root_names[] = {
	[LEARN_PROJECT] = "${project}",
	[LEARN_TMP] = "${tmp}",
	[LEARN_HOME] = "~",
	[LEARN_SYSTEM] = "",
	[LEARN_ABSTRACT] = "",
};

struct bytes learn_keep(struct learn *l, const struct strbuf *text)
{
	if (strbuf_error(text))
		return BYTES_NULL;
	return arena_copy(&l->mem, strbuf_str(text), text->len);
}

/* ---- roots */

int learn_init_paths(struct learn *l)
{
	const char *const paths[] = {[LEARN_PROJECT] = l->config.vars.project,
				     [LEARN_TMP] = l->config.vars.tmp,
				     [LEARN_HOME] = l->config.vars.home,
				     [LEARN_SYSTEM] = "",
				     [LEARN_ABSTRACT] = NULL};

	for (unsigned int i = 0; i < _LEARN_ROOT_MAX; i++) {
		struct learn_node *n = arena_alloc(&l->mem, sizeof(*n));

		if (!n)
			return -ENOMEM;
		*n = (struct learn_node){.name = bytes_of(root_names[i]),
					 .root = (enum learn_root)i};
		l->roots[i] = n;
		/* The root directory would take in everything. */
		l->root_paths[i] =
			paths[i] && !streq(paths[i], "/") ? bytes_of(paths[i]) : BYTES_NULL;
	}
	return 0;
}

static bool is_below(struct bytes path, struct bytes dir)
{
	return bytes_has_prefix(path, dir) && (path.len == dir.len || path.p[dir.len] == '/');
}

/* The longest of those that @path lies in. */
static enum learn_root root_of(const struct learn *l, struct bytes path, struct bytes *ret_rest)
{
	enum learn_root best = LEARN_SYSTEM;

	*ret_rest = path;
	if (path.p[0] != '/')
		return LEARN_ABSTRACT;
	for (unsigned int i = 0; i < LEARN_SYSTEM; i++)
		if (l->root_paths[i].p && is_below(path, l->root_paths[i]) &&
		    l->root_paths[i].len > l->root_paths[best].len)
			best = (enum learn_root)i;
	ret_rest->p += l->root_paths[best].len;
	ret_rest->len -= l->root_paths[best].len;
	return best;
}

/* ---- components */

static bool is_number(struct bytes s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return s.len > 0;
}

/* A directory whose entries are called by the first bytes of a hash: git's objects, caches. */
static bool is_fan_out(const struct learn_node *dir, struct bytes name)
{
	static const char *const parents[] = {"objects", "sha1", "sha256", "sha512"};

	if (name.len != 2 || strspn(name.p, "0123456789abcdef") < 2)
		return false;
	if (dir->is_wild && dir->parent && bytes_eq_str(dir->name, "*"))
		dir = dir->parent;
	for (size_t i = 0; i < ARRAY_SIZE(parents); i++)
		if (bytes_eq_str(dir->name, parents[i]))
			return true;
	return false;
}

/* Numbers in the kernel's trees are processes, threads, descriptors, devices. */
static bool is_kernel_number(const struct learn_node *dir, struct bytes name)
{
	const struct learn_node *top = dir;

	if (dir->root != LEARN_SYSTEM || !is_number(name))
		return false;
	while (top->depth > 1)
		top = top->parent;
	return bytes_eq_str(top->name, "proc") ||
	       (bytes_eq_str(top->name, "dev") && bytes_eq_str(dir->name, "pts"));
}

static bool is_scratch(const struct learn_node *dir)
{
	static const char *const scratch[] = {"tmp", "shm"};

	if (dir->root == LEARN_TMP)
		return true;
	for (size_t i = 0; dir->root == LEARN_SYSTEM && i < ARRAY_SIZE(scratch); i++)
		if (bytes_eq_str(dir->name, scratch[i]))
			return true;
	return false;
}

static bool add_component(const struct learn *l, struct strbuf *out, const struct learn_node *dir,
			  struct bytes name)
{
	if (is_kernel_number(dir, name) || is_fan_out(dir, name)) {
		strbuf_add_char(out, '*');
		return true;
	}
	return learn_add_name(out, name, &l->pids, is_scratch(dir));
}

int learn_child(struct learn *l, struct learn_node *dir, struct bytes name, bool is_wild,
		struct learn_node **ret)
{
	struct learn_node *n = learn_map_find(&l->nodes, dir, name);
	int r;

	*ret = n;
	if (n || l->n_nodes == LEARN_MAX_NODES)
		return 0;
	n = arena_alloc(&l->mem, sizeof(*n));
	if (!n)
		return -ENOMEM;
	*n = (struct learn_node){.parent = dir,
				 .next = dir->first,
				 .name = arena_copy(&l->mem, name.p, name.len),
				 .depth = dir->depth + 1,
				 .root = dir->root,
				 .is_wild = is_wild};
	r = n->name.p ? learn_map_add(&l->nodes, &l->mem, dir, name, n) : -ENOMEM;
	if (r < 0)
		return r;
	dir->first = n;
	l->n_nodes++;
	*ret = n;
	return 0;
}

/* Goes down from the root of @path as far as there is room. *ret_rest: what is left of the path. */
static int descend(struct learn *l, struct bytes path, struct learn_node **ret,
		   struct bytes *ret_rest)
{
	struct strbuf name = STRBUF_INIT(LEARN_PATTERN_MAX);
	struct bytes rest;
	struct learn_node *n = l->roots[root_of(l, path, &rest)];
	int r = 0;

	while (rest.len) {
		struct learn_node *child = NULL;
		struct bytes part = rest;
		const char *slash;
		bool is_wild;

		if (n->root != LEARN_ABSTRACT) {
			while (part.len && part.p[0] == '/') {
				part.p++;
				part.len--;
			}
			if (!part.len)
				break;
			slash = memchr(part.p, '/', part.len);
			part.len = slash ? (size_t)(slash - part.p) : part.len;
		}
		strbuf_reset(&name);
		is_wild = add_component(l, &name, n, part);
		r = strbuf_error(&name);
		if (r == 0)
			r = learn_child(l, n, strbuf_bytes(&name), is_wild, &child);
		if (r < 0 || !child)
			break;
		n = child;
		rest.len -= (size_t)(part.p + part.len - rest.p);
		rest.p = part.p + part.len;
	}
	strbuf_fini(&name);
	*ret = n;
	*ret_rest = rest;
	return r;
}

int learn_find_node(struct learn *l, struct bytes path, struct learn_node **ret)
{
	struct bytes rest;
	int r = descend(l, path, ret, &rest);

	if (r == 0 && rest.len)
		*ret = NULL;
	return r;
}

void learn_add_pattern(struct strbuf *out, const struct learn_node *n)
{
	if (!n->parent) {
		strbuf_add_bytes(out, n->name);
		return;
	}
	learn_add_pattern(out, n->parent);
	if (n->root != LEARN_ABSTRACT)
		strbuf_add_char(out, '/');
	strbuf_add_bytes(out, n->name);
}

void learn_add_path(const struct learn *l, struct strbuf *out, struct bytes path)
{
	struct bytes rest;
	enum learn_root root = root_of(l, path, &rest);

	strbuf_add_str(out, root_names[root]);
	learn_add_literal(out, rest);
}

/* ---- secrets */

static int add_secret(struct learn *l, struct bytes path, uint32_t ops)
{
	struct learn_secret *s = learn_map_find(&l->secrets, NULL, path);
	int r;

	if (!s && l->n_secrets == LEARN_MAX_SECRETS) {
		l->result.n_dropped++;
		return 0;
	}
	if (!s) {
		s = arena_alloc(&l->mem, sizeof(*s));
		if (!s)
			return -ENOMEM;
		*s = (struct learn_secret){.path = arena_copy(&l->mem, path.p, path.len)};
		r = s->path.p ? learn_map_add(&l->secrets, &l->mem, NULL, path, s) : -ENOMEM;
		if (r < 0)
			return r;
		l->secret_list[l->n_secrets++] = s;
	}
	s->ops |= ops;
	s->count++;
	return 0;
}

/* Return: the row of policy_secrets that decides on @path; policy_secrets_count: none. */
static size_t secret_row(const struct learn *l, struct bytes path, uint32_t ops)
{
	for (size_t i = 0; i < policy_secrets_count; i++) {
		if (policy_secrets[i].is_public && ops != OP_BIT(OP_READ))
			continue;
		for (const struct glob *g = l->secret_globs[i]; g; g = g->next)
			if (glob_match(g, path))
				return i;
	}
	return policy_secrets_count;
}

/* ---- taking in */

bool learn_is_widenable(const struct learn_node *n, uint32_t class)
{
	static const char *const closed[] = {"etc",  "dev",  "proc",  "sys",   "boot",
					     "run",  "usr",  "lib",   "bin",   "sbin",
					     "home", "root", "lib64", "lib32", "libx32"};
	const struct learn_node *top = n;

	while (top->depth > 1)
		top = top->parent;
	switch (n->root) {
	case LEARN_PROJECT:
		return class != OP_BIT(OP_EXEC) || n->depth > 0;
	case LEARN_TMP:
		return n->depth >= 1;
	case LEARN_HOME:
		if (n->depth == 1)
			return bytes_eq_str(n->name, ".cache");
		return n->depth > 1 && !(n->depth == 2 && bytes_eq_str(top->name, ".local"));
	case LEARN_SYSTEM:
		for (size_t i = 0; n->depth && i < ARRAY_SIZE(closed); i++)
			if (bytes_eq_str(top->name, closed[i]))
				return false;
		return n->depth >= (is_scratch(top) ? 2 : 3);
	case LEARN_ABSTRACT:
	case _LEARN_ROOT_MAX:
		break;
	}
	return false;
}

/* What every program reads and nobody but the system changes. */
static bool is_system_tree(const struct learn_node *n)
{
	static const char *const trees[] = {"usr",    "lib", "lib64", "lib32",
					    "libx32", "bin", "sbin"};

	if (n->root != LEARN_SYSTEM || n->depth == 0)
		return false;
	while (n->depth > 1)
		n = n->parent;
	for (size_t i = 0; i < ARRAY_SIZE(trees); i++)
		if (bytes_eq_str(n->name, trees[i]))
			return true;
	return false;
}

static int note(struct learn *l, struct learn_node *n, struct bytes rest, struct bytes path,
		uint32_t ops)
{
	bool is_tree = rest.len > 0;

	if (ops == OP_BIT(OP_READ) && is_system_tree(n)) {
		while (n->depth > 1)
			n = n->parent;
		is_tree = true;
	} else if (is_tree && !learn_is_widenable(n, ops & OPS_CHANGE ? OPS_CHANGE : ops)) {
		l->result.n_dropped++;
		return 0;
	}
	if (is_tree) {
		n->tree_ops |= ops;
		n->tree_count++;
	} else {
		n->ops |= ops;
		n->count++;
	}
	if (!n->example.p) {
		n->example = arena_copy(&l->mem, path.p, path.len);
		if (!n->example.p)
			return -ENOMEM;
	}
	return 0;
}

/* Where a path has led, so that one that is used a million times is looked at once. */
struct known {
	struct learn_node *node; /* NULL: a secret */
	struct bytes rest;
};

static int look_up(struct learn *l, struct bytes path, uint32_t ops, struct known *ret)
{
	/* Exceptions are for reading only. */
	const void *scope = ops == OP_BIT(OP_READ) ? &l->public_uses : NULL;
	struct known *k = learn_map_find(&l->known_paths, scope, path);
	size_t row;
	int r = 0;

	if (k) {
		*ret = *k;
		return 0;
	}
	row = ops & OP_BIT(OP_EXEC) ? policy_secrets_count : secret_row(l, path, ops);
	*ret = (struct known){};
	if (row < policy_secrets_count && policy_secrets[row].is_public)
		l->public_uses[row]++;
	if (row == policy_secrets_count || policy_secrets[row].is_public)
		r = descend(l, path, &ret->node, &ret->rest);
	if (r < 0 || ops & OP_BIT(OP_EXEC) || l->known_paths.n >= LEARN_MAX_NODES)
		return r;
	k = arena_alloc(&l->mem, sizeof(*k));
	if (!k)
		return -ENOMEM;
	*k = *ret;
	k->rest.p = NULL; /* of the caller's path; only whether there is one counts */
	return learn_map_add(&l->known_paths, &l->mem, scope, path, k);
}

int learn_path(struct learn *l, struct bytes path, uint32_t ops)
{
	struct known k;
	int r;

	/* The log keeps no more of a name than this: what was cut off is not known. */
	if (path.len == 0 || path.len > GLOB_MAX_BYTES / 2 ||
	    (path.p[0] != '/' && path.p[0] != '@')) {
		l->result.n_dropped++;
		return 0;
	}
	r = look_up(l, path, ops, &k);
	if (r < 0)
		return r;
	return k.node ? note(l, k.node, k.rest, path, ops) : add_secret(l, path, ops);
}
