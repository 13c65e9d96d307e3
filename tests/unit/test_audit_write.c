/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <sys/resource.h>

#include "tests/unit/audit_harness.h"

/* Each producer's records must come in its own order, all of them. */
static void check_order(const json_t *root, void *arg)
{
	uint64_t *last = arg, pid = reader_u64(root, "pid");

	if (!streq(reader_word(root, "event"), "action"))
		return;
	assert_in_range(pid, 1, AUDIT_PRODUCERS);
	assert_int_equal(reader_u64(root, "tid"), ++last[pid - 1]);
}

static void append_from_threads(struct audit_dir *d, size_t ring_bytes, int n, size_t object_bytes)
{
	struct audit_producer p[AUDIT_PRODUCERS] = {};
	uint64_t last[AUDIT_PRODUCERS] = {};
	struct audit_counts counts;
	struct audit *a;

	a = audit_test_open(d, ring_bytes);
	assert_int_equal(audit_start(a), 0);
	for (int i = 0; i < AUDIT_PRODUCERS; i++)
		p[i] = (struct audit_producer){
			.audit = a, .index = i, .n_records = n, .object_bytes = object_bytes};
	audit_produce_all(p);
	audit_get_counts(a, &counts);
	assert_int_equal(counts.total, AUDIT_PRODUCERS * n);
	assert_int_equal(audit_append_event(a, "session_end", NULL, NULL), 0);
	audit_close(a);
	assert_int_equal(audit_test_check(d, check_order, last), AUDIT_PRODUCERS * n + 1);
	for (int i = 0; i < AUDIT_PRODUCERS; i++)
		assert_int_equal(last[i], n);
	assert_false(audit_test_exists(d->ring));
}

static void test_four_producers_make_one_numbered_sequence(void **state)
{
	append_from_threads(*state, 0, 20000, 0);
}

/* Three records of this size fill the ring, so nearly each append has to wait for the writer. */
static void test_a_full_ring_makes_producers_wait_and_loses_nothing(void **state)
{
	append_from_threads(*state, AUDIT_SMALL_RING, 500, 40000);
}

static void test_flush_means_written(void **state)
{
	struct audit_dir *d = *state;
	struct audit_record r = audit_test_record();
	struct audit *a = audit_test_open(d, 0);

	assert_int_equal(audit_start(a), 0);
	for (uint64_t i = 1; i <= 50; i++) {
		assert_int_equal(audit_append(a, &r), 0);
		assert_int_equal(audit_flush(a), 0);
		assert_int_equal(audit_test_check(d, NULL, NULL), i);
	}
	audit_close(a);
}

/* A reader sees a record soon without a flush: `log -f` promises 50 ms; the deadline is generous
 * for a busy machine. */
static void test_a_lone_record_arrives_without_a_flush(void **state)
{
	struct audit_dir *d = *state;
	struct audit_record r = audit_test_record();
	struct audit *a = audit_test_open(d, 0);
	uint64_t deadline = clock_monotonic_ns() + 5 * NS_PER_SEC;
	struct stat st = {};

	assert_int_equal(audit_start(a), 0);
	assert_int_equal(audit_append(a, &r), 0);
	while (st.st_size == 0 && clock_monotonic_ns() < deadline)
		assert_int_equal(stat(d->log, &st), 0);
	assert_int_not_equal(st.st_size, 0);
	audit_close(a);
}

static void test_records_before_the_writer_starts_are_kept(void **state)
{
	struct audit_dir *d = *state;
	struct audit_record r = audit_test_record();
	struct audit *a = audit_test_open(d, AUDIT_SMALL_RING);

	for (int i = 0; i < 2000; i++)
		assert_int_equal(audit_append(a, &r), 0);
	audit_close(a);
	assert_int_equal(audit_test_check(d, NULL, NULL), 2000);
}

