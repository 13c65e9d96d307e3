/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options of commands that have flags and values only, read from a table, and one wording for what
 * is wrong with them.
 */
#pragma once

#include <getopt.h>

#include "base/util.h"

#define OPTIONS_MAX 16

struct option_row {
	const char *name; /* without dashes */
	bool *flag;       /* set, or cleared by an option that @clears; or */
	bool clears;
	const char **value; /* where its argument goes; borrowed from argv */
};

/* A command, and its rows up to {}. */
struct options {
	const char *command; /* "policy list" */
	const char *usage;   /* printed for --help and -h, which every command has */
	const struct option_row *rows;
};

enum {
	OPTIONS_HELPED = 1, /* the usage was asked for and printed */
};

/* Operands may stand between options; afterwards they begin at optind. Return: 0; OPTIONS_HELPED;
 * -EINVAL after saying what is wrong. */
int options_read(const struct options *o, int argc, char **argv) _must_check_;
/* The same where at most @max operands are expected. */
int options_read_operands(const struct options *o, int argc, char **argv, int max) _must_check_;
/* What getopt_long() refused (@id '?' or ':', with opterr 0), in our words. Return: -EINVAL. */
int options_refuse(int id, char *const *argv, const char *command);
