/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/dirs.h"
#include "base/io.h"

#include "tests/unit/unit.h"

#define IN_DIR(s, name) (_in_dir((s), (name), (char[256]){0}))

/* Each test runs in a directory of its own, removed by the teardown. */
static const char *_in_dir(void **state, const char *name, char *out)
{
	(void)snprintf(out, 256, "%s/%s", (const char *)*state, name);
	return out;
}

static int set_up(void **state)
{
	char *dir = strdup("/tmp/holdfast-unit-XXXXXX");

	*state = dir;
	return dir && mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	static const char *const names[] = {"file", "fifo", "link", "a/b/c", "a/b", "a", ""};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		(void)remove(IN_DIR(state, names[i]));
	free(*state);
	return 0;
}

static void write_file(const char *path, const void *p, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(io_write_all(fd, p, len), 0);
	(void)fd_close(fd);
}

static void test_a_file_is_read_whole(void **state)
{
	struct strbuf b = STRBUF_INIT(100000);
	static char text[50000];

	memset(text, 'z', sizeof(text));
	write_file(IN_DIR(state, "file"), text, sizeof(text));
	assert_int_equal(io_read_file_at(AT_FDCWD, IN_DIR(state, "file"), &b), 0);
	assert_int_equal(b.len, sizeof(text));
	assert_memory_equal(b.p, text, sizeof(text));
	strbuf_fini(&b);
}

static void test_a_file_past_the_limit_is_refused(void **state)
{
	struct strbuf b = STRBUF_INIT(4);

	write_file(IN_DIR(state, "file"), "12345", 5);
	assert_int_equal(io_read_file_at(AT_FDCWD, IN_DIR(state, "file"), &b), -EMSGSIZE);
	strbuf_reset(&b);
	write_file(IN_DIR(state, "file"), "1234", 4);
	assert_int_equal(io_read_file_at(AT_FDCWD, IN_DIR(state, "file"), &b), 0);
	strbuf_fini(&b);
}

static void test_a_lock_keeps_others_out_until_it_is_closed(void **state)
{
	int dir = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int lock = io_lock_at(dir, "file", 0);

	assert_true(lock >= 0);
	assert_int_equal(io_lock_at(dir, "file", NS_PER_MSEC), -EBUSY);
	(void)fd_close(lock);
	lock = io_lock_at(dir, "file", 0);
	assert_true(lock >= 0);
	(void)fd_close(lock);
	assert_int_equal(symlinkat("file", dir, "link"), 0);
	assert_int_equal(io_lock_at(dir, "link", 0), -ELOOP);
	(void)fd_close(dir);
}

