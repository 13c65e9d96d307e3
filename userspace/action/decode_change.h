/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of action/: what a change carries besides its paths. All of it is copied once, before the
 * paths are looked at, as the kernel does; what it refuses at that point is refused there.
 */
#pragma once

#include "action/decode.h"

/* Fills in act.change from the row's other arguments. Return: as a decoder. */
int change_prepare(struct decode *c) _must_check_;
/* utimensat(2) with UTIME_OMIT twice: succeeds without a look at the path. After change_prepare().
 */
bool change_is_nothing(const struct decode *c);
/* Whether with AT_EMPTY_PATH in @flags no path at all means the descriptor's own file: calls of
 * Linux 6.13 and later. */
bool change_takes_null(const struct decode *c, int flags);
