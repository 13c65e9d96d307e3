/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The user's grants that outlive a session, STATE/grants/grants.json: mode 0600 in a directory of
 * 0700 of the user's own, replaced as a whole and brought to the disk, so that a crash leaves the
 * old ones or the new. No agent may change it (the engine's built-in protection). Not for several
 * threads at once; waits for a lock for a moment at most.
 */
#pragma once

#include "approve/grantlist.h"

struct grantstore;

/* @dir is made when missing; NULL: STATE/grants. Return: 0; -errno with @reterr_diag. */
int grantstore_open(const char *dir, struct grantstore **ret,
		    struct diag *reterr_diag) _must_check_;
/* STATE/grants, resolved as far as it is there, whether or not it can be used. The caller frees it;
 * NULL: out of memory. */
char *grantstore_place(void);
struct grantstore *grantstore_free(struct grantstore *s); /* NULL-safe */
/* What holds now: nothing where there is no file. Return: 0; -errno with @reterr_diag: then @ret is
 * empty. */
int grantstore_read(struct grantstore *s, struct grantlist *ret,
		    struct diag *reterr_diag) _must_check_;
/*
 * Has @fn change the list, and keeps it. What @fn returns below 0 is forwarded, and nothing is
 * written; 1: nothing has changed. Return: 0, 1; -errno with @reterr_diag.
 */
int grantstore_change(struct grantstore *s, int (*fn)(struct grantlist *l, void *arg), void *arg,
		      struct diag *reterr_diag) _must_check_;
/*
 * Whether the file may be another than grantstore_read() has read: asked before each use rather
 * than told by inotify(7), which is late, and whose end takes the kernel some 6 ms, which every
 * session would wait for (it waits until no other CPU can still see the mark:
 * fsnotify_destroy_group()).
 */
bool grantstore_has_changed(const struct grantstore *s);
/* Of this boot, "" when the kernel does not say. */
const char *grantstore_boot(const struct grantstore *s);
