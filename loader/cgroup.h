/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cgroup v2 hierarchy (cgroups(7)), wherever it is mounted: /sys/fs/cgroup, or beside v1 as in
 * /sys/fs/cgroup/unified. No controller is used: a cgroup is a set of processes that eBPF programs
 * can be attached to.
 */
#pragma once

#include <sys/types.h>

#include "base/util.h"

/* The directory of the caller's own cgroup v2. Return: 0; -ENOENT: not mounted; -ENAMETOOLONG,
 * -errno. */
int cgroup_own(char *ret_path, size_t size);
/*
 * Makes a cgroup below the caller's own; its name is "holdfast-@what-" and the caller's process id.
 * Return: a descriptor of the directory (O_CLOEXEC) and its path; -ENOENT: no cgroup v2;
 * -EACCES/-EROFS: not delegated; -errno.
 */
int cgroup_make(const char *what, char *ret_path, size_t size);
/* Moves the calling process into @cgroup. Return: 0, -errno. */
int cgroup_join(int cgroup);
