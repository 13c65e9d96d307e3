/* SPDX-License-Identifier: Apache-2.0 */
/* Names of the beginning, once a chroot or a mount was let through (action/home.c). */
#include <sched.h>
#include <sys/mount.h>

#include "action_harness.h"

#define CALLS 20

/* Another decoder for the harness's child, as in a session in which something was let through. */
static void begin_session(struct harness *h, struct action_home *home)
{
	const struct action_decoder_config config = {
		.home = home, .supervisor = getpid(), .listener = -1};

	h->d = action_decoder_free(h->d);
	assert_int_equal(action_decoder_new(&config, &h->d), 0);
	action_decoder_set_foreign_roots(h->d);
}

static unsigned long long bytes_read(void)
{
	unsigned long long n;
	FILE *f = fopen("/proc/self/io", "re");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "rchar: %llu", &n), 1);
	(void)fclose(f);
	return n;
}

static unsigned long long cost_of_looks(struct harness *h)
{
	unsigned long long before;

	(void)decode_call(h, __NR_openat, (uint64_t)AT_FDCWD, put_str(h, "/etc/passwd"), O_RDONLY);
	before = bytes_read();
	for (int i = 0; i < CALLS; i++)
		(void)decode_call(h, __NR_openat, (uint64_t)AT_FDCWD, put_str(h, "/etc/passwd"),
				  O_RDONLY);
	assert_bytes(h->a.object, "/etc/passwd");
	return bytes_read() - before;
}

static void test_what_lies_as_it_did_costs_no_look_at_all_mounts(void **state)
{
	struct harness *h = *state;
	struct action_home *home = NULL;
	unsigned long long bare;

	begin_session(h, NULL);
	bare = cost_of_looks(h);
	assert_int_equal(action_home_new(&home), 0);
	begin_session(h, home);
	/* "status" has some digits more or less each time; a mount has a line of a hundred. */
	assert_true(cost_of_looks(h) < bare + (unsigned long long)CALLS * 50);
	action_home_free(home);
}

/* In the child, which then has mounts of its own. Those of its parent see none of them. */
static bool enter_spaces(void)
{
	if (unshare(geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return false;
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static bool make_places(const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (mkdir(names[i], 0700) < 0)
			return false;
	return true;
}

/* Status of the child that looks: the test's asserts would end it without a word. */
enum {
	AS_IT_SHOULD,
	NO_SPACES,
	NO_MOUNTS,
	NO_SESSION,
	MOVED_NAME,
	FIRST_NAME
};

static bool is_called(struct harness *h, const char *asked, const char *suffix)
{
	(void)decode_call(h, __NR_openat, (uint64_t)AT_FDCWD, put_str(h, asked),
			  O_CREAT | O_WRONLY);
	return bytes_has_suffix(h->a.object, bytes_of(suffix));
}

/* "b" shows "a" when the session begins; then it is moved to "c". */
static int look_in_spaces(struct harness *h)
{
	static const char *const names[] = {"a", "b", "c"};
	struct action_home *home;
	char asked[128];

	if (!enter_spaces())
		return NO_SPACES;
	if (chdir(h->dir) < 0 || !make_places(names, ARRAY_SIZE(names)) ||
	    mount("a", "b", NULL, MS_BIND, NULL) < 0)
		return NO_MOUNTS;
	harness_spawn(h);
	if (action_home_new(&home) < 0)
		return NO_SESSION;
	begin_session(h, home);
	(void)snprintf(asked, sizeof(asked), "%s/b/new", h->dir);
	if (!is_called(h, asked, "/b/new"))
		return FIRST_NAME;
	if (mount("b", "c", NULL, MS_MOVE, NULL) < 0)
		return NO_MOUNTS;
	(void)snprintf(asked, sizeof(asked), "%s/c/new", h->dir);
	return is_called(h, asked, "/a/new") ? AS_IT_SHOULD : MOVED_NAME;
}

static void test_a_mount_that_was_moved_gives_no_new_name(void **state)
{
	struct harness *h = *state;
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(look_in_spaces(h));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == NO_SPACES) {
		print_message("skipped: no mount namespace is to be had here\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), AS_IT_SHOULD);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, harness_setup, harness_teardown)
	const struct CMUnitTest tests[] = {
		T(test_what_lies_as_it_did_costs_no_look_at_all_mounts),
		T(test_a_mount_that_was_moved_gives_no_new_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
