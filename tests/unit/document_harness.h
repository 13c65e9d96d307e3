/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of whole documents: files that exist in memory only, tables of refusals.
 */
#pragma once

#include "tests/unit/policy_harness.h"

#define HEAD    "version: 1\nname: t\n"
#define ANY     HEAD "default: allow\n"
#define RULE(x) HEAD "rules:\n- {name: r, action: deny, match: {tool: git}, " x "}\n"
#define ASK(x)  HEAD "rules:\n- {name: r, action: ask, match: {tool: git}, " x "}\n"
#define FRAGMENT_RULE(name, tool, action)                                                          \
	"rules:\n- {name: " name ", match: {tool: " tool "}, action: " action "}\n"

/* ---- files that exist in memory only */

struct file {
	const char *name;
	const char *text;
};

#define HARNESS_MAX_FILES 80

struct files {
	struct file files[HARNESS_MAX_FILES]; /* the first is the document; a NULL name ends them */
};

static inline int harness_read_file(void *ctx, _unused_ const char *from, const char *name,
				    struct policy_text *ret, struct diag *d)
{
	struct files *files = ctx;

	for (const struct file *f = files->files; f < files->files + HARNESS_MAX_FILES && f->name;
	     f++)
		if (streq(f->name, name)) {
			*ret = (struct policy_text){.file = f->name, .text = bytes_of(f->text)};
			return 0;
		}
	return diag_set(d, NULL, 0, 0, "there is no '%s'", name);
}

static inline int harness_load_files(struct files *files, struct policy **ret, struct diag *d)
{
	const struct policy_load load = {.file = files->files[0].name,
					 .text = bytes_of(files->files[0].text),
					 .vars = &harness_vars,
					 .read = harness_read_file,
					 .read_ctx = files};

	*ret = NULL;
	*d = (struct diag){};
	return policy_load(&load, ret, d);
}

static inline struct harness harness_files(struct files *files)
{
	struct harness h = {};
	struct policy *p;
	struct diag d;

	if (harness_load_files(files, &p, &d) < 0)
		fail_msg("%s:%u:%u: %s", d.file, d.line, d.column, d.message);
	assert_int_equal(policy_stack_new(&p, 1, false, &h.stack, &d), 0);
	h.scratch = policy_scratch_new(h.stack);
	assert_non_null(h.scratch);
	return h;
}

struct refusal {
	const char *text;
	unsigned line, column;
	const char *says;
};

static inline void check_refusals(const struct refusal *cases, size_t n)
{
	unsigned int wrong = 0;

	for (size_t i = 0; i < n; i++) {
		struct diag d;

		harness_parse_error(cases[i].text, strlen(cases[i].text), &d);
		if (d.line == cases[i].line && d.column == cases[i].column &&
		    strstr(d.message, cases[i].says) && streq(d.file, "test.yaml"))
			continue;
		print_error("%zu: %u:%u: %s\n   expected %u:%u ...%s...\n", i, d.line, d.column,
			    d.message, cases[i].line, cases[i].column, cases[i].says);
		wrong++;
	}
	assert_int_equal(wrong, 0);
}

static inline void check_file_refusal(struct files *files, const char *file, unsigned int line,
				      unsigned int column, const char *says)
{
	struct policy *p;
	struct diag d;

	if (harness_load_files(files, &p, &d) == 0)
		fail_msg("the policy loads; expected ...%s...", says);
	if (!streq(d.file, file) || d.line != line || d.column != column ||
	    !strstr(d.message, says))
		fail_msg("%s:%u:%u: %s\n   expected %s:%u:%u ...%s...", d.file, d.line, d.column,
			 d.message, file, line, column, says);
}

static inline struct policy_result eval_exec(struct harness *h, const char *name, const char *args)
{
	const struct policy_name names[] = {{.name = bytes_of(name)}};
	const struct policy_query q = {.kind = KIND_TOOL,
				       .op = OP_EXEC,
				       .names = names,
				       .n_names = 1,
				       .args = bytes_of(args),
				       .minute_of_week = POLICY_TIME_UNKNOWN};
	struct policy_result r;

	policy_stack_eval(h->stack, h->scratch, &q, &r);
	return r;
}
