/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "control/history.h"

static const char *const end_words[_CONTROL_END_MAX] = {
	[CONTROL_END_APPROVED] = "was approved",
	[CONTROL_END_DENIED] = "was denied",
	[CONTROL_END_TIMED_OUT] = "timed out, so it was denied,",
	[CONTROL_END_GONE] = "ended because its process ended or was interrupted",
};

void control_history_add(struct control_history *h, const char *id, enum control_end how,
			 struct bytes approver, uint64_t now_ns)
{
	struct control_ended *e = &h->ended[h->next];

	h->next = (h->next + 1) % CONTROL_HISTORY;
	*e = (struct control_ended){.how = how, .at_ns = now_ns};
	(void)snprintf(e->id, sizeof(e->id), "%s", id);
	if (approver.p && (how == CONTROL_END_APPROVED || how == CONTROL_END_DENIED))
		memcpy(e->approver, approver.p, MIN(approver.len, sizeof(e->approver) - 1));
}

const struct control_ended *control_history_find(const struct control_history *h, const char *id)
{
	for (size_t i = 0; id[0] && i < CONTROL_HISTORY; i++) {
		if (streq(h->ended[i].id, id))
			return &h->ended[i];
	}
	return NULL;
}

void control_history_describe(const struct control_ended *e, uint64_t now_ns, char *out,
			      size_t size)
{
	(void)snprintf(out, size, "%s%s%s %llu s ago", end_words[e->how],
		       e->approver[0] ? " by " : "", e->approver,
		       (unsigned long long)((now_ns - e->at_ns) / NS_PER_SEC));
}
