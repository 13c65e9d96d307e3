/* SPDX-License-Identifier: Apache-2.0 */
/* Which object a call on paths means. */
#include "action_harness.h"

#include <limits.h>
#include <linux/openat2.h>

#define AT ((uint64_t)(uint32_t)AT_FDCWD)

static void decode_openat(struct harness *h, uint64_t dirfd, uint64_t path, int flags)
{
	(void)decode_call(h, __NR_openat, dirfd, path, (uint64_t)flags);
}

static void test_absolute_path(void **state)
{
	struct harness *h = *state;

	make_file(h, "x", "/file");
	decode_openat(h, AT, put_path(h, "/file"), O_RDONLY);
	assert_object(h, "/file");
	assert_ops(h, OP_READ);
	assert_int_equal(h->a.kind, KIND_PATH);
	assert_true(h->a.exists);
	assert_int_equal(h->a.pid, h->child);
	assert_int_equal(h->a.ppid, getpid());
	assert_string_equal(h->a.syscall, "openat");
	assert_true(has_name(&h->a.steps[0], "file_read", false));
	assert_true(has_name(&h->a.steps[0], "read", false));
}

static void test_relative_path_starts_at_the_targets_cwd(void **state)
{
	struct harness *h = *state;

	make_file(h, "x", "/file");
	decode_openat(h, AT, put_str(h, "file"), O_RDONLY);
	assert_object(h, "/file");
	assert_bytes(h->a.asked, "file");
}

static long do_chdir(const void *arg)
{
	return chdir(arg);
}

static void test_relative_path_after_chdir(void **state)
{
	struct harness *h = *state;

	make_dir(h, "/sub");
	make_file(h, "x", "/sub/file");
	decode_openat(h, AT, put_str(h, "file"), O_RDONLY);
	assert_object(h, "/file");
	assert_int_equal(harness_run(h, do_chdir, "sub"), 0);
	decode_openat(h, AT, put_str(h, "file"), O_RDONLY);
	assert_object(h, "/sub/file");
}

static long do_open_path(const void *arg)
{
	return open(arg, O_PATH | O_CLOEXEC);
}

