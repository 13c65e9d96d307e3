/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lines that `policy eval` answers. They are compared with what the original libraries say, so
 * texts and numbers are printed as Python's json.dumps() prints them; log lines, which must keep
 * any byte, are not (base/escape.h).
 */
#pragma once

#include "base/strbuf.h"
#include "policy/policy.h"

/* A JSON string in ASCII. A lone surrogate is its escape; other bytes that are not UTF-8 are
 * U+DC80..U+DCFF, as Python's surrogateescape has them. NULL: null. */
void answer_add_text(struct strbuf *out, struct bytes text);
/* repr(float), with NaN and Infinity as json.dumps() has them. */
void answer_add_number(struct strbuf *out, double v);
/* {"verdict":..,"word":..,"policy":..,"rule":..,"reason":..,"spent":..,"remaining":..} */
void answer_add_result(struct strbuf *out, const struct policy_result *result, double spent,
		       double remaining);
/* {"error":..} */
void answer_add_error(struct strbuf *out, const char *error);
