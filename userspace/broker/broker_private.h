/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of the broker:
 *
 *   broker.c   lock, loop, life         door.c     its socket
 *   board.c    what is held             answers.c  answers on their way to sessions; tokens
 *   desktop.c  notifications            webhook.c  messages out, answers fetched
 *   links.c    answers by links         hand.c     the programs of these three
 *
 * One thread. Nothing waits.
 */
#pragma once

#include "base/strbuf.h"
#include "broker/broker.h"
#include "broker/hand.h"
#include "broker/roster.h"
#include "broker/token.h"

#define QUESTIONS_MAX         512 /* that are known at once; others wait for a place */
#define QUESTIONS_PER_SESSION 64  /* so that no agent keeps the others away */
#define PENDING_MAX           64
#define DOOR_CLIENTS_MAX      8
#define EVENTS_MAX            64
#define PROBLEMS_MAX          8
#define PROBLEM_SIZE          256
#define DESKTOP_MAX           5 /* notifications at once: more would hide each other */
#define DESKTOP_PER_SESSION   4
#define ACCEPTED_MAX          64
#define WEBHOOK_AT_ONCE       8

/* A held action, as long as its session says that it is. */
struct question {
	char id[HELD_ID_SIZE];
	char session[TOKEN_SESSION_SIZE];
	unsigned char nonce[TOKEN_NONCE_BYTES];
	uint64_t deadline_ns;
	bool is_seen;   /* in the look that is being taken */
	bool is_used;   /* one of its tokens was */
	bool is_shown;  /* on the desktop */
	bool is_posted; /* an event of it is in the webhook's queue, or was */
};

/* An answer that was sent to a session, and who waits to hear what came of it. */
struct pending {
	char id[HELD_ID_SIZE]; /* "": free */
	const char *via;
	bool approve;
	uint64_t link; /* the request of the links' hand; 0: nobody waits */
};

/* A message of the webhook. */
struct event {
	char message[32]; /* webhook-id; "": free */
	char id[HELD_ID_SIZE];
	bool is_end; /* holdfast.ended */
	struct strbuf body;
	unsigned attempts;
	uint64_t next_ns, until_ns;
	uint64_t flight; /* the hand's number of the attempt that is under way; 0: none is */
};

struct door_client {
	int fd; /* -1: free */
	uint64_t since_ns;
};

struct broker {
	const struct broker_options *options;
	const struct broker_config *config;
	struct roster *roster;
	int dir, lock, signals;
	char *dir_path;
	bool is_over, is_changed;
	bool is_activated;  /* the listener is systemd's */
	uint64_t needed_ns; /* when there was a session last, or somebody asked */

	int listener;
	struct door_client clients[DOOR_CLIENTS_MAX];

	unsigned char key[TOKEN_KEY_BYTES];
	struct question *questions[QUESTIONS_MAX];
	size_t n_questions;
	struct pending pending[PENDING_MAX];
	/* MACs of tokens that were taken, so that one that is fetched again is no attempt. */
	char accepted[ACCEPTED_MAX][48];
	size_t n_accepted;
	uint64_t n_answers, n_attempts;

	struct hand desktop, webhook, links;
	struct event events[EVENTS_MAX];
	uint64_t next_flight, poll_flight, poll_next_ns;
	uint64_t n_delivered, n_lost;

	char problems[PROBLEMS_MAX][PROBLEM_SIZE];
	size_t n_problems;
	struct strbuf packet;
};

/* Tells the user, and keeps it for `holdfast broker --status`. The same as the last is not said
 * again. */
void broker_say(struct broker *b, const char *fmt, ...) _printf_(2, 3);

/* board.c */
void board_update(struct broker *b);
void board_free(struct broker *b);
struct question *board_find(struct broker *b, const char *session, const char *id);
/* Of the question's session. Return: false: it has gone. */
bool board_session(struct broker *b, const char *name, size_t *ret_index,
		   struct roster_session *ret);
/* A question ended: each hand takes back what it has shown. */
void board_forget(struct broker *b, size_t i);

/* answers.c */
/* Sends an answer. Return: 0, and answers_done() follows; -errno. */
int answers_send(struct broker *b, const struct question *q, bool approve, const char *via,
		 uint64_t link);
/* The roster's. */
void answers_done(void *arg, const char *session, const struct control_request *q, int r,
		  const json_t *reply);
/*
 * Uses the token @text. Return: 0: it is on its way (and @link hears what comes of it); else an
 * HTTP status, with what to say in @ret_why.
 */
int answers_use(struct broker *b, struct bytes text, const char *via, uint64_t link,
		const char **ret_why);
/* Whether it could be used; a look is no attempt unless it is forged. *ret: its question. */
int answers_look(struct broker *b, struct bytes text, const char *via, struct token *ret_token,
		 struct question **ret, const char **ret_why);
/* The session's log is told of somebody who was refused. @what: see protocol.h. */
void answers_report(struct broker *b, const char *session, const char *what);

/* desktop.c, webhook.c, links.c: what is due. */
void desktop_tick(struct broker *b, uint64_t now_ns);
void desktop_read(struct broker *b);
void desktop_forget(struct broker *b, struct question *q);
void webhook_tick(struct broker *b, uint64_t now_ns);
void webhook_read(struct broker *b);
void webhook_forget(struct broker *b, struct question *q);
uint64_t webhook_next_ns(const struct broker *b);
void webhook_free(struct broker *b);
void links_tick(struct broker *b, uint64_t now_ns);
void links_read(struct broker *b);
/* What came of the answer that the request @link wanted. */
void links_reply(struct broker *b, uint64_t link, unsigned status, const char *text);

/* door.c */
/* Return: 0, -EALREADY, -errno with @d. */
int door_open(struct broker *b, struct diag *d);
void door_accept(struct broker *b);
void door_read(struct broker *b, struct door_client *c);
void door_tick(struct broker *b, uint64_t now_ns);
/* Return: whether somebody came in the last moment, and the broker has to stay. */
bool door_close(struct broker *b);
void door_free(struct broker *b);
