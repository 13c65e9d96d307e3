/* SPDX-License-Identifier: Apache-2.0 */
/* Who may use the control socket, and what it makes of what they send. */
#include <linux/filter.h>
#include <linux/seccomp.h>

#include "control_harness.h"

/* ---- tests: who may */

static void test_outsider_of_the_same_user_may(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, false);
	assert_int_equal(client(&f, greet, NULL), 0);
	assert_int_equal(f.attempts, 0);
	teardown(&f);
}

static void test_agent_may_not_and_it_is_noted(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, true);
	assert_int_equal(client(&f, greet, NULL), 100 + CONTROL_E_AGENT);
	assert_int_equal(f.attempts, 1);
	assert_non_null(strstr(f.note, "process of the session"));
	/* A second at once is not a second note. */
	assert_int_equal(client(&f, greet, NULL), 100 + CONTROL_E_AGENT);
	assert_int_equal(f.attempts, 1);
	teardown(&f);
}

/* A connection made outside, used by a child: to the kernel another process. */
static int hand_over(const struct fixture *f, const void *arg)
{
	int fd = raw_connect(f), status;
	pid_t pid;

	(void)arg;
	if (raw_reply(fd))
		return 91;
	pid = fork();
	if (pid == 0)
		_exit(raw_call(fd, bytes_of(status_request)));
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return 92;
	return WEXITSTATUS(status);
}

static void test_connection_that_was_handed_over_is_refused(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, false);
	assert_int_equal(client(&f, hand_over, NULL), 100 + CONTROL_E_AGENT);
	assert_int_equal(f.attempts, 1);
	teardown(&f);
}

/* The connector dies while its connection lives on. */
static int die_and_leave(const struct fixture *f, const void *arg)
{
	int fds[2], fd, status;
	pid_t pid;

	(void)arg;
	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, fds) < 0)
		return 90;
	pid = fork();
	if (pid == 0) {
		union {
			struct cmsghdr align;
			char room[CMSG_SPACE(sizeof(int))];
		} control = {};
		char byte = 'x';
		struct iovec iov = {&byte, 1};
		struct msghdr msg = {.msg_iov = &iov,
				     .msg_iovlen = 1,
				     .msg_control = &control,
				     .msg_controllen = sizeof(control)};
		struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

		fd = raw_connect(f);
		if (raw_reply(fd))
			_exit(91);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
		/* The request is sent by the connector itself; it is gone before the answer. */
		_exit(sendmsg(fds[0], &msg, 0) == 1 ? 0 : 92);
	}
	if (waitpid(pid, &status, 0) != pid || status != 0)
		return 93;
	{
		union {
			struct cmsghdr align;
			char room[CMSG_SPACE(sizeof(int))];
		} control = {};
		char byte;
		struct iovec iov = {&byte, 1};
		struct msghdr msg = {.msg_iov = &iov,
				     .msg_iovlen = 1,
				     .msg_control = &control,
				     .msg_controllen = sizeof(control)};

		if (recvmsg(fds[1], &msg, 0) != 1 || !CMSG_FIRSTHDR(&msg))
			return 94;
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	}
	return raw_call(fd, bytes_of(status_request));
}

static void test_connection_of_the_dead_is_refused(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, false);
	assert_int_equal(client(&f, die_and_leave, NULL), 100 + CONTROL_E_AGENT);
	teardown(&f);
}

static int greet_confined(const struct fixture *f, const void *arg)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	const struct sock_fprog program = {.len = 1, .filter = &allow};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		return 95;
	return greet(f, arg);
}

static void test_agent_of_another_session_may_not(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, false);
	assert_int_equal(client(&f, greet_confined, NULL), 100 + CONTROL_E_AGENT);
	assert_int_equal(f.attempts, 1);
	teardown(&f);
}

static int greet_as_another_user(const struct fixture *f, const void *arg)
{
	int dirfd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	/* The directory keeps it out; what is behind it must, too. */
	if (fchmod(dirfd, 0755) < 0 || fchmodat(dirfd, "s1.sock", 0666, 0) < 0 ||
	    chmod(f->top, 0755) < 0 || setresuid(65534, 65534, 65534) < 0)
		return 95;
	return greet(f, arg);
}

