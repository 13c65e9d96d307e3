/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Times of the week, as rules give them: "09:00-17:30", "mon-fri 09:00-17:30", "sat,sun".
 */
#pragma once

#include "base/util.h"

#define WEEK_WHY_SIZE 256

/* On each of @days from @from up to, but not with, @to. When @to is not after @from, it is on the
 * day after. */
struct week_range {
	uint8_t days;      /* bit 0 is Monday */
	uint16_t from, to; /* minutes of a day; @to may be 24:00 */
};

/* Return: 0; -EINVAL with a sentence in @why. */
int week_range_parse(struct bytes text, struct week_range *ret,
		     char why[static WEEK_WHY_SIZE]) _must_check_;
/* @minute: of the week, Monday 00:00 is 0. */
bool week_range_has(const struct week_range *r, unsigned minute);
