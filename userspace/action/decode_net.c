/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Network calls: where the addresses are. What an address means: sockaddr.c.
 *
 * Every one of these calls is performed on a duplicate of the caller's socket, from copies
 * (behalf/network.c). There is no send that the kernel may go on with by itself, not even one
 * without an address on a connected stream: whoever shares the caller's memory can put an address
 * into the msghdr, and whoever shares its descriptors can put an unconnected datagram socket in the
 * place of the stream, between our look and the kernel's.
 */
#include <limits.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "action/decode.h"

#define MMSG_MAX     1024                 /* UIO_MAXIOV: the kernel looks at no more messages ... */
#define PIECES_MAX   1024                 /* ... and at no more pieces of memory for each */
#define SEND_LEN_MAX ((size_t)0x7ffff000) /* MAX_RW_COUNT: it sends no more at once */
#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

/* The length was checked by the caller. */
static int read_copy(struct decode *c, uint64_t address, size_t len, struct bytes *ret)
{
	char *buf = arena_alloc(&c->d->arena, len + 1);
	int r;

	if (!buf)
		return decode_fail(ACTION_NO_MEMORY);
	r = target_read(c, address, buf, len);
	if (r)
		return r;
	buf[len] = '\0';
	*ret = (struct bytes){.p = buf, .len = len};
	return 0;
}

/*
 * Where nothing of the network can be refused, the kernel may go on with what has no step, and with
 * what is sent or connected to a unix socket: there a server would see the supervisor as its peer
 * (SO_PEERCRED, SCM_CREDENTIALS), for nothing.
 * WHY-CONTINUE-IS-SAFE: whatever the call is made into meanwhile would have been let through, too.
 * (Our control socket, which no policy lets anybody reach, asks for itself who its peer is.) Not
 * bind, which makes a file, and not listen, which has no such need.
 */
static void leave_to_kernel(struct decode *c)
{
	if (c->d->config.is_network_open &&
	    (c->a->n_steps == 0 || c->a->act.network.family == AF_UNIX))
		c->a->act.kind = ACT_CONTINUE;
}

/* connect(2), bind(2) */
static int decode_address(struct decode *c)
{
	struct act_network *net = &c->a->act.network;
	struct endpoint e = {.op = c->row->op};
	int len = decode_arg_int(c, c->row->path + 1);
	int r;

	if (len < 0 || (size_t)len > sizeof(struct sockaddr_storage))
		return EINVAL;
	r = read_copy(c, decode_arg(c, c->row->path), (size_t)len, &e.sockaddr);
	if (r)
		return r;
	net->address = e.sockaddr;
	r = endpoint_add(c, &e);
	if (r)
		return r;
	net->is_pinned = e.is_pinned;
	net->is_question = e.is_question;
	if (e.op == OP_CONNECT)
		leave_to_kernel(c);
	return 0;
}

/* Judges where @m goes. */
static int add_destination(struct decode *c, struct act_message *m)
{
	struct endpoint e = {
		.op = OP_SEND,
		.sockaddr = m->name,
		.is_fastopen = c->a->act.network.flags & MSG_FASTOPEN,
	};
	int r;

	if (m->name.len == 0)
		return 0;
	if (e.is_fastopen)
		c->a->op = OP_CONNECT;
	r = endpoint_add(c, &e);
	m->is_pinned = e.is_pinned;
	m->is_question = e.is_question;
	return r;
}

/* sendto(fd, buf, len, flags, address, length) */
static int decode_sendto(struct decode *c)
{
	struct act_network *net = &c->a->act.network;
	struct act_message *m = arena_alloc(&c->d->arena, sizeof(*m));
	struct iovec *piece = arena_alloc(&c->d->arena, sizeof(*piece));
	int len = decode_arg_int(c, c->row->path + 1);
	int r;

	if (!m || !piece)
		return decode_fail(ACTION_NO_MEMORY);
	if (!decode_arg(c, c->row->path)) /* nor does the kernel look at the length then */
		len = 0;
	if (len < 0 || (size_t)len > sizeof(struct sockaddr_storage))
		return EINVAL;
	piece->iov_base = (void *)(uintptr_t)decode_arg(c, 1);
	piece->iov_len = MIN((size_t)decode_arg(c, 2), SEND_LEN_MAX);
	*m = (struct act_message){.iov = piece, .n_iov = 1, .len = piece->iov_len};
	r = read_copy(c, decode_arg(c, c->row->path), (size_t)len, &m->name);
	if (r)
		return r;
	net->flags = decode_arg_int(c, 3);
	net->messages = m;
	net->n_messages = 1;
	r = add_destination(c, m);
	if (r == 0)
		leave_to_kernel(c);
	return r;
}

