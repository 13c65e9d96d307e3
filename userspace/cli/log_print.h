/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How `holdfast log` shows lines: on standard output in one of the formats, what is wrong with them
 * on standard error.
 */
#pragma once

#include "audit/show.h"
#include "cli/log_options.h"

struct log_printer {
	const struct log_options *options;
	struct show_style style;
	struct strbuf text;
	struct format_context context;
	char session[256];  /* the one that was shown last; "" none */
	bool has_headings;  /* lines of several sessions may come */
	uint64_t n_damaged; /* lines that were complained about */
};

void log_printer_init(struct log_printer *p, const struct log_options *options, bool has_headings);
void log_printer_fini(struct log_printer *p);
/* Return: 0, -EPIPE: nobody reads our output any more. */
int log_print(struct log_printer *p, const struct reader_line *line);
int log_print_flush(struct log_printer *p);
/* "FILE:12: this line WHY; going on after it" */
void log_complain(struct log_printer *p, const char *path, uint64_t number, const char *why);
