/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time. Inside the program: uint64_t nanoseconds of CLOCK_MONOTONIC. In records: RFC 3339, UTC,
 * nanoseconds.
 */
#pragma once

#include "base/util.h"

#define CLOCK_RFC3339_SIZE 32 /* "2026-11-21T05:07:52.123456789Z" and a NUL */

uint64_t clock_monotonic_ns(void);
uint64_t clock_realtime_ns(void);
/* Goes on while the machine is suspended; nobody can set it. */
uint64_t clock_boottime_ns(void);
void clock_format_rfc3339(uint64_t realtime_ns, char out[static CLOCK_RFC3339_SIZE]);
/* Reads RFC 3339 (any fraction, 'Z' or an offset). Return: 0, -EINVAL. */
int clock_parse_rfc3339(const char *s, uint64_t *ret_realtime_ns);
