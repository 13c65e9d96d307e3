/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One query against one policy. Inside policy/ only.
 */
#pragma once

#include "policy/index.h"

enum eval_outcome {
	EVAL_DEFAULT, /* no rule matches */
	EVAL_RULE,
	EVAL_LIMIT, /* the rule's regular expression hit its limit: deny */
};

/* The first rule that matches @q; *ret_rule is set unless EVAL_DEFAULT. Does not allocate. */
enum eval_outcome eval_first(const struct index *x, struct regex_scratch *scratch,
			     const struct policy_query *q, const struct rule **ret_rule);
/* A query whose kind and operation go together. */
bool eval_query_is_valid(const struct policy_query *q);
