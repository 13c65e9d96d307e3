/* SPDX-License-Identifier: Apache-2.0 */
/* Rotation, and where a writer may have died in it. */
#include "audit/internal.h"
#include "audit/segments.h"
#include "audit/verify.h"

#include "tests/unit/audit_harness.h"

static void remove_log(const struct audit_dir *d)
{
	for (int i = 1; i < 40; i++) {
		_cleanup_(freep) char *plain = str_format("%s.%d", d->log, i);
		_cleanup_(freep) char *packed = str_format("%s.%d.zst", d->log, i);

		(void)unlink(plain);
		(void)unlink(packed);
	}
	(void)unlink(d->log);
}

static int rotate_teardown(void **state)
{
	remove_log(*state);
	return audit_dir_teardown(state);
}

static struct audit *open_rotating(const struct audit_dir *d, struct audit_storage storage)
{
	struct audit_config config = audit_test_config(d);
	struct audit *a = NULL;
	struct diag diag = {};

	config.storage = storage;
	if (audit_open(&config, &a, &diag) < 0)
		fail_msg("audit_open: %s", diag.message);
	return a;
}

static void append(struct audit *a, int n)
{
	struct audit_record r = audit_test_record();

	for (int i = 0; i < n; i++)
		assert_int_equal(audit_append(a, &r), 0);
}

static void fail_at(const struct verify_finding *f, void *arg)
{
	(void)arg;
	if (verify_is_bad(f->what))
		fail_msg("%s:%d %s", f->file, (int)f->line, f->text);
}

static uint64_t verified_lines(const struct audit_dir *d)
{
	const struct verify_config config = {.tell = fail_at};
	struct verify_result result;

	assert_int_equal(verify_log(d->log, &config, &result, NULL), 0);
	return result.lines;
}

/* Counts the actions, in order over all files. */
static uint64_t read_actions(const struct audit_dir *d)
{
	struct reader *r = NULL;
	struct reader_line line;
	uint64_t n = 0, seq = 0;
	int rc;

	assert_int_equal(reader_open(d->log, &r, NULL), 0);
	while ((rc = reader_next(r, &line)) > 0) {
		assert_int_equal(rc, READER_LINE);
		assert_int_equal(reader_u64(line.root, "seq"), ++seq);
		n += streq(reader_word(line.root, "event"), "action");
	}
	assert_int_equal(rc, READER_END);
	reader_close(r);
	return n;
}

static size_t count_closed(const struct audit_dir *d)
{
	struct segments s = SEGMENTS_NULL;
	int fd = open(d->path, O_PATH | O_CLOEXEC);
	size_t n;

	assert_int_equal(segments_list(fd, "s.jsonl", &s), 0);
	n = s.n;
	segments_fini(&s);
	(void)close(fd);
	return n;
}

static void test_a_log_is_one_over_its_closed_files(void **state)
{
	struct audit_dir *d = *state;

	for (int compresses = 0; compresses < 2; compresses++) {
		struct audit *a =
			open_rotating(d, (struct audit_storage){.rotate_bytes = AUDIT_ROTATE_MIN,
								.compresses_closed = compresses});

		assert_int_equal(audit_start(a), 0);
		append(a, 1000);
		audit_close(a);
		assert_true(count_closed(d) >= 2);
		assert_true(verified_lines(d) >= 1000);
		assert_int_equal(read_actions(d), 1000);
		remove_log(d);
	}
}

static void test_only_the_newest_closed_files_are_kept(void **state)
{
	struct audit_dir *d = *state;
	struct audit *a = open_rotating(
		d, (struct audit_storage){.rotate_bytes = AUDIT_ROTATE_MIN, .keep = 2});

	append(a, 2000);
	audit_close(a);
	assert_int_equal(count_closed(d), 2);
	assert_true(verified_lines(d) > 100);
}

/* Leaves the log as if its writer had been killed where @step says. */
static void die_in_rotation(struct audit_dir *d, int step)
{
	struct audit *a = open_rotating(d, (struct audit_storage){});
	_cleanup_(freep) char *closed = str_format("%s.1", d->log);
	struct ring_commit commit;
	int fd;

	append(a, 100);
	assert_int_equal(audit_flush(a), 0);
	append(a, 10); /* only in the ring */
	commit = ring_get_commit(&a->ring);
	commit.rotating = 1;
	ring_set_commit(&a->ring, commit);
	audit_release(a);
	if (step >= 1)
		assert_int_equal(rename(d->log, closed), 0);
	if (step < 2)
		return;
	fd = open(d->log, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (step >= 3)
		assert_int_equal(io_write_all(fd, "{\"v\":1,\"seq\":10", 15), 0);
	(void)close(fd);
}

static void test_recovery_goes_on_wherever_a_writer_died(void **state)
{
	struct audit_dir *d = *state;

	for (int step = 0; step <= 3; step++) {
		struct diag diag = {};

		die_in_rotation(d, step);
		if (audit_recover(d->log, NULL, &diag) != 10)
			fail_msg("step %d: %s", step, diag.message);
		assert_int_equal(read_actions(d), 110);
		assert_int_equal(verified_lines(d), step ? 111 : 110);
		assert_false(audit_test_exists(d->ring));
		remove_log(d);
	}
}

#define rotate_test(f) cmocka_unit_test_setup_teardown(f, audit_dir_setup, rotate_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		rotate_test(test_a_log_is_one_over_its_closed_files),
		rotate_test(test_only_the_newest_closed_files_are_kept),
		rotate_test(test_recovery_goes_on_wherever_a_writer_died),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
