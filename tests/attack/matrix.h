/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table of attacks in one session: each way to do a thing (another call of the family) under each
 * name of the object (another alias of the path). Each pair has objects of its own, whose names
 * or ports hold its number, so that what the log says of it can be told.
 *
 * Natively every pair is tried, and those that work there are counted; supervised, each of these
 * must be refused with EACCES, EPERM or ENOSYS, and have exactly one record of a denial, and none
 * of the others may work.
 */
#pragma once

#include <jansson.h>

#include "tests/attack/world.h"

#define MATRIX_PAIRS_MAX 4096
#define MATRIX_TAG       "kx" /* and four digits: in the names of a pair's objects */
#define MATRIX_NAME_SIZE 96
#define MATRIX_PORT      20000 /* and the pair's number: of pairs whose objects are addresses */

struct matrix {
	size_t n;
	/* What pair @i is, for people. */
	void (*name)(size_t i, char out[static MATRIX_NAME_SIZE]);
	/* The kernel itself refuses it, or the record cannot say of which pair it is. */
	bool (*is_untold)(size_t i);
	/* So many pairs must work natively: fewer, and the table is broken. Kernels and file
	 * systems differ in attributes. */
	size_t least;
	bool is_optional; /* or none at all: the kernel may be built without it */
};

/* A result: the policy refused what makes the name (a link, a descriptor of the directory), so
 * there was nothing to try. */
#define MATRIX_NO_NAME 201

/* The agent's side: what came of pair @i. @result: 0 it worked, an errno, MATRIX_NO_NAME. */
void matrix_tell(size_t i, int result);

/* The host's side: what the pairs of one run came to. */
struct matrix_run {
	int result[MATRIX_PAIRS_MAX];          /* -1: it was not told */
	unsigned int denies[MATRIX_PAIRS_MAX]; /* records that speak of it */
};

/* Return: 0, -errno. */
int matrix_read(const struct host *h, struct matrix_run *ret) _must_check_;
/* Counts the record's denial where it names a pair. */
void matrix_judge(const json_t *record, struct matrix_run *run);
/* Compares, and says to @why what differs. */
bool matrix_compare(const struct matrix *m, const struct matrix_run *native,
		    const struct matrix_run *supervised, struct strbuf *why);
size_t matrix_count(const struct matrix *m, const struct matrix_run *native);
