/* SPDX-License-Identifier: Apache-2.0 */
/* What an exec runs: image, interpreters, what a loader loads; and its arguments. */
#include "action_harness.h"

static long do_memfd(const void *arg)
{
	return memfd_create(arg, MFD_CLOEXEC);
}

static uint64_t put_vector(struct harness *h, const char *const *strings)
{
	uint64_t pointers[32] = {0};
	size_t n = 0;

	for (; strings[n]; n++)
		pointers[n] = put_str(h, strings[n]);
	return put(h, pointers, (n + 1) * sizeof(*pointers));
}

static void decode_execve(struct harness *h, const char *path, const char *const *argv)
{
	uint64_t vector = put_vector(h, argv);

	(void)decode_call(h, __NR_execve, put_str(h, path), vector, 0);
}

static void test_exec_of_a_program(void **state)
{
	struct harness *h = *state;

	make_file(h, "\177ELF", "/prog");
	decode_execve(h, "./prog", (const char *[]){"lie", "-f", "a b", NULL});
	assert_object(h, "/prog");
	assert_int_equal(h->a.kind, KIND_TOOL);
	assert_ops(h, OP_EXEC);
	assert_int_equal(h->a.argc, 3);
	assert_int_equal(h->a.argc_total, 3);
	assert_false(h->a.argv_truncated);
	assert_bytes(h->a.argv[2], "a b");
	assert_bytes(h->a.steps[0].args, "lie -f a b");
	assert_bytes(h->a.cwd, h->dir);
	assert_true(has_name(&h->a.steps[0], "prog", false));
	assert_true(has_name(&h->a.steps[0], "shell", false));
	assert_false(has_name(&h->a.steps[0], "lie", false));
	assert_false(has_name(&h->a.steps[0], "lie", true));
	assert_null(h->a.interpreter.p);
}

static void test_exec_by_a_link_of_the_agent_is_an_untrusted_name(void **state)
{
	struct harness *h = *state;

	make_file(h, "\177ELF", "/evil");
	make_link(h, "evil", "/git");
	decode_execve(h, "git", (const char *[]){"git", NULL});
	assert_object(h, "/evil");
	assert_true(has_name(&h->a.steps[0], "evil", false));
	assert_true(has_name(&h->a.steps[0], "git", true));
}

static void test_exec_by_a_link_of_the_system_is_trusted(void **state)
{
	struct harness *h = *state;
	char real[4096];

	if (!realpath("/bin/sh", real) || streq(real, "/bin/sh")) {
		print_message("skipped: /bin/sh is no link\n");
		skip();
	}
	decode_execve(h, "/bin/sh", (const char *[]){"sh", "-c", "id", NULL});
	assert_bytes(h->a.object, real);
	assert_true(has_name(&h->a.steps[0], "sh", false));
	/* The same directory by way of "..", which the agent could bend, is not. */
	decode_execve(h, "/bin/../bin/sh", (const char *[]){"sh", NULL});
	assert_true(has_name(&h->a.steps[0], "sh", true));
}

static void test_exec_of_a_missing_program_is_not_decided(void **state)
{
	struct harness *h = *state;

	decode_execve(h, "nothing", (const char *[]){"nothing", NULL});
	assert_kernel_errno(h, ENOENT);
}

static void test_script_shows_script_and_interpreter(void **state)
{
	struct harness *h = *state;

	make_file(h, "\177ELF", "/interp");
	make_file(h, "#! ./interp  -x y \nbody\n", "/script");
	decode_execve(h, "./script", (const char *[]){"zero", "one", "two", NULL});
	assert_object(h, "/script");
	assert_ops(h, OP_EXEC, OP_EXEC);
	assert_bytes(h->a.steps[0].args, "zero one two");
	assert_bytes(h->a.steps[1].args, "./interp -x y ./script one two");
	assert_true(bytes_eq(h->a.interpreter, h->a.steps[1].object));
	assert_true(has_name(&h->a.steps[1], "interp", false));
}

