/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the readers of JSON and YAML share in making values. Inside policy/ only.
 */
#pragma once

#include "policy/value.h"

struct value *value_new(struct arena *mem, enum value_type type, unsigned line,
			unsigned column) _must_check_; /* NULL: out of memory */
/* Makes @v the integer whose decimal digits (after a '-', perhaps) are @text, which is changed and
 * must live as long as @v. */
void value_set_int(struct value *v, char *text);

/*
 * Makes the filled @map (its n not set yet) what a Python dict would be: of equal keys the first
 * stays, with the last one's value. @on_duplicate (may be NULL) is told of each later key. Return:
 * 0, -ENOMEM.
 */
int value_map_close(struct value *map, void (*on_duplicate)(void *ctx, const struct value *key),
		    void *ctx) _must_check_;
/* A total order of values that can be keys, in which equal means the same key of a dict: 1, 1.0 and
 * True are one, and so is PyYAML's only NaN. */
int value_compare_keys(const struct value *a, const struct value *b);
