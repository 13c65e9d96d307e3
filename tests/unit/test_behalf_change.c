/* SPDX-License-Identifier: Apache-2.0 */
/* Changes are made where they were judged, whatever has happened to the path since. */
#include "behalf_harness.h"

#include <sys/resource.h>

#define AT ((uint64_t)(uint32_t)AT_FDCWD)

static const char *path_of(const struct harness *h, const char *name)
{
	static char paths[4][128];
	static unsigned next;
	char *out = paths[next++ % ARRAY_SIZE(paths)];

	(void)snprintf(out, sizeof(paths[0]), "%s%s", h->dir, name);
	return out;
}

static bool exists(const struct harness *h, const char *name)
{
	struct stat st;

	return lstat(path_of(h, name), &st) == 0;
}

static mode_t mode_of(const struct harness *h, const char *name)
{
	struct stat st;

	assert_int_equal(lstat(path_of(h, name), &st), 0);
	return st.st_mode & 07777;
}

/* /judged becomes what /other was, after the verdict. */
static void exchange(const struct harness *h)
{
	assert_int_equal(rename(path_of(h, "/judged"), path_of(h, "/away")), 0);
	assert_int_equal(rename(path_of(h, "/other"), path_of(h, "/judged")), 0);
}

static void make_both(struct harness *h)
{
	make_dir(h, "/judged");
	make_dir(h, "/other");
	make_file(h, "x", "/judged/file");
	make_file(h, "x", "/other/file");
}

static void test_entries_change_in_the_directory_that_was_judged(void **state)
{
	static const struct {
		int nr;
		const char *name;
		uint64_t arg; /* behind the path */
		bool makes;
	} cases[] = {
		{__NR_mkdirat, "made", 0700, true},
		{__NR_mknodat, "made", S_IFIFO | 0600, true},
		{__NR_unlinkat, "file", 0, false},
	};
	struct harness *h = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char name[64];

		make_both(h);
		(void)decode_call(h, cases[i].nr, AT, put_path(h, "/judged/%s", cases[i].name),
				  cases[i].arg);
		exchange(h);
		assert_int_equal(performed(h), 0);
		(void)snprintf(name, sizeof(name), "/away/%s", cases[i].name);
		assert_int_equal(exists(h, name), cases[i].makes);
		(void)snprintf(name, sizeof(name), "/judged/%s", cases[i].name);
		assert_int_equal(exists(h, name), !cases[i].makes);
		harness_remove_tree(path_of(h, "/judged"));
		harness_remove_tree(path_of(h, "/away"));
	}
}

static void test_symlink_and_rename_stay_where_they_were_judged(void **state)
{
	struct harness *h = *state;

	make_both(h);
	(void)decode_call(h, __NR_symlinkat, put_str(h, "text"), AT, put_path(h, "/judged/link"));
	exchange(h);
	assert_int_equal(performed(h), 0);
	assert_true(exists(h, "/away/link") && !exists(h, "/judged/link"));
	(void)decode_call(h, __NR_renameat2, AT, put_path(h, "/away/link"), AT,
			  put_path(h, "/judged/link"), 0);
	assert_int_equal(rename(path_of(h, "/judged"), path_of(h, "/third")), 0);
	make_dir(h, "/judged");
	assert_int_equal(performed(h), 0);
	assert_true(exists(h, "/third/link") && !exists(h, "/judged/link"));
}

static void test_attributes_change_on_the_object_that_was_judged(void **state)
{
	struct harness *h = *state;

	make_both(h);
	(void)decode_call(h, __NR_fchmodat, AT, put_path(h, "/judged/file"), 0604);
	exchange(h);
	assert_int_equal(performed(h), 0);
	assert_int_equal(mode_of(h, "/away/file"), 0604);
	assert_int_equal(mode_of(h, "/judged/file"), 0755);
	(void)decode_call(h, __NR_truncate, put_path(h, "/judged/file"), 0);
	assert_int_equal(unlink(path_of(h, "/judged/file")), 0);
	make_link(h, "../away/file", "/judged/file");
	assert_int_equal(performed(h), 0);
	assert_int_equal(truncate(path_of(h, "/away/file"), 1), 0); /* it still has its byte */
}

