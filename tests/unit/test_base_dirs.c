/* SPDX-License-Identifier: Apache-2.0 */
#include "base/diag.h"
#include "base/dirs.h"

#include "tests/unit/unit.h"

static int clear_environment(void **state)
{
	(void)state;
	(void)unsetenv("XDG_STATE_HOME");
	(void)unsetenv("XDG_RUNTIME_DIR");
	(void)unsetenv("XDG_CONFIG_HOME");
	return setenv("HOME", "/home/someone", 1);
}

static void assert_dir(char *got, const char *want)
{
	assert_non_null(got);
	assert_string_equal(got, want);
	free(got);
}

static void test_xdg_directories_come_first(void **state)
{
	(void)state;
	assert_int_equal(setenv("XDG_STATE_HOME", "/s", 1), 0);
	assert_int_equal(setenv("XDG_RUNTIME_DIR", "/r", 1), 0);
	assert_int_equal(setenv("XDG_CONFIG_HOME", "/c", 1), 0);
	assert_dir(dirs_state(), "/s/holdfast");
	assert_dir(dirs_runtime(), "/r/holdfast");
	assert_dir(dirs_user_policies(), "/c/holdfast/policies");
}

static void test_without_them_root_has_the_systems_places_and_others_their_home(void **state)
{
	bool is_root = geteuid() == 0;

	(void)state;
	assert_dir(dirs_state(),
		   is_root ? "/var/log/holdfast" : "/home/someone/.local/state/holdfast");
	assert_dir(dirs_runtime(),
		   is_root ? "/run/holdfast" : "/home/someone/.local/state/holdfast/run");
	assert_dir(dirs_user_policies(),
		   is_root ? "/etc/holdfast/policies" : "/home/someone/.config/holdfast/policies");
}

static void test_relative_directories_are_ignored(void **state)
{
	(void)state;
	assert_int_equal(setenv("XDG_RUNTIME_DIR", "relative", 1), 0);
	assert_int_equal(setenv("XDG_STATE_HOME", "/s", 1), 0);
	assert_dir(dirs_runtime(), geteuid() == 0 ? "/run/holdfast" : "/s/holdfast/run");
}

static void test_a_relative_home_is_not_believed(void **state)
{
	char *home;

	(void)state;
	assert_int_equal(setenv("HOME", "here", 1), 0);
	home = dirs_home();
	assert_true(home == NULL || home[0] == '/');
	free(home);
}

static void test_a_diagnostic_says_where(void **state)
{
	struct diag d = {};
	char out[2048];

	(void)state;
	assert_int_equal(diag_set(&d, "p.yaml", 3, 7, "expected '%s'", "rules"), -EINVAL);
	diag_format(&d, out, sizeof(out));
	assert_string_equal(out, "p.yaml:3:7: expected 'rules'");
	(void)diag_set(&d, NULL, 0, 0, "no place");
	diag_format(&d, out, sizeof(out));
	assert_string_equal(out, "no place");
	assert_int_equal(diag_set(NULL, "f", 1, 1, "nobody listens"), -EINVAL);
}

static void test_a_diagnostic_escapes_what_it_quotes(void **state)
{
	struct diag d = {};
	char out[2048];

	(void)state;
	(void)diag_set(&d, "evil\033.yaml", 1, 1, "unknown key '%s'", "a\nb");
	diag_format(&d, out, sizeof(out));
	assert_string_equal(out, "evil\\x1b.yaml:1:1: unknown key 'a\\nb'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_xdg_directories_come_first, clear_environment),
		cmocka_unit_test_setup(
			test_without_them_root_has_the_systems_places_and_others_their_home,
			clear_environment),
		cmocka_unit_test_setup(test_relative_directories_are_ignored, clear_environment),
		cmocka_unit_test_setup(test_a_relative_home_is_not_believed, clear_environment),
		cmocka_unit_test(test_a_diagnostic_says_where),
		cmocka_unit_test(test_a_diagnostic_escapes_what_it_quotes),
	};

	return cmocka_run_group_tests_name("base/dirs", tests, NULL, NULL);
}
