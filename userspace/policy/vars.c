/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strbuf.h"

#include "policy/vars.h"

#define NAME_MAX_BYTES  64
#define VALUE_MAX_BYTES GLOB_MAX_BYTES
/* Several variables in one pattern; what is too long is then refused by the pattern. */
#define TEXT_MAX_BYTES ((size_t)64 * 1024)

enum quoting {
	QUOTE_NONE,
	QUOTE_GLOB,
	QUOTE_REGEX,
	QUOTE_TOOL, /* a regular expression after '~', else a glob */
	/* Likewise, but a directory at its start tells that it is a path and must stay. */
	QUOTE_ARGUMENT,
};

enum unknown {
	UNKNOWN_FAILS,
	UNKNOWN_STAYS,
};

static const char *const builtin_names[] = {"home", "project", "tmp"};

static const char *builtin_value(const struct loader *l, size_t i)
{
	const char *const values[ARRAY_SIZE(builtin_names)] = {l->vars ? l->vars->home : NULL,
							       l->vars ? l->vars->project : NULL,
							       l->vars ? l->vars->tmp : NULL};

	return values[i];
}

static const struct var *find(const struct loader *l, struct bytes name)
{
	for (const struct var *v = l->scope ? l->scope->first : NULL; v; v = v->next)
		if (bytes_eq(v->name, name))
			return v;
	return NULL;
}

/* Return: the index in builtin_names, or their number. */
static size_t find_builtin(struct bytes name)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(builtin_names) && !bytes_eq_str(name, builtin_names[i]))
		i++;
	return i;
}

static void add_quoted(struct strbuf *out, struct bytes value, enum quoting quoting)
{
	const char *special = quoting == QUOTE_GLOB    ? "*?[]{}\\,~$!^-"
			      : quoting == QUOTE_REGEX ? "\\^$.|?*+()[]{}-# \t"
						       : "";

	for (size_t i = 0; i < value.len; i++) {
		if (strchr(special, value.p[i]))
			strbuf_add_char(out, '\\');
		strbuf_add_char(out, value.p[i]);
	}
}

/* Without the slash at its end, so that "${home}/x" has one even where home is the root. */
static struct bytes directory_of(const char *path)
{
	struct bytes s = bytes_of(path);

	while (s.len && s.p[s.len - 1] == '/')
		s.len--;
	return s;
}

static int fail_unknown(const struct loader *l, const struct node *n, struct bytes name)
{
	_cleanup_(strbuf_fini) struct strbuf known = STRBUF_INIT(512);
	const char *words[ARRAY_SIZE(builtin_names) + VARS_MAX];
	const char *nearest;
	size_t count = 0;

	for (; count < ARRAY_SIZE(builtin_names); count++)
		words[count] = builtin_names[count];
	for (const struct var *v = l->scope ? l->scope->first : NULL; v; v = v->next)
		words[count++] = v->name.p;
	nearest = schema_nearest(name, words, count);
	if (nearest)
		return loader_fail(l, n, "unknown variable '${%.*s}'; did you mean '${%s}'?",
				   (int)MIN(name.len, (size_t)NAME_MAX_BYTES), name.p, nearest);
	for (size_t i = 0; i < count; i++)
		strbuf_add_fmt(&known, "%s${%s}", i ? ", " : "", words[i]);
	return loader_fail(
		l, n,
		"unknown variable '${%.*s}'; there are %s; define others with 'vars', or "
		"write \\${ for the characters themselves",
		(int)MIN(name.len, (size_t)NAME_MAX_BYTES), name.p, strbuf_str(&known));
}

static bool is_name_byte(char c, bool is_first)
{
	return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (!is_first && c >= '0' && c <= '9');
}

/* Return: the length of "${name}" at the start of @s, and the name; 0: there is none. */
static size_t read_reference(struct bytes s, struct bytes *ret)
{
	size_t i = 2;

	if (s.len < 4 || s.p[0] != '$' || s.p[1] != '{')
		return 0;
	while (i < s.len && is_name_byte(s.p[i], i == 2))
		i++;
	if (i == 2 || i == s.len || s.p[i] != '}')
		return 0;
	*ret = (struct bytes){.p = s.p + 2, .len = i - 2};
	return i + 1;
}

