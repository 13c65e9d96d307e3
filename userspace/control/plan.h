/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan of a session: which layer carries out each class of action, and why. What
 * `session_start` records and what `policy explain --plan` prints comes from here.
 */
#pragma once

#include "loader/filter.h"
#include "policy/policy.h"

#define PLAN_CLASSES 5

struct plan_layer {
	const char *class; /* "tool", "path-read", "path-write", "network", "system" */
	const char *layer; /* "seccomp-notify"; "none": it is not trapped */
	const char *why;
};

/* What the filter of a session under @stack traps. */
struct filter_plan plan_of(const struct policy_stack *stack);
void plan_layers(const struct filter_plan *plan, struct plan_layer ret[static PLAN_CLASSES]);
