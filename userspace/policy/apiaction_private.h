/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files that make queries of actions given as text share. Inside policy/ only.
 */
#pragma once

#include "policy/apiaction.h"

/* apiaction_query.c */
/* A new query at the end of @a, with the names of @op. NULL: out of memory. */
struct policy_query *apiaction_add_query(struct apiaction *a, struct arena *mem,
					 enum action_kind kind, enum action_op op);
/* One more name for @q, which apiaction_add_query() made. */
void apiaction_add_name(struct policy_query *q, struct bytes name, bool is_untrusted);
/* A tool call as a framework makes it: what native policies are asked. @args may be NULL. */
int apiaction_add_tool(struct apiaction *a, struct arena *mem, struct bytes tool,
		       const struct value *args) _must_check_;
/* @host as in apiaction_from_connect(); .p NULL: not known. */
int apiaction_add_host(struct apiaction *a, struct arena *mem, enum action_op op,
		       enum policy_protocol protocol, struct bytes host,
		       uint16_t port) _must_check_;
/* @text: as policy_listener_format() writes it. Return: 0, -EINVAL, -ENOMEM. */
int apiaction_set_listener(struct policy_query *q, struct arena *mem, const struct value *text,
			   struct diag *d) _must_check_;
/* A name that stands for the address of @q, beside those it has. */
int apiaction_add_domain(struct policy_query *q, struct arena *mem,
			 struct bytes domain) _must_check_;
/* A connection to where @url, or a bare "host:port", leads; @port, when not 0, counts for more. */
int apiaction_add_url(struct apiaction *a, struct arena *mem, struct bytes url,
		      uint16_t port) _must_check_;
/* str(v), in @mem. .p NULL: out of memory. */
struct bytes apiaction_text_of(struct arena *mem, const struct value *v) _must_check_;

/* apiaction_shell.c */
struct shell_command {
	struct bytes *argv;
	size_t argc;
};

/*
 * The simple commands of a shell line in their order: what stands between ; & | ( ) { } ` and line
 * ends, without assignments, redirections and the words that only steer (if, then, !). Nothing is
 * expanded, so this is a guess at what a shell will run; what it really runs is asked about when it
 * does. At most APIACTION_MAX_COMMANDS; *ret_is_cut: there are more. Return: 0, -ENOMEM.
 */
int shell_commands(struct bytes line, struct arena *mem, struct shell_command **ret, size_t *ret_n,
		   bool *ret_is_cut) _must_check_;
