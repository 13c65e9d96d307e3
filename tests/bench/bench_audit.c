/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What logging costs: ns per audit_append() in a lone producer, paced so that the ring is never
 * full, with the record's strings searched for secrets (as a session does) and without, and lines
 * per second when producers never pause. Usage: bench_audit [DIRECTORY]
 */
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>

#include "audit/audit.h"
#include "audit/redact.h"
#include "base/clock.h"
#include "base/dirs.h"

#define BURST     1000
#define BURSTS    200
#define FLOOD     500000
#define PRODUCERS 2

static const struct bytes argv_[] = {{"git", 3}, {"push", 4}, {"origin", 6}, {"topic", 5}};

static struct audit_record sample(void)
{
	return (struct audit_record){
		.event = AUDIT_ACTION,
		.time_ns = clock_realtime_ns(),
		.latency_ns = 12345,
		.pid = 1234,
		.tid = 1234,
		.ppid = 1200,
		.kind = KIND_PATH,
		.op = OP_READ,
		.result = AUDIT_RESULT_CONTINUED,
		.syscall = "openat",
		.layer = "seccomp-notify",
		.exe = BYTES_LIT("/usr/bin/git"),
		.object = BYTES_LIT("/home/user/project/.git/objects/pack/pack-1234.idx"),
		.asked = BYTES_LIT(".git/objects/pack/pack-1234.idx"),
		.argv = argv_,
		.argc = ARRAY_SIZE(argv_),
		.policy = BYTES_LIT("coding-agent"),
		.rule = BYTES_LIT("project-files"),
	};
}

