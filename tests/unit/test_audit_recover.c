/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "tests/unit/audit_harness.h"

/* Shared with the process that will be killed. */
struct appended {
	_Atomic uint64_t n[AUDIT_PRODUCERS];
};

static void count_recovered(const json_t *root, void *arg)
{
	uint64_t *n = arg;

	n[reader_u64(root, "pid") - 1]++;
}

/* Kills a supervisor once it has appended @target records. */
static void kill_and_recover(struct audit_dir *d, uint64_t target)
{
	struct appended *appended = mmap(NULL, sizeof(*appended), PROT_READ | PROT_WRITE,
					 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t found[AUDIT_PRODUCERS] = {}, sum;
	struct audit_producer p[AUDIT_PRODUCERS];
	pid_t child;
	int status;

	assert_ptr_not_equal(appended, MAP_FAILED);
	child = fork();
	assert_int_not_equal(child, -1);
	if (child == 0) {
		struct audit *a = audit_test_open(d, AUDIT_SMALL_RING);

		if (audit_start(a) < 0)
			_exit(1);
		for (int i = 0; i < AUDIT_PRODUCERS; i++)
			p[i] = (struct audit_producer){.audit = a,
						       .index = i,
						       .n_records = 10000000,
						       .n_appended = &appended->n[i]};
		audit_produce_all(p);
		_exit(1); /* never so far */
	}
	do {
		sum = 0;
		for (int i = 0; i < AUDIT_PRODUCERS; i++)
			sum += atomic_load(&appended->n[i]);
	} while (sum < target && waitpid(child, &status, WNOHANG) == 0);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));

	assert_true(audit_recover(d->log, NULL, NULL) >= 0);
	assert_true(audit_test_check(d, count_recovered, found) >= target);
	for (int i = 0; i < AUDIT_PRODUCERS; i++)
		assert_true(found[i] >= atomic_load(&appended->n[i]));
	assert_false(audit_test_exists(d->ring));
	assert_int_equal(audit_recover(d->log, NULL, NULL), 0);
	(void)munmap(appended, sizeof(*appended));
}

static void test_a_killed_supervisor_loses_no_appended_record(void **state)
{
	struct audit_dir *d = *state;

	for (uint64_t i = 0; i < 12; i++) {
		kill_and_recover(d, 1 + i * 1500);
		assert_int_equal(unlink(d->log), 0);
	}
}

