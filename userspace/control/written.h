/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much the session's processes have written to storage, for max_bytes_written. The kernel
 * counts for each process what it made dirty of files that have storage behind them (write_bytes of
 * /proc/PID/io: write(2), mappings and direct I/O alike; not pipes, sockets, terminals, tmpfs), and
 * adds a process's sum to that of the one that reaps it. So the sum over the living processes and
 * what the supervisor itself has reaped is the session's, however often it forks.
 *
 * Processes are read parents first: one that is reaped while this goes on is then missed, to be
 * found the next time, but never counted twice. What vanishes although nothing stirred was left by
 * processes that nobody reaps (a parent that ignores SIGCHLD): it is kept. See docs/limits.md for
 * what this cannot see.
 */
#pragma once

#include "base/util.h"

struct written;

/* In the supervisor, before it has children of the session. Return: 0, -ENOMEM. */
int written_new(struct written **ret) _must_check_;
struct written *written_free(struct written *w);
/* Looks again. Return: bytes until now; never less than before. */
uint64_t written_sample(struct written *w);
