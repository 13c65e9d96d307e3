/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A directory that moves takes what is below it to other names, and names are what rules speak of.
 * Inside policy/ only; policy_stack_eval_move() is what others call.
 */
#pragma once

#include "policy/document.h"

/*
 * The strictest rule of @p that asks or denies and that speaks of other things below @from than
 * below @to: what moves gets out of its reach, or into it without having been asked about. NULL:
 * none. @is_directory: see policy_stack_eval_move().
 */
const struct rule *moves_find_rule(const struct policy *p, struct bytes from, struct bytes to,
				   bool is_directory);
