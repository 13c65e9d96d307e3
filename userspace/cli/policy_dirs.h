/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where policies are looked for by name: the user's own, those beside the binary (a build tree),
 * those installed; beside both of the latter their templates/.
 */
#pragma once

#include "base/util.h"

#define POLICY_DIRS_MAX 6

struct policy_dirs {
	const char *dirs[POLICY_DIRS_MAX]; /* owned */
	size_t n;
};

/* Return: 0, -ENOMEM. */
int policy_dirs_init(struct policy_dirs *ret);
void policy_dirs_fini(struct policy_dirs *d);
