/* SPDX-License-Identifier: Apache-2.0 */
/* What the engine makes of the names that a session has resolved. Not for other modules. */
#pragma once

#include "action/action.h"
#include "names/table.h"

/*
 * Sets what @q says of names: what stands for the address of the step @i of @a; of a question, the
 * name that is asked for. @names may be NULL. @found keeps them for as long as @q is used.
 */
void engine_add_domains(struct names_table *names, const struct action *a, size_t i,
			uint64_t now_ns, struct names_found *found, struct policy_query *q);
/*
 * Whether the connection of @q is to be looked into; then *ret is what the most open of its names
 * comes to, as which of them is meant will be seen. Else *ret is not set.
 */
bool engine_eval_led(const struct policy_stack *stack, struct policy_scratch *scratch,
		     const struct policy_query *q, struct policy_result *ret);
/* A service that answers questions for names, at which the resolver would not see them. Programs
 * that cannot reach it ask the DNS themselves. */
bool engine_is_other_resolver(const struct action_step *s);
