/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gemini CLI's policy TOML: [[rule]] tables, the highest priority first. Source: its
 * docs/reference/policy-engine.md, read 2026-11. A native policy asks the lowest priority first, so
 * 0..999 becomes 999..0.
 */
#include "cli/import.h"
#include "cli/toml.h"

#define GEMINI_MAX_PRIORITY 999

static const struct {
	const char *name;
	enum verdict verdict;
} decisions[] = {
	{"allow", VERDICT_ALLOW},
	{"ask_user", VERDICT_ASK},
	{"deny", VERDICT_DENY},
};

/* Built-in tools whose effect a system call shows. */
static const struct {
	const char *tool, *op;
} file_tools[] = {
	{"read_file", "read"},
	{"read_many_files", "read"},
	{"list_directory", "read"},
	{"glob", "read"},
	{"search_file_content", "read"},
	{"grep_search", "read"},
	{"write_file", "change"},
	{"replace", "change"},
	{"edit", "change"},
	{"web_fetch", "connect"},
	{"google_web_search", "connect"},
};

/* Conditions that only Gemini CLI itself can know. */
static const char *const unknowable[] = {"subagent", "toolAnnotations", "interactive", "modes"};
static const char *const known[] = {
	"toolName", "mcpName",     "argsPattern",  "commandPrefix",    "commandRegex", "decision",
	"priority", "denyMessage", "deny_message", "allowRedirection", "name"};

struct gemini_rule {
	const struct value *table;
	struct import_rule rule;
};

/* The texts of a key that is one text or a list of them. *ret is NULL when there is none. */
static int get_texts(struct import *im, const struct value *table, const char *key,
		     const struct value **ret)
{
	const struct value *v = value_get(table, key);
	struct value *list;

	*ret = NULL;
	if (!v)
		return 0;
	if (v->type == VALUE_STRING) {
		list = import_new_list(im);
		*ret = list;
		return list ? import_add_text(im, list, v->text) : -ENOMEM;
	}
	for (const struct value *item = v->type == VALUE_LIST ? v->first : NULL; item;
	     item = item->next)
		if (item->type != VALUE_STRING)
			return diag_set(im->diag, im->file, item->line, item->column,
					"'%s' must be a text or a list of texts", key);
	if (v->type != VALUE_LIST)
		return diag_set(im->diag, im->file, v->line, v->column,
				"'%s' must be a text or a list of texts", key);
	*ret = v;
	return 0;
}

static int add_prefixes(struct import *im, struct gemini_rule *g, const struct value *prefixes)
{
	for (const struct value *v = prefixes->first; v; v = v->next) {
		struct import_rule rule = g->rule;

		rule.from = import_format(im, "commandPrefix = %s", v->text.p);
		rule.argv = import_plain_words(im, v->text);
		if (!rule.argv) {
			rule.tool = "exec";
			rule.args_pattern = import_command_regex(im, v->text, true);
		}
		if (!rule.from || (!rule.argv && !rule.args_pattern))
			return -ENOMEM;
		import_add_rule(im, &rule);
	}
	return 0;
}

static int add_regex(struct import *im, struct gemini_rule *g, const char *from,
		     struct bytes pattern)
{
	struct import_rule rule = g->rule;

	rule.from = import_format(im, "%s = %s", from, pattern.p);
	rule.tool = "exec";
	rule.args_pattern = import_format(im, "^(?:%.*s)", (int)pattern.len, pattern.p);
	if (!rule.from || !rule.args_pattern)
		return -ENOMEM;
	import_add_rule(im, &rule);
	return 0;
}

/* argsPattern is searched in the arguments as JSON; the command's own text stands behind a key. */
static int add_args_pattern(struct import *im, struct gemini_rule *g, const struct value *pattern)
{
	const struct bytes prefix = BYTES_LIT("\"command\":\"");
	struct bytes text = pattern->text;

	if (!bytes_has_prefix(text, prefix)) {
		import_add_note(
			im, text.p,
			"argsPattern is searched in the call's arguments as JSON, which no "
			"system call has; write an args_pattern on the command line instead");
		return 0;
	}
	text = (struct bytes){.p = text.p + prefix.len, .len = text.len - prefix.len};
	return add_regex(im, g, "argsPattern", text);
}

