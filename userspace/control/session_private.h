/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supervisor's state, shared by session.c (setting up, taking down), session_loop.c (events),
 * session_held.c (the terminal) and session_record.c (the session's own records). Main thread only.
 */
#pragma once

#include <stdatomic.h>

#include "approve/prompt.h"
#include "audit/audit.h"
#include "audit/redact.h"
#include "control/asker.h"
#include "control/grantstore.h"
#include "control/plan.h"
#include "control/protocol.h"
#include "control/ring_reader.h"
#include "control/server.h"
#include "control/session.h"
#include "loader/features.h"
#include "loader/lsm.h"
#include "loader/net.h"
#include "loader/sight.h"
#include "loader/spawn.h"
#include "supervise/receivers.h"
#include "supervise/supervise.h"

#define SESSION_MAX_LIMITS 3

struct session {
	const struct session_config *config;
	const sigset_t *original_mask;
	struct spawn_limit command_limits[SESSION_MAX_LIMITS];
	int sock; /* to the launcher; -1 once it has gone */

	struct features features;
	struct plan plan;
	struct policy_log log; /* what the stack says of it */
	struct redact *redact;
	struct redact_scratch *scratch; /* main thread only */
	struct audit *audit;
	struct signkey *log_key; /* this session's own */
	int log_keys;            /* the list that it is registered in; -1: none */
	struct held_table *held;
	struct control_server *server;
	struct control_server *spend_server;
	struct control_server *approvers; /* NULL: no rule names any, or it cannot be had */
	char *approvers_dir;              /* NULL: likewise; protected */
	struct diag approvers_trouble;    /* why not */
	struct prompt *prompt;            /* NULL unless --ask terminal */
	struct supervise *supervise;
	struct names_config names; /* used with config->names only */
	struct budget *budget;
	struct written *written; /* NULL unless some budget limits what is written */
	struct spending *spending;
	char **environment; /* the command's; its strings are the launcher's, but for this one: */
	char *spend_variable;
	bool has_account_trouble; /* and it was noted */
	uint64_t next_sample_ns;  /* of what was written */
	uint64_t next_sync_ns;    /* of the accounts */
	struct receivers *receivers;
	struct grants *grants;         /* what the receivers look at */
	pthread_mutex_t grants_lock;   /* of the lists and the store */
	atomic_uint grants_changes;    /* how often the set has changed because the file had */
	unsigned int grants_seen;      /* of them; what waits was looked at since */
	struct grantlist own_grants;   /* for this session only */
	struct grantlist kept_grants;  /* of the file, those of other agents too */
	struct grantstore *grantstore; /* NULL: there is none, and grants_trouble says why */
	char *grants_dir;              /* protected whether or not it can be used */
	struct diag grants_trouble;

	struct plan_config plan_config;
	struct plan_part parts[_LAYER_MAX];
	char sight_reason[LAYERS_REASON_MAX]; /* what plan_part.why may point to */
	char net_reason[LAYERS_REASON_MAX];
	char lsm_reason[LAYERS_REASON_MAX];
	struct net *net;     /* NULL: the kernel does not decide on connections */
	struct lsm *lsm;     /* NULL: the kernel does not decide on files */
	struct sight *sight; /* NULL: not asked for, or lost */
	struct ring_reader readers[_LAYER_MAX]; /* of those that tell of what they see */

	int listener;
	int exec_status;
	int epoll;
	int signals;
	int timer;

	int sinks[SESSION_MAX_SINKS]; /* -1: it has gone */
	struct {
		int fd;                                  /* -1: there is none, or it has gone */
		char asked[ASKER_AT_ONCE][HELD_ID_SIZE]; /* "": a free place */
	} asker;
	pid_t command;
	bool has_exited; /* the command has, with wait_status */
	bool has_told;   /* the launcher knows the result */
	bool is_over;    /* no process of the session is left */
	int wait_status;
	atomic_flag has_stopper; /* the first that wants the session ended says why */
	char stop_reason[BUDGET_REASON_MAX];
	atomic_bool has_stop_reason; /* it is there */
	int stop;                    /* an eventfd: likewise */
	int keeper;                  /* a pidfd; -1: it was killed */
	bool is_cut;                 /* the session was ended before its time */
	uint64_t started_ns;
	uint64_t last_held_seq;   /* of the newest hold that was announced */
	uint64_t prompt_retry_ns; /* when to try the question again; 0: at once */
	uint64_t next_reap_ns;    /* children are looked at again; 0: SIGCHLD will tell */
	uint64_t next_scan_ns;    /* of held actions; 0: none is due */
	bool prompt_is_gone;      /* the terminal has gone: questions wait for another answer */
	bool is_elsewhere;        /* a program has the terminal to itself: so they do, meanwhile */
	uint64_t elsewhere_seq;   /* of the newest hold for which that was said */
};

/* session_limits.c */
int session_limits_init(struct session *s);
/* Puts together the limits that the command gets, as the plan has them. Return: how many. */
size_t session_command_limits(struct session *s);

/* session_loop.c */
int session_loop_init(struct session *s);
void session_loop(struct session *s);
/* Wants the session ended, from any thread. */
void session_stop(void *arg, const char *reason);
void session_notice(struct session *s, struct bytes note);
void session_looping(void *arg, struct bytes words);
extern const struct control_ops session_control_ops;

/* session_held.c */
void session_hold_ended(void *arg, const struct held *h, enum hold_end end);
/* What a person needs to recognise the action, in one line of clean ASCII. */
void session_describe_held(const struct held *h, struct strbuf *out);
/* Whether the rule lets the session's own user answer, who sits at the terminal. */
bool session_user_may_answer(const struct held *h);
/* Says what is held, and nobody else is asked about. */
void session_announce_all(struct session *s);
/* Those that are new. */
void session_announce(struct session *s);
/* Puts the oldest question to the terminal, if there is one and it is free. */
void session_prompt_next(struct session *s);
void session_prompt_dispatch(struct session *s);

/* session_grants.c */
/* Return: 0, -ENOMEM. A file that cannot be used is no failure: the session goes on without. */
int session_grants_init(struct session *s);
void session_grants_start(struct session *s);
/* Return: a descriptor to watch, -errno: there is none. */
void session_grants_fini(struct session *s);
/* Borrowed: what the engine must protect, so that no agent makes a file for others to find. */
const char *session_grants_dir(const struct session *s);
/* When session_grants_tick() is due, CLOCK_MONOTONIC; UINT64_MAX: never. */
uint64_t session_grants_next(struct session *s);
void session_grants_tick(struct session *s);
/* The operations of control_ops. */
int session_answer(void *arg, const struct control_answer *a, struct control_outcome *ret);
bool session_grant_json(void *arg, size_t i, struct json *j);
int session_revoke(void *arg, const char *id, struct bytes approver, struct control_outcome *ret);

/* session_budget.c */
/* Before the command is started. Return: 0; -errno with @reterr_diag. */
int session_budget_init(struct session *s, struct diag *reterr_diag);
/* Borrowed; NULL: out of memory. */
char **session_environment(struct session *s);
/* When session_budget_tick() is due; UINT64_MAX: never. */
uint64_t session_budget_next(const struct session *s);
void session_budget_tick(struct session *s);
void session_budget_end(struct session *s);
void session_budget_fini(struct session *s);
void session_spend(void *arg, const struct control_report *report, struct json *j);

/* session_sinks.c: what the log's sinks have to say goes into the log. */
/* Before session_sinks_watch(), too. */
void session_sinks_init(struct session *s);
/* Return: 0, -errno. */
int session_sinks_watch(struct session *s, uint32_t source);
void session_sinks_dispatch(struct session *s);
/* Before the last record: gives them a moment to take what is there, or to say what they did not.
 */
void session_sinks_finish(struct session *s);
void session_sinks_fini(struct session *s);

/* session_ask.c: the asker's end. */
/* Return: 0, -errno. */
int session_ask_init(struct session *s, uint32_t source);
void session_ask_fini(struct session *s);
/* Puts what is held and not yet asked to the asker; without one, denies it. */
void session_ask_next(struct session *s);
/* Whether the asker is asked about @h, or denies it. */
bool session_ask_takes(const struct session *s, const struct held *h);
void session_ask_ended(struct session *s, const char *id);
void session_ask_dispatch(struct session *s);

/* session_sight.c: the kernel's account of the session's processes, where it is asked for. */
/* While the session has no other child: has it loaded, if it is wished for. What came of it is in
 * s->parts. */
void session_sight_init(struct session *s);
/*
 * The command has been started, and what is started from here on is none of the session. Before the
 * plan is recorded: without a loader it has no such layer. Return: 0; -errno: it was forced, and is
 * lost.
 */
int session_sight_seal(struct session *s);
/* Return: 0, -errno. */
int session_sight_watch(struct session *s, uint32_t ring, uint32_t loader);
/* The loader has ended. */
void session_sight_lose(struct session *s);
/* Records what there still is. */
void session_sight_end(struct session *s);

/* session_net.c: the plan, and the kernel's own verdicts on connections. */
/*
 * The session's plan, and what is loaded for it. Before the session has any other child. Return: 0;
 * -ECANCELED: a layer that was forced cannot be had, and that was told.
 */
int session_plan(struct session *s);
/* Return: 0, -errno. */
int session_net_watch(struct session *s, uint32_t source);
/* Records what there still is. Nobody may be left in the session. */
void session_net_end(struct session *s);

/* session_lsm.c: what the kernel decided on files; as session_net.c. */
/* As session_sight_init(), and the last to be loaded: who is started after it is the session's. */
void session_lsm_init(struct session *s);
int session_lsm_watch(struct session *s, uint32_t source);
void session_lsm_end(struct session *s);

/* session_record.c */
int session_record_start(struct session *s);
int session_record_end(struct session *s);
void session_status_json(void *arg, struct json *j);
