/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decoder of socket addresses, for each call that has one and each kind of socket. An input is
 * one byte for the call and the socket, and the address.
 *
 * What must hold: an address that a send or a connect takes to the network is judged, with the port
 * that stands in it; a call is judged by its copy, which is the address byte for byte.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "tests/fuzz/target_harness.h"

#define SOCKETS 6

static struct bytes memory;

static ssize_t read_memory(void *ctx, pid_t tid, uint64_t address, void *buf, size_t len)
{
	(void)ctx;
	(void)tid;
	return read_bytes(memory, address - MEMORY_BASE, buf,
			  len); /* below: it wraps, and is too much */
}

static struct action_decoder *decoder;
static int sockets[SOCKETS];

static void prepare(void)
{
	static const int kinds[SOCKETS][2] = {
		{AF_INET, SOCK_STREAM}, {AF_INET, SOCK_DGRAM},  {AF_INET6, SOCK_STREAM},
		{AF_INET6, SOCK_DGRAM}, {AF_UNIX, SOCK_STREAM}, {AF_UNIX, SOCK_DGRAM},
	};
	const struct action_source source = {
		.read_memory = read_memory,
		.open_proc = open_proc,
		.read_identity = read_identity,
	};
	const struct action_decoder_config config = {.supervisor = getpid(), .listener = -1};

	for (size_t i = 0; i < SOCKETS; i++) {
		sockets[i] = socket(kinds[i][0], kinds[i][1] | SOCK_CLOEXEC, 0);
		if (sockets[i] < 0)
			abort();
	}
	if (action_decoder_new_source(&config, &source, &decoder) < 0)
		abort();
}

static struct seccomp_notif call(unsigned which, unsigned socket, size_t len)
{
	static const int calls[] = {SYS_connect, SYS_bind, SYS_sendto};
	struct seccomp_notif n = {.id = 1, .pid = (uint32_t)getpid()};
	const int nr = calls[which % ARRAY_SIZE(calls)];
	const unsigned at = nr == SYS_sendto ? 4 : 1;

	n.data.nr = nr;
	n.data.arch = ARCH;
	n.data.args[0] = (uint64_t)sockets[socket % SOCKETS];
	n.data.args[at] = MEMORY_BASE;
	n.data.args[at + 1] = len;
	return n;
}

static bool has_port(const struct action *a, in_port_t port)
{
	for (size_t i = 0; i < a->n_steps; i++)
		if (a->steps[i].address && a->steps[i].address->has_ip &&
		    a->steps[i].address->port == ntohs(port))
			return true;
	return false;
}

static void check(const struct action *a, struct bytes address)
{
	const struct act_network *net = &a->act.network;
	struct sockaddr_in sin; /* the port is at the same place in sockaddr_in6 */
	struct bytes copy;

	assert(a->error != ACTION_OK || a->kernel_errno || a->act.kind == ACT_NETWORK);
	if (a->act.kind != ACT_NETWORK)
		return;
	copy = a->act.row->op == OP_SEND ? net->messages[0].name : net->address;
	assert(bytes_eq(copy, address));
	if (address.len < sizeof(sin))
		return;
	memcpy(&sin, address.p, sizeof(sin));
	if (sin.sin_family == AF_INET || sin.sin_family == AF_INET6)
		assert(has_port(a, sin.sin_port));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seccomp_notif n;
	struct action a;

	if (!decoder)
		prepare();
	if (size < 1)
		return -1;
	memory = (struct bytes){.p = (const char *)data + 1, .len = size - 1};
	n = call(data[0] & 3, data[0] >> 2, memory.len);
	memset(&a, 0xa5, sizeof(a));
	action_decode(decoder, &n, &a);
	check(&a, memory);
	return 0;
}
