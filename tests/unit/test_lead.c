/* SPDX-License-Identifier: Apache-2.0 */
/* What was led to the leader, and how bytes go through it. */
#include <fcntl.h>
#include <sys/socket.h>

#include "tests/unit/unit.h"

#include "names/lead.h"
#include "names/splice.h"

static struct lead_end end_of(uint8_t last, uint16_t port)
{
	return (struct lead_end){.is_v4 = true, .ip = {192, 0, 2, last}, .port = port};
}

static void test_tickets(void **state)
{
	const struct lead_end from = end_of(1, 1000), to = end_of(2, 443), other = end_of(3, 443);
	const struct lead_ticket ticket = {.dest = other, .pid = 7};
	struct lead_ticket got = {};
	struct lead_tickets *t;

	(void)state;
	assert_int_equal(lead_tickets_new(&t), 0);
	assert_false(lead_tickets_find(t, &from, &to, &got));
	assert_int_equal(lead_tickets_add(t, &from, &to, &ticket), 0);
	assert_true(lead_tickets_find(t, &from, &to, &got));
	assert_int_equal(got.pid, 7);
	assert_true(lead_end_equal(&got.dest, &other));
	assert_false(lead_end_equal(&got.dest, &to));
	assert_false(lead_tickets_find(t, &from, &other, &got));
	assert_false(lead_tickets_find(t, &to, &from, &got));
	/* The same port again, before the end of the last one was told. */
	assert_int_equal(lead_tickets_add(t, &from, &to, &ticket), 0);
	lead_tickets_drop(t, &from, &to);
	assert_true(lead_tickets_find(t, &from, &to, &got));
	lead_tickets_drop(t, &from, &to);
	assert_false(lead_tickets_find(t, &from, &to, &got));
	lead_tickets_drop(t, &from, &to);
	lead_tickets_free(t);
}

static void test_tickets_have_a_limit(void **state)
{
	const struct lead_ticket ticket = {.pid = 7};
	const struct lead_end to = end_of(2, 443), more = end_of(9, 1);
	struct lead_ticket got;
	struct lead_tickets *t;

	(void)state;
	assert_int_equal(lead_tickets_new(&t), 0);
	for (size_t i = 0; i < LEAD_MAX; i++) {
		const struct lead_end from = end_of(1, (uint16_t)i);

		assert_int_equal(lead_tickets_add(t, &from, &to, &ticket), 0);
	}
	assert_int_equal(lead_tickets_add(t, &more, &to, &ticket), -ENOBUFS);
	/* Those of a process that has gone make room. */
	lead_tickets_age(t);
	assert_int_equal(lead_tickets_add(t, &more, &to, &ticket), 0);
	assert_true(lead_tickets_find(t, &more, &to, &got));
	lead_tickets_free(t);
}

static void pair(int fds[static 2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
			 0);
}

static void test_bytes_go_through(void **state)
{
	struct pipes pipes = {};
	struct flow f = FLOW_INIT;
	int in[2], out[2];
	size_t budget = 1000;
	char data[64];

	(void)state;
	pair(in);
	pair(out);
	assert_int_equal(flow_run(&pipes, &f, in[1], out[0], &budget), FLOW_WAITS);
	/* Who waits holds no pipe. */
	assert_int_equal(f.pipe[0], -1);
	assert_int_equal(pipes.n, 1);
	assert_int_equal(send(in[0], "hello", 5, 0), 5);
	assert_int_equal(flow_run(&pipes, &f, in[1], out[0], &budget), FLOW_WAITS);
	assert_int_equal(budget, 995);
	assert_int_equal(recv(out[1], data, sizeof(data), 0), 5);
	budget = 3;
	assert_int_equal(send(in[0], "hello", 5, 0), 5);
	assert_int_equal(flow_run(&pipes, &f, in[1], out[0], &budget), FLOW_MORE);
	assert_int_equal(recv(out[1], data, sizeof(data), 0), 3);
	budget = 100;
	(void)close(in[0]);
	assert_int_equal(flow_run(&pipes, &f, in[1], out[0], &budget), FLOW_ENDED);
	assert_int_equal(recv(out[1], data, sizeof(data), 0), 2);
	assert_int_equal(recv(out[1], data, sizeof(data), 0), 0);
	/* The other direction is still there. */
	assert_int_equal(send(out[1], "x", 1, 0), 1);
	(void)close(in[1]);
	(void)close(out[0]);
	(void)close(out[1]);
	flow_fini(&pipes, &f);
	pipes_fini(&pipes);
}

static void test_nothing_is_lost_where_there_is_no_room(void **state)
{
	static char block[4096];
	struct pipes pipes = {};
	struct flow f = FLOW_INIT;
	size_t sent = 0, got = 0;
	int in[2], out[2];

	(void)state;
	pair(in);
	pair(out);
	for (size_t i = 0; i < 4000; i++) {
		size_t budget = SPLICE_CHUNK;
		ssize_t n = send(in[0], block, sizeof(block), MSG_DONTWAIT);

		sent += n > 0 ? (size_t)n : 0;
		assert_true(flow_run(&pipes, &f, in[1], out[0], &budget) >= 0);
	}
	/* Held in the pipe while it waits. */
	assert_true(f.in_pipe > 0 && f.pipe[0] >= 0);
	(void)close(in[0]);
	for (;;) {
		size_t budget = SPLICE_CHUNK;
		ssize_t n = recv(out[1], block, sizeof(block), MSG_DONTWAIT);

		if (n == 0)
			break;
		got += n > 0 ? (size_t)n : 0;
		assert_true(flow_run(&pipes, &f, in[1], out[0], &budget) >= 0);
	}
	assert_int_equal(got, sent);
	(void)close(in[1]);
	(void)close(out[0]);
	(void)close(out[1]);
	flow_fini(&pipes, &f);
	pipes_fini(&pipes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tickets),
		cmocka_unit_test(test_tickets_have_a_limit),
		cmocka_unit_test(test_bytes_go_through),
		cmocka_unit_test(test_nothing_is_lost_where_there_is_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
