/* SPDX-License-Identifier: Apache-2.0 */
/* Network calls: where the addresses are. What an address means: sockaddr.c. */
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#include "action/decode.h"

#define MMSG_MAX 1024 /* UIO_MAXIOV: the kernel looks at no more */

/* The length was checked by the caller. */
static int read_endpoint(struct decode *c, uint64_t address, size_t len, struct endpoint *e)
{
	char buf[sizeof(struct sockaddr_storage)];
	int r;

	r = target_read(c, address, buf, len);
	if (r)
		return r;
	return decode_copy(c, buf, len, &e->sockaddr);
}

int decode_sockaddr(struct decode *c)
{
	bool is_send = c->row->op == OP_SEND;
	struct endpoint e = {
		.op = c->row->op,
		.fd = decode_arg_int(c, c->row->dirfd),
		/* sendto(fd, buf, len, flags, address, length) */
		.is_fastopen = is_send && (decode_arg_int(c, 3) & MSG_FASTOPEN),
	};
	int len = decode_arg_int(c, c->row->path + 1);
	int r;

	if (e.fd < 0)
		return EBADF;
	if (len < 0 || (size_t)len > sizeof(struct sockaddr_storage))
		return EINVAL;
	if (len == 0 && is_send)
		return 0; /* as if there were no address */
	r = read_endpoint(c, decode_arg(c, c->row->path), (size_t)len, &e);
	if (r)
		return r;
	if (e.is_fastopen)
		c->a->op = OP_CONNECT;
	return endpoint_add(c, &e);
}

static int add_message(struct decode *c, const struct msghdr *m, int flags)
{
	struct endpoint e = {
		.op = OP_SEND,
		.fd = decode_arg_int(c, c->row->dirfd),
		.is_fastopen = flags & MSG_FASTOPEN,
	};
	size_t len = MIN((size_t)m->msg_namelen, sizeof(struct sockaddr_storage));
	int r;

	if ((int)m->msg_namelen < 0)
		return EINVAL;
	if (!m->msg_name || len == 0)
		return 0;
	r = read_endpoint(c, (uint64_t)(uintptr_t)m->msg_name, len, &e);
	if (r)
		return r;
	if (e.is_fastopen)
		c->a->op = OP_CONNECT;
	return endpoint_add(c, &e);
}

int decode_msghdr(struct decode *c)
{
	struct msghdr m;
	int r;

	if (decode_arg_int(c, c->row->dirfd) < 0)
		return EBADF;
	r = target_read(c, decode_arg(c, c->row->path), &m, sizeof(m));
	if (r)
		return r;
	return add_message(c, &m, decode_arg_int(c, c->row->path + 1));
}

int decode_mmsghdr(struct decode *c)
{
	uint64_t vector = decode_arg(c, c->row->path);
	unsigned count = (unsigned)decode_arg_int(c, c->row->flags);
	int flags = decode_arg_int(c, c->row->flags + 1);

	if (decode_arg_int(c, c->row->dirfd) < 0)
		return EBADF;
	count = MIN(count, (unsigned)MMSG_MAX);
	for (unsigned i = 0; i < count; i++) {
		struct mmsghdr m;
		int r;

		r = target_read(c, vector + i * sizeof(m), &m, sizeof(m));
		if (r == 0)
			r = add_message(c, &m.msg_hdr, flags);
		/* The kernel sends what comes before a bad element, and stops there. */
		if (r > 0 && i > 0)
			return 0;
		if (r)
			return r;
	}
	return 0;
}

/* listen names no address: the socket has one, or the kernel will pick one on every interface. */
int decode_listen(struct decode *c)
{
	_cleanup_(fd_closep) int copy = -1;
	struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
	socklen_t len = sizeof(address);
	struct endpoint e = {.op = OP_LISTEN, .fd = decode_arg_int(c, c->row->dirfd)};
	struct sockaddr_in any = {.sin_family = AF_INET};
	int r;

	if (e.fd < 0)
		return EBADF;
	copy = endpoint_duplicate(c, e.fd);
	if (copy == -EBADF)
		return EBADF;
	if (copy < 0) {
		/* Not ours to look at: judged as open to everybody. */
		e.sockaddr = (struct bytes){.p = (const char *)&any, .len = sizeof(any)};
		return endpoint_add(c, &e);
	}
	if (getsockname(copy, (struct sockaddr *)&address, &len) < 0)
		return errno == ENOTSOCK ? ENOTSOCK : decode_fail(ACTION_UNREADABLE);
	r = decode_copy(c, &address, MIN((size_t)len, sizeof(address)), &e.sockaddr);
	if (r)
		return r;
	if (address.ss_family == AF_UNIX && len <= sizeof(sa_family_t))
		return EINVAL; /* unbound: the kernel says so, too */
	return endpoint_add(c, &e);
}

static bool is_plain_socket(unsigned family, unsigned type, unsigned protocol)
{
	switch (family) {
	case AF_UNIX:
		return true; /* every type of it stays on this machine */
	case AF_NETLINK:
		return true;
	case AF_INET:
	case AF_INET6:
		return (type == SOCK_STREAM || type == SOCK_DGRAM) &&
		       (protocol == 0 || protocol == IPPROTO_TCP || protocol == IPPROTO_UDP ||
			protocol == IPPROTO_MPTCP);
	default:
		return false;
	}
}

int decode_socket(struct decode *c)
{
	static const char *const families[] = {
		[AF_UNSPEC] = "unspec", [AF_UNIX] = "unix",       [AF_INET] = "inet",
		[AF_INET6] = "inet6",   [AF_NETLINK] = "netlink", [AF_PACKET] = "packet",
		[AF_ALG] = "alg",       [AF_VSOCK] = "vsock",     [AF_BLUETOOTH] = "bluetooth",
		[AF_CAN] = "can",       [AF_XDP] = "xdp",         [AF_KEY] = "key",
	};
	static const char *const types[] = {
		[SOCK_STREAM] = "stream", [SOCK_DGRAM] = "dgram",         [SOCK_RAW] = "raw",
		[SOCK_RDM] = "rdm",       [SOCK_SEQPACKET] = "seqpacket",
	};
	unsigned family = (unsigned)decode_arg_int(c, 0);
	unsigned type = (unsigned)decode_arg_int(c, 1) & 0xf; /* SOCK_TYPE_MASK */
	unsigned protocol = (unsigned)decode_arg_int(c, 2);
	char family_number[16], type_number[16];
	const char *family_name, *type_name;
	struct action_step *s;
	int r;

	if (is_plain_socket(family, type, protocol))
		return 0;
	(void)snprintf(family_number, sizeof(family_number), "%u", family);
	(void)snprintf(type_number, sizeof(type_number), "%u", type);
	family_name = family < ARRAY_SIZE(families) && families[family] ? families[family]
									: family_number;
	type_name = type < ARRAY_SIZE(types) && types[type] ? types[type] : type_number;
	r = protocol ? decode_format(c, &c->a->object, "socket(%s,%s,%u)", family_name, type_name,
				     protocol)
		     : decode_format(c, &c->a->object, "socket(%s,%s)", family_name, type_name);
	if (r)
		return r;
	c->a->asked = c->a->object;
	return step_add(c, KIND_SYSTEM, OP_SYSCALL, c->a->object, c->a->object, &s);
}
