/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket of a session, RUNTIME_DIR/SESSION.sock (protocol.h): how a person at another
 * terminal sees and answers held actions. Lives in the supervisor's main thread; never blocks;
 * lockstep: each request has one reply.
 *
 * Who may: the session's user and root, and by a socket of their own (is_for_approvers) those whom
 * a rule names, unless the peer is in the session's own process tree. An agent, whatever its uid,
 * can never answer. See peer.h for how that is told.
 */
#pragma once

#include "approve/held.h"
#include "base/diag.h"
#include "base/json.h"
#include "policy/answer.h"

#define CONTROL_MAX_CLIENTS 32
#define CONTROL_IDLE_NS     (30 * NS_PER_SEC)
#define CONTROL_HISTORY     256 /* ended held actions that are remembered */

/* Money that somebody says was spent. */
struct control_report {
	double amount;       /* finite, not negative */
	struct bytes source; /* hostile bytes; may be empty */
	pid_t pid;
	bool is_inside;        /* a process of the session says so */
	struct bytes reporter; /* outside: "alice (pid 12 on /dev/pts/3)"; inside: .p NULL */
};

/* An answer from a person; everything borrowed. */
struct control_answer {
	const char *id;
	bool approve;
	enum answer_scope scope;
	struct answer_term term; /* ANSWER_ONCE: what waits now, and no grant is made */
	bool rest;               /* and whatever else waits under the same rule, once */
	struct bytes reason;     /* may be empty */
	struct bytes approver;   /* "alice (pid 12 on /dev/pts/3)" */
	uid_t uid;               /* theirs, as the kernel says */
};

#define CONTROL_TEXT_MAX 1024

/* What came of it. */
struct control_outcome {
	unsigned answered;        /* calls that went on or were refused */
	unsigned missing;         /* approvals that are still wanted; then nothing was answered */
	char grant[HELD_ID_SIZE]; /* "" when none was made */
	char text[CONTROL_TEXT_MAX]; /* what the grant covers, or why it could not be; clean ASCII
				      */
};

struct control_ops {
	/*
	 * Return: 0; -ENOENT (not held: never was, or has ended); CONTROL_E_LIMIT,
	 * CONTROL_E_REPEATED, CONTROL_E_STORE with @ret->text; -errno.
	 */
	int (*answer)(void *arg, const struct control_answer *a, struct control_outcome *ret);
	/* Adds the grant of place @i, one object, to the array of a reply. Return: whether there is
	 * one. */
	bool (*grant)(void *arg, size_t i, struct json *j);
	/* Return: 0; -ENOENT; CONTROL_E_STORE with @ret->text. */
	int (*revoke)(void *arg, const char *id, struct bytes approver,
		      struct control_outcome *ret);
	/* Adds `denials` to the open object of the reply: the one of the held action @id, "" the
	 * last. */
	void (*why)(void *arg, const char *id, struct json *j);
	/* Adds keys to the open object of a status reply: agent, command, counts; session and pid
	 * are there. */
	void (*status)(void *arg, struct json *j);
	/* Somebody who may not was refused; @note is one sentence for the log. At most one call a
	 * second. */
	void (*attempt)(void *arg, struct bytes note);
	/* Counts @report, and adds spent, remaining, exceeded and (then) message to the open object
	 * of the reply. */
	void (*spend)(void *arg, const struct control_report *report, struct json *j);
};

struct control_server_config {
	const char *runtime_dir; /* dirs_runtime(); made with 0700 when missing */
	const char *session;     /* the session's id; no '/', not empty */
	pid_t supervisor;        /* the root of the session's process tree */
	uid_t owner;             /* whose session this is */
	struct held_table *held; /* borrowed, for listing */
	const struct control_ops *ops;
	void *arg;
	/*
	 * Makes it the session's spend socket instead, SESSION.spend: for processes of the session
	 * only, and for reports of spend only. @held may then be NULL.
	 */
	bool is_inside;
	/*
	 * Makes it the socket of approvers instead, SESSION.sock in a directory that others can
	 * reach: any user may connect, sees what some rule lets him answer, and answers that.
	 */
	bool is_for_approvers;
	const char *agent; /* is_for_approvers: all they are told of the session */
};

#define CONTROL_PER_USER      4  /* connections of one user to the socket of approvers */
#define CONTROL_REPORTS_PER_S 20 /* reports of spend that one socket takes, on average ... */
#define CONTROL_REPORTS_BURST 40 /* ... and at once */

enum control_end {
	CONTROL_END_APPROVED,
	CONTROL_END_DENIED,
	CONTROL_END_TIMED_OUT,
	CONTROL_END_GONE, /* the process died or was interrupted */
	_CONTROL_END_MAX,
};

struct control_server;

/* The strings of @config are copied. Return: 0; -EINVAL or -errno with @reterr_diag. */
int control_server_new(const struct control_server_config *config, struct control_server **ret,
		       struct diag *reterr_diag) _must_check_;
/* Closes all connections and unlinks the socket. NULL-safe. Return: NULL. */
struct control_server *control_server_free(struct control_server *s);
/* An epoll descriptor, readable when control_server_dispatch() has something to do. Borrowed. */
int control_server_fd(const struct control_server *s);
void control_server_dispatch(struct control_server *s);
/* Attempts are noted once a second. This notes how many came since; the server does so itself after
 * a while, so it is for the end. NULL-safe. */
void control_server_tell_untold(struct control_server *s);
/* The socket's path: what the engine must protect from the agent. Borrowed. */
const char *control_server_path(const struct control_server *s);
/*
 * The caller tells of every held action that ended, those that ops->answer() ended too, so that a
 * late answer hears how.
 * @approver may be .p NULL.
 */
void control_server_note_end(struct control_server *s, const char *id, enum control_end how,
			     struct bytes approver);
