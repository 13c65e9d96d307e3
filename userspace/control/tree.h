/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processes below one of ours. Orphans of the session are adopted by the supervisor (or, when
 * that died, by the launcher), because both are child subreapers: prctl(2), PR_SET_CHILD_SUBREAPER.
 */
#pragma once

#include <sys/types.h>

#include "base/util.h"

/* Kills (SIGKILL) every descendant of the calling process, reaps its own children, and repeats
 * until none is left or @timeout_ns passed. Needs two descriptors and no memory. Return: how many
 * were still there at the end, -errno. */
int tree_kill(uint64_t timeout_ns);

/* Calls @fn with every descendant of the calling process but those at and below @spare (0: none),
 * parents before their children. Return: 0; -EAGAIN: some process could not be placed, because its
 * parent ended meanwhile; -errno. */
int tree_each(pid_t spare, void (*fn)(pid_t pid, void *arg), void *arg);
