/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a policy. What loads must answer a fixed set of queries, as the walk over its rules
 * in order does, and what it says of itself must hold: an operation that it calls undecided is
 * allowed.
 */
#include <stdio.h>

#include "policy/policy.h"

static const struct policy_vars vars = {
	.home = "/home/u", .project = "/home/u/proj", .tmp = "/tmp/session"};

static const struct policy_name names[] = {
	{.name = {.p = "git", .len = 3}},
	{.name = {.p = "file_read", .len = 9}},
	{.name = {.p = "memfd:\xff/x", .len = 9}, .is_untrusted = true},
};

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

static const char *const paths[] = {
	"/",
	"/home/u/.ssh/id_rsa",
	"/home/u/proj/.env",
	"/home/u/proj/a/b/c.pem",
	"@abstract",
	"pipe:[1]",
	"//..//\n\xff\x1b",
	"",
};

static const struct bytes argv[] = {
	BYTES_LIT("git"),
	BYTES_LIT("push"),
	BYTES_LIT("--force"),
	BYTES_LIT("\xff"),
};

static const struct bytes domains[] = {BYTES_LIT("api.Example.org."), BYTES_LIT("x.net")};

static void on_match(void *ctx, const struct policy_match *m)
{
	struct policy_match *deciding = ctx;

	if (m->is_deciding)
		*deciding = *m;
}

static void eval(const struct policy_stack *s, struct policy_scratch *scratch,
		 const struct policy_query *q)
{
	uint32_t decided = policy_stack_decided_ops(s);
	struct policy_match walked = {};
	struct policy_result r;

	policy_stack_eval(s, scratch, q, &r);
	policy_stack_each(s, scratch, q, on_match, &walked);
	if (policy_get_language(policy_stack_get(s, 0)) == POLICY_LANGUAGE_NATIVE &&
	    (r.advised != walked.verdict || r.advised_source.rule != walked.source.rule))
		abort();
	if (r.verdict > r.advised || !r.source.policy || !r.advised_source.policy)
		abort();
	if (r.advised != VERDICT_ALLOW && !(decided & OP_BIT(q->op)) &&
	    !(r.source.reason && streq(r.source.reason, "regex-limit")))
		abort();
}

static void eval_all(const struct policy_stack *s, struct policy_scratch *scratch)
{
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct policy_query q = {.kind = KIND_PATH,
					 .op = OP_READ,
					 .names = &names[1],
					 .n_names = 1,
					 .args = bytes_of(paths[i]),
					 .path = bytes_of(paths[i])};

		eval(s, scratch, &q);
		q.names = NULL;
		q.n_names = 0;
		q.op = OP_RENAME;
		eval(s, scratch, &q);
		q.kind = KIND_NETWORK;
		q.op = OP_CONNECT;
		q.address = &addresses[2];
		eval(s, scratch, &q);
		q = (struct policy_query){
			.kind = KIND_TOOL,
			.op = OP_EXEC,
			.names = names,
			.n_names = ARRAY_SIZE(names),
			.args = BYTES_LIT("git push --force \xff aaaaaaaaaaaaaaaaaaaa"),
			.path = bytes_of(paths[i]),
			.argv = argv,
			.argc = i % (ARRAY_SIZE(argv) + 1),
			.is_argv_cut = i & 1,
			.cwd = bytes_of(paths[i]),
			.parent = BYTES_LIT("/usr/bin/make"),
			.agent = BYTES_LIT("claude"),
			.minute_of_week = (int)i * 1000};
		eval(s, scratch, &q);
		q.cwd = q.parent = q.agent = BYTES_NULL;
		q.minute_of_week = POLICY_TIME_UNKNOWN;
		eval(s, scratch, &q);
	}
	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		const struct policy_query q = {.kind = KIND_NETWORK,
					       .op = OP_SEND,
					       .address = &addresses[i],
					       .domains = domains,
					       .n_domains = i % (ARRAY_SIZE(domains) + 1)};

		eval(s, scratch, &q);
	}
}

/* What is shown of a policy is a policy. */
static void show(const struct policy *p)
{
	struct strbuf out = STRBUF_INIT(POLICY_MAX_BYTES);
	struct policy *again = NULL;
	struct diag d = {};

	policy_show(p, &out);
	if (policy_get_language(p) == POLICY_LANGUAGE_NATIVE && !strbuf_error(&out) &&
	    policy_parse("shown.yaml", strbuf_bytes(&out), &vars, &again, &d) == -EINVAL) {
		(void)fprintf(stderr, "%u:%u: %s\n%s", d.line, d.column, d.message,
			      strbuf_str(&out));
		abort();
	}
	policy_free(again);
	strbuf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes text = {.p = (const char *)data, .len = size};
	struct policy_scratch *scratch = NULL;
	struct policy_stack *stack = NULL;
	struct policy *p = NULL;
	struct diag d = {};
	char message[2048];
	int r;

	r = policy_parse("fuzz.yaml", text, &vars, &p, &d);
	if (r == -EINVAL) {
		if (!d.message[0])
			abort(); /* a refusal says why */
		diag_format(&d, message, sizeof(message));
		return 0;
	}
	if (r < 0)
		return 0;
	show(p);
	if (policy_stack_new(&p, 1, size & 1, &stack, &d) < 0)
		return 0;
	scratch = policy_scratch_new(stack);
	if (scratch)
		eval_all(stack, scratch);
	policy_scratch_free(scratch);
	policy_stack_free(stack);
	return 0;
}