static void test_the_ring_of_a_live_session_is_left_alone(void **state)
{
	struct audit_dir *d = *state;
	struct audit_record r = audit_test_record();
	struct audit_config config = audit_test_config(d);
	struct audit *a = audit_test_open(d, 0), *second = NULL;
	struct diag diag = {};

	assert_int_equal(audit_append(a, &r), 0);
	assert_true(audit_is_live(d->log));
	assert_int_equal(audit_recover(d->log, NULL, &diag), -EBUSY);
	assert_int_equal(audit_open(&config, &second, &diag), -EBUSY);
	assert_non_null(strstr(diag.message, "written by another session"));
	assert_true(audit_test_exists(d->ring));
	audit_close(a);
	assert_false(audit_is_live(d->log));
	assert_int_equal(audit_test_check(d, NULL, NULL), 1);
}

static void test_a_session_is_appended_to_an_older_log(void **state)
{
	struct audit_dir *d = *state;
	struct reader *reader = NULL;
	struct reader_line line;

	for (int i = 0; i < 2; i++) {
		struct audit *a = audit_test_open(d, 0);

		assert_int_equal(audit_append_event(a, "session_start", NULL, NULL), 0);
		audit_close(a);
	}
	assert_int_equal(reader_open(d->log, &reader, NULL), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(reader_next(reader, &line), READER_LINE);
		assert_int_equal(reader_u64(line.root, "seq"), 1);
	}
	assert_int_equal(reader_next(reader, &line), READER_END);
	reader_close(reader);
}

