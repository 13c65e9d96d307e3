/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a notification to its answer: decode, decide, record, answer. One struct supervise for a
 * session, one context for each receiver thread. What threads share is immutable (the compiled
 * stack) or locks itself (audit, held table).
 */
#pragma once

#include <stdatomic.h>

#include "approve/held.h"
#include "behalf/behalf.h"
#include "audit/audit.h"
#include "audit/redact.h"
#include "engine/engine.h"

#include "supervise/denials.h"
#include "supervise/receivers.h"

enum hold_end {
	HOLD_APPROVED,
	HOLD_DENIED,
	HOLD_TIMED_OUT,
	HOLD_INTERRUPTED, /* a signal waits for the process: the call returns as if interrupted */
	HOLD_GONE,        /* the process died */
	HOLD_SHUTDOWN,    /* the session ends */
};

struct supervise_config {
	int listener;                /* borrowed */
	struct audit *audit;         /* borrowed */
	struct held_table *held;     /* borrowed */
	const struct redact *redact; /* borrowed; NULL: records stay as they are */
	/* A log that cannot be written ends the session, by @stop; else it denies. */
	bool stops_without_log;
	struct engine_config engine;
	pid_t command;       /* the agent's first process */
	bool records_kernel; /* supervise_record_kernel() or its sibling will be used */
	/* Borrowed, with a table; NULL: the session's questions to the DNS go where they go. */
	struct names_config *names;
	/* Has @job run by a receiver thread, with a context of supervise_context_new(). */
	void (*post)(void *arg, struct receivers_job *job);
	/* Told of every hold that ended, in the main thread. May be NULL. */
	void (*hold_ended)(void *arg, const struct held *h, enum hold_end end);
	/* A budget, or a log that cannot be written, wants the session ended; @reason is borrowed.
	 * In any thread. May be NULL. */
	void (*stop)(void *arg, const char *reason);
	/* The agent makes the same denied call again and again. In any thread. May be NULL. */
	void (*looping)(void *arg, struct bytes words);
	unsigned denial_repeats; /* that begin the loop breaker; 0: there is none */
	bool denials_stop;       /* it ends the session at last */
	void *arg;
};

struct supervise;

int supervise_new(const struct supervise_config *config, struct supervise **ret) _must_check_;
struct supervise *supervise_free(struct supervise *s);

/* A receiver's own state. Return: NULL when out of memory. */
void *supervise_context_new(void *supervise);
void supervise_context_free(void *context);
/* Handles one notification to its end: answers it, or puts it into the held table. */
void supervise_handle(void *context, struct seccomp_notif *n);
/* Refuses one without a look at what it is about, which could block; audit mode lets it go on. */
void supervise_refuse(void *context, const struct seccomp_notif *n);
/*
 * Whether a signal waits for @task that ends a call which blocks: one that is neither blocked nor
 * ignored. A supervised call sleeps through it (WAIT_KILLABLE_RECV), so somebody has to look.
 */
bool supervise_is_interrupted(void *supervise, uint32_t task);

/*
 * Ends the hold of @h (consumed): records it and answers the call; what was approved is posted
 * instead, decoded again, and carried out if it is still the same, else denied with the reason
 * "changed-while-held". Does not block. @reason and @approver may have .p == NULL.
 */
void supervise_end_hold(struct supervise *s, struct held *h, enum hold_end end, struct bytes reason,
			struct bytes approver);
/*
 * Looks at held actions whose process died, or has a signal to deliver, and ends those holds.
 * Notifications wait in a killable sleep (WAIT_KILLABLE_RECV), so nothing else would tell. Bounded
 * work: call it every HOLD_SCAN_NS while anything is held.
 */
#define HOLD_SCAN_NS (100 * NS_PER_MSEC)
void supervise_scan_holds(struct supervise *s);

/* ---- what a program in the kernel decided (loader/net.h, loader/lsm.h); main thread only */

struct supervise_connection {
	struct action_connection connection;
	uint64_t time_ns;   /* CLOCK_MONOTONIC */
	uint64_t exe_inode; /* of the process's image */
	enum verdict
		verdict; /* that was carried out; VERDICT_ASK: refused, as nobody can be asked */
};

void supervise_record_kernel(struct supervise *s, const struct supervise_connection *k);

struct supervise_of_kernel {
	struct action_of_kernel action;
	uint64_t time_ns;     /* as of struct supervise_connection */
	uint64_t exe_inode;   /* likewise */
	enum verdict verdict; /* likewise */
};

void supervise_record_of_kernel(struct supervise *s, const struct supervise_of_kernel *k);

/* Answers the resolver about names, in a thread of its own, until supervise_names_stop(). Return:
 * 0, -errno. */
int supervise_names_start(struct supervise *s) _must_check_;
void supervise_names_stop(struct supervise *s);
/* The same for the leader, about what connections turn out to be. */
int supervise_looks_start(struct supervise *s) _must_check_;
void supervise_looks_stop(struct supervise *s);

/* As execs_command_stop(): a stop of the command, for the main thread. */
int supervise_command_stop(struct supervise *s);

/* The key "accepted": see accepts.h. */
void supervise_write_accepted(struct supervise *s, struct json *j);

/* As denials_fd(), denials_next(). */
int supervise_delayed_fd(const struct supervise *s);
uint64_t supervise_delayed_next(struct supervise *s);
/* Gives the answers that are due. Main thread; does not block. */
void supervise_answer_delayed(struct supervise *s);
/* As denials_why(). */
void supervise_why(struct supervise *s, const char *id, struct json *j);

/* Why the first exec of the command itself was denied: "policy 'p', rule 'r': reason". Valid once
 * that exec has failed;
 * "" when it was not denied by us. */
const char *supervise_command_denial(const struct supervise *s);
