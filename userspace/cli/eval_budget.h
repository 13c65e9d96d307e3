/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Native budgets in `policy eval`: what a session would say once they are used up. AgentPolicy's
 * own budget is part of its decision and is not looked at here.
 */
#pragma once

#include "engine/budget.h"
#include "policy/apiaction.h"

/* NULL in *ret when no native policy of @stack has a budget. Return: 0, -ENOMEM. */
int eval_budget_new(const struct policy_stack *stack, struct budget **ret) _must_check_;
/*
 * Tightens @r to what the budgets say to the action that @q is a step of, and counts it if it goes
 * ahead. Texts of @r may point into @answer from then on.
 */
void eval_budget_apply(struct budget *b, const struct policy_query *q, struct policy_result *r,
		       struct budget_answer *answer);
