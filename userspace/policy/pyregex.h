/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Python's `re` on PCRE2. A pattern that CPython 3.11 refuses is refused here; one that it accepts
 * is rewritten where PCRE2 reads it otherwise (\Z, \s, \b, {,n}, classes, (?P>...), inline flags,
 * case folding), and compiled with the limits of policy/regex.h.
 */
#pragma once

#include "base/strbuf.h"
#include "policy/regex.h"

/*
 * What remains different, all of it tested in tests/compat/test_regex.py:
 *   - \N{NAME} and patterns too large for PCRE2 are not supported: a clear refusal (-EOPNOTSUPP),
 *     never another meaning;
 *   - a lone surrogate in a pattern matches nothing; in a subject it is U+FFFD (policy/regex.h);
 *   - a back-reference under (?i) folds case as PCRE2 does.
 */

/*
 * Rewrites @pattern (UTF-8, and lone surrogates as three bytes) for regex_new_translated().
 * Return: 0; -EINVAL with a sentence in @why and the byte in *ret_offset: Python refuses it;
 * -EOPNOTSUPP, likewise: Python may take it, but it cannot be done here; -ENOMEM.
 */
int pyregex_translate(struct bytes pattern, struct strbuf *out, char why[static REGEX_WHY_SIZE],
		      size_t *ret_offset) _must_check_;
/* Translates and compiles @pattern, to be searched with regex_search(). Return: as above. */
int pyregex_new(struct bytes pattern, struct regex **ret, char why[static REGEX_WHY_SIZE],
		size_t *ret_offset) _must_check_;
