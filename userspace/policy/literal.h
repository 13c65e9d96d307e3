/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cheap no for many regular expressions on one subject: most patterns need some literal text, and
 * what a subject lacks three bytes of cannot have it. The subject's runs of three bytes are noted
 * once, as bits; each pattern then looks at up to four of them. A set bit says nothing for certain,
 * a missing one does.
 */
#pragma once

#include "base/util.h"

#define LITERAL_BITS        4096
#define LITERAL_SUBJECT_MAX 4096 /* in longer ones nearly every bit would be set */
#define LITERAL_MAX_BYTES   64   /* of a literal that is looked for */
#define LITERAL_GRAMS       4

/* What a pattern needs. Without literals n is 0, and any subject may match. */
struct literal_grams {
	uint16_t at[LITERAL_GRAMS]; /* numbers of bits */
	uint8_t n;
};

/* What a subject has. Built at its first use; begins as {.is_built = false}. */
struct literal_set {
	bool is_built;
	bool has_all; /* too long: every bit counts as set */
	uint64_t bits[LITERAL_BITS / 64];
};

/*
 * The longest text that every match of @pattern holds, a PCRE2 pattern without options but UTF and
 * UCP. Looks only at what is plain: no alternatives at the top, no inline options, no verbs.
 * Return: its length, at most LITERAL_MAX_BYTES; 0: none is known.
 */
size_t literal_of(struct bytes pattern, char ret[static LITERAL_MAX_BYTES]);
struct literal_grams literal_grams_of(struct bytes pattern);
void literal_set_build(struct literal_set *set, struct bytes subject);

static inline bool literal_set_has(const struct literal_set *set, const struct literal_grams *g)
{
	for (size_t i = 0; i < g->n && !set->has_all; i++)
		if (!(set->bits[g->at[i] / 64] >> (g->at[i] % 64) & 1))
			return false;
	return true;
}
