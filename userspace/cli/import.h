/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `holdfast policy import`: other agents' policies, written as a native one. What has no equivalent
 * becomes a note in the result, never silence. Rules are written in the order in which they are to
 * be asked; a native policy's first match decides.
 */
#pragma once

#include "base/strbuf.h"
#include "policy/policy.h"
#include "policy/value.h"

struct import {
	const char *file; /* what is imported; borrowed */
	struct arena *mem;
	struct diag *diag;
	struct strbuf rules; /* the text below "rules:" */
	struct strbuf top;   /* the text above it, after the name: defaults and notes */
	size_t n_rules, n_notes;
	bool has_examples; /* false: leave examples out (they contradict each other) */
};

/* What one rule matches and says; absent keys are NULL. */
struct import_rule {
	const char *stem; /* of its name; a number follows */
	const char *from; /* the text it stands for, shown above it */
	enum verdict action;
	const char *reason;
	bool has_priority;
	int64_t priority;
	const char *tool;         /* one name, or a list in YAML's flow style */
	const struct value *argv; /* a list of texts and lists of texts */
	const char *args_pattern;
	const struct value *paths; /* a list of globs */
	const char *op;            /* "read", "change", "connect" */
	const char *domain;
	const struct value *domains;   /* a list, in place of `domain` */
	const struct value *addresses; /* a list */
	const char *port;              /* a number, or a range */
	const struct value *readable;  /* paths that the rule leaves out where they are read */
	const struct value *match, *not_match; /* lists of examples: texts, or lists of arguments */
};

/* `holdfast learn` writes its rules with it, too. */
void import_add_rule(struct import *im, const struct import_rule *rule);
/* A list as YAML, in flow style. */
void import_add_texts(struct strbuf *out, const struct value *list);
/* "# note: WHAT: MESSAGE" before the rules. */
void import_add_note(struct import *im, const char *what, const char *fmt, ...) _printf_(3, 4);
/* "default: {tool: .., read: .., write: .., network: .., unix: allow}" */
void import_set_default(struct import *im, enum verdict tool, enum verdict read, enum verdict write,
			enum verdict network);

/* Texts in im->mem; NULL: out of memory. */
const char *import_format(struct import *im, const char *fmt, ...) _printf_(2, 3);
struct value *import_new_list(struct import *im);
/* Return: 0, -ENOMEM. */
int import_add_text(struct import *im, struct value *list, struct bytes text) _must_check_;
/* The words of a command, when it is made of plain words only; NULL when not, or out of memory. */
struct value *import_plain_words(struct import *im, struct bytes command);
/* A regular expression for a command line: its text taken literally but for '*', which is anything;
 * the program may be named with its directory. NULL: out of memory. */
const char *import_command_regex(struct import *im, struct bytes command, bool is_prefix);

/* One file of each agent's. Return: 0; -EINVAL with im->diag set; -ENOMEM. */
int import_claude(struct import *im, struct bytes text) _must_check_;
int import_codex(struct import *im, struct bytes text) _must_check_;
int import_gemini(struct import *im, struct bytes text) _must_check_;

struct import_result {
	size_t n_rules, n_notes;
	bool is_without_examples; /* some contradict a stricter rule */
};

bool import_knows(const char *agent);
/*
 * Converts @file (of @text, for one of "claude", "codex", "gemini") into a native policy called
 * @name, appended to @out, and loads that once to prove it (@vars). Return: 0; -EINVAL with @d set;
 * -ENOMEM, -EMSGSIZE.
 */
int import_policy(const char *agent, const char *file, struct bytes text, const char *name,
		  const struct policy_vars *vars, struct strbuf *out, struct import_result *ret,
		  struct diag *d) _must_check_;

/* The subcommand. Return: the exit status. */
int policy_import(int argc, char **argv);
