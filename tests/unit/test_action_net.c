/* SPDX-License-Identifier: Apache-2.0 */
/* Which destination a network call means. */
#include "action_harness.h"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/un.h>

static long do_socket(const void *arg)
{
	const int *v = arg;

	return socket(v[0], v[1] | SOCK_CLOEXEC, v[2]);
}

static uint64_t tcp(struct harness *h)
{
	static const int v[] = {AF_INET, SOCK_STREAM, 0};

	return (uint64_t)harness_run(h, do_socket, v);
}

static uint64_t udp(struct harness *h)
{
	static const int v[] = {AF_INET, SOCK_DGRAM, 0};

	return (uint64_t)harness_run(h, do_socket, v);
}

static uint64_t unix_stream(struct harness *h)
{
	static const int v[] = {AF_UNIX, SOCK_STREAM, 0};

	return (uint64_t)harness_run(h, do_socket, v);
}

static struct sockaddr_in v4(const char *ip, uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};

	assert_int_equal(inet_pton(AF_INET, ip, &a.sin_addr), 1);
	return a;
}

static struct sockaddr_in6 v6(const char *ip, uint16_t port)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

	assert_int_equal(inet_pton(AF_INET6, ip, &a.sin6_addr), 1);
	return a;
}

static void decode_connect(struct harness *h, uint64_t fd, const void *address, size_t len)
{
	(void)decode_call(h, __NR_connect, fd, put(h, address, len), len);
}

static void test_connect_v4(void **state)
{
	struct harness *h = *state;
	struct sockaddr_in a = v4("192.0.2.7", 443);

	decode_connect(h, tcp(h), &a, sizeof(a));
	assert_bytes(h->a.object, "192.0.2.7:443");
	assert_bytes(h->a.asked, "192.0.2.7:443");
	assert_int_equal(h->a.kind, KIND_NETWORK);
	assert_ops(h, OP_CONNECT);
	assert_bytes(h->a.steps[0].args, "192.0.2.7:443");
	assert_true(has_name(&h->a.steps[0], "http_request", false));
	assert_non_null(h->a.steps[0].address);
	assert_true(h->a.steps[0].address->has_ip);
	assert_true(h->a.steps[0].address->is_v4);
	assert_int_equal(h->a.steps[0].address->port, 443);
	assert_int_equal(h->a.steps[0].address->protocol, POLICY_PROTO_TCP);
	assert_memory_equal(h->a.steps[0].address->ip, "\xc0\x00\x02\x07", 4);
}

static void test_protocol_is_that_of_the_socket(void **state)
{
	static const struct {
		int v[3];
		enum policy_protocol protocol;
	} cases[] = {
		{{AF_INET, SOCK_STREAM, 0}, POLICY_PROTO_TCP},
		{{AF_INET6, SOCK_STREAM, 0}, POLICY_PROTO_TCP},
		{{AF_INET, SOCK_STREAM, 262}, POLICY_PROTO_TCP}, /* MPTCP */
		{{AF_INET, SOCK_DGRAM, 0}, POLICY_PROTO_UDP},
		{{AF_INET6, SOCK_DGRAM, 0}, POLICY_PROTO_UDP},
	};
	struct harness *h = *state;
	struct sockaddr_in a = v4("192.0.2.7", 1);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		long fd = harness_run(h, do_socket, cases[i].v);

		if (fd < 0) {
			print_message("case %zu left out: this kernel has no such socket\n", i);
			continue;
		}
		decode_connect(h, (uint64_t)fd, &a, sizeof(a));
		assert_ops(h, OP_CONNECT);
		assert_int_equal(h->a.steps[0].address->protocol, cases[i].protocol);
	}
}

