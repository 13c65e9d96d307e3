/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as an AgentPolicy document and, after a line "---actions", as actions in JSON. What
 * loads must answer all of them and a set of kernel actions; the first rule that each() tells of
 * must be the one that decides; an operation that is called undecided must be allowed; and the
 * session must account for it.
 */
#include "policy/account.h"
#include "policy/dialect.h"
#include "policy/document.h"

#define MARK         "\n---actions\n"
#define MAX_ACTIONS  64
#define REPORT_BYTES ((size_t)16 << 20)

static const struct policy_vars vars = {
	.home = "/home/u", .project = "/home/u/proj", .tmp = "/tmp/session"};

static const struct policy_name names[] = {
	{.name = {.p = "bash", .len = 4}},
	{.name = {.p = "git", .len = 3}},
	{.name = {.p = "a\xff\0b", .len = 4}, .is_untrusted = true},
};

static const struct bytes domains[] = {{.p = "x.org", .len = 5}, {.p = "Y.\xff", .len = 3}};

static const struct policy_address addresses[] = {
	{.protocol = POLICY_PROTO_TCP,
	 .has_ip = true,
	 .is_v4 = true,
	 .ip = {10, 1, 2, 3},
	 .port = 443},
	{.protocol = POLICY_PROTO_UDP, .has_ip = true, .ip = {0xfd, [15] = 1}, .port = 53},
	{.protocol = POLICY_PROTO_UNIX},
	{.protocol = POLICY_PROTO_OTHER},
};

struct run {
	struct policy_stack *stack;
	struct policy_scratch *scratch;
	struct account *account;
	double now;
	struct policy_match first;
	bool has_first;
};

static void tell(void *ctx, const struct policy_match *match)
{
	struct run *r = ctx;

	if (!r->has_first)
		r->first = *match;
	r->has_first = true;
}

static bool is_same(const char *a, const char *b)
{
	return a && b ? streq(a, b) : a == b;
}

static void ask(struct run *r, struct policy_query *q)
{
	bool is_kernel = !q->api || q->api->type == POLICY_API_NONE;
	struct policy_result result;
	const char *error = NULL;

	q->spent = account_spent(r->account);
	policy_scratch_reset(r->scratch);
	policy_stack_eval(r->stack, r->scratch, q, &result);
	if (!result.source.reason && !result.source.error)
		abort();
	if (is_kernel && result.verdict != VERDICT_ALLOW &&
	    !(policy_stack_decided_ops(r->stack) & OP_BIT(q->op)))
		abort();
	r->has_first = false;
	policy_stack_each(r->stack, r->scratch, q, tell, r);
	if (!r->has_first || r->first.verdict != result.verdict ||
	    !is_same(r->first.source.rule, result.source.rule) ||
	    !is_same(r->first.source.reason, result.source.reason) ||
	    !is_same(r->first.source.error, result.source.error))
		abort();
	r->now += 0.5;
	(void)account_record_query(r->account, q, &result, r->now, &error);
	if (result.source.error && !error)
		abort();
}

static void ask_kernel(struct run *r)
{
	struct policy_query q = {.kind = KIND_TOOL,
				 .op = OP_EXEC,
				 .names = names,
				 .n_names = ARRAY_SIZE(names),
				 .cost = 0.25};

	ask(r, &q);
	for (unsigned int op = OP_READ; op <= OP_TIMES; op++) {
		q = (struct policy_query){.kind = KIND_PATH,
					  .op = (enum action_op)op,
					  .names = names,
					  .n_names = 1,
					  .path = domains[1]};
		ask(r, &q);
	}
	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		q = (struct policy_query){.kind = KIND_NETWORK,
					  .op = OP_CONNECT,
					  .address = &addresses[i],
					  .domains = domains,
					  .n_domains = i % 3};
		ask(r, &q);
		q.op = OP_LISTEN;
		ask(r, &q);
	}
}

static void ask_line(struct run *r, struct bytes line, struct arena *mem)
{
	struct apiaction action;
	struct diag d = {};
	struct value *v;

	if (value_parse_json(line, mem, &v, &d) < 0 ||
	    apiaction_from_value(v, mem, &action, &d) < 0 || action.error)
		return;
	for (size_t i = 0; i < action.n; i++)
		ask(r, &action.queries[i]);
}

static void ask_lines(struct run *r, struct bytes text)
{
	struct arena mem = ARENA_INIT((size_t)64 << 20);

	for (int i = 0; text.len && i < MAX_ACTIONS; i++) {
		const char *end = memchr(text.p, '\n', text.len);
		size_t n = end ? (size_t)(end - text.p) : text.len;

		ask_line(r, (struct bytes){.p = text.p, .len = n}, &mem);
		text.p += n + (end ? 1 : 0);
		text.len -= n + (end ? 1 : 0);
		arena_reset(&mem);
	}
	arena_fini(&mem);
}

static void report(const struct run *r)
{
	struct strbuf out = STRBUF_INIT(REPORT_BYTES);

	account_add_report(r->account, 1, r->now, &out);
	if (strbuf_error(&out) == 0 &&
	    (out.len < 2 || out.p[0] != '{' || out.p[out.len - 1] != '}'))
		abort();
	strbuf_fini(&out);
}

static void use(struct policy *p, struct bytes actions)
{
	struct account_config config = account_config_of(p);
	struct run r = {.now = 1000};
	struct strbuf shown = STRBUF_INIT(REPORT_BYTES);
	struct diag d = {};

	p->dialect->show(p->doc, &shown);
	strbuf_fini(&shown);
	config.session_id = "pol_fuzz";
	config.keeps_decisions = true;
	if (policy_stack_new(&p, 1, false, &r.stack, &d) < 0)
		return;
	r.scratch = policy_scratch_new(r.stack);
	if (r.scratch && account_new(&config, &r.account) == 0) {
		ask_kernel(&r);
		ask_lines(&r, actions);
		report(&r);
	}
	account_free(r.account);
	policy_scratch_free(r.scratch);
	policy_stack_free(r.stack);
}

static void warn(_unused_ void *ctx, const struct diag *d)
{
	if (!d->message[0])
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes text = {.p = (const char *)data, .len = size}, actions = {};
	struct policy_load load = {.file = "fuzz.yaml",
				   .language = POLICY_LANGUAGE_AGENTPOLICY,
				   .vars = &vars,
				   .warn = warn};
	const char *mark = size ? memmem(text.p, text.len, MARK, strlen(MARK)) : NULL;
	struct policy *p = NULL;
	struct diag d = {};
	int r;

	if (mark) {
		actions.p = mark + strlen(MARK);
		actions.len = size - (size_t)(actions.p - text.p);
		text.len = (size_t)(mark - text.p);
	}
	load.text = text;
	r = policy_load(&load, &p, &d);
	if (r == -EINVAL && !d.message[0])
		abort();
	if (r == 0)
		use(p, actions);
	return 0;
}
