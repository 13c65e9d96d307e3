/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a policy costs by its number of rules: milliseconds to load, megabytes of memory,
 * nanoseconds for one evaluation of each kind of query. The rules are of the kinds that people
 * write; "hit" queries match one of them, "miss" queries none.
 *
 * Each number of rules is a process of its own, so that memory is that policy's alone. "peak" is
 * what the process grew by while it loaded, the text and the parser's tree included; "kept" is what
 * stays for the session. Both are resident memory, compiled regular expressions included.
 */
#include <arpa/inet.h>
#include <malloc.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/strbuf.h"

#include "policy/policy.h"

#define ROUNDS      31
#define EVALUATIONS 5000
#define LOADS       7

static const struct policy_vars vars = {
	.home = "/home/u", .project = "/home/u/proj", .tmp = "/tmp/session"};

/* Five rules of each twelve are on paths, four on tools, three on the network. */
#define KINDS 12

static void write_rules(struct strbuf *b, unsigned int n)
{
	static const char *const kinds[KINDS] = {
		"{path: '~/dir%u/**'}",
		"{path: '/srv/data%u/*.json', op: [write, delete]}",
		"{path: '**/secret%u'}",
		"{path: '**/*.ext%u'}",
		"{path: '/etc/app%u.conf'}",
		"{tool: tool%u}",
		"{tool: [prog%u, git], args_pattern: '\\bforce%u\\b'}",
		"{tool: '/opt/app%u/**'}",
		"{argv: [cargo%u, [build, test]]}",
		"{domain: ['*.site%u.org', api%u.net], port: 443}",
		"{address: 10.%u.0.0/16}",
		"{address: 192.0.2.7, port: %u}",
	};

	strbuf_add_str(b, "version: 1\nname: bench\ndefault: allow\nrules:\n");
	for (unsigned int i = 0; i < n; i++) {
		unsigned int v = i % KINDS == 10 ? i / KINDS % 256 : i / KINDS;

		strbuf_add_fmt(b, "- {name: r%u, action: flag, match: ", i);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		strbuf_add_fmt(b, kinds[i % KINDS], v, v);
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

static double median(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), compare);
	return values[n / 2];
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
	return median(rounds, ROUNDS);
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

#define NAMES(first)                                                                               \
	(const struct policy_name[])                                                               \
	{                                                                                          \
		{.name = BYTES_LIT("bash")}, {.name = BYTES_LIT("shell")},                         \
			{.name = BYTES_LIT("exec")}, {.name = BYTES_LIT(first)},                   \
	}

static struct policy_query tool_query(const struct policy_name *names, const struct bytes *argv,
				      size_t argc, const char *args)
{
	return (struct policy_query){.kind = KIND_TOOL,
				     .op = OP_EXEC,
				     .names = names,
				     .n_names = 4,
				     .args = bytes_of(args),
				     .argv = argv,
				     .argc = argc,
				     .path = bytes_of("/usr/lib/gcc/x86_64-linux-gnu/12/program")};
}

static struct policy_query network_query(const struct bytes *domain,
					 const struct policy_address *address)
{
	static const struct policy_name names[] = {{.name = {.p = "http_request", .len = 12}},
						   {.name = {.p = "fetch", .len = 5}},
						   {.name = {.p = "web_fetch", .len = 9}}};

	return (struct policy_query){.kind = KIND_NETWORK,
				     .op = OP_CONNECT,
				     .names = names,
				     .n_names = ARRAY_SIZE(names),
				     .domains = domain,
				     .n_domains = domain != NULL,
				     .address = address};
}

static void print_evaluations(const struct policy_stack *stack, struct policy_scratch *scratch)
{
	static const struct bytes compile[] = {BYTES_LIT("cc1"), BYTES_LIT("-quiet")};
	static const struct bytes cargo[] = {BYTES_LIT("cargo0"), BYTES_LIT("test")};
	static const struct bytes below = BYTES_LIT("a.b.site0.org"), other = BYTES_LIT("x.y.com");
	struct policy_address address = {
		.protocol = POLICY_PROTO_TCP, .has_ip = true, .is_v4 = true, .port = 443};
	const struct subject subjects[] = {
		{"path miss", path_query(OP_READ, "/usr/lib/python3.11/json/decoder.py")},
		{"path hit", path_query(OP_READ, "/home/u/dir0/src/deep/below/file.c")},
		{"tool miss", tool_query(NAMES("cc1"), compile, 2, "cc1 -quiet -O2 file.c")},
		{"tool hit", tool_query(NAMES("tool0"), compile, 2, "tool0 -quiet -O2 file.c")},
		{"argv hit", tool_query(NAMES("cargo0"), cargo, 2, "cargo0 test")},
		{"args", tool_query(NAMES("git"), compile, 2, "git status")},
		{"domain miss", network_query(&other, &address)},
		{"domain hit", network_query(&below, &address)},
		{"address", network_query(NULL, &address)},
	};

	(void)inet_pton(AF_INET, "203.0.113.9", address.ip);
	for (size_t i = 0; i < ARRAY_SIZE(subjects); i++)
		printf("  %s %.0f ns", subjects[i].label,
		       median_ns(stack, scratch, &subjects[i].q));
}

static int load(struct bytes text, struct policy_stack **ret)
{
	struct policy *p = NULL;
	struct diag d = {};
	int r = policy_parse("bench", text, &vars, &p, &d);

	if (r == 0)
		r = policy_stack_new(&p, 1, false, ret, &d);
	if (r < 0)
		(void)fprintf(stderr, "bench_policy: line %u: %s\n", d.line, d.message);
	return r;
}

static double resident_mb(void)
{
	_cleanup_(freep) char *line = NULL;
	FILE *f = fopen("/proc/self/statm", "re");
	unsigned long pages = 0;
	size_t size = 0;

	if (f && getline(&line, &size, f) > 0)
		(void)sscanf(line, "%*u %lu", &pages);
	if (f)
		(void)fclose(f);
	return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1e6;
}

static double peak_mb(void)
{
	struct rusage usage = {};

	(void)getrusage(RUSAGE_SELF, &usage);
	return (double)usage.ru_maxrss * 1024 / 1e6;
}

static int run(unsigned int n_rules)
{
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(POLICY_MAX_BYTES);
	struct policy_scratch *scratch = NULL;
	struct policy_stack *stack = NULL;
	double before, kept, peak, loads[LOADS];

	write_rules(&text, n_rules);
	before = resident_mb();
	if (load(strbuf_bytes(&text), &stack) < 0)
		return 1;
	peak = peak_mb() - before;
	(void)malloc_trim(0);
	kept = resident_mb() - before;
	for (size_t i = 0; i < LOADS; i++) {
		uint64_t begin = clock_monotonic_ns();

		stack = policy_stack_free(stack);
		if (load(strbuf_bytes(&text), &stack) < 0)
			return 1;
		loads[i] = (double)(clock_monotonic_ns() - begin) / 1e6;
	}
	printf("%6u rules  load %.2f ms  kept %.1f MB  peak %.1f MB", n_rules, median(loads, LOADS),
	       kept, peak);
	scratch = policy_scratch_new(stack);
	if (scratch)
		print_evaluations(stack, scratch);
	printf("\n");
	(void)fflush(stdout);
	policy_scratch_free(scratch);
	policy_stack_free(stack);
	return scratch ? 0 : 1;
}

int main(void)
{
	static const unsigned int counts[] = {12, 1000, 10000};

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		pid_t child = fork();
		int status = 0;

		if (child < 0)
			return 1;
		if (child == 0)
			_exit(run(counts[i]));
		if (waitpid(child, &status, 0) < 0 || status != 0)
			return 1;
	}
	return 0;
}