static void test_forms_of_one_address(void **state)
{
	static const struct {
		const char *ip, *object;
		bool is_v4;
	} cases[] = {
		{"2001:db8::1", "[2001:db8::1]:80", false},
		{"::ffff:10.1.2.3", "10.1.2.3:80", true},
		{"::ffff:0.0.0.0", "127.0.0.1:80", true},
		{"::", "[::1]:80", false},
		{"::1", "[::1]:80", false},
	};
	struct harness *h = *state;
	uint64_t fd = tcp(h);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sockaddr_in6 a = v6(cases[i].ip, 80);

		decode_connect(h, fd, &a, sizeof(a));
		assert_ops(h, OP_CONNECT);
		assert_bytes(h->a.object, cases[i].object);
		assert_int_equal(h->a.steps[0].address->is_v4, cases[i].is_v4);
	}
	assert_bytes(h->a.asked, "[::1]:80");
}

static void test_any_as_destination_is_loopback(void **state)
{
	struct harness *h = *state;
	struct sockaddr_in a = v4("0.0.0.0", 8080);

	decode_connect(h, tcp(h), &a, sizeof(a));
	assert_bytes(h->a.object, "127.0.0.1:8080");
	assert_bytes(h->a.asked, "0.0.0.0:8080");
	assert_memory_equal(h->a.steps[0].address->ip, "\x7f\x00\x00\x01", 4);
}

static void test_bind_to_any_stays_any(void **state)
{
	struct harness *h = *state;
	struct sockaddr_in a = v4("0.0.0.0", 8080);

	(void)decode_call(h, __NR_bind, tcp(h), put(h, &a, sizeof(a)), sizeof(a));
	assert_bytes(h->a.object, "0.0.0.0:8080");
	assert_ops(h, OP_BIND);
}

/* What a translator or a tunnel would make of it is judged as well, by the strictest verdict. */
static void test_embedded_addresses_are_steps(void **state)
{
	static const struct {
		const char *ip, *embedded[2];
	} cases[] = {
		{"64:ff9b::169.254.169.254", {"169.254.169.254:80"}},
		{"64:ff9b:1::10.0.0.1", {"10.0.0.1:80"}},
		{"64:ff9b:1::10.0.0.0", {"10.0.0.0:80"}},
		{"64:ff9b:1:a00:0:200::", {"127.0.0.1:80", "10.0.0.2:80"}},
		{"64:ff9b:1:fffe::10.0.0.2", {"10.0.0.2:80"}},
		{"::ffff:0:10.1.2.3", {"10.1.2.3:80"}},
		{"2002:a9fe:a9fe::1", {"169.254.169.254:80"}},
		{"2001:0:c000:201:0:ffff:5601:5601", {"192.0.2.1:80", "169.254.169.254:80"}},
		{"2001:db8::5efe:10.1.2.3", {"10.1.2.3:80"}},
		{"fe80::200:5efe:10.1.2.3", {"10.1.2.3:80"}},
		{"::127.0.0.1", {"127.0.0.1:80"}},
		{"::2", {"0.0.0.2:80"}},
		{"::1", {NULL}},
		{"::", {NULL}},
		{"2001:db8::1", {NULL}},
		{"2001:1::1", {NULL}},
		{"64:ff9b:2::1", {NULL}},
	};
	struct harness *h = *state;
	uint64_t fd = tcp(h);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sockaddr_in6 a = v6(cases[i].ip, 80);
		size_t n = 1;

		decode_connect(h, fd, &a, sizeof(a));
		for (; n <= 2 && cases[i].embedded[n - 1]; n++) {
			assert_true(h->a.n_steps > n);
			assert_bytes(h->a.steps[n].object, cases[i].embedded[n - 1]);
			assert_true(h->a.steps[n].address->is_v4);
			assert_int_equal(h->a.steps[n].op, OP_CONNECT);
		}
		assert_int_equal(h->a.n_steps, n);
	}
}

static void test_a_bind_has_no_embedded_address(void **state)
{
	struct harness *h = *state;
	struct sockaddr_in6 a = v6("2002:a9fe:a9fe::1", 80);

	(void)decode_call(h, __NR_bind, tcp(h), put(h, &a, sizeof(a)), sizeof(a));
	assert_ops(h, OP_BIND);
}