int decode_sockaddr(struct decode *c)
{
	int r = endpoint_take_socket(c, decode_arg_int(c, c->row->dirfd));

	if (r)
		return r;
	return c->row->op == OP_SEND ? decode_sendto(c) : decode_address(c);
}

/* import_iovec() of the kernel: its checks, in its order. */
static int copy_pieces(struct decode *c, const struct msghdr *h, struct act_message *m)
{
	size_t n = h->msg_iovlen;
	struct iovec *iov;
	int r;

	if (n > PIECES_MAX)
		return EMSGSIZE;
	iov = arena_alloc(&c->d->arena, MAX(n, (size_t)1) * sizeof(*iov));
	if (!iov)
		return decode_fail(ACTION_NO_MEMORY);
	r = target_read(c, (uint64_t)(uintptr_t)h->msg_iov, iov, n * sizeof(*iov));
	if (r)
		return r;
	for (size_t i = 0; i < n; i++) {
		if (iov[i].iov_len > SSIZE_MAX)
			return EINVAL;
		iov[i].iov_len = MIN(iov[i].iov_len, SEND_LEN_MAX - m->len);
		m->len += iov[i].iov_len;
	}
	m->iov = iov;
	m->n_iov = n;
	return 0;
}

/* ___sys_sendmsg() of the kernel: name, pieces, control messages. */
static int copy_message(struct decode *c, const struct msghdr *h, struct act_message *m)
{
	size_t len = MIN((size_t)h->msg_namelen, sizeof(struct sockaddr_storage));
	int r;

	*m = (struct act_message){};
	if (h->msg_name && (int)h->msg_namelen < 0)
		return EINVAL;
	if (h->msg_name && len) {
		r = read_copy(c, (uint64_t)(uintptr_t)h->msg_name, len, &m->name);
		if (r)
			return r;
	}
	r = copy_pieces(c, h, m);
	if (r)
		return r;
	if (h->msg_controllen == 0)
		return 0;
	if (h->msg_controllen > ACT_CONTROL_MAX)
		return ENOBUFS; /* optmem_max of the kernel */
	return read_copy(c, (uint64_t)(uintptr_t)h->msg_control, h->msg_controllen, &m->control);
}

int decode_msghdr(struct decode *c)
{
	struct act_network *net = &c->a->act.network;
	struct act_message *m = arena_alloc(&c->d->arena, sizeof(*m));
	struct msghdr h;
	int r;

	if (!m)
		return decode_fail(ACTION_NO_MEMORY);
	r = endpoint_take_socket(c, decode_arg_int(c, c->row->dirfd));
	if (r)
		return r;
	r = target_read(c, decode_arg(c, c->row->path), &h, sizeof(h));
	if (r)
		return r;
	net->flags = decode_arg_int(c, c->row->path + 1);
	r = copy_message(c, &h, m);
	if (r)
		return r;
	net->messages = m;
	net->n_messages = 1;
	r = add_destination(c, m);
	if (r == 0)
		leave_to_kernel(c);
	return r;
}

/*
 * Whether @m fits into the call that is being decoded. sendmmsg(2) may send fewer messages than it
 * was given, and says so, so a batch ends where the limits of an action do: its steps, one unix
 * socket, so many pieces of memory.
 */
static bool fits_batch(const struct decode *c, const struct act_message *first, size_t n_pieces,
		       const struct act_message *m)
{
	sa_family_t family = AF_UNSPEC;

	/* It goes from another socket: behalf/network_names.c. */
	if (m->name.len && endpoint_is_question(c, OP_SEND, m->name) != first->is_question)
		return false;

	if (n_pieces + m->n_iov > ACT_BATCH_PIECES_MAX)
		return false;
	if (m->name.len >= sizeof(family))
		memcpy(&family, m->name.p, sizeof(family));
	return family != AF_UNIX || bytes_eq(m->name, first->name);
}

