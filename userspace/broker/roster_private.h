/* SPDX-License-Identifier: Apache-2.0 */
/* Between roster.c (which sessions there are) and roster_session.c (one of them). */
#pragma once

#include "broker/roster.h"

#define ROSTER_POLL_NS   (200 * NS_PER_MSEC) /* between two readings of a list */
#define ROSTER_SILENT_NS (2 * NS_PER_SEC)    /* without a reply */
#define ROSTER_ENTRIES   HELD_MAX
#define ROSTER_PAGES     512 /* of one list: what a session of ours fills at most, and more */

enum peer_state {
	PEER_GREETING, /* it speaks first */
	PEER_IDLE,
	PEER_STATUS,
	PEER_LISTING,
	PEER_ANSWERING,
	PEER_REFUSED, /* and has said why */
};

struct peer {
	struct roster *roster;
	char *dir, *name; /* where its socket is, and the session's id */
	int fd;
	enum peer_state state;
	bool is_over; /* the connection has ended */
	bool was_silent;
	uint64_t asked_ns; /* when the last request went out */
	uint64_t next_ns;  /* when the list is to be read again */
	uint64_t after;
	unsigned pages;
	json_t *status, *held, *next; /* next: the list that is being read */
	uint64_t seen_ns;
	char *problem;
	struct control_request *answers[ROSTER_ANSWERS_MAX];
	size_t n_answers; /* [0] is the one that was sent, in PEER_ANSWERING */
};

/* Connects to DIR/NAME.sock. Return: NULL: nobody is there, or not now. */
struct peer *peer_new(struct roster *r, const char *dir, const char *name);
struct peer *peer_free(struct peer *p);
bool peer_has_socket(const struct peer *p);
/* Reads what came. */
void peer_read(struct peer *p);
/* Sends what is due. Return: when to call again. */
uint64_t peer_tick(struct peer *p, uint64_t now_ns);
bool peer_is_silent(const struct peer *p, uint64_t now_ns);

/* roster.c */
void roster_note_change(struct roster *r);
void roster_note_answer(struct roster *r, const struct peer *p, const struct control_request *q,
			int error, const json_t *reply);
