/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `holdfast policy explain` in its parts: policy_explain.c has the options, explain_action.c makes
 * the action of what they name, explain_print.c tells what came of it.
 */
#pragma once

#include "control/plan.h"

#include "cli/policy_use.h"

#define EXPLAIN_MAX_OPS 16

/* What is asked about. */
struct explain_options {
	char **command; /* NULL: none; else NULL-terminated */
	const char *path;
	enum action_op ops[EXPLAIN_MAX_OPS];
	size_t n_ops;
	const char *host; /* --connect, its port taken off */
	uint16_t port;
	enum policy_protocol protocol;
	const char *action; /* JSON */
	bool is_json;
	bool has_plan;
	struct layer_wishes wishes; /* for it */
};

/*
 * Makes the action. Programs are looked up in PATH and files resolved as the kernel would resolve
 * them; everything is made in @mem. Return: 0; -EINVAL after saying what is wrong; -ENOMEM.
 */
int explain_make(const struct explain_options *o, struct arena *mem, struct apiaction *ret);

/* One step of the action. */
struct explain_step {
	const struct policy_query *query;
	struct policy_result result;
	struct policy_match *matches; /* of all policies; owned */
	size_t n_matches;
};

struct explanation {
	const struct policy_use *use;
	struct policy_use_answer answer;
	struct explain_step *steps;
	size_t n_steps;
};

void explain_print(const struct explanation *e, struct strbuf *out);
void explain_print_json(const struct explanation *e, struct strbuf *out);
