/* SPDX-License-Identifier: Apache-2.0 */
/* From a copied socket address to the step that a policy decides on. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "action/decode.h"

#define SIN6_LEN_MIN     24 /* SIN6_LEN_RFC2133: without the scope */
#define PIDFD_THREAD_BIT O_EXCL
#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

int endpoint_duplicate(struct decode *c, int fd)
{
	_cleanup_(fd_closep) int pidfd = -1;
	int copy;

	/* By thread where the kernel can: a thread may have a descriptor table of its own. */
	pidfd = (int)syscall(SYS_pidfd_open, c->t->tid, PIDFD_THREAD_BIT);
	if (pidfd < 0)
		pidfd = (int)syscall(SYS_pidfd_open, c->t->tgid, 0);
	if (pidfd < 0)
		return -errno;
	copy = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	return copy < 0 ? -errno : copy;
}

static int socket_option(int fd, int option)
{
	socklen_t len = sizeof(int);
	int value;

	return getsockopt(fd, SOL_SOCKET, option, &value, &len) < 0 ? -errno : value;
}

/* @ret_errno: EBADF or ENOTSOCK, as the call itself will find. */
enum policy_protocol endpoint_protocol(struct decode *c, int fd, enum action_op op, int *ret_errno)
{
	enum policy_protocol guess = op == OP_SEND ? POLICY_PROTO_UDP : POLICY_PROTO_TCP;
	_cleanup_(fd_closep) int copy = -1;
	int type, protocol;

	*ret_errno = 0;
	copy = endpoint_duplicate(c, fd);
	if (copy < 0) {
		if (copy == -EBADF)
			*ret_errno = EBADF;
		return guess;
	}
	type = socket_option(copy, SO_TYPE);
	if (type == -ENOTSOCK)
		*ret_errno = ENOTSOCK;
	if (type < 0)
		return guess;
	protocol = socket_option(copy, SO_PROTOCOL);
	if (type == SOCK_STREAM &&
	    (protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP || protocol <= 0))
		return POLICY_PROTO_TCP;
	if (type == SOCK_DGRAM && (protocol == IPPROTO_UDP || protocol <= 0))
		return POLICY_PROTO_UDP;
	return POLICY_PROTO_OTHER;
}

/* The same destination again (sendmmsg sends many packets to one place) is one step. */
static bool is_known_step(const struct action *a, enum action_op op, struct bytes object,
			  enum policy_protocol protocol)
{
	for (size_t i = 0; i < a->n_steps; i++)
		if (a->steps[i].op == op && bytes_eq(a->steps[i].object, object) &&
		    a->steps[i].address && a->steps[i].address->protocol == protocol)
			return true;
	return false;
}

static int add_network_step(struct decode *c, enum action_op op, struct bytes object,
			    struct bytes args, const struct policy_address *address)
{
	struct policy_address *copy;
	struct action_step *s;
	int r;

	if (is_known_step(c->a, op, object, address->protocol))
		return 0;
	copy = arena_alloc(&c->d->arena, sizeof(*copy));
	if (!copy)
		return decode_fail(ACTION_NO_MEMORY);
	*copy = *address;
	r = step_add(c, KIND_NETWORK, op, object, args, &s);
	if (r)
		return r;
	s->address = copy;
	return 0;
}

static int add_steps(struct decode *c, const struct endpoint *e, struct bytes object,
		     struct bytes args, struct bytes asked, const struct policy_address *address)
{
	struct action *a = c->a;
	int r;

	if (!a->object.p) {
		a->object = object;
		a->asked = asked;
	}
	/* A stream socket opens a connection with it; a datagram socket ignores the flag. */
	if (e->is_fastopen && address->protocol != POLICY_PROTO_UDP) {
		r = add_network_step(c, OP_CONNECT, object, args, address);
		if (r)
			return r;
	}
	return add_network_step(c, e->op, object, args, address);
}

static bool is_destination(enum action_op op)
{
	return op != OP_BIND && op != OP_LISTEN;
}

static int add_ip(struct decode *c, const struct endpoint *e, struct policy_address *address,
		  uint32_t scope)
{
	struct bytes object, asked;
	char text[POLICY_HOST_SIZE];
	int r;

	address->has_ip = true;
	address->protocol = endpoint_protocol(c, e->fd, e->op, &r);
	if (r)
		return r;
	policy_address_format(text, address);
	if (scope) {
		char *bracket = strchr(text, ']');
		size_t at = bracket ? (size_t)(bracket - text) : strlen(text);

		r = decode_format(c, &asked, "%.*s%%%u%s", (int)at, text, scope, text + at);
	} else {
		r = decode_format(c, &asked, "%s", text);
	}
	if (r)
		return r;
	policy_address_normalise(address, e->op);
	policy_address_format(text, address);
	r = decode_format(c, &object, "%s", text);
	if (r)
		return r;
	return add_steps(c, e, object, object, asked, address);
}

