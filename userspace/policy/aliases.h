/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names that operations answer to beside a program's own, so that rules written for
 * tool-calling frameworks work on what a process really does. One table for action/, which gives
 * the names to a query, and for the compiler, which must know whether a tool rule can reach an
 * operation at all.
 */
#pragma once

#include "policy/policy.h"

#define POLICY_MAX_ALIASES 5

/* Return: the names, *ret_n of them; at most POLICY_MAX_ALIASES, may be none. */
const struct policy_name *policy_op_aliases(enum action_op op, size_t *ret_n);
