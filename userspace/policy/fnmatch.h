/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Python's fnmatch.fnmatchcase(): on code points, '*' and '?' match '/' and newlines too, [!...]
 * negates and [^...] does not, no backslash, an unclosed '[' is itself.
 */
#pragma once

#include "base/util.h"

/* Contains one of * ? [ */
bool pyfnmatch_has_magic(struct bytes pattern);
/* Time is at most the product of the lengths; nothing is allocated. A lone surrogate (three bytes)
 * is one character. Other bytes of @text that are not UTF-8: each is a character of its own that
 * only
 * '*', '?' and a negated set match. */
bool pyfnmatch(struct bytes pattern, struct bytes text);