static struct bytes rest_of(struct bytes s, size_t at)
{
	return (struct bytes){.p = s.p + at, .len = s.len - at};
}

/*
 * A built-in one is a directory. In a glob it must come first and be a whole component; the glob
 * compiler has the words for where it does not, so there it is left alone.
 */
static int add_builtin(const struct loader *l, const struct node *n, size_t index, bool is_place,
		       enum quoting quoting, struct strbuf *out)
{
	const char *value = builtin_value(l, index);

	if (quoting == QUOTE_GLOB && (!is_place || !value || value[0] != '/'))
		return -ENOENT;
	if (!value)
		return loader_fail(l, n, "'${%s}' has no value here; write the path out",
				   builtin_names[index]);
	add_quoted(out, directory_of(value), quoting);
	return 0;
}

/* Return: bytes of @text from @at that were replaced in @out, 0: none, negative: an error. */
static int add_reference(const struct loader *l, const struct node *n, struct bytes text, size_t at,
			 enum quoting quoting, enum unknown unknown, struct strbuf *out)
{
	struct bytes name = {};
	size_t len = read_reference(rest_of(text, at), &name), builtin;
	const struct var *v;
	bool is_place;
	int r;

	if (len == 0)
		return 0;
	v = find(l, name);
	if (v) {
		add_quoted(out, v->value, quoting);
		return (int)len;
	}
	builtin = find_builtin(name);
	if (builtin == ARRAY_SIZE(builtin_names))
		return unknown == UNKNOWN_FAILS ? fail_unknown(l, n, name) : 0;
	is_place = at == 0 && (len == text.len || text.p[len] == '/');
	r = add_builtin(l, n, builtin, is_place, quoting, out);
	/* The root directory alone. */
	if (r == 0 && out->len == 0 && len == text.len)
		strbuf_add_char(out, '/');
	return r == 0 ? (int)len : r == -ENOENT ? 0 : r;
}

/* Return: whether @text begins with a '~' that means the home directory. */
static bool has_tilde(struct bytes text)
{
	return text.len && text.p[0] == '~' && (text.len == 1 || text.p[1] == '/');
}

/* What a backslash escapes. In a glob the braces of "\${name}" are to mean themselves, too. */
static size_t add_escape(struct bytes text, size_t at, enum quoting quoting, struct strbuf *out)
{
	struct bytes name = {};
	size_t len = read_reference(rest_of(text, at + 1), &name);

	if (len && quoting == QUOTE_GLOB) {
		add_quoted(out, rest_of((struct bytes){.p = text.p, .len = at + 1 + len}, at + 1),
			   quoting);
		return len + 1;
	}
	strbuf_add(out, text.p + at, 2);
	return 2;
}

static int expand(const struct loader *l, const struct node *n, struct bytes text,
		  enum quoting quoting, enum unknown unknown, struct strbuf *out)
{
	size_t i = 0;

	if (quoting != QUOTE_REGEX && has_tilde(text)) {
		int r = add_builtin(l, n, 0, true, quoting, out);

		if (r < 0 && r != -ENOENT)
			return r;
		if (r == 0 && out->len == 0 && text.len == 1)
			strbuf_add_char(out, '/');
		i = r == 0;
	}
	while (i < text.len) {
		int r;

		if (text.p[i] == '\\' && quoting != QUOTE_NONE && i + 1 < text.len) {
			i += add_escape(text, i, quoting, out);
			continue;
		}
		r = add_reference(l, n, text, i, quoting, unknown, out);
		if (r < 0)
			return r;
		if (r == 0)
			strbuf_add_char(out, text.p[i]);
		i += r > 0 ? (size_t)r : 1;
	}
	return 0;
}

/* As expand(), into @mem. @text stays as it is when it has nothing to replace. */
static int expand_into(const struct loader *l, const struct node *n, struct bytes text,
		       enum quoting quoting, enum unknown unknown, struct arena *mem,
		       struct bytes *ret)
{
	_cleanup_(strbuf_fini) struct strbuf out = STRBUF_INIT(TEXT_MAX_BYTES);
	int r;

