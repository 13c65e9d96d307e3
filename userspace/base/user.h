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
