/* SPDX-License-Identifier: Apache-2.0 */
/* The ring of a session that has ended, kept in a directory of logs for the next. */
#include <sys/mman.h>

#include "tests/unit/audit_harness.h"

#include "audit/ring.h"

#define RING_BYTES (RING_HEADER_BYTES + RING_DEFAULT_BYTES)

struct spare_dir {
	struct audit_dir *dir;
	char log[128], ring[136], spare[96];
};

static struct spare_dir spare_of(void **state)
{
	struct spare_dir s = {.dir = *state};
	struct audit_config config = audit_test_config(s.dir);

	(void)snprintf(s.log, sizeof(s.log), "%s/%s.jsonl", s.dir->path, config.session);
	(void)snprintf(s.ring, sizeof(s.ring), "%s.ring", s.log);
	(void)snprintf(s.spare, sizeof(s.spare), "%s/" RING_SPARE_NAME, s.dir->path);
	return s;
}

static struct audit *open_at(const struct spare_dir *s, const char *log)
{
	struct audit_config config = audit_test_config(s->dir);
	struct audit *a = NULL;
	struct diag diag = {};

	config.path = log;
	if (audit_open(&config, &a, &diag) < 0)
		fail_msg("audit_open: %s", diag.message);
	return a;
}

/* Of a session with one record. */
static void end(struct audit *a)
{
	struct audit_record r = audit_test_record();

	assert_int_equal(audit_start(a), 0);
	assert_int_equal(audit_append(a, &r), 0);
	audit_close(a);
}

/* Not every file system knows leases (network ones do not); there a ring is made each time. */
static void need_leases(const struct spare_dir *s)
{
	int fd = open(s->spare, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool has_leases;

	assert_true(fd >= 0);
	has_leases = fcntl(fd, F_SETLEASE, F_WRLCK) == 0;
	(void)close(fd);
	assert_int_equal(unlink(s->spare), 0);
	if (has_leases)
		return;
	print_message("skipped: the file system of /tmp has no leases\n");
	skip();
}

static ino_t inode_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_ino : 0;
}

static void remove_all(const struct spare_dir *s)
{
	(void)unlink(s->log);
	(void)unlink(s->ring);
	(void)unlink(s->spare);
}

static void test_the_next_session_has_the_ring_of_the_last(void **state)
{
	struct spare_dir s = spare_of(state);
	struct audit *a = open_at(&s, s.log);
	ino_t ring = inode_of(s.ring);

	need_leases(&s);
	assert_true(ring != 0);
	end(a);
	assert_int_equal(inode_of(s.ring), 0);
	assert_int_equal(inode_of(s.spare), ring);
	assert_int_equal(unlink(s.log), 0);
	a = open_at(&s, s.log);
	assert_int_equal(inode_of(s.ring), ring);
	assert_int_equal(inode_of(s.spare), 0);
	end(a);
	memcpy(s.dir->log, s.log, sizeof(s.dir->log));
	assert_int_equal(audit_test_check(s.dir, NULL, NULL), 1);
	remove_all(&s);
}

static void test_nothing_of_what_was_recorded_stays_in_it(void **state)
{
	struct spare_dir s = spare_of(state);
	_cleanup_(freep) char *content = malloc(RING_BYTES);
	struct stat st;
	int fd;

	end(open_at(&s, s.log));
	assert_non_null(content);
	fd = open(s.spare, O_RDONLY | O_CLOEXEC);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & ALLPERMS, S_ISVTX | S_IRUSR | S_IWUSR);
	assert_int_equal(read(fd, content, RING_BYTES), RING_BYTES);
	for (size_t i = 0; i < RING_BYTES; i++)
		assert_int_equal(content[i], 0);
	(void)close(fd);
	remove_all(&s);
}

/* An agent could write records of its own into what it has open or mapped. */
static void test_a_ring_that_somebody_else_has_is_left_alone(void **state)
{
	struct spare_dir s = spare_of(state);
	struct audit *a;
	ino_t spare;
	void *p;
	int fd;

	need_leases(&s);
	end(open_at(&s, s.log));
	spare = inode_of(s.spare);
	fd = open(s.spare, O_RDWR | O_CLOEXEC);
	a = open_at(&s, s.log);
	assert_true(inode_of(s.ring) != spare);
	end(a);
	assert_int_equal(inode_of(s.spare), spare);

	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(p, MAP_FAILED);
	(void)close(fd);
	a = open_at(&s, s.log);
	assert_true(inode_of(s.ring) != spare);
	end(a);

	assert_int_equal(munmap(p, 4096), 0);
	a = open_at(&s, s.log);
	assert_int_equal(inode_of(s.ring), spare);
	end(a);
	remove_all(&s);
}

static void try_planted(const struct spare_dir *s, mode_t mode, off_t size, bool has_blocks)
{
	int fd = open(s->spare, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	struct audit *a;
	ino_t planted;

	assert_true(fd >= 0);
	assert_int_equal(has_blocks ? posix_fallocate(fd, 0, size) : ftruncate(fd, size), 0);
	assert_int_equal(fchmod(fd, mode), 0);
	(void)close(fd);
	planted = inode_of(s->spare);
	a = open_at(s, s->log);
	assert_int_equal(inode_of(s->spare), planted);
	end(a);
	assert_int_equal(unlink(s->spare), 0);
}

static void test_a_file_that_no_session_left_is_left_alone(void **state)
{
	struct spare_dir s = spare_of(state);
	struct audit *a;

	try_planted(&s, S_IRUSR | S_IWUSR, RING_BYTES, true);
	try_planted(&s, S_ISVTX | S_IRUSR | S_IWUSR, RING_BYTES - 4096, true);
	/* Without blocks of its own a full disk would be a SIGBUS. */
	try_planted(&s, S_ISVTX | S_IRUSR | S_IWUSR, RING_BYTES, false);
	assert_int_equal(symlink("/etc/passwd", s.spare), 0);
	a = open_at(&s, s.log);
	end(a);
	assert_int_equal(unlink(s.spare), 0);

	end(open_at(&s, s.log));
	assert_int_equal(link(s.spare, s.dir->ring), 0);
	a = open_at(&s, s.log);
	assert_true(inode_of(s.ring) != inode_of(s.spare));
	end(a);
	remove_all(&s);
}

static void test_a_session_that_died_before_its_ring_was_whole_leaves_nothing(void **state)
{
	struct spare_dir s = spare_of(state);

	end(open_at(&s, s.log));
	assert_int_equal(rename(s.spare, s.ring), 0);
	assert_int_equal(audit_recover(s.log, NULL, NULL), 0);
	assert_int_equal(inode_of(s.ring), 0);
	remove_all(&s);
}

static void test_beside_a_file_that_somebody_named_nothing_stays(void **state)
{
	struct spare_dir s = spare_of(state);

	end(open_at(&s, s.dir->log));
	assert_int_equal(inode_of(s.spare), 0);
	assert_int_equal(inode_of(s.dir->ring), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		audit_test(test_the_next_session_has_the_ring_of_the_last),
		audit_test(test_nothing_of_what_was_recorded_stays_in_it),
		audit_test(test_a_ring_that_somebody_else_has_is_left_alone),
		audit_test(test_a_file_that_no_session_left_is_left_alone),
		audit_test(test_a_session_that_died_before_its_ring_was_whole_leaves_nothing),
		audit_test(test_beside_a_file_that_somebody_named_nothing_stays),
	};

	return cmocka_run_group_tests_name("audit/spare", tests, NULL, NULL);
}
