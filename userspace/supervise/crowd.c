/* SPDX-License-Identifier: Apache-2.0 */
#include "supervise/crowd.h"

/*
 * A return counts as much as GAIN notifications in a row by one task take away. ENTER is three
 * returns close together: a parent that opens a file between two children does not reach it. MAX
 * bounds how many calls a lone task must make after the others have ended until it is seen as
 * alone.
 */
#define CROWD_GAIN  8u
#define CROWD_ENTER 24u
#define CROWD_MAX   128u

bool crowd_note(struct crowd *c, uint32_t tid)
{
	size_t at = 0;

	while (at < CROWD_TASKS - 1 && c->recent[at] != tid)
		at++;
	if (at == 0) {
		if (c->score > 0)
			c->score--;
	} else {
		if (c->recent[at] == tid)
			c->score = MIN(c->score + CROWD_GAIN, CROWD_MAX);
		memmove(&c->recent[1], &c->recent[0], at * sizeof(c->recent[0]));
		c->recent[0] = tid;
	}
	c->is_crowded = c->is_crowded ? c->score > 0 : c->score >= CROWD_ENTER;
	return c->is_crowded;
}
