/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An AgentPolicy 0.1.1 document as agentpolicy.c makes it and agentpolicy_eval.c asks it. Inside
 * policy/ only.
 */
#pragma once

#include "policy/dialect.h"

enum agentpolicy_section {
	AGENTPOLICY_TOOLS,
	AGENTPOLICY_NETWORK,
	_AGENTPOLICY_SECTION_MAX,
};

/* Names as written, without the blanks around them; sorted for agentpolicy_has_name(). */
struct agentpolicy_names {
	bool is_present; /* an allow-list that is there but empty denies everything */
	const struct bytes *names;
	size_t n;
	unsigned line, column;
};

struct agentpolicy_lists {
	struct agentpolicy_names allow, block;
};

/* The keys of an approval rule, in the order in which they are compared and printed. */
enum agentpolicy_key {
	AGENTPOLICY_ACTION_TYPE,
	AGENTPOLICY_TOOL,
	AGENTPOLICY_DOMAIN,
	AGENTPOLICY_SOURCE,
	AGENTPOLICY_COST_GT,
	_AGENTPOLICY_KEY_MAX,
};

/* What it compares with ==; cost_gt comes after them. */
#define AGENTPOLICY_N_EQUAL AGENTPOLICY_COST_GT

struct agentpolicy_rule {
	const struct value *keys[_AGENTPOLICY_KEY_MAX]; /* NULL: not there, which is not null */
	double cost_gt;
	const char *cost_error; /* not NULL: what float(cost_gt) raises, once it is reached */
	const char *name;       /* "approval.require_for #N" */
	const char *reason;
	unsigned line, column;
};

struct agentpolicy {
	struct arena mem; /* holds everything below */
	double budget;    /* 0: none; may be NaN or infinite, as the original takes those */
	unsigned budget_line;
	struct agentpolicy_lists lists[_AGENTPOLICY_SECTION_MAX];
	struct agentpolicy_rule *rules;
	size_t n_rules;
	bool allows_files; /* tools.allow names a file tool, so it speaks of changes to files */
	uint32_t decided_ops;
	struct policy_budget limits;
};

/* The keys of an approval rule as documents write them. */
extern const char *const agentpolicy_keys[_AGENTPOLICY_KEY_MAX];

/* agentpolicy_parse.c: the dialect's .parse and .free. */
int agentpolicy_parse(const struct policy_load *load, const struct value *root, void **ret,
		      struct diag *d);
void agentpolicy_free(void *doc);
bool agentpolicy_has_name(const struct agentpolicy_names *names, struct bytes name);

/* agentpolicy_eval.c: the dialect's .eval and .each. */
void agentpolicy_eval(const void *doc, struct policy_scratch *scratch, const struct policy_query *q,
		      struct dialect_answer *ret);
void agentpolicy_each(const void *doc, struct policy_scratch *scratch, const struct policy_query *q,
		      dialect_each_fn fn, void *ctx);

/* agentpolicy_cost.c. Return: what Python raises; NULL when it does not. */
const char *agentpolicy_add_error(const struct value *cost);     /* 0.0 + cost */
const char *agentpolicy_compare_error(const struct value *cost); /* cost > 0.5 */
const char *agentpolicy_above_error(const struct value *cost);   /* cost > 0 */
/* float(cost), of what raises none of these. */
double agentpolicy_number(const struct value *cost);
/* cost > limit. */
bool agentpolicy_is_above(const struct value *cost, double limit);
