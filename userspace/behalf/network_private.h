/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of network calls share. Not for other modules.
 *
 * Functions return 0 or more when the call went through, a negative errno when it failed, which is
 * the agent's answer, -EINTR included.
 */
#pragma once

#include <netinet/in.h>

#include "behalf/behalf_private.h"

/* Of a stream, so much is read from the agent and sent at once; the rest follows. */
#define SEND_CHUNK_BYTES ((size_t)256 * 1024)
/* A datagram is sent whole or, past this, fails with EMSGSIZE; so does more than this in one call
 * with MSG_ZEROCOPY, of which only the beginning is sent where the socket is a stream. */
#define SEND_WHOLE_MAX ((size_t)1024 * 1024)
#define SEND_FDS_MAX   253 /* SCM_MAX_FD of the kernel */

/* The address that leads to the socket that was pinned, whatever its path leads to by now. Return:
 * its length. */
socklen_t network_pinned_address(int object, struct sockaddr_un *ret);
/* With the agent's rights on: its IDs as well, where a peer is shown them. Return: 0, -errno. */
int network_identify(struct behalf *b, const struct action *a);
/* Connects @fd to where the act's socket is to be connected, with the agent's rights on. Return: 0,
 * -errno. */
int network_connect(const struct behalf *b, const struct action *a, int fd);
/* network_message.c: sends one message, with the supervisor's rights on. Return: the bytes sent,
 * -errno. */
ssize_t network_send(struct behalf *b, const struct action *a, const struct act_message *m,
		     int flags);
/*
 * network_names.c: puts a socket of the right namespace in the agent's and the act's place, before
 * something is sent or connected to a named address. With the supervisor's rights on. Return: 0,
 * -errno.
 */
int network_lead(struct behalf *b, const struct action *a, bool is_question) _must_check_;
/* Where a question for @address, or a connection that is looked into, goes instead of it: *ret,
 * where the helper listens on loopback. */
struct bytes network_where_led(const struct behalf *b, const struct action *a, struct bytes address,
			       struct sockaddr_in6 *ret);
/* What a program may have set of a socket and expects to find set; its address likewise. */
void network_copy_options(int from, int to);
void network_copy_address(int from, int to);
/* Puts @fd, borrowed, in the place of the agent's socket, and of the act's. Return: 0, -errno. */
int network_replace(const struct behalf *b, const struct action *a, int fd) _must_check_;
/*
 * network_lead.c: as network_lead(), for a connection to @address into which the leader looks
 * before anything of it goes there. Return: 0; -errno: it cannot be led there, and must not be
 * made.
 */
int network_lead_look(struct behalf *b, const struct action *a, struct bytes address) _must_check_;
/* What was led there has been sent, or connected: remembers who asks. @address: the one that was
 * asked. */
void network_note_asker(struct behalf *b, const struct action *a, struct bytes address);
/* network_bind.c: binds to a path. */
int network_bind_path(struct behalf *b, const struct action *a);
/* The same with the agent's root, where that is another: without the agent's rights on. Return:
 * NETWORK_BIND_HERE: not another, or not to be had; else 0, -errno. */
#define NETWORK_BIND_HERE (-1000)
int network_bind_elsewhere(struct behalf *b, const struct action *a);
