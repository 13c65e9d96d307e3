/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All living sessions that we may speak to, with what each holds. Never blocks: a session that
 * hangs is one that says nothing. Nothing is remembered that a session does not know: the lists
 * are the sessions' own, read anew a few times a second, and an answer is carried to the session
 * that has the action and is done when it says so.
 *
 * New sessions are noticed by inotify on the runtime directories, ended ones by their connection.
 * What sessions say is hostile: the agents' strings are in it, and for root the sockets may be
 * other users'. It is bounded here, and to be escaped wherever it is shown.
 *
 * One thread; driven by roster_fd().
 */
#pragma once

#include <jansson.h>

#include "base/strbuf.h"
#include "control/protocol.h"

#define ROSTER_SESSIONS_MAX 256
#define ROSTER_ANSWERS_MAX  64 /* that wait to be sent to one session */

struct roster;

struct roster_session {
	const char *name;     /* the session's id, as its socket is called */
	const json_t *status; /* what it said of itself; NULL: nothing yet */
	const json_t *held;   /* an array, oldest first; NULL: nothing yet */
	uint64_t seen_ns;     /* when `held` was read, CLOCK_MONOTONIC */
	bool is_silent;       /* it does not answer at the moment */
	const char *problem;  /* it will not have us: why. NULL: it does */
};

struct roster_config {
	const char *only; /* one session's id; NULL: all */
	bool is_own;      /* root: its own sessions, and nobody else's */
	/* Something is different: a session, or what it holds. May be NULL. */
	void (*changed)(void *arg);
	/*
	 * What came of an answer: @r as of control_call(); @reply may be NULL, and is borrowed.
	 * -ECONNRESET: the session ended first.
	 */
	void (*answered)(void *arg, const char *session, const struct control_request *q, int r,
			 const json_t *reply);
	void *arg;
};

/* Return: 0, -errno. @config's strings are borrowed. */
int roster_new(const struct roster_config *config, struct roster **ret) _must_check_;
struct roster *roster_free(struct roster *r);
/* Readable when roster_dispatch() has something to do. Borrowed. */
int roster_fd(const struct roster *r);
void roster_dispatch(struct roster *r);

/* In order of ids. */
size_t roster_count(const struct roster *r);
/* Borrowed until the next roster_dispatch(). */
void roster_get(const struct roster *r, size_t i, struct roster_session *ret);
/* The entry of the held action @id. Return: NULL: nobody holds it; else borrowed, as above. */
const json_t *roster_find(const struct roster *r, const char *id, size_t *ret_session);
/*
 * Carries an answer to the session that holds @q->id; answered() follows. Return: 0; -ENOENT: none
 * does; -ENOSPC: too many wait already.
 */
int roster_answer(struct roster *r, const struct control_request *q);
/* Tells the session at place @i of somebody who was refused elsewhere. Return: 0; -ENOSPC: it has
 * not heard of the last one yet; -ENOMEM. */
int roster_report(struct roster *r, size_t i, const char *what);
/* Lists are read anew at once rather than a little later. */
void roster_hurry(struct roster *r);
