/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a session did, for its report: how its decisions lie in time, which files it read and
 * changed, where it connected to, what it spent. In bounded memory, as the report: of many distinct
 * names the first that were met are kept, and the records about the others are counted.
 */
#pragma once

#include "audit/reader.h"

#define ACTIVITY_BUCKETS   120  /* of time; as the session goes on they get longer */
#define ACTIVITY_MAX_NAMES 2048 /* kept of each list */

struct activity;

struct activity *activity_new(void); /* NULL: out of memory */
struct activity *activity_free(struct activity *a);
/* Takes the record of an action, whose words have been checked. Return: 0, -ENOMEM. */
int activity_add(struct activity *a, const struct reader_line *line, enum action_kind kind,
		 enum verdict verdict);
/* Sets "timeline", "files", "places" and "kinds" of @report. Return: 0, -ENOMEM. */
int activity_finish(const struct activity *a, json_t *report);
