/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is wrong with something a user wrote, and where. Filled by the function that finds it,
 * printed once by the caller that gives up. The message says what was expected and what to do next.
 */
#pragma once

#include <stdarg.h>

#include "base/util.h"

struct diag {
	char file[256];  /* "" when there is none */
	unsigned line;   /* from 1; 0 when there is none */
	unsigned column; /* from 1; 0 when there is none */
	char message[768];
};

/* Sets @d (which may be NULL). Return: -EINVAL, so that 'return diag_set(...)' reads well. */
int diag_set(struct diag *d, const char *file, unsigned line, unsigned column, const char *fmt, ...)
	_printf_(5, 6);
/* "file:line:column: message", leaving out what is not there. Untrusted bytes come out escaped. */
void diag_format(const struct diag *d, char *out, size_t size);
