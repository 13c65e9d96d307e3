/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What questions cost over many records: lines indexed per second, and milliseconds for a filtered
 * question once the index is there. Usage: bench_log [DIRECTORY [RECORDS]]; without RECORDS
 * $BENCH_LOG_RECORDS, else a million. Ten million take 7 GB in DIRECTORY while it runs.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "audit/audit.h"
#include "audit/codec.h"
#include "audit/index.h"
#include "base/clock.h"
#include "base/dirs.h"
#include "base/io.h"

#define RECORDS_DEFAULT 1000000
#define ROUNDS          5

struct world {
	char *dir, *log, *index;
	uint64_t records;
};

/* Mostly reads of a project's files, some writes, programs and connections; few denials. */
static void fill_record(uint64_t i, struct audit_record *r, char text[static 256])
{
	static const char *const trees[] = {"src", "tests", "node_modules/lodash", ".git/objects"};
	static const struct bytes argv[] = {{"git", 3}, {"status", 6}, {"--short", 7}};
	static const char *const programs[] = {"git", "node", "python3", "cc"};
	uint64_t x = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);

	x ^= x >> 31;
	*r = (struct audit_record){
		.event = AUDIT_ACTION,
		.time_ns = UINT64_C(1795237954000000000) + i * 100000,
		.latency_ns = 8000 + x % 9000,
		.pid = (pid_t)(4000 + i / 500 % 20000),
		.tid = (pid_t)(4000 + i / 500 % 20000),
		.ppid = (pid_t)(4000 + i / 5000 % 2000),
		.kind = KIND_PATH,
		.op = OP_READ,
		.result = AUDIT_RESULT_CONTINUED,
		.syscall = "openat",
		.layer = "seccomp-notify",
		.exe = BYTES_LIT("/usr/bin/git"),
		.policy = BYTES_LIT("coding-agent"),
		.rule = BYTES_LIT("project-files"),
	};
	(void)snprintf(text, 256, "/home/user/project/%s/directory-%d/file-%d.ts",
		       trees[x % ARRAY_SIZE(trees)], (int)(x >> 8 & 0x3f), (int)(x >> 16 & 0x3ff));
	if (i % 50 == 0) {
		r->kind = KIND_TOOL;
		r->op = OP_EXEC;
		r->syscall = "execve";
		r->argv = argv;
		r->argc = ARRAY_SIZE(argv);
		(void)snprintf(text, 256, "/usr/bin/%s", programs[x % ARRAY_SIZE(programs)]);
	} else if (i % 50 == 1) {
		r->kind = KIND_NETWORK;
		r->op = OP_CONNECT;
		r->syscall = "connect";
		(void)snprintf(text, 256, "10.%d.%d.%d:443", (int)(x & 3), (int)(x >> 8 & 0xff),
			       (int)(x >> 16 & 0xff));
	} else if (i % 10 == 2) {
		r->op = OP_WRITE;
	}
	if (i % 100003 == 7) {
		r->verdict = r->would_have = VERDICT_DENY;
		r->result = AUDIT_RESULT_REFUSED;
		r->rule = BYTES_LIT("secrets");
		r->reason = BYTES_LIT("Private keys are not for agents.");
		(void)snprintf(text, 256, "/home/user/.ssh/id_%d", (int)(x % 10));
	}
	r->object = r->asked = bytes_of(text);
}

static void put(int fd, struct strbuf *out)
{
	if (strbuf_error(out) || io_write_all(fd, strbuf_str(out), out->len) < 0) {
		(void)fprintf(stderr, "bench_log: cannot write the log\n");
		exit(1);
	}
	strbuf_reset(out);
}

/* As the writer would, without waiting for one: the lines are the codec's. */
static void write_log(const struct world *w)
{
	struct strbuf out = STRBUF_INIT((size_t)4 << 20);
	struct chain_link prev = chain_first;
	_cleanup_(fd_closep) int fd = -1;
	struct codec_view *view = calloc(1, sizeof(*view));
	char *packed = malloc(AUDIT_RECORD_MAX);

	fd = open(w->log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || !view || !packed)
		abort();
	for (uint64_t i = 0; i < w->records; i++) {
		struct codec_plan plan;
		struct audit_record r;
		char text[256];

		fill_record(i, &r, text);
		codec_plan_record(&r, &plan);
		codec_pack_record(&r, &plan, i + 1, packed);
		if (codec_view((struct bytes){.p = packed, .len = plan.size}, view) < 0)
			abort();
		codec_add_line(view, BYTES_LIT("20261121T051234-k3f9qz"), BYTES_LIT("bench"), &prev,
			       &out);
		if (out.len > (size_t)1 << 20)
			put(fd, &out);
	}
	put(fd, &out);
	strbuf_fini(&out);
	free(view);
	free(packed);
}

