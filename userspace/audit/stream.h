/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of one file of a log, which may be compressed (Zstandard; told by its first bytes, not
 * by its name).
 */
#pragma once

#include <sys/types.h>

#include "base/diag.h"

struct stream;

/* Return: 0, -errno with @reterr_diag (-EISDIR: a directory; -EINVAL: neither a file nor a pipe).
 */
int stream_open(const char *path, struct stream **ret, struct diag *reterr_diag);
struct stream *stream_close(struct stream *s);
void stream_closep(struct stream **s);
/* Return: bytes read; 0: the end, for now (more may come if the file grows); -errno (-EBADMSG: what
 * is compressed is damaged or cut off). */
ssize_t stream_read(struct stream *s, void *p, size_t size);
/* Is @path another file by now? */
bool stream_is_replaced(const struct stream *s, const char *path);
/* Why reading failed with @r, an -errno. */
const char *stream_error(int r);
