/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MeshGuard's policy as compiled: rules in the order of the document, their conditions as a list of
 * tests that must all hold. Shared by the meshguard*.c files; nobody else includes it.
 */
#pragma once

#include "policy/dialect.h"
#include "policy/dialect_read.h"

/* What a condition looks at. */
enum mesh_subject {
	MESH_RESOURCE,
	MESH_COMMAND,
	MESH_PATH,
	MESH_CONTEXT, /* the value at @key of the action's context */
	MESH_TAGS,    /* the agent's */
	MESH_TIME,
};

enum mesh_test {
	MESH_IN,          /* equal to one of the values */
	MESH_MATCHES,     /* one of the values, in which '*' is any text and '?' a character */
	MESH_NOT_MATCHES, /* none of them */
	MESH_STARTS_WITH,
	MESH_CONTAINS,
	MESH_EXISTS, /* or not: @is_wanted */
	MESH_AT_MOST,
	MESH_AT_LEAST,
	MESH_BETWEEN, /* of the day, from @from up to @to; over midnight when @from is later */
	_MESH_TEST_MAX,
};

struct mesh_condition {
	struct mesh_condition *next;
	enum mesh_subject subject;
	enum mesh_test test;
	const char *key;            /* dotted */
	const struct value *values; /* any of them, linked */
	double number;
	bool is_wanted;
	unsigned int from, to; /* minutes since midnight */
};

struct mesh_pattern {
	struct bytes text;
	const char *reason; /* what a rule without one says when this matched */
};

struct mesh_rule {
	const char *name; /* its name or id, else "Rule N" */
	const char *reason;
	enum verdict verdict;
	unsigned int line, column;
	struct mesh_pattern *actions;
	size_t n_actions;
	struct mesh_condition *conditions;
};

/* One kind of `appliesTo`, any of whose values fits; none: everybody. */
struct mesh_selector {
	struct bytes *values;
	size_t n;
};

enum mesh_selector_kind {
	MESH_TIERS,
	MESH_AGENT_TAGS,
	MESH_AGENT_IDS,
	MESH_ORG_IDS,
	_MESH_SELECTOR_MAX,
};

struct mesh_policy {
	struct arena mem;
	const char *name;
	struct bytes project; /* what "./" stands for when a process acts */
	struct mesh_selector applies_to[_MESH_SELECTOR_MAX];
	struct mesh_rule *rules;
	size_t n_rules;
	enum verdict default_verdict;
	struct mesh_pattern *approvals; /* humanInTheLoop: what is allowed there is asked about */
	size_t n_approvals;
	bool has_budget;
	struct policy_budget budget;
	uint32_t decided_ops;
};

/* Longer subjects are not matched: the time is the product of both lengths. */
#define MESH_SUBJECT_MAX REGEX_SUBJECT_MAX

enum holds {
	NO,
	YES,
	UNKNOWN,
};

/* What a condition on text looks at. */
struct texts {
	enum holds is_given;
	bool is_list;    /* any of several, with blanks between */
	bool is_process; /* an absolute path, which "./" patterns see from the project */
	struct bytes all;
};

/* An action in MeshGuard's terms. */
struct mesh_action {
	const struct mesh_policy *doc;
	struct bytes action;
	struct texts resource, command, path;
	bool has_context, has_tags; /* false: it cannot have any */
	const struct value *context, *tags;
	int minute; /* of the day, or negative */
};

/* "allow", "require_approval", "deny", by verdict. */
extern const char *const mesh_words[_VERDICT_MAX];

/* meshguard_rule.c */
int mesh_parse_rule(const struct dialect_reader *r, const struct value *v, size_t number,
		    struct mesh_rule *rule) _must_check_;
/* A list of action patterns that is not empty; @word is for their reasons. */
int mesh_parse_patterns(const struct dialect_reader *r, const struct value *v, const char *key,
			const char *word, struct mesh_pattern **ret, size_t *ret_n) _must_check_;
/* Refuses what only the learn site's language has. */
int mesh_refuse_foreign(const struct dialect_reader *r, const struct value *map,
			const char *const *keys, size_t n_keys) _must_check_;

/* meshguard_condition.c: the value of `conditions`, appended to *ret. */
int mesh_parse_conditions(const struct dialect_reader *r, const struct value *v,
			  struct mesh_condition **ret) _must_check_;
const char *mesh_test_name(enum mesh_test test);

/* meshguard_match.c */
/* '*' is any text, with @has_any also '?' one character; the whole of @text must match. */
bool mesh_match(struct bytes pattern, struct bytes text, bool has_any);
/* The first that matches; NULL: none. */
const struct mesh_pattern *mesh_match_patterns(const struct mesh_pattern *patterns, size_t n,
					       struct bytes action);
/* The pattern that matched; NULL when the rule does not match. */
const struct mesh_pattern *mesh_match_rule(const struct mesh_action *a,
					   const struct mesh_rule *rule);

/* meshguard_action.c */
/* What a process's operation is called: "read:file". */
const char *mesh_op_action(enum action_op op);
/* Fills in all but @ret->doc. Texts may be in @scratch's arena. Return: 0, -ENOMEM. */
int mesh_action_from_query(const struct policy_query *q, struct policy_scratch *scratch,
			   struct mesh_action *ret) _must_check_;

/* meshguard_eval.c: struct dialect's .eval and .each; @doc is a struct mesh_policy. */
void mesh_eval(const void *doc, struct policy_scratch *scratch, const struct policy_query *q,
	       struct dialect_answer *ret);
void mesh_each(const void *doc, struct policy_scratch *scratch, const struct policy_query *q,
	       dialect_each_fn fn, void *ctx);

/* meshguard_show.c: struct dialect's .show */
void mesh_show(const void *doc, struct strbuf *out);
