/* SPDX-License-Identifier: Apache-2.0 */
/* The lint members of struct dialect, for each dialect. Inside policy/ only. */
#pragma once

#include "policy/dialect.h"

void action_policy_rule(const void *doc, size_t i, struct dialect_rule *ret);
bool action_policy_covers(const void *doc, struct regex_scratch *scratch, size_t i, size_t j);
void action_policy_regexes(const void *doc, dialect_regex_fn fn, void *ctx);
void agentpolicy_rule(const void *doc, size_t i, struct dialect_rule *ret);
bool agentpolicy_covers(const void *doc, struct regex_scratch *scratch, size_t i, size_t j);
void agentpolicy_never(const void *doc, dialect_odd_fn fn, void *ctx);
void meshguard_rule(const void *doc, size_t i, struct dialect_rule *ret);
bool meshguard_covers(const void *doc, struct regex_scratch *scratch, size_t i, size_t j);
