/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "loader/layers.h"

#define LOADER_NAME "holdfast-loader"

int layers_find(char *ret_path, size_t size)
{
	static const char *const places[] = {"", "../libexec/holdfast/"};
	char own[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", own, sizeof(own) - 1);
	char *slash;

	if (n < 0)
		return -errno;
	own[n] = '\0';
	slash = strrchr(own, '/');
	if (!slash)
		return -ENOENT;
	slash[1] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		if (snprintf(ret_path, size, "%s%s%s", own, places[i], LOADER_NAME) >= (int)size)
			return -ENAMETOOLONG;
		if (access(ret_path, X_OK) == 0)
			return 0;
	}
	return -ENOENT;
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

int layers_start(struct layers *ret)
{
	char path[PATH_MAX];
	int pair[2];
	pid_t pid;
	int r = layers_find(path, sizeof(path));

	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	r = spawn_loader(path, pair[1], &pid);
	(void)fd_close(pair[1]);
	if (r < 0) {
		(void)fd_close(pair[0]);
		return r;
	}
	*ret = (struct layers){.fd = pair[0], .pid = pid};
	return 0;
}

void layers_stop(struct layers *layers)
{
	if (layers->fd < 0)
		return;
	layers->fd = fd_close(layers->fd);
	while (waitpid(layers->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

int layers_ask(const struct layers *layers, const struct layers_header *message, uint32_t type,
	       void *ret, size_t size, int timeout_ms)
{
	struct pollfd pollfd = {.fd = layers->fd, .events = POLLIN};
	struct layers_header *answer = ret;
	ssize_t n;
	int r;

	if (send(layers->fd, message, message->size, MSG_NOSIGNAL) < 0)
		return -errno;
	do
		r = poll(&pollfd, 1, timeout_ms);
	while (r < 0 && errno == EINTR);
	if (r <= 0)
		return r < 0 ? -errno : -ETIMEDOUT;
	n = recv(layers->fd, ret, size, MSG_TRUNC);
	if (n < 0)
		return -errno;
	if ((size_t)n != size || answer->version != LAYERS_VERSION || answer->type != type ||
	    answer->size != size)
		return -EPROTO;
	return 0;
}