static long do_open(const void *arg)
{
	return open(arg, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
}

static void test_relative_to_dirfd(void **state)
{
	struct harness *h = *state;
	long fd;

	make_dir(h, "/sub");
	make_file(h, "x", "/sub/file");
	fd = harness_run(h, do_open_path, "sub");
	assert_true(fd >= 0);
	decode_openat(h, (uint64_t)fd, put_str(h, "file"), O_RDONLY);
	assert_object(h, "/sub/file");
	decode_openat(h, (uint64_t)fd, put_str(h, "../sub/./file"), O_RDONLY);
	assert_object(h, "/sub/file");
}

static void test_upper_half_of_dirfd_is_ignored(void **state)
{
	struct harness *h = *state;

	make_file(h, "x", "/file");
	decode_openat(h, AT | UINT64_C(0x100000000), put_str(h, "file"), O_RDONLY);
	assert_object(h, "/file");
}

static void test_bad_dirfd_is_ebadf(void **state)
{
	struct harness *h = *state;

	decode_openat(h, 999, put_str(h, "file"), O_RDONLY);
	assert_kernel_errno(h, EBADF);
	decode_openat(h, (uint64_t)-5, put_str(h, "file"), O_RDONLY);
	assert_kernel_errno(h, EBADF);
}

static void test_bad_dirfd_does_not_matter_for_absolute_paths(void **state)
{
	struct harness *h = *state;

	make_file(h, "x", "/file");
	decode_openat(h, 999, put_path(h, "/file"), O_RDONLY);
	assert_object(h, "/file");
}

static void test_dirfd_that_is_a_file_is_enotdir(void **state)
{
	struct harness *h = *state;
	long fd = harness_run(h, do_open, "file");

	decode_openat(h, (uint64_t)fd, put_str(h, "x"), O_RDONLY);
	assert_kernel_errno(h, ENOTDIR);
}

static void test_spellings_of_one_path(void **state)
{
	static const char *const spellings[] = {
		"/sub//file",       "/./sub/file",    "/sub/../sub/file",
		"//sub/./././file", "/x/../sub/file",
	};
	struct harness *h = *state;

	make_dir(h, "/sub");
	make_dir(h, "/x");
	make_file(h, "x", "/sub/file");
	for (size_t i = 0; i < ARRAY_SIZE(spellings); i++) {
		decode_openat(h, AT, put_path(h, "%s", spellings[i]), O_RDONLY);
		assert_object(h, "/sub/file");
	}
}

static void test_symlinks_are_followed(void **state)
{
	struct harness *h = *state;

	make_file(h, "x", "/file");
	make_dir(h, "/sub");
	make_link(h, "../file", "/sub/link");
	make_link(h, "sub", "/dirlink");
	decode_openat(h, AT, put_path(h, "/dirlink/link"), O_RDONLY);
	assert_object(h, "/file");
	assert_true(h->a.exists);
}

static void test_nofollow_means_the_link(void **state)
{
	struct harness *h = *state;

	make_file(h, "x", "/file");
	make_link(h, "file", "/link");
	decode_openat(h, AT, put_path(h, "/link"), O_RDONLY | O_NOFOLLOW);
	assert_object(h, "/link");
	decode_openat(h, AT, put_path(h, "/link"), O_WRONLY | O_CREAT | O_EXCL);
	assert_object(h, "/link");
}

static void test_dangling_link_names_its_target(void **state)
{
	struct harness *h = *state;

	make_link(h, "sub/missing", "/link");
	make_dir(h, "/sub");
	decode_openat(h, AT, put_path(h, "/link"), O_WRONLY | O_CREAT);
	assert_object(h, "/sub/missing");
	assert_false(h->a.exists);
	assert_ops(h, OP_CREATE, OP_WRITE);
}

static void test_dangling_absolute_link(void **state)
{
	struct harness *h = *state;

	make_link(h, "/nonexistent-hf/a/../b", "/link");
	decode_openat(h, AT, put_path(h, "/link"), O_WRONLY | O_CREAT);
	assert_int_equal(h->a.error, ACTION_OK);
	assert_bytes(h->a.object, "/nonexistent-hf/b");
	assert_false(h->a.exists);
}

static void test_missing_file(void **state)
{
	struct harness *h = *state;

	decode_openat(h, AT, put_str(h, "missing"), O_RDONLY);
	assert_object(h, "/missing");
	assert_false(h->a.exists);
	assert_ops(h, OP_READ);
}

static void test_missing_parent(void **state)
{
	struct harness *h = *state;

	decode_openat(h, AT, put_str(h, "no/such/../dir/file"), O_RDONLY);
	assert_object(h, "/no/dir/file");
	assert_false(h->a.exists);
}

static void test_loop_is_eloop(void **state)
{
	struct harness *h = *state;

	make_link(h, "b", "/a");
	make_link(h, "a", "/b");
	decode_openat(h, AT, put_path(h, "/a"), O_RDONLY);
	assert_kernel_errno(h, ELOOP);
}

static void test_file_as_directory_is_enotdir(void **state)
{
	struct harness *h = *state;

	make_file(h, "x", "/file");
	decode_openat(h, AT, put_path(h, "/file/x"), O_RDONLY);
	assert_kernel_errno(h, ENOTDIR);
}

static void test_empty_path_is_enoent(void **state)
{
	struct harness *h = *state;

	decode_openat(h, AT, put_str(h, ""), O_RDONLY);
	assert_kernel_errno(h, ENOENT);
}

static void test_unmapped_path_is_efault(void **state)
{
	struct harness *h = *state;

	decode_openat(h, AT, 0, O_RDONLY);
	assert_kernel_errno(h, EFAULT);
	decode_openat(h, AT, 0x1000, O_RDONLY);
	assert_kernel_errno(h, EFAULT);
	decode_openat(h, AT, UINT64_MAX, O_RDONLY);
	assert_kernel_errno(h, EFAULT);
	decode_openat(h, AT, UINT64_C(0xffff800000000000), O_RDONLY);
	assert_kernel_errno(h, EFAULT);
}

/* Two pages, the second not readable; the same address for the child, which is forked later. */
static char *edge_page(void)
{
	char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(p != MAP_FAILED);
	assert_int_equal(munmap(p + 4096, 4096), 0);
	return p;
}

static void test_string_ending_at_an_unmapped_page(void **state)
{
	struct harness *h = *state;
	char *page = edge_page();
	char text[128];
	int n;

	harness_reap(h);
	assert_int_equal(chdir(h->dir), 0);
	harness_spawn(h);
	assert_int_equal(chdir("/"), 0);
	make_file(h, "x", "/file");
	n = snprintf(text, sizeof(text), "%s/file", h->dir) + 1;
	memcpy(page + 4096 - n, text, (size_t)n);
	decode_openat(h, AT, (uint64_t)(uintptr_t)(page + 4096 - n), O_RDONLY);
	assert_object(h, "/file");
	/* Without its NUL the string runs into the hole. */
	memcpy(page + 4096 - n + 1, text, (size_t)n - 1);
	decode_openat(h, AT, (uint64_t)(uintptr_t)(page + 4096 - n + 1), O_RDONLY);
	assert_kernel_errno(h, EFAULT);
	(void)munmap(page, 4096);
}

static void test_string_across_pages(void **state)
{
	struct harness *h = *state;
	char text[128];

	make_file(h, "x", "/file");
	(void)snprintf(text, sizeof(text), "%s/file", h->dir);
	memcpy(h->shared + 4096 - 7, text, strlen(text) + 1);
	decode_openat(h, AT, (uint64_t)(uintptr_t)(h->shared + 4096 - 7), O_RDONLY);
	assert_object(h, "/file");
}

static void test_longest_path_and_one_more(void **state)
{
	struct harness *h = *state;
	char path[PATH_MAX + 2];

	memset(path, '/', sizeof(path));
	memcpy(path + PATH_MAX - 1 - 5, "/file", 6);
	memcpy(path, h->dir, strlen(h->dir));
	make_file(h, "x", "/file");
	assert_int_equal(strlen(path), PATH_MAX - 1);
	decode_openat(h, AT, put_str(h, path), O_RDONLY);
	assert_object(h, "/file");
	path[PATH_MAX - 1] = 'x';
	path[PATH_MAX] = '\0';
	decode_openat(h, AT, put_str(h, path), O_RDONLY);
	assert_kernel_errno(h, ENAMETOOLONG);
}

static void test_long_component_is_enametoolong(void **state)
{
	struct harness *h = *state;
	char name[300];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	decode_openat(h, AT, put_path(h, "/%s", name), O_RDONLY);
	assert_kernel_errno(h, ENAMETOOLONG);
}

static void test_strange_bytes_are_kept(void **state)
{
	struct harness *h = *state;

	make_file(h, "x", "/a\n\033[2J\xff\xe2\x80\xae z");
	decode_openat(h, AT, put_path(h, "/a\n\033[2J\xff\xe2\x80\xae z"), O_RDONLY);
	assert_object(h, "/a\n\033[2J\xff\xe2\x80\xae z");
	assert_true(h->a.exists);
}

static void test_proc_self_is_the_targets(void **state)
{
	static const char *const names[] = {"status", "environ", "mem", "task"};
	struct harness *h = *state;
	char asked[64], want[64];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		(void)snprintf(asked, sizeof(asked), "/proc/self/%s", names[i]);
		(void)snprintf(want, sizeof(want), "/proc/%d/%s", (int)h->child, names[i]);
		decode_openat(h, AT, put_str(h, asked), O_RDONLY);
		assert_int_equal(h->a.error, ACTION_OK);
		assert_bytes(h->a.object, want);
		assert_true(h->a.exists);
	}
}

