/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of audit/redact*.c share.
 */
#pragma once

#include "audit/redact.h"

struct redact_builtin {
	const char *name;
	/*
	 * Runs of three bytes, with a blank between, of which every match has at least one, in
	 * either case: a cheap no. A set, "gh[po]", stands for one byte.
	 */
	const char *anchors;
	const char *pattern;
};

extern const struct redact_builtin redact_builtins[];
extern const size_t redact_n_builtins;

/* Names of ours that no pattern has. */
#define REDACT_OPTION "option"
#define REDACT_LIMIT  "limit"

/* Anchors, one of which is in every name of redact_argv.c that says "secret". */
#define REDACT_NAME_ANCHORS "pas ecr oke key ede pwd"

/* A bit for each letter that a known program begins with. */
uint64_t redact_argv_letters(void);
/* Some option of the program has a secret behind it. */
bool redact_argv_is_known(struct bytes program, uint64_t letters);
/*
 * From which byte of argument @i on a secret stands, as its name or the arguments before it tell;
 * SIZE_MAX: from none. @is_known: redact_argv_is_known(); @has_name: it or the one before has one
 * of REDACT_NAME_ANCHORS.
 */
size_t redact_argv_secret(const struct bytes *argv, size_t argc, size_t i, bool is_known,
			  bool has_name);
