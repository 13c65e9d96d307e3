/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Accounting of one session: what was spent, how often what was done, and AgentPolicy's report on
 * it. Pure: the caller says what time it is, and serialises calls. AgentPolicy and agentbudget are
 * reproduced as shared/reference/compat.md sections 3 and 4 describe them.
 */
#pragma once

#include "base/strbuf.h"
#include "policy/apiaction.h"
#include "policy/policy.h"

struct account;

/* agentbudget 0.3.0's guard, which AgentPolicy inherits. */
#define ACCOUNT_LOOP_REPEATS 10
#define ACCOUNT_LOOP_WINDOW  60.0

struct account_config {
	const char *session_id; /* copied; NULL: none */
	double budget;          /* 0: no limit */
	unsigned loop_repeats;  /* calls of one key in the window that trip the guard; 0: no guard.
				   agentbudget: 10 */
	double loop_window;     /* seconds; agentbudget: 60 */
	double soft_limit;      /* fraction of the budget; 0: none */
	bool keeps_decisions;   /* for account_add_report(); memory grows with them */
};

/* What an AgentPolicy session is accounted with; policies of other languages: what their `budget`
 * says. Leaves the session's id and @keeps_decisions to the caller. */
struct account_config account_config_of(const struct policy *p);

int account_new(const struct account_config *config, struct account **ret) _must_check_;
struct account *account_free(struct account *a);

double account_spent(const struct account *a);
/* 0.0 when there is no budget. */
double account_remaining(const struct account *a);

enum account_event {
	ACCOUNT_OK,
	ACCOUNT_SOFT_LIMIT, /* crossed just now; told once */
	ACCOUNT_LOOP,       /* the guard tripped; the cost stays charged (compat.md 3.6) */
};

/*
 * Writes down one decision and, if it was allowed, charges its cost: the action's own, or
 * @result's when that is larger. A result with an error is not written down, as the original
 * raises before it would. @now: seconds since 1970. @error, when not NULL, is set to the text of
 * what the original raises, else NULL; borrowed until the next call. Texts and values are copied.
 */
enum account_event account_record(struct account *a, const struct policy_api *api,
				  const struct policy_result *result, double now,
				  const char **error);
/* The same for any query; a kernel action is reported as the tool or http action that it is to
 * AgentPolicy. */
enum account_event account_record_query(struct account *a, const struct policy_query *q,
					const struct policy_result *result, double now,
					const char **error);
/* A charge without a decision (`holdfast spend`). Guarded against loops under @key like calls are;
 * NULL: not guarded. */
enum account_event account_charge(struct account *a, const char *key, double cost, double now);
/* The report of compat.md 3.5 as one line with one JSON object, or {"error": ..} when the original
 * raises. Numbers are Python's: NaN and Infinity may come. @entered: when the session began; 0:
 * never. */
void account_add_report(const struct account *a, double entered, double now, struct strbuf *out);
