/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of behalf/: changes of the tree and of attributes, made with whatever credentials, umask
 * and working directory the calling thread has at that moment.
 *
 * What struct act holds for them, beside what act.h says:
 *
 *   tree      pin.parent and pin.name say where, wants_directory that a slash stood behind it;
 *             the name may be "." or ".." (which always fail, each call with its own errno);
 *             no parent but an object: the root, which fails as well
 *   link      pin.object is what gets another name, pin2 where
 *   others    pin.object alone
 *
 *   op            data             number[0]     number[1]     number[2]    flags
 *   delete                                                                  AT_REMOVEDIR
 *   mkdir                          mode
 *   mknod                          mode          device
 *   rename                                                                  RENAME_*
 *   symlink       the link's text, NUL-terminated
 *   chmod                          mode
 *   chown                          uid           gid
 *   times         timespec[2] or NULL
 *   xattr         value            enum change_xattr                        XATTR_*
 *   truncate                       length
 */
#pragma once

#include "behalf/behalf.h"

/* Whether the umask bears on @a. */
static inline bool change_needs_umask(const struct action *a)
{
	return a->act.kind == ACT_CHANGE &&
	       (a->act.row->op == OP_MKDIR || a->act.row->op == OP_MKNOD);
}
