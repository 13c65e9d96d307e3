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

#define LANDLOCK_PORTS_ABI 4 /* Linux 6.7 */

struct landlock_floor {
	uint64_t scoped;     /* LANDLOCK_SCOPE_* */
	bool bounds_changes; /* the tree is changed only below landlock_add_directory() */
	bool bounds_lists;   /* directories are listed only below landlock_add_directory() */
	bool bounds_connect; /* TCP, ABI 4 (Linux 6.7): only to landlock_add_port() */
	bool bounds_bind;
};

/* The kernel's version of the interface; 0: it has none, or it is switched off. */
int landlock_abi(void);
/*
 * A ruleset for @floor, as far as the kernel of @abi can hold it. Return: a descriptor (O_CLOEXEC);
 * -ENOENT: there is nothing in it; -errno.
 */
int landlock_prepare(const struct landlock_floor *floor, int abi);
enum landlock_access {
	LANDLOCK_CHANGES,
	LANDLOCK_LISTS,
};
/* All of @access at and below @path (NUL-terminated, absolute), or below the nearest directory
 * above it that exists. The ruleset must handle it. Return: 0, -errno. */
int landlock_add_directory(int ruleset, const char *path, enum landlock_access access, int abi);
/* Return: 0, -errno. */
int landlock_add_port(int ruleset, uint16_t port, bool is_connect);
/* Puts the calling thread, and what it starts, under @ruleset; no_new_privs must be set.
 * Async-signal-safe. Return: 0, -errno. */
int landlock_enter(int ruleset);
