/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PCRE2 with the settings that a policy needs: UTF, Unicode properties, JIT, and limits past which
 * a search is given up. One regex may be used by several threads, each with its own scratch.
 */
#pragma once

#include "base/util.h"

#include "policy/literal.h"

#define REGEX_WHY_SIZE  256
#define REGEX_MAX_BYTES ((size_t)8192) /* of a pattern */
/* Of a pattern that pyregex_translate() wrote. */
#define REGEX_TRANSLATED_MAX_BYTES ((size_t)1 << 20)
/*
 * Longer subjects are not searched. With JIT the match limit bounds a whole search, some 15 ms; the
 * interpreter counts from each starting position anew, so its time grows with the square of the
 * subject and it gets shorter ones.
 */
#define REGEX_SUBJECT_MAX          ((size_t)256 * 1024)
#define REGEX_SUBJECT_MAX_UNJITTED ((size_t)16 * 1024)

struct regex;
struct regex_scratch;

/* Return: 0; -EINVAL with a sentence in @why and the byte in *ret_offset; -ENOMEM. */
int regex_new(struct bytes pattern, struct regex **ret, char why[static REGEX_WHY_SIZE],
	      size_t *ret_offset) _must_check_;
/* As regex_new(), for what a translator wrote: it may be longer and nested deeper. */
int regex_new_translated(struct bytes pattern, struct regex **ret, char why[static REGEX_WHY_SIZE],
			 size_t *ret_offset) _must_check_;
/* The pattern as it was given, NUL-terminated; borrowed. */
struct bytes regex_text(const struct regex *r);
struct regex *regex_free(struct regex *r);

struct regex_scratch *regex_scratch_new(void); /* NULL: out of memory */
struct regex_scratch *regex_scratch_free(struct regex_scratch *s);

static inline void regex_scratch_freep(struct regex_scratch **s)
{
	*s = regex_scratch_free(*s);
}

/* Does now what the first search would do, which takes some 20 microseconds, and memory. */
void regex_prepare(const struct regex *r);
/*
 * What is not UTF-8 in @subject is searched as U+FFFD: one for each such byte, one for the three
 * bytes of a lone surrogate. Return: 1 found, 0 not found, -E2BIG: a limit was hit or the search
 * failed; nothing is known.
 */
int regex_search(const struct regex *r, struct regex_scratch *scratch, struct bytes subject);
/* The same without JIT: cheaper for a pattern that is searched for while its policy loads. */
int regex_search_once(const struct regex *r, struct regex_scratch *scratch, struct bytes subject);
/*
 * As regex_search(), for many patterns on one subject: @set is that subject's, and says for most of
 * them that what they need is not there.
 */
int regex_search_filtered(const struct regex *r, struct regex_scratch *scratch,
			  struct literal_set *set, struct bytes subject);

struct regex_span {
	size_t start, end; /* bytes of the subject; not empty */
};

/*
 * All matches, from left to right, none overlapping; empty ones are passed over. Return: how many;
 * -E2BIG: more than @max, or a limit was hit: nothing is known.
 */
ssize_t regex_find_all(const struct regex *r, struct regex_scratch *scratch, struct bytes subject,
		       struct regex_span *ret, size_t max);
