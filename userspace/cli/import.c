/* SPDX-License-Identifier: Apache-2.0 */
/* What the importers share: writing rules and notes as YAML. */
#include <stdio.h>

#include "base/escape.h"

#include "cli/import.h"

#define FORMAT_MAX ((size_t)1 << 20)

/* Double quotes: every escape that JSON makes is one in YAML too. */
static void add_quoted(struct strbuf *out, struct bytes text)
{
	strbuf_add_char(out, '"');
	escape_json(out, text);
	strbuf_add_char(out, '"');
}

void import_add_texts(struct strbuf *out, const struct value *list)
{
	strbuf_add_char(out, '[');
	for (const struct value *v = list->first; v; v = v->next) {
		if (v != list->first)
			strbuf_add_str(out, ", ");
		if (v->type == VALUE_LIST)
			import_add_texts(out, v);
		else
			add_quoted(out, v->text);
	}
	strbuf_add_char(out, ']');
}

/* A comment ends with its line, so what it quotes must not hold one. */
static void add_comment(struct strbuf *out, const char *indent, const char *text)
{
	strbuf_add_fmt(out, "%s# ", indent);
	escape_terminal(out, bytes_of(text));
	strbuf_add_char(out, '\n');
}

static void add_key_text(struct strbuf *out, const char *key, const char *text)
{
	if (!text)
		return;
	strbuf_add_fmt(out, "%s: ", key);
	add_quoted(out, bytes_of(text));
	strbuf_add_char(out, '\n');
}

static void add_key_list(struct strbuf *out, const char *key, const struct value *list)
{
	if (!list || !list->first)
		return;
	strbuf_add_fmt(out, "%s: ", key);
	import_add_texts(out, list);
	strbuf_add_char(out, '\n');
}

/* Examples as commands; lists of arguments are joined by the shell's rules only where plain. */
static void add_examples(struct strbuf *out, const char *key, const struct value *list)
{
	if (!list || !list->first)
		return;
	strbuf_add_fmt(out, "      %s:\n", key);
	for (const struct value *v = list->first; v; v = v->next) {
		strbuf_add_str(out, "        - ");
		if (v->type == VALUE_LIST) {
			strbuf_add_str(out, "{kind: exec, argv: ");
			import_add_texts(out, v);
			if (v->first && memchr(v->first->text.p, '/', v->first->text.len)) {
				strbuf_add_str(out, ", path: ");
				add_quoted(out, v->first->text);
			}
			strbuf_add_str(out, "}\n");
		} else {
			add_quoted(out, v->text);
			strbuf_add_char(out, '\n');
		}
	}
}

void import_add_rule(struct import *im, const struct import_rule *rule)
{
	struct strbuf *out = &im->rules;

	strbuf_add_fmt(out, "  - name: %s-%zu\n", rule->stem, ++im->n_rules);
	if (rule->from)
		add_comment(out, "    ", rule->from);
	strbuf_add_str(out, "    match:\n");
	if (rule->tool)
		strbuf_add_fmt(out, "      tool: %s\n", rule->tool);
	add_key_list(out, "      argv", rule->argv);
	add_key_text(out, "      args_pattern", rule->args_pattern);
	add_key_list(out, "      path", rule->paths);
	if (rule->op)
		strbuf_add_fmt(out, "      op: %s\n", rule->op);
	add_key_text(out, "      domain", rule->domain);
	add_key_list(out, "      domain", rule->domains);
	add_key_list(out, "      address", rule->addresses);
	if (rule->port)
		strbuf_add_fmt(out, "      port: %s\n", rule->port);
	if (rule->readable && rule->readable->first) {
		strbuf_add_str(out, "    unless:\n");
		add_key_list(out, "      path", rule->readable);
		strbuf_add_str(out, "      op: read\n");
	}
	strbuf_add_fmt(out, "    action: %s\n", verdict_name(rule->action));
	add_key_text(out, "    reason", rule->reason);
	if (rule->has_priority)
		strbuf_add_fmt(out, "    priority: %lld\n", (long long)rule->priority);
	if (!im->has_examples ||
	    !((rule->match && rule->match->first) || (rule->not_match && rule->not_match->first)))
		return;
	strbuf_add_str(out, "    examples:\n");
	add_examples(out, "match", rule->match);
	add_examples(out, "not_match", rule->not_match);
}

void import_add_note(struct import *im, const char *what, const char *fmt, ...)
{
	struct strbuf text = STRBUF_INIT(FORMAT_MAX);
	va_list ap;

	va_start(ap, fmt);
	strbuf_add_fmt(&text, "note: %s: ", what);
	strbuf_add_vfmt(&text, fmt, ap);
	va_end(ap);
	add_comment(&im->top, "", strbuf_str(&text));
	strbuf_fini(&text);
	im->n_notes++;
}

void import_set_default(struct import *im, enum verdict tool, enum verdict read, enum verdict write,
			enum verdict network)
{
	strbuf_add_fmt(
		&im->top, "default: {tool: %s, read: %s, write: %s, network: %s, unix: allow}\n",
		verdict_name(tool), verdict_name(read), verdict_name(write), verdict_name(network));
}

const char *import_format(struct import *im, const char *fmt, ...)
{
	struct strbuf text = STRBUF_INIT(FORMAT_MAX);
	struct bytes copy;
	va_list ap;

	va_start(ap, fmt);
	strbuf_add_vfmt(&text, fmt, ap);
	va_end(ap);
	copy = arena_copy(im->mem, strbuf_str(&text), text.len);
	if (strbuf_error(&text))
		copy.p = NULL;
	strbuf_fini(&text);
	return copy.p;
}

