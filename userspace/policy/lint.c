/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/strbuf.h"
#include "policy/aliases.h"
#include "policy/covers.h"
#include "policy/dialect.h"
#include "policy/index.h"
#include "policy/lint.h"
#include "policy/naive.h"
#include "policy/regex_lint.h"
#include "policy/secrets.h"

#define LINT_TEXT_MAX ((size_t)16 * 1024)
/* Rules are compared with all before them; past this that takes longer than anybody waits. */
#define LINT_MAX_COMPARED 20000

struct linter {
	const struct policy *p;
	const struct lint *lint;
	struct policy_scratch *scratch;
	const struct rule **order; /* as they are asked */
};

static void tell(const struct linter *l, const char *code, const char *file, unsigned line,
		 unsigned column, const char *hint, const char *fmt, ...) _printf_(7, 8);

static void tell(const struct linter *l, const char *code, const char *file, unsigned line,
		 unsigned column, const char *hint, const char *fmt, ...)
{
	struct strbuf text = STRBUF_INIT(LINT_TEXT_MAX);
	struct lint_finding f = {
		.code = code, .file = file, .line = line, .column = column, .hint = hint};
	va_list ap;

	va_start(ap, fmt);
	strbuf_add_vfmt(&text, fmt, ap);
	va_end(ap);
	f.message = strbuf_str(&text);
	l->lint->found(l->lint->ctx, &f);
	strbuf_fini(&text);
}

/* ---- rules that never decide */

/* @by on line @by_line takes all that @rule matches; unless @is_by_one, together with others. */
static void tell_unreached(const struct linter *l, const char *file,
			   const struct dialect_rule *rule, const char *by, unsigned by_line,
			   bool is_by_allow, bool is_by_one)
{
	if (is_by_allow && rule->verdict >= VERDICT_ASK)
		tell(l, "allow-before-deny", file, rule->line, rule->column,
		     "put the stricter rule above the wider one, or give it a lower priority",
		     "the rule '%s' (%s) never decides: '%s' on line %u allows all that it matches "
		     "and is asked first",
		     rule->name, verdict_name(rule->verdict), by, by_line);
	else if (is_by_one)
		tell(l, "shadowed-rule", file, rule->line, rule->column,
		     "remove it, or put it above the other",
		     "the rule '%s' never decides: '%s' on line %u matches all that it does and is "
		     "asked first",
		     rule->name, by, by_line);
	else
		tell(l, "unreachable-rule", file, rule->line, rule->column,
		     "remove it, or put it above the others",
		     "the rule '%s' never decides: '%s' on line %u and others match all that it does "
		     "and are asked first",
		     rule->name, by, by_line);
}

struct cover {
	struct linter *l;
	size_t rank;              /* of the rule that is looked at */
	const struct rule *by;    /* the first that covers an atom */
	bool is_by_one;           /* and all others */
	bool is_by_allow;         /* some atom falls to an allow or flag */
	const struct rule *allow; /* which */
};

/* Notes which earlier rule takes @atom. Return: whether one does. */
static bool cover_atom(struct cover *c, const struct atom *atom)
{
	for (size_t i = 0; i < c->rank; i++) {
		const struct rule *a = c->l->order[i];

		if (!(a->match.ops & OP_BIT(atom->op)) || a->n_unless)
			continue;
		if (!covers_atom(&a->match, atom, policy_scratch_regex(c->l->scratch)))
			continue;
		if (!c->by)
			c->by = a;
		c->is_by_one &= c->by == a;
		if (a->action <= VERDICT_FLAG && !c->is_by_allow) {
			c->is_by_allow = true;
			c->allow = a;
		}
		return true;
	}
	return false;
}

/* The lists of @m one after the other, each of whose alternatives the atom takes in turn. */
static bool cover_domains(struct cover *c, struct atom *atom)
{
	if (atom->of->n_domains == 0)
		return cover_atom(c, atom);
	for (size_t i = 0; i < atom->of->n_domains; i++) {
		atom->domain = &atom->of->domains[i];
		if (!cover_atom(c, atom))
			return false;
	}
	return true;
}

static bool cover_addresses(struct cover *c, struct atom *atom)
{
	if (atom->of->n_addresses == 0)
		return cover_domains(c, atom);
	for (size_t i = 0; i < atom->of->n_addresses; i++) {
		atom->address = &atom->of->addresses[i];
		if (!cover_domains(c, atom))
			return false;
	}
	return true;
}

static bool cover_paths(struct cover *c, struct atom *atom)
{
	if (!atom->of->paths)
		return cover_addresses(c, atom);
	for (const struct glob *g = atom->of->paths; g; g = g->next) {
		atom->path = g;
		if (!cover_addresses(c, atom))
			return false;
	}
	return true;
}

