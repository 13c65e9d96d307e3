/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strings of JSON, for scan.c: scan_string.c. Private to audit/.
 */
#pragma once

#include "audit/scan.h"

/* The quote that ends the string whose content begins at @p; NULL: not sure, as of everything that
 * is not ASCII. */
const char *scan_string_end(const char *p, const char *end);
