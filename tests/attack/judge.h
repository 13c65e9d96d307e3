/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a session's log as a stranger would, and says whether it tells what a row wants told.
 */
#pragma once

#include "base/strbuf.h"

#include "tests/attack/matrix.h"

struct judgement {
	size_t denies;   /* records of a denial that have the row's object */
	bool is_ended;   /* the supervisor wrote the session's end */
	bool is_invalid; /* a line is no JSON object, or its number is not the one that was due */
	struct matrix_run *pairs; /* in, may be NULL: where denials of pairs are counted */
};

/* Reads the log below @w's top. Appends to @why what is wrong with it. Return: 0, -errno. */
int judge_log(const struct world *w, const struct attack_row *row, struct judgement *ret,
	      struct strbuf *why) _must_check_;
