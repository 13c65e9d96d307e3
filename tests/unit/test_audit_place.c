/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/place.h"

#include "tests/unit/audit_harness.h"

/* Tries to open the log. Return: the message of the refusal, a heap string. */
static char *refusal(const char *path, int expected)
{
	struct audit_config config = {.path = path, .session = "s", .agent = "a"};
	struct audit *a = NULL;
	struct diag d = {};
	int r;

	r = audit_open(&config, &a, &d);
	audit_close(a);
	assert_int_equal(r, expected);
	return strdup(d.message);
}

static void assert_refused(const char *path, int expected, const char *words)
{
	_cleanup_(freep) char *message = refusal(path, expected);

	if (!strstr(message, words))
		fail_msg("'%s' lacks '%s'", message, words);
}

static void make_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_int_not_equal(fd, -1);
	assert_int_equal(io_write_all(fd, text, strlen(text)), 0);
	(void)close(fd);
}

static void test_a_symlink_is_refused_and_its_target_untouched(void **state)
{
	struct audit_dir *d = *state;
	_cleanup_(freep) char *target = str_format("%s/target", d->path);
	struct stat st;

	make_file(target, "");
	assert_int_equal(symlink(target, d->log), 0);
	assert_refused(d->log, -ELOOP, "is a symlink to");
	assert_refused(d->log, -ELOOP, target);
	assert_int_equal(stat(target, &st), 0);
	assert_int_equal(st.st_size, 0);
	assert_int_equal(unlink(target), 0);
	/* Nor is a file made where a dangling one points. */
	assert_refused(d->log, -ELOOP, "refusing to follow it");
	assert_false(audit_test_exists(target));
	assert_false(audit_test_exists(d->ring));
}

static void test_a_symlink_in_the_place_of_the_ring_is_refused(void **state)
{
	struct audit_dir *d = *state;
	_cleanup_(freep) char *target = str_format("%s/target", d->path);

	assert_int_equal(symlink(target, d->ring), 0);
	free(refusal(d->log, -ELOOP));
	assert_false(audit_test_exists(target));
	assert_false(audit_test_exists(d->log));
}

static void test_files_of_other_kinds_are_refused(void **state)
{
	struct audit_dir *d = *state;
	_cleanup_(freep) char *other = str_format("%s/other", d->path);

	assert_refused(d->path, -EINVAL, "is a directory");
	assert_refused("/dev/null", -EINVAL, "is not a regular file");
	assert_int_equal(mkfifo(d->log, 0600), 0);
	assert_refused(d->log, -EINVAL, "is not a regular file");
	assert_int_equal(unlink(d->log), 0);
	make_file(d->log, "#!/bin/sh\n");
	assert_refused(d->log, -EINVAL, "is a file of another kind");
	assert_int_equal(unlink(d->log), 0);
	make_file(other, "");
	assert_int_equal(link(other, d->log), 0);
	assert_refused(d->log, -EINVAL, "has several hard links");
	assert_int_equal(unlink(other), 0);
	assert_false(audit_test_exists(d->ring));
}

static void test_a_file_of_another_user_is_refused(void **state)
{
	struct audit_dir *d = *state;

	if (geteuid() != 0) {
		print_message("only root can make a file of another user\n");
		skip();
	}
	make_file(d->log, "");
	assert_int_equal(chown(d->log, 65534, 65534), 0);
	assert_refused(d->log, -EINVAL, "belongs to another user");
}

static void test_a_directory_that_cannot_be_used_is_told(void **state)
{
	struct audit_dir *d = *state;
	_cleanup_(freep) char *file = str_format("%s/file", d->path);
	_cleanup_(freep) char *below = str_format("%s/file/s.jsonl", d->path);

	make_file(file, "");
	assert_refused(below, -ENOTDIR, "cannot use the directory");
	assert_int_equal(unlink(file), 0);
	assert_refused("/proc/holdfast/s.jsonl", -ENOENT, "name another place with --log");
	if (geteuid() != 0) {
		assert_int_equal(chmod(d->path, 0500), 0);
		assert_refused(d->log, -EACCES, "Permission denied");
		assert_int_equal(chmod(d->path, 0700), 0);
	}
}

static void test_what_is_made_is_private(void **state)
{
	struct audit_dir *d = *state;
	_cleanup_(freep) char *dir = str_format("%s/a", d->path);
	_cleanup_(freep) char *log = str_format("%s/a/s.jsonl", d->path);
	struct audit_config config = {.path = log, .session = "other", .agent = "a"};
	mode_t old = umask(0);
	struct audit *a = NULL;
	struct stat st;

	assert_int_equal(audit_open(&config, &a, NULL), 0);
	(void)umask(old);
	assert_string_equal(audit_path(a), log);
	audit_close(a);
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(stat(log, &st), 0);
	assert_int_equal(st.st_mode & 07777, 01600);
	assert_int_equal(unlink(log), 0);
	assert_int_equal(rmdir(dir), 0);
}

static void assert_place(const char *option, const char *expected)
{
	_cleanup_(freep) char *path = NULL;

	assert_int_equal(audit_place(option, "20261121T051234-k3f9qz", &path, NULL), 0);
	assert_string_equal(path, expected);
}

