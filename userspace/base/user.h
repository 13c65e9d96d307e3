/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of users, for people to read. From /etc/passwd only: the name service switch loads
 * libraries and may wait for a directory server, which nothing on the way to a decision may do. A
 * user of such a server reads "uid 1234".
 */
#pragma once

#include <sys/types.h>

#include "base/util.h"

#define USER_NAME_SIZE 64

void user_name(uid_t uid, char out[static USER_NAME_SIZE]);

/* Who somebody is, as the kernel says. */
struct user_ids {
	uid_t uid;
	gid_t gid;
	const gid_t *groups; /* supplementary ones; borrowed */
	size_t n_groups;
};

/* Ourselves; @groups has room for @max. */
struct user_ids user_self(gid_t *groups, size_t max);
/* @names: names of users, or "@group" for who is in that group (of /etc/group). */
bool user_is_among(const struct user_ids *who, const char *const *names, size_t n);