static void set_file_limit(rlim_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* EFBIG stands for ENOSPC: the same path, without a file system of the test's own. */
static void test_a_log_that_cannot_grow_fails_and_keeps_whole_lines(void **state)
{
	struct audit_dir *d = *state;
	struct audit_record r = audit_test_record();
	struct audit *a = audit_test_open(d, 0);
	uint64_t deadline = clock_monotonic_ns() + 10 * NS_PER_SEC, written;
	int n = 0, rc = 0;

	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(audit_start(a), 0);
	set_file_limit(10000);
	while (rc == 0 && clock_monotonic_ns() < deadline) {
		rc = audit_append(a, &r);
		n += rc == 0;
	}
	assert_int_equal(rc, -EFBIG);
	assert_int_equal(audit_append(a, &r), -EFBIG);
	assert_int_equal(audit_flush(a), -EFBIG);
	assert_int_equal(audit_append_event(a, "session_end", NULL, NULL), -EFBIG);
	audit_close(a);
	written = audit_test_check(d, NULL, NULL);
	assert_in_range(written, 10, 25); /* what fits into 10000 bytes */
	set_file_limit(RLIM_INFINITY);

	/* What was acknowledged is still in the ring. */
	assert_int_equal(audit_recover(d->log, NULL, NULL), n - (int)written);
	assert_int_equal(audit_test_check(d, NULL, NULL), n);
}

static void keep_line(const json_t *root, void *arg)
{
	*(json_t **)arg = json_deep_copy(root);
}

/* Writes one record. Return: its line, a new reference. */
static json_t *round_trip(struct audit_dir *d, const struct audit_record *r)
{
	struct audit *a = audit_test_open(d, 0);
	json_t *root = NULL;

	assert_int_equal(audit_append(a, r), 0);
	audit_close(a);
	assert_int_equal(audit_test_check(d, keep_line, &root), 1);
	assert_int_equal(unlink(d->log), 0);
	return root;
}

static void assert_bytes(const json_t *root, const char *key, struct bytes expected)
{
	struct strbuf got = STRBUF_INIT(READER_LINE_MAX);

	assert_true(reader_string(root, key, &got));
	assert_int_equal(got.len, expected.len);
	assert_memory_equal(strbuf_str(&got), expected.p, expected.len);
	strbuf_fini(&got);
}

static void assert_pure_ascii_line(const struct audit_dir *d)
{
	struct strbuf text = STRBUF_INIT(READER_LINE_MAX);
	size_t newlines = 0;

	assert_int_equal(io_read_file_at(AT_FDCWD, d->log, &text), 0);
	for (size_t i = 0; i < text.len; i++) {
		newlines += text.p[i] == '\n';
		assert_true(text.p[i] == '\n' || (text.p[i] >= 0x20 && text.p[i] < 0x7f));
	}
	assert_int_equal(newlines, 1);
	strbuf_fini(&text);
}

static void test_hostile_bytes_come_back_exactly(void **state)
{
	struct audit_dir *d = *state;
	uint64_t seed = UNIT_SEED;
	static const struct bytes fixed[] = {
		BYTES_LIT("a\nb\"c\\d"),
		BYTES_LIT("\\xff and \xff and \\\\x41"),
		BYTES_LIT("nul\0nul"),
		BYTES_LIT("\033]0;title\a\xc2\x9b"),
		BYTES_LIT("\xf0\x9f\x98\x80 \xe2\x80\xae \xed\xa0\x80 \xf5"),
		BYTES_LIT(""),
	};
	char random[300];

	for (size_t i = 0; i < 60; i++) {
		struct bytes b = {.p = random, .len = sizeof(random)};
		struct audit_record r = audit_test_record();
		struct audit *a;
		json_t *root = NULL;

		for (size_t k = 0; k < sizeof(random); k++)
			random[k] = (char)unit_random(&seed);
		if (i < ARRAY_SIZE(fixed))
			b = fixed[i];
		r.object = r.asked = r.reason = b;
		r.argv = &b;
		r.argc = r.argc_total = 1;
		a = audit_test_open(d, 0);
		assert_int_equal(audit_append(a, &r), 0);
		audit_close(a);
		assert_pure_ascii_line(d);
		assert_int_equal(audit_test_check(d, keep_line, &root), 1);
		assert_bytes(root, "object", b);
		assert_bytes(root, "reason", b);
		json_decref(root);
		assert_int_equal(unlink(d->log), 0);
	}
}

/* Beyond every limit at once: the record is cut, never refused. */
static void test_a_record_that_is_too_large_is_cut(void **state)
{
	struct audit_dir *d = *state;
	static char big[1 << 20];
	struct bytes b = {.p = big, .len = sizeof(big)}, argv[3000];
	struct audit_record r = audit_test_record();
	json_t *root;

	memset(big, 1, sizeof(big)); /* the longest escape */
	for (size_t i = 0; i < ARRAY_SIZE(argv); i++)
		argv[i] = i == 0 ? (struct bytes){.p = "git", .len = 3} : b;
	r.exe = r.object = r.asked = r.object2 = r.interpreter = r.cwd = b;
	r.policy = r.rule = r.reason = r.held = r.approver = r.note = b;
	r.argv = argv;
	r.argc = ARRAY_SIZE(argv);
	r.argc_total = 5000;
	root = round_trip(d, &r);
	assert_string_equal(reader_word(json_object_get(root, "argv"), "x"), "");
	assert_string_equal(json_string_value(json_array_get(json_object_get(root, "argv"), 0)),
			    "git");
	assert_true(json_array_size(json_object_get(root, "argv")) > 1);
	assert_int_equal(reader_u64(root, "argc"), 5000);
	assert_true(json_is_true(json_object_get(root, "argv_truncated")));
	assert_true(json_string_length(json_object_get(root, "reason")) > 1000);
	json_decref(root);
}

static void test_strings_are_kept_up_to_their_limit(void **state)
{
	struct audit_dir *d = *state;
	static char big[AUDIT_STRING_MAX + 1];
	struct audit_record r = audit_test_record();
	json_t *root;

	memset(big, 'a', sizeof(big));
	r.object = (struct bytes){.p = big, .len = AUDIT_STRING_MAX};
	r.asked = (struct bytes){.p = big, .len = AUDIT_STRING_MAX + 1};
	root = round_trip(d, &r);
	assert_int_equal(json_string_length(json_object_get(root, "object")), AUDIT_STRING_MAX);
	assert_int_equal(json_string_length(json_object_get(root, "asked")), AUDIT_STRING_MAX);
	json_decref(root);
}

static void test_arguments_are_kept_up_to_their_limit(void **state)
{
	struct audit_dir *d = *state;
	struct bytes argv[1025];
	struct audit_record r = audit_test_record();
	json_t *root;

	for (size_t i = 0; i < ARRAY_SIZE(argv); i++)
		argv[i] = BYTES_LIT("a");
	r.argv = argv;
	for (r.argc = 1024; r.argc <= 1025; r.argc++) {
		r.argc_total = r.argc;
		root = round_trip(d, &r);
		assert_int_equal(json_array_size(json_object_get(root, "argv")), 1024);
		assert_int_equal(json_is_true(json_object_get(root, "argv_truncated")),
				 r.argc > 1024);
		json_decref(root);
	}
}

static const char *const action_keys[] = {
	"v",          "seq",   "time",   "event",    "session",     "agent",   "pid",
	"tid",        "ppid",  "exe",    "kind",     "op",          "syscall", "object",
	"object2",    "asked", "argv",   "argc",     "interpreter", "cwd",     "verdict",
	"would_have", "mode",  "policy", "rule",     "reason",      "layer",   "latency_ns",
	"result",     "errno", "held",   "approver", "prev",
};

/* A record that says something about each key. */
static struct audit_record full_record(void)
{
	static const struct bytes argv = BYTES_LIT("a");
	struct audit_record r = audit_test_record();

	r.event = AUDIT_ACTION;
	r.pid = r.tid = r.ppid = 1;
	r.exe = r.object = r.object2 = r.asked = r.interpreter = r.cwd = BYTES_LIT("/x");
	r.policy = r.rule = r.reason = r.held = r.approver = BYTES_LIT("x");
	r.argv = &argv;
	r.argc = r.argc_total = 1;
	r.result = AUDIT_RESULT_REFUSED;
	r.error = EACCES;
	return r;
}

static void test_every_key_of_a_record_is_in_order(void **state)
{
	const struct audit_record full = full_record();
	json_t *root = round_trip(*state, &full), *value;
	const char *key;
	size_t n = 0;

	json_object_foreach(root, key, value) assert_string_equal(key, action_keys[n++]);
	assert_int_equal(n, ARRAY_SIZE(action_keys));
	json_decref(root);
}

static void test_what_has_no_meaning_is_left_out(void **state)
{
	static const char *const there[] = {"v",       "seq",   "time", "event",
					    "session", "agent", "mode", "note"};
	struct audit_record r = {.event = AUDIT_NOTICE, .note = BYTES_LIT("said")};
	json_t *root = round_trip(*state, &r);

	for (size_t i = 0; i < ARRAY_SIZE(there); i++)
		assert_non_null(json_object_get(root, there[i]));
	assert_string_equal(reader_word(root, "note"), "said");
	/* These, the layer and the hash of the line before, and nothing else. */
	json_object_del(root, "layer");
	json_object_del(root, "prev");
	assert_int_equal(json_object_size(root), ARRAY_SIZE(there));
	json_decref(root);
}

static void test_counts_tell_holds_by_their_answer(void **state)
{
	struct audit_dir *d = *state;
	struct audit_record r = audit_test_record();
	struct audit *a = audit_test_open(d, 0);
	struct audit_counts n;

	r.verdict = r.would_have = VERDICT_ASK;
	r.event = AUDIT_HELD;
	r.held = BYTES_LIT("abcd");
	assert_int_equal(audit_append(a, &r), 0);
	r.event = AUDIT_ACTION;
	r.verdict = VERDICT_ALLOW;
	r.approver = BYTES_LIT("root");
	assert_int_equal(audit_append(a, &r), 0);
	r.verdict = VERDICT_DENY;
	r.approver = BYTES_LIT("timeout");
	assert_int_equal(audit_append(a, &r), 0);
	audit_get_counts(a, &n);
	assert_int_equal(n.total, 2);
	assert_int_equal(n.held, 1);
	assert_int_equal(n.approved, 1);
	assert_int_equal(n.timed_out, 1);
	assert_int_equal(n.by_verdict[VERDICT_ALLOW], 1);
	assert_int_equal(n.by_verdict[VERDICT_DENY], 1);
	assert_int_equal(n.by_verdict[VERDICT_ASK], 0);
	assert_int_equal(n.would_have[VERDICT_ASK], 2);
	assert_int_equal(n.by_kind[KIND_PATH], 2);
	audit_close(a);
}

static void add_much(struct json *j, void *arg)
{
	size_t n = *(const size_t *)arg;

	json_key(j, "much");
	json_begin_array(j);
	for (size_t i = 0; i < n; i++)
		json_str(j, BYTES_LIT("0123456789"));
	json_end_array(j);
}

static void test_an_event_that_is_too_long_still_is_a_line(void **state)
{
	struct audit_dir *d = *state;
	struct audit *a = audit_test_open(d, 0);
	size_t few = 100, many = 100000;
	json_t *root = NULL;

	assert_int_equal(audit_append_event(a, "session_start", add_much, &few), 0);
	(void)audit_test_check(d, keep_line, &root);
	assert_int_equal(json_array_size(json_object_get(root, "much")), few);
	json_decref(root);
	audit_close(a);
	assert_int_equal(unlink(d->log), 0);
	a = audit_test_open(d, 0);
	assert_int_equal(audit_append_event(a, "session_start", add_much, &many), 0);
	(void)audit_test_check(d, keep_line, &root);
	assert_true(json_is_true(json_object_get(root, "truncated")));
	json_decref(root);
	audit_close(a);
}

static void test_suggest_cost_and_spent_are_there_when_they_say_something(void **state)
{
	const struct audit_dir *d = *state;
	struct audit_config config = audit_test_config(d);
	const struct audit_record records[] = {
		{.kind = KIND_TOOL, .op = OP_EXEC},
		{.kind = KIND_TOOL,
		 .op = OP_EXEC,
		 .cost = 0.1,
		 .spent = 0.3,
		 .suggest = BYTES_LIT("do that")},
		{.kind = KIND_SPEND, .op = OP_SPEND, .object = BYTES_LIT("llm")},
	};
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT((size_t)1 << 20);
	struct audit *a;
	struct diag diag;
	const char *line;

	assert_int_equal(audit_open(&config, &a, &diag), 0);
	assert_int_equal(audit_start(a), 0);
	for (size_t i = 0; i < ARRAY_SIZE(records); i++)
		assert_int_equal(audit_append(a, &records[i]), 0);
	audit_close(a);
	assert_int_equal(io_read_file_at(AT_FDCWD, d->log, &text), 0);
	line = strbuf_str(&text);
	assert_null(memmem(line, strcspn(line, "\n"), "\"cost\"", 6));
	assert_null(memmem(line, strcspn(line, "\n"), "\"suggest\"", 9));
	line = strchr(line, '\n') + 1;
	assert_non_null(strstr(line, "\"suggest\":\"do that\",\"cost\":0.1,\"spent\":0.3,"));
	line = strchr(line, '\n') + 1;
	assert_non_null(strstr(line, "\"kind\":\"spend\",\"op\":\"spend\""));
	assert_non_null(strstr(line, "\"cost\":0,\"spent\":0,"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		audit_test(test_four_producers_make_one_numbered_sequence),
		audit_test(test_a_full_ring_makes_producers_wait_and_loses_nothing),
		audit_test(test_flush_means_written),
		audit_test(test_a_lone_record_arrives_without_a_flush),
		audit_test(test_records_before_the_writer_starts_are_kept),
		audit_test(test_the_ring_of_a_live_session_is_left_alone),
		audit_test(test_a_session_is_appended_to_an_older_log),
		audit_test(test_a_log_that_cannot_grow_fails_and_keeps_whole_lines),
		audit_test(test_hostile_bytes_come_back_exactly),
		audit_test(test_a_record_that_is_too_large_is_cut),
		audit_test(test_strings_are_kept_up_to_their_limit),
		audit_test(test_arguments_are_kept_up_to_their_limit),
		audit_test(test_every_key_of_a_record_is_in_order),
		audit_test(test_what_has_no_meaning_is_left_out),
		audit_test(test_counts_tell_holds_by_their_answer),
		audit_test(test_suggest_cost_and_spent_are_there_when_they_say_something),
		audit_test(test_an_event_that_is_too_long_still_is_a_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
