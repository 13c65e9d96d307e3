/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which processes descend from which, session by session, as far as records tell: a process that
 * did nothing that was recorded is no link in a chain. Private to audit/.
 */
#pragma once

#include "base/util.h"

struct processes;

int processes_new(struct processes **ret) _must_check_;
struct processes *processes_free(struct processes *p);
/* Return: 0, -ENOMEM. */
int processes_add(struct processes *p, struct bytes session, uint32_t pid,
		  uint32_t ppid) _must_check_;
/* Marks what descends from the processes @roots of each session. */
void processes_mark(struct processes *p, const uint32_t *roots, size_t n_roots);
bool processes_is_marked(struct processes *p, struct bytes session, uint32_t pid);
