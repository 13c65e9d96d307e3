/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which files a question is asked of: one log with what it was before (rotated, compressed), or all
 * logs of a directory. Files are in the order of time: sessions as they began, a log's oldest
 * first.
 */
#pragma once

#include "base/diag.h"

struct logs {
	char **paths;
	size_t n, cap;
};

#define LOGS_NULL ((struct logs){})

void logs_fini(struct logs *l);
/* Adds the log @path and its closed files. Return: 0, -errno with @reterr_diag. */
int logs_add(struct logs *l, const char *path, struct diag *reterr_diag) _must_check_;
/* Adds every log of the directory @dir. Return: as above. */
int logs_add_dir(struct logs *l, const char *dir, struct diag *reterr_diag) _must_check_;