static void test_option_names_a_file_or_a_directory(void **state)
{
	struct audit_dir *d = *state;
	_cleanup_(freep) char *in_dir = str_format("%s/20261121T051234-k3f9qz.jsonl", d->path);
	_cleanup_(freep) char *new_dir = str_format("%s/new/", d->path);
	_cleanup_(freep) char *in_new = str_format("%s/new/20261121T051234-k3f9qz.jsonl", d->path);
	_cleanup_(freep) char *link = str_format("%s/link", d->path);
	_cleanup_(freep) char *in_link = str_format("%s/link/s.jsonl", d->path);
	struct diag diag = {};
	char *path;

	assert_place(d->path, in_dir);
	assert_place(new_dir, in_new);
	assert_place(d->log, d->log);
	/* The path that is protected from the agent must be the real one. */
	assert_int_equal(symlink(d->path, link), 0);
	assert_place(in_link, d->log);
	assert_int_equal(audit_place("", "s", &path, &diag), -EINVAL);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(rmdir(new_dir), 0);
}

static void make_session(const char *dir, const char *name)
{
	_cleanup_(freep) char *path = str_format("%s/%s", dir, name);

	make_file(path, "");
}

static void assert_found(const char *what, const char *dir, const char *name)
{
	_cleanup_(freep) char *expected = str_format("%s/%s", dir, name), *path = NULL;

	assert_int_equal(audit_find(what, &path, NULL), 0);
	assert_string_equal(path, expected);
}

static void assert_not_found(const char *what, const char *words)
{
	struct diag d = {};
	char *path = NULL;

	assert_int_equal(audit_find(what, &path, &d), -ENOENT);
	if (!strstr(d.message, words))
		fail_msg("'%s' lacks '%s'", d.message, words);
}

static void test_sessions_are_found_by_their_beginning(void **state)
{
	static const char *const names[] = {"20261121T051234-k3f9qz.jsonl",
					    "20261121T051235-abcdef.jsonl",
					    "20261120T235959-zzzzzz.jsonl",
					    "mine.jsonl",
					    "zebra.jsonl",
					    "20271121T051234-k3f9qz.jsonl.ring",
					    "20281121T051234-k3f9qz.txt"};
	struct audit_dir *d = *state;
	_cleanup_(freep) char *dir = str_format("%s/holdfast", d->path);

	assert_int_equal(setenv("XDG_STATE_HOME", d->path, 1), 0);
	assert_not_found(NULL, "there is no session in");
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_not_found(NULL, "there is no session in");
	assert_not_found("2026", "there is no session in");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		make_session(dir, names[i]);
	assert_found(NULL, dir, names[1]);
	assert_found("20261121T051234", dir, names[0]);
	assert_found("20261120", dir, names[2]);
	assert_found("mine", dir, names[3]);
	assert_found("z", dir, names[4]);
	assert_not_found("20261121T", "2 sessions in");
	assert_not_found("20251121", "one of the 3 sessions");
	assert_not_found("20251121", "20261121T051235-abcdef");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_(freep) char *path = str_format("%s/%s", dir, names[i]);

		assert_int_equal(unlink(path), 0);
	}
	assert_int_equal(rmdir(dir), 0);
}

static struct timespec written_at(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_mtim;
}

static void test_of_sessions_of_one_second_the_file_made_last_is_the_newest(void **state)
{
	static const char *const names[] = {"20261121T051234-zzzzzz.jsonl",
					    "20261121T051234-aaaaaa.jsonl"};
	struct audit_dir *d = *state;
	_cleanup_(freep) char *dir = str_format("%s/holdfast", d->path);
	_cleanup_(freep) char *first = str_format("%s/%s", dir, names[0]);
	_cleanup_(freep) char *last = str_format("%s/%s", dir, names[1]);
	struct timespec a, b;

	assert_int_equal(setenv("XDG_STATE_HOME", d->path, 1), 0);
	assert_int_equal(mkdir(dir, 0700), 0);
	make_file(first, "");
	make_file(last, "");
	a = written_at(first);
	/* Until the clock of the file system has gone on. */
	for (b = a; b.tv_sec == a.tv_sec && b.tv_nsec == a.tv_nsec; b = written_at(last)) {
		assert_int_equal(unlink(last), 0);
		make_file(last, "");
	}
	assert_found(NULL, dir, names[1]);
	assert_int_equal(unlink(first), 0);
	assert_int_equal(unlink(last), 0);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		audit_test(test_a_symlink_is_refused_and_its_target_untouched),
		audit_test(test_a_symlink_in_the_place_of_the_ring_is_refused),
		audit_test(test_files_of_other_kinds_are_refused),
		audit_test(test_a_file_of_another_user_is_refused),
		audit_test(test_a_directory_that_cannot_be_used_is_told),
		audit_test(test_what_is_made_is_private),
		audit_test(test_option_names_a_file_or_a_directory),
		audit_test(test_sessions_are_found_by_their_beginning),
		audit_test(test_of_sessions_of_one_second_the_file_made_last_is_the_newest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
