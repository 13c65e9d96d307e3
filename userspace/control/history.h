/* SPDX-License-Identifier: Apache-2.0 */
/* How the last held actions ended, so that a late answer hears it. Embedded by value in the server.
 */
#pragma once

#include "control/peer.h"
#include "control/server.h"

struct control_ended {
	char id[HELD_ID_SIZE];
	enum control_end how;
	uint64_t at_ns;
	char approver[CONTROL_APPROVER_MAX];
};

struct control_history {
	size_t next; /* where the next one goes */
	struct control_ended ended[CONTROL_HISTORY];
};

void control_history_add(struct control_history *h, const char *id, enum control_end how,
			 struct bytes approver, uint64_t now_ns);
/* NULL when it is not, or no longer, remembered. Borrowed. */
const struct control_ended *control_history_find(const struct control_history *h, const char *id);
/* "was approved by alice (pid 12) 3 s ago" */
void control_history_describe(const struct control_ended *e, uint64_t now_ns, char *out,
			      size_t size);
