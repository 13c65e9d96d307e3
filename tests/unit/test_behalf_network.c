/* SPDX-License-Identifier: Apache-2.0 */
/* Network calls go where they were judged to go, on the socket that was judged. */
#include "behalf_harness.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <sys/un.h>

struct listener {
	int fd;
	struct sockaddr_in address;
};

static struct listener listener_new(int type)
{
	struct listener l = {
		.address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(l.address);

	l.fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(l.fd, (struct sockaddr *)&l.address, len), 0);
	assert_int_equal(getsockname(l.fd, (struct sockaddr *)&l.address, &len), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(l.fd, 4), 0);
	return l;
}

static bool is_reached(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

static long child_socket(const void *arg)
{
	const int *v = arg;

	return socket(v[0], v[1] | SOCK_CLOEXEC, 0);
}

static uint64_t socket_of_child(struct harness *h, int family, int type)
{
	static int v[2];

	v[0] = family;
	v[1] = type;
	/* It was forked with another copy of v: through memory that both have. */
	return (uint64_t)harness_run(h, child_socket,
				     (const void *)(uintptr_t)put(h, v, sizeof(v)));
}

/* What was decoded from is overwritten, as an agent's thread would. */
static void overwrite(uint64_t at, const void *p, size_t len)
{
	memcpy((void *)(uintptr_t)at, p, len);
}

static long child_replace(const void *arg)
{
	const int *v = arg;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return dup2(fd, v[0]);
}

static void test_connect_goes_to_the_address_that_was_judged(void **state)
{
	struct listener good = listener_new(SOCK_STREAM), evil = listener_new(SOCK_STREAM);
	struct harness *h = *state;
	uint64_t fd = socket_of_child(h, AF_INET, SOCK_STREAM);
	uint64_t at = put(h, &good.address, sizeof(good.address));

	(void)decode_call(h, __NR_connect, fd, at, sizeof(good.address));
	overwrite(at, &evil.address, sizeof(evil.address));
	assert_int_equal(performed(h), 0);
	assert_true(is_reached(good.fd));
	assert_false(is_reached(evil.fd));
	(void)close(good.fd);
	(void)close(evil.fd);
}

static void test_connect_is_of_the_socket_that_was_judged(void **state)
{
	struct listener good = listener_new(SOCK_STREAM);
	struct harness *h = *state;
	int number = (int)socket_of_child(h, AF_INET, SOCK_STREAM);

	(void)decode_call(h, __NR_connect, (uint64_t)number,
			  put(h, &good.address, sizeof(good.address)), sizeof(good.address));
	assert_int_equal(harness_run(h, child_replace,
				     (const void *)(uintptr_t)put(h, &number, sizeof(number))),
			 number);
	assert_int_equal(performed(h), 0);
	assert_true(is_reached(good.fd)); /* a socket of datagrams would not be heard */
	(void)close(good.fd);
}

static void test_datagrams_go_to_the_address_that_was_judged(void **state)
{
	struct listener good = listener_new(SOCK_DGRAM), evil = listener_new(SOCK_DGRAM);
	struct harness *h = *state;
	uint64_t fd = socket_of_child(h, AF_INET, SOCK_DGRAM);
	uint64_t at = put(h, &good.address, sizeof(good.address));
	const struct iovec io = {.iov_base = (void *)(uintptr_t)put_str(h, "text"), .iov_len = 4};
	struct msghdr m = {.msg_name = (void *)(uintptr_t)at,
			   .msg_namelen = sizeof(good.address),
			   .msg_iov = (struct iovec *)(uintptr_t)put(h, &io, sizeof(io)),
			   .msg_iovlen = 1};
	struct behalf_result result;
	char text[8];

	(void)decode_call(h, __NR_sendmsg, fd, put(h, &m, sizeof(m)), 0);
	overwrite(at, &evil.address, sizeof(evil.address));
	assert_int_equal(perform(h, &result), 0);
	assert_int_equal(result.value, 4);
	assert_int_equal(recv(good.fd, text, sizeof(text), MSG_DONTWAIT), 4);
	assert_memory_equal(text, "text", 4);
	assert_false(is_reached(evil.fd));
	(void)close(good.fd);
	(void)close(evil.fd);
}

static int unix_listener(const struct harness *h, const char *name)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%.60s%.30s", h->dir, name);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

static const char *at_name(const struct harness *h, const char *name)
{
	static char path[2][128];
	static unsigned next;
	char *out = path[next++ % 2];

	(void)snprintf(out, sizeof(path[0]), "%s%s", h->dir, name);
	return out;
}

static void test_connect_by_path_goes_to_the_socket_that_was_judged(void **state)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct harness *h = *state;
	int good = unix_listener(h, "/good"), evil = unix_listener(h, "/evil");
	uint64_t fd = socket_of_child(h, AF_UNIX, SOCK_STREAM);

	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%.60s/good", h->dir);
	(void)decode_call(h, __NR_connect, fd, put(h, &a, sizeof(a)), sizeof(a));
	assert_int_equal(rename(at_name(h, "/evil"), at_name(h, "/good")), 0);
	assert_int_equal(performed(h), 0);
	assert_true(is_reached(good));
	assert_false(is_reached(evil));
	(void)close(good);
	(void)close(evil);
}

