/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which path an image that was executed has, by its inode: for what the kernel tells of processes
 * that may have ended by now. Of bounded size: old ones give way. Locks itself.
 */
#pragma once

#include <sys/types.h>

#include "base/util.h"

struct images;

struct images *images_new(void); /* NULL: out of memory */
struct images *images_free(struct images *i);
/* @path is copied; one that is too long is forgotten. */
void images_note(struct images *i, ino_t inode, struct bytes path);
/* Return: how many bytes of @ret are the path; 0: it is not known. */
size_t images_find(struct images *i, ino_t inode, char *ret, size_t size);