static struct value *new_value(struct import *im, enum value_type type)
{
	struct value *v = arena_alloc(im->mem, sizeof(*v));

	if (v)
		*v = (struct value){.type = type};
	return v;
}

struct value *import_new_list(struct import *im)
{
	return new_value(im, VALUE_LIST);
}

int import_add_text(struct import *im, struct value *list, struct bytes text)
{
	struct value *v = new_value(im, VALUE_STRING), **tail = &list->first;

	if (!v)
		return -ENOMEM;
	v->text = arena_copy(im->mem, text.p, text.len);
	if (!v->text.p)
		return -ENOMEM;
	while (*tail)
		tail = &(*tail)->next;
	*tail = v;
	list->n++;
	return 0;
}

static bool is_plain_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("_-./=:@%+,", c));
}

struct value *import_plain_words(struct import *im, struct bytes command)
{
	struct value *list = import_new_list(im);
	size_t begin = 0;

	for (size_t i = 0; list && i <= command.len; i++) {
		if (i < command.len && command.p[i] != ' ') {
			if (!is_plain_char(command.p[i]))
				return NULL;
			continue;
		}
		if (i > begin &&
		    import_add_text(im, list,
				    (struct bytes){.p = command.p + begin, .len = i - begin}) < 0)
			return NULL;
		begin = i + 1;
	}
	return list && list->first ? list : NULL;
}

const char *import_command_regex(struct import *im, struct bytes command, bool is_prefix)
{
	struct strbuf out = STRBUF_INIT(FORMAT_MAX);
	const char *text;

	strbuf_add_str(&out, "^(?:\\S*/)?");
	for (size_t i = 0; i < command.len; i++) {
		if (command.p[i] == '*') {
			strbuf_add_str(&out, ".*");
			continue;
		}
		if (strchr("\\^$.|?+()[]{}", command.p[i]))
			strbuf_add_char(&out, '\\');
		strbuf_add_char(&out, command.p[i]);
	}
	strbuf_add_str(&out, is_prefix ? "(?: |$)" : "$");
	text = import_format(im, "%s", strbuf_str(&out));
	strbuf_fini(&out);
	return text;
}

/* ---- the whole */

#define IMPORT_MEM_MAX ((size_t)256 << 20)

static const struct {
	const char *agent;
	int (*convert)(struct import *im, struct bytes text);
} agents[] = {
	{"claude", import_claude},
	{"codex", import_codex},
	{"gemini", import_gemini},
};

bool import_knows(const char *agent)
{
	for (size_t i = 0; i < ARRAY_SIZE(agents); i++)
		if (streq(agent, agents[i].agent))
			return true;
	return false;
}

static int convert(struct import *im, const char *agent, struct bytes text)
{
	for (size_t i = 0; i < ARRAY_SIZE(agents); i++)
		if (streq(agent, agents[i].agent))
			return agents[i].convert(im, text);
	return -EINVAL;
}

static int write_policy(struct import *im, const char *agent, struct bytes text, const char *name,
			struct strbuf *out)
{
	int r = convert(im, agent, text);

	if (r < 0)
		return r;
	strbuf_reset(out);
	strbuf_add_fmt(out,
		       "# Imported from a policy of %s by 'holdfast policy import'. Read it before "
		       "you rely on it.\nversion: 1\nname: %s\n",
		       agent, name);
	strbuf_add_bytes(out, strbuf_bytes(&im->top));
	if (im->n_rules) {
		strbuf_add_str(out, "rules:\n");
		strbuf_add_bytes(out, strbuf_bytes(&im->rules));
	}
	if (strbuf_error(&im->rules) || strbuf_error(&im->top))
		return -EMSGSIZE;
	return strbuf_error(out);
}

/* What is written must load. */
static int check_loads(const struct strbuf *out, const struct policy_vars *vars, struct diag *d)
{
	struct policy *p = NULL;
	int r = policy_parse("the imported policy", strbuf_bytes(out), vars, &p, d);

	policy_free(p);
	return r;
}

int import_policy(const char *agent, const char *file, struct bytes text, const char *name,
		  const struct policy_vars *vars, struct strbuf *out, struct import_result *ret,
		  struct diag *d)
{
	int r = -EINVAL;

	*ret = (struct import_result){};
	/* Twice at most: a first time with the examples, which are tests. */
	for (int i = 0; r == -EINVAL && i < 2; i++) {
		struct arena mem = ARENA_INIT(IMPORT_MEM_MAX);
		struct import im = {.file = file,
				    .mem = &mem,
				    .diag = d,
				    .rules = STRBUF_INIT(POLICY_MAX_BYTES),
				    .top = STRBUF_INIT(POLICY_MAX_BYTES),
				    .has_examples = i == 0};
		bool is_written;

		r = write_policy(&im, agent, text, name, out);
		is_written = r == 0;
		if (is_written)
			r = check_loads(out, vars, d);
		*ret = (struct import_result){.n_rules = im.n_rules,
					      .n_notes = im.n_notes,
					      .is_without_examples = i == 1};
		strbuf_fini(&im.rules);
		strbuf_fini(&im.top);
		arena_fini(&mem);
		if (!is_written)
			break;
	}
	return r;
}