static void test_proc_thread_self_is_the_targets(void **state)
{
	struct harness *h = *state;
	char want[64];

	(void)snprintf(want, sizeof(want), "/proc/%d/task/%d/comm", (int)h->child, (int)h->child);
	decode_openat(h, AT, put_str(h, "/proc/thread-self/comm"), O_RDONLY);
	assert_bytes(h->a.object, want);
}

static void test_proc_self_root_and_cwd_are_seen_through(void **state)
{
	struct harness *h = *state;
	char path[128];

	make_file(h, "x", "/file");
	(void)snprintf(path, sizeof(path), "/proc/self/root%s/file", h->dir);
	decode_openat(h, AT, put_str(h, path), O_RDONLY);
	assert_object(h, "/file");
	decode_openat(h, AT, put_str(h, "/proc/self/cwd/file"), O_RDONLY);
	assert_object(h, "/file");
	decode_openat(h, AT, put_str(h, "/proc/thread-self/cwd/../cwd"), O_RDONLY);
	assert_int_equal(h->a.error, ACTION_OK);
}

static void test_link_to_proc_self_is_the_targets(void **state)
{
	struct harness *h = *state;
	char want[64];

	make_link(h, "/proc/self/status", "/me");
	(void)snprintf(want, sizeof(want), "/proc/%d/status", (int)h->child);
	decode_openat(h, AT, put_str(h, "me"), O_RDONLY);
	assert_bytes(h->a.object, want);
}

