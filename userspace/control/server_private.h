/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What server.c (connections, who may) and server_requests.c (what is asked for) share. Not for
 * other modules.
 */
#pragma once

#include "control/history.h"
#include "control/peer.h"
#include "control/protocol.h"
#include "control/server.h"

#define SERVER_MESSAGE_MAX 512

struct client {
	int fd; /* -1: the slot is free */
	uint64_t heard_ns;
	struct control_peer peer;
};

struct control_server {
	char *path, *session, *name;
	pid_t supervisor;
	bool is_inside, is_for_approvers;
	const char *agent; /* borrowed */
	struct held_table *held;
	const struct control_ops *ops;
	void *arg;

	int dir, listener, epoll, timer;
	bool is_paused; /* accept() ran out of something: the listener is off until the timer fires
			 */
	size_t n_clients;
	struct client clients[CONTROL_MAX_CLIENTS];

	struct control_users users;
	struct control_history history;
	uint64_t attempt_ns; /* when the last one was told */
	uint64_t attempts_untold;
	uint64_t report_debt_ns; /* how long the reports until now take at CONTROL_REPORTS_PER_S */
	uint64_t report_ns;      /* when the last one came */

	struct strbuf reply;
	char packet[CONTROL_PACKET_MAX + 1];
};

struct json server_begin_reply(struct control_server *s, bool is_ok);
/* Return, like all below: whether the connection goes on. */
bool server_send_reply(struct control_server *s, int fd);
/* Always false, so that 'return server_send_error(...)' ends the connection. */
bool server_send_error(struct control_server *s, int fd, enum control_error e, const char *message);
bool server_send_ok(struct control_server *s, int fd);
/* Tells the caller's log of a peer that was refused: @who is the subject of the sentence, @what
 * goes on with it. At most one a second; others are counted. */
void server_tell_attempt(struct control_server *s, const struct control_peer *p, const char *who,
			 const char *what);

/* server_requests.c: answers the @len bytes in @s->packet. */
bool server_handle_packet(struct control_server *s, struct client *c, size_t len);
