/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Codex: `.rules` files (calls of prefix_rule() and its like in Starlark, of which this reads the
 * literals that rules are made of) and the sandbox part of config.toml. Sources:
 * codex-rs/execpolicy and developers.openai.com/codex/permissions, read 2026-11. The strictest of
 * all rules that match counts there, so they are written in that order.
 */
#include "base/escape.h"
#include "policy/policy.h"

#include "cli/import.h"
#include "cli/toml.h"

#define CODEX_MAX_RULES 10000

struct starlark {
	struct import *im;
	struct bytes text;
	size_t at;
	unsigned line;
	size_t line_start;
	unsigned depth;
};

/* One call: its name and its keyword arguments as a map. */
struct call {
	struct bytes name;
	struct value *args;
};

static int parse_expression(struct starlark *s, struct value **ret);

static int fail(const struct starlark *s, const char *message)
{
	return diag_set(s->im->diag, s->im->file, s->line,
			(unsigned int)(s->at - s->line_start) + 1, "%s", message);
}

static char peek(const struct starlark *s)
{
	return s->at < s->text.len ? s->text.p[s->at] : '\0';
}

static bool looking_at(const struct starlark *s, const char *text)
{
	size_t n = strlen(text);

	return s->text.len - s->at >= n && memcmp(s->text.p + s->at, text, n) == 0;
}

static void advance(struct starlark *s)
{
	if (peek(s) == '\n') {
		s->line++;
		s->line_start = s->at + 1;
	}
	s->at++;
}

static void skip(struct starlark *s)
{
	for (;;) {
		while (peek(s) && strchr(" \t\r\n", peek(s)))
			advance(s);
		if (peek(s) != '#')
			return;
		while (s->at < s->text.len && peek(s) != '\n')
			advance(s);
	}
}

static int expect(struct starlark *s, char c)
{
	char message[] = "expected ' '";

	skip(s);
	if (peek(s) != c) {
		message[sizeof(message) - 3] = c;
		return fail(s, message);
	}
	advance(s);
	return 0;
}

static struct value *new_value(const struct starlark *s, enum value_type type)
{
	struct value *v = arena_alloc(s->im->mem, sizeof(*v));

	if (v)
		*v = (struct value){.type = type,
				    .line = s->line,
				    .column = (unsigned int)(s->at - s->line_start) + 1};
	return v;
}

static struct bytes parse_word(struct starlark *s)
{
	struct bytes word = {.p = s->text.p + s->at};

	while ((peek(s) >= 'a' && peek(s) <= 'z') || (peek(s) >= 'A' && peek(s) <= 'Z') ||
	       (peek(s) >= '0' && peek(s) <= '9') || peek(s) == '_') {
		advance(s);
		word.len++;
	}
	return word;
}

static int parse_string(struct starlark *s, bool is_raw, struct value *v)
{
	static const char letters[] = "ntr\"'\\\n", values[] = "\n\t\r\"'\\";
	struct strbuf out = STRBUF_INIT(TOML_MAX_BYTES);
	const char quote = peek(s), triple[4] = {quote, quote, quote, '\0'};
	size_t n = looking_at(s, triple) ? 3 : 1;
	int r = 0;

	for (size_t i = 0; i < n; i++)
		advance(s);
	while (r == 0 && !(n == 3 ? looking_at(s, triple) : peek(s) == quote)) {
		const char *known;

		if (s->at >= s->text.len || (n == 1 && peek(s) == '\n')) {
			r = fail(s, "this string has no end");
		} else if (peek(s) != '\\' || is_raw) {
			strbuf_add_char(&out, peek(s));
			advance(s);
		} else {
			advance(s);
			known = peek(s) ? strchr(letters, peek(s)) : NULL;
			if (!known)
				r = fail(s, "an escape that is not understood here; use r\"...\"");
			else if (*known != '\n')
				strbuf_add_char(&out, values[known - letters]);
			advance(s);
		}
	}
	for (size_t i = 0; r == 0 && i < n; i++)
		advance(s);
	if (r == 0) {
		v->text = arena_copy(s->im->mem, strbuf_str(&out), out.len);
		r = v->text.p && !strbuf_error(&out) ? 0 : -ENOMEM;
	}
	strbuf_fini(&out);
	return r;
}

