/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent-action-policy 0.1.1 as compiled: rules in the order in which they are asked, each pattern
 * in the form that its original would take it for when it is reached. Shared by action_policy.c,
 * which reads, and action_policy_match.c, which matches; nobody else includes it.
 */
#pragma once

#include "policy/dialect.h"

/* Python has no types here: what a pattern is shows only when it is used, so a mistake raises only
 * when the rule is reached that far. */
enum action_pattern_type {
	ACTION_PATTERN_ANY,   /* none is given */
	ACTION_PATTERN_NEVER, /* an args_pattern that does not compile */
	ACTION_PATTERN_EXACT,
	ACTION_PATTERN_GLOB, /* fnmatch */
	ACTION_PATTERN_REGEX,
	ACTION_PATTERN_RAISE, /* using it raises @error */
};

struct action_pattern {
	enum action_pattern_type type;
	struct bytes text; /* as written, for show; of EXACT and GLOB what is compared */
	struct regex *regex;
	const char *error;
};

struct action_rule {
	const char *name;   /* NULL: null in the document */
	const char *reason; /* likewise */
	enum verdict verdict;
	unsigned int line, column;
	struct action_pattern tool;
	struct action_pattern args;
	struct action_pattern *paths;
	size_t n_paths;
	const struct value *priority; /* of the document, gone after the load; NULL: 100 */
	size_t index;                 /* in the document */
};

struct action_policy {
	struct arena mem; /* holds everything but the regexes' own memory */
	struct action_rule *rules;
	size_t n_rules;
	enum verdict default_verdict;
	uint32_t decided_ops;
};

/* The dialect's words, by verdict. */
extern const char *const action_policy_words[_VERDICT_MAX];

/*
 * One pattern on one text. Return: 1, 0; -E2BIG a limit was hit; -EBADMSG it raises.
 */
int action_pattern_match(const struct action_pattern *p, struct regex_scratch *scratch,
			 struct bytes text);
/* struct dialect's .eval and .each; @doc is a struct action_policy. */
void action_policy_eval(const void *doc, struct policy_scratch *scratch,
			const struct policy_query *q, struct dialect_answer *ret);
void action_policy_each(const void *doc, struct policy_scratch *scratch,
			const struct policy_query *q, dialect_each_fn fn, void *ctx);
