/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening the log file safely, and saying clearly why not. Private to audit/.
 *
 * The log's directory may be one in which others can plant names, so every name is opened without
 * following links, relative to a directory that is held open, and checked after the open.
 */
#pragma once

#include "base/diag.h"
#include "base/util.h"

struct logfile {
	int dirfd;        /* O_PATH */
	char *path;       /* absolute, its directory resolved */
	char *ring_name;  /* within dirfd */
	const char *name; /* within dirfd; the end of path */
	int fd;           /* read and append; -1 until logfile_open() */
};

#define LOGFILE_NULL ((struct logfile){.dirfd = -1, .fd = -1})

/* Resolves @path and opens its directory; with @create makes the missing ones (0700). Return: 0,
 * -errno with @reterr_diag. */
int logfile_init(const char *path, bool create, struct logfile *ret, struct diag *reterr_diag);
/* Opens the file itself, with @create makes it (0600). An existing one must be ours, regular, no
 * link, and begin like a log. Return: 0, -errno with @reterr_diag. */
int logfile_open(struct logfile *f, bool create, struct diag *reterr_diag);
void logfile_fini(struct logfile *f);
/* Says why @path cannot be used, for @error (> 0). Return: -@error. */
int logfile_refuse(const char *path, int error, struct diag *reterr_diag);
