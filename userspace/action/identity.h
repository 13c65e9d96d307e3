/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What makes an action the same one when the same call is decoded again: all that was decided on
 * and shown, and how the objects were. A held action keeps this instead of descriptors, so that
 * thousands of them cost the supervisor none.
 */
#pragma once

#include "action/action.h"
#include "base/sha256.h"

struct action_identity {
	unsigned char digest[SHA256_BYTES];
};

/*
 * Of @a, which @d decoded and has not released; an open is bound to the object that was looked at:
 * performed, it opens that one, whatever has its name by then. (A name is removed or given to
 * something by its parent alone; the kernel has no call that does so by the object.)
 *
 * Of the objects: device and inode, of a regular file also size, mtime and ctime, which nobody can
 * set back. A directory changes with its entries, and a terminal with each line on it, without
 * being another. May block, as any look at a file system.
 */
void action_identify(struct action_decoder *d, struct action *a, struct action_identity *ret);

static inline bool action_identity_eq(const struct action_identity *a,
				      const struct action_identity *b)
{
	return memcmp(a->digest, b->digest, sizeof(a->digest)) == 0;
}
