/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the receivers' half (supervise.c) and the main thread's half (holds.c) share. Not for other
 * modules.
 */
#pragma once

#include "behalf/behalf.h"
#include "behalf/domains.h"

#include "supervise/accepts.h"
#include "supervise/execs.h"
#include "supervise/images.h"
#include "supervise/supervise.h"

struct supervise {
	struct supervise_config config;
	int proc; /* O_PATH of our /proc */
	/* A chroot, mount or setns was let through: each receiver tells its decoder before it
	 * decodes on. */
	atomic_bool foreign_roots;
	struct action_epoch epoch;
	struct action_hidden hidden;
	struct action_home *home;
	struct execs *execs;
	struct denials *denials;
	struct domains *domains;
	struct accepts *accepts;
	struct names_desk *names;       /* names.c; NULL: there is none */
	struct looks_desk *looks;       /* looks.c; likewise */
	struct redact_scratch *scratch; /* main thread only; NULL: nothing is redacted */
	struct context *kernel;         /* the main thread's own; NULL: no program decides */
	struct images *images;          /* likewise */
	/* Written by the receiver that denies the command's own exec, before that exec can fail and
	 * be asked about. */
	char command_denial[512];
	atomic_bool is_ending; /* by supervise_stop() */
	uint64_t scan_cursor;  /* main thread only: the ->seq after which the next scan of the holds
				  goes on */
};

/* A receiver's own state; one thread each. */
struct context {
	struct supervise *supervise;
	struct action_decoder *decoder;
	struct engine *engine;
	struct behalf *behalf;
	struct redact_scratch *scratch;      /* NULL: nothing is redacted */
	struct strbuf steps;                 /* of the action at hand, as its record has them */
	struct strbuf domains;               /* likewise */
	struct behalf_met met;               /* whom the action at hand would connect to */
	char listener[POLICY_LISTENER_SIZE]; /* likewise, as its record has it */
	bool knows_foreign_roots;
};

/* What @a and the decision on it are in a record. */
void supervise_fill_record(struct audit_record *r, const struct action *a,
			   const struct decision *d);
/* The names by which the first step was decided on, in @text, which the record borrows. */
#define SUPERVISE_DOMAINS_BYTES ((NAMES_AT_ADDRESS + 1) * (DNS_NAME_SIZE + 4))
void supervise_add_domains(struct strbuf *text, const struct decision *d, struct audit_record *r);
/*
 * meet.c: finds out who listens for @a, for the engine to decide on. Return: 0; -ECANCELED: the
 * call was answered, or nobody waits any more.
 */
int supervise_meet(struct context *c, const struct seccomp_notif *n, struct action *a) _must_check_;
/* Who was met, which the record borrows. */
void supervise_add_listener(struct context *c, const struct action *a, struct audit_record *r);
/* How a connection is made is settled with the verdict, which knew the names of its address. */
void supervise_settle_lead(struct action *a, bool is_led, bool is_approved);
/* Appends to the log; a log that fails may end the session. Return: 0, -errno. */
int supervise_record(struct supervise *s, const struct audit_record *r);

/*
 * Appends the record of a denied action, and answers it with @error: at once, or later where the
 * agent repeats itself. It is refused whether or not it can be recorded.
 */
void supervise_deny(struct supervise *s, uint64_t id, const struct audit_record *r, int error);
/* Answers what was denied and recorded, not before @delay_ns; while the session ends, the caller
 * waits for that. */
void supervise_answer_denied(struct supervise *s, uint64_t id, int error, uint64_t delay_ns);
/* Has the session ended, where it can be. The call that led to it is answered after this. */
void supervise_stop(struct supervise *s, const char *reason);

/* The same of what was refused already. Return: how long to wait with an answer. */
uint64_t supervise_note_denial(struct supervise *s, const struct audit_record *r);
/* Return: 0, -ENOMEM. */
int supervise_kernel_init(struct supervise *s) _must_check_;
void supervise_kernel_fini(struct supervise *s);

/*
 * Answers. Both may fail with -ENOENT when the process died or was interrupted meanwhile; then
 * there is nobody left to answer, and nothing was let through.
 */
int supervise_answer_errno(int listener, uint64_t id, int error);
int supervise_answer_continue(int listener, uint64_t id);

/* action_decode(), which knows by then of each mount that was let through. */
void supervise_decode(struct context *c, const struct seccomp_notif *n, struct action *ret);

/* names.c: the hold of a question ended, and who waits for the answer is told. Main thread. */
void supervise_answer_question(struct supervise *s, uint64_t question, bool is_allowed);
/* Puts what @q says on hold, recorded as @r. Return: 0; -errno: it is not held, and not recorded.
 */
int supervise_hold(struct supervise *s, struct held_request *q, struct audit_record *r);

/* What the record of @a says, that is written before it is carried out. */
enum audit_result supervise_result_of(const struct action *a);
/*
 * Carries out an action that was allowed and recorded, and answers with what came of it. Return: 0,
 * also when nobody waits any more; -ESTALE: what was judged is there no longer, and nothing was
 * done or answered: decode and decide anew.
 */
int supervise_carry_out(struct context *c, const struct seccomp_notif *n,
			const struct action *a) _must_check_;
/* exec_record.c: execs.h, and the record of an exec that came to something else. */
void supervise_carry_out_exec(struct context *c, const struct seccomp_notif *n,
			      const struct action *a);
/* Whether the caller runs what was judged. False: it was killed, and recorded. */
bool supervise_check_exec(struct context *c, const struct action *a);

/*
 * With what a call fails that is to end because its thread got a signal: the kernel's "restart this
 * call", where that signal is certain to be there, else EINTR.
 */
int supervise_interrupt_errno(pid_t tid);
