/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/dirs.h"

#include "loader/caps.h"
#include "loader/layers.h"

#define LOADER_NAME "holdfast-loader"
#define HELLO_MS    30000 /* the service may be just starting, and loads programs first */

int layers_find(char *ret_path, size_t size)
{
	_cleanup_(freep) char *path = dirs_program(LOADER_NAME);

	if (!path)
		return -ENOENT;
	return snprintf(ret_path, size, "%s", path) >= (int)size ? -ENAMETOOLONG : 0;
}

static int spawn_loader(const char *path, int socket, pid_t *ret)
{
	char *argv[] = {(char[]){LOADER_NAME}, (char[]){"--stdin"}, NULL};
	char *envp[] = {NULL};
	posix_spawn_file_actions_t actions;
	int r = posix_spawn_file_actions_init(&actions);

	if (r)
		return -r;
	r = posix_spawn_file_actions_adddup2(&actions, socket, STDIN_FILENO);
	if (!r)
		r = posix_spawn(ret, path, &actions, NULL, argv, envp);
	(void)posix_spawn_file_actions_destroy(&actions);
	return -r;
}

static int spawn_detached(const char *path, int socket)
{
	int status;
	pid_t ignored;
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0)
		_exit(-spawn_loader(path, socket, &ignored));
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}