static void *flood(void *arg)
{
	struct audit_record r = sample();
	struct audit *a = arg;

	for (int i = 0; i < FLOOD / PRODUCERS; i++)
		if (audit_append(a, &r) < 0)
			abort();
	return NULL;
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* The median of bursts; a clock for each append would cost more than some of it. */
static double append_ns(struct audit *a)
{
	struct audit_record r = sample();
	static uint64_t bursts[BURSTS];

	for (int i = 0; i < BURSTS; i++) {
		uint64_t start = clock_monotonic_ns();

		for (int j = 0; j < BURST; j++)
			if (audit_append(a, &r) < 0)
				abort();
		bursts[i] = clock_monotonic_ns() - start;
		(void)audit_flush(a);
	}
	qsort(bursts, BURSTS, sizeof(*bursts), compare_u64);
	return (double)bursts[BURSTS / 2] / BURST;
}

/* As a receiver does it, with a scratch of its own. */
static double redact_ns(const struct redact *redact, const struct audit_record *sample)
{
	struct redact_scratch *scratch = redact_scratch_new();
	static uint64_t bursts[BURSTS];

	if (!scratch)
		abort();
	for (int i = 0; i < BURSTS; i++) {
		uint64_t start = clock_monotonic_ns();

		for (int j = 0; j < BURST; j++) {
			struct audit_record r = *sample;

			redact_record(redact, scratch, &r);
			if (!r.is_redacted)
				abort();
		}
		bursts[i] = clock_monotonic_ns() - start;
	}
	redact_scratch_free(scratch);
	qsort(bursts, BURSTS, sizeof(*bursts), compare_u64);
	return (double)bursts[BURSTS / 2] / BURST;
}

static double lines_per_second(struct audit *a)
{
	uint64_t start = clock_monotonic_ns();
	pthread_t threads[PRODUCERS];

	for (int i = 0; i < PRODUCERS; i++)
		if (pthread_create(&threads[i], NULL, flood, a) != 0)
			abort();
	for (int i = 0; i < PRODUCERS; i++)
		(void)pthread_join(threads[i], NULL);
	(void)audit_flush(a);
	return FLOOD / ((double)(clock_monotonic_ns() - start) / 1e9);
}

static int run(const char *path, const struct redact *redact, double *ret_append, double *ret_lines)
{
	struct audit_config config = {
		.path = path, .session = "bench", .agent = "bench", .redact = redact};
	struct audit *a = NULL;
	struct diag d = {};

	if (audit_open(&config, &a, &d) < 0 || audit_start(a) < 0) {
		(void)fprintf(stderr, "bench_audit: %s\n", d.message);
		return -EIO;
	}
	*ret_append = append_ns(a);
	*ret_lines = lines_per_second(a);
	audit_close(a);
	(void)unlink(path);
	return 0;
}

static uint64_t cpu_ns(void)
{
	struct timespec ts = {};

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* Codec, chain and write(2): before audit_start() it is the caller who writes. */
static double writer_lines_per_core_second(const char *path)
{
	struct audit_config config = {.path = path, .session = "bench", .agent = "bench"};
	struct audit_record r = sample();
	struct audit *a = NULL;
	uint64_t sum = 0;

	if (audit_open(&config, &a, NULL) < 0)
		abort();
	for (int i = 0; i < BURSTS; i++) {
		uint64_t start;

		for (int j = 0; j < BURST; j++)
			if (audit_append(a, &r) < 0)
				abort();
		start = cpu_ns();
		if (audit_flush(a) < 0)
			abort();
		sum += cpu_ns() - start;
	}
	audit_close(a);
	(void)unlink(path);
	return BURST * (double)BURSTS / ((double)sum / 1e9);
}

static int compare(const void *a, const void *b)
{
	const size_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Walks directory trees and reads files under supervision. Return: 0, -1. */
static int run_session(const char *holdfast, const char *log, const char *policy)
{
	static const char work[] = "ls -lR /etc >/dev/null; cat /etc/*.conf >/dev/null; true";
	int status = -1;
	pid_t child;

	child = fork();
	if (child == 0) {
		(void)execlp(holdfast, holdfast, "run", "--log", log, "--policy", policy, "--",
			     "sh", "-c", work, NULL);
		_exit(127);
	}
	return child > 0 && waitpid(child, &status, 0) == child && status == 0 ? 0 : -1;
}

/* The median length of a line, its newline included; 0: there is none. */
static size_t median_of_lines(const char *log)
{
	_cleanup_(freep) size_t *bytes = calloc(FLOOD, sizeof(*bytes));
	FILE *f = fopen(log, "re");
	size_t n = 0, size = 0;
	char *line = NULL;
	ssize_t len;

	if (!bytes)
		abort();
	while (f && n < FLOOD && (len = getline(&line, &size, f)) > 0)
		bytes[n++] = (size_t)len;
	if (f)
		(void)fclose(f);
	free(line);
	qsort(bytes, n, sizeof(*bytes), compare);
	return bytes[n / 2];
}

/* How long a record is in the log of a real session. */
static void print_record_bytes(const char *holdfast, const char *dir)
{
	_cleanup_(freep) char *log = str_format("%s/bench_audit.%d.log", dir, (int)getpid());
	_cleanup_(freep) char *policy = str_format("%s/bench_audit.%d.yaml", dir, (int)getpid());
	FILE *f = policy ? fopen(policy, "we") : NULL;

	if (!log || !f)
		abort();
	(void)fputs("version: 1\nname: bench\ndefault: allow\nlog_reads: true\nrules:\n"
		    "  - {name: none, match: {path: [/nonexistent/x]}, action: deny}\n",
		    f);
	(void)fclose(f);
	if (run_session(holdfast, log, policy) < 0)
		(void)fprintf(stderr, "bench_audit: the session did not work\n");
	else
		(void)printf("record_bytes_median %zu\n", median_of_lines(log));
	(void)unlink(log);
	(void)unlink(policy);
}

int main(int argc, char **argv)
{
	const char *dir = argc > 1 ? argv[1] : "/tmp";
	_cleanup_(freep) char *path = str_format("%s/bench_audit.%d.jsonl", dir, (int)getpid());
	_cleanup_(redact_freep) struct redact *redact = NULL;
	struct audit_record usual = sample(), secret = sample();
	double append, append_redacting, lines, lines_redacting;

	secret.object = BYTES_LIT("/home/user/ghp_0123456789abcdefghijABCDEFGHIJ012345");
	if (redact_new(NULL, &redact) < 0 || run(path, NULL, &append, &lines) < 0 ||
	    run(path, redact, &append_redacting, &lines_redacting) < 0)
		return 1;
	(void)printf("append_ns %.0f\n", append);
	(void)printf("append_redacting_ns %.0f\n", append_redacting);
	(void)printf("redact_ns %.0f\n", redact_ns(redact, &usual));
	(void)printf("redact_secret_ns %.0f\n", redact_ns(redact, &secret));
	(void)printf("lines_per_second %.0f\n", lines);
	(void)printf("writer_lines_per_core_second %.0f\n", writer_lines_per_core_second(path));
	if (getenv("HOLDFAST"))
		print_record_bytes(getenv("HOLDFAST"), dir);
	return 0;
}