	*ret = text;
	if (!memmem(text.p, text.len, "${", 2) && (quoting == QUOTE_REGEX || !has_tilde(text)))
		return 0;
	r = expand(l, n, text, quoting, unknown, &out);
	if (r < 0)
		return r;
	if (strbuf_error(&out) == -EMSGSIZE)
		return loader_fail(l, n,
				   "this is longer than %zu bytes once its variables are "
				   "replaced",
				   TEXT_MAX_BYTES);
	/* A few bytes may stand for many, and a document has many of those. */
	if (l->scope) {
		l->scope->n_expanded += out.len;
		if (l->scope->n_expanded > POLICY_MAX_BYTES)
			return loader_fail(l, n,
					   "the variables make this policy larger than %zu MiB",
					   POLICY_MAX_BYTES / 1024 / 1024);
	}
	*ret = arena_copy(mem, strbuf_str(&out), out.len);
	return ret->p ? strbuf_error(&out) : -ENOMEM;
}

int vars_expand_place(const struct loader *l, const struct node *n, struct bytes text,
		      struct bytes *ret)
{
	return expand_into(l, n, text, QUOTE_NONE, UNKNOWN_FAILS, &l->policy->mem, ret);
}

int vars_expand_text(const struct loader *l, const struct node *n, struct bytes text,
		     struct bytes *ret)
{
	return expand_into(l, n, text, QUOTE_NONE, UNKNOWN_STAYS, &l->policy->mem, ret);
}

/* ---- vars */

static int check_name(const struct loader *l, const struct node *key)
{
	if (key->type != NODE_SCALAR)
		return loader_fail(l, key, "expected a variable's name, found %s",
				   node_describe(key));
	for (size_t i = 0; i < key->text.len; i++)
		if (!is_name_byte(key->text.p[i], i == 0))
			return loader_fail(l, key,
					   "a variable's name is made of letters, digits and '_', "
					   "a letter first; '%.60s' is not",
					   key->text.p);
	if (key->text.len == 0 || key->text.len > NAME_MAX_BYTES)
		return loader_fail(l, key, "a variable's name has from 1 to %d bytes",
				   NAME_MAX_BYTES);
	if (find_builtin(key->text) < ARRAY_SIZE(builtin_names))
		return loader_fail(l, key,
				   "'%s' is what Holdfast itself defines; choose another name",
				   key->text.p);
	return 0;
}

static int read_value(const struct loader *l, const struct node *key, struct arena *mem,
		      struct bytes *ret)
{
	const struct node *n = key->next;
	struct bytes s = {};
	int r = schema_string(l, n, key->text.p, &s);

	if (r == 0)
		r = expand_into(l, n, s, QUOTE_NONE, UNKNOWN_FAILS, mem, ret);
	if (r == 0 && ret->len > VALUE_MAX_BYTES)
		r = loader_fail(l, n, "a variable has at most %d bytes", VALUE_MAX_BYTES);
	return r;
}

static int add_var(const struct loader *l, const struct node *key, bool is_fragment,
		   struct vars *vars)
{
	const struct var *known;
	struct bytes value = {};
	struct var *v, **tail = &vars->first;
	int r = check_name(l, key);

	if (r == 0)
		r = read_value(l, key, vars->mem, &value);
	if (r < 0)
		return r;
	known = find(l, key->text);
	if (known && streq(known->file, l->file))
		return loader_fail(l, key, "the variable '%s' stands twice, first on line %u",
				   key->text.p, known->line);
	if (known && (!known->is_fragment || bytes_eq(known->value, value)))
		return 0;
	if (known)
		return loader_fail(l, key,
				   "the variable '%s' has another value at %.200s:%u; say in the "
				   "document itself which counts",
				   key->text.p, known->file, known->line);
	if (++vars->n > VARS_MAX)
		return loader_fail(l, key, "more than %d variables", VARS_MAX);
	v = arena_alloc(vars->mem, sizeof(*v));
	if (!v)
		return -ENOMEM;
	*v = (struct var){.name = key->text,
			  .value = value,
			  .file = l->file,
			  .line = key->line,
			  .is_fragment = is_fragment};
	while (*tail)
		tail = &(*tail)->next;
	*tail = v;
	return 0;
}