static void test_another_user_may_not(void **state)
{
	struct fixture f;

	(void)state;
	if (geteuid() != 0) {
		print_message("not root: cannot become another user\n");
		skip();
	}
	setup(&f, false);
	assert_int_equal(client(&f, greet_as_another_user, NULL), 100 + CONTROL_E_USER);
	assert_int_equal(f.attempts, 1);
	teardown(&f);
}

/* ---- tests: requests */

static void test_answers_reach_the_operation(void **state)
{
	static const char approve[] = "{\"v\":1,\"op\":\"approve\",\"id\":\"%s\"}";
	static const char deny[] =
		"{\"v\":1,\"op\":\"deny\",\"id\":\"%s\",\"reason\":\"no\\\\xff\"}";
	char id[HELD_ID_SIZE], request[128];
	struct fixture f;
	struct bytes b;

	(void)state;
	setup(&f, false);
	hold(&f, BYTES_LIT("/etc/motd"), id);
	(void)snprintf(request, sizeof(request), approve, id);
	b = bytes_of(request);
	assert_int_equal(client(&f, send_twice, &b), 0);
	assert_int_equal(f.answers, 1);
	assert_true(f.approve);
	assert_string_equal(f.reason, "");
	assert_non_null(strstr(f.approver, " (pid "));
	assert_int_equal(held_table_count(f.held), 0);

	hold(&f, BYTES_LIT("/etc/motd"), id);
	(void)snprintf(request, sizeof(request), deny, id);
	b = bytes_of(request);
	assert_int_equal(client(&f, send_twice, &b), 0);
	assert_int_equal(f.answers, 2);
	assert_false(f.approve);
	assert_string_equal(f.reason, "no\xff");
	teardown(&f);
}

static void test_the_way_of_an_answer_is_recorded(void **state)
{
	char id[HELD_ID_SIZE], request[128];
	struct fixture f;
	struct bytes b;

	(void)state;
	setup(&f, false);
	hold(&f, BYTES_LIT("/etc/motd"), id);
	(void)snprintf(request, sizeof(request),
		       "{\"v\":1,\"op\":\"approve\",\"id\":\"%s\",\"via\":\"webhook\"}", id);
	b = bytes_of(request);
	assert_int_equal(client(&f, send_twice, &b), 0);
	assert_true(bytes_has_suffix(bytes_of(f.approver), BYTES_LIT(" via webhook")));
	teardown(&f);
}

static void test_an_attempt_elsewhere_is_noted(void **state)
{
	static const struct bytes request =
		BYTES_LIT("{\"v\":1,\"op\":\"attempt\",\"reason\":\"used a link twice\"}");
	struct fixture f;

	(void)state;
	setup(&f, false);
	assert_int_equal(client(&f, send_twice, &request), 0);
	assert_int_equal(f.attempts, 1);
	assert_non_null(strstr(f.note, ") used a link twice and was refused"));
	assert_int_equal(f.answers, 0);
	teardown(&f);
}

static void test_bad_requests_end_the_connection(void **state)
{
	static const struct {
		struct bytes packet;
		int error;
	} rows[] = {
		{BYTES_LIT("status"), CONTROL_E_MALFORMED},
		{BYTES_LIT("[]"), CONTROL_E_MALFORMED},
		{BYTES_LIT("{}"), CONTROL_E_MALFORMED},
		{BYTES_LIT("\0"), CONTROL_E_MALFORMED},
		{BYTES_LIT("{\"v\":1,\"op\":\"status\"}{}"), CONTROL_E_MALFORMED},
		{BYTES_LIT("{\"v\":1,\"op\":\"status\",\"x\":1}"), CONTROL_E_MALFORMED},
		{BYTES_LIT("{\"v\":1,\"v\":1,\"op\":\"status\"}"), CONTROL_E_MALFORMED},
		{BYTES_LIT("{\"v\":2,\"op\":\"status\"}"), CONTROL_E_VERSION},
		{BYTES_LIT("{\"v\":\"1\",\"op\":\"status\"}"), CONTROL_E_MALFORMED},
		{BYTES_LIT("{\"v\":1,\"op\":\"allow\"}"), CONTROL_E_UNKNOWN_OP},
		{BYTES_LIT("{\"v\":1}"), CONTROL_E_UNKNOWN_OP},
		{BYTES_LIT("{\"v\":1,\"op\":\"status\\u0000\"}"), CONTROL_E_UNKNOWN_OP},
		{BYTES_LIT("{\"v\":1,\"op\":\"held\"}"), CONTROL_E_MALFORMED},
		{BYTES_LIT("{\"v\":1,\"op\":\"held\",\"after\":-1}"), CONTROL_E_MALFORMED},
		{BYTES_LIT("{\"v\":1,\"op\":\"approve\"}"), CONTROL_E_MALFORMED},
		{BYTES_LIT("{\"v\":1,\"op\":\"approve\",\"id\":\"short\"}"), CONTROL_E_MALFORMED},
		{BYTES_LIT("{\"v\":1,\"op\":\"approve\",\"id\":\"../../ab\"}"),
		 CONTROL_E_MALFORMED},
		{BYTES_LIT("{\"v\":1,\"op\":\"approve\",\"id\":7}"), CONTROL_E_MALFORMED},
		{BYTES_LIT("{\"v\":1,\"op\":\"attempt\"}"), CONTROL_E_MALFORMED},
		{BYTES_LIT("{\"v\":1,\"op\":\"approve\",\"id\":\"abcd2345\",\"via\":\"\"}"),
		 CONTROL_E_MALFORMED},
		{BYTES_LIT("{\"v\":1,\"op\":\"approve\",\"id\":\"abcd2345\",\"via\":\"a b\"}"),
		 CONTROL_E_MALFORMED},
	};
	struct fixture f;

	(void)state;
	setup(&f, false);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int r = client(&f, send_twice, &rows[i].packet);

		if (r != 100 + rows[i].error)
			fail_msg("row %zu: %d", i, r);
	}
	assert_int_equal(f.answers, 0);
	teardown(&f);
}

