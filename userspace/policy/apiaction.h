/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Actions given as text instead of made by a process: the JSON of `policy eval`, the strings of
 * `examples`, the options of `policy explain`. They become the same query that a real process's
 * action would be, so both get the same answer.
 */
#pragma once

#include "policy/policy.h"
#include "policy/value.h"

#define APIACTION_MAX_STEPS 8

enum policy_api_type {
	POLICY_API_NONE, /* described as a kernel action: exec, path, connect */
	POLICY_API_TOOL, /* {"tool":T,"args":A} */
	POLICY_API_CALL, /* AgentPolicy's tool, http, cost and raw actions */
	POLICY_API_MESH, /* {"action":"read:x","resource":R} */
};

enum policy_call_type {
	POLICY_CALL_TOOL,
	POLICY_CALL_HTTP,
	POLICY_CALL_COST,
};

/* What a query made from an API action carries beside the fields that every language reads. */
struct policy_api {
	enum policy_api_type type;
	struct bytes tool;        /* TOOL */
	const struct value *args; /* TOOL: NULL when absent, which is Python's None */
	/* CALL: the fields of an AgentPolicy action; NULL is None. */
	enum policy_call_type call;
	const struct value *tool_name, *url, *domain, *source, *cost, *action_type, *metadata;
	struct bytes action;                                           /* MESH */
	struct bytes resource;                                         /* MESH; .p NULL: none */
	const struct value *context, *agent_id, *tags, *tier, *org_id; /* MESH; NULL: none */
};

struct apiaction {
	struct policy_query queries[APIACTION_MAX_STEPS]; /* the strictest counts, as for a real
							     action's steps */
	size_t n;
	struct policy_api api;
	bool is_approved;
	const char *error; /* not NULL: the original library raises this on the action itself */
};

/*
 * From the JSON forms (docs/policy.md, "Actions as JSON"). Everything is made in @mem; @home
 * expands nothing: paths are taken as they are. Return: 0; -EINVAL with @d: not an action; -ENOMEM.
 */
int apiaction_from_value(const struct value *v, struct arena *mem, struct apiaction *ret,
			 struct diag *d) _must_check_;
/* argv[0] is looked up nowhere: @path is the resolved image, .p NULL when not known. */
int apiaction_from_exec(const struct bytes *argv, size_t argc, struct bytes path, struct bytes cwd,
			struct arena *mem, struct apiaction *ret) _must_check_;
int apiaction_from_path(enum action_op op, struct bytes path, struct arena *mem,
			struct apiaction *ret) _must_check_;
/* @host is an address or a domain; @address may be NULL when only the name is known. */
int apiaction_from_connect(enum action_op op, enum policy_protocol protocol, struct bytes host,
			   uint16_t port, struct arena *mem, struct apiaction *ret,
			   struct diag *d) _must_check_;
/* Splits a command line as a shell would: blanks, quotes, backslashes; no expansion. */
int apiaction_split(struct bytes line, struct arena *mem, struct bytes **ret_argv, size_t *ret_argc,
		    struct diag *d) _must_check_;
