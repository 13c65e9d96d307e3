/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the leader share. Not for others. One thread; everything is a descriptor that
 * does not block, watched by edges: whoever stops before EAGAIN puts itself on the list of those
 * that are ready.
 */
#pragma once

#include "names/lead.h"
#include "names/splice.h"
#include "names/tls_hello.h"

enum lead_state {
	LEAD_FIRST,   /* the agent has yet to say what it wants */
	LEAD_ASKED,   /* the supervisor has yet to say whether it may */
	LEAD_CONNECT, /* the server has yet to answer */
	LEAD_HELLO,   /* TLS: likewise, whether with the first ClientHello or by another */
	LEAD_AGAIN,   /* TLS: a second ClientHello has to say the same */
	LEAD_HTTP,    /* requests and their bodies */
	LEAD_OPEN,    /* nothing more is read */
	LEAD_DEAD,    /* to be told of, and freed */
};

/* First in, first out, through ->next of one kind. */
struct lead_conn;
struct lead_queue {
	struct lead_conn *first, **end;
};

enum lead_list {
	LIST_READY,
	LIST_TELL,
	LIST_SILENT,
	_LIST_MAX
};

struct lead_conn {
	struct lead *lead;
	struct lead_conn *next[_LIST_MAX];
	bool is_on[_LIST_MAX];
	bool is_told; /* that it is dead */
	uint32_t slot, generation;
	uint32_t seq; /* of the request whose reply it waits for */
	enum lead_state state;
	enum lead_state after;          /* the reply */
	enum lead_state then;           /* once the server has answered */
	int down, up;                   /* to the agent, to the server; -1: none */
	bool is_connected;              /* up */
	struct lead_end from, to, dest; /* as in struct lead_request */
	uint64_t since_ns;
	struct lead_request *request; /* while it waits for its reply */
	/* What the agent sent: @pass bytes of it may go on, of which @sent have. While it is asked
	 * about they include what is asked about, and nothing of it is sent. */
	char *buf;
	size_t have, size, pass, sent;
	bool is_eof; /* and nothing more comes */
	struct flow to_up, to_down;
	/* Of the first ClientHello. */
	char name[DNS_NAME_SIZE];
	bool has_ech;
	struct http_body body;
	struct lead_limit limits[POLICY_MAX_STACK];
	size_t n_limits;
};

struct lead {
	struct lead_config config;
	int epoll;
	struct lead_queue lists[_LIST_MAX];
	struct pipes pipes;
	struct lead_conn *conns[LEAD_MAX];
	uint32_t generation;
	size_t n, n_asked;
	int listeners[2 * LEAD_PORTS_MAX];
	size_t n_listeners;
	bool is_full; /* connections wait to be accepted */
};

/* lead.c */
void lead_put(struct lead_conn *c, enum lead_list list);
/* Has @c->request sent, and the state set by its reply: @after, or the end. */
void lead_ask(struct lead_conn *c, enum lead_state after);
/* Ends it: at the next turn of the loop. @has_broken: with a reset, instead of an end. */
void lead_end(struct lead_conn *c, bool has_broken);
/* Watches @fd for both directions. Return: 0, -errno. */
int lead_watch(struct lead_conn *c, int fd) _must_check_;

/* lead_conn.c: goes on as far as can be gone without waiting. */
void lead_step(struct lead_conn *c);
/* lead_first.c */
void lead_first(struct lead_conn *c);
void lead_server_hello(struct lead_conn *c);
void lead_again(struct lead_conn *c);
void lead_http(struct lead_conn *c);

/* lead_conn.c: reads what there is behind what is there. Return: bytes, 0 at the end, -EAGAIN,
 * -ENOBUFS: @max bytes are there, -errno. */
ssize_t lead_read(struct lead_conn *c, size_t max);
/* Sends what may go. Return: 0 all of it has; -EAGAIN, -errno. */
int lead_flush(struct lead_conn *c) _must_check_;
/*
 * Lets through what comes of a body, unread: its length is known. Once lead_flush() has sent what
 * is there. Return: FLOW_WAITS; FLOW_MORE: nothing of it waits here any more; -errno.
 */
int lead_pass_body(struct lead_conn *c) _must_check_;
/* Whether that is for it to do now. */
bool lead_has_body(const struct lead_conn *c);
/* Ends it, because of what lead_flush() returned. -EDQUOT: there is more to be sent than may be,
 * and the supervisor is told. */
void lead_broke(struct lead_conn *c, int error);
/* What has not been let go yet. */
static inline struct bytes lead_rest(const struct lead_conn *c)
{
	return (struct bytes){.p = c->buf + c->pass, .len = c->have - c->pass};
}
