/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Single keys of a matcher against a query. The compiled evaluator and the naive one share this and
 * nothing else.
 *
 * An answer is KEY_YES, KEY_NO or KEY_LIMIT (a regular expression hit its limit: nothing is known).
 * They are joined as in three-valued logic, so the order in which keys are asked does not show.
 *
 * In doubt a rule must not open anything. What is not known (a time, a working directory, arguments
 * past those that were read) and what the agent could have made itself (a name, argv[0]) therefore
 * counts as a match where a match closes: in `match` of an ask or deny rule, and in `unless` of an
 * allow or flag rule. Elsewhere it counts as none. That a connection has no name, or no address, is
 * no doubt but a fact: no key on names or addresses matches it.
 */
#pragma once

#include "policy/document.h"

enum key_answer {
	KEY_NO,
	KEY_LIMIT,
	KEY_YES,
};

struct key_context {
	const struct policy_query *q;
	struct regex_scratch *scratch;
	struct literal_set *args; /* of q->args; one for all rules of an evaluation */
	bool takes_doubt;         /* doubt counts as a match */
	bool lets_through;        /* a match can make the answer more open, never less */
};

static inline enum key_answer key_and(enum key_answer a, enum key_answer b)
{
	return MIN(a, b);
}

static inline enum key_answer key_or(enum key_answer a, enum key_answer b)
{
	return MAX(a, b);
}

static inline enum key_answer key_not(enum key_answer a)
{
	return (enum key_answer)(KEY_YES - a);
}

static inline enum key_answer key_of(bool is_match)
{
	return is_match ? KEY_YES : KEY_NO;
}

static inline bool key_takes_doubt(const struct rule *rule, bool is_unless)
{
	return (rule->action >= VERDICT_ASK) != is_unless;
}

static inline bool key_lets_through(const struct rule *rule, bool is_unless)
{
	return (rule->action != VERDICT_DENY) != is_unless;
}

/* One pattern of `tool`. */
enum key_answer key_tool(const struct key_context *c, const struct tool_pattern *t);
/* Whole keys. The matcher has the key. */
enum key_answer key_tools(const struct key_context *c, const struct matcher *m);
enum key_answer key_args(const struct key_context *c, const struct matcher *m);
enum key_answer key_argv(const struct key_context *c, const struct matcher *m);
enum key_answer key_listeners(const struct key_context *c, const struct matcher *m);
enum key_answer key_parents(const struct key_context *c, const struct matcher *m);
bool key_ops(const struct key_context *c, const struct matcher *m);
bool key_paths(const struct key_context *c, const struct matcher *m);
bool key_domains(const struct key_context *c, const struct matcher *m);
bool key_addresses(const struct key_context *c, const struct matcher *m);
bool key_ports(const struct key_context *c, const struct matcher *m);
bool key_protocols(const struct key_context *c, const struct matcher *m);
bool key_verify(const struct key_context *c, const struct matcher *m);
bool key_http(const struct key_context *c, const struct matcher *m);
bool key_agents(const struct key_context *c, const struct matcher *m);
bool key_cwds(const struct key_context *c, const struct matcher *m);
bool key_times(const struct key_context *c, const struct matcher *m);

bool key_query_is_unix(const struct policy_query *q);

/* A connection that is only planned may have a port before its name has an address. */
static inline bool key_has_port(const struct policy_address *a)
{
	return a &&
	       (a->has_ip || a->protocol == POLICY_PROTO_TCP || a->protocol == POLICY_PROTO_UDP);
}