void layers_stop(struct layers *layers)
{
	if (layers->fd < 0)
		return;
	layers->fd = fd_close(layers->fd);
	while (layers->pid && waitpid(layers->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

union control {
	char bytes[CMSG_SPACE(sizeof(int) * LAYERS_FDS_MAX)];
	struct cmsghdr align;
};

int layers_send(int socket, const struct layers_header *message, const int *fds, size_t n_fds)
{
	union control control = {};
	struct layers_header head = *message;
	struct iovec iov[] = {
		{.iov_base = &head, .iov_len = sizeof(head)},
		{.iov_len = message->size - sizeof(head)},
	};
	struct msghdr packet = {.msg_iov = iov, .msg_iovlen = ARRAY_SIZE(iov)};
	struct cmsghdr *cmsg;

	/* The kernel only reads it. */
	iov[1].iov_base = (void *)(uintptr_t)(message + 1);
	if (n_fds > LAYERS_FDS_MAX)
		return -EINVAL;
	if (n_fds) {
		packet.msg_control = &control;
		packet.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		cmsg = CMSG_FIRSTHDR(&packet);
		*cmsg = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int) * n_fds),
					 .cmsg_level = SOL_SOCKET,
					 .cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * n_fds);
	}
	return sendmsg(socket, &packet, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static void take_fds(struct msghdr *packet, int *ret_fds, size_t n_fds)
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(packet);
	size_t n;

	if (!cmsg || cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
		return;
	n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	for (size_t i = 0; i < n; i++) {
		int fd;

		memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(fd));
		if (i < n_fds)
			ret_fds[i] = fd;
		else
			(void)fd_close(fd);
	}
}

ssize_t layers_receive(int socket, void *ret, size_t size, int *ret_fds, size_t n_fds)
{
	union control control = {};
	struct iovec iov = {.iov_base = ret, .iov_len = size};
	struct msghdr packet = {.msg_iov = &iov,
				.msg_iovlen = 1,
				.msg_control = &control,
				.msg_controllen = sizeof(control)};
	ssize_t n;

	for (size_t i = 0; i < n_fds; i++)
		ret_fds[i] = -1;
	do
		n = recvmsg(socket, &packet, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	take_fds(&packet, ret_fds, n_fds);
	return packet.msg_flags & (MSG_TRUNC | MSG_CTRUNC) ? -EPROTO : n;
}

static int receive_answer(const struct layers *layers, uint32_t type, void *ret, size_t size,
			  int timeout_ms, int *ret_fds, size_t n_fds)
{
	struct pollfd pollfd = {.fd = layers->fd, .events = POLLIN};
	const struct layers_header *answer = ret;
	ssize_t n;
	int r;

	do
		r = poll(&pollfd, 1, timeout_ms);
	while (r < 0 && errno == EINTR);
	if (r <= 0)
		return r < 0 ? -errno : -ETIMEDOUT;
	n = layers_receive(layers->fd, ret, size, ret_fds, n_fds);
	if (n < 0)
		return (int)n;
	if ((size_t)n != size || answer->version != LAYERS_VERSION || answer->type != type ||
	    answer->size != size)
		return -EPROTO;
	return 0;
}

int layers_ask_fds(const struct layers *layers, const struct layers_header *message, int fd,
		   uint32_t type, void *ret, size_t size, int timeout_ms, int *ret_fds,
		   size_t n_fds)
{
	int r;

	for (size_t i = 0; i < n_fds; i++)
		ret_fds[i] = -1;
	r = layers_send(layers->fd, message, &fd, fd >= 0);
	return r < 0 ? r : receive_answer(layers, type, ret, size, timeout_ms, ret_fds, n_fds);
}

/* What an answer says. Return: 0, -errno. */
static int take_error(struct layers_started *answer, char reterr_reason[static LAYERS_REASON_MAX])
{
	if (!answer->error)
		return 0;
	answer->reason[sizeof(answer->reason) - 1] = '\0';
	(void)snprintf(reterr_reason, LAYERS_REASON_MAX, "%s", answer->reason);
	return answer->error < 0 ? answer->error : -EPROTO;
}

int layers_ask_started(const struct layers *layers, const struct layers_header *message, int fd,
		       uint32_t type, int timeout_ms, int *ret_fds, size_t n_fds,
		       char reterr_reason[static LAYERS_REASON_MAX])
{
	struct layers_started answer = {};
	int r = layers_ask_fds(layers, message, fd, type, &answer, sizeof(answer), timeout_ms,
			       ret_fds, n_fds);

	*reterr_reason = '\0';
	if (r == 0)
		r = take_error(&answer, reterr_reason);
	for (size_t i = 0; r < 0 && i < n_fds; i++)
		ret_fds[i] = fd_close(ret_fds[i]);
	return r;
}

int layers_join(const struct layers *layers, enum layers_type type, int timeout_ms,
		char reterr_reason[static LAYERS_REASON_MAX])
{
	const struct layers_header request = {
		.version = LAYERS_VERSION, .type = type, .size = sizeof(request)};
	_cleanup_(fd_closep) int self = (int)syscall(SYS_pidfd_open, getpid(), 0U);

	*reterr_reason = '\0';
	if (self < 0)
		return -errno;
	return layers_ask_started(layers, &request, self, LAYERS_JOINED, timeout_ms, NULL, 0,
				  reterr_reason);
}

int layers_ask(const struct layers *layers, const struct layers_header *message, int fd,
	       uint32_t type, void *ret, size_t size, int timeout_ms)
{
	return layers_ask_fds(layers, message, fd, type, ret, size, timeout_ms, NULL, 0);
}

static int start_own(bool is_detached, struct layers *ret)
{
	char path[PATH_MAX];
	int pair[2];
	pid_t pid = 0;
	int r = layers_find(path, sizeof(path));

	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	r = is_detached ? spawn_detached(path, pair[1]) : spawn_loader(path, pair[1], &pid);
	(void)fd_close(pair[1]);
	if (r < 0) {
		(void)fd_close(pair[0]);
		return r;
	}
	*ret = (struct layers){.fd = pair[0], .pid = pid};
	return 0;
}

/* Return: -EPERM: it is not root's. */
static int connect_service(const char *path, struct layers *ret)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_(fd_closep) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return -errno;
	if (peer.uid != 0)
		return -EPERM;
	*ret = (struct layers){.fd = TAKE_FD(fd)};
	return 0;
}

static void explain(char reterr_reason[static LAYERS_REASON_MAX], const char *service, int r)
{
	if (*reterr_reason)
		return;
	if (service && r == -EPERM)
		(void)snprintf(reterr_reason, LAYERS_REASON_MAX,
			       "who listens at %s is not root, and not asked", service);
	else if (service && (r == -ENOENT || r == -ECONNREFUSED))
		(void)snprintf(
			reterr_reason, LAYERS_REASON_MAX,
			"needs root, or the service holdfast-loader.socket, which does not listen at %s",
			service);
	else if (service)
		(void)snprintf(reterr_reason, LAYERS_REASON_MAX, "%s: %s", service, strerror(-r));
	else
		(void)snprintf(reterr_reason, LAYERS_REASON_MAX, "%s",
			       r == -ENOENT ? "this build has no holdfast-loader" : strerror(-r));
}

static int greet(struct layers *layers, char reterr_reason[static LAYERS_REASON_MAX])
{
	struct layers_started hello;
	int r = receive_answer(layers, LAYERS_HELLO, &hello, sizeof(hello), HELLO_MS, NULL, 0);

	return r < 0 ? r : take_error(&hello, reterr_reason);
}

int layers_try_service(char reterr_reason[static LAYERS_REASON_MAX])
{
	const char *named = getenv(LAYERS_SOCKET_VARIABLE);
	const char *service = named ? named : LAYERS_SOCKET;
	struct layers layers = {.fd = -1};
	int r = connect_service(service, &layers);

	*reterr_reason = '\0';
	if (r == 0)
		r = greet(&layers, reterr_reason);
	if (r < 0)
		explain(reterr_reason, service, r);
	layers_stop(&layers);
	return r;
}

int layers_start(bool is_detached, struct layers *ret, char reterr_reason[static LAYERS_REASON_MAX])
{
	const char *service = getenv(LAYERS_SOCKET_VARIABLE);
	int r;

	*reterr_reason = '\0';
	*ret = (struct layers){.fd = -1};
	if (!service && !(caps_permitted() & CAP_BIT(CAP_BPF)))
		service = LAYERS_SOCKET;
	r = service ? connect_service(service, ret) : start_own(is_detached, ret);
	if (r == 0)
		r = greet(ret, reterr_reason);
	if (r == 0)
		return 0;
	explain(reterr_reason, service, r);
	layers_stop(ret);
	return r;
}
