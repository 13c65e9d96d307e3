/* SPDX-License-Identifier: Apache-2.0 */
/* The images that a program consists of when it runs: itself, and what its "#!" line names. */
#pragma once

#include "base/util.h"

/* Of @name, found as a shell would. @ret has room for @max; the caller frees them. Return: how
 * many; 0: there is no such program. */
size_t plan_tool_images(const char *name, char **ret, size_t max);
