/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's end of control sockets: connecting to sessions and calling them. Blocks, for at most
 * CONTROL_CALL_MS a call. What a session answers is as hostile as the agent's strings in it: print
 * it escaped.
 */
#pragma once

#include <jansson.h>

#include "control/protocol.h"

#define CONTROL_CALL_MS 5000
#define CONTROL_LIST_MS                                                                            \
	2000 /* of one session among all; all that hang cost little more than one                  \
	      */

struct control_client {
	int fd;
	char *session; /* the socket's name without its suffix */
};

/*
 * Calls @fn with a connection to each living session of this user (root: of all users), in the
 * order of names, until it returns non-zero. Removes sockets of ours that dead sessions left.
 * @session: only this one; NULL: all. @refused is called for a session that would not have us; both
 * borrow their arguments. Return: what @fn returned; 0 when it was never called, or always returned
 * 0; -errno.
 */
typedef int (*control_session_fn)(struct control_client *c, void *arg);
typedef void (*control_refused_fn)(const char *session, int error, const char *message, void *arg);
int control_each_session(const char *session, control_session_fn fn, control_refused_fn refused,
			 void *arg);

/*
 * The same, and then those sessions of other users where a policy may name us as an approver. Where
 * we are none there is nothing held for us; and who does not want us is not told of.
 */
int control_each_session_to_answer(const char *session, control_session_fn fn,
				   control_refused_fn refused, void *arg);

/* The same with the one socket at @path. Return: what @fn returned, 0 when the session would not
 * have us, -errno when nobody is there. */
int control_at(const char *path, control_session_fn fn, control_refused_fn refused, void *arg);

/*
 * Return: 0 and the reply, the caller's; CONTROL_E_* and the reply (its "message" says more);
 * -errno, *ret untouched: -ETIMEDOUT, -EPROTO when the answer makes no sense, others of send and
 * recv.
 */
int control_call(struct control_client *c, const struct control_request *q,
		 json_t **ret) _must_check_;

/* One packet that a session sends, for who does not want to block (@flags: recv(2)'s). Return: as
 * control_call(); -ETIMEDOUT: there is none now. */
int control_receive(int fd, int flags, json_t **ret) _must_check_;