int vars_add(const struct loader *l, const struct node *n, bool is_fragment, struct vars *vars)
{
	int r = 0;

	if (n->type != NODE_MAP)
		return loader_fail(l, n, "'vars' must be a map such as {name: text}, found %s",
				   node_describe(n));
	if (n->n == 0)
		return loader_fail(l, n, "'vars' is empty; remove it, or define one");
	for (const struct node *key = n->first; r == 0 && key; key = key->next->next)
		r = add_var(l, key, is_fragment, vars);
	return r;
}

/* ---- patterns */

static const struct {
	const char *key;
	enum quoting quoting;
} pattern_keys[] = {
	{"args_pattern", QUOTE_REGEX}, {"path", QUOTE_GLOB},   {"cwd", QUOTE_GLOB},
	{"tool", QUOTE_TOOL},          {"parent", QUOTE_TOOL}, {"agent", QUOTE_GLOB},
	{"argv", QUOTE_ARGUMENT},
};

/* What is no pattern is read as it stands once it is replaced, and checked as ever. */
static enum quoting quoting_of(const struct node *key)
{
	for (size_t i = 0; key->type == NODE_SCALAR && i < ARRAY_SIZE(pattern_keys); i++)
		if (bytes_eq_str(key->text, pattern_keys[i].key))
			return pattern_keys[i].quoting;
	return QUOTE_NONE;
}

static bool begins_with_directory(struct bytes text)
{
	struct bytes name = {};

	return has_tilde(text) ||
	       (read_reference(text, &name) && find_builtin(name) < ARRAY_SIZE(builtin_names));
}

/* Replaces what comes after the directory. */
static int expand_argument(const struct loader *l, struct node *n)
{
	const char *slash = memchr(n->text.p, '/', n->text.len);
	_cleanup_(strbuf_fini) struct strbuf out = STRBUF_INIT(TEXT_MAX_BYTES);
	struct bytes rest = {};
	int r;

	if (!slash)
		return 0;
	r = expand_into(l, n, rest_of(n->text, (size_t)(slash - n->text.p)), QUOTE_GLOB,
			UNKNOWN_FAILS, l->scope->mem, &rest);
	if (r < 0)
		return r;
	strbuf_add(&out, n->text.p, (size_t)(slash - n->text.p));
	strbuf_add_bytes(&out, rest);
	n->text = arena_copy(l->scope->mem, strbuf_str(&out), out.len);
	return n->text.p ? strbuf_error(&out) : -ENOMEM;
}

static int expand_scalar(const struct loader *l, struct node *n, enum quoting quoting)
{
	if (quoting == QUOTE_ARGUMENT && begins_with_directory(n->text))
		return expand_argument(l, n);
	if (quoting == QUOTE_TOOL || quoting == QUOTE_ARGUMENT)
		quoting = n->text.len && n->text.p[0] == '~' && !has_tilde(n->text) ? QUOTE_REGEX
										    : QUOTE_GLOB;
	/* Only a path begins at home. */
	if (quoting == QUOTE_NONE && has_tilde(n->text))
		return 0;
	return expand_into(l, n, n->text, quoting, UNKNOWN_FAILS, l->scope->mem, &n->text);
}

static int expand_node(const struct loader *l, struct node *n, enum quoting quoting)
{
	int r = 0;

	switch (n->type) {
	case NODE_SCALAR:
		return expand_scalar(l, n, quoting);
	case NODE_LIST:
		for (struct node *item = n->first; r == 0 && item; item = item->next)
			r = expand_node(l, item, quoting);
		return r;
	case NODE_MAP:
		for (struct node *key = n->first; r == 0 && key; key = key->next->next)
			r = expand_node(l, key->next, quoting_of(key));
		return r;
	}
	return -EINVAL;
}

int vars_expand_match(const struct loader *l, struct node *match)
{
	return expand_node(l, match, QUOTE_NONE);
}
