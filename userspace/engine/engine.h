/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Joins policy, built-in protection and mode into a Decision. The only place that says a verdict.
 */
#pragma once

#include "action/action.h"
#include "engine/budget.h"
#include "engine/grants.h"
#include "names/table.h"
#include "policy/policy.h"

enum ask_mode {
	ASK_TERMINAL,
	ASK_QUEUE,
	ASK_COMMAND, /* a program is asked */
	ASK_TMUX,    /* the person at the tmux that the session is in */
	ASK_DENY,    /* an ask is a deny */
	ASK_ALLOW,   /* an ask is an allow; for tests and trusted runs, recorded as such */
};

/* Trees that belong to Holdfast: the agent may not change them, nor reach the sockets in them. */
/* Every file of every policy in use, and our own places. */
#define ENGINE_MAX_LIBRARIES 64 /* that Holdfast's binary loads */
#define ENGINE_MAX_SECRETS   2  /* the broker's configuration and secret */
#define ENGINE_MAX_PROTECTED (POLICY_MAX_STACK * POLICY_MAX_FILES + 24 + ENGINE_MAX_LIBRARIES)

/*
 * In the mode of every control socket. It says nothing to the kernel; by it a session knows the
 * sockets of other sessions and of the broker, which may be in a runtime directory other than its
 * own. Who connects there for an agent is outside of the session that is asked, as a person is.
 */
#define ENGINE_SOCKET_MARK S_ISUID
/*
 * The mode of logs and what belongs to them, of whatever session: no session changes a file that
 * has just this one. The bit means nothing on a file, writing does not take it off as it would
 * S_ISUID, and nobody else makes such files.
 */
#define ENGINE_LOG_MODE (S_ISVTX | S_IRUSR | S_IWUSR)

struct engine_config {
	struct policy_stack *stack; /* borrowed */
	enum ask_mode ask;
	pid_t supervisor;
	pid_t launcher;
	pid_t keeper; /* the supervisor's parent */
	/* Absolute, resolved paths (files or trees), borrowed. */
	const char *protected_paths[ENGINE_MAX_PROTECTED];
	size_t n_protected;
	const char *log_path; /* what stands beside it as LOG.1, ... is protected too; or NULL */
	/* Files that must not even be read. */
	const char *secret_paths[ENGINE_MAX_SECRETS];
	size_t n_secrets;
	const char
		*spend_socket; /* in a protected tree, and yet to be reached from inside; or NULL */
	const char *agent;     /* the session's; borrowed, NULL: unknown */
	struct budget *budget; /* borrowed */
	struct grants *grants; /* borrowed; NULL: there are none */
	struct names_table *names; /* borrowed; NULL: nothing is learned of names */
	/* What local time is, for rules on it; false: this machine's. */
	bool has_utc_offset;
	int utc_offset_s;
};

/* When an action arrived. */
struct engine_time {
	uint64_t monotonic_ns;
	uint64_t realtime_ns;
};

struct engine; /* one per receiver thread: holds the policy scratch */

/* Of a rule that let a connection through. */
struct engine_limit {
	const char *policy, *rule; /* borrowed from the stack: one rule, one pair of pointers */
	/* What is sent to it counts by itself; .p NULL: all of the rule's counts together. Valid
	 * until the next decision. */
	struct bytes domain;
	uint64_t max_bytes_sent;
};

struct decision {
	enum verdict verdict;    /* what is carried out: ALLOW, FLAG, ASK (hold it) or DENY */
	enum verdict would_have; /* what the policies said, audit ones included */
	bool is_audit;           /* would_have differs only because of audit mode */
	int deny_errno;          /* EACCES, EPERM, ENOSYS: for DENY */
	struct policy_source source;
	const char *layer; /* "seccomp-notify" */
	/* ask resolved at once by a grant ("grant:ID") or --ask deny/allow: what to record as
	 * approver, else NULL */
	const char *approver;
	/* ASK: what a grant would have to cover; valid as the texts. */
	const struct grant_subject *subject;
	struct budget_action charge; /* ASK: what to charge when the hold is approved */
	double cost;                 /* charged */
	/* Of the first step's address, or what was seen; NULL: it has none. Valid until the next
	 * decision. */
	const struct names_found *names;
	/* Of what a connection said: what it may send. Valid until the next decision. */
	const struct engine_limit *limits;
	size_t n_limits;
	/* Nothing is decided yet: it depends on who listens (action.listener), who is to be met
	 * first. DENY for whoever cannot. */
	bool wants_listener;
	bool is_led;  /* ALLOW, FLAG, ASK: what its first bytes say is decided on again */
	bool is_stop; /* DENY by a budget that wants the session ended; source.reason says why */
};

int engine_new(const struct engine_config *config, struct engine **ret) _must_check_;
struct engine *engine_free(struct engine *e);
/*
 * Never fails; what goes wrong is deny. Does not allocate. An action that is let through has been
 * charged to the budget. The texts of @ret are valid until the engine's next decision: a held
 * action keeps copies.
 */
void engine_decide(struct engine *e, const struct action *a, const struct engine_time *now,
		   struct decision *ret);