static void test_size_limits(void **state)
{
	static char packet[CONTROL_PACKET_MAX + 1];
	static const char head[] = "{\"v\":1,\"op\":\"status\"";
	struct bytes b = {packet, CONTROL_PACKET_MAX};
	struct fixture f;

	(void)state;
	memset(packet, ' ', sizeof(packet));
	memcpy(packet, head, sizeof(head) - 1);
	packet[CONTROL_PACKET_MAX - 1] = '}';
	setup(&f, false);
	assert_int_equal(client(&f, send_twice, &b), 0);
	packet[CONTROL_PACKET_MAX - 1] = ' ';
	packet[CONTROL_PACKET_MAX] = '}';
	b.len++;
	assert_int_equal(client(&f, send_twice, &b), 100 + CONTROL_E_MALFORMED);
	teardown(&f);
}

static void test_reason_limit(void **state)
{
	static char request[CONTROL_REASON_MAX + 128];
	struct control_request q;

	(void)state;
	for (int over = 0; over < 2; over++) {
		int n = snprintf(
			request, sizeof(request),
			"{\"v\":1,\"op\":\"deny\",\"id\":\"abcd2345\",\"reason\":\"%0*d\"}",
			CONTROL_REASON_MAX + over, 0);

		assert_int_equal(control_request_parse(request, (size_t)n, &q),
				 over ? CONTROL_E_MALFORMED : 0);
	}
	assert_int_equal(q.reason_len, CONTROL_REASON_MAX);
}

static int fill(const struct fixture *f, const void *arg)
{
	(void)arg;
	for (int i = 0; i < CONTROL_MAX_CLIENTS; i++) {
		if (raw_reply(raw_connect(f)) != 0)
			return 3;
	}
	return raw_reply(raw_connect(f));
}

static void test_one_client_too_many_is_told_so(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, false);
	assert_int_equal(client(&f, fill, NULL), 100 + CONTROL_E_BUSY);
	/* Their ends make room again. */
	assert_int_equal(client(&f, greet, NULL), 0);
	teardown(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_outsider_of_the_same_user_may),
		cmocka_unit_test(test_agent_may_not_and_it_is_noted),
		cmocka_unit_test(test_connection_that_was_handed_over_is_refused),
		cmocka_unit_test(test_connection_of_the_dead_is_refused),
		cmocka_unit_test(test_agent_of_another_session_may_not),
		cmocka_unit_test(test_another_user_may_not),
		cmocka_unit_test(test_answers_reach_the_operation),
		cmocka_unit_test(test_the_way_of_an_answer_is_recorded),
		cmocka_unit_test(test_an_attempt_elsewhere_is_noted),
		cmocka_unit_test(test_bad_requests_end_the_connection),
		cmocka_unit_test(test_size_limits),
		cmocka_unit_test(test_reason_limit),
		cmocka_unit_test(test_one_client_too_many_is_told_so),
	};

	return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
