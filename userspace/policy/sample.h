/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Actions that a policy speaks of, made from its patterns, and some that every agent does: what two
 * policies are compared on.
 */
#pragma once

#include "base/arena.h"
#include "policy/policy.h"

struct policy_sample {
	enum action_kind kind;
	enum action_op op;
	const struct bytes *argv; /* tool */
	size_t argc;
	struct bytes path; /* path */
	struct bytes host; /* network: an address or a name */
	uint16_t port;
	enum policy_protocol protocol;
};

typedef int (*policy_sample_fn)(void *ctx, const struct policy_sample *sample);

/* What is told lives in @mem. Return: 0; what @fn returned when that is not 0; -ENOMEM. */
int policy_samples(const struct policy *p, struct arena *mem, policy_sample_fn fn,
		   void *ctx) _must_check_;
int policy_common_samples(const struct policy_vars *vars, struct arena *mem, policy_sample_fn fn,
			  void *ctx) _must_check_;
