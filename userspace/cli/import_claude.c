/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Claude Code's settings.json: permissions (deny before ask before allow, whatever their order) and
 * the sandbox's lists. Sources: code.claude.com/docs/en/permissions and /settings, read 2026-11.
 *
 * Its rules speak of the tool calls of one program; Holdfast sees what every process does. A Bash
 * rule becomes a rule on the command that is really executed, however it was started.
 */
#include <stdio.h>

#include "cli/import.h"

struct claude_list {
	const char *key;
	enum verdict action;
};

/* The order in which Claude Code asks them. */
static const struct claude_list lists[] = {
	{"deny", VERDICT_DENY},
	{"ask", VERDICT_ASK},
	{"allow", VERDICT_ALLOW},
};

struct claude_rule {
	const char *list;
	enum verdict action;
	struct bytes text; /* all of it: "Bash(git push:*)" */
	struct bytes tool; /* "Bash" */
	struct bytes spec; /* "git push:*"; .p NULL: none */
};

/* ---- Bash */

static int add_bash(struct import *im, const struct claude_rule *c)
{
	const struct bytes any = BYTES_LIT(":*"), blank_any = BYTES_LIT(" *");
	struct import_rule rule = {.stem = import_format(im, "%s-command", c->list),
				   .from = c->text.p,
				   .action = c->action};
	struct bytes spec = c->spec;
	bool is_prefix = bytes_has_suffix(spec, any) || bytes_has_suffix(spec, blank_any);

	if (is_prefix)
		spec.len -= 2;
	if (spec.len == 0 || bytes_eq_str(spec, "*")) {
		import_add_note(
			im, c->text.p,
			"every command: 'default: {tool: %s}' would hold for the agent's own "
			"programs too, so no rule was written; say it there if it is meant",
			verdict_name(c->action));
		return 0;
	}
	if (strpbrk(spec.p, "\"'&|;<>$`"))
		import_add_note(
			im, c->text.p,
			"quotes and operators belong to the shell and are in no command that is "
			"executed; check what this rule is to match");
	if (is_prefix && !memchr(spec.p, '*', spec.len))
		rule.argv = import_plain_words(im, spec);
	if (!rule.argv) {
		rule.tool = "exec";
		rule.args_pattern = import_command_regex(im, spec, is_prefix);
	}
	if (!rule.stem || (!rule.argv && !rule.args_pattern))
		return -ENOMEM;
	import_add_rule(im, &rule);
	return 0;
}

/* ---- Read, Edit, Write */

/* A pattern of gitignore(5) with Claude Code's four beginnings, as a native glob that also covers
 * what is below. */
static const char *path_glob(struct import *im, struct bytes spec)
{
	struct strbuf out = STRBUF_INIT(8192);
	const char *text = NULL, *slash;

	while (spec.len && spec.p[spec.len - 1] == '/')
		spec.len--;
	slash = spec.len ? memchr(spec.p, '/', spec.len) : NULL;
	if (bytes_has_prefix(spec, BYTES_LIT("//"))) {
		spec = (struct bytes){.p = spec.p + 1, .len = spec.len - 1};
	} else if (spec.len && spec.p[0] == '/') {
		strbuf_add_str(&out, "${project}");
	} else if (bytes_has_prefix(spec, BYTES_LIT("./"))) {
		strbuf_add_str(&out, "${project}");
		spec = (struct bytes){.p = spec.p + 1, .len = spec.len - 1};
	} else if (!bytes_has_prefix(spec, BYTES_LIT("~/"))) {
		strbuf_add_str(&out, slash ? "${project}/" : "${project}/**/");
	}
	for (size_t i = 0; i < spec.len; i++) {
		if (spec.p[i] == '{' || spec.p[i] == '}')
			strbuf_add_char(&out, '\\');
		strbuf_add_char(&out, spec.p[i]);
	}
	if (!bytes_has_suffix(spec, BYTES_LIT("**")))
		strbuf_add_str(&out, "/**");
	if (!strbuf_error(&out))
		text = import_format(im, "%s", strbuf_str(&out));
	strbuf_fini(&out);
	return text;
}

