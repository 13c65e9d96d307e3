/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A child that does what must be refused: attached is not enforced.
 */
#pragma once

#include <sys/types.h>

#include "base/util.h"

/* What a canary's exit status says. */
enum canary {
	CANARY_REFUSED = 0,
	CANARY_WENT_ON = 1,
	CANARY_FAILED = 2,
};

/*
 * A child that waits for a byte and then does what must be refused, @act, whose value becomes its
 * exit status. Its number is needed before it acts, and it must not open anything else meanwhile.
 * @cgroup: a descriptor of where it lives; -1: where we do. Return: its process id, and in *ret_go
 * where it waits; -errno.
 */
pid_t canary_start(int (*act)(const void *), const void *argument, int cgroup, int *ret_go);
/* Lets the canary act and waits for it. @go is consumed. Return: what its exit status says. */
enum canary canary_finish(pid_t pid, int go);
