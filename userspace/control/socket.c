/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/io.h"
#include "engine/engine.h"

#include "control/socket.h"

#define LISTEN_BACKLOG 64

int control_socket_address(int dirfd, const char *dir, const char *name, struct sockaddr_un *ret)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int n = snprintf(a.sun_path, sizeof(a.sun_path), "%s/%s", dir, name);

	if (n < 0 || (size_t)n >= sizeof(a.sun_path))
		n = snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/%s", dirfd, name);
	if (n < 0 || (size_t)n >= sizeof(a.sun_path))
		return -ENAMETOOLONG;
	*ret = a;
	return 0;
}

static int fail(struct diag *d, const char *place, int error, const char *what)
{
	(void)diag_set(d, place, 0, 0, "%s: %s", what, strerror(-error));
	return error;
}

int control_socket_open_dir(const char *dir, mode_t mode, struct diag *reterr_diag)
{
	_cleanup_(fd_closep) int fd = -1;
	struct stat st;
	int r = io_mkdir_p(dir, mode);

	if (r < 0)
		return fail(reterr_diag, dir, r, "cannot make the directory of control sockets");
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return fail(reterr_diag, dir, -errno,
			    "cannot open the directory of control sockets");
	if (st.st_uid != geteuid()) {
		(void)diag_set(
			reterr_diag, dir, 0, 0,
			"the directory of control sockets belongs to uid %u, not to you (uid %u); set XDG_RUNTIME_DIR to a directory of yours, or unset it",
			st.st_uid, geteuid());
		return -EPERM;
	}
	if ((st.st_mode & 0777) != mode && fchmod(fd, mode) < 0)
		return fail(reterr_diag, dir, -errno,
			    "cannot set the mode of the directory of control sockets");
	return TAKE_FD(fd);
}

static bool is_stale(const struct sockaddr_un *a)
{
	_cleanup_(fd_closep) int fd =
		socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd >= 0 && connect(fd, (const struct sockaddr *)a, sizeof(*a)) < 0 &&
	       errno == ECONNREFUSED;
}

static int bind_anew(int fd, const struct sockaddr_un *a, int dirfd, const char *name)
{
	if (bind(fd, (const struct sockaddr *)a, sizeof(*a)) == 0)
		return 0;
	if (errno != EADDRINUSE)
		return -errno;
	if (!is_stale(a))
		return -EADDRINUSE;
	if (unlinkat(dirfd, name, 0) < 0)
		return -errno;
	return bind(fd, (const struct sockaddr *)a, sizeof(*a)) < 0 ? -errno : 0;
}

int control_socket_listen(int dirfd, const char *dir, const char *name, mode_t mode,
			  struct diag *reterr_diag)
{
	_cleanup_(fd_closep) int fd = -1;
	const int one = 1;
	struct sockaddr_un a;
	int r = control_socket_address(dirfd, dir, name, &a);

	mode |= ENGINE_SOCKET_MARK;
	if (r < 0)
		return fail(reterr_diag, name, r, "cannot name the control socket");
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/*
	 * Accepted sockets inherit SO_PASSCRED, so that no packet can come without its sender's
	 * pid. The mode is set before bind(), which takes it over: there is no moment with another
	 * wider one. The umask may have taken something from it, which is given back after that.
	 */
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) < 0 ||
	    fchmod(fd, mode) < 0)
		return fail(reterr_diag, dir, -errno, "cannot make the control socket");
	r = bind_anew(fd, &a, dirfd, name);
	if (r < 0)
		return fail(reterr_diag, dir, r, "cannot bind the control socket");
	if (fchmodat(dirfd, name, mode, 0) < 0 || listen(fd, LISTEN_BACKLOG) < 0) {
		r = -errno;
		(void)unlinkat(dirfd, name, 0);
		return fail(reterr_diag, dir, r, "cannot listen on the control socket");
	}
	return TAKE_FD(fd);
}
