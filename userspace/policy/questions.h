/* SPDX-License-Identifier: Apache-2.0 */
/* Limits on questions to the DNS, for the stack. Inside policy/ only. */
#pragma once

#include "policy/policy.h"

#define QUESTIONS_RULE "questions" /* the rule that a record names */

/* Whether a limit of @p refuses @query, which may be anything. Return: the reason, static; NULL: no
 * limit does. */
const char *questions_refuse(const struct policy *p, const struct policy_query *query);
/* Shannon's, in bits for each character; upper and lower case are one. */
double questions_entropy(struct bytes label);
