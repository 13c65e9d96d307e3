/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nanoseconds that one evaluation takes, by number of rules and kind of query. The rules are of the
 * kinds that people write; "hit" queries match the last of them, "miss" queries none.
 */
#include <arpa/inet.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/strbuf.h"

#include "policy/policy.h"

#define ROUNDS      11
#define EVALUATIONS 20000

static const struct policy_vars vars = {
	.home = "/home/u", .project = "/home/u/proj", .tmp = "/tmp/session"};

/* Five rules of each ten are on paths, three on tools, two on addresses. */
static void write_rules(struct strbuf *b, unsigned int n)
{
	static const char *const kinds[10] = {
		"{path: '~/dir%u/**'}",
		"{path: '/srv/data%u/*.json', op: [write, delete]}",
		"{path: '**/secret%u'}",
		"{path: '**/*.ext%u'}",
		"{path: '/etc/app%u.conf'}",
		"{tool: tool%u}",
		"{tool: [prog%u, git], args_pattern: '\\bforce%u\\b'}",
		"{tool: '/opt/app%u/**'}",
		"{address: 10.%u.0.0/16}",
		"{address: 192.0.2.7, port: %u}",
	};

	strbuf_add_str(b, "version: 1\nname: bench\ndefault: allow\nrules:\n");
	for (unsigned int i = 0; i < n; i++) {
		unsigned int v = i % 10 == 8 ? i / 10 % 256 : i / 10;

		strbuf_add_fmt(b, "- {name: r%u, action: flag, match: ", i);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		strbuf_add_fmt(b, kinds[i % 10], v, v);
#pragma GCC diagnostic pop
		strbuf_add_str(b, "}\n");
	}
}

struct subject {
	const char *label;
	struct policy_query q;
};

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median_ns(const struct policy_stack *s, struct policy_scratch *scratch,
			const struct policy_query *q)
{
	double rounds[ROUNDS];
	struct policy_result r;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		uint64_t begin = clock_monotonic_ns();

		for (unsigned int j = 0; j < EVALUATIONS; j++)
			policy_stack_eval(s, scratch, q, &r);
		rounds[i] = (double)(clock_monotonic_ns() - begin) / EVALUATIONS;
	}
	qsort(rounds, ROUNDS, sizeof(*rounds), compare);
	return rounds[ROUNDS / 2];
}

static struct policy_query path_query(enum action_op op, const char *path)
{
	static const struct policy_name reads[] = {{.name = {.p = "file_read", .len = 9}},
						   {.name = {.p = "read_file", .len = 9}},
						   {.name = {.p = "read", .len = 4}}};

	return (struct policy_query){.kind = KIND_PATH,
				     .op = op,
				     .names = reads,
				     .n_names = ARRAY_SIZE(reads),
				     .args = bytes_of(path),
				     .path = bytes_of(path)};
}

static struct policy_query tool_query(const char *args)
{
	static const struct policy_name names[] = {{.name = {.p = "git", .len = 3}},
						   {.name = {.p = "bash", .len = 4}},
						   {.name = {.p = "shell", .len = 5}},
						   {.name = {.p = "exec", .len = 4}}};
	static const struct policy_name other[] = {{.name = {.p = "cc1", .len = 3}},
						   {.name = {.p = "bash", .len = 4}},
						   {.name = {.p = "shell", .len = 5}},
						   {.name = {.p = "exec", .len = 4}}};

	return (struct policy_query){.kind = KIND_TOOL,
				     .op = OP_EXEC,
				     .names = args[0] == 'g' ? names : other,
				     .n_names = 4,
				     .args = bytes_of(args),
				     .path = bytes_of("/usr/lib/gcc/x86_64-linux-gnu/12/cc1")};
}

static int run(unsigned int n_rules)
{
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(POLICY_MAX_BYTES);
	struct policy_address address = {
		.protocol = POLICY_PROTO_TCP, .has_ip = true, .is_v4 = true, .port = 65000};
	const struct subject subjects[] = {
		{"path miss", path_query(OP_READ, "/usr/lib/python3.11/json/decoder.py")},
		{"path hit", path_query(OP_READ, "/home/u/dir0/src/deep/below/file.c")},
		{"tool miss", tool_query("cc1 -quiet -O2 file.c")},
		{"tool args", tool_query("git status")},
		{"address", {.kind = KIND_NETWORK, .op = OP_CONNECT, .address = &address}},
	};
	struct policy_scratch *scratch = NULL;
	struct policy_stack *stack = NULL;
	struct policy *p = NULL;
	struct diag d = {};
	uint64_t begin;
	int r;

	(void)inet_pton(AF_INET, "203.0.113.9", address.ip);
	write_rules(&text, n_rules);
	begin = clock_monotonic_ns();
	r = policy_parse("bench", strbuf_bytes(&text), &vars, &p, &d);
	if (r == 0)
		r = policy_stack_new(&p, 1, false, &stack, &d);
	if (r < 0) {
		(void)fprintf(stderr, "bench_policy: line %u: %s\n", d.line, d.message);
		return 1;
	}
	printf("%6u rules  load %7.2f ms", n_rules, (double)(clock_monotonic_ns() - begin) / 1e6);
	scratch = policy_scratch_new(stack);
	for (size_t i = 0; scratch && i < ARRAY_SIZE(subjects); i++)
		printf("  %s %.0f ns", subjects[i].label,
		       median_ns(stack, scratch, &subjects[i].q));
	printf("\n");
	policy_scratch_free(scratch);
	policy_stack_free(stack);
	return 0;
}

int main(void)
{
	static const unsigned int counts[] = {10, 1000, 10000};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
		r |= run(counts[i]);
	return r;
}