/* The launcher opens the log and forks the supervisor, which writes. */
static void test_the_launcher_only_lets_go(void **state)
{
	struct audit_dir *d = *state;
	struct audit_record r = audit_test_record();
	struct audit *a = audit_test_open(d, 0);
	struct audit_counts counts;
	pid_t child;
	int status;

	child = fork();
	assert_int_not_equal(child, -1);
	if (child == 0) {
		if (audit_start(a) < 0 || audit_append(a, &r) < 0)
			_exit(1);
		_exit(0); /* dies without audit_close() */
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	audit_get_counts(a, &counts);
	assert_int_equal(counts.total, 1);
	assert_int_equal(audit_recover(d->log, NULL, NULL), -EBUSY);
	audit_close(a);
	assert_true(audit_test_exists(d->ring));
	assert_int_equal(audit_recover(d->log, NULL, NULL) >= 0, 1);
	assert_int_equal(audit_test_check(d, NULL, NULL), 1);
}

/* A batch was written but not accounted for: recovery must not write it twice. */
static void test_recovery_does_not_repeat_what_was_written(void **state)
{
	struct audit_dir *d = *state;
	struct audit_record r = audit_test_record();
	struct audit *a = audit_test_open(d, 0);
	static const char unaccounted[] = "{\"v\":1,\"seq\":1,\"half\":";
	int fd;

	assert_int_equal(audit_append(a, &r), 0);
	audit_release(a); /* as if killed: the ring stays, with one record */
	fd = open(d->log, O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(io_write_all(fd, unaccounted, sizeof(unaccounted) - 1), 0);
	(void)close(fd);
	assert_int_equal(audit_recover(d->log, NULL, NULL), 1);
	assert_int_equal(audit_test_check(d, NULL, NULL), 1);
}

/* Is every line of the file linked to the one before it? Return: the last line, on the heap. */
static char *check_links(const struct audit_dir *d)
{
	_cleanup_(chain_freep) struct chain *chain = NULL;
	struct strbuf text = STRBUF_INIT(READER_LINE_MAX);
	struct chain_link link = chain_first;
	struct bytes line = BYTES_NULL;
	char *last;

	assert_int_equal(chain_new(&chain), 0);
	assert_int_equal(io_read_file_at(AT_FDCWD, d->log, &text), 0);
	for (size_t at = 0; at < text.len; at += line.len + 1) {
		const char *newline = memchr(text.p + at, '\n', text.len - at);

		assert_non_null(newline);
		line = (struct bytes){.p = text.p + at, .len = (size_t)(newline - text.p) - at};
		audit_test_check_link(chain, line, &link);
	}
	last = strndup(line.p, line.len);
	strbuf_fini(&text);
	return last;
}

/* What a dead writer left of a line, whose ring is lost, is made a line of the chain. */
static void test_the_chain_goes_on_after_a_half_line(void **state)
{
	static const char *const halves[] = {"{", "{\"v\":1,\"seq\":7,\"half\":", "\001"};
	struct audit_dir *d = *state;
	struct audit_record r = audit_test_record();

	for (size_t i = 0; i < ARRAY_SIZE(halves); i++) {
		for (int n = 0; n < 3; n++) {
			struct audit *a = audit_test_open(d, 0);
			int fd;

			assert_int_equal(audit_append(a, &r), 0);
			audit_close(a);
			free(check_links(d));
			fd = open(d->log, O_WRONLY | O_APPEND | O_CLOEXEC);
			assert_int_equal(io_write_all(fd, halves[i], strlen(halves[i])), 0);
			(void)close(fd);
		}
		audit_close(audit_test_open(d, 0));
		free(check_links(d));
		assert_int_equal(unlink(d->log), 0);
	}
}

/* A line that lacks only its newline is a whole one. */
static void test_a_lost_newline_harms_no_record(void **state)
{
	struct audit_dir *d = *state;
	struct audit_record r = audit_test_record();
	struct audit *a = audit_test_open(d, 0);
	struct stat st;

	assert_int_equal(audit_append(a, &r), 0);
	audit_close(a);
	assert_int_equal(stat(d->log, &st), 0);
	assert_int_equal(truncate(d->log, st.st_size - 1), 0);
	audit_close(audit_test_open(d, 0));
	free(check_links(d));
	assert_int_equal(audit_test_check(d, NULL, NULL), 1);
}

/* A line of a gigabyte, most of it a hole. */
static void test_a_giant_last_line_is_refused_and_kept(void **state)
{
	const off_t size = (off_t)1 << 30;
	struct audit_dir *d = *state;
	struct audit_config config = audit_test_config(d);
	struct audit *a = NULL;
	struct diag diag = {};
	struct stat st;
	int fd = open(d->log, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_int_equal(io_write_all(fd, "{", 1), 0);
	assert_int_equal(ftruncate(fd, size), 0);
	(void)close(fd);
	assert_true(audit_open(&config, &a, &diag) < 0);
	assert_non_null(strstr(diag.message, "more than 2 MiB"));
	assert_int_equal(stat(d->log, &st), 0);
	assert_int_equal(st.st_size, size);
}

static void damage_ring(const char *ring, off_t at, uint32_t value)
{
	int fd = open(ring, O_WRONLY | O_CLOEXEC);

	assert_int_equal(pwrite(fd, &value, sizeof(value), at), sizeof(value));
	(void)close(fd);
}

static void test_a_damaged_ring_is_refused_and_kept(void **state)
{
	static const struct {
		off_t at;
		uint32_t value;
	} damages[] = {
		{0, 0x12345678},    /* magic */
		{8, 99},            /* version */
		{4096, UINT32_MAX}, /* size of the first record */
		{4096, 4},
		{4096, 0},
		{4096 + 4, 77},         /* its type */
		{4096 + 24 + 68, 5000}, /* a length in it */
	};
	struct audit_dir *d = *state;
	struct audit_record r = audit_test_record();

	for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
		struct audit *a = audit_test_open(d, 0);
		struct diag diag = {};

		assert_int_equal(audit_append(a, &r), 0);
		audit_release(a);
		damage_ring(d->ring, damages[i].at, damages[i].value);
		assert_true(audit_recover(d->log, NULL, &diag) < 0);
		assert_non_null(strstr(diag.message, "damaged"));
		assert_int_equal(unlink(d->ring), 0);
	}
}

static void test_the_next_session_recovers_the_last_one(void **state)
{
	struct audit_dir *d = *state;
	struct audit_record r = audit_test_record();
	struct audit *a = audit_test_open(d, 0);

	assert_int_equal(audit_append(a, &r), 0);
	audit_release(a);
	a = audit_test_open(d, 0);
	audit_close(a);
	assert_int_equal(audit_test_check(d, NULL, NULL), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		audit_test(test_a_killed_supervisor_loses_no_appended_record),
		audit_test(test_the_launcher_only_lets_go),
		audit_test(test_recovery_does_not_repeat_what_was_written),
		audit_test(test_the_chain_goes_on_after_a_half_line),
		audit_test(test_a_lost_newline_harms_no_record),
		audit_test(test_a_giant_last_line_is_refused_and_kept),
		audit_test(test_a_damaged_ring_is_refused_and_kept),
		audit_test(test_the_next_session_recovers_the_last_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