int decode_mmsghdr(struct decode *c)
{
	struct act_network *net = &c->a->act.network;
	uint64_t vector = decode_arg(c, c->row->path);
	unsigned count = (unsigned)decode_arg_int(c, c->row->flags);
	struct act_message *messages;
	size_t n_pieces = 0;
	int r;

	r = endpoint_take_socket(c, decode_arg_int(c, c->row->dirfd));
	if (r)
		return r;
	net->flags = decode_arg_int(c, c->row->flags + 1);
	count = MIN(count, (unsigned)MMSG_MAX);
	messages = arena_alloc(&c->d->arena, MAX(count, 1u) * sizeof(*messages));
	if (!messages)
		return decode_fail(ACTION_NO_MEMORY);
	net->messages = messages;
	for (unsigned i = 0; i < count; i++) {
		struct act_message *m = &messages[i];
		size_t n_steps = c->a->n_steps;
		struct mmsghdr h;

		r = target_read(c, vector + i * sizeof(h), &h, sizeof(h));
		if (r == 0)
			r = copy_message(c, &h.msg_hdr, m);
		if (r == 0 && i > 0 && !fits_batch(c, messages, n_pieces, m))
			break;
		if (r == 0 && i > 0 && bytes_eq(m->name, messages[0].name))
			*m = (struct act_message){.name = m->name,
						  .is_pinned = messages[0].is_pinned,
						  .is_question = messages[0].is_question,
						  .iov = m->iov,
						  .n_iov = m->n_iov,
						  .len = m->len,
						  .control = m->control};
		else if (r == 0)
			r = add_destination(c, m);
		if (r == decode_fail(ACTION_TOO_LONG) && i > 0) {
			c->a->n_steps = n_steps;
			break;
		}
		/* The kernel sends what comes before a bad element, and stops there. */
		if (r > 0 && i > 0)
			break;
		if (r)
			return r;
		m->result = vector + i * sizeof(h) + offsetof(struct mmsghdr, msg_len);
		n_pieces += m->n_iov;
		net->n_messages = i + 1;
	}
	leave_to_kernel(c);
	return 0;
}

/* listen names no address: the socket has one, or the kernel will pick one on every interface. */
int decode_listen(struct decode *c)
{
	struct act_network *net = &c->a->act.network;
	struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
	socklen_t len = sizeof(address);
	struct endpoint e = {.op = OP_LISTEN};
	int r;

	r = endpoint_take_socket(c, decode_arg_int(c, c->row->dirfd));
	if (r)
		return r;
	net->flags = decode_arg_int(c, 1);
	if (getsockname(net->socket, (struct sockaddr *)&address, &len) < 0)
		return decode_fail(ACTION_UNREADABLE);
	r = decode_copy(c, &address, MIN((size_t)len, sizeof(address)), &e.sockaddr);
	if (r)
		return r;
	net->address = e.sockaddr;
	if (address.ss_family == AF_UNIX && len <= sizeof(sa_family_t))
		return EINVAL; /* unbound: the kernel says so, too */
	return endpoint_add(c, &e);
}

/*
 * accept(2), accept4(2).
 * WHY-CONTINUE-IS-SAFE: nothing is decided; who may come was decided when the socket listened. What
 * is no socket, or cannot be looked at, is the kernel's to speak of.
 */
int decode_accept(struct decode *c)
{
	(void)endpoint_take_socket(c, decode_arg_int(c, c->row->dirfd));
	c->a->act.kind = ACT_ACCEPT;
	return 0;
}

/*
 * Netlink is how programs ask the kernel of addresses and devices. The protocols below answer
 * everybody, and check themselves who may change something; the others (xfrm, netfilter, ...) are
 * administration.
 */
static bool is_plain_netlink(unsigned protocol)
{
	switch (protocol) {
	case NETLINK_ROUTE:
	case NETLINK_SOCK_DIAG:
	case NETLINK_AUDIT: /* useradd(8) and others give up when they cannot have it */
	case NETLINK_KOBJECT_UEVENT:
	case NETLINK_GENERIC:
		return true;
	default:
		return false;
	}
}

static bool is_plain_socket(unsigned family, unsigned type, unsigned protocol)
{
	switch (family) {
	case AF_UNIX:
		return true; /* every type of it stays on this machine */
	case AF_NETLINK:
		return is_plain_netlink(protocol);
	case AF_INET:
	case AF_INET6:
		return (type == SOCK_STREAM || type == SOCK_DGRAM) &&
		       (protocol == 0 || protocol == IPPROTO_TCP || protocol == IPPROTO_UDP ||
			protocol == IPPROTO_MPTCP);
	default:
		return false;
	}
}

/*
 * socket(2), socketpair(2).
 * WHY-CONTINUE-IS-SAFE: what is decided on is all in registers, which nobody but the caller has.
 */
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
	r = protocol ? decode_format(c, &c->a->object, "%s(%s,%s,%u)", c->row->name, family_name,
				     type_name, protocol)
		     : decode_format(c, &c->a->object, "%s(%s,%s)", c->row->name, family_name,
				     type_name);
	if (r)
		return r;
	c->a->asked = c->a->object;
	return step_add(c, KIND_SYSTEM, OP_SYSCALL, c->a->object, c->a->object, &s);
}