static void test_env_script(void **state)
{
	struct harness *h = *state;

	make_file(h, "#!/usr/bin/env python3\n", "/script");
	decode_execve(h, "./script", (const char *[]){"s", NULL});
	assert_int_equal(h->a.n_steps, 2);
	assert_true(has_name(&h->a.steps[1], "env", false));
	assert_bytes(h->a.steps[1].args, "/usr/bin/env python3 ./script");
}

static void test_nested_scripts(void **state)
{
	struct harness *h = *state;

	make_file(h, "\177ELF", "/s0");
	for (int i = 1; i <= 6; i++) {
		char text[32];

		(void)snprintf(text, sizeof(text), "#!./s%d\n", i - 1);
		make_file(h, text, "/s%d", i);
	}
	decode_execve(h, "./s5", (const char *[]){"s", "a", NULL});
	assert_ops(h, OP_EXEC, OP_EXEC, OP_EXEC, OP_EXEC, OP_EXEC, OP_EXEC);
	assert_bytes(h->a.steps[5].args, "./s0 ./s1 ./s2 ./s3 ./s4 ./s5 a");
	assert_true(bytes_eq_str(bytes_base_name(h->a.interpreter), "s0"));
	decode_execve(h, "./s6", (const char *[]){"s", NULL});
	assert_kernel_errno(h, ELOOP);
}

/* What the kernel makes of a first line: an interpreter, or none. */
static void test_first_lines(void **state)
{
	static char padded[300];
	static const struct {
		const char *text;
		const char *args; /* NULL: no interpreter */
	} cases[] = {
		{"#!./i\n", "./i ./s"},
		{"#!\t ./i\t\targ with blanks \t\n", "./i arg with blanks ./s"},
		{"#!./i", "./i ./s"},
		{"#!\n", NULL},
		{"#! \t \n", NULL},
		{"#", NULL},
		{"", NULL},
		{" #!./i\n", NULL},
		{"#!./i\r\n", "./i\r ./s"},
		{padded, "./i ./s"},
	};
	struct harness *h = *state;

	/* 256 bytes without a newline: the name is whole if a blank follows in time. */
	memset(padded, 'x', sizeof(padded) - 1);
	memset(padded, ' ', 256);
	memcpy(padded, "#!./i", 5);
	make_file(h, "\177ELF", "/i");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		make_file(h, cases[i].text, "/s");
		decode_execve(h, "./s", (const char *[]){"s", NULL});
		assert_int_equal(h->a.error, ACTION_OK);
		assert_int_equal(h->a.n_steps, cases[i].args ? 2 : 1);
		if (cases[i].args)
			assert_bytes(h->a.steps[1].args, cases[i].args);
	}
}