static int add_shell(struct import *im, struct gemini_rule *g)
{
	const struct value *prefixes = NULL, *v;
	int r = get_texts(im, g->table, "commandPrefix", &prefixes);

	if (r < 0)
		return r;
	if (prefixes)
		return add_prefixes(im, g, prefixes);
	v = value_get(g->table, "commandRegex");
	if (v && v->type == VALUE_STRING)
		return add_regex(im, g, "commandRegex", v->text);
	v = value_get(g->table, "argsPattern");
	if (v && v->type == VALUE_STRING)
		return add_args_pattern(im, g, v);
	import_add_note(
		im, "run_shell_command",
		"every command: 'default: {tool: %s}' would hold for the agent's own programs "
		"too, so no rule was written; say it there if it is meant",
		verdict_name(g->rule.action));
	return 0;
}

/* No system call shows it, but an action that a hook or `policy eval` asks about does. */
static int add_named(struct import *im, struct gemini_rule *g, struct bytes tool, const char *mcp)
{
	struct import_rule rule = g->rule;

	if (mcp)
		rule.tool = import_format(im, "\"mcp_%s_%.*s\"", mcp, (int)tool.len, tool.p);
	else
		rule.tool = import_format(im, "\"%.*s\"", (int)tool.len, tool.p);
	if (!rule.tool)
		return -ENOMEM;
	import_add_note(im, rule.tool,
			"no system call shows this tool; the rule decides 'policy eval' only");
	import_add_rule(im, &rule);
	return 0;
}

static int add_tool(struct import *im, struct gemini_rule *g, struct bytes tool)
{
	const struct value *mcp = value_get(g->table, "mcpName");

	if (strpbrk(tool.p, "\"\\\n") ||
	    (mcp && mcp->type == VALUE_STRING && strpbrk(mcp->text.p, "\"\\\n")))
		return diag_set(im->diag, im->file, g->table->line, g->table->column,
				"a tool's name with a quote, a backslash or a line end");
	if (mcp && mcp->type == VALUE_STRING)
		return add_named(im, g, tool, mcp->text.p);
	if (bytes_eq_str(tool, "*")) {
		import_add_note(im, "toolName = \"*\"",
				"every tool is not every system call: say it with 'default:'");
		return 0;
	}
	if (bytes_eq_str(tool, "run_shell_command"))
		return add_shell(im, g);
	for (size_t i = 0; i < ARRAY_SIZE(file_tools); i++) {
		struct import_rule rule = g->rule;
		const char *glob;

		if (!bytes_eq_str(tool, file_tools[i].tool))
			continue;
		if (value_get(g->table, "argsPattern")) {
			import_add_note(im, tool.p,
					"argsPattern is searched in the call's arguments as JSON; "
					"write a rule on 'path' or 'domain' instead");
			return 0;
		}
		rule.from = import_format(im, "toolName = %s", file_tools[i].tool);
		rule.op = file_tools[i].op;
		glob = streq(rule.op, "connect") ? NULL : "/**";
		if (glob) {
			struct value *paths = import_new_list(im);

			if (!paths || import_add_text(im, paths, bytes_of(glob)) < 0)
				return -ENOMEM;
			rule.paths = paths;
		}
		import_add_rule(im, &rule);
		return 0;
	}
	return add_named(im, g, tool, NULL);
}

