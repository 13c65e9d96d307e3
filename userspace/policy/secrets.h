/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where secrets usually lie, as far as a name can tell: what `policy check` warns of when it is
 * readable, and what `holdfast learn` never lets into an allow. policies/coding-agent.yaml has
 * rules for these and for more.
 */
#pragma once

#include "base/util.h"

struct policy_secret {
	const char *glob;
	bool is_public; /* no secret after all, though a row below matches it; only for reading */
	const char *sample; /* a file that it matches, from "~" or "${project}" on, for lint to ask
			       about; NULL: none */
};

/* In this order; the first that matches decides. */
extern const struct policy_secret policy_secrets[];
extern const size_t policy_secrets_count;
