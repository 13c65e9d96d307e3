/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the text of a glob to its tokens: braces first, as a shell does it, then variables at the
 * start, then the wildcards. What a variable stands for is literal, whatever bytes it holds.
 */
#include <stdio.h>

#include "base/strbuf.h"

#include "policy/glob.h"

struct compiler {
	struct arena *mem;
	enum glob_kind kind;
	const struct policy_vars *vars;
	char *why;
	struct glob **tail;
	size_t n_globs;
};

/* One alternative being read. */
struct reader {
	struct compiler *c;
	struct bytes in;
	size_t at;
	size_t n;
	struct glob_class *classes;
	size_t n_classes;
	struct glob_token
		out[GLOB_MAX_BYTES]; /* the first n are set; not worth clearing for each pattern */
};

#define fail(c, ...) ((void)snprintf((c)->why, GLOB_WHY_SIZE, __VA_ARGS__), -EINVAL)

/* Where the class that opens at @at ends (its ']'), or @in.len. */
static size_t class_end(struct bytes in, size_t at)
{
	size_t i = at + 1;

	if (i < in.len && (in.p[i] == '!' || in.p[i] == '^'))
		i++;
	if (i < in.len && in.p[i] == ']')
		i++;
	for (; i < in.len && in.p[i] != ']'; i++)
		if (in.p[i] == '\\')
			i++;
	return MIN(i, in.len);
}

/* Steps over what braces inside it do not count in: an escape, a class, a variable. */
static size_t skip_one(struct bytes in, size_t i)
{
	if (in.p[i] == '\\')
		return i + 2;
	if (in.p[i] == '[')
		return class_end(in, i) + 1;
	if (in.p[i] == '$' && i + 1 < in.len && in.p[i + 1] == '{') {
		const char *close = memchr(in.p + i, '}', in.len - i);

		return close ? (size_t)(close - in.p) + 1 : in.len;
	}
	return i + 1;
}

/* Return: the '}' of the '{' at @open, or in.len; *ret_comma: the first ',' of that group, or the
 * '}'. */
static size_t brace_end(struct bytes in, size_t open)
{
	size_t depth = 0;

	for (size_t i = open; i < in.len; i = skip_one(in, i)) {
		if (in.p[i] == '{')
			depth++;
		else if (in.p[i] == '}' && --depth == 0)
			return i;
	}
	return in.len;
}

static size_t alternative_end(struct bytes in, size_t at, size_t close)
{
	size_t depth = 0;

	for (size_t i = at; i < close; i = skip_one(in, i)) {
		if (in.p[i] == '{')
			depth++;
		else if (in.p[i] == '}')
			depth--;
		else if (in.p[i] == ',' && depth == 0)
			return i;
	}
	return close;
}

static int put(struct reader *r, enum glob_token_type type, unsigned char literal, size_t class)
{
	if (r->n == GLOB_MAX_BYTES)
		return fail(r->c, "the pattern is longer than %d bytes", GLOB_MAX_BYTES);
	r->out[r->n++] = (struct glob_token){
		.type = (uint8_t)type, .literal = literal, .class = (uint16_t) class};
	return 0;
}

static bool last_is(const struct reader *r, enum glob_token_type type)
{
	return r->n && r->out[r->n - 1].type == type;
}

static bool last_is_slash(const struct reader *r)
{
	return last_is(r, GLOB_LITERAL) && r->out[r->n - 1].literal == '/';
}

/* Reads one end of a range. */
static int read_class_byte(struct reader *r, size_t end, unsigned char *ret)
{
	unsigned char c = (unsigned char)r->in.p[r->at];

	if (c == '[' && r->at + 1 < end && strchr(":.=", r->in.p[r->at + 1]))
		return fail(r->c, "[[:name:]] is not supported; write a range such as [a-z]");
	if (c == '\\' && r->at + 1 < end)
		c = (unsigned char)r->in.p[++r->at];
	if (c >= 0x80)
		return fail(r->c, "[...] matches one byte and cannot hold other than ASCII; "
				  "write alternatives in braces");
	if (c == '/' && r->c->kind == GLOB_PATH)
		return fail(r->c, "[...] never matches '/'");
	r->at++;
	*ret = c;
	return 0;
}

