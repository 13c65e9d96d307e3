/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a search can take much longer than its subject is long. For `policy lint`: a search is
 * bounded anyway (policy/regex.h), but one that hits its limit denies.
 *
 * Found are a repeat in a repeat that can take the same text in several ways, '(\w+\s?)+x'; choices
 * under a repeat that can, '(a|\w)*x'; and two endless repeats side by side, '\s*\s*x'. Sets are
 * compared on ASCII and on kinds of other characters. Back-references, recursion and conditions are
 * not looked into.
 */
#pragma once

#include "policy/regex.h"

/* @pattern, as regex_new() takes it, has compiled. True: a sentence in @why. */
bool regex_is_redos_prone(struct bytes pattern, char why[static REGEX_WHY_SIZE]);
/* The same for Python's. */
bool pyregex_is_redos_prone(struct bytes pattern, char why[static REGEX_WHY_SIZE]);
