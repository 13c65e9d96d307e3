/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Costs as Python adds and compares them: what is no number raises, integers are exact.
 */
#include <math.h>
#include <stdio.h>

#include "policy/agentpolicy.h"

/* Integers beyond it are exact as text only. */
#define EXACT_MAX 9007199254740992.0

#define TYPE_ERRORS(head, tail)                                                                    \
	{                                                                                          \
		[VALUE_NULL] = head "'NoneType'" tail, [VALUE_STRING] = head "'str'" tail,         \
		[VALUE_LIST] = head "'list'" tail, [VALUE_MAP] = head "'dict'" tail,               \
		[VALUE_OTHER] = head "'object'" tail,                                              \
	}
#define N_TYPES (VALUE_OTHER + 1)

static const char *const add_errors[N_TYPES] =
	TYPE_ERRORS("unsupported operand type(s) for +: 'float' and ", "");
static const char *const above_float_errors[N_TYPES] =
	TYPE_ERRORS("'>' not supported between instances of ", " and 'float'");
static const char *const above_int_errors[N_TYPES] =
	TYPE_ERRORS("'>' not supported between instances of ", " and 'int'");

double agentpolicy_number(const struct value *v)
{
	return v->type == VALUE_BOOL ? v->is_true : v->number;
}

const char *agentpolicy_add_error(const struct value *cost)
{
	if (cost->type == VALUE_INT && isinf(cost->number))
		return "int too large to convert to float";
	return add_errors[cost->type];
}

const char *agentpolicy_compare_error(const struct value *cost)
{
	return above_float_errors[cost->type];
}

const char *agentpolicy_above_error(const struct value *cost)
{
	return above_int_errors[cost->type];
}

/* Both are integers; @v as decimal text of any length. */
static bool is_integer_above(const struct value *v, double limit)
{
	char digits[400];
	struct bytes a = v->text, b;
	bool is_a_negative = a.len && a.p[0] == '-', is_b_negative = limit < 0;
	int r;

	if (is_a_negative != is_b_negative)
		return is_b_negative;
	(void)snprintf(digits, sizeof(digits), "%.0f", limit);
	b = bytes_of(digits);
	if (a.len != b.len)
		return (a.len > b.len) != is_a_negative;
	r = memcmp(a.p, b.p, a.len);
	return is_a_negative ? r < 0 : r > 0;
}

bool agentpolicy_is_above(const struct value *v, double limit)
{
	double number = agentpolicy_number(v);

	if (v->type == VALUE_INT && fabs(number) >= EXACT_MAX && fabs(limit) >= EXACT_MAX &&
	    !isinf(limit))
		return is_integer_above(v, limit);
	if (v->type == VALUE_INT && isinf(limit))
		return limit < 0;
	return number > limit;
}
