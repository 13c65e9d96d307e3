/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `policy eval`, `explain`, `test` and `show` have in common: the options that name policies
 * and whom they apply to, the stack that comes of them, and its answer to an action.
 */
#pragma once

#include "control/policyset.h"
#include "policy/apiaction.h"

#include "cli/policy_dirs.h"

#define POLICY_USE_MAX_TAGS 64

enum {
	POLICY_USE_LANGUAGE = 512, /* options without a letter */
	POLICY_USE_DEFAULT,
	POLICY_USE_HOME,
	POLICY_USE_PROJECT,
	POLICY_USE_AGENT,
	POLICY_USE_TAG,
	POLICY_USE_TIER,
};

/* For a getopt_long() table; the letters are ":p:h". */
#define POLICY_USE_OPTIONS                                                                         \
	{"policy", required_argument, NULL, 'p'},                                                  \
		{"language", required_argument, NULL, POLICY_USE_LANGUAGE},                        \
		{"default", required_argument, NULL, POLICY_USE_DEFAULT},                          \
		{"home", required_argument, NULL, POLICY_USE_HOME},                                \
		{"project", required_argument, NULL, POLICY_USE_PROJECT},                          \
		{"agent", required_argument, NULL, POLICY_USE_AGENT},                              \
		{"tag", required_argument, NULL, POLICY_USE_TAG},                                  \
		{"tier", required_argument, NULL, POLICY_USE_TIER},                                \
	{                                                                                          \
		"help", no_argument, NULL, 'h'                                                     \
	}

#define POLICY_USE_HELP                                                                            \
	"  -p, --policy NAME|FILE  the policy; several stack, the strictest verdict wins\n"        \
	"      --language L        auto, native, agent-action-policy, agentpolicy, meshguard\n"    \
	"      --default V         what agent-action-policy decides when nothing matches:\n"       \
	"                          approve, deny or escalate\n"                                    \
	"      --home D, --project D  what ~ and ${project} are in native policies\n"              \
	"      --agent A, --tag T, --tier T  whom the policies are asked for; --tag may be repeated\n"

struct policy_use {
	const char *policies[POLICY_MAX_STACK];
	size_t n_policies;
	enum policy_language language;
	enum verdict dialect_default;
	const char *home, *project, *agent, *tier; /* NULL: not given */
	const char *tmp_dir;                       /* what ${tmp} is; NULL: as run has it */
	const char *tags[POLICY_USE_MAX_TAGS];
	size_t n_tags;
	bool is_quiet; /* warnings about the documents are not said */
	/* Who is told of them instead; NULL: they are said on standard error. */
	void (*warn)(void *ctx, const struct diag *d);
	void *warn_ctx;
	/* policy_use_load() makes these. */
	char *real_home, *real_project, *tmp;
	struct policy_dirs dirs;
	struct policyset set;
	struct policy_scratch *scratch;
	bool has_native; /* some policy of the stack is */
};

/* Return: 0; -EINVAL after saying what is wrong; -ENOENT: this option is not one of these. */
int policy_use_option(struct policy_use *u, int id, const char *arg);

/* A command that takes these options and perhaps some of its own. */
struct policy_use_command {
	const char *name, *usage; /* "policy eval" */
	const char *letters;      /* ":p:h", or ":h" where policies are operands */
	const struct option *options;
	/* One of its own: where its argument goes, or what is set; ends with {}. */
	const struct policy_use_own {
		int id;
		bool *flag;
		const char **value;
	} * own;
};

enum {
	POLICY_USE_HELPED = 1, /* the usage was asked for and printed */
};

/* Reads all options; optind is the first operand. Return: 0; POLICY_USE_HELPED; -EINVAL after
 * saying what is wrong. */
int policy_use_parse(const struct policy_use_command *c, int argc, char **argv,
		     struct policy_use *u) _must_check_;
/* The value of --default. Return: 0; -EINVAL after saying what is wrong. */
int policy_use_default(const char *word, enum verdict *ret);
/* Return: 0; -EINVAL with @d; -ENOMEM. */
int policy_use_read(struct policy_use *u, struct diag *d) _must_check_;
/* The same, and says why not. */
int policy_use_load(struct policy_use *u);
void policy_use_fini(struct policy_use *u);

struct policy_use_answer {
	struct policy_result result;
	const struct policy_query *query; /* the one that decided */
	const char *error; /* not NULL: the original raises this, or we cannot tell; the verdict is
			      deny */
};

/*
 * The stack's answer to all steps of @a: the strictest, the first of equals. Fills in what the
 * action does not say itself: agent, time and @spent. Results are good until the next call.
 */
void policy_use_decide(struct policy_use *u, struct apiaction *a, double spent,
		       struct policy_use_answer *ret);
