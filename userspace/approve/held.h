/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Held actions: notifications whose verdict is ask, waiting for an answer or a deadline. The table
 * owns copies of all that a person needs to see and of all that the final record needs; nothing in
 * it points into a receiver's arena, and nothing is kept open: thousands may be held. What an
 * answer needs to be about the same action is the call as it came and the action's identity.
 *
 * Threads: receivers add, the supervisor's main thread does the rest; the table has a mutex of its
 * own.
 */
#pragma once

#include <linux/seccomp.h>

#include "action/identity.h"
#include "audit/record.h"
#include "base/json.h"
#include "engine/engine.h"

#define HELD_ID_SIZE 9     /* 8 letters and digits, random, and a NUL */
#define HELD_MAX     10000 /* over this an ask is denied: reason held-limit */

struct held_table;

struct held {
	char id[HELD_ID_SIZE];
	uint64_t seq;      /* order of arrival, from 1 */
	uint64_t question; /* to the DNS (supervise/names.c): there is no notification; else 0 */
	struct seccomp_notif notif;
	struct action_identity identity;
	pid_t tid;
	/* CLOCK_MONOTONIC: it stands still while the machine is suspended, when nobody can answer,
	 * and nothing that is done to the time of day moves it. */
	uint64_t since_ns;
	uint64_t deadline_ns;
	/* Its strings, argv too, belong to this struct; syscall and layer are static. */
	struct audit_record record;
	const struct policy_ask *ask; /* of the rule; belongs to the policy stack. NULL: none */
	struct budget_action charge;  /* when it is approved */
	bool has_met;                 /* who listens there was seen */
	bool is_led;                  /* a connection that is looked into when it is approved */
	struct grant_subject subject; /* its strings belong to this struct; n_objects 0: none */
	/*
	 * Equal actions under one rule are one question: of those that held_table_each() shows, the
	 * oldest is_first, and n_same are held. Valid while the function runs, and in a copy.
	 */
	bool is_first;
	unsigned n_same;
	unsigned n_before; /* how often it was asked before in this session, about; not those that
			      are held now */
	/* Those who approved it, where several must. As above. */
	uid_t approved_by[POLICY_MAX_APPROVALS];
	unsigned n_approved;
	struct held *next; /* of those that were taken together */
};

/* What to put on hold; everything is copied, but for @ask. */
struct held_request {
	uint64_t question; /* see above */
	struct seccomp_notif notif;
	struct action_identity identity;
	const struct audit_record *record;
	const struct policy_ask *ask; /* outlives the table; NULL: the table's timeout, and no
					 approvers */
	struct budget_action charge;
	bool has_met; /* who listens there was seen */
	bool is_led;  /* a connection that is looked into once it is approved */
	const struct grant_subject *subject; /* NULL: it is like no other, and no grant covers it */
	/*
	 * Called, unless NULL, with the id and the table locked, before anybody else can see the
	 * action: what it records comes before what an answer records. Not 0 from it cancels.
	 */
	int (*before)(void *arg, const char *id);
	void *arg;
};

int held_table_new(uint64_t timeout_ns, struct held_table **ret) _must_check_;
/* Answers nothing; the caller has emptied it. */
struct held_table *held_table_free(struct held_table *t);
/* eventfd, readable when something was added since the last held_table_ack(). Borrowed. */
int held_table_fd(const struct held_table *t);
void held_table_ack(struct held_table *t);

/*
 * Return: 0 and the id in @ret_id; -ENOSPC at HELD_MAX; -ENOMEM; what @q->before returned.
 */
int held_table_add(struct held_table *t, const struct held_request *q,
		   char ret_id[static HELD_ID_SIZE]);
/* The rule's ask of a held action. Return: 0 and *ret, which may be NULL; -ENOENT. */
int held_table_get_ask(struct held_table *t, const char *id, const struct policy_ask **ret);
/* Takes one out, so that nobody else can answer it. Return: owned by the caller, or NULL. */
struct held *held_table_take(struct held_table *t, const char *id);
/* Takes it, first, and those that are the same question. Return: a list by ->next, or NULL. */
struct held *held_table_take_same(struct held_table *t, const char *id);
/* Takes those for which @fn, called with the table locked, is true. Return: likewise. */
struct held *held_table_take_if(struct held_table *t, bool (*fn)(const struct held *h, void *arg),
				void *arg);
/* A copy, for whoever answers to look at. NULL: not held, or out of memory. */
struct held *held_table_copy(struct held_table *t, const char *id);
/*
 * @uid approves, where several must: the question is asked on. Return: how many different users
 * have; -ENOENT: not held; -EALREADY: this one had; -ENOSPC.
 */
int held_table_approve(struct held_table *t, const char *id, uid_t uid);
/* Takes any one whose deadline has passed at @now_ns. NULL when none. */
struct held *held_table_take_expired(struct held_table *t, uint64_t now_ns);
struct held *held_table_take_any(struct held_table *t);
struct held *held_free(struct held *h);
size_t held_table_count(struct held_table *t);
/* The earliest deadline, UINT64_MAX when empty. O(log n) or better. */
uint64_t held_table_next_deadline(struct held_table *t);
/* Calls @fn with the table locked, oldest first, until it returns false. */
void held_table_each(struct held_table *t, bool (*fn)(const struct held *h, void *arg), void *arg);
/* As above, from the first that arrived after the one with ->seq @after_seq (which may be gone). */
void held_table_each_after(struct held_table *t, uint64_t after_seq,
			   bool (*fn)(const struct held *h, void *arg), void *arg);
/* Whether an answer to @h may be a grant that covers so much and holds so long; @term NULL: for any
 * time at all. */
bool held_can_grant(const struct held *h, enum answer_scope scope, const struct answer_term *term);
/*
 * One JSON object that describes @h for `holdfast held --json`, with seconds left at @now_ns. Of
 * each string, and of all arguments together, at most about @max_bytes raw bytes: head, "...[N
 * bytes]...", tail; then "truncated" is true.
 */
void held_to_json(const struct held *h, uint64_t now_ns, size_t max_bytes, struct json *j);
