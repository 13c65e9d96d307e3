/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <strings.h>

#include "policy/week.h"

#define MINUTES_PER_DAY 1440
#define DAYS            7
#define EVERY_DAY       ((1 << DAYS) - 1)
#define DAY_BYTES       3

static const char day_names[DAYS][DAY_BYTES + 1] = {"mon", "tue", "wed", "thu",
						    "fri", "sat", "sun"};

static int fail_format(struct bytes text, char *why)
{
	(void)snprintf(why, WEEK_WHY_SIZE,
		       "'%.60s' is not a time: write 09:00-17:30, 'mon-fri 09:00-17:30' or "
		       "'sat,sun'; days are mon, tue, wed, thu, fri, sat and sun",
		       text.p);
	return -EINVAL;
}

static bool take_byte(struct bytes *in, char c)
{
	if (in->len == 0 || in->p[0] != c)
		return false;
	in->p++;
	in->len--;
	return true;
}

static bool take_day(struct bytes *in, unsigned *ret)
{
	for (unsigned int d = 0; d < DAYS && in->len >= DAY_BYTES; d++)
		if (strncasecmp(in->p, day_names[d], DAY_BYTES) == 0) {
			in->p += DAY_BYTES;
			in->len -= DAY_BYTES;
			*ret = d;
			return true;
		}
	return false;
}

/* "mon-fri,sun": a range may go over the end of the week. */
static bool take_days(struct bytes *in, uint8_t *ret)
{
	unsigned int days = 0;

	do {
		unsigned int first = 0, last;

		if (!take_day(in, &first))
			return false;
		last = first;
		if (take_byte(in, '-') && !take_day(in, &last))
			return false;
		for (unsigned int d = first;; d = (d + 1) % DAYS) {
			days |= 1u << d;
			if (d == last)
				break;
		}
	} while (take_byte(in, ','));
	*ret = (uint8_t)days;
	return true;
}

static bool take_two_digits(struct bytes *in, unsigned *ret)
{
	if (in->len < 2 || in->p[0] < '0' || in->p[0] > '9' || in->p[1] < '0' || in->p[1] > '9')
		return false;
	*ret = (unsigned int)(in->p[0] - '0') * 10 + (unsigned int)(in->p[1] - '0');
	in->p += 2;
	in->len -= 2;
	return true;
}

static bool take_clock(struct bytes *in, uint16_t *ret)
{
	unsigned int hour = 0, minute = 0;

	if (!take_two_digits(in, &hour) || !take_byte(in, ':') || !take_two_digits(in, &minute))
		return false;
	if (hour > 24 || minute > 59 || (hour == 24 && minute > 0))
		return false;
	*ret = (uint16_t)(hour * 60 + minute);
	return true;
}

int week_range_parse(struct bytes text, struct week_range *ret, char why[static WEEK_WHY_SIZE])
{
	struct week_range r = {.days = EVERY_DAY, .to = MINUTES_PER_DAY};
	struct bytes in = text;
	bool has_days = in.len && (in.p[0] < '0' || in.p[0] > '9');

	if (has_days && !take_days(&in, &r.days))
		return fail_format(text, why);
	if (has_days && in.len == 0) {
		*ret = r;
		return 0;
	}
	if (has_days && !take_byte(&in, ' '))
		return fail_format(text, why);
	while (has_days && take_byte(&in, ' '))
		continue;
	if (!take_clock(&in, &r.from) || !take_byte(&in, '-') || !take_clock(&in, &r.to) || in.len)
		return fail_format(text, why);
	if (r.from == MINUTES_PER_DAY || r.from == r.to) {
		(void)snprintf(why, WEEK_WHY_SIZE,
			       "'%.60s' is no span of time; a whole day is 00:00-24:00", text.p);
		return -EINVAL;
	}
	*ret = r;
	return 0;
}

bool week_range_has(const struct week_range *r, unsigned minute)
{
	unsigned int day = minute / MINUTES_PER_DAY % DAYS, at = minute % MINUTES_PER_DAY;
	bool is_on = r->days >> day & 1, was_on = r->days >> (day + DAYS - 1) % DAYS & 1;

	if (r->from < r->to)
		return is_on && at >= r->from && at < r->to;
	return (is_on && at >= r->from) || (was_on && at < r->to);
}