/* Paths that rules see are resolved, so one that climbs cannot be a pattern. */
static bool climbs(struct bytes path)
{
	for (size_t i = 0; i + 1 < path.len; i++)
		if (path.p[i] == '.' && path.p[i + 1] == '.' && (i == 0 || path.p[i - 1] == '/') &&
		    (i + 2 == path.len || path.p[i + 2] == '/'))
			return true;
	return false;
}

static int add_path_rule(struct import *im, const char *list, const char *from, enum verdict action,
			 const char *op, struct bytes pattern)
{
	struct value *paths = import_new_list(im);
	struct import_rule rule = {
		.stem = import_format(im, "%s-%s", list, streq(op, "read") ? "read" : "write"),
		.from = from,
		.action = action,
		.paths = paths,
		.op = op};
	const char *glob = path_glob(im, pattern);

	if (climbs(pattern)) {
		import_add_note(im, import_format(im, "%.*s", (int)pattern.len, pattern.p),
				"a path with '..' in it; give the absolute one");
		return 0;
	}
	if (!paths || !rule.stem || !glob || import_add_text(im, paths, bytes_of(glob)) < 0)
		return -ENOMEM;
	import_add_rule(im, &rule);
	return 0;
}

static int add_path(struct import *im, const struct claude_rule *c, const char *op)
{
	if (!c->spec.p || c->spec.len == 0 || bytes_eq_str(c->spec, "*") ||
	    bytes_eq_str(c->spec, "**")) {
		import_add_note(im, c->text.p, "every file: say it with 'default: {%s: %s}'",
				streq(op, "read") ? "read" : "write", verdict_name(c->action));
		return 0;
	}
	if (c->spec.p[0] == '!') {
		import_add_note(
			im, c->text.p,
			"an exception; write it as a rule of its own above the one it excepts");
		return 0;
	}
	return add_path_rule(im, c->list, c->text.p, c->action, op, c->spec);
}

static int add_read(struct import *im, const struct claude_rule *c)
{
	return add_path(im, c, "read");
}

static int add_edit(struct import *im, const struct claude_rule *c)
{
	return add_path(im, c, "change");
}

/* ---- the network */

static int add_domain_rule(struct import *im, const char *list, const char *from,
			   enum verdict action, struct bytes domain)
{
	struct import_rule rule = {.stem = import_format(im, "%s-host", list),
				   .from = from,
				   .action = action,
				   .op = "connect",
				   .domain = import_format(im, "%.*s", (int)domain.len, domain.p)};

	if (!rule.stem || !rule.domain)
		return -ENOMEM;
	import_add_rule(im, &rule);
	return 0;
}

static int add_fetch(struct import *im, const struct claude_rule *c)
{
	const struct bytes prefix = BYTES_LIT("domain:");
	struct bytes domain = c->spec;

	if (!domain.p || !bytes_has_prefix(domain, prefix)) {
		import_add_note(im, c->text.p, "every host: say it with 'default: {network: %s}'",
				verdict_name(c->action));
		return 0;
	}
	domain = (struct bytes){.p = domain.p + prefix.len, .len = domain.len - prefix.len};
	return add_domain_rule(im, c->list, c->text.p, c->action, domain);
}

/* ---- a rule of whatever tool */

static const struct {
	const char *tool;
	int (*add)(struct import *im, const struct claude_rule *c);
} tools[] = {
	{"Bash", add_bash},      {"Read", add_read},         {"Grep", add_read},
	{"Glob", add_read},      {"LS", add_read},           {"Edit", add_edit},
	{"Write", add_edit},     {"MultiEdit", add_edit},    {"NotebookEdit", add_edit},
	{"WebFetch", add_fetch}, {"NotebookRead", add_read},
};

/* No system call shows these, but an action that a hook or `policy eval` asks about does. */
static int add_by_name(struct import *im, const struct claude_rule *c)
{
	struct import_rule rule = {.stem = import_format(im, "%s-tool", c->list),
				   .from = c->text.p,
				   .action = c->action};
	struct bytes name = c->tool;
	const char *all_of_server = bytes_has_prefix(name, BYTES_LIT("mcp__")) &&
						    !memmem(name.p + 5, name.len - 5, "__", 2)
					    ? "__*"
					    : "";

	rule.tool = import_format(im, "\"%.*s%s\"", (int)name.len, name.p, all_of_server);
	if (!rule.stem || !rule.tool)
		return -ENOMEM;
	if (c->spec.p && c->action <= VERDICT_FLAG) {
		import_add_note(
			im, c->text.p,
			"no system call shows this tool, and what is in parentheses cannot be "
			"kept; left out, since it would allow more");
		return 0;
	}
	import_add_note(im, c->text.p,
			"no system call shows this tool; the rule decides 'policy eval' only%s",
			c->spec.p ? ", and for any arguments" : "");
	import_add_rule(im, &rule);
	return 0;
}

