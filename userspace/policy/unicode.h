/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What CPython 3.11 (Unicode 14) knows of characters, where PCRE2 cannot be asked. The tables are
 * generated from the interpreter by tools/gen-unicode.
 */
#pragma once

#include "base/util.h"

/*
 * The code point at @p (at most @len bytes, at least one). As Python sees text that came through
 * os.fsdecode(): a lone surrogate in three bytes is itself, another byte that is not UTF-8 is
 * U+DC00 plus the byte. Return: how many bytes it takes, 1 to 4.
 */
size_t unicode_decode(const char *p, size_t len, uint32_t *ret);
/* Writes @c, surrogates included, as UTF-8 would. Return: how many bytes. */
size_t unicode_encode(uint32_t c, char out[static 4]);

/* chr(c).isprintable(), chr(c).isspace() */
bool unicode_is_printable(uint32_t c);
bool unicode_is_space(uint32_t c);
/* The value of a decimal digit of any script; -1: it is none. */
int unicode_decimal(uint32_t c);
/* The lower case, where it is one character; else @c. Only U+0130 has a longer one. */
uint32_t unicode_lower(uint32_t c);
/* For the final sigma: has upper, lower or title case and is not case-ignorable. */
bool unicode_is_cased(uint32_t c);
bool unicode_is_case_ignorable(uint32_t c);
