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

struct account_config {
	const char *session_id; /* copied; NULL: none */
	double budget;          /* 0: no limit */
	unsigned loop_repeats;  /* calls of one key in the window that trip the guard; 0: no guard.
				   agentbudget: 10 */
	double loop_window;     /* seconds; agentbudget: 60 */
	double soft_limit;      /* fraction of the budget; 0: none */
	bool keeps_decisions;   /* for account_add_report(); memory grows with them */
};

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
 * Writes down one decision and, if it was allowed, charges its cost. @now: seconds since 1970.
 * @error, when not NULL, is set to the text of what the original raises, borrowed until the next
 * call.
 */
enum account_event account_record(struct account *a, const struct policy_api *api,
				  const struct policy_result *result, double now,
				  const char **error);
/* A charge without a decision (`holdfast spend`). */
enum account_event account_charge(struct account *a, const char *key, double cost, double now);
/* The report of compat.md 3.5 as one JSON object. @entered: when the session began; 0: never. */
void account_add_report(const struct account *a, double entered, double now, struct strbuf *out);
