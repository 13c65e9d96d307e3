/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supervisor's state, shared by session.c (setting up, taking down), session_loop.c (events)
 * and session_record.c (the session's own records). Main thread only.
 */
#pragma once

#include "approve/prompt.h"
#include "audit/audit.h"
#include "control/plan.h"
#include "control/server.h"
#include "control/session.h"
#include "loader/features.h"
#include "loader/spawn.h"
#include "supervise/receivers.h"
#include "supervise/supervise.h"

#define SESSION_N_OWN_LIMITS 2

struct session {
	const struct session_config *config;
	const sigset_t *original_mask;
	struct spawn_limit original_limits[SESSION_N_OWN_LIMITS];
	int sock; /* to the launcher; -1 once it has gone */

	struct features features;
	struct filter_plan plan;
	struct audit *audit;
	struct held_table *held;
	struct control_server *server;
	struct prompt *prompt; /* NULL unless --ask terminal */
	struct supervise *supervise;
	struct receivers *receivers;

	int listener;
	int exec_status;
	int epoll;
	int signals;
	int timer;

	pid_t command;
	bool has_exited; /* the command has, with wait_status */
	bool has_told;   /* the launcher knows the result */
	bool is_over;    /* no process of the session is left */
	int wait_status;
	uint64_t started_ns;
	uint64_t last_held_seq;   /* of the newest hold that was announced */
	uint64_t prompt_retry_ns; /* when to try the question again; 0: at once */
	uint64_t next_scan_ns;    /* of held actions; 0: none is due */
	bool prompt_is_gone;      /* the terminal has gone: questions wait for another answer */
};

/* session_loop.c */
int session_loop_init(struct session *s);
void session_loop(struct session *s);
void session_hold_ended(void *arg, const struct held *h, enum hold_end end);
extern const struct control_ops session_control_ops;

/* session_record.c */
int session_record_start(struct session *s);
int session_record_end(struct session *s);
void session_status_json(void *arg, struct json *j);