static void test_scope_is_shown(void **state)
{
	struct harness *h = *state;
	struct sockaddr_in6 a = v6("fe80::1", 80);

	a.sin6_scope_id = 3;
	decode_connect(h, tcp(h), &a, sizeof(a));
	assert_bytes(h->a.object, "[fe80::1]:80");
	assert_bytes(h->a.asked, "[fe80::1%3]:80");
}

static void test_lengths(void **state)
{
	struct harness *h = *state;
	struct sockaddr_in6 a6 = v6("2001:db8::1", 80);
	struct sockaddr_in a = v4("192.0.2.7", 80);
	char big[200] = {AF_INET};
	uint64_t fd = tcp(h);

	decode_connect(h, fd, &a, sizeof(a) - 1);
	assert_kernel_errno(h, EINVAL);
	decode_connect(h, fd, &a, 1);
	assert_kernel_errno(h, EINVAL);
	(void)decode_call(h, __NR_connect, fd, put(h, &a, sizeof(a)), 0);
	assert_kernel_errno(h, EINVAL);
	decode_connect(h, fd, &a6, 23);
	assert_kernel_errno(h, EINVAL);
	decode_connect(h, fd, &a6, 24);
	assert_ops(h, OP_CONNECT);
	decode_connect(h, fd, big, 129);
	assert_kernel_errno(h, EINVAL);
	(void)decode_call(h, __NR_connect, fd, put(h, &a, sizeof(a)), (uint64_t)-1);
	assert_kernel_errno(h, EINVAL);
	(void)decode_call(h, __NR_connect, fd, 8, sizeof(a));
	assert_kernel_errno(h, EFAULT);
	/* The kernel takes 32 bits of the length. */
	(void)decode_call(h, __NR_connect, fd, put(h, &a, sizeof(a)),
			  UINT64_C(0x700000000) | sizeof(a));
	assert_ops(h, OP_CONNECT);
}

static void test_bad_descriptors(void **state)
{
	struct harness *h = *state;
	struct sockaddr_in a = v4("192.0.2.7", 80);

	decode_connect(h, 999, &a, sizeof(a));
	assert_kernel_errno(h, EBADF);
	decode_connect(h, 2, &a, sizeof(a));
	assert_kernel_errno(h, ENOTSOCK);
	(void)decode_call(h, __NR_listen, 999, 1);
	assert_kernel_errno(h, EBADF);
	(void)decode_call(h, __NR_listen, 2, 1);
	assert_kernel_errno(h, ENOTSOCK);
}

static size_t unix_address(struct sockaddr_un *a, const char *path, size_t len)
{
	*a = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(a->sun_path, path, len);
	return offsetof(struct sockaddr_un, sun_path) + len;
}

static void test_unix_path(void **state)
{
	struct harness *h = *state;
	struct sockaddr_un a;
	char want[128];
	size_t len;

	make_file(h, "", "/sock");
	make_link(h, "sock", "/link");
	(void)snprintf(want, sizeof(want), "unix:%s/sock", h->dir);
	len = unix_address(&a, "link", 4); /* without a NUL */
	decode_connect(h, unix_stream(h), &a, len);
	assert_bytes(h->a.object, want);
	assert_bytes(h->a.asked, "link");
	assert_ops(h, OP_CONNECT);
	assert_bytes(h->a.steps[0].args, want + 5);
	assert_int_equal(h->a.steps[0].address->protocol, POLICY_PROTO_UNIX);
	assert_false(h->a.steps[0].address->has_ip);
	len = unix_address(&a, "sock\0rubbish", 12);
	decode_connect(h, unix_stream(h), &a, len);
	assert_bytes(h->a.object, want);
}

static void test_unix_bind_makes_a_file(void **state)
{
	struct harness *h = *state;
	struct sockaddr_un a;
	char want[128];
	size_t len;

	(void)snprintf(want, sizeof(want), "%s/new", h->dir);
	len = unix_address(&a, "new", 4);
	(void)decode_call(h, __NR_bind, unix_stream(h), put(h, &a, len), len);
	assert_ops(h, OP_BIND, OP_CREATE);
	assert_int_equal(h->a.steps[1].kind, KIND_PATH);
	assert_bytes(h->a.steps[1].object, want);
}