/* Without `tool`, the first word of `argv` names the command. */
static bool cover_tools(struct cover *c, struct atom *atom)
{
	const struct matcher *m = atom->of;
	const struct tool_pattern *tools = m->n_tools  ? m->tools
					   : m->n_argv ? m->argv[0].any
						       : NULL;
	size_t n = m->n_tools ? m->n_tools : m->n_argv ? m->argv[0].n : 0;

	if (n == 0)
		return cover_paths(c, atom);
	for (size_t i = 0; i < n; i++) {
		atom->tool = &tools[i];
		if (!cover_paths(c, atom))
			return false;
	}
	return true;
}

static void lint_reach(struct linter *l, size_t rank)
{
	const struct rule *rule = l->order[rank];
	struct cover c = {.l = l, .rank = rank, .is_by_one = true};

	for (unsigned int op = 0; op < OP_SYSCALL; op++) {
		struct atom atom = {.op = (enum action_op)op, .of = &rule->match};

		if ((rule->match.ops & OP_BIT(op)) && !cover_tools(&c, &atom))
			return;
	}
	if (c.by)
		tell_unreached(
			l, rule->file,
			&(struct dialect_rule){rule->name, rule->action, rule->line, rule->column},
			c.is_by_allow ? c.allow->name : c.by->name,
			c.is_by_allow ? c.allow->line : c.by->line, c.is_by_allow, c.is_by_one);
}

/* ---- patterns */

static void tell_redos(const struct linter *l, const char *file, unsigned line, unsigned column,
		       const char *rule, const char *why)
{
	tell(l, "redos", file, line, column,
	     "repeat what cannot match the same text in two ways; a search that takes too long is "
	     "denied with the reason regex-limit",
	     "the rule '%s' has a regular expression that some texts make slow: %s", rule, why);
}

static void lint_regex(struct linter *l, const struct rule *rule, const struct regex *regex)
{
	char why[REGEX_WHY_SIZE];

	if (regex_is_redos_prone(regex_text(regex), why))
		tell_redos(l, rule->file, rule->line, rule->column, rule->name, why);
}

static void lint_tools(struct linter *l, const struct rule *rule, const struct tool_pattern *tools,
		       size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (tools[i].type == TOOL_REGEX)
			lint_regex(l, rule, tools[i].regex);
}

/* A list that names both the link and what it leads to is meant for several systems. */
static bool names_path(const struct glob *list, struct bytes path)
{
	for (; list; list = list->next)
		if (glob_match(list, path) || bytes_eq(list->prefix, path))
			return true;
	return false;
}

/* The literal directory that a glob's matches are in: what links it goes through can be asked. */
static void lint_glob(struct linter *l, const struct rule *rule, const struct matcher *m,
		      const struct glob *g)
{
	char path[GLOB_MAX_BYTES + 1];
	const char *real;
	size_t len = g->prefix.len;

	if (!l->lint->resolve)
		return;
	/* A name that the pattern goes on in is no directory by itself. */
	if (!glob_is_literal(g) && g->tokens[0].type != GLOB_TREE)
		while (len && g->prefix.p[len - 1] != '/')
			len--;
	if (len <= 1 || g->prefix.p[0] != '/')
		return;
	memcpy(path, g->prefix.p, len);
	path[len - (path[len - 1] == '/')] = '\0';
	/* Links that lead elsewhere for each process are named for all of them. */
	if (bytes_has_prefix(g->prefix, BYTES_LIT("/dev/")))
		return;
	real = l->lint->resolve(l->lint->ctx, path);
	if (!real || streq(real, path) || names_path(m->paths, bytes_of(real)))
		return;
	tell(l, "pattern-never-matches", rule->file, rule->line, rule->column,
	     "write the path that the link leads to",
	     "the rule '%s' names '%s', but that is a link to '%s', and rules see resolved paths",
	     rule->name, path, real);
}

static void lint_matcher(struct linter *l, const struct rule *rule, const struct matcher *m)
{
	lint_tools(l, rule, m->tools, m->n_tools);
	lint_tools(l, rule, m->parents, m->n_parents);
	lint_tools(l, rule, m->listeners, m->n_listeners);
	for (size_t i = 0; i < m->n_args; i++)
		lint_regex(l, rule, m->args[i]);
	for (size_t i = 0; i < m->n_argv; i++)
		lint_tools(l, rule, m->argv[i].any, m->argv[i].n);
	for (const struct glob *g = m->paths; g; g = g->next)
		lint_glob(l, rule, m, g);
}

/* ---- secrets */

struct first {
	enum verdict verdict;
	const char *rule;
	bool is_found;
};

static void take_first(void *ctx, const struct rule *rule, bool is_limit)
{
	struct first *f = ctx;

	if (f->is_found)
		return;
	*f = (struct first){.verdict = is_limit ? VERDICT_DENY : rule->action,
			    .rule = rule->name,
			    .is_found = true};
}