static int read_class_members(struct reader *r, size_t end, struct glob_class *class)
{
	while (r->at < end) {
		unsigned char low, high;
		int e = read_class_byte(r, end, &low);

		if (e < 0)
			return e;
		high = low;
		if (r->at + 1 < end && r->in.p[r->at] == '-') {
			r->at++;
			e = read_class_byte(r, end, &high);
			if (e < 0)
				return e;
		}
		if (high < low)
			return fail(r->c, "the range %c-%c is the wrong way round", low, high);
		for (unsigned int c = low; c <= high; c++)
			class->bits[c / 64] |= UINT64_C(1) << (c % 64);
	}
	return 0;
}

static int read_class(struct reader *r)
{
	size_t end = class_end(r->in, r->at);
	struct glob_class class = {};
	bool is_negated = false;
	int e;

	if (end == r->in.len)
		return fail(r->c, "'[' has no ']'; a literal one is written \\[");
	r->at++;
	if (r->in.p[r->at] == '!' || r->in.p[r->at] == '^') {
		is_negated = true;
		r->at++;
	}
	e = read_class_members(r, end, &class);
	if (e < 0)
		return e;
	r->at = end + 1;
	for (size_t i = 0; is_negated && i < ARRAY_SIZE(class.bits); i++)
		class.bits[i] = ~class.bits[i];
	if (r->c->kind == GLOB_PATH)
		class.bits['/' / 64] &= ~(UINT64_C(1) << ('/' % 64));
	if (r->n_classes % 16 == 0) {
		struct glob_class *grown =
			arena_alloc(r->c->mem, (r->n_classes + 16) * sizeof(class));

		if (!grown)
			return -ENOMEM;
		if (r->n_classes)
			memcpy(grown, r->classes, r->n_classes * sizeof(class));
		r->classes = grown;
	}
	r->classes[r->n_classes] = class;
	return put(r, GLOB_CLASS, 0, r->n_classes++);
}

/* What no resolved path has can never match: say so now. */
static int check_component(struct reader *r)
{
	struct bytes rest = {.p = r->in.p + r->at, .len = r->in.len - r->at};
	const char *slash = rest.len ? memchr(rest.p, '/', rest.len) : NULL;
	size_t len = slash ? (size_t)(slash - rest.p) : rest.len;

	if (len == 0 && r->at < r->in.len)
		return fail(r->c, "'//' never occurs in a resolved path");
	if (len == 0 && r->n > 1)
		return fail(r->c, "a resolved path never ends in '/'; for a directory and what is "
				  "below it end the pattern in '/**'");
	if ((len == 1 && rest.p[0] == '.') || (len == 2 && rest.p[0] == '.' && rest.p[1] == '.'))
		return fail(r->c, "'.' and '..' never occur in a resolved path");
	return 0;
}

/* A '**' that is a whole component of a path. */
static int put_component_stars(struct reader *r, bool is_at_start, bool is_at_end)
{
	if (is_at_start && is_at_end)
		return put(r, GLOB_DOUBLE_STAR, 0, 0);
	if (!is_at_end) {
		int e = is_at_start ? put(r, GLOB_LITERAL, '/', 0) : 0;

		r->at++; /* the '/' that follows belongs to the token */
		if (e == 0 && !last_is(r, GLOB_DIRS))
			e = put(r, GLOB_DIRS, 0, 0);
		return e == 0 ? check_component(r) : e;
	}
	if (last_is(r, GLOB_DIRS))
		r->n--;
	r->n--; /* the '/' before it is the tree's */
	return put(r, GLOB_TREE, 0, 0);
}

