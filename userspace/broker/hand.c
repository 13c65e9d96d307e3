/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/dirs.h"

#include "broker/hand.h"

#define PAUSE_MIN_NS (NS_PER_SEC / 2)
#define PAUSE_MAX_NS (60 * NS_PER_SEC)
#define STABLE_NS    (60 * NS_PER_SEC) /* who lived so long may begin with short pauses again */

/* In the child; does not return. */
static void become(const char *path, const char *name, int socket)
{
	const char *const argv[] = {name, NULL};
	sigset_t none;
	int null;

	/* First, for it may be one of those that follow. */
	socket = fcntl(socket, F_DUPFD_CLOEXEC, HAND_FD + 1);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	(void)dup2(null, STDIN_FILENO);
	(void)dup2(null, STDOUT_FILENO);
	if (socket < 0 || dup2(socket, HAND_FD) < 0)
		_exit(127);
	(void)syscall(__NR_close_range, HAND_FD + 1, ~0U, 0);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	/* Its signature says that it may change the strings; it does not. */
	(void)execv(path, (char *const *)(uintptr_t)argv);
	_exit(127);
}

static int start(struct hand *h)
{
	_cleanup_(freep) char *path = dirs_program(h->program);
	int pair[2];

	if (!path)
		return -ENOENT;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	h->pid = fork();
	if (h->pid == 0)
		become(path, h->program, pair[1]);
	(void)fd_close(pair[1]);
	if (h->pid < 0) {
		(void)fd_close(pair[0]);
		return -EAGAIN;
	}
	h->fd = pair[0];
	return 0;
}

int hand_tend(struct hand *h, uint64_t now_ns)
{
	int r;

	if (h->fd >= 0 || now_ns < h->next_ns)
		return 0;
	if (h->started_ns && now_ns - h->started_ns > STABLE_NS)
		h->pause_ns = 0;
	h->pause_ns = MIN(MAX(2 * h->pause_ns, PAUSE_MIN_NS), PAUSE_MAX_NS);
	h->started_ns = now_ns;
	h->next_ns = now_ns + h->pause_ns;
	r = start(h);
	return r < 0 ? r : 1;
}

uint64_t hand_next_ns(const struct hand *h)
{
	return h->fd >= 0 ? UINT64_MAX : h->next_ns;
}

void hand_stop(struct hand *h)
{
	if (h->fd < 0)
		return;
	/* It takes back what it showed, and ends; one that hangs holds nobody up, and is init's
	 * when we have gone. */
	h->fd = fd_close(h->fd);
}

static int died(struct hand *h)
{
	h->fd = fd_close(h->fd);
	(void)kill(h->pid, SIGKILL);
	(void)waitpid(h->pid, NULL, 0);
	return -ENOTCONN;
}

int hand_send(struct hand *h, struct bytes packet)
{
	if (h->fd < 0)
		return -ENOTCONN;
	if (send(h->fd, packet.p, packet.len, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
		return 0;
	return errno == EAGAIN || errno == EINTR || errno == ENOBUFS ? -EAGAIN : -ENOTCONN;
}

ssize_t hand_receive(struct hand *h, char *buffer, size_t size)
{
	ssize_t n;

	if (h->fd < 0)
		return -EAGAIN;
	n = recv(h->fd, buffer, size, MSG_DONTWAIT);
	if (n > 0)
		return n;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return -EAGAIN;
	return died(h);
}
