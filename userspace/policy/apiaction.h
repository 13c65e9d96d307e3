/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Actions given as text instead of made by a process: the JSON of `policy eval`, the strings of
 * `examples`, the options of `policy explain`. They become the same query that a real process's
 * action would be, so both get the same answer.
 */
#pragma once

#include "base/arena.h"
#include "base/strbuf.h"
#include "policy/policy.h"
#include "policy/value.h"

/* Commands of one shell line that are asked about one by one; a longer line is cut. */
#define APIACTION_MAX_COMMANDS 64

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
	struct policy_query
		*queries; /* the strictest counts, as for a real action's steps; at
			     least one. With @api the first says it all to a dialect:
			     the others are what a shell would run, for native policies */
	size_t n;
	size_t capacity;
	struct policy_api api; /* the queries point here: a struct apiaction stays where it is */
	bool is_approved;
	bool is_cut;       /* the shell line has more commands than @queries tells of */
	const char *error; /* not NULL: the original library raises this on the action itself */
};

/*
 * From the JSON forms (docs/policy.md, "Actions as JSON"). Everything is made in @mem, and borrows
 * from @v; nothing is expanded: paths are taken as they are. The time is not known
 * (POLICY_TIME_UNKNOWN) unless the action names it. Return: 0; -EINVAL with @d: not an action;
 * -ENOMEM.
 */
int apiaction_from_value(const struct value *v, struct arena *mem, struct apiaction *ret,
			 struct diag *d) _must_check_;
/* argv[0] is looked up nowhere: @path is the resolved image, .p NULL when not known. */
int apiaction_from_exec(const struct bytes *argv, size_t argc, struct bytes path, struct bytes cwd,
			struct arena *mem, struct apiaction *ret) _must_check_;
int apiaction_from_path(enum action_op op, struct bytes path, struct arena *mem,
			struct apiaction *ret) _must_check_;
/* @host is an address or a domain; "localhost" is both. @port 0: not known. A unix socket: @host is
 * its path. */
int apiaction_from_connect(enum action_op op, enum policy_protocol protocol, struct bytes host,
			   uint16_t port, struct arena *mem, struct apiaction *ret,
			   struct diag *d) _must_check_;

/* One program that an exec runs: the image, or an interpreter of it. */
struct apiaction_exec {
	const struct bytes *argv;
	size_t argc;
	struct bytes
		path; /* the resolved image; .p NULL: not known, the first word stands for it */
	struct bytes asked; /* what execve(2) was given; .p NULL: the first word */
	struct bytes cwd;   /* .p NULL: not known */
	struct bytes text;  /* .p NULL: the words, joined */
};

/* Adds a step to @a, which is zero at first. Return: 0, -ENOMEM. */
int apiaction_add_exec(struct apiaction *a, struct arena *mem,
		       const struct apiaction_exec *exec) _must_check_;
int apiaction_add_path(struct apiaction *a, struct arena *mem, enum action_op op,
		       struct bytes path) _must_check_;
/* The argument text that agent-action-policy gives to @args: text as it is, a map as "key=value" by
 * sorted keys, else str(). */
void apiaction_add_args_text(struct strbuf *out, const struct value *args);
/* Splits a command line as a shell would: blanks, quotes, backslashes; no expansion. */
int apiaction_split(struct bytes line, struct arena *mem, struct bytes **ret_argv, size_t *ret_argc,
		    struct diag *d) _must_check_;
