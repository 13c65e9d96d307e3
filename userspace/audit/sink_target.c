/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/io.h"

#include "audit/sink_private.h"

static const struct {
	const char *word;
	const char *where; /* NULL: has to be named */
} kinds[_SINK_KIND_MAX] = {
	[SINK_JOURNALD] = {"journald", "/run/systemd/journal/socket"},
	[SINK_SYSLOG] = {"syslog", "/dev/log"},
	[SINK_COMMAND] = {"command", NULL},
};

int sink_parse(const char *text, struct sink_spec *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		size_t len = strlen(kinds[i].word);

		if (strncmp(text, kinds[i].word, len) != 0 || (text[len] && text[len] != ':'))
			continue;
		ret->kind = (enum sink_kind)i;
		ret->where = text[len] ? text + len + 1 : kinds[i].where;
		return ret->where && ret->where[0] &&
				       (i == SINK_COMMAND ||
					strlen(ret->where) <
						sizeof(((struct sockaddr_un *)NULL)->sun_path))
			       ? 0
			       : -EINVAL;
	}
	return -EINVAL;
}

/* In the child: a session of its own, so that it can be ended with all that it started. */
static void become_command(const char *command, int input)
{
	const char *const argv[] = {"sh", "-c", command, NULL};
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	(void)setsid();
	(void)signal(SIGPIPE, SIG_DFL);
	(void)signal(SIGCHLD, SIG_DFL);
	if (null < 0 || dup2(input, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
	    dup2(null, STDERR_FILENO) < 0)
		_exit(126);
	/* Its signature says that it may change the strings; it does not. */
	(void)execv("/bin/sh", (char *const *)(uintptr_t)argv);
	_exit(127);
}

static int start_command(struct sink_target *t)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	t->pid = fork();
	if (t->pid == 0)
		become_command(t->spec.where, fds[0]);
	fd_close(fds[0]);
	t->fd = fds[1];
	if (t->pid < 0 || fcntl(t->fd, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

int sink_target_open(const struct sink_spec *spec, struct sink_target *ret)
{
	*ret = (struct sink_target){.spec = *spec, .fd = -1};
	return spec->kind == SINK_COMMAND ? start_command(ret) : 0;
}

/* ---- sockets */

static int connect_as(struct sink_target *t, int type)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_(fd_closep) int fd = -1;

	memcpy(address.sun_path, t->spec.where,
	       strlen(t->spec.where)); /* sink_parse() measured it */
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	t->fd = TAKE_FD(fd);
	t->is_stream = type == SOCK_STREAM;
	return 0;
}

/* Some daemons listen for streams at /dev/log; the C library's syslog(3) takes both, too. */
static int connect_socket(struct sink_target *t)
{
	int r;

	if (t->fd >= 0)
		return 0;
	r = connect_as(t, SOCK_DGRAM);
	if (r == -EPROTOTYPE && t->spec.kind == SINK_SYSLOG)
		r = connect_as(t, SOCK_STREAM);
	return r;
}

/* What is too long for a datagram goes in a sealed file, of which journald gets the descriptor. */
static int send_file(int sock, struct bytes message)
{
	_cleanup_(fd_closep) int fd =
		memfd_create("holdfast-journal", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {};
	struct msghdr m = {.msg_control = &control, .msg_controllen = sizeof(control)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	if (fd < 0 || io_write_all(fd, message.p, message.len) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return -EMSGSIZE;
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	return sendmsg(sock, &m, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* A message in a stream ends with a NUL, which it has none of itself. */
static int send_stream(struct sink_target *t, struct bytes message)
{
	while (t->taken <= message.len) {
		struct bytes part = {.p = message.p + t->taken, .len = message.len - t->taken};
		ssize_t n;

		if (!part.len)
			part = (struct bytes){.p = "", .len = 1};
		n = send(t->fd, part.p, part.len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		t->taken += (size_t)n;
	}
	t->taken = 0;
	return 0;
}

static int send_datagram(struct sink_target *t, struct bytes message)
{
	int r = send(t->fd, message.p, message.len, MSG_NOSIGNAL) < 0 ? -errno : 0;
	/* ENOBUFS, too, is what the kernel says of a datagram that is too long for it. */
	if (r == -EMSGSIZE || r == -ENOBUFS)
		r = t->spec.kind == SINK_JOURNALD ? send_file(t->fd, message) : -EMSGSIZE;
	return r;
}

static int send_socket(struct sink_target *t, struct bytes message, int *ret_error)
{
	int r = connect_socket(t);

	if (r == 0) {
		r = t->is_stream ? send_stream(t, message) : send_datagram(t, message);
		if (r == 0 || r == -EAGAIN || r == -EMSGSIZE)
			return r;
	}
	*ret_error = -r;
	t->fd = fd_close(t->fd); /* the daemon was started anew, or has gone */
	t->taken = 0;
	return -ENOTCONN;
}

/* ---- a command's standard input */

static int send_pipe(struct sink_target *t, struct bytes message)
{
	while (t->taken < message.len) {
		ssize_t n = write(t->fd, message.p + t->taken, message.len - t->taken);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -EAGAIN : -EPIPE;
		t->taken += (size_t)n;
	}
	t->taken = 0;
	return 0;
}

int sink_target_send(struct sink_target *t, struct bytes message, int *ret_error)
{
	return t->spec.kind == SINK_COMMAND ? send_pipe(t, message)
					    : send_socket(t, message, ret_error);
}

void sink_target_close(struct sink_target *t, bool is_forced)
{
	t->fd = fd_close(t->fd);
	/* Its group lives as long as one of its processes does, so the number is still theirs. */
	if (is_forced && t->pid > 0)
		(void)kill(-t->pid, SIGTERM);
}
