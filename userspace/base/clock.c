/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <time.h>

#include "base/clock.h"

static uint64_t clock_read(clockid_t id)
{
	struct timespec ts;

	(void)clock_gettime(id, &ts); /* cannot fail for the clocks used here */
	return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

uint64_t clock_monotonic_ns(void)
{
	return clock_read(CLOCK_MONOTONIC);
}

uint64_t clock_realtime_ns(void)
{
	return clock_read(CLOCK_REALTIME);
}

uint64_t clock_boottime_ns(void)
{
	return clock_read(CLOCK_BOOTTIME);
}

void clock_format_rfc3339(uint64_t realtime_ns, char out[static CLOCK_RFC3339_SIZE])
{
	time_t sec = (time_t)(realtime_ns / NS_PER_SEC);
	unsigned int ns = (unsigned int)(realtime_ns % NS_PER_SEC);
	struct tm tm;
	size_t n;

	(void)gmtime_r(&sec, &tm);
	n = strftime(out, CLOCK_RFC3339_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(out + n, CLOCK_RFC3339_SIZE - n, ".%09uZ", ns);
}

/* Reads ".123" as nanoseconds and moves @s past it. */
static uint64_t clock_parse_fraction(const char **s)
{
	uint64_t ns = 0;
	unsigned int digits = 0;
	const char *p = *s;

	if (*p != '.')
		return 0;
	for (p++; *p >= '0' && *p <= '9'; p++)
		if (digits < 9) {
			ns = ns * 10 + (uint64_t)(*p - '0');
			digits++;
		}
	for (; digits < 9; digits++)
		ns *= 10;
	*s = p;
	return ns;
}

int clock_parse_rfc3339(const char *s, uint64_t *ret_realtime_ns)
{
	struct tm tm = {};
	unsigned int h, m;
	const char *rest;
	int64_t sec;
	uint64_t ns;
	int n = 0;

	rest = strptime(s, "%Y-%m-%d", &tm);
	if (!rest || (*rest != 'T' && *rest != 't' && *rest != ' '))
		return -EINVAL;
	rest = strptime(rest + 1, "%H:%M:%S", &tm);
	if (!rest)
		return -EINVAL;
	ns = clock_parse_fraction(&rest);
	sec = (int64_t)timegm(&tm);
	if ((*rest == '+' || *rest == '-') && sscanf(rest + 1, "%2u:%2u%n", &h, &m, &n) == 2) {
		int64_t offset = (int64_t)h * 3600 + (int64_t)m * 60;

		sec += *rest == '+' ? -offset : offset;
		rest += 1 + n;
	} else if (*rest == 'Z' || *rest == 'z') {
		rest++;
	} else {
		return -EINVAL;
	}
	if (*rest != '\0' || sec < 0)
		return -EINVAL;
	*ret_realtime_ns = (uint64_t)sec * NS_PER_SEC + ns;
	return 0;
}
