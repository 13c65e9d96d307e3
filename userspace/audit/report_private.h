/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What report.c collects and report_finish.c puts into JSON. Inside audit/ only.
 */
#pragma once

#include "audit/activity.h"
#include "audit/proctree.h"
#include "audit/report.h"
#include "audit/report_agentpolicy.h"

/* A list of distinct things with how often each was met. */
struct tally {
	json_t *items;     /* object: key of the thing -> {kind, op, object, ..., count} */
	uint64_t unlisted; /* records about things that were not kept */
};

/* A log of several. */
struct report_log {
	json_t *name;
	bool is_live;
};

/* A session of several. */
struct report_session {
	json_t *first, *end;
	json_t *log; /* the name of its file */
	bool is_live;
	uint64_t n_records, total, denied;
};

struct report {
	json_t *start, *end; /* session_start and session_end, NULL when not there */
	json_t *first;       /* the first record, for the session's name */
	uint64_t first_ns, last_ns;
	uint64_t last_seq, missing;
	uint64_t damaged_lines, earlier_sessions;
	uint64_t total, by_verdict[_VERDICT_MAX], would_have[_VERDICT_MAX], by_kind[_KIND_MAX];
	struct tally denied, flagged, would_deny;
	json_t *holds; /* object: id -> entry */
	/* Equal actions that wait together are one question. Objects: of what waits, id -> digest
	 * of the action, and digest -> how many. */
	json_t *waiting, *asking;
	uint64_t n_questions;
	uint64_t n_holds, n_approved, n_denied, n_timed_out, n_gone;
	uint64_t holds_unlisted;
	json_t *notices;
	uint64_t notices_unlisted;
	struct activity *activity;
	struct proctree *tree;
	struct agentpolicy_report *agentpolicy;
	/* Of all sessions together. */
	struct report_config config;
	json_t *sessions; /* array; NULL: one session's report */
	uint64_t sessions_unlisted;
	struct report_log log;     /* the file that is being read */
	struct report_session now; /* and the session */
};

void report_session_fini(struct report_session *s);
/* Enters the session that has been read into the list of several. Return: 0, -ENOMEM. */
int report_end_session(struct report *r);