static enum verdict verdict_on_read(struct linter *l, const char *path, const char **ret_rule)
{
	struct policy_query q = {.kind = KIND_PATH,
				 .op = OP_READ,
				 .path = bytes_of(path),
				 .args = bytes_of(path),
				 .minute_of_week = POLICY_TIME_UNKNOWN};
	struct dialect_answer a = {.verdict = VERDICT_DENY};
	struct first f = {.verdict = l->p->defaults[OP_READ]};

	q.names = policy_op_aliases(OP_READ, &q.n_names);
	policy_scratch_reset(l->scratch);
	if (l->p->dialect) {
		l->p->dialect->eval(l->p->doc, l->scratch, &q, &a);
		*ret_rule = NULL;
		return a.verdict;
	}
	naive_each(l->p, policy_scratch_regex(l->scratch), &q, take_first, &f);
	*ret_rule = f.rule;
	return f.verdict;
}

static void lint_secrets(struct linter *l)
{
	struct strbuf list = STRBUF_INIT(LINT_TEXT_MAX);
	size_t n = 0;

	for (size_t i = 0; i < policy_secrets_count; i++) {
		const char *sample = policy_secrets[i].sample;
		char path[GLOB_MAX_BYTES];
		const char *rule;
		bool is_home;

		if (!sample)
			continue;
		is_home = sample[0] == '~';
		(void)snprintf(path, sizeof(path), "%s%s",
			       is_home ? l->lint->vars->home : l->lint->vars->project,
			       strchr(sample, '/'));
		if (verdict_on_read(l, path, &rule) != VERDICT_ALLOW)
			continue; /* a flag puts it before a person */
		strbuf_add_fmt(&list, "%s%s", n++ ? ", " : "", sample);
		if (rule)
			strbuf_add_fmt(&list, " (rule '%s')", rule);
	}
	if (n)
		tell(l, "secrets-readable", l->p->file, 1, 1,
		     "add a rule such as: {name: secrets, match: {path: [\"~/.ssh/**\", "
		     "\"~/.aws/**\", \"**/.env\"], op: read}, action: deny}",
		     "the policy lets secrets be read: %s", strbuf_str(&list));
	strbuf_fini(&list);
}

/* ---- dialects */

static void lint_dialect_reach(struct linter *l, const struct dialect *d, const void *doc)
{
	size_t n = d->rule_count(doc);

	for (size_t j = 1; n <= LINT_MAX_COMPARED && j < n; j++)
		for (size_t i = 0; i < j; i++) {
			struct dialect_rule a, b;

			if (!d->covers(doc, policy_scratch_regex(l->scratch), i, j))
				continue;
			d->rule(doc, i, &a);
			d->rule(doc, j, &b);
			tell_unreached(l, l->p->file, &b, a.name, a.line, a.verdict <= VERDICT_FLAG,
				       true);
			break;
		}
}

static void lint_dialect_regex(void *ctx, const struct dialect_rule *rule, struct bytes pattern)
{
	const struct linter *l = ctx;
	char why[REGEX_WHY_SIZE];

	if (pyregex_is_redos_prone(pattern, why))
		tell_redos(l, l->p->file, rule->line, rule->column, rule->name, why);
}

static void lint_dialect_never(void *ctx, unsigned line, unsigned column, const char *hint,
			       const char *message)
{
	const struct linter *l = ctx;

	tell(l, "pattern-never-matches", l->p->file, line, column, hint, "%s", message);
}

static void lint_dialect(struct linter *l)
{
	const struct dialect *d = l->p->dialect;

	if (d->covers)
		lint_dialect_reach(l, d, l->p->doc);
	if (d->regexes)
		d->regexes(l->p->doc, lint_dialect_regex, l);
	if (d->never)
		d->never(l->p->doc, lint_dialect_never, l);
}

/* ---- the whole */

static void lint_rules(struct linter *l)
{
	for (size_t i = 0; i < l->p->n_rules; i++)
		l->order[i] = &l->p->rules[i];
	qsort(l->order, l->p->n_rules, sizeof(*l->order), index_compare_rules);
	for (size_t i = 0; i < l->p->n_rules; i++) {
		const struct rule *rule = l->order[i];

		if (l->p->n_rules <= LINT_MAX_COMPARED)
			lint_reach(l, i);
		lint_matcher(l, rule, &rule->match);
		for (size_t j = 0; j < rule->n_unless; j++)
			lint_matcher(l, rule, &rule->unless[j]);
	}
}

int policy_lint(const struct policy *p, const struct lint *lint)
{
	struct linter l = {.p = p, .lint = lint};
	int r = -ENOMEM;

	l.scratch = policy_scratch_new(NULL);
	l.order = calloc(p->n_rules + 1, sizeof(*l.order));
	if (l.scratch && l.order) {
		if (p->dialect)
			lint_dialect(&l);
		else
			lint_rules(&l);
		/* One that only advises keeps nothing from anybody. */
		if (p->mode == POLICY_MODE_ENFORCE)
			lint_secrets(&l);
		r = 0;
	}
	policy_scratch_free(l.scratch);
	free(l.order);
	return r;
}