/* What is linked is the object; where its name leads by now does not matter. */
static void test_link_is_of_the_object_that_was_judged(void **state)
{
	struct stat linked, judged;
	struct harness *h = *state;

	make_both(h);
	(void)decode_call(h, __NR_linkat, AT, put_path(h, "/judged/file"), AT, put_path(h, "/new"),
			  0);
	exchange(h);
	assert_int_equal(performed(h), 0);
	assert_int_equal(stat(path_of(h, "/new"), &linked), 0);
	assert_int_equal(stat(path_of(h, "/away/file"), &judged), 0);
	assert_int_equal(linked.st_ino, judged.st_ino);
}

static long child_umask(const void *arg)
{
	(void)umask(*(const mode_t *)arg);
	return 0;
}

static void test_what_is_made_has_the_agents_umask(void **state)
{
	static const mode_t mask = 027;
	struct harness *h = *state;

	assert_int_equal(harness_run(h, child_umask, &mask), 0);
	(void)decode_call(h, __NR_mkdirat, AT, put_path(h, "/made"), 0777);
	assert_int_equal(performed(h), 0);
	assert_int_equal(mode_of(h, "/made"), 0750);
	(void)decode_call(h, __NR_fchmodat, AT, put_path(h, "/made"), 0777);
	assert_int_equal(performed(h), 0);
	assert_int_equal(mode_of(h, "/made"), 0777);
}

static void test_errors_are_the_kernels(void **state)
{
	struct harness *h = *state;

	make_both(h);
	(void)decode_call(h, __NR_mkdirat, AT, put_path(h, "/judged"), 0700);
	assert_int_equal(performed(h), EEXIST);
	(void)decode_call(h, __NR_unlinkat, AT, put_path(h, "/judged"), 0);
	assert_int_equal(performed(h), EISDIR);
	(void)decode_call(h, __NR_unlinkat, AT, put_path(h, "/judged"), AT_REMOVEDIR);
	assert_int_equal(performed(h), ENOTEMPTY);
	(void)decode_call(h, __NR_unlinkat, AT, put_path(h, "/judged/file/"), 0);
	assert_int_equal(performed(h), ENOTDIR);
	(void)decode_call(h, __NR_fchmodat, AT, put_path(h, "/judged/none"), 0);
	assert_int_equal(performed(h), ENOENT);
	(void)decode_call(h, __NR_renameat2, AT, put_path(h, "/judged"), AT,
			  put_path(h, "/judged/below"), 0);
	assert_int_equal(performed(h), EINVAL);
}

static long child_limit(const void *arg)
{
	const struct rlimit none = {.rlim_cur = *(const rlim_t *)arg, .rlim_max = RLIM_INFINITY};

	return setrlimit(RLIMIT_FSIZE, &none);
}

/* The limit is the agent's, not ours; and a shorter file is no matter of it. */
static void test_truncate_keeps_to_the_agents_limit(void **state)
{
	static const rlim_t limit = 4;
	struct harness *h = *state;

	make_file(h, "123456", "/file");
	assert_int_equal(harness_run(h, child_limit, &limit), 0);
	(void)decode_call(h, __NR_truncate, put_path(h, "/file"), 5);
	assert_int_equal(performed(h), 0);
	(void)decode_call(h, __NR_truncate, put_path(h, "/file"), 4096);
	assert_int_equal(performed(h), EFBIG);
}

static void test_nothing_is_done_for_who_has_gone(void **state)
{
	struct harness *h = *state;

	(void)decode_call(h, __NR_mkdirat, AT, put_path(h, "/made"), 0777);
	has_gone = true;
	assert_int_equal(performed(h), -ENOENT);
	assert_false(exists(h, "/made"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BEHALF_TEST(test_entries_change_in_the_directory_that_was_judged),
		BEHALF_TEST(test_symlink_and_rename_stay_where_they_were_judged),
		BEHALF_TEST(test_attributes_change_on_the_object_that_was_judged),
		BEHALF_TEST(test_link_is_of_the_object_that_was_judged),
		BEHALF_TEST(test_what_is_made_has_the_agents_umask),
		BEHALF_TEST(test_errors_are_the_kernels),
		BEHALF_TEST(test_truncate_keeps_to_the_agents_limit),
		BEHALF_TEST(test_nothing_is_done_for_who_has_gone),
	};

	return cmocka_run_group_tests_name("behalf/change", tests, NULL, NULL);
}
