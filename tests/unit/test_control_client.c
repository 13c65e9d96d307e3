/* SPDX-License-Identifier: Apache-2.0 */
/* The list in pages, the commands that people use, and the socket's place in the file system. */
#include "cli/commands.h"

#include "control_harness.h"

/* ---- tests: the list */

struct seen {
	unsigned pages, entries;
	int error;
};

static int read_list(struct control_client *c, void *arg)
{
	struct control_request q = {.op = CONTROL_HELD};
	struct seen *seen = arg;

	do {
		json_t *reply = NULL;

		seen->error = control_call(c, &q, &reply);
		if (seen->error)
			return 1;
		seen->pages++;
		seen->entries += (unsigned)json_array_size(json_object_get(reply, "held"));
		q.after = (uint64_t)json_integer_value(json_object_get(reply, "next"));
		json_decref(reply);
	} while (q.after);
	return 0;
}

static void on_refused(const char *session, int error, const char *message, void *arg)
{
	struct seen *seen = arg;

	(void)session;
	(void)message;
	seen->error = error;
}

static int count_list(const struct fixture *f, const void *arg)
{
	const struct seen *expected = arg;
	struct seen seen = {};

	(void)f;
	if (control_each_session("s1", read_list, on_refused, &seen) != 0 || seen.error)
		return 3;
	if (seen.entries != expected->entries)
		return 4;
	return seen.pages >= expected->pages ? 0 : 5;
}

static void test_thousands_come_in_pages(void **state)
{
	const struct seen expected = {.pages = 10, .entries = 3000};
	char id[HELD_ID_SIZE];
	struct fixture f;

	(void)state;
	setup(&f, false);
	for (unsigned i = 0; i < expected.entries; i++)
		hold(&f, BYTES_LIT("/some/file/of/the/project"), id);
	assert_int_equal(client(&f, count_list, &expected), 0);
	teardown(&f);
}

static void test_entries_of_the_largest_size_fit(void **state)
{
	static char evil[AUDIT_STRING_MAX];
	const struct seen expected = {.pages = 3, .entries = 20};
	char id[HELD_ID_SIZE];
	struct fixture f;

	(void)state;
	memset(evil, 0x80, sizeof(evil)); /* five characters each in JSON */
	setup(&f, false);
	for (unsigned i = 0; i < expected.entries; i++)
		hold(&f, (struct bytes){evil, sizeof(evil)}, id);
	assert_int_equal(client(&f, count_list, &expected), 0);
	teardown(&f);
}

/* ---- tests: the commands */

struct command_run {
	int (*main)(int argc, char **argv);
	int argc;
	const char *argv[5];
	char out[256]; /* the file for both streams */
};

