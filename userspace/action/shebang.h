/* SPDX-License-Identifier: Apache-2.0 */
/* The first line of a script, as fs/binfmt_script.c reads it. */
#pragma once

#include "base/util.h"

#define SHEBANG_SIZE 256 /* BINPRM_BUF_SIZE */

/* Points into the line. */
struct shebang {
	struct bytes interpreter;
	struct bytes argument; /* .p NULL: none */
};

/*
 * @head are the first SHEBANG_SIZE bytes, padded with zeros. Return: false when the
 * file is no script, or the kernel refuses it (ENOEXEC): no newline, and the name may be cut. The
 * last byte counts as a terminator, but not as text: the kernel overwrites it.
 */
bool shebang_parse(const char head[static SHEBANG_SIZE], struct shebang *ret);
