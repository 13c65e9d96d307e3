/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page's own files, which are in the program: nothing is served from a disk.
 */
#pragma once

#include "base/util.h"

struct asset {
	const char *name; /* below the page's path; "" is the page itself */
	const char *type;
	const char *begin, *end;
};

/* Return: NULL: there is none of this name. */
const struct asset *asset_find(const char *name);
