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
/* A service that answers questions for names, at which the resolver would not see them. Programs
 * that cannot reach it ask the DNS themselves. */
bool engine_is_other_resolver(const struct action_step *s);
