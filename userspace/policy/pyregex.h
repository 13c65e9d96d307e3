/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Python's `re` on PCRE2. A pattern that CPython 3.11 refuses is refused here; one that it accepts
 * is rewritten where PCRE2 reads it otherwise (\Z, \s, \b, {,n}, classes, (?P>...), inline flags,
 * case folding), and compiled with the limits of policy/regex.h.
 */
#pragma once

#include "base/strbuf.h"
#include "policy/regex.h"

/* Rewrites @pattern for PCRE2 (UTF, UCP). Return: 0; -EINVAL with a sentence in @why and the byte
 * in *ret_offset: Python refuses it; -ENOMEM. */
int pyregex_translate(struct bytes pattern, struct strbuf *out, char why[static REGEX_WHY_SIZE],
		      size_t *ret_offset) _must_check_;
/* As regex_new(), for a Python pattern; searched with regex_search(). */
int pyregex_new(struct bytes pattern, struct regex **ret, char why[static REGEX_WHY_SIZE],
		size_t *ret_offset) _must_check_;
