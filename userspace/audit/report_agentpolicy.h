/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys of AgentPolicy's report (compat.md 3.5), from a log: kernel actions are what they are to
 * AgentPolicy: network is http, spend is cost, everything else is a tool. A hold is a decision of
 * its own, require_approval, before the one with the answer, as it is there. Lists are bounded as
 * the report's others.
 */
#pragma once

#include "audit/reader.h"

struct agentpolicy_report;

struct agentpolicy_report *agentpolicy_report_new(void); /* NULL: out of memory */
struct agentpolicy_report *agentpolicy_report_free(struct agentpolicy_report *r);
/* Takes a record of an action or a hold, whose words have been checked. Return: 0, -ENOMEM. */
int agentpolicy_report_add(struct agentpolicy_report *r, const struct reader_line *line,
			   enum action_kind kind, enum verdict verdict);
/* The records that follow are another session's. */
void agentpolicy_report_next_session(struct agentpolicy_report *r);
/* Sets the keys in @report. @start and @end: session_start and session_end; NULL: not there.
 * Return: 0, -ENOMEM. */
int agentpolicy_report_finish(const struct agentpolicy_report *r, const json_t *start,
			      const json_t *end, json_t *report);
