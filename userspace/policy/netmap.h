/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a stack says of IP addresses, as tables that a program in the kernel can look up: prefixes,
 * classes of ports, and a verdict for each pair. The verdicts are policy_stack_eval()'s own, asked
 * once for each cell, so that there are no rules' semantics to write a second time.
 */
#pragma once

#include "policy/policy.h"

/* Past these a stack is decided on by notification. */
#define NETMAP_MAX_PREFIXES     1024
#define NETMAP_MAX_PORT_CLASSES 255
#define NETMAP_MAX_CELLS        ((size_t)1 << 16)
#define NETMAP_PORTS            65536

enum netmap_op {
	NETMAP_CONNECT,
	NETMAP_SEND,
	NETMAP_BIND,
	_NETMAP_OP_MAX,
};

/* The longest prefix that an address has is its place in the table of verdicts. */
struct netmap_prefix {
	uint8_t ip[16]; /* network order; the first 4 bytes if is_v4 */
	uint8_t bits;
	bool is_v4;
};

struct netmap {
	struct netmap_prefix *prefixes; /* 0.0.0.0/0 and ::/0 among them */
	size_t n_prefixes;
	uint8_t ports[NETMAP_PORTS]; /* the class of each port */
	size_t n_port_classes;
	uint8_t *verdicts; /* enum verdict: netmap_cell() */
	size_t n_verdicts;
	bool can_ask;
};

/*
 * @agent: the session's name, which rules may ask for. Return: 0; -EOPNOTSUPP: some rule looks at
 * more than addresses, or there are too many, and *ret_why is a phrase that says so; -ENOMEM.
 */
int netmap_new(const struct policy_stack *s, const char *agent, struct netmap **ret,
	       const char **ret_why) _must_check_;
struct netmap *netmap_free(struct netmap *m);
/* Where in `verdicts` the answer is; not of POLICY_PROTO_UNIX. */
size_t netmap_cell(const struct netmap *m, enum netmap_op op, enum policy_protocol protocol,
		   size_t prefix, size_t port_class);

static inline void netmap_freep(struct netmap **m)
{
	*m = netmap_free(*m);
}

/*
 * Whether every connection to a unix socket and everything sent to one is a plain allow, in the
 * advice as well. False with a phrase in *ret_why.
 */
bool netmap_unix_is_open(const struct policy_stack *s, const char **ret_why);
