/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Binary search in the generated tables.
 */
#include "base/escape.h"
#include "policy/unicode.h"

struct unicode_range {
	uint32_t first, last;
};

/* Every @stride-th from @first to @last has its lower case @difference further. */
struct unicode_lower_run {
	uint32_t first, last, stride;
	int32_t difference;
};

#include "policy/unicode_tables.h"

size_t unicode_decode(const char *p, size_t len, uint32_t *ret)
{
	const unsigned char *u = (const unsigned char *)p;
	size_t n = utf8_decode(p, len, ret);

	if (n)
		return n;
	if (len >= 3 && u[0] == 0xed && u[1] >= 0xa0 && u[1] <= 0xbf && (u[2] & 0xc0) == 0x80) {
		*ret = 0xd000 | ((uint32_t)(u[1] & 0x3f) << 6) | (u[2] & 0x3f);
		return 3;
	}
	*ret = 0xdc00u + u[0];
	return 1;
}

size_t unicode_encode(uint32_t c, char out[static 4])
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | (c >> 6));
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | (c >> 12));
		out[1] = (char)(0x80 | ((c >> 6) & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | (c >> 18));
	out[1] = (char)(0x80 | ((c >> 12) & 0x3f));
	out[2] = (char)(0x80 | ((c >> 6) & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

static bool is_in(const struct unicode_range *table, size_t n, uint32_t c)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (c > table[middle].last)
			low = middle + 1;
		else
			high = middle;
	}
	return low < n && c >= table[low].first;
}

bool unicode_is_printable(uint32_t c)
{
	if (c < 0x7f)
		return c >= 0x20;
	return !is_in(unicode_hidden, ARRAY_SIZE(unicode_hidden), c);
}

bool unicode_is_space(uint32_t c)
{
	return is_in(unicode_spaces, ARRAY_SIZE(unicode_spaces), c);
}

int unicode_decimal(uint32_t c)
{
	size_t low = 0, high = ARRAY_SIZE(unicode_zeros);

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (c > unicode_zeros[middle] + 9)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == ARRAY_SIZE(unicode_zeros) || c < unicode_zeros[low])
		return -1;
	return (int)(c - unicode_zeros[low]);
}

uint32_t unicode_lower(uint32_t c)
{
	size_t low = 0, high = ARRAY_SIZE(unicode_lowers);
	const struct unicode_lower_run *run;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (c > unicode_lowers[middle].last)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == ARRAY_SIZE(unicode_lowers))
		return c;
	run = &unicode_lowers[low];
	if (c < run->first || (c - run->first) % run->stride)
		return c;
	return (uint32_t)((int32_t)c + run->difference);
}

bool unicode_is_cased(uint32_t c)
{
	return is_in(unicode_cased, ARRAY_SIZE(unicode_cased), c);
}

bool unicode_is_case_ignorable(uint32_t c)
{
	return is_in(unicode_ignorable, ARRAY_SIZE(unicode_ignorable), c);
}
