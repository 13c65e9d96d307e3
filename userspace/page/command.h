/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs `holdfast log`, `tree` and `report` for the page, and takes what they print: their output is
 * a contract, and a log that takes long, much memory or a crash to read takes a process of its own.
 */
#pragma once

#include "base/strbuf.h"

#define COMMAND_NS (20 * NS_PER_SEC)

/*
 * Runs @program (a path) with @argv, which ends with NULL, for at most COMMAND_NS, and appends its
 * standard output to @out. Return: its exit status; -ETIMEDOUT; -EMSGSIZE when @out is full, as far
 * as it got; -errno. @reterr (may be NULL): what it said on standard error, as much as fits.
 */
int command_run(const char *program, const char *const *argv, struct strbuf *out,
		struct strbuf *reterr) _must_check_;
