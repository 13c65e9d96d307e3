/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes secrets out of a record before it goes anywhere: into the log's memory, the table of held
 * actions, a question on a terminal. What matched is replaced by [redacted:NAME]. The decision was
 * made on the action as it is.
 *
 * Built-in patterns know common keys and tokens (redact_table.c) and the arguments that hold a
 * password (redact_argv.c); a policy's own (`log: {redact: ...}`) come on top. What cannot be
 * searched, because a pattern hits its limit or memory is out, is replaced as a whole.
 *
 * A struct redact is immutable and may be shared; each thread has its own scratch.
 */
#pragma once

#include "audit/record.h"
#include "policy/policy.h"

/* More of one string is not looked at, nor recorded once anything of it was replaced. */
#define REDACT_TEXT_MAX (2 * AUDIT_STRING_MAX)
/* Replaced in one string; with more it goes as a whole. */
#define REDACT_SPANS_MAX 256

struct redact;
struct redact_scratch;

/* @stack: whose patterns hold, borrowed; NULL: only the built-in ones. Return: 0, -ENOMEM. */
int redact_new(const struct policy_stack *stack, struct redact **ret) _must_check_;
struct redact *redact_free(struct redact *r);

/* NULL: out of memory. */
struct redact_scratch *redact_scratch_new(void);
struct redact_scratch *redact_scratch_free(struct redact_scratch *s);

/*
 * Redacts @record's strings in place: what changes points into @s until its next use. Adds to
 * @record->redacted, and sets is_redacted.
 */
void redact_record(const struct redact *r, struct redact_scratch *s, struct audit_record *record);

static inline void redact_freep(struct redact **r)
{
	*r = redact_free(*r);
}

static inline void redact_scratch_freep(struct redact_scratch **s)
{
	*s = redact_scratch_free(*s);
}
