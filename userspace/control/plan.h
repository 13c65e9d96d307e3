/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan of a session: which layer carries out each class of action, and why. What
 * `session_start` records and what `policy explain --plan` prints comes from here.
 */
#pragma once

#include "loader/filter.h"
#include "loader/landlock.h"
#include "policy/policy.h"

#define PLAN_CLASSES 12

struct plan {
	struct filter_plan filter;
	struct landlock_floor floor;
	int landlock_abi; /* 0: the kernel has none */
	/* The session begins with capabilities, and keeps only these. */
	bool drops_caps;
	uint64_t kept_caps;
	bool refuses_dumps;  /* the kernel would write core files that no policy was asked about */
	bool sees_processes; /* set by the session: the kernel tells of each (loader/sight.h) */
};

struct plan_layer {
	const char
		*class; /* "tool", "path-read", "path-write", "network", "system", "signals", ... */
	const char *layer; /* "seccomp-notify", "landlock"; "none": it is not trapped */
	const char *why;
};

/* What a session under @stack would be bound by, started by this process on this kernel. */
struct plan plan_of(const struct policy_stack *stack);
void plan_layers(const struct plan *plan, struct plan_layer ret[static PLAN_CLASSES]);
/* The Landlock ruleset for @plan, which plan_of() made of @stack. Return: a descriptor (O_CLOEXEC);
 * -ENOENT: there is nothing to hold; -errno. */
int plan_ruleset(const struct policy_stack *stack, const struct plan *plan);
