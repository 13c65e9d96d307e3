/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What logging costs: ns per audit_append() in a lone producer, paced so that the ring is never
 * full, with the record's strings searched for secrets (as a session does) and without, and lines
 * per second when producers never pause. Usage: bench_audit [DIRECTORY]
 */
#include <pthread.h>
#include <stdio.h>
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
	return 0;
}
