/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells from the stream of notifications whether one task at a time makes them, or several at once.
 * receivers.c answers the two in different ways. Pure: a few words of state, no clock, no syscall.
 *
 * A task that is seen again after another one was seen has lived beside it: that is what a parallel
 * build looks like. A shell that starts one program after the other does not: each new task is
 * never seen again once the next has begun.
 */
#pragma once

#include "base/util.h"

#define CROWD_TASKS 8 /* as many tasks may take turns and still be told from new ones */

struct crowd {
	uint32_t recent[CROWD_TASKS]; /* thread IDs, the latest first; 0: none yet */
	unsigned score;
	bool is_crowded;
};

/* Takes note of a notification by thread @tid. Return: whether several tasks are at work. */
bool crowd_note(struct crowd *c, uint32_t tid);
