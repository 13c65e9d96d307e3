/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/io.h"
#include "control/ledger.h"

#include "tests/unit/unit.h"

struct fixture {
	char top[64], dir[96];
	struct diag diag;
};

static struct fixture fixture_new(void)
{
	struct fixture f = {.top = "/tmp/hf-ledger-XXXXXX"};

	assert_non_null(mkdtemp(f.top));
	(void)snprintf(f.dir, sizeof(f.dir), "%s/a/accounts", f.top);
	return f;
}

static void fixture_fini(struct fixture *f)
{
	static const char *const names[] = {"team.json", "team.lock", "team.json.new"};
	char path[160];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", f->dir, names[i]);
		(void)unlink(path);
	}
	(void)rmdir(f->dir);
	(void)snprintf(path, sizeof(path), "%s/a", f->top);
	(void)rmdir(path);
	assert_int_equal(rmdir(f->top), 0);
}

static struct ledger *open_team(struct fixture *f)
{
	struct ledger *l = NULL;

	if (ledger_open(f->dir, "team", &l, &f->diag) < 0)
		fail_msg("%s", f->diag.message);
	return l;
}

static double add(struct fixture *f, struct ledger *l, double amount)
{
	double spent = -1;

	if (ledger_add(l, amount, 30 * NS_PER_SEC, &spent, &f->diag) < 0)
		fail_msg("%s", f->diag.message);
	return spent;
}

static void put_text(struct fixture *f, const char *text)
{
	_cleanup_(fd_closep) int fd = -1;
	char path[160];

	(void)snprintf(path, sizeof(path), "%s/team.json", f->dir);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_int_equal(io_write_all(fd, text, strlen(text)), 0);
}

static void test_names(void **state)
{
	static const char *const good[] = {"a", "team-1", "A_b.c", "x.json"};
	static const char *const bad[] = {"", ".", "..", ".x", "a/b", "a b", "\xc3\xa4", "a\n"};
	char longest[LEDGER_NAME_MAX + 2];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(ledger_is_name(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(ledger_is_name(bad[i]));
	memset(longest, 'x', sizeof(longest));
	longest[LEDGER_NAME_MAX] = '\0';
	assert_true(ledger_is_name(longest));
	longest[LEDGER_NAME_MAX] = 'x';
	longest[LEDGER_NAME_MAX + 1] = '\0';
	assert_false(ledger_is_name(longest));
}

static void test_what_was_added_is_there_for_the_next_one(void **state)
{
	struct fixture f = fixture_new();
	struct ledger *l = open_team(&f), *other = open_team(&f);
	struct stat st;
	char path[160];

	(void)state;
	assert_true(add(&f, l, 0) == 0);
	assert_true(add(&f, l, 0.25) == 0.25);
	assert_false(ledger_has_changed(l));
	assert_true(ledger_has_changed(other));
	assert_true(add(&f, other, 0.5) == 0.75);
	assert_true(ledger_has_changed(l));
	assert_true(add(&f, l, 0) == 0.75);
	assert_false(ledger_has_changed(l));
	(void)snprintf(path, sizeof(path), "%s/team.json", f.dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(f.dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	ledger_free(l);
	ledger_free(other);
	fixture_fini(&f);
}

static void test_two_processes_lose_nothing(void **state)
{
	struct fixture f = fixture_new();
	struct ledger *l = open_team(&f);
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	for (int i = 0; i < 500; i++)
		(void)add(&f, l, 0.5);
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(add(&f, l, 0) == 500);
	ledger_free(l);
	fixture_fini(&f);
}

static void test_nobody_waits_for_ever(void **state)
{
	struct fixture f = fixture_new();
	struct ledger *l = open_team(&f);
	double spent = 7;
	char path[160];
	int fd;

	(void)state;
	(void)add(&f, l, 1);
	(void)snprintf(path, sizeof(path), "%s/team.lock", f.dir);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(ledger_add(l, 1, 10 * NS_PER_MSEC, &spent, &f.diag), -EBUSY);
	assert_true(spent == 7);
	fd_close(fd);
	assert_true(add(&f, l, 0) == 1);
	ledger_free(l);
	fixture_fini(&f);
}

static void test_what_is_no_account_is_refused(void **state)
{
	static const char *const texts[] = {"",
					    "{}",
					    "[1]",
					    "{\"v\":1}",
					    "{\"v\":2,\"spent\":1}",
					    "{\"v\":1,\"spent\":-1}",
					    "{\"v\":1,\"spent\":\"1\"}",
					    "{\"v\":1,\"spent\":1e999}",
					    "{\"v\":1,\"spent\":1"};
	struct fixture f = fixture_new();
	struct ledger *l = open_team(&f);
	double spent;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		put_text(&f, texts[i]);
		assert_int_equal(ledger_add(l, 1, NS_PER_SEC, &spent, &f.diag), -EINVAL);
		assert_non_null(strstr(f.diag.message, "remove the file"));
	}
	put_text(&f, "{\"v\":1,\"spent\":1.7e308}");
	assert_int_equal(ledger_add(l, 1.7e308, NS_PER_SEC, &spent, &f.diag), -ERANGE);
	ledger_free(l);
	fixture_fini(&f);
}

static void test_a_directory_that_others_may_write_to_is_refused(void **state)
{
	struct fixture f = fixture_new();
	struct ledger *l = open_team(&f);

	(void)state;
	ledger_free(l);
	assert_int_equal(chmod(f.dir, 0770), 0);
	assert_int_equal(ledger_open(f.dir, "team", &l, &f.diag), -EINVAL);
	assert_non_null(strstr(f.diag.message, "chmod 700"));
	fixture_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_what_was_added_is_there_for_the_next_one),
		cmocka_unit_test(test_two_processes_lose_nothing),
		cmocka_unit_test(test_nobody_waits_for_ever),
		cmocka_unit_test(test_what_is_no_account_is_refused),
		cmocka_unit_test(test_a_directory_that_others_may_write_to_is_refused),
	};

	return cmocka_run_group_tests_name("control/ledger", tests, NULL, NULL);
}
