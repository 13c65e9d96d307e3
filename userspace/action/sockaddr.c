/* SPDX-License-Identifier: Apache-2.0 */
/* From a copied socket address to the step that a policy decides on. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "action/decode.h"

#define DNS_PORT     53
#define SIN6_LEN_MIN 24 /* SIN6_LEN_RFC2133: without the scope */
#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

static int socket_option(int fd, int option)
{
	socklen_t len = sizeof(int);
	int value;

	return getsockopt(fd, SOL_SOCKET, option, &value, &len) < 0 ? -errno : value;
}

int endpoint_take_socket(struct decode *c, int fd)
{
	struct act_network *net = &c->a->act.network;
	int copy;

	*net = (struct act_network){.socket = -1, .number = fd, .root = -1};
	if (fd < 0)
		return EBADF;
	copy = target_take_fd(c, fd);
	if (copy == -EBADF)
		return EBADF;
	if (copy < 0)
		return decode_fail(ACTION_UNREADABLE);
	net->socket = act_own(c, copy);
	net->type = socket_option(copy, SO_TYPE);
	/* EBADF: it is open as a path only (O_PATH), which no socket call takes. */
	if (net->type == -ENOTSOCK || net->type == -EBADF)
		return -net->type;
	net->family = socket_option(copy, SO_DOMAIN);
	if (net->type < 0 || net->family < 0)
		return decode_fail(ACTION_UNREADABLE);
	c->a->act.kind = ACT_NETWORK;
	return 0;
}

/* Of the act's socket, not of what the call hopes for. */
static enum policy_protocol endpoint_protocol(const struct act_network *net)
{
	int protocol = socket_option(net->socket, SO_PROTOCOL);

	if (net->family != AF_INET && net->family != AF_INET6)
		return POLICY_PROTO_OTHER;
	if (net->type == SOCK_STREAM && (protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP))
		return POLICY_PROTO_TCP;
	if (net->type == SOCK_DGRAM && protocol == IPPROTO_UDP)
		return POLICY_PROTO_UDP;
	return POLICY_PROTO_OTHER;
}