static int check_keys(struct import *im, const struct value *table, bool *ret_is_usable)
{
	*ret_is_usable = true;
	for (const struct value *k = table->first; k; k = k->next->next) {
		bool is_known = false;

		for (size_t i = 0; i < ARRAY_SIZE(known); i++)
			is_known |= bytes_eq_str(k->text, known[i]);
		for (size_t i = 0; i < ARRAY_SIZE(unknowable); i++)
			if (bytes_eq_str(k->text, unknowable[i])) {
				is_known = true;
				*ret_is_usable = false;
				import_add_note(
					im, import_format(im, "line %u", table->line),
					"'%s' is known to Gemini CLI only; the rule was left "
					"out",
					unknowable[i]);
			}
		if (!is_known)
			return diag_set(im->diag, im->file, k->line, k->column,
					"there is no key '%.60s' in a rule", k->text.p);
	}
	return 0;
}

static int read_frame(struct import *im, struct gemini_rule *g)
{
	const struct value *decision = value_get(g->table, "decision");
	const struct value *priority = value_get(g->table, "priority");
	const struct value *message = value_get(g->table, "denyMessage");
	size_t i = 0;

	if (!message)
		message = value_get(g->table, "deny_message");
	while (decision && decision->type == VALUE_STRING && i < ARRAY_SIZE(decisions) &&
	       !bytes_eq_str(decision->text, decisions[i].name))
		i++;
	if (!decision || decision->type != VALUE_STRING || i == ARRAY_SIZE(decisions))
		return diag_set(im->diag, im->file, g->table->line, g->table->column,
				"'decision' must be \"allow\", \"ask_user\" or \"deny\"");
	if (!priority || priority->type != VALUE_INT || priority->number < 0 ||
	    priority->number > GEMINI_MAX_PRIORITY)
		return diag_set(im->diag, im->file, g->table->line, g->table->column,
				"'priority' must be a whole number from 0 to %d",
				GEMINI_MAX_PRIORITY);
	g->rule = (struct import_rule){
		.stem = decisions[i].name,
		.action = decisions[i].verdict,
		.reason = message && message->type == VALUE_STRING && message->text.len
				  ? message->text.p
				  : NULL,
		.has_priority = true,
		.priority = GEMINI_MAX_PRIORITY - (int64_t)priority->number,
	};
	return 0;
}

static int add_rule(struct import *im, const struct value *table)
{
	struct gemini_rule g = {.table = table};
	const struct value *names = NULL;
	bool is_usable;
	int r = check_keys(im, table, &is_usable);

	if (r == 0)
		r = read_frame(im, &g);
	if (r == 0)
		r = get_texts(im, table, "toolName", &names);
	if (r < 0 || !is_usable)
		return r;
	if (!names) {
		if (value_get(table, "commandPrefix") || value_get(table, "commandRegex"))
			return add_shell(im, &g);
		return add_tool(im, &g, BYTES_LIT("*"));
	}
	for (const struct value *v = names->first; r == 0 && v; v = v->next)
		r = add_tool(im, &g, v->text);
	return r;
}

int import_gemini(struct import *im, struct bytes text)
{
	const struct value *rules;
	struct value *root = NULL;
	int r = toml_parse(im->file, text, im->mem, &root, im->diag);

	if (r < 0)
		return r;
	rules = value_get(root, "rule");
	if (!rules || rules->type != VALUE_LIST)
		return diag_set(im->diag, im->file, 1, 1,
				"there is no [[rule]] in it; expected a policy of Gemini CLI");
	for (const struct value *k = root->first; k; k = k->next->next)
		if (!bytes_eq_str(k->text, "rule"))
			import_add_note(im, k->text.p, "has no equivalent; left out");
	for (const struct value *v = rules->first; r == 0 && v; v = v->next) {
		if (v->type != VALUE_MAP)
			return diag_set(im->diag, im->file, v->line, v->column,
					"a rule is a table");
		r = add_rule(im, v);
	}
	import_add_note(
		im, "what no rule names",
		"Gemini CLI lets its reading tools go on and asks for the others; here other "
		"commands are allowed, because every helper program of a command would ask");
	import_set_default(im, VERDICT_ALLOW, VERDICT_ALLOW, VERDICT_ASK, VERDICT_ASK);
	return r;
}
