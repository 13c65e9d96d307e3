/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What other policies would have decided on what really happened. From each line of a log comes the
 * same action that the session's engine decided on, and the engine decides anew: steps, grants,
 * local time, budgets. So the replay of a session with its own policies gives its own verdicts.
 * What only the live session knows (bytes written, other sessions' spend) is not replayed;
 * Holdfast's own protection decided without a policy, and stays what it was.
 */
#pragma once

#include "audit/line.h"
#include "engine/engine.h"

struct replay;

enum {
	REPLAY_OTHER,     /* no action: nothing to decide on */
	REPLAY_ACTION,    /* decided */
	REPLAY_DAMAGED,   /* only `why` is set */
	REPLAY_NOT_KNOWN, /* an action that this version does not know */
};

/* Borrows from the line and the replay until the next one. */
struct replay_answer {
	const struct action *action;
	struct bytes session;
	uint64_t time_ns, seq;
	/* Then. */
	enum verdict done;       /* what was carried out */
	enum verdict old;        /* ASK when it was held, whatever came of it */
	enum verdict old_advice; /* audit mode aside */
	struct bytes old_policy, old_rule;
	/* Now. */
	struct decision decision;
	bool is_builtin;  /* Holdfast's own protection: not asked anew */
	bool is_cut;      /* arguments were not kept whole */
	bool is_redacted; /* parts of the record are hidden */
	bool has_lost_steps;
	bool lacks_cwd;      /* a rule looks at the directory, which was not kept */
	bool is_new_session; /* the first action of one */
	bool has_no_reads; /* ... whose reads were not recorded, though now a rule speaks of them */
	char why[LINE_WHY_SIZE];
};

/* @stack is borrowed. Return: 0, -ENOMEM. */
int replay_new(struct policy_stack *stack, struct replay **ret) _must_check_;
struct replay *replay_free(struct replay *r);
/* Return: REPLAY_*; -ENOMEM. */
int replay_line(struct replay *r, struct bytes text, struct replay_answer *ret);
