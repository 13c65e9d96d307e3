/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Core files. The kernel writes one for a process that a signal kills, with the process's own
 * rights, but without a call that could be judged: into the directory where the process stands,
 * which may be any, or where core_pattern says (core(5)).
 */
#pragma once

#include "base/util.h"

/* Whether the kernel writes them itself, rather than give them to a program or a socket of the
 * machine's. True also when it does not tell. */
bool dumps_are_files(void);
