/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as JSON, as an action, to the verdict of a fixed stack. What is refused says why; what
 * is taken has at least one query, and each is one that the policy core can be asked.
 */
#include "policy/apiaction.h"

#define ARENA_BYTES ((size_t)64 << 20)

static const char rules[] =
	"version: 1\n"
	"name: fuzz\n"
	"default: {tool: ask, read: allow, write: deny, network: ask}\n"
	"rules:\n"
	"  - {name: push, match: {tool: git, args_pattern: 'push\\s.*-f'}, action: deny}\n"
	"  - {name: shell, match: {tool: '*sh'}, action: flag}\n"
	"  - {name: keys, match: {path: ['/home/u/.ssh/**', '**/*.pem']}, action: deny}\n"
	"  - {name: net, match: {address: [127.0.0.0/8], port: 1-1024}, action: allow}\n";

static struct policy_stack *stack;
static struct policy_scratch *scratch;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(_unused_ int *argc, _unused_ char ***argv)
{
	static const struct policy_vars vars = {
		.home = "/home/u", .project = "/home/u/p", .tmp = "/tmp"};
	struct policy *p = NULL;
	struct diag d = {};

	if (policy_parse("fuzz.yaml", BYTES_LIT(rules), &vars, &p, &d) < 0 ||
	    policy_stack_new(&p, 1, false, &stack, &d) < 0)
		abort();
	scratch = policy_scratch_new(stack);
	return scratch ? 0 : -1;
}

/* Every byte of a text is readable. */
static size_t touch(struct bytes s)
{
	size_t sum = 0;

	for (size_t i = 0; i < s.len; i++)
		sum += (unsigned char)s.p[i];
	return sum;
}

static void ask(const struct policy_query *q)
{
	struct policy_result result;
	size_t sum = touch(q->args) + touch(q->path) + touch(q->cwd) + touch(q->agent);

	for (size_t i = 0; i < q->argc; i++)
		sum += touch(q->argv[i]);
	for (size_t i = 0; i < q->n_names; i++)
		sum += touch(q->names[i].name);
	for (size_t i = 0; i < q->n_domains; i++)
		sum += touch(q->domains[i]);
	if (sum == SIZE_MAX)
		abort();
	policy_stack_eval(stack, scratch, q, &result);
	if (result.source.reason && streq(result.source.reason, "internal-error"))
		abort(); /* no query that may not be asked */
}

static void try_split(struct bytes text, struct arena *mem)
{
	struct diag d = {};
	struct bytes *argv;
	size_t argc, sum = 0;
	int r = apiaction_split(text, mem, &argv, &argc, &d);

	if (r == -EINVAL && !d.message[0])
		abort();
	for (size_t i = 0; r == 0 && i < argc; i++)
		sum += touch(argv[i]);
	if (sum == SIZE_MAX)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes text = {.p = (const char *)data, .len = size};
	struct arena mem = ARENA_INIT(ARENA_BYTES);
	struct apiaction a;
	struct diag d = {};
	struct value *v;
	int r;

	try_split(text, &mem);
	r = value_parse_json(text, &mem, &v, &d);
	if (r == 0)
		r = apiaction_from_value(v, &mem, &a, &d);
	if (r == -EINVAL && !d.message[0])
		abort(); /* a refusal says why */
	if (r == 0 && a.n == 0)
		abort();
	policy_scratch_reset(scratch);
	for (size_t i = 0; r == 0 && i < a.n; i++)
		ask(&a.queries[i]);
	arena_fini(&mem);
	return 0;
}