static long child_port(const void *arg)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);

	if (getsockname(*(const int *)arg, (struct sockaddr *)&a, &len) < 0)
		return -errno;
	return ntohs(a.sin_port);
}

static long child_bind(const void *arg)
{
	const struct sockaddr_in any = {.sin_family = AF_INET,
					.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	return bind(*(const int *)arg, (const struct sockaddr *)&any, sizeof(any));
}

/* A listen was judged for all addresses; a bind of the agent's in between would make it another. */
static void test_listen_without_a_bind_is_judged_anew_after_one(void **state)
{
	struct harness *h = *state;
	int fd = (int)socket_of_child(h, AF_INET, SOCK_STREAM);
	const void *at = (const void *)(uintptr_t)put(h, &fd, sizeof(fd));

	(void)decode_call(h, __NR_listen, (uint64_t)fd, 1);
	/* decode_call() gives the shared memory back, but writes nothing there. */
	assert_int_equal(harness_run(h, child_bind, at), 0);
	assert_int_equal(performed(h), -ESTALE);
	(void)decode_call(h, __NR_listen, (uint64_t)fd, 1);
	assert_int_equal(performed(h), 0);
	assert_true(harness_run(h, child_port, at) > 0);
}

static void test_errors_are_the_kernels(void **state)
{
	struct listener taken = listener_new(SOCK_STREAM);
	struct sockaddr_in a = taken.address;
	struct harness *h = *state;
	uint64_t fd = socket_of_child(h, AF_INET, SOCK_STREAM);

	(void)decode_call(h, __NR_bind, fd, put(h, &a, sizeof(a)), sizeof(a));
	assert_int_equal(performed(h), EADDRINUSE);
	(void)close(taken.fd);
	(void)decode_call(h, __NR_connect, fd, put(h, &a, sizeof(a)), sizeof(a));
	assert_int_equal(performed(h), ECONNREFUSED);
}

static void test_nothing_is_done_for_who_has_gone(void **state)
{
	struct listener good = listener_new(SOCK_STREAM);
	struct harness *h = *state;
	uint64_t fd = socket_of_child(h, AF_INET, SOCK_STREAM);

	(void)decode_call(h, __NR_connect, fd, put(h, &good.address, sizeof(good.address)),
			  sizeof(good.address));
	has_gone = true;
	assert_int_equal(performed(h), -ENOENT);
	assert_false(is_reached(good.fd));
	(void)close(good.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BEHALF_TEST(test_connect_goes_to_the_address_that_was_judged),
		BEHALF_TEST(test_connect_is_of_the_socket_that_was_judged),
		BEHALF_TEST(test_datagrams_go_to_the_address_that_was_judged),
		BEHALF_TEST(test_connect_by_path_goes_to_the_socket_that_was_judged),
		BEHALF_TEST(test_listen_without_a_bind_is_judged_anew_after_one),
		BEHALF_TEST(test_errors_are_the_kernels),
		BEHALF_TEST(test_nothing_is_done_for_who_has_gone),
	};

	return cmocka_run_group_tests_name("behalf/network", tests, NULL, NULL);
}
