/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a policy language other than the native one provides. The stack asks each policy in its own
 * language and joins the verdicts. Inside policy/ only.
 */
#pragma once

#include "base/arena.h"
#include "base/strbuf.h"
#include "policy/policy.h"
#include "policy/regex.h"
#include "policy/value.h"

/* One dialect's answer. Texts live in the document, or in @scratch's arena until its reset. */
struct dialect_answer {
	enum verdict verdict;
	const char *word;   /* the dialect's own: "approve", "require_approval" */
	const char *rule;   /* NULL: none */
	const char *reason; /* NULL: none */
	unsigned line;      /* of the rule; 0: none */
	const char *error;  /* not NULL: the original raises this; then the verdict is deny */
};

/* A rule that matches, for `policy explain`; @answer as if it decided. */
typedef void (*dialect_each_fn)(void *ctx, const struct dialect_answer *answer);

/* What lint has to know of a dialect's rules, in the order in which they are asked. */
struct dialect_rule {
	const char *name;
	enum verdict verdict;
	unsigned line, column;
};

/* One of its regular expressions, in Python's syntax. */
typedef void (*dialect_regex_fn)(void *ctx, const struct dialect_rule *rule, struct bytes pattern);
/* What only the dialect itself can tell. */
typedef void (*dialect_odd_fn)(void *ctx, unsigned line, unsigned column, const char *hint,
			       const char *message);

struct dialect {
	enum policy_language language;
	/* @root is never NULL. What the original refuses is refused, with its message; unknown keys
	 * are warnings (load->warn). *ret is freed with .free. */
	int (*parse)(const struct policy_load *load, const struct value *root, void **ret,
		     struct diag *d);
	void (*free)(void *doc);
	/* Does not allocate beyond @scratch's arena. */
	void (*eval)(const void *doc, struct policy_scratch *scratch, const struct policy_query *q,
		     struct dialect_answer *ret);
	/* Every rule that matches @q, in the order in which they are asked, then the default: so
	 * there is at least one answer, and the first is what eval says. */
	void (*each)(const void *doc, struct policy_scratch *scratch, const struct policy_query *q,
		     dialect_each_fn fn, void *ctx);
	size_t (*rule_count)(const void *doc);
	/* OP_BIT()s of the operations on which it may say other than a plain allow. */
	uint32_t (*decided_ops)(const void *doc);
	bool (*needs_args)(const void *doc); /* some rule looks at command lines */
	bool (*can_ask)(const void *doc);
	/* The document as compiled, as YAML-like lines, for `policy show`. */
	void (*show)(const void *doc, struct strbuf *out);
	/* May be NULL: none. Borrowed from the document. */
	const struct policy_budget *(*budget)(const void *doc);
	/* May be NULL: documents have no name. Borrowed; never NULL. */
	const char *(*name)(const void *doc);
	/* May be NULL: to everybody. */
	bool (*applies_to)(const void *doc, const struct policy_subject *who);
	/* May be NULL: no. See policy_names_domains(). */
	bool (*names_domains)(const void *doc);
	/* For lint; each may be NULL. @i is less than .rule_count(). */
	void (*rule)(const void *doc, size_t i, struct dialect_rule *ret);
	/* Whatever rule @j matches, rule @i certainly matches too. */
	bool (*covers)(const void *doc, struct regex_scratch *scratch, size_t i, size_t j);
	void (*regexes)(const void *doc, dialect_regex_fn fn, void *ctx);
	/* Patterns that cannot match. */
	void (*never)(const void *doc, dialect_odd_fn fn, void *ctx);
};

/* NULL for the native language. */
const struct dialect *dialect_of(enum policy_language language);

extern const struct dialect dialect_action_policy; /* action_policy.c */
extern const struct dialect dialect_agentpolicy;   /* agentpolicy.c */
extern const struct dialect dialect_meshguard;     /* meshguard.c */

/* What of @scratch a dialect uses. */
struct regex_scratch *policy_scratch_regex(struct policy_scratch *scratch);
/* Reset by policy_scratch_reset() only; an allocation that fails is an answer with
 * verdict deny and reason "internal-error". */
struct arena *policy_scratch_arena(struct policy_scratch *scratch);
