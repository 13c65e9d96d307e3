/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `holdfast log` is asked.
 */
#pragma once

#include "audit/format.h"
#include "audit/query.h"

enum log_format {
	LOG_TEXT,
	LOG_JSON,
	LOG_OTHER, /* log_options.other */
};

struct log_options {
	struct query *query;
	enum log_format format;
	enum format other;
	size_t limit; /* 0: none */
	bool is_follow, is_reverse, is_reindex;
	bool is_all;      /* every session of the place */
	const char *dir;  /* the place; NULL: the default one */
	const char *what; /* FILE or SESSION; NULL: none was named */
};

enum {
	LOG_OPTIONS_HELP = 1,
};

/* Return: 0; LOG_OPTIONS_HELP after printing it; -EINVAL after saying what is wrong; -ENOMEM. */
int log_options_parse(int argc, char **argv, struct log_options *ret);
void log_options_fini(struct log_options *o);
