/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The elements of a rule's `argv`, one a line, alternatives separated by tabs; after an empty line
 * a byte of flags and the arguments of a command, one a line. The tables and the walk must agree,
 * and what an allow rule matches a deny rule must match, too.
 */
#include "base/strbuf.h"

#include "policy/policy.h"

#define MAX_ARGS 16

static const struct policy_vars vars = {
	.home = "/home/u", .project = "/home/u/proj", .tmp = "/tmp/session"};

static void add_quoted(struct strbuf *b, struct bytes text)
{
	strbuf_add_str(b, "'");
	for (size_t i = 0; i < text.len; i++)
		strbuf_add(b, text.p[i] == '\'' ? "''" : text.p + i, text.p[i] == '\'' ? 2 : 1);
	strbuf_add_str(b, "'");
}

/* Takes what comes before @end, and @end itself. */
static struct bytes take(struct bytes *in, char end)
{
	const char *at = in->len ? memchr(in->p, end, in->len) : NULL;
	struct bytes part = {.p = in->p, .len = at ? (size_t)(at - in->p) : in->len};
	size_t used = part.len + (at != NULL);

	in->p += used;
	in->len -= used;
	return part;
}

static void write_policy(struct strbuf *b, struct bytes *in, const char *action)
{
	strbuf_add_fmt(b, "{version: 1, name: f, default: ask, rules: [{name: r, action: %s, ",
		       action);
	strbuf_add_str(b, "match: {argv: [");
	while (in->len) {
		struct bytes line = take(in, '\n');

		if (line.len == 0)
			break;
		strbuf_add_str(b, "[");
		while (line.len) {
			add_quoted(b, take(&line, '\t'));
			strbuf_add_str(b, ", ");
		}
		strbuf_add_str(b, "], ");
	}
	strbuf_add_str(b, "]}}]}");
}

static void on_match(void *ctx, const struct policy_match *m)
{
	enum verdict *v = ctx;

	if (m->is_deciding)
		*v = m->verdict;
}

/* Return: whether the rule matched; *ret_is_limit: nobody knows. */
static bool eval(struct bytes text, const struct policy_query *q, bool *ret_is_limit)
{
	enum verdict walked = _VERDICT_MAX;
	struct policy_scratch *scratch = NULL;
	struct policy_stack *stack = NULL;
	struct policy_result r = {};
	struct policy *p = NULL;
	struct diag d = {};

	if (policy_parse("f", text, &vars, &p, &d) < 0 ||
	    policy_stack_new(&p, 1, false, &stack, &d) < 0)
		return false;
	scratch = policy_scratch_new(stack);
	if (!scratch)
		abort();
	policy_stack_eval(stack, scratch, q, &r);
	policy_stack_each(stack, scratch, q, on_match, &walked);
	if (r.verdict != walked)
		abort();
	*ret_is_limit |= r.source.reason != NULL;
	policy_scratch_free(scratch);
	policy_stack_free(stack);
	return r.source.rule;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(strbuf_fini) struct strbuf allow = STRBUF_INIT(1 << 16);
	_cleanup_(strbuf_fini) struct strbuf deny = STRBUF_INIT(1 << 16);
	const struct bytes all = {.p = (const char *)data, .len = size};
	const struct policy_name names[] = {
		{.name = BYTES_LIT("bash")},
		{.name = BYTES_LIT("git"), .is_untrusted = size & 1},
	};
	struct bytes in = all, again = all, argv[MAX_ARGS];
	struct policy_query q = {.kind = KIND_TOOL,
				 .op = OP_EXEC,
				 .names = names,
				 .n_names = ARRAY_SIZE(names),
				 .path = BYTES_LIT("/usr/bin/tool"),
				 .argv = argv};
	bool allows, denies, is_limit = false;

	if (size > 2000)
		return 0;
	write_policy(&allow, &in, "allow");
	write_policy(&deny, &again, "deny");
	if (in.len) {
		q.is_argv_cut = in.p[0] & 1;
		if (in.p[0] & 2)
			q.path = BYTES_NULL;
		in.p++;
		in.len--;
	}
	while (in.len && q.argc < MAX_ARGS)
		argv[q.argc++] = take(&in, '\n');
	allows = eval(strbuf_bytes(&allow), &q, &is_limit);
	denies = eval(strbuf_bytes(&deny), &q, &is_limit);
	if (allows && !denies && !is_limit)
		abort();
	return 0;
}
