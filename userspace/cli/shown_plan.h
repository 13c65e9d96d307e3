/* SPDX-License-Identifier: Apache-2.0 */
/* The plan of policies for a session that is not started: policy explain --plan, doctor. */
#pragma once

#include "control/plan.h"
#include "control/policyset.h"

struct shown_plan {
	struct plan plan;
	char reasons[_LAYER_MAX][LAYERS_REASON_MAX]; /* some of what the plan points to */
};

/* Tries what is wished for. @ret must not be moved. */
void shown_plan_make(const struct policyset *set, struct layer_wishes wishes,
		     struct shown_plan *ret);
void shown_plan_print(const struct shown_plan *p, struct strbuf *out);