static int parse_list(struct starlark *s, struct value *list)
{
	struct value **tail = &list->first;
	const char end = peek(s) == '(' ? ')' : ']';

	advance(s);
	for (skip(s); peek(s) != end; skip(s)) {
		int r = parse_expression(s, tail);

		if (r < 0)
			return r;
		tail = &(*tail)->next;
		list->n++;
		skip(s);
		if (peek(s) == ',')
			advance(s);
		else if (peek(s) != end)
			return fail(s, "expected ',' or the end of the list");
	}
	advance(s);
	return 0;
}

static int parse_expression(struct starlark *s, struct value **ret)
{
	struct value *v;
	struct bytes word;
	int r = 0;

	skip(s);
	v = new_value(s, VALUE_STRING);
	if (!v)
		return -ENOMEM;
	*ret = v;
	if (s->depth == VALUE_MAX_DEPTH)
		return fail(s, "nested too deep");
	s->depth++;
	if (peek(s) == '"' || peek(s) == '\'') {
		r = parse_string(s, false, v);
	} else if (looking_at(s, "r\"") || looking_at(s, "r'")) {
		advance(s);
		r = parse_string(s, true, v);
	} else if (peek(s) == '[' || peek(s) == '(') {
		v->type = VALUE_LIST;
		r = parse_list(s, v);
	} else {
		word = parse_word(s);
		v->type = bytes_eq_str(word, "None") ? VALUE_NULL : VALUE_BOOL;
		v->is_true = bytes_eq_str(word, "True");
		if (!v->is_true && v->type != VALUE_NULL && !bytes_eq_str(word, "False"))
			r = fail(s, "expected a text, a list, True, False or None; other Starlark "
				    "is not evaluated here: write the value out");
	}
	s->depth--;
	return r;
}

static int parse_call(struct starlark *s, struct call *ret)
{
	struct value **tail;
	int r;

	ret->name = parse_word(s);
	if (ret->name.len == 0)
		return fail(s, "expected a call such as prefix_rule(...)");
	r = expect(s, '(');
	if (r < 0)
		return r;
	ret->args = new_value(s, VALUE_MAP);
	if (!ret->args)
		return -ENOMEM;
	tail = &ret->args->first;
	for (skip(s); peek(s) != ')'; skip(s)) {
		struct value *key = new_value(s, VALUE_STRING);

		if (!key)
			return -ENOMEM;
		key->text = parse_word(s);
		if (key->text.len == 0)
			return fail(s, "expected 'name = value'");
		r = expect(s, '=');
		if (r == 0)
			r = parse_expression(s, &key->next);
		if (r < 0)
			return r;
		*tail = key;
		tail = &key->next->next;
		ret->args->n++;
		skip(s);
		if (peek(s) == ',')
			advance(s);
		else if (peek(s) != ')')
			return fail(s, "expected ',' or ')'");
	}
	advance(s);
	return 0;
}

/* ---- what the calls mean */

static const struct {
	const char *word;
	enum verdict verdict;
} decisions[] = {
	{"forbidden", VERDICT_DENY},
	{"deny", VERDICT_DENY},
	{"prompt", VERDICT_ASK},
	{"allow", VERDICT_ALLOW},
};

static int decision_of(struct import *im, const struct call *c, enum verdict *ret)
{
	const struct value *v = value_get(c->args, "decision");

	*ret = VERDICT_ALLOW;
	if (!v)
		return 0;
	for (size_t i = 0; v->type == VALUE_STRING && i < ARRAY_SIZE(decisions); i++)
		if (bytes_eq_str(v->text, decisions[i].word)) {
			*ret = decisions[i].verdict;
			return 0;
		}
	return diag_set(im->diag, im->file, v->line, v->column,
			"'decision' must be \"allow\", \"prompt\" or \"forbidden\"");
}

static bool is_texts(const struct value *list, bool may_nest)
{
	for (const struct value *v = list->first; v; v = v->next)
		if (v->type != VALUE_STRING &&
		    !(may_nest && v->type == VALUE_LIST && v->first && is_texts(v, false)))
			return false;
	return true;
}

/* A native element beginning with '~' is a regular expression, one with * ? [ { a glob. */
static bool has_pattern_chars(const struct value *list)
{
	for (const struct value *v = list->first; v; v = v->next)
		if (v->type == VALUE_LIST ? has_pattern_chars(v)
					  : v->text.p[0] == '~' || strpbrk(v->text.p, "*?[{\\"))
			return true;
	return false;
}

