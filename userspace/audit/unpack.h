/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A compressed file of the log (FILE.N.zst) as a file in memory, for those who read it once.
 */
#pragma once

#include "audit/reader.h"

/* Opens the lines of @path, compressed. Return: 0; -EBADMSG: it is not Zstandard's, or cut off;
 * -EMSGSIZE: more than UNPACK_MAX; -errno; all with @reterr_diag. */
int unpack_open(const char *path, struct reader **ret, struct diag *reterr_diag);

#define UNPACK_MAX ((uint64_t)4 << 30)
