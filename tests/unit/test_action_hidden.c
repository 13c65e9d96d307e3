/* SPDX-License-Identifier: Apache-2.0 */
/* Programs that ask not to be looked into (action/hidden.c). */
#include "action_harness.h"

static void test_programs_that_hide_are_remembered_up_to_a_limit(void **state)
{
	struct harness *h = *state;
	struct action_hidden hidden = {};
	const struct action_decoder_config config = {
		.hidden = &hidden, .supervisor = getpid(), .listener = -1};

	h->d = action_decoder_free(h->d);
	assert_int_equal(action_decoder_new(&config, &h->d), 0);
	(void)decode_call(h, __NR_prctl, PR_SET_DUMPABLE, 1);
	assert_int_equal(h->a.act.kind, ACT_CONTINUE);
	(void)decode_call(h, __NR_prctl, PR_SET_DUMPABLE, UINT64_C(1) << 32);
	assert_int_equal(h->a.act.kind, ACT_CONTINUE);
	atomic_store(&hidden.n_taken, ACTION_HIDDEN_MAX);
	(void)decode_call(h, __NR_prctl, PR_SET_DUMPABLE, 0);
	assert_int_equal(h->a.act.kind, ACT_CONTINUE);
	atomic_store(&hidden.n_taken, ACTION_HIDDEN_MAX - 1);
	/* The second time it is known already. */
	for (int i = 0; i < 2; i++) {
		(void)decode_call(h, __NR_prctl, PR_SET_DUMPABLE, 0);
		assert_int_equal(h->a.act.kind, ACT_HIDE);
		assert_int_equal(h->a.n_steps, 0);
		assert_int_equal(atomic_load(&hidden.n_taken), ACTION_HIDDEN_MAX);
	}
}

static void test_what_hides_is_kept_from_others(void **state)
{
	static const char *const kept[] = {"mem", "environ", "fd/0", "cwd/x", "root/etc/passwd"};
	struct harness *h = *state;
	struct action_hidden hidden = {};
	const struct action_decoder_config config = {
		.hidden = &hidden, .supervisor = getpid(), .listener = -1};
	char path[96];
	pid_t hides;

	h->d = action_decoder_free(h->d);
	assert_int_equal(action_decoder_new(&config, &h->d), 0);
	/* This program hides, in another process than the one whose calls are decoded. */
	hides = fork();
	if (hides == 0)
		for (;;)
			(void)pause();
	assert_true(hides > 0);
	(void)decode_call(h, __NR_prctl, PR_SET_DUMPABLE, 0);
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)hides, kept[i]);
		(void)decode_call(h, __NR_openat, (uint64_t)AT_FDCWD, put_str(h, path), O_RDONLY);
		assert_kernel_errno(h, EACCES);
		(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", (int)hides, (int)hides,
			       kept[i]);
		(void)decode_call(h, __NR_openat, (uint64_t)AT_FDCWD, put_str(h, path), O_RDONLY);
		assert_kernel_errno(h, EACCES);
	}
	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)hides);
	(void)decode_call(h, __NR_openat, (uint64_t)AT_FDCWD, put_str(h, path), O_RDONLY);
	assert_int_equal(h->a.kernel_errno, 0);
	(void)decode_call(h, __NR_openat, (uint64_t)AT_FDCWD, put_str(h, "/proc/self/environ"),
			  O_RDONLY);
	assert_int_equal(h->a.kernel_errno, 0);
	(void)decode_call(h, __NR_process_vm_readv, (uint64_t)hides);
	assert_kernel_errno(h, EPERM);
	(void)decode_call(h, __NR_kcmp, (uint64_t)h->child, (uint64_t)hides);
	assert_kernel_errno(h, EPERM);
	(void)decode_call(h, __NR_process_vm_readv, (uint64_t)h->child);
	assert_int_equal(h->a.kernel_errno, 0);
	assert_int_equal(kill(hides, SIGKILL), 0);
	assert_int_equal(waitpid(hides, NULL, 0), hides);
}

/* What the kernel decided is told after the call, when whoever made it may have ended. */
static void test_the_kernels_record_of_one_who_has_ended(void **state)
{
	static const char *const paths[] = {"/proc/1/status", "/proc/4194304/maps", "/tmp/7/x"};
	struct harness *h = *state;
	struct action_of_kernel k = {.op = OP_READ, .syscall = "open", .ppid = 1};
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	k.pid = k.tid = pid;
	for (int foreign = 0; foreign < 2; foreign++) {
		for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
			k.object = bytes_of(paths[i]);
			action_from_kernel(h->d, &k, &h->a);
			assert_int_equal(h->a.error, 0);
			assert_int_equal(h->a.n_steps, 1);
			assert_int_equal(h->a.pid, pid);
			assert_null(h->a.exe.p);
			assert_false(h->a.hits_guard);
			assert_true(bytes_eq_str(h->a.object, paths[i]));
		}
		/* From here on every directory may be a procfs. */
		action_decoder_set_foreign_roots(h->d);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, harness_setup, harness_teardown)
	const struct CMUnitTest tests[] = {
		T(test_programs_that_hide_are_remembered_up_to_a_limit),
		T(test_what_hides_is_kept_from_others),
		T(test_the_kernels_record_of_one_who_has_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
