/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From what happened to a policy that would have allowed it: records of logs are counted, names are
 * generalised with care, and the rest is written as native rules. Pure: opens nothing, runs
 * nothing. What a record says is as untrusted as the agent that it is about, so everything is
 * bounded.
 */
#pragma once

#include "audit/reader.h"
#include "policy/policy.h"

#define LEARN_MAX_RULES 300 /* the default of --max-rules */

/* One thing of an action, as a policy is asked about it. */
struct learn_step {
	enum action_op op;
	struct bytes path;        /* a file, an image, a unix socket; .p NULL: none */
	const struct bytes *argv; /* OP_EXEC */
	size_t argc;
	struct bytes host; /* an address; .p NULL: none */
	uint16_t port;
	struct bytes name; /* OP_RESOLVE: what is asked for */
};

struct learn_config {
	struct policy_vars vars;
	const char *name;      /* of the policy */
	const char *from;      /* what was learned from, for the first line */
	const char *extends;   /* the policy that the rules are added to; NULL: it stands alone */
	enum verdict fallback; /* what is not learned: deny or ask */
	size_t max_rules;
	bool is_strict; /* shells and interpreters with their arguments */
	/* Whether there is nothing to learn of it; may be NULL. */
	bool (*is_known)(void *ctx, const struct learn_step *step);
	void *ctx;
};

struct learn_result {
	size_t n_rules;
	uint64_t n_actions; /* that were learned from */
	uint64_t n_refused; /* that a policy had refused: nothing is learned from these */
	uint64_t n_dropped; /* that found no room, or that no rule can be written for */
	size_t n_secrets;   /* paths that are left for a person to allow */
	unsigned level;     /* how much harder than usual was generalised: 0 is not */
};

struct learn;

/* @config is copied, its strings are borrowed. Return: 0, -ENOMEM. */
int learn_new(const struct learn_config *config, struct learn **ret) _must_check_;
struct learn *learn_free(struct learn *l);
void learn_freep(struct learn **l);
/* Notes which processes there are, so that their numbers are known in names: of all records before
 * the first learn_take(). */
void learn_note_processes(struct learn *l, const json_t *record);
/* Return: 0, -ENOMEM. */
int learn_take(struct learn *l, const json_t *record) _must_check_;
/* Writes the policy, which has been loaded once to prove it. Return: 0; -EINVAL with @d; -ENOMEM;
 * -EMSGSIZE. */
int learn_write(struct learn *l, struct strbuf *out, struct learn_result *ret,
		struct diag *d) _must_check_;
