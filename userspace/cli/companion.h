/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting the processes that accompany a session from outside of it (sinks, the asker): each is
 * this program again, in a session of its own, and nobody's child, so that no job control, no
 * signal of the terminal and no end of the tree reaches it.
 */
#pragma once

#include "base/util.h"

#define COMPANION_FD 3 /* where such a process finds its end of the socket */

/*
 * Starts `holdfast @argv[1]...` with one end of a pair of SOCK_SEQPACKET sockets. @argv is
 * NULL-terminated. Return: 0 and the other end in @ret_socket, -errno. @ret_socket may be NULL:
 * then there is no socket.
 */
int companion_start(const char *const *argv, int *ret_socket);
