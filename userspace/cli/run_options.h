/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of `holdfast run`, checked; nothing here opens or starts anything.
 */
#pragma once

#include "audit/audit.h"
#include "control/plan.h"
#include "engine/engine.h"

#define RUN_MAX_KEEP_FDS 64
#define RUN_MAX_TAGS     32
#define RUN_MAX_SINKS    8

struct run_options {
	const char *policies[POLICY_MAX_STACK];
	size_t n_policies;
	bool is_audit;
	enum ask_mode ask;
	const char *ask_command; /* ASK_COMMAND: for sh; else NULL */
	uint64_t ask_timeout_ns;
	const char *log; /* NULL: the default place */
	struct audit_storage log_storage;
	const char *sinks[RUN_MAX_SINKS]; /* of the log, as written, and checked */
	size_t n_sinks;
	const char *name;    /* NULL: the command's base name */
	const char *project; /* NULL: the current directory */
	const char *tags[RUN_MAX_TAGS];
	size_t n_tags;
	const char *tier;              /* NULL: none */
	enum policy_language language; /* of all policies */
	enum verdict dialect_default;  /* where no rule of a dialect's policy matches */
	bool is_quiet;
	struct layer_wishes wishes;
	bool wants_names; /* of hosts, also where no policy names any */
	int keep_fds[RUN_MAX_KEEP_FDS];
	size_t n_keep_fds;
	char **command; /* NULL-terminated, at least one */
};

enum {
	RUN_OPTIONS_HELP = 1, /* usage was asked for and printed */
};

/* The value of --layers. Return: 0; -EINVAL, and that was said. */
int layer_wishes_read(const char *arg, struct layer_wishes *ret);

/* Return: 0; RUN_OPTIONS_HELP; -EINVAL after saying what is wrong. */
int run_options_parse(int argc, char **argv, struct run_options *ret);
