/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `holdfast policy check`: errors, which a policy is refused for, and warnings, which it is not.
 * Each policy is read by itself; one that is refused does not keep the others from being looked at.
 */
#include <getopt.h>
#include <limits.h>
#include <stdio.h>

#include "base/json.h"
#include "base/say.h"
#include "policy/lint.h"

#include "cli/policy_commands.h"
#include "cli/policy_use.h"

#define OUTPUT_MAX ((size_t)64 << 20)

static const char usage[] =
	"usage: holdfast policy check [OPTIONS] NAME|FILE...\n"
	"\n"
	"Reads each policy as `run` would, runs its examples, and says what is wrong with it and what\n"
	"is odd: rules that never decide, an allow before the deny that it swallows, patterns that\n"
	"cannot match, expressions that can be made slow, secrets that stay readable.\n"
	"\n"
	"      --json    {\"policies\": [...], \"findings\": [{file, line, column, severity, code,\n"
	"                message, hint}...]}\n"
	"      --strict  warnings count as errors\n"
	"      --language L, --default V, --home D, --project D\n"
	"                as for `holdfast policy eval`\n"
	"\n"
	"Exit status: 0 good, 1 an error was found, 2 wrong usage.\n";

enum {
	OPTION_JSON = 256,
	OPTION_STRICT,
};

struct check {
	struct policy_use use; /* the options; each policy is read with a copy */
	bool is_json, is_strict;
	size_t n_errors, n_warnings;
	size_t n_own;                     /* findings of the policy that is looked at */
	struct strbuf policies, findings; /* JSON, elements only */
	char resolved[PATH_MAX];
};

static void add_finding(struct check *c, const char *severity, const struct lint_finding *f)
{
	struct json j = JSON_INIT(&c->findings);

	if (c->findings.len)
		strbuf_add_char(&c->findings, ',');
	json_begin_object(&j);
	json_key_cstr(&j, "file", f->file);
	json_key_u64(&j, "line", f->line);
	json_key_u64(&j, "column", f->column);
	json_key_cstr(&j, "severity", severity);
	json_key_cstr(&j, "code", f->code);
	json_key_cstr(&j, "message", f->message);
	json_key_cstr(&j, "hint", f->hint);
	json_end_object(&j);
}

static void print_finding(struct check *c, bool is_error, const struct lint_finding *f)
{
	struct diag d = {.line = f->line, .column = f->column};

	if (is_error)
		c->n_errors++;
	else
		c->n_warnings++;
	c->n_own++;
	if (c->is_json) {
		add_finding(c, is_error ? "error" : "warning", f);
		return;
	}
	(void)snprintf(d.file, sizeof(d.file), "%s", f->file ? f->file : "");
	if (is_error)
		(void)snprintf(d.message, sizeof(d.message), "%s", f->message);
	else
		(void)snprintf(d.message, sizeof(d.message), "%s [%s]%s%s", f->message, f->code,
			       f->hint ? "; " : "", f->hint ? f->hint : "");
	say_diag(is_error ? "" : "warning: ", &d);
}

static void found(void *ctx, const struct lint_finding *f)
{
	print_finding(ctx, false, f);
}

static void warned(void *ctx, const struct diag *d)
{
	const struct lint_finding f = {.code = "odd-document",
				       .file = d->file,
				       .line = d->line,
				       .column = d->column,
				       .message = d->message};

	print_finding(ctx, false, &f);
}

static const char *resolve(void *ctx, const char *path)
{
	struct check *c = ctx;

	return realpath(path, c->resolved);
}

static void add_policy(struct check *c, const char *name, const struct policyset *set)
{
	const struct policy *p = set ? policy_stack_get(set->stack, 0) : NULL;
	struct json j = JSON_INIT(&c->policies);

	if (c->policies.len)
		strbuf_add_char(&c->policies, ',');
	json_begin_object(&j);
	json_key_cstr(&j, "name", p ? policy_name(p) : name);
	json_key_cstr(&j, "file", p ? policy_file(p) : NULL);
	json_key_bool(&j, "ok", p != NULL);
	json_key_cstr(&j, "language", p ? policy_language_name(policy_get_language(p)) : NULL);
	json_key_u64(&j, "rules", p ? policy_rule_count(p) : 0);
	json_end_object(&j);
}

static int refuse(struct check *c, const char *name, const struct diag *d)
{
	const struct lint_finding f = {.code = "invalid-policy",
				       .file = d->file[0] || !c->is_json ? d->file : name,
				       .line = d->line,
				       .column = d->column,
				       .message = d->message};

	add_policy(c, name, NULL);
	print_finding(c, true, &f);
	return 0;
}

static int check_one(struct check *c, const char *name)
{
	_cleanup_(policy_use_fini) struct policy_use use = c->use;
	struct lint lint = {.found = found, .ctx = c, .resolve = resolve};
	const struct policy *p;
	struct diag d = {};
	int r;

	use.policies[0] = name;
	use.n_policies = 1;
	use.warn = warned;
	use.warn_ctx = c;
	c->n_own = 0;
	r = policy_use_read(&use, &d);
	if (r == -EINVAL)
		return refuse(c, name, &d);
	if (r < 0)
		return r;
	p = policy_stack_get(use.set.stack, 0);
	lint.vars = &(struct policy_vars){.home = use.real_home ? use.real_home : "/nonexistent",
					  .project = use.real_project,
					  .tmp = use.tmp};
	r = policy_lint(p, &lint);
	if (r < 0)
		return r;
	add_policy(c, name, &use.set);
	if (!c->is_json && c->n_own)
		(void)printf("%s: %zu rules, %zu warnings\n", policy_name(p), policy_rule_count(p),
			     c->n_own);
	else if (!c->is_json)
		(void)printf("%s: ok, %zu rules\n", policy_name(p), policy_rule_count(p));
	return 0;
}

static int parse_options(struct check *c, int argc, char **argv)
{
	static const struct option options[] = {POLICY_USE_OPTIONS,
						{"json", no_argument, NULL, OPTION_JSON},
						{"strict", no_argument, NULL, OPTION_STRICT},
						{}};
	const struct policy_use_own own[] = {
		{OPTION_JSON, .flag = &c->is_json}, {OPTION_STRICT, .flag = &c->is_strict}, {}};
	const struct policy_use_command command = {.name = "policy check",
						   .usage = usage,
						   .letters = ":h",
						   .options = options,
						   .own = own};
	int r = policy_use_parse(&command, argc, argv, &c->use);

	if (r)
		return r;
	if (optind == argc) {
		say("policy check: which? holdfast policy check NAME|FILE...");
		return -EINVAL;
	}
	return 0;
}

int policy_check(int argc, char **argv)
{
	struct check c = {.policies = STRBUF_INIT(OUTPUT_MAX), .findings = STRBUF_INIT(OUTPUT_MAX)};
	int r = parse_options(&c, argc, argv);

	if (r)
		return r < 0 ? 2 : 0;
	for (int i = optind; r == 0 && i < argc; i++)
		r = check_one(&c, argv[i]);
	if (r == 0 && c.is_json) {
		r = strbuf_error(&c.policies) ? strbuf_error(&c.policies)
					      : strbuf_error(&c.findings);
		if (r == 0)
			(void)printf("{\"policies\":[%s],\"findings\":[%s]}\n",
				     strbuf_str(&c.policies), strbuf_str(&c.findings));
	}
	strbuf_fini(&c.policies);
	strbuf_fini(&c.findings);
	if (r < 0) {
		say("cannot check: %s", strerror(-r));
		return 1;
	}
	return c.n_errors || (c.is_strict && c.n_warnings) ? 1 : 0;
}
