/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole story of one decision, for `holdfast why`: found in a first pass over the log, told in
 * a second one, so that neither the log nor a process's past is held in memory.
 */
#pragma once

#include "audit/reader.h"

#define STORY_NEAR 5 /* records of the same process before it, and after it */

struct story;

/* Which decision: the first that is set counts. */
struct story_target {
	const char *hold; /* a hold's id */
	uint64_t seq;     /* a record's number, in the last session of the file */
	bool is_last;     /* the last denial */
};

struct story *story_new(const struct story_target *target); /* NULL: out of memory */
struct story *story_free(struct story *s);
void story_freep(struct story **s);
/* First pass. */
int story_search(struct story *s, const struct reader_line *line);
/* After it: is there such a decision? */
bool story_is_found(const struct story *s);
/* Second pass. Return: 0, -ENOMEM. */
int story_add(struct story *s, const struct reader_line *line);
/*
 * The story as docs/audit.md describes it, but for "source", which is not in the log. Return: a new
 * reference, NULL: out of memory.
 */
json_t *story_json(const struct story *s, const char *log);
/* The text form of it, "source" included if it is there. */
void story_show(const json_t *story, struct strbuf *out);