static void test_fd_links_name_the_file(void **state)
{
	static const char *const dirs[] = {"/proc/self/fd", "/dev/fd", "/proc/thread-self/fd",
					   "/proc/./self//fd"};
	struct harness *h = *state;
	long fd = harness_run(h, do_open, "file");

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		char path[64];

		(void)snprintf(path, sizeof(path), "%s/%ld", dirs[i], fd);
		decode_openat(h, AT, put_str(h, path), O_WRONLY);
		assert_object(h, "/file");
		assert_ops(h, OP_WRITE);
	}
}

static void test_missing_fd_link_stays_below_the_targets_proc(void **state)
{
	struct harness *h = *state;
	char want[64];

	(void)snprintf(want, sizeof(want), "/proc/%d/fd/777", (int)h->child);
	decode_openat(h, AT, put_str(h, "/proc/self/fd/777"), O_RDONLY);
	assert_bytes(h->a.object, want);
	assert_false(h->a.exists);
}

static long do_pipe_on_stdout(const void *arg)
{
	int p[2];

	(void)arg;
	if (pipe2(p, O_CLOEXEC) < 0)
		return -1;
	return dup2(p[1], 1);
}

static void test_own_pipe_is_nothing_to_decide(void **state)
{
	struct harness *h = *state;

	assert_int_equal(harness_run(h, do_pipe_on_stdout, NULL), 1);
	decode_openat(h, AT, put_str(h, "/dev/stdout"), O_WRONLY);
	assert_int_equal(h->a.error, ACTION_OK);
	assert_int_equal(h->a.n_steps, 0);
	assert_true(bytes_has_prefix(h->a.object, BYTES_LIT("pipe:[")));
}

static void test_pipe_of_another_process_is_decided(void **state)
{
	struct harness *h = *state;
	char path[64];
	int p[2];
	pid_t other;

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	other = fork();
	assert_true(other >= 0);
	if (other == 0) {
		(void)pause();
		_exit(0);
	}
	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)other, p[1]);
	decode_openat(h, AT, put_str(h, path), O_WRONLY);
	assert_int_equal(kill(other, SIGKILL), 0);
	assert_int_equal(waitpid(other, NULL, 0), other);
	assert_ops(h, OP_WRITE);
	assert_true(bytes_has_prefix(h->a.object, BYTES_LIT("pipe:[")));
	(void)close(p[0]);
	(void)close(p[1]);
}

static void test_link_of_the_supervisor_is_not_followed(void **state)
{
	struct harness *h = *state;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/fd/0", (int)getpid());
	decode_openat(h, AT, put_str(h, path), O_RDONLY);
	assert_int_equal(h->a.kernel_errno, EACCES);
	assert_int_equal(h->a.n_steps, 0);
}

