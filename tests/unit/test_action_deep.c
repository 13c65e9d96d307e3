/* SPDX-License-Identifier: Apache-2.0 */
/* Directories deeper than the kernel can name: action/deep.c. */
#include "action_harness.h"

#define AT ((uint64_t)(uint32_t)AT_FDCWD)

static void decode_openat(struct harness *h, uint64_t dirfd, uint64_t path, int flags)
{
	(void)decode_call(h, __NR_openat, dirfd, path, (uint64_t)flags);
}

#define DEEP_LEVELS 40
#define DEEP_NAME   200 /* together twice what the kernel can name */

static long do_descend(const void *arg)
{
	char name[DEEP_NAME + 1];

	(void)arg;
	memset(name, 'd', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	for (int i = 0; i < DEEP_LEVELS; i++) {
		name[0] = (char)('A' + i);
		if (mkdir(name, 0755) < 0 || mkdir("other", 0755) < 0 || chdir(name) < 0)
			return -1;
	}
	return 0;
}

static void test_deep_cwd_has_its_whole_name(void **state)
{
	struct harness *h = *state;
	char want[sizeof(h->dir) + DEEP_LEVELS * (DEEP_NAME + 1) + sizeof("/x")];
	size_t n = strlen(h->dir);

	memcpy(want, h->dir, n);
	for (int i = 0; i < DEEP_LEVELS; i++, n += DEEP_NAME + 1) {
		memset(want + n, 'd', DEEP_NAME + 1);
		want[n] = '/';
		want[n + 1] = (char)('A' + i);
	}
	memcpy(want + n, "/x", sizeof("/x"));
	assert_int_equal(harness_run(h, do_descend, NULL), 0);
	decode_openat(h, AT, put_str(h, "x"), O_RDONLY | O_CREAT);
	assert_bytes(h->a.object, want);
	/* The descriptors that this took are back. */
	decode_openat(h, AT, put_str(h, "x"), O_RDONLY);
	assert_bytes(h->a.object, want);
}

static long do_remove_deep(const void *arg)
{
	char name[sizeof("../") + DEEP_NAME];

	memset(name, 'd', sizeof(name) - 1);
	memcpy(name, "../", 3);
	name[3] = (char)('A' + DEEP_LEVELS - 1);
	name[sizeof(name) - 1] = '\0';
	if (do_descend(arg) < 0)
		return -1;
	return rmdir(name);
}

static void test_deep_cwd_without_a_name_is_denied_not_guessed(void **state)
{
	struct harness *h = *state;

	assert_int_equal(harness_run(h, do_remove_deep, NULL), 0);
	decode_openat(h, AT, put_str(h, "x"), O_RDONLY);
	assert_int_equal(h->a.error, ACTION_TOO_LONG);
	assert_int_equal(h->a.n_steps, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, harness_setup, harness_teardown)
	const struct CMUnitTest tests[] = {
		T(test_deep_cwd_has_its_whole_name),
		T(test_deep_cwd_without_a_name_is_denied_not_guessed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
