/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that change the tree, and the refused ones: which steps they amount to. */
#include "action_harness.h"

#include <linux/fs.h>
#include <linux/openat2.h>
#include <sched.h>

#define AT ((uint64_t)(uint32_t)AT_FDCWD)

static void test_open_flags_amount_to_steps(void **state)
{
	static const struct {
		int flags;
		bool exists;
		enum action_op main;
		size_t n;
		enum action_op ops[3];
	} cases[] = {
		{O_RDONLY, true, OP_READ, 1, {OP_READ}},
		{O_PATH | O_WRONLY | O_CREAT, false, OP_READ, 1, {OP_READ}},
		{O_WRONLY, true, OP_WRITE, 1, {OP_WRITE}},
		{O_WRONLY | O_APPEND, true, OP_WRITE, 1, {OP_WRITE}},
		{O_RDWR, true, OP_WRITE, 2, {OP_WRITE, OP_READ}},
		{O_ACCMODE, true, OP_WRITE, 2, {OP_WRITE, OP_READ}},
		{O_WRONLY | O_CREAT, true, OP_WRITE, 1, {OP_WRITE}},
		{O_WRONLY | O_CREAT, false, OP_CREATE, 2, {OP_CREATE, OP_WRITE}},
		{O_RDWR | O_CREAT | O_TRUNC, false, OP_CREATE, 3, {OP_CREATE, OP_WRITE, OP_READ}},
		{O_RDONLY | O_CREAT, false, OP_CREATE, 2, {OP_CREATE, OP_READ}},
		{O_RDONLY | O_CREAT, true, OP_READ, 1, {OP_READ}},
		{O_WRONLY | O_TRUNC, true, OP_WRITE, 2, {OP_WRITE, OP_TRUNCATE}},
		{O_RDONLY | O_TRUNC, true, OP_TRUNCATE, 2, {OP_TRUNCATE, OP_READ}},
		{O_TMPFILE | O_WRONLY, true, OP_CREATE, 2, {OP_CREATE, OP_WRITE}},
	};
	struct harness *h = *state;

	make_file(h, "x", "/there");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *name = cases[i].exists ? "there" : "missing";

		(void)decode_call(h, __NR_openat, AT, put_str(h, name), (uint64_t)cases[i].flags);
		assert_int_equal(h->a.error, ACTION_OK);
		assert_int_equal(h->a.exists, cases[i].exists);
		assert_int_equal(h->a.op, cases[i].main);
		assert_int_equal(h->a.n_steps, cases[i].n);
		for (size_t k = 0; k < cases[i].n; k++)
			assert_int_equal(h->a.steps[k].op, cases[i].ops[k]);
	}
}

static void test_upper_half_of_flags_is_ignored(void **state)
{
	struct harness *h = *state;

	make_file(h, "x", "/file");
	(void)decode_call(h, __NR_openat, AT, put_str(h, "file"),
			  (uint64_t)O_WRONLY | UINT64_C(0xdead00000000));
	assert_ops(h, OP_WRITE);
}

#ifdef __NR_open
static void test_open_and_creat(void **state)
{
	struct harness *h = *state;

	(void)decode_call(h, __NR_open, put_str(h, "f"), (uint64_t)(O_WRONLY | O_CREAT));
	assert_object(h, "/f");
	assert_ops(h, OP_CREATE, OP_WRITE);
	(void)decode_call(h, __NR_creat, put_str(h, "f"), 0644);
	assert_object(h, "/f");
	assert_ops(h, OP_CREATE, OP_WRITE);
	make_file(h, "x", "/f");
	(void)decode_call(h, __NR_creat, put_str(h, "f"), 0644);
	assert_ops(h, OP_WRITE, OP_TRUNCATE);
}
#endif

static void decode_how(struct harness *h, uint64_t dirfd, const char *path, uint64_t flags,
		       uint64_t resolve, size_t size)
{
	char buf[8192] = {0};
	struct open_how how = {.flags = flags, .resolve = resolve};

	memcpy(buf, &how, sizeof(how));
	(void)decode_call(h, __NR_openat2, dirfd, put_str(h, path), put(h, buf, sizeof(buf)), size);
}

