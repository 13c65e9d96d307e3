/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of a person's answer to a held action: what else it covers (scope) and how long it
 * holds (term). Rules bound both (`max_scope`, `max_duration` under `ask`), surfaces offer them,
 * grants keep them.
 */
#pragma once

#include "policy/vocab.h"

#define ANSWER_DURATION_MIN_NS (30 * NS_PER_SEC)
#define ANSWER_DURATION_MAX_NS (12 * 3600 * NS_PER_SEC)
#define ANSWER_TERM_SIZE       16 /* "43200s" and every other, and a NUL */

enum answer_scope {
	ANSWER_EXACT,   /* the same action: program, arguments, directory, object, options */
	ANSWER_TOOL,    /* the same program, whatever its arguments */
	ANSWER_DIR,     /* path: the same operations in the object's directory and below. Tool: the
			   same program, run in this directory or below */
	ANSWER_ADDRESS, /* the same address, port and protocol */
	ANSWER_DOMAIN,  /* the same name of a host, whatever its address; the same port and protocol
			 */
	ANSWER_AGENT,   /* whatever the agent does that a rule asks about */
	_ANSWER_SCOPE_MAX,
};

enum answer_life {
	ANSWER_ONCE,     /* what waits now, no more */
	ANSWER_SESSION,  /* this session, to its end */
	ANSWER_DURATION, /* every session of the agent of that name */
	ANSWER_RESTART,  /* likewise, until the machine is started anew */
	ANSWER_ALWAYS,   /* likewise, until it is revoked */
	_ANSWER_LIFE_MAX,
};

struct answer_term {
	enum answer_life life;
	uint64_t duration_ns; /* ANSWER_DURATION only; whole seconds */
};

/* "exact", "tool", "dir", "address", "domain", "agent"; never NULL. */
const char *answer_scope_name(enum answer_scope scope);
/* Return: 0, -ENOENT. */
int answer_scope_parse(struct bytes word, enum answer_scope *ret);
/* "once", "session", "600s", "restart", "always". */
void answer_term_write(const struct answer_term *t, char out[static ANSWER_TERM_SIZE]);
/* Those, and durations as 30s, 10m, 2h, from 30 s to 12 h. Return: 0, -ENOENT. */
int answer_term_parse(struct bytes word, struct answer_term *ret);

/* Whether who may give at most @max may give this. The scopes between exact and agent are of
 * different kinds: none of them contains another. */
bool answer_scope_is_within(enum answer_scope scope, enum answer_scope max);
/* A session may outlast any duration, and a duration reaches other sessions: neither contains the
 * other. */
bool answer_term_is_within(const struct answer_term *t, const struct answer_term *max);
