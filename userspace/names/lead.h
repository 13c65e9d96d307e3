/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process that looks into connections (names/helper.h). The agent's socket, of the maker's
 * namespace, is connected to it and sees the address that it asked for. It reads the first bytes,
 * asks the supervisor, and only then makes the connection that was meant; from then on bytes go
 * through without being read, except that of HTTP each request is asked about. TLS is not broken
 * open.
 *
 * Where there is no maker it listens on loopback, where anybody may connect to it: it first asks
 * the supervisor whose connection one is and whereto it was meant, and resets those of strangers.
 * The agent's socket then has the leader for its peer.
 *
 * Between it and the supervisor: requests, each with one reply, in any order.
 */
#pragma once

#include "names/helper.h"
#include "names/http_head.h"
#include "policy/policy.h"

/* At once; past this a connect fails. */
#define LEAD_MAX 16384
/* Ports on which connections are led. */
#define LEAD_PORTS_MAX 64
/* s from its making until a connection has said what it wants. */
#define LEAD_SILENCE_S 60
/* Limits of a session on what is sent: rules, or names of rules that count each by itself. */
#define LEAD_LIMITS_MAX 4096

/* One end of a connection as the agent's socket has it. */
struct lead_end {
	bool is_v4;
	uint8_t ip[16]; /* the first 4 bytes if is_v4 */
	uint16_t port;  /* host order */
};

enum lead_request_kind {
	LEAD_BEGIN, /* the process has begun: it knows no connection */
	LEAD_WHO,   /* on loopback: where was it meant to go? */
	LEAD_LOOK,  /* may it go on? */
	LEAD_LIMIT, /* what a rule lets be sent has been sent */
	LEAD_OVER,  /* it has ended; no reply */
	_LEAD_REQUEST_MAX,
};

struct lead_request {
	uint32_t seq;
	uint32_t kind;
	struct lead_end from, to; /* of the agent's socket */
	struct lead_end dest;     /* where it was meant to go: @to, but on loopback */
	uint32_t look;            /* enum policy_look */
	uint32_t slot;            /* LEAD_LIMIT */
	bool has_name, has_path;
	char name[DNS_NAME_SIZE];
	char method[HTTP_METHOD_SIZE]; /* "": none */
	char path[HTTP_PATH_SIZE];
};

struct lead_limit {
	uint32_t slot; /* below LEAD_LIMITS_MAX: what counts together */
	uint64_t max;  /* bytes */
};

struct lead_reply {
	uint32_t seq;
	uint32_t is_allowed;
	struct lead_end dest; /* LEAD_WHO */
	uint32_t n_limits;
	struct lead_limit limits[POLICY_MAX_STACK];
};

struct lead_config {
	uint64_t *sent; /* LEAD_LIMITS_MAX of them, which outlive the process */
	int supervisor; /* a SOCK_SEQPACKET for the above */
	int maker;      /* listeners come from it, each with its port, once it was sent anything */
	int listeners[LEAD_LISTENERS]; /* on loopback; both -1: there is a maker */
};

/* Until the supervisor has gone. */
_Noreturn void lead_run(const struct lead_config *config);

/* ---- which connections the supervisor has led: one table for a session; locks itself */

struct lead_ticket {
	struct lead_end dest;
	pid_t pid, tid, ppid;
	char exe[256];    /* "": unknown, or too long */
	bool is_approved; /* somebody approved the connection */
};

struct lead_tickets;

int lead_tickets_new(struct lead_tickets **ret) _must_check_;
struct lead_tickets *lead_tickets_free(struct lead_tickets *t);
/* Before the connection is made. Return: 0; -ENOBUFS: there are too many; -ENOMEM. */
int lead_tickets_add(struct lead_tickets *t, const struct lead_end *from, const struct lead_end *to,
		     const struct lead_ticket *ticket) _must_check_;
bool lead_end_equal(const struct lead_end *a, const struct lead_end *b);
bool lead_tickets_find(struct lead_tickets *t, const struct lead_end *from,
		       const struct lead_end *to, struct lead_ticket *ret);
/* Those that are there belonged to a process that has gone: they give way when there are too many.
 */
void lead_tickets_age(struct lead_tickets *t);
void lead_tickets_drop(struct lead_tickets *t, const struct lead_end *from,
		       const struct lead_end *to);