static void test_openat2_reads_its_flags_from_memory(void **state)
{
	struct harness *h = *state;

	make_file(h, "x", "/file");
	decode_how(h, AT, "file", O_RDWR, 0, sizeof(struct open_how));
	assert_object(h, "/file");
	assert_ops(h, OP_WRITE, OP_READ);
}

static void test_openat2_sizes(void **state)
{
	struct harness *h = *state;
	char buf[64] = {0};

	make_file(h, "x", "/file");
	decode_how(h, AT, "file", 0, 0, 23);
	assert_kernel_errno(h, EINVAL);
	decode_how(h, AT, "file", 0, 0, 4097);
	assert_kernel_errno(h, E2BIG);
	decode_how(h, AT, "file", 0, 0, 4096);
	assert_object(h, "/file");
	buf[40] = 1;
	(void)decode_call(h, __NR_openat2, AT, put_str(h, "file"), put(h, buf, sizeof(buf)), 48);
	assert_kernel_errno(h, E2BIG);
	(void)decode_call(h, __NR_openat2, AT, put_str(h, "file"), 8, 24);
	assert_kernel_errno(h, EFAULT);
}

static void test_openat2_unknown_bits_are_unknown(void **state)
{
	struct harness *h = *state;

	make_file(h, "x", "/file");
	decode_how(h, AT, "file", UINT64_C(1) << 40, 0, 24);
	assert_int_equal(h->a.error, ACTION_UNKNOWN);
	decode_how(h, AT, "file", 0, UINT64_C(1) << 20, 24);
	assert_int_equal(h->a.error, ACTION_UNKNOWN);
	assert_int_equal(h->a.n_steps, 0);
}