static double ask(const struct world *w, struct query *q, struct hits *hits)
{
	struct index_config config = {.dir = w->index, .wait_s = 1};
	struct index_file file = {.path = w->log};
	struct diag d = {};
	uint64_t start = clock_monotonic_ns();
	int r = logindex_ask(&config, &file, 1, q, hits, &d);

	if (r) {
		(void)fprintf(stderr, "bench_log: %d: %s\n", r, d.message);
		exit(1);
	}
	return (double)(clock_monotonic_ns() - start) / 1e6;
}

static const struct {
	const char *name;
	enum query_clause clause;
	const char *value;
	bool is_denied;
	uint32_t pid;
} questions[] = {
	{"denied", _QUERY_CLAUSE_MAX, NULL, true, 0},
	{"rule", QUERY_RULE, "secrets", false, 0},
	{"path", QUERY_PATH, "/home/user/.ssh/**", false, 0},
	{"address", QUERY_ADDRESS, "10.0.7.0/28", false, 0},
	{"text", QUERY_TEXT, "Private keys", false, 0},
	{"pid", _QUERY_CLAUSE_MAX, NULL, false, 4711},
	{"tool_denied", QUERY_TOOL, "cc", true, 0},
};

static void measure(const struct world *w, size_t i)
{
	struct hits hits = HITS_NULL;
	double best = 0, worst = 0, cpu = (double)clock();

	for (int round = 0; round < ROUNDS; round++) {
		struct query *q = NULL;
		double ms;

		if (query_new(&q) < 0)
			abort();
		if (questions[i].value &&
		    query_add(q, questions[i].clause, questions[i].value, NULL, NULL) < 0)
			abort();
		if (questions[i].is_denied)
			query_add_verdict(q, VERDICT_DENY);
		if (questions[i].pid && query_add_pid(q, questions[i].pid) < 0)
			abort();
		ms = ask(w, q, &hits);
		best = round ? MIN(best, ms) : ms;
		worst = MAX(worst, ms);
		query_free(q);
	}
	/* On a busy machine the processor's time says more. */
	cpu = ((double)clock() - cpu) / CLOCKS_PER_SEC * 1000 / ROUNDS;
	(void)printf("query_%s_ms %.1f (worst of %d: %.1f, processor %.1f; %zu hits)\n",
		     questions[i].name, best, ROUNDS, worst, cpu, hits.n);
	hits_fini(&hits);
}

static void clean_up(const struct world *w)
{
	static const char *const names[] = {"index.sqlite", "index.sqlite-journal", "index.lock"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_(freep) char *path = str_format("%s/%s", w->index, names[i]);

		(void)unlink(path);
	}
	(void)rmdir(w->index);
	(void)unlink(w->log);
	(void)rmdir(w->dir);
}

int main(int argc, char **argv)
{
	const char *dir = argc > 1 ? argv[1] : "/tmp";
	const char *records = argc > 2 ? argv[2] : getenv("BENCH_LOG_RECORDS");
	struct world w = {.records = RECORDS_DEFAULT,
			  .dir = str_format("%s/bench_log.XXXXXX", dir)};
	double ms;

	if (records && parse_u64(bytes_of(records), UINT32_MAX, &w.records) < 0) {
		(void)fprintf(stderr, "bench_log: '%s' is not a number of records\n", records);
		return 2;
	}
	if (!w.dir || !mkdtemp(w.dir)) {
		(void)fprintf(stderr, "bench_log: cannot make a directory in '%s'\n", dir);
		return 1;
	}
	w.log = str_format("%s/log.jsonl", w.dir);
	w.index = str_format("%s/index", w.dir);
	write_log(&w);
	ms = ask(&w, NULL, NULL);
	(void)printf("records %" PRIu64 "\n", w.records);
	(void)printf("indexed_per_second %.0f\n", (double)w.records / ms * 1000);
	for (size_t i = 0; i < ARRAY_SIZE(questions); i++)
		measure(&w, i);
	clean_up(&w);
	free(w.dir);
	free(w.log);
	free(w.index);
	return 0;
}