static void test_unix_abstract_keeps_its_nuls(void **state)
{
	struct harness *h = *state;
	struct sockaddr_un a;
	size_t len = unix_address(&a, "\0na\0me", 6);

	decode_connect(h, unix_stream(h), &a, len);
	assert_ops(h, OP_CONNECT);
	assert_int_equal(h->a.object.len, 11);
	assert_memory_equal(h->a.object.p, "unix:@na\0me", 11);
	assert_memory_equal(h->a.steps[0].args.p, "@na\0me", 6);
}

static void test_unix_lengths(void **state)
{
	struct harness *h = *state;
	char buf[128] = {0};
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	uint64_t fd = unix_stream(h);

	memcpy(buf, &a, sizeof(a.sun_family));
	decode_connect(h, fd, buf, 2);
	assert_kernel_errno(h, EINVAL);
	(void)decode_call(h, __NR_bind, fd, put(h, buf, 2), 2);
	assert_int_equal(h->a.error, ACTION_OK);
	assert_int_equal(h->a.n_steps, 0);
	decode_connect(h, fd, buf, sizeof(struct sockaddr_un) + 1);
	assert_kernel_errno(h, EINVAL);
}

static void test_unspec(void **state)
{
	struct harness *h = *state;
	struct sockaddr_in a = v4("192.0.2.7", 53);
	uint64_t fd = udp(h);

	a.sin_family = AF_UNSPEC;
	decode_connect(h, fd, &a, sizeof(a));
	assert_int_equal(h->a.error, ACTION_OK);
	assert_int_equal(h->a.n_steps, 0);
	assert_int_equal(h->a.act.kind, ACT_NETWORK); /* performed: it could become an address */
	/* A send reads it as AF_INET: it names a destination. */
	(void)decode_call(h, __NR_sendto, fd, 0, 0, 0, put(h, &a, sizeof(a)), sizeof(a));
	assert_ops(h, OP_SEND);
	assert_bytes(h->a.object, "192.0.2.7:53");
}

static void test_other_families(void **state)
{
	struct harness *h = *state;
	struct sockaddr_nl nl = {.nl_family = AF_NETLINK};
	char vsock[16] = {40};

	static const int route[] = {AF_NETLINK, SOCK_RAW, NETLINK_ROUTE};

	decode_connect(h, (uint64_t)harness_run(h, do_socket, route), &nl, sizeof(nl));
	assert_int_equal(h->a.error, ACTION_OK);
	assert_int_equal(h->a.n_steps, 0);
	assert_int_equal(h->a.act.kind, ACT_NETWORK);
	decode_connect(h, tcp(h), &nl, sizeof(nl));
	assert_bytes(h->a.object, "family:16");
	decode_connect(h, tcp(h), vsock, sizeof(vsock));
	assert_bytes(h->a.object, "family:40");
	assert_ops(h, OP_CONNECT);
	assert_int_equal(h->a.steps[0].address->protocol, POLICY_PROTO_OTHER);
}

static void test_sendto(void **state)
{
	struct harness *h = *state;
	struct sockaddr_in a = v4("192.0.2.7", 53);

	(void)decode_call(h, __NR_sendto, udp(h), 0, 0, 0, put(h, &a, sizeof(a)), sizeof(a));
	assert_ops(h, OP_SEND);
	assert_int_equal(h->a.steps[0].address->protocol, POLICY_PROTO_UDP);
	(void)decode_call(h, __NR_sendto, tcp(h), 0, 0, MSG_FASTOPEN, put(h, &a, sizeof(a)),
			  sizeof(a));
	assert_ops(h, OP_CONNECT, OP_SEND);
	assert_int_equal(h->a.op, OP_CONNECT);
	(void)decode_call(h, __NR_sendto, udp(h), 0, 0, 0, put(h, &a, sizeof(a)), 0);
	assert_int_equal(h->a.n_steps, 0);
}