static bool is_tool_name(struct bytes s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= 'A' && s.p[i] <= 'Z') ||
		      (s.p[i] >= '0' && s.p[i] <= '9') || strchr("_-*.", s.p[i])))
			return false;
	return s.len > 0;
}

static int add_one(struct import *im, const struct claude_list *list, const struct value *v)
{
	struct claude_rule c = {.list = list->key, .action = list->action};
	const char *paren;

	if (v->type != VALUE_STRING)
		return diag_set(im->diag, im->file, v->line, v->column,
				"permissions.%s must be a list of strings", list->key);
	c.text = c.tool = v->text;
	paren = v->text.len ? memchr(v->text.p, '(', v->text.len) : NULL;
	if (paren && v->text.p[v->text.len - 1] == ')') {
		c.tool.len = (size_t)(paren - v->text.p);
		c.spec = (struct bytes){.p = paren + 1, .len = v->text.len - c.tool.len - 2};
	}
	if (!is_tool_name(c.tool))
		return diag_set(
			im->diag, im->file, v->line, v->column,
			"permissions.%s: '%.60s' is no rule; expected Tool or Tool(pattern)",
			list->key, v->text.p);
	for (size_t i = 0; i < ARRAY_SIZE(tools); i++)
		if (bytes_eq_str(c.tool, tools[i].tool)) {
			if (tools[i].add == add_bash && !c.spec.p)
				c.spec = BYTES_LIT("*");
			return tools[i].add(im, &c);
		}
	return add_by_name(im, &c);
}

/* ---- the sandbox's lists */

/* Denials stand before what permissions ask and allow, the exceptions from them before those. */
static const struct sandbox_list {
	const char *section, *key;
	enum verdict action;
	bool is_early;
} sandbox_lists[] = {
	{"filesystem", "denyWrite", VERDICT_DENY, true},
	{"filesystem", "allowRead", VERDICT_ALLOW, true},
	{"filesystem", "denyRead", VERDICT_DENY, true},
	{"network", "deniedDomains", VERDICT_DENY, true},
	{"filesystem", "allowWrite", VERDICT_ALLOW, false},
	{"network", "allowedDomains", VERDICT_ALLOW, false},
};

static int add_sandbox_list(struct import *im, const struct value *sandbox,
			    const struct sandbox_list *l)
{
	const struct value *list = value_get(value_get(sandbox, l->section), l->key);
	const char *op = strstr(l->key, "Read") ? "read" : "change";

	for (const struct value *v = list && list->type == VALUE_LIST ? list->first : NULL; v;
	     v = v->next) {
		struct bytes pattern = v->text;
		const char *from;
		int r;

		if (v->type != VALUE_STRING)
			continue;
		from = import_format(im, "sandbox.%s.%s: %s", l->section, l->key, v->text.p);
		if (pattern.len && pattern.p[0] == '/') /* here one slash is the root */
			pattern = bytes_of(import_format(im, "/%s", pattern.p));
		if (!from || !pattern.p)
			return -ENOMEM;
		if (streq(l->section, "network"))
			r = add_domain_rule(im, verdict_name(l->action), from, l->action, v->text);
		else
			r = add_path_rule(im, verdict_name(l->action), from, l->action, op,
					  pattern);
		if (r < 0)
			return r;
	}
	return 0;
}

static int add_sandbox_lists(struct import *im, const struct value *sandbox, bool is_early)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(sandbox_lists); i++)
		if (sandbox_lists[i].is_early == is_early)
			r = add_sandbox_list(im, sandbox, &sandbox_lists[i]);
	return r;
}