/* The name may fill the buffer up to its last byte, which then must end it. */
static void test_interpreter_name_up_to_the_end_of_the_buffer(void **state)
{
	struct harness *h = *state;
	char text[400];

	memset(text, '/', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	memcpy(text, "#!.", 3);
	text[254] = 'i';
	text[255] = ' ';
	make_file(h, "\177ELF", "/i");
	make_file(h, text, "/s");
	decode_execve(h, "./s", (const char *[]){"s", NULL});
	assert_int_equal(h->a.n_steps, 2);
	assert_true(has_name(&h->a.steps[1], "i", false));
	text[255] = '/';
	make_file(h, text, "/s");
	decode_execve(h, "./s", (const char *[]){"s", NULL});
	assert_int_equal(h->a.n_steps, 1);
}

static void test_loader_shows_the_program_it_loads(void **state)
{
	struct harness *h = *state;

	make_file(h, "\177ELF", "/ld-linux-x86-64.so.2");
	make_file(h, "\177ELF", "/prog");
	decode_execve(h, "./ld-linux-x86-64.so.2",
		      (const char *[]){"ld", "--library-path", "/x", "--argv0", "y", "./prog", "-a",
				       NULL});
	assert_ops(h, OP_EXEC, OP_EXEC);
	assert_true(has_name(&h->a.steps[1], "prog", false));
	assert_bytes(h->a.steps[1].args, "./prog -a");
	make_file(h, "#!./ld-linux-x86-64.so.2 ./prog\n", "/s");
	decode_execve(h, "./s", (const char *[]){"s", NULL});
	assert_ops(h, OP_EXEC, OP_EXEC, OP_EXEC);
	assert_true(has_name(&h->a.steps[2], "prog", false));
}

static void test_exec_of_a_memfd(void **state)
{
	struct harness *h = *state;
	long fd = harness_run(h, do_memfd, "evil");

	(void)decode_call(h, __NR_execveat, (uint64_t)fd, put_str(h, ""), 0, 0, AT_EMPTY_PATH);
	assert_int_equal(h->a.error, ACTION_OK);
	assert_bytes(h->a.object, "/memfd:evil (deleted)");
	assert_true(has_name(&h->a.steps[0], "memfd:evil", false));
	assert_int_equal(h->a.argc_total, 0);
	(void)decode_call(h, __NR_execveat, (uint64_t)fd, put_str(h, ""), 0, 0, 0);
	assert_kernel_errno(h, ENOENT);
	(void)decode_call(h, __NR_execveat, (uint64_t)fd, put_str(h, ""), 0, 0, 0x8);
	assert_int_equal(h->a.error, ACTION_UNKNOWN);
}

static void test_hostile_vectors(void **state)
{
	struct harness *h = *state;
	uint64_t bad[] = {8, 0};

	make_file(h, "\177ELF", "/x");
	(void)decode_call(h, __NR_execve, put_str(h, "x"), 8, 0);
	assert_kernel_errno(h, EFAULT);
	(void)decode_call(h, __NR_execve, put_str(h, "x"), put(h, bad, sizeof(bad)), 0);
	assert_kernel_errno(h, EFAULT);
	(void)decode_call(h, __NR_execve, put_str(h, "x"), 0, 0);
	assert_int_equal(h->a.error, ACTION_OK);
	assert_int_equal(h->a.argc_total, 0);
	assert_bytes(h->a.steps[0].args, "x");
}

static void test_long_arguments_are_cut_and_counted(void **state)
{
	struct harness *h = *state;
	static char big[20000];
	uint64_t pointers[1001] = {0};

	make_file(h, "\177ELF", "/x");
	memset(big, 'a', sizeof(big) - 1);
	for (size_t i = 0; i < 1000; i++)
		pointers[i] = i ? pointers[0] : put_str(h, big);
	(void)decode_call(h, __NR_execve, put_str(h, "x"), put(h, pointers, sizeof(pointers)), 0);
	assert_int_equal(h->a.error, ACTION_OK);
	assert_int_equal(h->a.argc_total, 1000);
	assert_int_equal(h->a.argc, 1);
	assert_int_equal(h->a.argv[0].len, ACTION_ARGV_LOG_BYTES);
	assert_false(h->a.act.exec.is_cmdline_whole);
	assert_int_equal(h->a.act.exec.cmdline.len, ACTION_ARGV_LOG_BYTES);
	assert_true(h->a.argv_truncated);
}

static int setup_full(void **state)
{
	return harness_setup_with(state, true);
}

static void test_full_arguments_are_read_or_denied(void **state)
{
	struct harness *h = *state;
	static char big[20000];
	uint64_t pointers[1001] = {0};
	uint64_t path;

	make_file(h, "\177ELF", "/x");
	memset(big, 'a', sizeof(big) - 1);
	path = put_str(h, "x");
	for (size_t i = 0; i < 300; i++)
		pointers[i] = i ? pointers[0] : put_str(h, big);
	(void)decode_call(h, __NR_execve, path, put(h, pointers, sizeof(pointers)), 0);
	assert_int_equal(h->a.error, ACTION_OK);
	assert_int_equal(h->a.argc, 300);
	assert_false(h->a.argv_truncated);
	assert_int_equal(h->a.steps[0].args.len, 300 * sizeof(big) - 1);
	path = put_str(h, "x");
	for (size_t i = 0; i < 1000; i++)
		pointers[i] = i ? pointers[0] : put_str(h, big);
	(void)decode_call(h, __NR_execve, path, put(h, pointers, sizeof(pointers)), 0);
	assert_kernel_errno(h, E2BIG);
}

static void test_exec_through_proc_self(void **state)
{
	struct harness *h = *state;

	make_file(h, "\177ELF", "/prog");
	decode_execve(h, "/proc/self/cwd/prog", (const char *[]){"p", NULL});
	assert_object(h, "/prog");
	decode_execve(h, "/proc/self/exe", (const char *[]){"p", NULL});
	assert_int_equal(h->a.error, ACTION_OK);
	assert_true(bytes_eq(h->a.object, h->a.exe));
}

/* What /proc/PID/cmdline will be: "|" for each NUL. */
static void assert_cmdline(const struct harness *h, const char *text)
{
	struct bytes line = h->a.act.exec.cmdline;

	assert_int_equal(h->a.act.kind, ACT_EXEC);
	assert_int_equal(line.len, strlen(text));
	for (size_t i = 0; i < line.len; i++)
		assert_int_equal(line.p[i] ? line.p[i] : '|', text[i]);
}

static void assert_image(const struct harness *h, const char *name)
{
	char path[128];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/%s", h->dir, name);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(h->a.act.exec.image_dev, st.st_dev);
	assert_int_equal(h->a.act.exec.image_ino, st.st_ino);
}

static void test_what_will_run_is_foretold(void **state)
{
	struct harness *h = *state;

	make_file(h, "\177ELF", "/i");
	make_file(h, "\177ELF", "/ld-linux-x86-64.so.2");
	make_file(h, "#!./i  -x y \n", "/s1");
	make_file(h, "#!./s1\n", "/s2");
	decode_execve(h, "./i", (const char *[]){"", "a b", "", NULL});
	assert_image(h, "i");
	assert_cmdline(h, "|a b||");
	decode_execve(h, "./i", (const char *[]){NULL});
	assert_cmdline(h, "|");
	decode_execve(h, "./s2", (const char *[]){"zero", "one", NULL});
	assert_image(h, "i");
	assert_cmdline(h, "./i|-x y|./s1|./s2|one|");
	decode_execve(h, "./s1", (const char *[]){NULL});
	assert_cmdline(h, "./i|-x y|./s1|");
	decode_execve(h, "./ld-linux-x86-64.so.2", (const char *[]){"ld", "./i", NULL});
	assert_image(h, "ld-linux-x86-64.so.2");
	assert_cmdline(h, "ld|./i|");
	assert_true(h->a.act.exec.is_cmdline_whole);
}

static long do_open_dir(const void *arg)
{
	(void)arg;
	return open(".", O_PATH | O_DIRECTORY);
}

static void test_a_script_of_a_descriptor_has_its_name(void **state)
{
	struct harness *h = *state;
	long fd = harness_run(h, do_open_dir, NULL);
	char text[64];

	make_file(h, "\177ELF", "/i");
	make_file(h, "#!./i\n", "/s");
	(void)decode_call(h, __NR_execveat, (uint64_t)fd, put_str(h, "s"), 0, 0, 0);
	(void)snprintf(text, sizeof(text), "./i|/dev/fd/%ld/s|", fd);
	assert_cmdline(h, text);
	/* Nothing runs when it is only asked whether it might. */
	(void)decode_call(h, __NR_execveat, (uint64_t)fd, put_str(h, "s"), 0, 0, 0x10000);
	assert_int_equal(h->a.n_steps, 2);
	assert_int_equal(h->a.act.kind, ACT_CONTINUE);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, harness_setup, harness_teardown)
	const struct CMUnitTest tests[] = {
		T(test_exec_of_a_program),
		T(test_exec_by_a_link_of_the_agent_is_an_untrusted_name),
		T(test_exec_by_a_link_of_the_system_is_trusted),
		T(test_exec_of_a_missing_program_is_not_decided),
		T(test_script_shows_script_and_interpreter),
		T(test_env_script),
		T(test_nested_scripts),
		T(test_first_lines),
		T(test_interpreter_name_up_to_the_end_of_the_buffer),
		T(test_loader_shows_the_program_it_loads),
		T(test_exec_of_a_memfd),
		T(test_hostile_vectors),
		T(test_long_arguments_are_cut_and_counted),
		cmocka_unit_test_setup_teardown(test_full_arguments_are_read_or_denied, setup_full,
						harness_teardown),
		T(test_exec_through_proc_self),
		T(test_what_will_run_is_foretold),
		T(test_a_script_of_a_descriptor_has_its_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