static void test_sendmsg(void **state)
{
	struct harness *h = *state;
	struct sockaddr_in a = v4("192.0.2.7", 53);
	struct msghdr m = {.msg_namelen = sizeof(a)};
	uint64_t fd = udp(h);

	(void)decode_call(h, __NR_sendmsg, fd, put(h, &m, sizeof(m)), 0);
	assert_int_equal(h->a.error, ACTION_OK);
	assert_int_equal(h->a.n_steps, 0);
	m.msg_name = (void *)(uintptr_t)put(h, &a, sizeof(a));
	(void)decode_call(h, __NR_sendmsg, fd, put(h, &m, sizeof(m)), 0);
	assert_ops(h, OP_SEND);
	assert_bytes(h->a.object, "192.0.2.7:53");
	m.msg_name = (void *)(uintptr_t)put(h, &a, sizeof(a));
	m.msg_namelen = 5000; /* cut to 128, as the kernel does */
	(void)decode_call(h, __NR_sendmsg, fd, put(h, &m, sizeof(m)), 0);
	assert_ops(h, OP_SEND);
	m.msg_name = (void *)8;
	(void)decode_call(h, __NR_sendmsg, fd, put(h, &m, sizeof(m)), 0);
	assert_kernel_errno(h, EFAULT);
	(void)decode_call(h, __NR_sendmsg, fd, 8, 0);
	assert_kernel_errno(h, EFAULT);
	(void)decode_call(h, __NR_sendmsg, tcp(h), put(h, &m, sizeof(m)), MSG_FASTOPEN);
	assert_kernel_errno(h, EFAULT);
}

static void put_messages(struct harness *h, struct mmsghdr *m, size_t n, bool is_same)
{
	for (size_t i = 0; i < n; i++) {
		struct sockaddr_in a = v4("192.0.2.7", is_same ? 53 : (uint16_t)(53 + i));

		m[i] = (struct mmsghdr){
			.msg_hdr = {
				.msg_name = (void *)(uintptr_t)put(h, &a, sizeof(a)),
				.msg_namelen = sizeof(a),
			}};
	}
}

static void test_sendmmsg_has_a_step_for_each_destination(void **state)
{
	struct harness *h = *state;
	struct mmsghdr m[16];
	uint64_t fd = udp(h);

	put_messages(h, m, 3, false);
	(void)decode_call(h, __NR_sendmmsg, fd, put(h, m, sizeof(m)), 3, 0);
	assert_ops(h, OP_SEND, OP_SEND, OP_SEND);
	assert_bytes(h->a.steps[2].object, "192.0.2.7:55");
	put_messages(h, m, 16, true);
	(void)decode_call(h, __NR_sendmmsg, fd, put(h, m, sizeof(m)), 16, 0);
	assert_ops(h, OP_SEND);
	/* Each message is to be performed, also where it adds no step. */
	assert_int_equal(h->a.act.network.n_messages, 16);
	put_messages(h, m, 16, false);
	(void)decode_call(h, __NR_sendmmsg, fd, put(h, m, sizeof(m)), 16, 0);
	assert_int_equal(h->a.error, ACTION_OK);
	assert_int_equal(h->a.n_steps, ACTION_MAX_STEPS);
	assert_int_equal(h->a.act.network.n_messages, ACTION_MAX_STEPS);
	(void)decode_call(h, __NR_sendmmsg, fd, 8, 1, 0);
	assert_kernel_errno(h, EFAULT);
	(void)decode_call(h, __NR_sendmmsg, fd, 8, 0, 0);
	assert_int_equal(h->a.n_steps, 0);
}

static long do_bound(const void *arg)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)arg;
	return fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 ? fd : -1;
}

static void test_listen_names_the_sockets_address(void **state)
{
	struct harness *h = *state;
	long fd = harness_run(h, do_bound, NULL);

	assert_true(fd >= 0);
	(void)decode_call(h, __NR_listen, (uint64_t)fd, 5);
	assert_ops(h, OP_LISTEN);
	assert_true(bytes_has_prefix(h->a.object, BYTES_LIT("127.0.0.1:")));
	assert_int_not_equal(h->a.steps[0].address->port, 0);
	(void)decode_call(h, __NR_listen, tcp(h), 5);
	assert_ops(h, OP_LISTEN);
	assert_bytes(h->a.object, "0.0.0.0:0");
}

