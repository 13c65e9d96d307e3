/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files that a log was before: FILE.1, FILE.2, ... in the order in which they were closed, or
 * FILE.N.zst where they were compressed. Numbers only grow; those that are missing at the beginning
 * were removed to keep only so many.
 */
#pragma once

#include "base/util.h"

#define SEGMENTS_MAX    ((size_t)100000) /* more of them are not looked at */
#define SEGMENTS_SUFFIX ".zst"

struct segment {
	uint64_t number;
	bool is_compressed; /* FILE.N.zst, and there is no FILE.N */
};

struct segments {
	struct segment *v; /* by number */
	size_t n;
};

#define SEGMENTS_NULL ((struct segments){})

/* Those of the log @name in @dirfd (may be O_PATH). Return: 0, -errno. */
int segments_list(int dirfd, const char *name, struct segments *ret);
/* Those of the log @path; none, if its directory may not be listed. Return: 0, -errno. */
int segments_of(const char *path, struct segments *ret);
void segments_fini(struct segments *s);
/* "FILE.N" or "FILE.N.zst" for the log @path. A heap string; NULL: out of memory. */
char *segment_path(const char *path, const struct segment *s);