static bool is_destination(enum action_op op)
{
	return op != OP_BIND && op != OP_LISTEN;
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

/*
 * An IPv4 address in IPv6 clothes may be where the packet ends up, in the network behind a
 * translator or a tunnel: each one is judged like an address of its own.
 */
static int add_embedded(struct decode *c, const struct endpoint *e,
			const struct policy_address *address)
{
	struct policy_address embedded[POLICY_EMBEDDED_MAX];
	size_t n = policy_address_embedded(address, e->op, embedded);

	for (size_t i = 0; i < n; i++) {
		char text[POLICY_HOST_SIZE];
		struct bytes object;
		int r;

		policy_address_format(text, &embedded[i]);
		r = decode_format(c, &object, "%s", text);
		if (r == 0)
			r = add_steps(c, e, object, object, object, &embedded[i]);
		if (r)
			return r;
	}
	return 0;
}

static int add_ip(struct decode *c, const struct endpoint *e, struct policy_address *address,
		  uint32_t scope)
{
	struct bytes object, asked;
	char text[POLICY_HOST_SIZE];
	int r;

	address->has_ip = true;
	address->protocol = e->has_protocol ? e->protocol : endpoint_protocol(&c->a->act.network);
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
	r = add_steps(c, e, object, object, asked, address);
	return r ? r : add_embedded(c, e, address);
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

/* The working directory, for a bind to a relative path: it has to be the same text. */
static int pin_cwd(struct decode *c)
{
	int fd = target_open(c, "cwd", O_PATH | O_DIRECTORY);

	if (fd < 0)
		return decode_fail(ACTION_UNREADABLE);
	c->a->act.pin2.parent = act_own(c, fd);
	return 0;
}

/* The root, for a bind to an absolute path, where it is not ours. */
static int pin_root(struct decode *c)
{
	_cleanup_(fd_closep) int ours = -1;
	int fd;

	if (!c->d->has_foreign_roots)
		return 0;
	ours = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	fd = act_own(c, target_open(c, "root", O_PATH | O_DIRECTORY));
	if (ours < 0 || fd < 0)
		return decode_fail(ACTION_UNREADABLE);
	if (!resolve_is_same_place(ours, fd))
		c->a->act.network.root = fd;
	return 0;
}

static int add_unix_path(struct decode *c, struct endpoint *e, struct bytes name)
{
	_cleanup_(resolved_fini) struct resolved found = RESOLVED_INIT;
	struct policy_address address = {.protocol = POLICY_PROTO_UNIX};
	struct look look = {.flags = is_destination(e->op) ? LOOK_FOLLOW | LOOK_PIN | LOOK_WANT_FD
							   : LOOK_PIN | LOOK_ENTRY};
	struct bytes asked, object, path;
	char *p;
	int r;

	r = decode_copy(c, name.p, strnlen(name.p, name.len), &asked);
	if (r)
		return r;
	/* A name that the kernel gave to the socket itself is where it was bound, wherever that is
	 * now. */
	r = e->op == OP_LISTEN ? resolve_path(c, AT_FDCWD, asked, (struct look){}, &found)
			       : resolve_path(c, AT_FDCWD, asked, look, &found);
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
	c->a->act.pin = found.pin;
	e->is_pinned = e->op != OP_LISTEN;
	r = add_steps(c, e, object, path, asked, &address);
	if (r || e->op != OP_BIND)
		return r;
	/* bind makes a file, like mknod. */
	r = asked.len && asked.p[0] == '/' ? pin_root(c) : pin_cwd(c);
	return r ? r : step_add_path(c, OP_CREATE, path);
}

static int add_unix(struct decode *c, struct endpoint *e)
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

/*
 * What each kind of socket makes of an address without a family: IPv4 takes it for its own in a
 * send and a bind (net/ipv4/udp.c, af_inet.c), so do raw IPv6 sockets in a send (net/ipv6/raw.c); a
 * send on other IPv6 sockets goes to the peer (net/ipv6/udp.c), as if there were none.
 */
static int add_unspec(struct decode *c, const struct endpoint *e)
{
	const struct act_network *net = &c->a->act.network;

	if (e->op == OP_CONNECT)
		return 0; /* dissolves a connection */
	if (net->family == AF_INET6 && net->type == SOCK_DGRAM)
		return 0;
	if (net->family == AF_INET6)
		return add_inet6(c, e);
	return e->sockaddr.len < sizeof(struct sockaddr_in) ? 0 : add_inet(c, e);
}

/* In one of the session's name spaces: in another, the agent's own, our resolver is not what it
 * would reach. */
static bool is_socket_led(const struct decode *c)
{
	const uint64_t *cookies = c->d->config.net_cookies;
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	return cookies[0] &&
	       getsockopt(c->a->act.network.socket, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len) ==
		       0 &&
	       (cookie == cookies[0] || cookie == cookies[1]);
}

/* What the kernel takes for a destination: UDP's IPv6 sockets also one of IPv4 (net/ipv6/udp.c,
 * datagram.c), and IPv4 takes one without a family for its own in a send (add_unspec()). */
static bool is_taken_as_ip(const struct act_network *net, enum action_op op, sa_family_t family)
{
	return family == net->family || (net->family == AF_INET6 && family == AF_INET) ||
	       (net->family == AF_INET && family == AF_UNSPEC && op == OP_SEND);
}

bool endpoint_is_question(const struct decode *c, enum action_op op, struct bytes sockaddr)
{
	const struct act_network *net = &c->a->act.network;
	struct sockaddr_in in = {.sin_family = AF_UNSPEC};
	enum policy_protocol protocol;

	if ((net->family != AF_INET && net->family != AF_INET6) || sockaddr.len < sizeof(in))
		return false;
	/* Of an IPv6 address, this much is the same. */
	memcpy(&in, sockaddr.p, sizeof(in));
	if (in.sin_port != htons(DNS_PORT) || !is_taken_as_ip(net, op, in.sin_family))
		return false;
	protocol = endpoint_protocol(net);
	return (protocol == POLICY_PROTO_TCP || protocol == POLICY_PROTO_UDP) && is_socket_led(c);
}

/*
 * bind(2) to no address and no port in particular, as musl and dig do before they ask: the kernel
 * does the same at the first send or connect. Where questions are led, it is no more to be decided
 * on than that; listen(2) is decided on by itself.
 */
static bool is_bind_to_nothing(const struct decode *c, const struct endpoint *e)
{
	static const uint8_t zero[sizeof(struct sockaddr_in6)];
	sa_family_t family = AF_UNSPEC;

	if (e->op != OP_BIND || !c->d->config.net_cookies[0] ||
	    e->sockaddr.len < sizeof(struct sockaddr_in) || e->sockaddr.len > sizeof(zero))
		return false;
	memcpy(&family, e->sockaddr.p, sizeof(family));
	return (family == AF_INET || family == AF_INET6) &&
	       memcmp(e->sockaddr.p + sizeof(family), zero, e->sockaddr.len - sizeof(family)) == 0;
}

int endpoint_add(struct decode *c, struct endpoint *e)
{
	sa_family_t family;

	e->is_question = is_destination(e->op) && endpoint_is_question(c, e->op, e->sockaddr);
	if (e->is_question || is_bind_to_nothing(c, e))
		return 0;
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
		/* The kernel is the peer; what it lets do is its own check. */
		if (c->a->act.network.family == AF_NETLINK)
			return 0;
		return add_other(c, e, family);
	case AF_UNSPEC:
		return add_unspec(c, e);
	default:
		return add_other(c, e, family);
	}
}