static int read_stars(struct reader *r)
{
	size_t begin = r->at;
	bool opens, closes;

	while (r->at < r->in.len && r->in.p[r->at] == '*')
		r->at++;
	if (r->c->kind == GLOB_NAME)
		return put(r, GLOB_DOUBLE_STAR, 0, 0);
	if (r->at - begin == 1)
		return put(r, GLOB_STAR, 0, 0);
	opens = begin == 0 || last_is_slash(r) || last_is(r, GLOB_DIRS);
	closes = r->at == r->in.len || r->in.p[r->at] == '/';
	if (opens && closes)
		return put_component_stars(r, begin == 0, r->at == r->in.len);
	return put(r, GLOB_DOUBLE_STAR, 0, 0);
}

static int read_token(struct reader *r)
{
	unsigned char c = (unsigned char)r->in.p[r->at];
	int e;

	switch (c) {
	case '*':
		return read_stars(r);
	case '?':
		r->at++;
		return put(r, r->c->kind == GLOB_NAME ? GLOB_ANY_BYTE : GLOB_ANY_IN_NAME, 0, 0);
	case '[':
		return read_class(r);
	case '\\':
		if (r->at + 1 == r->in.len)
			return fail(r->c, "the pattern ends in a lone backslash");
		c = (unsigned char)r->in.p[r->at + 1];
		r->at += 2;
		return put(r, GLOB_LITERAL, c, 0);
	case '$':
		if (r->at + 1 < r->in.len && r->in.p[r->at + 1] == '{')
			return fail(r->c, "a variable stands for an absolute path and must come "
					  "first; a literal '${' is written \\${");
		break;
	default:
		break;
	}
	r->at++;
	e = put(r, GLOB_LITERAL, c, 0);
	if (e == 0 && c == '/' && r->c->kind == GLOB_PATH)
		e = check_component(r);
	return e;
}

static int put_variable(struct reader *r, const char *name, const char *value)
{
	size_t len;

	if (!value || value[0] != '/')
		return fail(r->c, "'%s' has no value here; write the path out", name);
	if (r->at < r->in.len && r->in.p[r->at] != '/')
		return fail(r->c, "'%s' must be followed by '/' or nothing", name);
	len = strlen(value);
	while (len && value[len - 1] == '/')
		len--;
	for (size_t i = 0; i < len; i++) {
		int e = put(r, GLOB_LITERAL, (unsigned char)value[i], 0);

		if (e < 0)
			return e;
	}
	/* The root directory itself. */
	return len == 0 && r->at == r->in.len ? put(r, GLOB_LITERAL, '/', 0) : 0;
}

static int read_variable(struct reader *r)
{
	const struct policy_vars none = {}, *v = r->c->vars ? r->c->vars : &none;
	const struct {
		const char *name;
		const char *value;
	} known[] = {{"~", v->home},
		     {"${home}", v->home},
		     {"${project}", v->project},
		     {"${tmp}", v->tmp}};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (bytes_has_prefix(r->in, bytes_of(known[i].name))) {
			r->at = strlen(known[i].name);
			if (i == 0 && r->at < r->in.len && r->in.p[r->at] != '/')
				return fail(r->c, "'~user' is not supported; write the path out");
			return put_variable(r, known[i].name, known[i].value);
		}
	return fail(r->c, "unknown variable; there are ${home}, ${project} and ${tmp}");
}

static int read_start(struct reader *r)
{
	struct bytes in = r->in;

	if (in.len == 0)
		return fail(r->c, "the pattern is empty");
	if (r->c->kind == GLOB_NAME)
		return 0;
	if (in.p[0] == '~' || bytes_has_prefix(in, BYTES_LIT("${")))
		return read_variable(r);
	if (in.p[0] == '/' || in.p[0] == '@' || bytes_eq(in, BYTES_LIT("**")) ||
	    bytes_has_prefix(in, BYTES_LIT("**/")))
		return 0;
	return fail(r->c,
		    "a pattern begins with '/', '~', '${project}', '${tmp}' or '**/'; "
		    "'%.60s' would be relative to nothing",
		    in.p);
}

