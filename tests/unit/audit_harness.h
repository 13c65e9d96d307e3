/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A directory of the test's own, and what a log in it must be like.
 */
#pragma once

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>

#include "audit/audit.h"
#include "audit/chain.h"
#include "audit/reader.h"
#include "base/clock.h"
#include "base/dirs.h"
#include "base/io.h"

#include "tests/unit/unit.h"

struct audit_dir {
	char path[64];
	char log[96];
	char ring[104];
};

static inline int audit_dir_setup(void **state)
{
	struct audit_dir *d = calloc(1, sizeof(*d));

	if (!d)
		return -1;
	(void)snprintf(d->path, sizeof(d->path), "/tmp/holdfast-audit.XXXXXX");
	if (!mkdtemp(d->path)) {
		free(d);
		return -1;
	}
	(void)snprintf(d->log, sizeof(d->log), "%s/s.jsonl", d->path);
	(void)snprintf(d->ring, sizeof(d->ring), "%s.ring", d->log);
	*state = d;
	return 0;
}

static inline int audit_dir_teardown(void **state)
{
	struct audit_dir *d = *state;

	(void)unlink(d->log);
	(void)unlink(d->ring);
	if (rmdir(d->path) < 0)
		return -1; /* a test has left something, or audit has */
	free(d);
	return 0;
}

#define audit_test(f) cmocka_unit_test_setup_teardown(f, audit_dir_setup, audit_dir_teardown)

static inline struct audit_config audit_test_config(const struct audit_dir *d)
{
	return (struct audit_config){
		.path = d->log, .session = "20261121T051234-k3f9qz", .agent = "agent"};
}

static inline struct audit *audit_test_open(const struct audit_dir *d, size_t ring_bytes)
{
	struct audit_config config = audit_test_config(d);
	struct audit *a = NULL;
	struct diag diag = {};

	config.ring_bytes = ring_bytes;
	if (audit_open(&config, &a, &diag) < 0)
		fail_msg("audit_open: %s", diag.message);
	return a;
}

static inline struct audit_record audit_test_record(void)
{
	return (struct audit_record){
		.event = AUDIT_ACTION,
		.time_ns = UINT64_C(1795237954123456789),
		.latency_ns = 12345,
		.pid = 12,
		.tid = 13,
		.ppid = 1,
		.kind = KIND_PATH,
		.op = OP_READ,
		.result = AUDIT_RESULT_CONTINUED,
		.syscall = "openat",
		.layer = "seccomp-notify",
		.exe = BYTES_LIT("/usr/bin/cat"),
		.object = BYTES_LIT("/etc/hostname"),
		.asked = BYTES_LIT("hostname"),
		.policy = BYTES_LIT("p"),
	};
}

/* Does the line link to the one before? @link becomes the next line's. */
static inline void audit_test_check_link(struct chain *c, struct bytes line,
					 struct chain_link *link)
{
	struct chain_link prev;

	assert_true(chain_prev_of(line, &prev));
	assert_memory_equal(prev.hex, link->hex, CHAIN_HEX);
	assert_int_equal(chain_hash(c, line, link), 0);
}

/* Calls @each for every line. Return: how many there are, all whole, chained, numbered from 1
 * without gaps. */
static inline uint64_t audit_test_check(const struct audit_dir *d,
					void (*each)(const json_t *root, void *arg), void *arg)
{
	_cleanup_(chain_freep) struct chain *chain = NULL;
	struct chain_link link = chain_first;
	struct reader *r = NULL;
	struct reader_line line;
	uint64_t n = 0;
	int rc;

	assert_int_equal(chain_new(&chain), 0);

	assert_int_equal(reader_open(d->log, &r, NULL), 0);
	while ((rc = reader_next(r, &line)) > 0) {
		if (rc == READER_DAMAGED)
			fail_msg("line %d %s", (int)line.number, line.why);
		assert_int_equal(reader_u64(line.root, "seq"), ++n);
		audit_test_check_link(chain, line.text, &link);
		if (each)
			each(line.root, arg);
	}
	assert_int_equal(rc, READER_END);
	assert_false(reader_has_half_line(r, &line));
	reader_close(r);
	return n;
}

static inline bool audit_test_exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

#define AUDIT_PRODUCERS  4
#define AUDIT_SMALL_RING ((size_t)128 * 1024)

struct audit_producer {
	struct audit *audit;
	int index, n_records;
	size_t object_bytes;
	_Atomic uint64_t *n_appended; /* may be shared with another process */
};

static inline void *audit_produce(void *arg)
{
	struct audit_producer *p = arg;
	struct audit_record r = audit_test_record();
	_cleanup_(freep) char *object = malloc(p->object_bytes + 1);

	if (!object)
		abort();
	memset(object, 'x', p->object_bytes);
	if (p->object_bytes)
		r.object = (struct bytes){.p = object, .len = p->object_bytes};
	r.pid = p->index + 1;
	for (int i = 0; i < p->n_records; i++) {
		r.tid = i + 1; /* what the reader recognises it by */
		if (audit_append(p->audit, &r) < 0)
			abort();
		if (p->n_appended)
			(void)atomic_fetch_add(p->n_appended, 1);
	}
	return NULL;
}

static inline void audit_produce_all(struct audit_producer p[static AUDIT_PRODUCERS])
{
	pthread_t threads[AUDIT_PRODUCERS];

	for (int i = 0; i < AUDIT_PRODUCERS; i++)
		if (pthread_create(&threads[i], NULL, audit_produce, &p[i]) != 0)
			abort();
	for (int i = 0; i < AUDIT_PRODUCERS; i++)
		(void)pthread_join(threads[i], NULL);
}
