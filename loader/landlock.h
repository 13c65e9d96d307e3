/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Landlock (landlock(7)): the floor under a session. What it refuses is refused whatever became of
 * the supervisor; it asks nobody and records nothing, so it holds only what no policy of the
 * session lets through. Raw system calls, because libc has no wrappers; the constants are those of
 * include/uapi/linux/landlock.h, of which distributions have old copies.
 */
#pragma once

#include "base/util.h"

/* struct landlock_ruleset_attr.scoped, ABI 6 (Linux 6.12). */
#define LANDLOCK_SCOPES_ABI          6
#define LANDLOCK_SCOPE_ABSTRACT_UNIX UINT64_C(1)
#define LANDLOCK_SCOPE_SIGNALS       UINT64_C(2)

struct landlock_floor {
	uint64_t scoped; /* LANDLOCK_SCOPE_* */
};

/* The kernel's version of the interface; 0: it has none, or it is switched off. */
int landlock_abi(void);
/*
 * A ruleset for @floor, which the kernel of @abi knows in full. Return: a descriptor (O_CLOEXEC);
 * -ENOENT: there is nothing in it; -errno.
 */
int landlock_prepare(const struct landlock_floor *floor);
/* Puts the calling thread, and what it starts, under @ruleset; no_new_privs must be set.
 * Async-signal-safe. Return: 0, -errno. */
int landlock_enter(int ruleset);