static int finish(struct reader *r)
{
	struct glob *g = arena_alloc(r->c->mem, sizeof(*g));
	size_t n_prefix = 0, n_suffix = 0;
	struct glob_token *tokens;
	char *prefix;

	while (n_prefix < r->n && r->out[n_prefix].type == GLOB_LITERAL)
		n_prefix++;
	while (n_suffix < r->n - n_prefix && r->out[r->n - 1 - n_suffix].type == GLOB_LITERAL)
		n_suffix++;
	prefix = arena_alloc(r->c->mem, n_prefix + 1);
	tokens = arena_alloc(r->c->mem, (r->n - n_prefix + 1) * sizeof(*tokens));
	if (!g || !prefix || !tokens)
		return -ENOMEM;
	for (size_t i = 0; i < n_prefix; i++)
		prefix[i] = (char)r->out[i].literal;
	prefix[n_prefix] = '\0';
	memcpy(tokens, r->out + n_prefix, (r->n - n_prefix) * sizeof(*tokens));
	*g = (struct glob){.prefix = {.p = prefix, .len = n_prefix},
			   .tokens = tokens,
			   .classes = r->classes,
			   .n_tokens = (uint16_t)(r->n - n_prefix),
			   .n_suffix = (uint16_t)n_suffix};
	*r->c->tail = g;
	r->c->tail = &g->next;
	return 0;
}

/* Reads a pattern without braces. */
static int compile_one(struct compiler *c, struct bytes pattern)
{
	_cleanup_(freep) struct reader *r = NULL;
	int e;

	if (++c->n_globs > GLOB_MAX_ALTERNATIVES)
		return fail(c, "the braces make more than %d patterns", GLOB_MAX_ALTERNATIVES);
	r = malloc(sizeof(*r));
	if (!r)
		return -ENOMEM;
	memset(r, 0, offsetof(struct reader, out));
	r->c = c;
	r->in = pattern;
	e = read_start(r);
	while (e == 0 && r->at < pattern.len)
		e = read_token(r);
	return e == 0 ? finish(r) : e;
}

/* Replaces the first group of braces by each of its alternatives, and so on with what that gives.
 */
static int expand(struct compiler *c, struct bytes in, size_t depth)
{
	size_t open = 0, close, at;

	while (open < in.len && in.p[open] != '{' && in.p[open] != '}')
		open = skip_one(in, open);
	if (open >= in.len)
		return compile_one(c, in);
	close = in.p[open] == '{' ? brace_end(in, open) : in.len;
	if (close >= in.len)
		return fail(c, "'%c' has no partner; a literal one is written \\%c", in.p[open],
			    in.p[open]);
	if (depth == GLOB_MAX_BRACES)
		return fail(c, "more than %d groups of braces", GLOB_MAX_BRACES);
	for (at = open + 1;;) {
		_cleanup_(strbuf_fini) struct strbuf b = STRBUF_INIT(GLOB_MAX_BYTES);
		size_t end = alternative_end(in, at, close);
		int e;

		strbuf_add(&b, in.p, open);
		strbuf_add(&b, in.p + at, end - at);
		strbuf_add(&b, in.p + close + 1, in.len - close - 1);
		e = strbuf_error(&b);
		if (e < 0)
			return e == -ENOMEM ? e : fail(c, "the pattern is too long");
		e = expand(c, strbuf_bytes(&b), depth + 1);
		if (e < 0 || end == close)
			return e;
		at = end + 1;
	}
}

int glob_compile(struct arena *mem, struct bytes pattern, enum glob_kind kind,
		 const struct policy_vars *vars, struct glob **ret, char why[static GLOB_WHY_SIZE])
{
	struct glob *first = NULL;
	struct compiler c = {.mem = mem, .kind = kind, .vars = vars, .why = why, .tail = &first};
	int r;

	if (pattern.len > GLOB_MAX_BYTES)
		return fail(&c, "the pattern is longer than %d bytes", GLOB_MAX_BYTES);
	r = expand(&c, pattern, 0);
	if (r < 0)
		return r;
	*ret = first;
	return 0;
}
