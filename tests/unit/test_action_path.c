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

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getpid(), p[1]);
	decode_openat(h, AT, put_str(h, path), O_WRONLY);
	assert_ops(h, OP_WRITE);
	assert_true(bytes_has_prefix(h->a.object, BYTES_LIT("pipe:[")));
	(void)close(p[0]);
	(void)close(p[1]);
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

static long do_descend(const void *arg)
{
	char name[201];

	(void)arg;
	memset(name, 'd', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	for (int i = 0; i < 30; i++)
		if (mkdir(name, 0755) < 0 || chdir(name) < 0)
			return -1;
	return 0;
}

static void test_deep_cwd_is_denied_not_guessed(void **state)
{
	struct harness *h = *state;

	assert_int_equal(harness_run(h, do_descend, NULL), 0);
	decode_openat(h, AT, put_str(h, "x"), O_RDONLY);
	assert_int_equal(h->a.error, ACTION_TOO_LONG);
	assert_int_equal(h->a.n_steps, 0);
}

/* ---- what a call acts on: the pin */

static void assert_pin(struct harness *h, const char *parent, const char *name)
{
	const struct act_pin *pin = &h->a.act.pin;
	char link[64], text[256], want[256];
	ssize_t n;

	assert_int_equal(h->a.error, ACTION_OK);
	assert_int_equal(h->a.act.kind, ACT_OPEN);
	assert_true(pin->parent >= 0);
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", pin->parent);
	n = readlink(link, text, sizeof(text) - 1);
	assert_true(n > 0);
	text[n] = '\0';
	(void)snprintf(want, sizeof(want), "%s%s", h->dir, parent);
	assert_string_equal(text, want);
	assert_bytes(pin->name, name);
	assert_int_equal(pin->name.p[pin->name.len], '\0');
}

static void test_pin_is_the_parent_and_the_name_after_all_links(void **state)
{
	static const struct {
		const char *asked, *parent, *name;
	} cases[] = {
		{"/file", "", "file"},
		{"/sub/../file", "", "file"},
		{"/link", "", "file"},
		{"/sub/up", "", "file"},
		{"/dir-link/up", "", "file"},
		{"/dangling", "/sub", "missing"},
		{"/sub/missing", "/sub", "missing"},
	};
	struct harness *h = *state;

	make_dir(h, "/sub");
	make_file(h, "x", "/file");
	make_link(h, "file", "/link");
	make_link(h, "../link", "/sub/up");
	make_link(h, "sub", "/dir-link");
	make_link(h, "sub/missing", "/dangling");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		decode_openat(h, AT, put_path(h, "%s", cases[i].asked), O_RDONLY);
		assert_pin(h, cases[i].parent, cases[i].name);
		assert_false(h->a.act.pin.wants_directory);
	}
}

static void test_pin_does_not_follow_what_the_call_does_not(void **state)
{
	struct harness *h = *state;

	make_link(h, "nowhere", "/link");
	decode_openat(h, AT, put_path(h, "/link"), O_RDONLY | O_NOFOLLOW);
	assert_pin(h, "", "link");
	decode_openat(h, AT, put_path(h, "/link"), O_WRONLY | O_CREAT | O_EXCL);
	assert_pin(h, "", "link");
	assert_false(h->a.act.open.creates); /* it is there */
}

static void test_pin_keeps_the_slash_behind_a_name(void **state)
{
	struct harness *h = *state;

	make_dir(h, "/sub");
	make_link(h, "sub", "/link");
	make_link(h, "sub/", "/slash");
	decode_openat(h, AT, put_path(h, "/sub//"), O_RDONLY);
	assert_pin(h, "", "sub");
	assert_true(h->a.act.pin.wants_directory);
	decode_openat(h, AT, put_path(h, "/link/"), O_RDONLY | O_NOFOLLOW);
	assert_pin(h, "", "sub");
	decode_openat(h, AT, put_path(h, "/slash"), O_RDONLY);
	assert_pin(h, "", "sub");
	assert_true(h->a.act.pin.wants_directory);
}

static void test_pin_of_what_has_no_name_is_the_object(void **state)
{
	static const char *const nameless[] = {"/", ".", "..", "/proc/self/cwd", "/proc/self/root"};
	struct harness *h = *state;

	for (size_t i = 0; i < ARRAY_SIZE(nameless); i++) {
		decode_openat(h, AT, put_str(h, nameless[i]), O_RDONLY);
		assert_int_equal(h->a.act.kind, ACT_OPEN);
		assert_int_equal(h->a.act.pin.parent, -1);
		assert_true(h->a.act.pin.object >= 0);
	}
}

static void test_pin_of_a_missing_way_says_why(void **state)
{
	struct harness *h = *state;

	decode_openat(h, AT, put_path(h, "/no/such/file"), O_RDONLY);
	assert_int_equal(h->a.act.pin.parent, -1);
	assert_int_equal(h->a.act.pin.object, -1);
	assert_int_equal(h->a.act.pin.error, ENOENT);
}

static void test_pin_stays_where_it_was_when_the_directory_moves(void **state)
{
	struct harness *h = *state;
	char from[128], to[128];

	make_dir(h, "/sub");
	make_file(h, "x", "/sub/file");
	decode_openat(h, AT, put_path(h, "/sub/file"), O_RDONLY);
	(void)snprintf(from, sizeof(from), "%s/sub", h->dir);
	(void)snprintf(to, sizeof(to), "%s/moved", h->dir);
	assert_int_equal(rename(from, to), 0);
	assert_pin(h, "/moved", "file");
}

static void test_pins_are_closed_with_the_action(void **state)
{
	struct harness *h = *state;
	int fd;

	decode_openat(h, AT, put_path(h, "/file"), O_RDONLY);
	fd = h->a.act.pin.parent;
	assert_true(fcntl(fd, F_GETFD) >= 0);
	action_decoder_release(h->d);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static void test_open_path_is_left_to_the_kernel_and_openat2_is_not_there(void **state)
{
	struct harness *h = *state;
	const struct open_how how = {.flags = O_PATH};

	make_file(h, "x", "/file");
	decode_openat(h, AT, put_path(h, "/file"), O_PATH);
	assert_object(h, "/file");
	assert_int_equal(h->a.act.kind, ACT_CONTINUE);
	(void)decode_call(h, 437, AT, put_path(h, "/file"), put(h, &how, sizeof(how)), sizeof(how));
	assert_kernel_errno(h, ENOSYS);
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
		T(test_supervisor_by_its_number_is_named),
		T(test_dev_tty_and_dev_null_keep_their_names),
		T(test_deleted_cwd_keeps_the_kernels_mark),
		T(test_file_called_deleted_is_itself),
		T(test_trailing_slash),
		T(test_deep_cwd_is_denied_not_guessed),
		T(test_pin_is_the_parent_and_the_name_after_all_links),
		T(test_pin_does_not_follow_what_the_call_does_not),
		T(test_pin_keeps_the_slash_behind_a_name),
		T(test_pin_of_what_has_no_name_is_the_object),
		T(test_pin_of_a_missing_way_says_why),
		T(test_pin_stays_where_it_was_when_the_directory_moves),
		T(test_pins_are_closed_with_the_action),
		T(test_open_path_is_left_to_the_kernel_and_openat2_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
