/* SPDX-License-Identifier: Apache-2.0 */
/* What changes from run to run, and what must not be taken for that. */
#include "cli/normal.h"

#include "tests/unit/unit.h"

#define TEXT_MAX ((size_t)4096)

static const struct normal run = {.cwd = {"/home/u/p", 9}, .pids = {4711, 4712, 99}};

static void assert_normal(const char *text, const char *expected)
{
	struct strbuf out = STRBUF_INIT(TEXT_MAX);

	normal_add(&run, bytes_of(text), &out);
	assert_string_equal(strbuf_str(&out), expected);
	strbuf_fini(&out);
}

static void test_what_changes_is_replaced(void **state)
{
	(void)state;
	assert_normal("/home/u/p/file", "[cwd]/file");
	assert_normal("--root=/home/u/p", "--root=[cwd]");
	assert_normal("/proc/12345/task/7/fd", "/proc/[pid]/task/[pid]/fd");
	assert_normal("log.4711", "log.[pid]");
	assert_normal("lock_4712", "lock_[pid]");
	assert_normal("/tmp/tmp.8xQz9aBcDe/x", "/tmp/tmp.[temp]/x");
	assert_normal("/tmp/tmpk3f9qzab", "/tmp/tmp[temp]");
	assert_normal("/tmp/ccAb12Xy.o", "/tmp/cc[temp].o");
	assert_normal("/var/tmp/dir-aB3dE9", "/var/tmp/dir-[temp]");
	assert_normal("cp /dev/shm/x8Qz9aBc /home", "cp /dev/shm/[temp] /home");
	assert_normal(".git/objects/ab/tmp_obj_aX3b9z", ".git/objects/ab/tmp_obj_[temp]");
	assert_normal("backup-2026-11-21.tar", "backup-[time].tar");
	assert_normal("at 2026-11-21T05:12:34.5Z or 05:12:34", "at [time] or [time]");
	assert_normal("20261121T051234", "[time]");
	assert_normal("1795267800", "[number]");
}

static void test_the_rest_stays(void **state)
{
	static const char *const texts[] = {
		"",
		"/home/u/project",
		"/home/u/p.bak",
		"/tmp/tmp.x",
		"/tmp/output/README",
		"/tmp/build/Makefile",
		"/usr/lib/libX11.so.6.4.0",
		"python3.11",
		"--depth=1 -n 100 12345678",
		"/proc/self/maps",
		"a4711b",
		"abc123def456",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_normal(texts[i], texts[i]);
}

static void test_ports_that_the_kernel_picks(void **state)
{
	static const struct {
		enum action_op op;
		const char *text, *expected;
	} cases[] = {
		{OP_BIND, "0.0.0.0:40000", "0.0.0.0:[port]"},
		{OP_LISTEN, "[::]:60000", "[::]:[port]"},
		{OP_CONNECT, "127.0.0.1:40000", "127.0.0.1:[port]"},
		{OP_CONNECT, "[::1]:40000", "[::1]:[port]"},
		{OP_CONNECT, "192.0.2.1:40000", "192.0.2.1:40000"},
		{OP_BIND, "0.0.0.0:8080", "0.0.0.0:8080"},
		{OP_CONNECT, "unix:/home/u/p/sock", "unix:[cwd]/sock"},
		{OP_CONNECT, "family:40", "family:40"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct strbuf out = STRBUF_INIT(TEXT_MAX);

		normal_add_address(&run, cases[i].op, bytes_of(cases[i].text), &out);
		assert_string_equal(strbuf_str(&out), cases[i].expected);
		strbuf_fini(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_changes_is_replaced),
		cmocka_unit_test(test_the_rest_stays),
		cmocka_unit_test(test_ports_that_the_kernel_picks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
