/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What /proc tells of a task. @proc is O_PATH of our /proc. Inside of behalf/.
 */
#pragma once

#include <sys/types.h>

#include "base/util.h"

struct proc_stat {
	pid_t ppid;
	uint64_t start; /* in clock ticks since boot: proc_pid_stat(5), field 22 */
};

/* The first @size - 1 bytes of /proc/@tid/@name, with a NUL. Return: 0; -ENOENT: no such task;
 * -ESRCH: it is ending; -errno. */
int proc_read_file(int proc, pid_t tid, const char *name, char *buf, size_t size) _must_check_;
/* Return: 0, -ESRCH, -errno. */
int proc_read_stat(int proc, pid_t tid, struct proc_stat *ret) _must_check_;
/* Whether it is process 1 of a PID namespace; also when that cannot be read. */
bool proc_is_namespace_init(int proc, pid_t tid);
/*
 * How many seccomp filters it has; 0: unknown. They are inherited and never taken off, so who has
 * fewer is nobody's descendant that had more.
 */
unsigned proc_count_filters(int proc, pid_t tid);
/* RLIMIT_FSIZE as it holds now, UINT64_MAX for none. Return: 0, -ESRCH, -errno. */
int proc_read_size_limit(int proc, pid_t tid, uint64_t *ret) _must_check_;
/* Effective capabilities, in the task's own user namespace. Return: 0, -ESRCH, -errno. */
int proc_read_caps(int proc, pid_t tid, uint64_t *ret) _must_check_;
