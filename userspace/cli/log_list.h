/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All logs of the default place, one after the other.
 */
#pragma once

#include "audit/reader.h"

/*
 * Calls @fn with each log that was written to after @since_ns (realtime; 0: all), the oldest
 * session first. @path and @reader are borrowed. A log that cannot be read is told and passed over.
 * Return: 0; what @fn returned below 0; -errno after saying what is wrong.
 */
int log_list_each(uint64_t since_ns, int (*fn)(void *ctx, const char *path, struct reader *reader),
		  void *ctx);
