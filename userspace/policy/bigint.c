/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Schoolbook arithmetic in base 10^9.
 */
#include <stdio.h>

#include "policy/bigint.h"

#define LIMB 1000000000u

void bigint_set(struct bigint *b, uint32_t v)
{
	b->limbs[0] = v % LIMB;
	b->limbs[1] = v / LIMB;
	b->n = b->limbs[1] ? 2 : 1;
}

static bool has_fit(const struct bigint *b)
{
	uint32_t top = b->limbs[b->n - 1];
	size_t digits = (b->n - 1) * 9;

	for (; top; top /= 10)
		digits++;
	return digits <= VALUE_MAX_DIGITS;
}

/* b = b * factor + carry */
static bool multiply_add(struct bigint *b, uint32_t factor, uint32_t addend)
{
	uint64_t carry = addend;

	for (size_t i = 0; i < b->n; i++) {
		carry += (uint64_t)b->limbs[i] * factor;
		b->limbs[i] = (uint32_t)(carry % LIMB);
		carry /= LIMB;
	}
	for (; carry; carry /= LIMB) {
		if (b->n == BIGINT_LIMBS)
			return false;
		b->limbs[b->n++] = (uint32_t)(carry % LIMB);
	}
	return has_fit(b);
}

bool bigint_multiply(struct bigint *b, uint32_t factor)
{
	return multiply_add(b, factor, 0);
}

bool bigint_add(struct bigint *b, const struct bigint *other)
{
	uint32_t carry = 0;

	while (b->n < other->n)
		b->limbs[b->n++] = 0;
	for (size_t i = 0; i < b->n; i++) {
		carry += b->limbs[i] + (i < other->n ? other->limbs[i] : 0);
		b->limbs[i] = carry % LIMB;
		carry /= LIMB;
	}
	if (carry) {
		if (b->n == BIGINT_LIMBS)
			return false;
		b->limbs[b->n++] = carry;
	}
	return has_fit(b);
}

static unsigned digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 16;
}

bool bigint_read(struct bigint *b, const char *digits, unsigned base)
{
	uint32_t factor = 1, addend = 0;
	size_t n = 0;

	bigint_set(b, 0);
	for (; *digits; digits++, n++) {
		unsigned digit = digit_of(*digits);

		if (digit >= base || (base == 10 && n == VALUE_MAX_DIGITS))
			return false;
		factor *= base;
		addend = addend * base + digit;
		/* As many digits at a time as a limb takes. */
		if (factor > LIMB / base) {
			if (!multiply_add(b, factor, addend))
				return false;
			factor = 1;
			addend = 0;
		}
	}
	return n > 0 && multiply_add(b, factor, addend);
}

size_t bigint_format(const struct bigint *b, char *out)
{
	size_t len, top = b->n;

	while (top > 1 && b->limbs[top - 1] == 0)
		top--;
	len = (size_t)snprintf(out, 16, "%u", b->limbs[top - 1]);
	while (--top > 0)
		len += (size_t)snprintf(out + len, 16, "%09u", b->limbs[top - 1]);
	return len;
}