static int add_prefix_rule(struct import *im, const struct call *c, enum verdict decision)
{
	const struct value *pattern = value_get(c->args, "pattern");
	const struct value *why = value_get(c->args, "justification");
	const struct value *match = value_get(c->args, "match");
	const struct value *not_match = value_get(c->args, "not_match");
	struct import_rule rule = {.action = decision, .argv = pattern};

	if (!pattern || pattern->type != VALUE_LIST || !pattern->first || !is_texts(pattern, true))
		return diag_set(
			im->diag, im->file, c->args->line, c->args->column,
			"prefix_rule needs 'pattern', a list of texts and of lists of texts");
	if ((match && (match->type != VALUE_LIST || !is_texts(match, true))) ||
	    (not_match && (not_match->type != VALUE_LIST || !is_texts(not_match, true))))
		return diag_set(im->diag, im->file, c->args->line, c->args->column,
				"'match' and 'not_match' are lists of commands");
	if (has_pattern_chars(pattern)) {
		import_add_note(
			im, import_format(im, "line %u", c->args->line),
			"a word with ~ * ? [ { or a backslash, which would be a pattern here; "
			"left out");
		return 0;
	}
	rule.stem = decision == VERDICT_DENY  ? "forbidden"
		    : decision == VERDICT_ASK ? "prompt"
					      : "allow";
	rule.from = import_format(im, "prefix_rule on line %u", c->args->line);
	rule.reason = why && why->type == VALUE_STRING && why->text.len ? why->text.p : NULL;
	rule.match = match;
	rule.not_match = not_match;
	import_add_rule(im, &rule);
	return 0;
}

static int add_network_rule(struct import *im, const struct call *c, enum verdict decision)
{
	const struct value *host = value_get(c->args, "host");
	struct import_rule rule = {
		.stem = "network", .action = decision, .op = "connect", .domain = NULL};

	if (!host || host->type != VALUE_STRING)
		return diag_set(im->diag, im->file, c->args->line, c->args->column,
				"network_rule needs 'host'");
	rule.domain = host->text.p;
	rule.from = import_format(im, "network_rule on line %u", c->args->line);
	import_add_rule(im, &rule);
	return 0;
}

static int add_call(struct import *im, const struct call *c, enum verdict wanted, bool is_first)
{
	enum verdict decision;
	int r = decision_of(im, c, &decision);

	if (r < 0)
		return r;
	if (bytes_eq_str(c->name, "prefix_rule"))
		return decision == wanted ? add_prefix_rule(im, c, decision) : 0;
	if (bytes_eq_str(c->name, "network_rule"))
		return decision == wanted ? add_network_rule(im, c, decision) : 0;
	if (is_first)
		import_add_note(
			im,
			import_format(im, "%.*s on line %u", (int)c->name.len, c->name.p,
				      c->args->line),
			"no equivalent; a rule on the program's path is 'tool: /usr/bin/NAME'");
	return 0;
}

static int import_rules(struct import *im, struct bytes text)
{
	static const enum verdict order[] = {VERDICT_DENY, VERDICT_ASK, VERDICT_ALLOW};
	struct starlark s = {.im = im, .text = text, .line = 1};
	struct call *calls = arena_alloc(im->mem, CODEX_MAX_RULES * sizeof(*calls));
	size_t n = 0;
	int r = calls ? 0 : -ENOMEM;

	for (skip(&s); r == 0 && s.at < text.len; skip(&s)) {
		if (n == CODEX_MAX_RULES)
			return fail(&s, "too many rules");
		r = parse_call(&s, &calls[n++]);
	}
	if (r == 0 && n == 0)
		return fail(&s, "there is no rule in it; expected prefix_rule(...)");
	for (size_t pass = 0; r == 0 && pass < ARRAY_SIZE(order); pass++)
		for (size_t i = 0; r == 0 && i < n; i++)
			r = add_call(im, &calls[i], order[pass], pass == 0);
	import_add_note(
		im, "what no rule names",
		"Codex decides by its approval policy and sandbox, which are in config.toml; "
		"import that too, and apply both");
	import_set_default(im, VERDICT_ALLOW, VERDICT_ALLOW, VERDICT_ASK, VERDICT_ASK);
	return r;
}

/* ---- config.toml */

