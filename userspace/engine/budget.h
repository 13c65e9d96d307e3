/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a session has used up, and what its policies' budgets say to that. One for a session, shared
 * by the receivers and the main thread; locks itself, and does not allocate after budget_new().
 * Pure: the caller gives the time (CLOCK_MONOTONIC, nanoseconds).
 *
 * Counts are the session's, whoever of its policies limits them. An action is counted when it is
 * let through: at once, or when the hold on it was approved.
 */
#pragma once

#include "policy/policy.h"

#define BUDGET_RULE       "budget" /* the rule that a record names */
#define BUDGET_REASON_MAX 192

struct budget;

/* What an action counts as. Without pointers, so that it may outlive the action. */
struct budget_action {
	uint32_t ops; /* OP_BIT()s of all its steps */
	bool is_exec;
	bool is_device;  /* it writes to nothing but terminals, /dev/null and the like: nothing of
			    it comes to storage */
	bool is_connect; /* to an IP address: connects, and sends that name where to */
	double cost;     /* charged for exec and connect */
	uint64_t hash;   /* of what it does, for the loop guard; 0: do not look */
};

struct budget_answer {
	enum verdict verdict;        /* ALLOW; FLAG: a soft limit was crossed just now; ASK; DENY */
	enum verdict advised;        /* as if the budgets of audit policies counted too */
	bool is_stop;                /* DENY, and the session is to be ended */
	const struct policy *policy; /* whose budget it is; NULL: of none */
	const struct policy *advised_policy; /* likewise of @advised */
	char reason[BUDGET_REASON_MAX];
	char advised_reason[BUDGET_REASON_MAX];
};

/* @stack is borrowed. @now_ns: the session's start. Return: 0, -ENOMEM. */
int budget_new(const struct policy_stack *stack, uint64_t now_ns, struct budget **ret) _must_check_;
struct budget *budget_free(struct budget *b);

/* Would @a be let through? Counts nothing. */
void budget_check(struct budget *b, const struct budget_action *a, uint64_t now_ns,
		  struct budget_answer *ret);
/*
 * As budget_check(), and counts @a if the answer is ALLOW or FLAG. @is_approved: a person has
 * agreed, so what would be ASK is let through; DENY stays.
 */
void budget_charge(struct budget *b, const struct budget_action *a, bool is_approved,
		   uint64_t now_ns, struct budget_answer *ret);
/* Money that is gone already. Always counted; DENY says that it is more than there was. */
void budget_spend(struct budget *b, double amount, struct budget_answer *ret);

/* By the session until now. Takes no lock. */
double budget_spent(const struct budget *b);
/* Some budget has a loop guard: actions need their hash. */
bool budget_needs_hash(const struct budget *b);

struct budget_totals {
	double spent;    /* charged and reported */
	double reported; /* budget_spend() */
	uint64_t n_reports;
	bool has_remaining; /* some enforced budget limits spend */
	double remaining;   /* the least of them; not below 0 */
	uint64_t execs, connects, bytes_written;
};

void budget_get_totals(struct budget *b, struct budget_totals *ret);

/* Some budget limits what is written: budget_set_bytes_written() is wanted. */
bool budget_limits_bytes(const struct budget *b);
void budget_set_bytes_written(struct budget *b, uint64_t bytes);
/* When a budget wants the session ended because of its age; UINT64_MAX: never. */
uint64_t budget_stop_ns(const struct budget *b);
/* Some budget that ends the session is used up, whether or not anybody acts: time, bytes, spend.
 * @ret gets the reason. */
bool budget_must_stop(struct budget *b, uint64_t now_ns, struct budget_answer *ret);

/* The accounts that budgets name, for whoever keeps them. NULL: there is no @i-th. */
const char *budget_account(const struct budget *b, size_t i);
/* What others than this session have spent on the @i-th account. */
void budget_set_others(struct budget *b, size_t i, double spent);
