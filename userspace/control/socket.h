/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses of control sockets. A path may be longer than a sockaddr_un holds (108 bytes); then it
 * is reached through /proc/self/fd/DIRFD.
 */
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include "base/diag.h"

/*
 * The address of the entry @name of directory @dir, which is open as @dirfd (must stay open while
 * the address is used). Return: 0, -ENAMETOOLONG.
 */
int control_socket_address(int dirfd, const char *dir, const char *name, struct sockaddr_un *ret);
/*
 * Opens @dir (made with @mode when missing), which must be ours; it gets exactly that mode.
 * Return: an O_CLOEXEC descriptor, -errno with @reterr_diag.
 */
int control_socket_open_dir(const char *dir, mode_t mode, struct diag *reterr_diag);
/*
 * A listening, non-blocking socket @name of mode @mode and ENGINE_SOCKET_MARK, which asks for its
 * peers' credentials. A socket that a dead process left is replaced. Return: a descriptor, -errno
 * with @reterr_diag.
 */
int control_socket_listen(int dirfd, const char *dir, const char *name, mode_t mode,
			  struct diag *reterr_diag);