static int add_tree(struct import *im, const char *from, const char *path, enum verdict action)
{
	struct value *paths = import_new_list(im);
	struct import_rule rule = {.stem = "workspace",
				   .from = from,
				   .action = action,
				   .paths = paths,
				   .op = "change"};
	const char *glob = import_format(im, "%s/**", path);

	if (!paths || !glob || import_add_text(im, paths, bytes_of(glob)) < 0)
		return -ENOMEM;
	import_add_rule(im, &rule);
	return 0;
}

/* What Codex keeps read-only inside a writable root. */
static const char *const kept_trees[] = {"/.git", "/.codex", "/.agents"};

static int add_write_root(struct import *im, const char *from, const char *path,
			  enum verdict outside)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(kept_trees); i++) {
		const char *tree = import_format(im, "%s%s", path, kept_trees[i]);

		r = tree ? add_tree(im, "read-only inside a writable root", tree, outside)
			 : -ENOMEM;
	}
	return r < 0 ? r : add_tree(im, from, path, VERDICT_ALLOW);
}

static bool is_true(const struct value *map, const char *key)
{
	const struct value *v = value_get(map, key);

	return v && v->type == VALUE_BOOL && v->is_true;
}

static int add_workspace(struct import *im, const struct value *workspace, enum verdict outside)
{
	const struct value *roots = value_get(workspace, "writable_roots");
	int r = add_write_root(im, "sandbox_mode = workspace-write", "${project}", outside);

	if (r == 0 && !is_true(workspace, "exclude_slash_tmp"))
		r = add_write_root(im, "/tmp, unless exclude_slash_tmp", "/tmp", outside);
	if (r == 0 && !is_true(workspace, "exclude_tmpdir_env_var"))
		r = add_write_root(im, "$TMPDIR, unless exclude_tmpdir_env_var", "${tmp}", outside);
	for (const struct value *v = roots && roots->type == VALUE_LIST ? roots->first : NULL;
	     r == 0 && v; v = v->next)
		if (v->type == VALUE_STRING)
			r = add_write_root(im, "writable_roots", v->text.p, outside);
	return r;
}

static int import_config(struct import *im, struct bytes text)
{
	const struct value *mode, *approval, *workspace;
	enum verdict outside = VERDICT_ASK, network;
	struct value *root = NULL;
	bool is_full;
	int r = toml_parse(im->file, text, im->mem, &root, im->diag);

	if (r < 0)
		return r;
	mode = value_get(root, "sandbox_mode");
	approval = value_get(root, "approval_policy");
	workspace = value_get(root, "sandbox_workspace_write");
	if (!mode || mode->type != VALUE_STRING)
		return diag_set(im->diag, im->file, 1, 1,
				"there is no 'sandbox_mode' in it, which is what can be imported; "
				"permission profiles have no import yet");
	is_full = bytes_eq_str(mode->text, "danger-full-access");
	if (!is_full && !bytes_eq_str(mode->text, "read-only") &&
	    !bytes_eq_str(mode->text, "workspace-write"))
		return diag_set(im->diag, im->file, mode->line, mode->column,
				"'sandbox_mode' must be read-only, workspace-write or "
				"danger-full-access");
	/* "never": what the sandbox refuses stays refused; the others offer to go on without it. */
	if (approval && approval->type == VALUE_STRING && bytes_eq_str(approval->text, "never"))
		outside = VERDICT_DENY;
	network = is_true(workspace, "network_access") ? VERDICT_ALLOW : outside;
	for (const struct value *k = root->first; k; k = k->next->next)
		if (!bytes_eq_str(k->text, "sandbox_mode") &&
		    !bytes_eq_str(k->text, "approval_policy") &&
		    !bytes_eq_str(k->text, "sandbox_workspace_write"))
			import_add_note(im, k->text.p, "not a matter of a policy; left out");
	if (is_full) {
		import_set_default(im, VERDICT_ALLOW, VERDICT_ALLOW, VERDICT_ALLOW, VERDICT_ALLOW);
		return 0;
	}
	import_set_default(im, VERDICT_ALLOW, VERDICT_ALLOW, outside, network);
	return bytes_eq_str(mode->text, "workspace-write") ? add_workspace(im, workspace, outside)
							   : 0;
}

int import_codex(struct import *im, struct bytes text)
{
	if (bytes_has_suffix(bytes_of(im->file), BYTES_LIT(".toml")))
		return import_config(im, text);
	return import_rules(im, text);
}
