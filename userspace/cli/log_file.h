/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `log` and `report` do before they read: find the file, and bring home what a killed session
 * left in its ring.
 */
#pragma once

#include "audit/reader.h"

/* Finds the log that @what (NULL: the newest) names, recovers and opens it; says what is wrong.
 * Return: 0, -errno. */
int log_file_open(const char *what, char **ret_path, struct reader **ret);
/* "PATH:12: this line WHY; going on after it", on standard error. @count grows; of more than some
 * only that there are more is told: a file of another kind has many. */
void log_file_say_damaged(uint64_t *count, const char *path, uint64_t number, const char *why);
/* Appends to the log what a session that was killed left in its ring, and says so. */
void log_file_recover(const char *path);
