/* SPDX-License-Identifier: Apache-2.0 */
/* What CPython 3.11 says of characters, where Unicode properties of PCRE2 do not say the same. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct pyregex_range {
	uint32_t first, last;
};

/*
 * Under (?i), each of first, first + stride, ... last equals the character @delta further on, and
 * so on until the cycle closes. Rows overlap: search them all.
 */
struct pyregex_orbit {
	uint32_t first, last;
	uint32_t stride;
	int32_t delta;
};

extern const struct pyregex_orbit pyregex_orbits[];
extern const size_t pyregex_orbits_n;
extern const struct pyregex_range pyregex_id_start[];
extern const size_t pyregex_id_start_n;
extern const struct pyregex_range pyregex_id_continue[]; /* beyond those that may start */
extern const size_t pyregex_id_continue_n;
/* Decimal digits with the value 0; the nine others follow each. */
extern const struct pyregex_range pyregex_zeros[];
extern const size_t pyregex_zeros_n;
