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
 *   - all lone surrogates are one character, U+E000 (policy/regex.h);
 *   - a back-reference under (?i) folds case as PCRE2 does;
 *   - a group that matched nothing may be repeated up to a finite maximum, where Python stops; only
 * a condition on that same group inside it can tell;
 *   - mistakes of CPython 3.11 that are not repeated: possessive repeats of groups (gh-106052), a
 *     pattern that starts with a scoped (?a:...) or (?u:...) and then a category, an upper-case
 *     letter beyond U+FFFF under (?i) among single-letter alternatives.
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
