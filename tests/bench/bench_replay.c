/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long `holdfast replay` takes for a million records: lines as a build under an agent makes
 * them, a policy with some rules of each kind. Usage: bench_replay [DIRECTORY]
 */
#include <fcntl.h>
#include <stdio.h>

#include "audit/chain.h"
#include "audit/codec.h"
#include "audit/reader.h"
#include "audit/replay.h"
#include "base/clock.h"
#include "base/dirs.h"
#include "base/io.h"

#define RECORDS   1000000
#define PATHS     5000
#define BATCH_MAX ((size_t)8 << 20)

static const char policy_text[] =
	"version: 1\nname: bench\nlog_reads: true\ndefault: allow\nrules:\n"
	"  - {name: secrets, match: {path: [~/.ssh, ~/.aws, '**/*.pem']}, action: deny}\n"
	"  - {name: system, match: {path: ['/etc/**', '/usr/**'], op: [write, create, delete]}, action: deny}\n"
	"  - {name: push, match: {tool: git, args_pattern: 'push .*--force'}, action: ask}\n"
	"  - {name: sudo, match: {tool: [sudo, su]}, action: deny}\n"
	"  - {name: inside, match: {path: ['${project}/**']}, action: allow}\n"
	"  - {name: web, match: {port: [80, 443]}, action: flag}\n";

/* Mostly reads, some changes, now and then a program or a connection. */
static void fill(struct audit_record *r, unsigned int i, char object[static 64])
{
	static const struct bytes argv[] = {{"cc", 2}, {"-O2", 3}, {"-c", 2}, {"main.c", 6}};

	(void)snprintf(object, 64, "/home/user/project/src/file_%u.c", i % PATHS);
	*r = (struct audit_record){
		.event = AUDIT_ACTION,
		.time_ns = (UINT64_C(1795267800) * 1000 + i) * NS_PER_MSEC,
		.latency_ns = 12345,
		.pid = 1234,
		.tid = 1234,
		.ppid = 1200,
		.kind = KIND_PATH,
		.op = i % 5 ? OP_READ : OP_CREATE,
		.result = AUDIT_RESULT_CONTINUED,
		.syscall = "openat",
		.layer = "seccomp-notify",
		.exe = BYTES_LIT("/usr/bin/cc"),
		.object = bytes_of(object),
		.asked = bytes_of(object),
		.policy = BYTES_LIT("coding-agent"),
		.rule = BYTES_LIT("project-files"),
	};
	if (i % 20 == 7) {
		r->kind = KIND_TOOL;
		r->op = OP_EXEC;
		r->syscall = "execve";
		r->object = r->asked = BYTES_LIT("/usr/bin/cc");
		r->cwd = BYTES_LIT("/home/user/project");
		r->argv = argv;
		r->argc = r->argc_total = ARRAY_SIZE(argv);
	} else if (i % 50 == 3) {
		r->kind = KIND_NETWORK;
		r->op = OP_CONNECT;
		r->syscall = "connect";
		r->object = r->asked = BYTES_LIT("192.0.2.10:443");
	}
	if (r->op == OP_CREATE && i % 2)
		r->steps = BYTES_LIT("[{\"op\":\"create\"},{\"op\":\"write\"},{\"op\":\"read\"}]");
}

static int write_log(const char *path)
{
	_cleanup_(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	struct strbuf out = STRBUF_INIT(BATCH_MAX);
	static char packed[AUDIT_RECORD_MAX];
	static struct codec_view view;
	int r = fd < 0 ? -errno : 0;

	for (unsigned int i = 0; i < RECORDS && r == 0; i++) {
		struct codec_plan plan;
		struct audit_record record;
		char object[64];

		fill(&record, i, object);
		codec_plan_record(&record, &plan);
		codec_pack_record(&record, &plan, i + 1, packed);
		if (codec_view((struct bytes){packed, plan.size}, &view) < 0)
			abort();
		codec_add_line(&view, BYTES_LIT("20261121T133000-bench1"), BYTES_LIT("bench"),
			       &chain_first, &out);
		if (out.len < BATCH_MAX / 2 && i + 1 < RECORDS)
			continue;
		r = io_write_all(fd, out.p, out.len);
		strbuf_reset(&out);
	}
	strbuf_fini(&out);
	return r;
}

static int replay_log(const char *path, struct policy_stack *stack, uint64_t *ret_actions)
{
	struct replay *replay = NULL;
	struct reader *reader = NULL;
	struct replay_answer answer;
	struct reader_line line;
	struct diag d = {};
	int r;

	*ret_actions = 0;
	if (replay_new(stack, &replay) < 0 || reader_open(path, &reader, &d) < 0)
		abort();
	reader_set_raw(reader);
	while ((r = reader_next(reader, &line)) > 0)
		*ret_actions += replay_line(replay, line.text, &answer) == REPLAY_ACTION;
	reader_close(reader);
	replay_free(replay);
	return r;
}

int main(int argc, char **argv)
{
	const char *dir = argc > 1 ? argv[1] : "/tmp";
	_cleanup_(freep) char *path = str_format("%s/bench_replay.%d.jsonl", dir, (int)getpid());
	const struct policy_vars vars = {
		.home = "/home/user", .project = "/home/user/project", .tmp = "/tmp"};
	struct policy_stack *stack = NULL;
	struct policy *policy = NULL;
	struct diag d = {};
	uint64_t start, actions;
	int r;

	if (policy_parse("bench", bytes_of(policy_text), &vars, &policy, &d) < 0 ||
	    policy_stack_new(&policy, 1, false, &stack, &d) < 0) {
		(void)fprintf(stderr, "bench_replay: %s\n", d.message);
		return 1;
	}
	r = write_log(path);
	start = clock_monotonic_ns();
	if (r == 0)
		r = replay_log(path, stack, &actions);
	if (r == 0 && actions == RECORDS)
		(void)printf("replay_million_records_s %.2f\n",
			     (double)(clock_monotonic_ns() - start) / 1e9);
	(void)unlink(path);
	policy_stack_free(stack);
	return r < 0 || actions != RECORDS;
}
