/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Natural numbers of up to VALUE_MAX_DIGITS decimal digits: just enough arithmetic to print the
 * hexadecimal and sexagesimal integers of YAML in decimal.
 */
#pragma once

#include "policy/value.h"

#define BIGINT_LIMBS     (VALUE_MAX_DIGITS / 9 + 1)
#define BIGINT_TEXT_SIZE (BIGINT_LIMBS * 9 + 16)

/* Limbs of nine decimal digits, the lowest first. */
struct bigint {
	size_t n;
	uint32_t limbs[BIGINT_LIMBS];
};

void bigint_set(struct bigint *b, uint32_t v);
/* These return false when the result has too many digits; then @b is void. */
bool bigint_multiply(struct bigint *b, uint32_t factor);
bool bigint_add(struct bigint *b, const struct bigint *other);
/* The digits, at least one and no others, of a @base of at most 16. */
bool bigint_read(struct bigint *b, const char *digits, unsigned base);
/* Writes it in decimal, NUL-terminated, no leading zero. Return: the digits. */
size_t bigint_format(const struct bigint *b, char *out);
