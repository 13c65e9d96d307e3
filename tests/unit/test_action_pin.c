/* SPDX-License-Identifier: Apache-2.0 */
/* What a call acts on after the verdict: the pin. */
#include "action_harness.h"

#include <linux/openat2.h>

#define AT ((uint64_t)(uint32_t)AT_FDCWD)

static void decode_openat(struct harness *h, uint64_t dirfd, uint64_t path, int flags)
{
	(void)decode_call(h, __NR_openat, dirfd, path, (uint64_t)flags);
}

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

/* What lies there before must not be taken for the action's own: a member that nobody sets is. */
static void test_every_member_is_set(void **state)
{
	static struct action first;
	struct harness *h = *state;
	struct seccomp_notif n = harness_notif(
		h, __NR_openat, (const uint64_t[6]){(uint64_t)AT_FDCWD, put_str(h, "/etc/passwd")});

	memset(&h->a, 0x5a, sizeof(h->a));
	action_decode(h->d, &n, &h->a);
	first = h->a;
	memset(&h->a, 0xa5, sizeof(h->a));
	action_decode(h->d, &n, &h->a);
	for (size_t at = 0; at < offsetof(struct action, steps); at += sizeof(uint64_t)) {
		uint64_t was, is;

		memcpy(&was, (const char *)&first + at, sizeof(was));
		memcpy(&is, (const char *)&h->a + at, sizeof(is));
		if (was == UINT64_C(0x5a5a5a5a5a5a5a5a) && is == UINT64_C(0xa5a5a5a5a5a5a5a5))
			fail_msg("the member at %zu is not set", at);
	}
}

static void assert_cwd_is_below(const struct harness *h, bool expected)
{
	char cwd[PATH_MAX];

	assert_non_null(getcwd(cwd, sizeof(cwd)));
	assert_int_equal(strncmp(cwd, h->dir, strlen(h->dir)) == 0, expected);
}

/* Directories are named by being the decoder's own for a moment, but nothing is kept from being
 * unmounted by that. */
static void test_directories_are_let_go_of_with_the_action(void **state)
{
	struct harness *h = *state;

	make_dir(h, "/sub");
	make_file(h, "x", "/sub/file");
	decode_openat(h, AT, put_path(h, "/sub/file"), O_RDONLY);
	assert_pin(h, "/sub", "file");
	assert_cwd_is_below(h, true);
	action_decoder_release(h->d);
	assert_cwd_is_below(h, false);
	decode_openat(h, AT, put_path(h, "/sub/file"), O_RDONLY);
	(void)decode_call(h, __NR_listen, 0, 0);
	assert_cwd_is_below(h, false);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, harness_setup, harness_teardown)
	const struct CMUnitTest tests[] = {
		T(test_every_member_is_set),
		T(test_pin_is_the_parent_and_the_name_after_all_links),
		T(test_pin_does_not_follow_what_the_call_does_not),
		T(test_pin_keeps_the_slash_behind_a_name),
		T(test_pin_of_what_has_no_name_is_the_object),
		T(test_pin_of_a_missing_way_says_why),
		T(test_pin_stays_where_it_was_when_the_directory_moves),
		T(test_pins_are_closed_with_the_action),
		T(test_directories_are_let_go_of_with_the_action),
		T(test_open_path_is_left_to_the_kernel_and_openat2_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