static void test_socket(void **state)
{
	static const struct {
		uint64_t family, type, protocol;
		const char *object; /* NULL: nothing to decide */
	} cases[] = {
		{AF_UNIX, SOCK_STREAM, 0, NULL},
		{AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, NULL},
		{AF_INET6, SOCK_DGRAM, 17, NULL},
		{AF_INET, SOCK_STREAM, 262, NULL},
		{AF_NETLINK, SOCK_RAW, 0, NULL},
		{AF_NETLINK, SOCK_DGRAM, 16, NULL},
		{AF_NETLINK, SOCK_RAW, 6, "socket(netlink,raw,6)"},
		{AF_NETLINK, SOCK_RAW, 12, "socket(netlink,raw,12)"},
		{AF_INET, SOCK_SEQPACKET, 0, "socket(inet,seqpacket)"},
		{AF_INET, SOCK_STREAM, 256, "socket(inet,stream,256)"},
		{AF_INET6, SOCK_STREAM, 256, "socket(inet6,stream,256)"},
		{AF_INET, SOCK_STREAM, UINT64_C(0x500000006), NULL},
		{AF_INET, SOCK_DGRAM, 115, "socket(inet,dgram,115)"},
		{AF_INET, 6, 33, "socket(inet,6,33)"},
		{43, SOCK_STREAM, 0, "socket(43,stream)"},
		{AF_ALG, SOCK_SEQPACKET, 0, "socket(alg,seqpacket)"},
		{AF_KEY, SOCK_RAW, 2, "socket(key,raw,2)"},
		{AF_XDP, SOCK_RAW, 0, "socket(xdp,raw)"},
		{AF_RDS, SOCK_SEQPACKET, 0, "socket(21,seqpacket)"},
		{AF_TIPC, SOCK_RDM, 0, "socket(30,rdm)"},
		{AF_CAN, SOCK_RAW, 1, "socket(can,raw,1)"},
		{AF_PACKET, SOCK_RAW, 3, "socket(packet,raw,3)"},
		{UINT64_C(0x100000000) | AF_PACKET, SOCK_RAW, 0, "socket(packet,raw)"},
		{AF_INET, SOCK_RAW, 1, "socket(inet,raw,1)"},
		{AF_INET, SOCK_DGRAM, 1, "socket(inet,dgram,1)"},
		{AF_INET, SOCK_STREAM, 132, "socket(inet,stream,132)"},
		{AF_VSOCK, SOCK_STREAM, 0, "socket(vsock,stream)"},
		{99, 12, 0, "socket(99,12)"},
	};
	struct harness *h = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		(void)decode_call(h, __NR_socket, cases[i].family, cases[i].type,
				  cases[i].protocol);
		assert_int_equal(h->a.error, ACTION_OK);
		assert_int_equal(h->a.kind, KIND_SYSTEM);
		assert_int_equal(h->a.grant, GRANT_RAW_SOCKET);
		assert_int_equal(h->a.n_steps, cases[i].object ? 1 : 0);
		if (cases[i].object)
			assert_bytes(h->a.object, cases[i].object);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, harness_setup, harness_teardown)
	const struct CMUnitTest tests[] = {
		T(test_connect_v4),
		T(test_protocol_is_that_of_the_socket),
		T(test_forms_of_one_address),
		T(test_any_as_destination_is_loopback),
		T(test_bind_to_any_stays_any),
		T(test_embedded_addresses_are_steps),
		T(test_a_bind_has_no_embedded_address),
		T(test_scope_is_shown),
		T(test_lengths),
		T(test_bad_descriptors),
		T(test_unix_path),
		T(test_unix_bind_makes_a_file),
		T(test_unix_abstract_keeps_its_nuls),
		T(test_unix_lengths),
		T(test_unspec),
		T(test_other_families),
		T(test_sendto),
		T(test_sendmsg),
		T(test_sendmmsg_has_a_step_for_each_destination),
		T(test_listen_names_the_sockets_address),
		T(test_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
