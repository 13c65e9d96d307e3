/* SPDX-License-Identifier: Apache-2.0 */
/*
 * File helpers: whole reads with a limit, whole writes, directories, numbers from text.
 */
#pragma once

#include <dirent.h>
#include <sys/types.h>

#include "base/strbuf.h"

/* Writes all of @p; retries on EINTR and short writes. Return: 0, -errno. */
int io_write_all(int fd, const void *p, size_t len);
/* Appends what is left of @fd to @out (its maximum limits). Return: 0, -errno, -EMSGSIZE. */
int io_read_all(int fd, struct strbuf *out);
/* Reads a regular file (no FIFO, no device) relative to @dirfd. Return: 0, -errno, -EMSGSIZE;
 * -EINVAL: not regular. */
int io_read_file_at(int dirfd, const char *path, struct strbuf *out);
/* For _cleanup_: closes *d unless NULL. */
void io_closedirp(DIR **d);
/*
 * Takes the lock file @name in @dirfd, made where it is missing, and waits for at most @wait_ns.
 * Mode 0200: what can be opened can be locked, and an agent may read what it may not change. Root's
 * agent could still, so nobody waits for long. Return: a descriptor, whose closing unlocks; -EBUSY;
 * -errno.
 */
int io_lock_at(int dirfd, const char *name, uint64_t wait_ns);
/*
 * Makes @text the content of @name in @dirfd, mode 0600, by way of @fresh: whoever reads has the
 * old or the new. The caller has a lock. @is_durable: it is on the disk on return. Return: 0,
 * -errno.
 */
int io_replace_file_at(int dirfd, const char *name, const char *fresh, struct bytes text,
		       bool is_durable);
/* mkdir -p with @mode for what is missing. Return: 0, -errno. */
int io_mkdir_p(const char *path, mode_t mode);
/* Decimal without sign, blanks or trailing bytes. Return: 0, -EINVAL, -ERANGE (more than @max). */
int parse_u64(struct bytes s, uint64_t max, uint64_t *ret);
/* The number of a /proc-like "Name:\t123" line in @text. Return: 0, -ENOENT, -EINVAL. */
int parse_status_field(const char *text, const char *name, uint64_t *ret);
