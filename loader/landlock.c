/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/syscall.h>
#include <unistd.h>

#include "loader/landlock.h"

/* The same numbers on every architecture. */
#define NR_LANDLOCK_CREATE_RULESET 444
#define NR_LANDLOCK_RESTRICT_SELF  446

#define CREATE_RULESET_VERSION 1U

/* As of ABI 6. A kernel that knows less takes it if what it does not know is zero. */
struct ruleset_attr {
	uint64_t handled_access_fs;
	uint64_t handled_access_net;
	uint64_t scoped;
};

int landlock_abi(void)
{
	long abi = syscall(NR_LANDLOCK_CREATE_RULESET, NULL, 0, CREATE_RULESET_VERSION);

	return abi < 0 ? 0 : (int)abi;
}

int landlock_prepare(const struct landlock_floor *floor)
{
	const struct ruleset_attr attr = {.scoped = floor->scoped};
	long fd;

	if (!floor->scoped)
		return -ENOENT;
	fd = syscall(NR_LANDLOCK_CREATE_RULESET, &attr, sizeof(attr), 0U);
	return fd < 0 ? -errno : (int)fd;
}

int landlock_enter(int ruleset)
{
	return syscall(NR_LANDLOCK_RESTRICT_SELF, ruleset, 0U) < 0 ? -errno : 0;
}
