/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cgroup v2 hierarchy (cgroups(7)), wherever it is mounted: /sys/fs/cgroup, or beside v1 as in
 * /sys/fs/cgroup/unified. No controller is used: a cgroup is a set of processes that eBPF programs
 * can be attached to.
 */
#pragma once

#include <sys/types.h>

#include "base/util.h"

/* The directory of the cgroup v2 of process @pid (0: the caller). Return: 0; -ENOENT: not mounted;
 * -ENAMETOOLONG, -errno. */
int cgroup_of(pid_t pid, char *ret_path, size_t size);
/*
 * Makes a cgroup below that of @pid (0: the caller); its name is "holdfast-@what-" and the caller's
 * process id. Return: a descriptor of the directory (O_CLOEXEC) and its path; -ENOENT: no cgroup
 * v2; -EACCES/-EROFS: not delegated; -errno.
 */
int cgroup_make(pid_t pid, const char *what, char *ret_path, size_t size);
/* Moves process @pid (0: the caller) into @cgroup. Return: 0, -errno. */
int cgroup_join(int cgroup, pid_t pid);
