/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The steps of an action as a record keeps them. Most follow from the record's other keys
 * (action_plain_steps()), and then nothing is kept; for the rest the record gets the key `steps`,
 * so that `holdfast replay` can ask a policy about exactly what was asked at the time.
 */
#pragma once

#include "action/action.h"
#include "base/strbuf.h"

/* More text than this is not kept: ACTION_STEPS_LOST is. */
#define ACTION_STEPS_BYTES ((size_t)8192)
#define ACTION_STEPS_LOST  "null"

#define ACTION_PLAIN_STEPS 3

struct action_plain_step {
	enum action_op op;
	struct bytes object;
	enum policy_protocol protocol; /* network only */
};

/* The steps that kind, op, object and object2 of @a alone make one think of. Return: how many. */
size_t action_plain_steps(const struct action *a,
			  struct action_plain_step ret[static ACTION_PLAIN_STEPS]);
/* Of an object of a network action: the path, or the abstract name, of "unix:...". Others: .p NULL.
 */
struct bytes action_unix_name(struct bytes object);

/* Appends the JSON of `steps` to @out, or nothing when the steps are the plain ones. Allocates only
 * through @out. */
void action_steps_add(const struct action *a, struct strbuf *out);