static int add_directories(struct import *im, const struct value *permissions)
{
	const struct value *list = value_get(permissions, "additionalDirectories");

	/* They widen what may be edited; that is asked about unless edits are accepted. */
	for (const struct value *v = list && list->type == VALUE_LIST ? list->first : NULL; v;
	     v = v->next) {
		int r;

		if (v->type != VALUE_STRING || v->text.len == 0)
			continue;
		r = add_path_rule(
			im, "allow", "permissions.additionalDirectories", VERDICT_ALLOW, "change",
			v->text.p[0] == '/' ? bytes_of(import_format(im, "/%s", v->text.p))
					    : v->text);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- modes */

static const struct {
	const char *mode;
	enum verdict write, network;
	bool edits_project;
} modes[] = {
	{"default", VERDICT_ASK, VERDICT_ASK, false},
	{"manual", VERDICT_ASK, VERDICT_ASK, false},
	{"acceptEdits", VERDICT_ASK, VERDICT_ASK, true},
	{"plan", VERDICT_DENY, VERDICT_ASK, false},
	{"dontAsk", VERDICT_DENY, VERDICT_DENY, false},
	{"bypassPermissions", VERDICT_ALLOW, VERDICT_ALLOW, false},
};

static int set_mode(struct import *im, const struct value *permissions)
{
	const struct value *v = value_get(permissions, "defaultMode");
	struct bytes mode = v && v->type == VALUE_STRING ? v->text : BYTES_LIT("default");
	size_t i = 0;

	while (i < ARRAY_SIZE(modes) && !bytes_eq_str(mode, modes[i].mode))
		i++;
	if (i == ARRAY_SIZE(modes)) {
		import_add_note(im, "permissions.defaultMode",
				"'%.60s' has no equivalent; taken as 'default'", mode.p);
		i = 0;
	}
	import_add_note(im, "commands that no rule names",
			"Claude Code asks before each; here they are allowed, because every helper "
			"program of a command would ask. 'tool: ask' below changes that");
	import_set_default(im, VERDICT_ALLOW, VERDICT_ALLOW, modes[i].write, modes[i].network);
	if (!modes[i].edits_project)
		return 0;
	return add_path_rule(im, "allow", "permissions.defaultMode: acceptEdits", VERDICT_ALLOW,
			     "change", BYTES_LIT("./**"));
}

/* ---- the whole */

static void note_other_keys(struct import *im, const struct value *root)
{
	for (const struct value *k = root->first; k; k = k->next->next)
		if (!bytes_eq_str(k->text, "permissions") && !bytes_eq_str(k->text, "sandbox") &&
		    !bytes_eq_str(k->text, "$schema"))
			import_add_note(im, k->text.p, "not a matter of a policy; left out");
}

static int add_list(struct import *im, const struct value *permissions, const struct claude_list *l)
{
	const struct value *list = value_get(permissions, l->key);
	int r = 0;

	if (list && list->type != VALUE_LIST)
		return diag_set(im->diag, im->file, list->line, list->column,
				"permissions.%s must be a list of strings", l->key);
	for (const struct value *v = list ? list->first : NULL; r == 0 && v; v = v->next)
		r = add_one(im, l, v);
	return r;
}

int import_claude(struct import *im, struct bytes text)
{
	const struct value *permissions, *sandbox;
	struct value *root = NULL;
	int r = value_parse_json(text, im->mem, &root, im->diag);

	if (r == -EINVAL)
		(void)snprintf(im->diag->file, sizeof(im->diag->file), "%s", im->file);
	if (r < 0)
		return r;
	permissions = value_get(root, "permissions");
	sandbox = value_get(root, "sandbox");
	if (!permissions && !sandbox)
		return diag_set(
			im->diag, im->file, 1, 1,
			"there is neither 'permissions' nor 'sandbox' in it; expected Claude "
			"Code's settings.json");
	if ((permissions && permissions->type != VALUE_MAP) ||
	    (sandbox && sandbox->type != VALUE_MAP))
		return diag_set(im->diag, im->file, 1, 1,
				"'permissions' and 'sandbox' must be objects");
	note_other_keys(im, root);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(lists); i++) {
		r = add_list(im, permissions, &lists[i]);
		if (r == 0 && lists[i].action == VERDICT_DENY)
			r = add_sandbox_lists(im, sandbox, true);
	}
	if (r == 0)
		r = add_sandbox_lists(im, sandbox, false);
	if (r == 0)
		r = add_directories(im, permissions);
	return r < 0 ? r : set_mode(im, permissions);
}
