/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A document, a NUL, and an action as JSON: to a verdict. What every dialect must keep to: a
 * refusal says why; the first thing that matches is what decides; an operation that it calls
 * undecided is allowed.
 */
#pragma once

#include "policy/apiaction.h"
#include "policy/dialect.h"

static const struct policy_vars fuzz_vars = {
	.home = "/home/u", .project = "/home/u/proj", .tmp = "/tmp/session"};

static const struct policy_name fuzz_names[] = {
	{.name = BYTES_LIT("git")},
	{.name = BYTES_LIT("bash")},
	{.name = BYTES_LIT("file_read")},
	{.name = {.p = "memfd:\xff/x", .len = 9}, .is_untrusted = true},
};

struct fuzz_first {
	bool is_told;
	enum verdict verdict;
	const char *rule;
};

static void fuzz_keep_first(void *ctx, const struct dialect_answer *answer)
{
	struct fuzz_first *first = ctx;

	if (!answer->word || (!answer->error && (unsigned int)answer->verdict >= _VERDICT_MAX))
		abort();
	if (!first->is_told)
		*first = (struct fuzz_first){true, answer->verdict, answer->rule};
}

static void fuzz_query(const struct dialect *dialect, const void *doc,
		       struct policy_scratch *scratch, const struct policy_query *q)
{
	struct dialect_answer a = {};
	struct fuzz_first first = {};

	policy_scratch_reset(scratch);
	dialect->eval(doc, scratch, q, &a);
	dialect->each(doc, scratch, q, fuzz_keep_first, &first);
	if (!first.is_told || first.verdict != a.verdict || first.rule != a.rule)
		abort();
	if (a.error && a.verdict != VERDICT_DENY)
		abort();
	if (!q->api && a.verdict != VERDICT_ALLOW && !(dialect->decided_ops(doc) & OP_BIT(q->op)) &&
	    !(a.reason && streq(a.reason, "regex-limit")))
		abort();
}

static void fuzz_action(const struct dialect *dialect, const void *doc,
			struct policy_scratch *scratch, struct bytes text)
{
	_cleanup_(arena_fini) struct arena mem = ARENA_INIT((size_t)64 << 20);
	struct value *v = NULL;
	struct apiaction a;
	struct diag d = {};

	if (value_parse_json(text, &mem, &v, &d) < 0)
		return;
	if (apiaction_from_value(v, &mem, &a, &d) < 0)
		return;
	for (size_t i = 0; i < a.n; i++)
		fuzz_query(dialect, doc, scratch, &a.queries[i]);
}

/* An operation has the names that it has in a session, so that decided_ops holds. */
static void fuzz_process(const struct dialect *dialect, const void *doc,
			 struct policy_scratch *scratch, struct bytes text)
{
	const struct policy_query queries[] = {
		{.kind = KIND_TOOL, .op = OP_EXEC, .names = fuzz_names, .n_names = 4},
		{.kind = KIND_PATH, .op = OP_READ, .names = &fuzz_names[2], .n_names = 1},
		{.kind = KIND_NETWORK, .op = OP_CONNECT},
	};

	for (size_t i = 0; i < ARRAY_SIZE(queries); i++) {
		struct policy_query q = queries[i];

		q.args = text;
		q.minute_of_week = (int)(text.len % 3) - 1;
		if (q.kind == KIND_PATH)
			q.path = text;
		fuzz_query(dialect, doc, scratch, &q);
	}
}

static void fuzz_dialect(const struct dialect *dialect, const uint8_t *data, size_t size)
{
	_cleanup_(arena_fini) struct arena mem = ARENA_INIT((size_t)256 << 20);
	const char *text = (const char *)data, *nul = size ? memchr(text, '\0', size) : NULL;
	size_t n = nul ? (size_t)(nul - text) : size;
	struct policy_load load = {.file = "fuzz.yaml", .text = {text, n}, .vars = &fuzz_vars};
	struct bytes action = {.p = nul ? nul + 1 : text, .len = nul ? size - n - 1 : size};
	_cleanup_(strbuf_fini) struct strbuf shown = STRBUF_INIT((size_t)64 << 20);
	struct policy_scratch *scratch;
	struct value *root = NULL;
	struct diag d = {};
	void *doc = NULL;
	int r;

	if (value_parse_yaml(load.file, load.text, &mem, NULL, NULL, &root, &d) < 0)
		return;
	load.dialect_default = size % 2 ? VERDICT_ALLOW : VERDICT_DENY;
	r = dialect->parse(&load, root, &doc, &d);
	if (r == -EINVAL && !d.message[0])
		abort();
	if (r < 0)
		return;
	/* Nothing of the tree may be needed any more. */
	arena_fini(&mem);
	scratch = policy_scratch_new(NULL);
	if (scratch) {
		fuzz_action(dialect, doc, scratch, action);
		fuzz_process(dialect, doc, scratch, action);
	}
	dialect->show(doc, &shown);
	policy_scratch_free(scratch);
	dialect->free(doc);
}