static int add_inet(struct decode *c, const struct endpoint *e)
{
	struct policy_address address = {.is_v4 = true};
	struct sockaddr_in sin;

	if (e->sockaddr.len < sizeof(sin))
		return EINVAL;
	memcpy(&sin, e->sockaddr.p, sizeof(sin));
	memcpy(address.ip, &sin.sin_addr, 4);
	address.port = ntohs(sin.sin_port);
	return add_ip(c, e, &address, 0);
}

static int add_inet6(struct decode *c, const struct endpoint *e)
{
	struct policy_address address = {.is_v4 = false};
	struct sockaddr_in6 sin6 = {.sin6_scope_id = 0};

	if (e->sockaddr.len < SIN6_LEN_MIN)
		return EINVAL;
	memcpy(&sin6, e->sockaddr.p, MIN(e->sockaddr.len, sizeof(sin6)));
	memcpy(address.ip, &sin6.sin6_addr, 16);
	address.port = ntohs(sin6.sin6_port);
	return add_ip(c, e, &address, sin6.sin6_scope_id);
}

static int add_unix_path(struct decode *c, const struct endpoint *e, struct bytes name)
{
	_cleanup_(resolved_fini) struct resolved found = RESOLVED_INIT;
	struct policy_address address = {.protocol = POLICY_PROTO_UNIX};
	struct look look = {.flags = is_destination(e->op) ? LOOK_FOLLOW : 0};
	struct bytes asked, object, path;
	char *p;
	int r;

	r = decode_copy(c, name.p, strnlen(name.p, name.len), &asked);
	if (r)
		return r;
	r = resolve_path(c, AT_FDCWD, asked, look, &found);
	if (r)
		return r;
	p = arena_alloc(&c->d->arena, found.path.len + sizeof("unix:"));
	if (!p)
		return decode_fail(ACTION_NO_MEMORY);
	memcpy(p, "unix:", 5);
	memcpy(p + 5, found.path.p, found.path.len + 1);
	object = (struct bytes){.p = p, .len = found.path.len + 5};
	path = (struct bytes){.p = p + 5, .len = found.path.len};
	c->a->exists = found.exists;
	r = add_steps(c, e, object, path, asked, &address);
	/* bind makes a file, like mknod. */
	if (r == 0 && e->op == OP_BIND)
		r = step_add_path(c, OP_CREATE, path);
	return r;
}

static int add_unix(struct decode *c, const struct endpoint *e)
{
	size_t start = offsetof(struct sockaddr_un, sun_path);
	struct bytes name = {.p = e->sockaddr.p + start, .len = e->sockaddr.len - start};
	struct policy_address address = {.protocol = POLICY_PROTO_UNIX};
	struct bytes object, shown;
	char *p;

	if (e->sockaddr.len > sizeof(struct sockaddr_un))
		return EINVAL;
	if (name.len == 0)
		return e->op == OP_BIND ? 0 : EINVAL; /* autobind takes a free abstract name */
	if (name.p[0] != '\0')
		return add_unix_path(c, e, name);
	/* Abstract: all of it is the name, NULs included. */
	p = arena_alloc(&c->d->arena, name.len + sizeof("unix:"));
	if (!p)
		return decode_fail(ACTION_NO_MEMORY);
	memcpy(p, "unix:", 5);
	memcpy(p + 5, name.p, name.len);
	p[5] = '@';
	p[5 + name.len] = '\0';
	object = (struct bytes){.p = p, .len = name.len + 5};
	shown = (struct bytes){.p = p + 5, .len = name.len};
	return add_steps(c, e, object, shown, shown, &address);
}

static int add_other(struct decode *c, const struct endpoint *e, unsigned family)
{
	struct policy_address address = {.protocol = POLICY_PROTO_OTHER};
	struct bytes object;
	int r;

	r = decode_format(c, &object, "family:%u", family);
	if (r)
		return r;
	return add_steps(c, e, object, object, object, &address);
}

int endpoint_add(struct decode *c, const struct endpoint *e)
{
	sa_family_t family;

	if (e->sockaddr.len < sizeof(family))
		return EINVAL;
	memcpy(&family, e->sockaddr.p, sizeof(family));
	switch (family) {
	case AF_INET:
		return add_inet(c, e);
	case AF_INET6:
		return add_inet6(c, e);
	case AF_UNIX:
		return add_unix(c, e);
	case AF_NETLINK:
		return 0; /* the kernel is the peer; what it lets do is its own check */
	case AF_UNSPEC:
		/* connect: dissolves a connection. In bind and in a send on an IPv4 socket the
		 * kernel reads it as AF_INET (net/ipv4/udp.c), so it names a destination. */
		if (e->op == OP_CONNECT || e->sockaddr.len < sizeof(struct sockaddr_in))
			return 0;
		return add_inet(c, e);
	default:
		return add_other(c, e, family);
	}
}
