/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands that AgentPolicy's own program has: `holdfast policy validate FILE`, `policy explain
 * FILE` and `policy demo FILE`, with its texts and exit statuses. Each returns the exit status.
 */
#pragma once

#include "policy/policy.h"

/* `policy validate`: "Policy valid: <path>", a policy of any language. @argv starts with its own
 * name. */
int policy_validate(int argc, char **argv);
/* `policy demo`: three checks in a session "pol_demo", then its report. */
int policy_demo(int argc, char **argv);
/* `policy explain FILE` without an action: what the policy can check, as JSON. @p is an AgentPolicy
 * document, @path what the user called it. */
int policy_explain_agentpolicy(const struct policy *p, const char *path);
