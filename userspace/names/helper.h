/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processes that answer a session's DNS questions, apart from the supervisor: none of them ever
 * sees the agent's memory or the log, and none reads what the other gets.
 *
 *   minder    starts the others, and resolver and leader again when they end; reads nothing.
 *   maker     lives in a network namespace of its own, in which every address is local, and makes
 *             sockets there. A question that the agent sends from such a socket to port 53 of any
 *             address arrives at the resolver, and its answer comes from that very address, so that
 *             nobody who checks where an answer comes from sees a difference.
 *             Where no namespace can be had there is no maker, and resolver and leader listen on
 *             loopback of the session's: questions and connections are led there by their address.
 *             Programs that check where an answer comes from (musl's) then get none.
 *   leader    reads the first bytes of connections (names/lead.h), which are led to it as questions
 *             are led to the resolver.
 *   resolver  reads questions (names/resolver.c), asks the supervisor about each name, and asks the
 *             servers of /etc/resolv.conf.
 *
 * They are children of the launcher, not of the supervisor: the session does not wait for them, and
 * they are outside of it for the agent's signals. They end when the supervisor does.
 */
#pragma once

#include "names/message.h"
#include "policy/policy.h"

#define NAMES_LISTENERS 4 /* UDP and TCP, of IPv4 and IPv6, in this order */
#define LEAD_LISTENERS  2 /* of IPv4 and IPv6, in this order */

/* The next socket, which the maker makes while the last one is in use. */
struct names_next {
	uint32_t seq; /* of the request; 0: none was made */
	int family, type;
	bool is_there; /* it has come; fd is it, or -errno */
	int fd;
};

struct names_helper {
	int questions; /* from the resolver: struct names_request; -1: there is none */
	int looks;     /* from the leader: struct lead_request */
	int sockets;   /* to the maker: names_socket() */
	uint32_t seq;  /* of the last request to it */
	struct names_next next;
	/* Of the listeners on loopback; 0: there is no such one. All 0: there is a maker. The
	 * leader's are of TCP, IPv4 and IPv6. */
	uint16_t ports[NAMES_LISTENERS];
	uint16_t lead_ports[LEAD_LISTENERS];
	/* SO_NETNS_COOKIE of the namespace in which they were started, and of the maker's (0: there
	 * is none). */
	uint64_t net_cookie, own_cookie;
};

#define NAMES_HELPER_INIT ((struct names_helper){.questions = -1, .looks = -1, .sockets = -1})

/* Starts them, which takes them some milliseconds: there are other things to do meanwhile. The
 * process must have one thread. Return: 0, -errno. */
int names_helper_start(struct names_helper *ret) _must_check_;
/* Waits until they are ready. Return: 0; -errno: there is neither a namespace nor loopback, and
 * they have ended; @h is then closed. */
int names_helper_await(struct names_helper *h) _must_check_;
static inline bool names_helper_is_on_loopback(const struct names_helper *h)
{
	return h->ports[0] != 0;
}
void names_helper_close(struct names_helper *h);

/* A socket in the maker's namespace, with O_CLOEXEC. Most are ready before they are asked for.
 * Callers take turns: not from two threads at once. @port: connections to this port of any address
 * are to arrive at the leader; 0: none is meant. Return: a descriptor, -errno (-EMFILE: too many
 * ports). */
int names_socket(struct names_helper *h, int family, int type, uint16_t port) _must_check_;
/* Two descriptors are sent over, and @p; those are borrowed. For names/ alone. Return: 0, -errno.
 */
int fds_send(int sock, const void *p, size_t len, const int *fds, size_t n);
#define FDS_MAX 4
/* Return: how many came, which are the caller's, -errno; -EPIPE: the other side has gone. */
int fds_receive(int sock, void *p, size_t len, int fds[static FDS_MAX]);

/* ---- between the resolver and the supervisor: to each request one reply, and to a question that
 * was held a second one when it is no longer. Replies come in any order. */

enum names_request_kind {
	NAMES_BEGIN, /* a resolver has started; without facts, and without a reply */
	NAMES_ASK,   /* may names[0] be asked for? */
	NAMES_LEARN, /* this is the answer; it waits until that is known */
};

struct names_request {
	uint64_t seq; /* no two are the same in a session */
	uint32_t kind;
	uint32_t protocol; /* enum policy_protocol */
	uint16_t port;     /* of the asker's socket */
	uint16_t type;     /* of the record that is asked for */
	struct dns_facts facts;
};

enum names_verdict {
	NAMES_NO,
	NAMES_YES,
	/* A person is asked. Who asks by UDP gives up within seconds, so it is told to come by TCP,
	 * where programs wait; only what came by TCP gets the second reply. */
	NAMES_HELD,
};

struct names_reply {
	uint64_t seq;
	uint32_t verdict; /* enum names_verdict */
	uint32_t rcode;   /* NAMES_NO: enum dns_rcode */
};

/* ---- inside of names/ */

struct resolver_config {
	int questions;
	int listeners[NAMES_LISTENERS]; /* -1 where there is no such family */
	const char *resolv_conf;
};

/* Answers until the supervisor has gone. */
_Noreturn void resolver_run(const struct resolver_config *config);
/* namespace.c: takes the process to a network namespace of its own where every address is local.
 * Return: 0, -errno. */
int namespace_enter(void) _must_check_;
/* The listeners on port 53 of every address of it. Return: 0, -errno. */
int namespace_listen(int ret[static NAMES_LISTENERS]) _must_check_;
/* Those on loopback, with ports of the kernel's choice. Return: 0, -errno. */
int namespace_listen_on_loopback(int ret[static NAMES_LISTENERS],
				 uint16_t ret_ports[static NAMES_LISTENERS]) _must_check_;
/* A listener for TCP on @port of every address of it, which does not block; 0: on loopback, with a
 * port of the kernel's choice. Return: a descriptor, -errno. */
int namespace_listen_tcp(int family, uint16_t port) _must_check_;
/*
 * Between agent and leader nothing is lost and nobody else sends: the cheapest way to be polite
 * will do, which each kernel has and lets anybody choose (net.ipv4.tcp_allowed_congestion_control).
 * One that paces what it sends by a timer, as BBR does, costs the leader a third of its time.
 * Return: 0, -errno.
 */
int namespace_set_congestion(int fd);
/* Return: the port that @fd listens on, 0: it cannot be told. */
uint16_t namespace_port_of(int fd);