static int run_command(const struct fixture *f, const void *arg)
{
	const struct command_run *c = arg;
	char *argv[6] = {};
	int fd = open(c->out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), r;

	(void)f;
	if (dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
		return 90;
	for (int i = 0; i < c->argc; i++)
		argv[i] = strdup(c->argv[i]);
	r = c->main(c->argc, argv);
	(void)fflush(stdout);
	return r;
}

/* Runs a command as a client; fails unless it exits with @status and prints something with @text in
 * it. */
static void expect(struct fixture *f, int (*main_fn)(int, char **), int argc,
		   const char *const *argv, int status, const char *text)
{
	struct command_run c = {.main = main_fn, .argc = argc};
	char output[8192] = "";
	int fd, r;

	for (int i = 0; i < argc; i++)
		c.argv[i] = argv[i];
	(void)snprintf(c.out, sizeof(c.out), "%s.out", f->top);
	r = client(f, run_command, &c);
	fd = open(c.out, O_RDONLY | O_CLOEXEC);
	assert_true(read(fd, output, sizeof(output) - 1) >= 0);
	fd_close(fd);
	(void)unlink(c.out);
	if (r != status || !strstr(output, text))
		fail_msg("%s %s: status %d, output '%s', not '%s'", argv[0],
			 argc > 1 ? argv[1] : "", r, output, text);
	for (const char *p = output; *p; p++)
		assert_true((*p >= 0x20 && *p < 0x7f) || *p == '\n');
}

static void test_commands_list_and_answer(void **state)
{
	const char *argv[5] = {"held"};
	char id[HELD_ID_SIZE];
	struct fixture f;

	(void)state;
	setup(&f, false);
	expect(&f, cmd_held, 1, argv, 0, "nothing is held");
	hold(&f, BYTES_LIT("/work/\033[2Jx"), id);
	expect(&f, cmd_held, 1, argv, 0, "/work/\\x1b[2Jx");
	expect(&f, cmd_held, 1, argv, 0, id);
	argv[1] = "--json";
	expect(&f, cmd_held, 2, argv, 0, "\"rule\":\"careful\"");
	argv[1] = "nosuch";
	expect(&f, cmd_held, 2, argv, 1, "no session 'nosuch'");

	argv[0] = "approve";
	expect(&f, cmd_approve, 1, argv, 2, "usage:");
	argv[1] = "nosuchid";
	expect(&f, cmd_approve, 2, argv, 1,
	       "no held action 'nosuchid'; `holdfast held` lists them");
	argv[1] = id;
	expect(&f, cmd_approve, 2, argv, 0, "approved ");
	expect(&f, cmd_approve, 2, argv, 1, "was approved by ");
	argv[0] = "deny";
	expect(&f, cmd_deny, 2, argv, 1, "was approved by ");

	hold(&f, BYTES_LIT("/work/y"), id);
	argv[2] = "--reason";
	argv[3] = "Not now.";
	expect(&f, cmd_deny, 4, argv, 0, "denied ");
	assert_string_equal(f.reason, "Not now.");
	expect(&f, cmd_deny, 4, argv, 1, "was denied by ");
	teardown(&f);
}

static void test_agent_is_told_that_it_cannot(void **state)
{
	const char *argv[5] = {"approve"};
	char id[HELD_ID_SIZE];
	struct fixture f;

	(void)state;
	setup(&f, true);
	hold(&f, BYTES_LIT("/work/x"), id);
	argv[1] = id;
	expect(&f, cmd_approve, 2, argv, 1, "an agent cannot answer its own held actions");
	argv[0] = "held";
	expect(&f, cmd_held, 1, argv, 1, "an agent cannot answer");
	assert_int_equal(held_table_count(f.held), 1);
	assert_int_equal(f.answers, 0);
	teardown(&f);
}

static void test_ends_are_remembered_and_forgotten(void **state)
{
	const char *argv[5] = {"approve", "timed222"};
	struct fixture f;
	char id[32];

	(void)state;
	setup(&f, false);
	control_server_note_end(f.server, "timed222", CONTROL_END_TIMED_OUT, BYTES_NULL);
	for (int i = 0; i < CONTROL_HISTORY - 1; i++) {
		(void)snprintf(id, sizeof(id), "other%03d", i);
		control_server_note_end(f.server, id, CONTROL_END_GONE, BYTES_NULL);
	}
	expect(&f, cmd_approve, 2, argv, 1, "timed out");
	control_server_note_end(f.server, "onemore2", CONTROL_END_GONE, BYTES_NULL);
	expect(&f, cmd_approve, 2, argv, 1, "no held action");
	teardown(&f);
}

/* ---- tests: the socket */

static void test_socket_is_private_and_goes_away(void **state)
{
	struct fixture f;
	struct stat st;

	(void)state;
	setup(&f, false);
	assert_int_equal(stat(f.dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(stat(control_server_path(f.server), &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0600 | ENGINE_SOCKET_MARK);
	teardown(&f); /* fails if something is left */
}

static void test_long_directory(void **state)
{
	char below[200] = "/";
	struct fixture f;

	(void)state;
	memset(below + 1, 'd', sizeof(below) - 2);
	setup_in(&f, below, false);
	assert_int_equal(access(control_server_path(f.server), F_OK), 0);
	{
		const struct bytes b = bytes_of(status_request);

		assert_int_equal(client(&f, send_twice, &b), 0);
	}
	teardown(&f);
}

static void test_stale_socket_is_replaced_living_one_is_not(void **state)
{
	struct fixture f, other;
	struct diag d = {};
	int dirfd;

	(void)state;
	setup(&f, false);
	other = f;
	assert_true(try_server(&other, f.bystander, &d) < 0);
	assert_non_null(strstr(d.message, "bind"));
	/* As if its process had died: the name is there, nobody listens. */
	dirfd = open(f.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(linkat(dirfd, "s1.sock", dirfd, "kept", 0), 0);
	f.server = control_server_free(f.server);
	assert_int_equal(renameat(dirfd, "kept", dirfd, "s1.sock"), 0);
	fd_close(dirfd);
	assert_int_equal(try_server(&f, f.bystander, &d), 0);
	assert_int_equal(client(&f, greet, NULL), 0);
	teardown(&f);
}

static int list_all(const struct fixture *f, const void *arg)
{
	struct seen seen = {};
	char path[600];

	(void)arg;
	(void)snprintf(path, sizeof(path), "%s/dead.sock", f->dir);
	if (access(path, F_OK) < 0)
		return 3;
	if (control_each_session(NULL, read_list, on_refused, &seen) != 0 || seen.error)
		return 4;
	return access(path, F_OK) < 0 ? 0 : 5;
}

static void test_client_removes_dead_sockets(void **state)
{
	struct fixture f;
	const struct timespec old[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
	struct diag d = {};
	int dirfd, fd;

	(void)state;
	setup(&f, false);
	dirfd = open(f.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = control_socket_listen(dirfd, f.dir, "dead.sock", 0600, &d);
	assert_true(fd >= 0);
	fd_close(fd);
	/* One that was just made may be about to listen. */
	assert_int_equal(client(&f, list_all, NULL), 5);
	assert_int_equal(utimensat(dirfd, "dead.sock", old, AT_SYMLINK_NOFOLLOW), 0);
	fd_close(dirfd);
	assert_int_equal(client(&f, list_all, NULL), 0);
	teardown(&f);
}

static void test_bad_session_names_are_refused(void **state)
{
	struct control_server_config config = {.runtime_dir = "/nonexistent", .session = "a/b"};
	struct control_server *s = NULL;
	struct diag d = {};

	(void)state;
	assert_int_equal(control_server_new(&config, &s, &d), -EINVAL);
	config.session = "";
	assert_int_equal(control_server_new(&config, &s, &d), -EINVAL);
	assert_null(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_thousands_come_in_pages),
		cmocka_unit_test(test_entries_of_the_largest_size_fit),
		cmocka_unit_test(test_commands_list_and_answer),
		cmocka_unit_test(test_agent_is_told_that_it_cannot),
		cmocka_unit_test(test_ends_are_remembered_and_forgotten),
		cmocka_unit_test(test_socket_is_private_and_goes_away),
		cmocka_unit_test(test_long_directory),
		cmocka_unit_test(test_stale_socket_is_replaced_living_one_is_not),
		cmocka_unit_test(test_client_removes_dead_sockets),
		cmocka_unit_test(test_bad_session_names_are_refused),
	};

	return cmocka_run_group_tests_name("control-client", tests, NULL, NULL);
}
