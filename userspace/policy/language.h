/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which language a document is in. Inside policy/ only.
 */
#pragma once

#include "policy/policy.h"
#include "policy/value.h"

/*
 * Tells by the first top key that belongs to one language only; no more is read. What cannot be
 * told, what is no map and what is no YAML is native, whose reader says what is wrong. Return: 0;
 * -EINVAL with @d set: no top key is known in any language; -ENOMEM.
 */
int language_detect(const char *file, struct bytes text, enum policy_language *ret,
		    struct diag *d) _must_check_;
/* Refuses a document whose language was told by one key while others belong to another language,
 * where they would not count. Return: 0; -EINVAL with @d set. */
int language_check(const char *file, const struct value *root, enum policy_language language,
		   struct diag *d) _must_check_;
