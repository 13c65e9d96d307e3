/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text as CPython 3.11 makes it: str(), repr(), float(). Facts from the language reference, checked
 * against the interpreter in tests/compat.
 */
#pragma once

#include "base/strbuf.h"
#include "policy/value.h"

/* str(v): text as it is; everything else as repr(). */
void py_add_str(struct strbuf *out, const struct value *v);
void py_add_repr(struct strbuf *out, const struct value *v);
/* repr(float): the shortest digits that read back the same; "1e+16", "nan", "inf", "1.0". */
void py_add_float(struct strbuf *out, double v);
/* format(v, ".<digits>f"): correctly rounded, halves to even, "inf", "nan". */
void py_add_fixed(struct strbuf *out, double v, int digits);
/* round(v, digits) */
double py_round(double v, int digits);
/* float(text): blanks around, underscores between digits, inf, nan, Unicode digits. Return: 0,
 * -EINVAL. */
int py_float(struct bytes text, double *ret) _must_check_;
/* What int() and float() make of text first: digits of all scripts and Unicode blanks in ASCII,
 * other characters outside ASCII as '?'. */
void py_add_ascii(struct strbuf *out, struct bytes text);
/* str.strip(): Unicode blanks. */
struct bytes py_strip(struct bytes text);
/* str.lower() of text; what has no lower case is kept. */
void py_add_lower(struct strbuf *out, struct bytes text);