static long do_open_dir(const void *arg)
{
	return open(arg, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void test_openat2_in_root_starts_at_the_dirfd(void **state)
{
	struct harness *h = *state;
	long fd;

	make_dir(h, "/jail");
	make_dir(h, "/jail/etc");
	make_file(h, "x", "/jail/etc/passwd");
	make_link(h, "/etc/passwd", "/jail/link");
	fd = harness_run(h, do_open_dir, "jail");
	decode_how(h, (uint64_t)fd, "/etc/passwd", 0, RESOLVE_IN_ROOT, 24);
	assert_object(h, "/jail/etc/passwd");
	decode_how(h, (uint64_t)fd, "../../link", 0, RESOLVE_IN_ROOT, 24);
	assert_object(h, "/jail/etc/passwd");
	decode_how(h, (uint64_t)fd, "/etc/new/../x", O_CREAT | O_WRONLY, RESOLVE_IN_ROOT, 24);
	assert_object(h, "/jail/etc/x");
	decode_how(h, (uint64_t)fd, "/etc/passwd", 0, 0, 24);
	assert_bytes(h->a.object, "/etc/passwd");
}

static void test_delete(void **state)
{
	struct harness *h = *state;

	make_file(h, "x", "/file");
	make_link(h, "file", "/link");
	(void)decode_call(h, __NR_unlinkat, AT, put_str(h, "link"), 0);
	assert_object(h, "/link");
	assert_ops(h, OP_DELETE);
	assert_true(has_name(&h->a.steps[0], "file_delete", false));
	assert_true(has_name(&h->a.steps[0], "edit", false));
	(void)decode_call(h, __NR_unlinkat, AT, put_str(h, "none"), AT_REMOVEDIR);
	assert_object(
		h, "/none"); /* whether it exists is the kernel's to say, so it is not looked for */
}

static void test_rename_concerns_both_names(void **state)
{
	struct harness *h = *state;

	make_file(h, "x", "/a");
	make_dir(h, "/d");
	(void)decode_call(h, __NR_renameat2, AT, put_str(h, "a"), AT, put_path(h, "/b"), 0);
	assert_object(h, "/a");
	assert_ops(h, OP_RENAME, OP_READ, OP_RENAME, OP_CREATE);
	assert_true(bytes_eq(h->a.steps[2].object, h->a.object2));
	assert_false(h->a.moves_directory);
	assert_true(bytes_eq_str(bytes_base_name(h->a.object2), "b"));
	(void)decode_call(h, __NR_renameat2, AT, put_str(h, "a"), AT, put_path(h, "/b"),
			  RENAME_EXCHANGE);
	assert_ops(h, OP_RENAME, OP_READ, OP_CREATE, OP_RENAME, OP_READ, OP_CREATE);
	(void)decode_call(h, __NR_renameat2, AT, put_str(h, "d"), AT, put_str(h, "x"), 0);
	assert_true(h->a.moves_directory);
	(void)decode_call(h, __NR_renameat2, AT, put_str(h, "a"), AT, put_path(h, "/b"), 0x80);
	assert_kernel_errno(h, EINVAL); /* as a kernel that does not know the flag */
}

static void test_rename_does_not_follow_links(void **state)
{
	struct harness *h = *state;

	make_file(h, "x", "/a");
	make_link(h, "a", "/l");
	(void)decode_call(h, __NR_renameat2, AT, put_str(h, "l"), AT, put_str(h, "m"), 0);
	assert_object(h, "/l");
}

static long do_open(const void *arg)
{
	return open(arg, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
}

static void test_link_reads_its_source(void **state)
{
	struct harness *h = *state;
	char path[64];
	long fd;

	make_link(h, "a", "/l");
	fd = harness_run(h, do_open, "a");
	(void)decode_call(h, __NR_linkat, AT, put_str(h, "a"), AT, put_str(h, "b"), 0);
	assert_object(h, "/a");
	assert_ops(h, OP_LINK, OP_READ, OP_LINK);
	(void)decode_call(h, __NR_linkat, AT, put_str(h, "l"), AT, put_str(h, "b"), 0);
	assert_object(h, "/l");
	(void)decode_call(h, __NR_linkat, AT, put_str(h, "l"), AT, put_str(h, "b"),
			  AT_SYMLINK_FOLLOW);
	assert_object(h, "/a");
	(void)decode_call(h, __NR_linkat, (uint64_t)fd, put_str(h, ""), AT, put_str(h, "b"),
			  AT_EMPTY_PATH);
	assert_object(h, "/a");
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%ld", fd);
	(void)decode_call(h, __NR_linkat, AT, put_str(h, path), AT, put_str(h, "b"),
			  AT_SYMLINK_FOLLOW);
	assert_object(h, "/a");
	(void)decode_call(h, __NR_linkat, (uint64_t)fd, put_str(h, ""), AT, put_str(h, "b"), 0);
	assert_kernel_errno(h, ENOENT);
}

static void test_symlink_is_judged_by_where_it_stands(void **state)
{
	struct harness *h = *state;

	(void)decode_call(h, __NR_symlinkat, put_str(h, "/etc/passwd"), AT, put_str(h, "new"));
	assert_object(h, "/new");
	assert_bytes(h->a.object2, "/etc/passwd");
	assert_ops(h, OP_SYMLINK);
}

static void test_attributes_follow_or_not(void **state)
{
	struct harness *h = *state;

	make_file(h, "x", "/a");
	make_link(h, "a", "/l");
	(void)decode_call(h, __NR_fchmodat, AT, put_str(h, "l"), 0600, AT_SYMLINK_NOFOLLOW);
	assert_object(h, "/a"); /* fchmodat has no flags */
	(void)decode_call(h, 452, AT, put_str(h, "l"), 0600, AT_SYMLINK_NOFOLLOW);
	assert_object(h, "/l");
	(void)decode_call(h, __NR_fchownat, AT, put_str(h, "l"), 0, 0, AT_SYMLINK_NOFOLLOW);
	assert_object(h, "/l");
	(void)decode_call(h, __NR_fchownat, AT, put_str(h, "l"), 0, 0, 0);
	assert_object(h, "/a");
	assert_ops(h, OP_CHOWN);
	(void)decode_call(h, __NR_lsetxattr, put_str(h, "l"), put_str(h, "user.k"));
	assert_object(h, "/l");
	(void)decode_call(h, __NR_fchownat, AT, put_str(h, "l"), 0, 0, 0x40000000);
	assert_kernel_errno(h, EINVAL);
}

static void test_calls_on_descriptors(void **state)
{
	struct harness *h = *state;
	long fd = harness_run(h, do_open, "a");

	(void)decode_call(h, __NR_fchmod, (uint64_t)fd, 0600);
	assert_object(h, "/a");
	assert_ops(h, OP_CHMOD);
	(void)decode_call(h, __NR_utimensat, (uint64_t)fd, 0, 0, 0);
	assert_object(h, "/a");
	assert_ops(h, OP_TIMES);
	(void)decode_call(h, __NR_utimensat, AT, 0, 0, 0);
	assert_kernel_errno(h, EFAULT);
	(void)decode_call(h, __NR_fchownat, (uint64_t)fd, put_str(h, ""), 0, 0, AT_EMPTY_PATH);
	assert_object(h, "/a");
	(void)decode_call(h, __NR_fchmod, 999, 0600);
	assert_kernel_errno(h, EBADF);
	(void)decode_call(h, __NR_fchmod, (uint64_t)-1, 0600);
	assert_kernel_errno(h, EBADF);
}

static long do_pipe(const void *arg)
{
	int p[2];

	(void)arg;
	return pipe2(p, O_CLOEXEC) < 0 ? -1 : p[1];
}

static long do_memfd(const void *arg)
{
	return memfd_create(arg, MFD_CLOEXEC);
}

static void test_descriptors_without_a_path_are_nothing_to_decide(void **state)
{
	struct harness *h = *state;
	long fd = harness_run(h, do_pipe, NULL);

	(void)decode_call(h, __NR_fchmod, (uint64_t)fd, 0600);
	assert_int_equal(h->a.error, ACTION_OK);
	assert_int_equal(h->a.n_steps, 0);
	fd = harness_run(h, do_memfd, "m");
	(void)decode_call(h, __NR_fchmod, (uint64_t)fd, 0600);
	assert_int_equal(h->a.error, ACTION_OK);
	assert_int_equal(h->a.n_steps, 0);
}

/* ---- refused calls */

static void test_refused_call_names_its_grant(void **state)
{
	struct harness *h = *state;

	(void)decode_call(h, __NR_mount, 0);
	assert_int_equal(h->a.kind, KIND_SYSTEM);
	assert_int_equal(h->a.grant, GRANT_MOUNT);
	assert_bytes(h->a.object, "mount");
	assert_ops(h, OP_SYSCALL);
}

static void test_ptrace_inside_and_outside(void **state)
{
	struct harness *h = *state;

	/* The supervisor of these tests is the test itself: its children are the session. */
	(void)decode_call(h, __NR_ptrace, 16, (uint64_t)h->child);
	assert_int_equal(h->a.error, ACTION_OK);
	assert_int_equal(h->a.n_steps, 0);
	(void)decode_call(h, __NR_ptrace, 16, (uint64_t)getpid());
	assert_ops(h, OP_SYSCALL);
	assert_int_equal(h->a.grant, GRANT_PTRACE);
	(void)decode_call(h, __NR_ptrace, 16, 1);
	assert_ops(h, OP_SYSCALL);
	(void)decode_call(h, __NR_ptrace, 16, 0x7fffffff);
	assert_kernel_errno(h, ESRCH);
	(void)decode_call(h, __NR_kcmp, (uint64_t)h->child, 1, 0, 0, 0);
	assert_ops(h, OP_SYSCALL);
}

static void test_foreign_abi(void **state)
{
	struct harness *h = *state;
	struct seccomp_notif n = {
		.id = 1,
		.pid = (uint32_t)h->child,
		.data = {.nr = 5, .arch = AUDIT_ARCH_I386},
	};

	action_decode(h->d, &n, &h->a);
	assert_true(h->a.is_foreign_abi);
	assert_int_equal(h->a.grant, GRANT_FOREIGN_ABI);
	assert_bytes(h->a.object, "i386 syscall 5");
	assert_ops(h, OP_SYSCALL);
#ifdef __x86_64__
	n.data.arch = AUDIT_ARCH_X86_64;
	n.data.nr = 0x40000000 | 257;
	action_decode(h->d, &n, &h->a);
	assert_true(h->a.is_foreign_abi);
	assert_bytes(h->a.object, "x32 syscall 257");
#endif
}

static void test_untrapped_number_is_unknown(void **state)
{
	struct harness *h = *state;

	(void)decode_call(h, __NR_getpid, 0);
	assert_int_equal(h->a.error, ACTION_UNKNOWN);
	assert_string_equal(h->a.syscall, "unknown");
	(void)decode_call(h, 9999, 0);
	assert_int_equal(h->a.error, ACTION_UNKNOWN);
}

static void test_descent(void **state)
{
	struct harness *h = *state;

	assert_int_equal(action_pid_descends_from(h->child, getpid()), 1);
	assert_int_equal(action_pid_descends_from(getpid(), getpid()), 1);
	assert_int_equal(action_pid_descends_from(getpid(), h->child), 0);
	assert_int_equal(action_pid_descends_from(0x7fffffff, getpid()), -ESRCH);
}

/* ---- identity */

struct sharing {
	int go[2], done[2];
};

static int sharing_child(void *arg)
{
	struct sharing *s = arg;
	char c;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* kept by exec: nothing is left if a test fails */
	if (read(s->go[0], &c, 1) != 1)
		_exit(126);
	(void)dup2(s->done[1], 1);
	(void)execl("/bin/sh", "sh", "-c", "echo; exec sleep 1000", (char *)NULL);
	_exit(127);
}

/*
 * A task that shares our memory gets its own by exec. The old one lives on, in us: whatever the
 * decoder kept from before must not make it read there.
 */
static void test_shared_memory_is_not_read_after_an_exec(void **state)
{
	struct harness *h = *state;
	_cleanup_(freep) char *stack = malloc(65536);
	pid_t pid, child = h->child;
	struct sharing s;
	char c;

	assert_int_equal(pipe2(s.go, O_CLOEXEC), 0);
	assert_int_equal(pipe2(s.done, O_CLOEXEC), 0);
	pid = clone(sharing_child, stack + 65536, CLONE_VM | SIGCHLD, &s);
	assert_true(pid > 0);
	make_file(h, "x", "/file");
	h->child = pid;
	(void)decode_call(h, __NR_openat, AT, put_path(h, "/file"), O_RDONLY);
	h->child = child; /* before anything can fail: the teardown waits for it */
	assert_object(h, "/file");
	assert_false(bytes_eq_str(bytes_base_name(h->a.exe), "sleep"));
	assert_int_equal(write(s.go[1], "", 1), 1);
	assert_int_equal(read(s.done[0], &c, 1), 1);
	h->child = pid;
	(void)decode_call(h, __NR_openat, AT, put_path(h, "/file"), O_RDONLY);
	h->child = child;
	assert_kernel_errno(h, EFAULT);
	assert_false(bytes_has_prefix(bytes_base_name(h->a.exe), BYTES_LIT("test_action")));
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	for (int i = 0; i < 2; i++) {
		(void)close(s.go[i]);
		(void)close(s.done[i]);
	}
}

/* With an epoch the image's name is kept, until somebody executes: also when another decoder saw
 * it. */
static void test_image_is_looked_at_anew_after_an_exec(void **state)
{
	static struct action_epoch epoch;
	struct action_decoder_config config = {
		.epoch = &epoch,
		.supervisor = getpid(),
		.listener = -1,
	};
	struct harness *h = *state;
	struct action_decoder *other;
	struct sharing s;
	pid_t pid, child = h->child;
	bool was_old, is_new;
	char c;

	h->d = action_decoder_free(h->d);
	assert_int_equal(action_decoder_new(&config, &h->d), 0);
	assert_int_equal(action_decoder_new(&config, &other), 0);
	assert_int_equal(pipe2(s.go, O_CLOEXEC), 0);
	assert_int_equal(pipe2(s.done, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(sharing_child(&s));
	h->child = pid;
	(void)decode_call(h, __NR_openat, AT, put_str(h, "x"), O_RDONLY);
	was_old = bytes_has_prefix(bytes_base_name(h->a.exe), BYTES_LIT("test_action"));
	{
		struct seccomp_notif n =
			harness_notif(h, __NR_execve, (const uint64_t[6]){put_str(h, "/bin/sh")});

		action_decode(other, &n, &h->a);
	}
	assert_int_equal(write(s.go[1], "", 1), 1);
	assert_int_equal(read(s.done[0], &c, 1), 1);
	(void)decode_call(h, __NR_getppid, 0);
	is_new = !bytes_has_prefix(bytes_base_name(h->a.exe), BYTES_LIT("test_action"));
	h->child = child;
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	other = action_decoder_free(other);
	assert_true(was_old);
	assert_true(is_new);
	for (int i = 0; i < 2; i++) {
		(void)close(s.go[i]);
		(void)close(s.done[i]);
	}
}

static long do_chroot(const void *arg)
{
	return chroot(arg) < 0 ? -1 : chdir("/etc");
}

static void test_paths_of_a_target_with_a_root_of_its_own(void **state)
{
	static const char *const asked[] = {"/etc/passwd", "passwd", "../../../etc/passwd", "/link",
					    "/proc/../etc/passwd"};
	struct harness *h = *state;

	make_dir(h, "/jail");
	make_dir(h, "/jail/etc");
	make_dir(h, "/jail/proc");
	make_file(h, "x", "/jail/etc/passwd");
	make_link(h, "/etc/passwd", "/jail/link");
	if (harness_run(h, do_chroot, "jail") < 0) {
		print_message("skipped: chroot(2) is not permitted here\n");
		skip();
	}
	action_decoder_set_foreign_roots(h->d);
	for (size_t i = 0; i < ARRAY_SIZE(asked); i++) {
		(void)decode_call(h, __NR_openat, AT, put_str(h, asked[i]), O_RDONLY);
		assert_object(h, "/jail/etc/passwd");
	}
	(void)decode_call(h, __NR_openat, AT, put_str(h, "/etc/new"), O_CREAT | O_WRONLY);
	assert_object(h, "/jail/etc/new");
}

static void test_dead_target_is_unreadable(void **state)
{
	struct harness *h = *state;
	pid_t dead = fork();

	if (dead == 0)
		_exit(0);
	assert_int_equal(waitpid(dead, NULL, 0), dead);
	{
		pid_t child = h->child;

		h->child = dead;
		(void)decode_call(h, __NR_openat, AT, put_str(h, "x"), O_RDONLY);
		h->child = child;
	}
	assert_int_equal(h->a.error, ACTION_UNREADABLE);
	assert_int_equal(h->a.n_steps, 0);
}

static void test_pid_zero_is_unreadable(void **state)
{
	struct harness *h = *state;
	pid_t child = h->child;

	h->child = 0;
	(void)decode_call(h, __NR_openat, AT, put_str(h, "x"), O_RDONLY);
	h->child = child;
	assert_int_equal(h->a.error, ACTION_UNREADABLE);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, harness_setup, harness_teardown)
	const struct CMUnitTest tests[] = {
		T(test_open_flags_amount_to_steps),
		T(test_upper_half_of_flags_is_ignored),
#ifdef __NR_open
		T(test_open_and_creat),
#endif
		T(test_openat2_reads_its_flags_from_memory),
		T(test_openat2_sizes),
		T(test_openat2_unknown_bits_are_unknown),
		T(test_openat2_in_root_starts_at_the_dirfd),
		T(test_delete),
		T(test_rename_concerns_both_names),
		T(test_rename_does_not_follow_links),
		T(test_link_reads_its_source),
		T(test_symlink_is_judged_by_where_it_stands),
		T(test_attributes_follow_or_not),
		T(test_calls_on_descriptors),
		T(test_descriptors_without_a_path_are_nothing_to_decide),
		T(test_refused_call_names_its_grant),
		T(test_ptrace_inside_and_outside),
		T(test_foreign_abi),
		T(test_untrapped_number_is_unknown),
		T(test_descent),
		T(test_image_is_looked_at_anew_after_an_exec),
		T(test_paths_of_a_target_with_a_root_of_its_own),
		T(test_dead_target_is_unreadable),
		T(test_pid_zero_is_unreadable),
		T(test_shared_memory_is_not_read_after_an_exec),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