static void test_a_file_is_replaced_whole(void **state)
{
	struct strbuf b = STRBUF_INIT(100);
	int dir = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	write_file(IN_DIR(state, "file"), "old and longer", 14);
	/* What a crash left in the way does no harm, whatever it is a link to. */
	assert_int_equal(symlinkat("file", dir, "link"), 0);
	assert_int_equal(io_replace_file_at(dir, "file", "link", BYTES_LIT("new"), true), 0);
	assert_int_equal(io_read_file_at(dir, "file", &b), 0);
	assert_string_equal(strbuf_str(&b), "new");
	assert_int_equal(fstatat(dir, "file", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(faccessat(dir, "link", F_OK, AT_SYMLINK_NOFOLLOW), -1);
	strbuf_fini(&b);
	(void)fd_close(dir);
}

static void test_a_fifo_neither_hangs_nor_is_read(void **state)
{
	struct strbuf b = STRBUF_INIT(100);

	assert_int_equal(mkfifo(IN_DIR(state, "fifo"), 0600), 0);
	assert_int_equal(io_read_file_at(AT_FDCWD, IN_DIR(state, "fifo"), &b), -EINVAL);
	strbuf_fini(&b);
}

static void test_a_directory_or_nothing_is_an_error(void **state)
{
	struct strbuf b = STRBUF_INIT(100);

	assert_int_equal(io_read_file_at(AT_FDCWD, *state, &b), -EISDIR);
	assert_int_equal(io_read_file_at(AT_FDCWD, IN_DIR(state, "none"), &b), -ENOENT);
	strbuf_fini(&b);
}

static void test_missing_directories_are_made_with_the_mode(void **state)
{
	struct stat st;

	assert_int_equal(io_mkdir_p(IN_DIR(state, "a/b/c"), 0700), 0);
	assert_int_equal(stat(IN_DIR(state, "a/b"), &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(io_mkdir_p(IN_DIR(state, "a/b/c"), 0700), 0);
}

static void test_a_directory_under_a_file_cannot_be_made(void **state)
{
	write_file(IN_DIR(state, "file"), "", 0);
	assert_int_equal(io_mkdir_p(IN_DIR(state, "file/sub"), 0700), -ENOTDIR);
}

static void test_a_directory_without_a_name_cannot_be_made(void **state)
{
	(void)state;
	assert_int_equal(io_mkdir_p("", 0700), -ENOENT);
}

static void test_writing_to_a_closed_pipe_is_an_error(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	(void)fd_close(fds[1]);
	assert_int_equal(io_write_all(fds[0], "x", 1), -EBADF);
	(void)fd_close(fds[0]);
}

static void test_numbers_are_plain_decimals(void **state)
{
	uint64_t v = 7;

	(void)state;
	assert_int_equal(parse_u64(BYTES_LIT("0"), 10, &v), 0);
	assert_true(v == 0);
	assert_int_equal(parse_u64(BYTES_LIT("18446744073709551615"), UINT64_MAX, &v), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(parse_u64(BYTES_LIT("10"), 10, &v), 0);
	assert_true(v == 10);
}

static void test_what_is_not_a_number_is_refused(void **state)
{
	static const struct bytes bad[] = {
		BYTES_LIT(""),   BYTES_LIT(" 1"),  BYTES_LIT("1 "),  BYTES_LIT("+1"),
		BYTES_LIT("-1"), BYTES_LIT("0x1"), BYTES_LIT("1\0"), BYTES_LIT("1e3"),
	};
	uint64_t v = 7;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(parse_u64(bad[i], UINT64_MAX, &v), -EINVAL);
	assert_int_equal(parse_u64(BYTES_LIT("11"), 10, &v), -ERANGE);
	assert_int_equal(parse_u64(BYTES_LIT("18446744073709551616"), UINT64_MAX, &v), -ERANGE);
	assert_true(v == 7);
}

static void test_a_status_field_is_found_by_its_whole_name(void **state)
{
	static const char text[] = "Name:\tTgid: 9\nNSTgid:\t5\nTgid:\t42\nPPid:\t1\nBad:\tx\n";
	uint64_t v = 0;

	(void)state;
	assert_int_equal(parse_status_field(text, "Tgid", &v), 0);
	assert_true(v == 42);
	assert_int_equal(parse_status_field(text, "Pid", &v), -ENOENT);
	assert_int_equal(parse_status_field(text, "Bad", &v), -EINVAL);
	assert_int_equal(parse_status_field("", "Tgid", &v), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_file_is_read_whole, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_file_past_the_limit_is_refused, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_a_lock_keeps_others_out_until_it_is_closed,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_file_is_replaced_whole, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_fifo_neither_hangs_nor_is_read, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_a_directory_or_nothing_is_an_error, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_missing_directories_are_made_with_the_mode,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_directory_under_a_file_cannot_be_made,
						set_up, tear_down),
		cmocka_unit_test(test_a_directory_without_a_name_cannot_be_made),
		cmocka_unit_test(test_writing_to_a_closed_pipe_is_an_error),
		cmocka_unit_test(test_numbers_are_plain_decimals),
		cmocka_unit_test(test_what_is_not_a_number_is_refused),
		cmocka_unit_test(test_a_status_field_is_found_by_its_whole_name),
	};

	return cmocka_run_group_tests_name("base/io", tests, NULL, NULL);
}
