/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON as Python's json.dumps() prints it, for what is compared with the original libraries. Unlike
 * base/json.h it cannot give back every byte of what an agent wrote.
 */
#pragma once

#include "base/strbuf.h"
#include "policy/value.h"

/* A string in ASCII. Bytes that are no UTF-8 (names of real files) come out as Python's
 * surrogateescape has them. */
void pyjson_add_text(struct strbuf *out, struct bytes text);
/* repr(float); NaN, Infinity, -Infinity. */
void pyjson_add_float(struct strbuf *out, double v);
void pyjson_add_value(struct strbuf *out, const struct value *v);