static void test_supervisor_by_its_number_is_named(void **state)
{
	struct harness *h = *state;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)getpid());
	decode_openat(h, AT, put_str(h, path), O_RDONLY);
	assert_int_equal(h->a.error, ACTION_OK);
	assert_bytes(h->a.object, path);
}

static void test_dev_tty_and_dev_null_keep_their_names(void **state)
{
	struct harness *h = *state;

	decode_openat(h, AT, put_str(h, "/dev/tty"), O_RDWR);
	assert_bytes(h->a.object, "/dev/tty");
	decode_openat(h, AT, put_str(h, "/dev/null"), O_WRONLY);
	assert_bytes(h->a.object, "/dev/null");
}

static long do_enter_and_remove(const void *arg)
{
	(void)arg;
	if (mkdir("gone", 0755) < 0 || chdir("gone") < 0)
		return -1;
	return rmdir("../gone");
}

static void test_deleted_cwd_keeps_the_kernels_mark(void **state)
{
	struct harness *h = *state;

	assert_int_equal(harness_run(h, do_enter_and_remove, NULL), 0);
	decode_openat(h, AT, put_str(h, "file"), O_RDONLY);
	assert_object(h, "/gone (deleted)/file");
	assert_false(h->a.exists);
}

static void test_file_called_deleted_is_itself(void **state)
{
	struct harness *h = *state;

	make_file(h, "x", "/file (deleted)");
	decode_openat(h, AT, put_str(h, "file (deleted)"), O_RDONLY);
	assert_object(h, "/file (deleted)");
	assert_true(h->a.exists);
}

static void test_trailing_slash(void **state)
{
	struct harness *h = *state;

	make_dir(h, "/sub");
	decode_openat(h, AT, put_path(h, "/sub///"), O_RDONLY);
	assert_object(h, "/sub");
	(void)decode_call(h, __NR_mkdirat, AT, put_path(h, "/new/"), 0755);
	assert_object(h, "/new");
	assert_ops(h, OP_MKDIR);
	assert_true(h->a.act.pin.wants_directory);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, harness_setup, harness_teardown)
	const struct CMUnitTest tests[] = {
		T(test_absolute_path),
		T(test_relative_path_starts_at_the_targets_cwd),
		T(test_relative_path_after_chdir),
		T(test_relative_to_dirfd),
		T(test_upper_half_of_dirfd_is_ignored),
		T(test_bad_dirfd_is_ebadf),
		T(test_bad_dirfd_does_not_matter_for_absolute_paths),
		T(test_dirfd_that_is_a_file_is_enotdir),
		T(test_spellings_of_one_path),
		T(test_symlinks_are_followed),
		T(test_nofollow_means_the_link),
		T(test_dangling_link_names_its_target),
		T(test_dangling_absolute_link),
		T(test_missing_file),
		T(test_missing_parent),
		T(test_loop_is_eloop),
		T(test_file_as_directory_is_enotdir),
		T(test_empty_path_is_enoent),
		T(test_unmapped_path_is_efault),
		T(test_string_ending_at_an_unmapped_page),
		T(test_string_across_pages),
		T(test_longest_path_and_one_more),
		T(test_long_component_is_enametoolong),
		T(test_strange_bytes_are_kept),
		T(test_proc_self_is_the_targets),
		T(test_proc_thread_self_is_the_targets),
		T(test_proc_self_root_and_cwd_are_seen_through),
		T(test_link_to_proc_self_is_the_targets),
		T(test_fd_links_name_the_file),
		T(test_missing_fd_link_stays_below_the_targets_proc),
		T(test_own_pipe_is_nothing_to_decide),
		T(test_pipe_of_another_process_is_decided),
		T(test_link_of_the_supervisor_is_not_followed),
		T(test_supervisor_by_its_number_is_named),
		T(test_dev_tty_and_dev_null_keep_their_names),
		T(test_deleted_cwd_keeps_the_kernels_mark),
		T(test_file_called_deleted_is_itself),
		T(test_trailing_slash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
