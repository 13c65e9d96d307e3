/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include "base/clock.h"

#include "page/command.h"

#define CHUNK_BYTES ((size_t)64 * 1024)

struct child {
	pid_t pid;
	int out, err;
};

static int start(const char *program, const char *const *argv, struct child *ret)
{
	_cleanup_(fd_closep) int out_write = -1, err_write = -1;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none;
	int out[2], err[2], r;

	if (pipe2(out, O_CLOEXEC) < 0)
		return -errno;
	out_write = out[1];
	ret->out = out[0];
	if (pipe2(err, O_CLOEXEC) < 0)
		return -errno;
	err_write = err[1];
	ret->err = err[0];
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawnattr_init(&attr);
	(void)sigemptyset(&none);
	(void)posix_spawnattr_setsigmask(&attr, &none);
	(void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	r = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, out_write, STDOUT_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, err_write, STDERR_FILENO);
	if (r == 0) {
		union {
			const char *const *in;
			char *const *out;
		} args = {.in = argv}; /* posix_spawn() changes nothing: POSIX says so */

		r = posix_spawn(&ret->pid, program, &actions, &attr, args.out, environ);
	}
	(void)posix_spawnattr_destroy(&attr);
	(void)posix_spawn_file_actions_destroy(&actions);
	return -r;
}

/* Return: bytes taken, 0 at the end, -errno; -EMSGSIZE when @out is full. */
static ssize_t take(int fd, struct strbuf *out)
{
	size_t left = out->max > out->len + 1 ? out->max - out->len - 1 : 0;
	size_t room = MIN(CHUNK_BYTES, left);
	ssize_t n;
	int r;

	if (!room)
		return -EMSGSIZE;
	r = strbuf_reserve(out, room);
	if (r < 0)
		return r;
	do {
		n = read(fd, out->p + out->len, room);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	out->len += (size_t)n;
	out->p[out->len] = '\0';
	return n;
}

static void discard(int fd)
{
	char bytes[256];

	if (read(fd, bytes, sizeof(bytes)) < 0)
		return; /* poll() will say so again */
}

static int collect(const struct child *c, struct strbuf *out, struct strbuf *err)
{
	struct pollfd fds[] = {{.fd = c->out, .events = POLLIN}, {.fd = c->err, .events = POLLIN}};
	uint64_t until_ns = clock_monotonic_ns() + COMMAND_NS;

	while (fds[0].fd >= 0 || fds[1].fd >= 0) {
		uint64_t now_ns = clock_monotonic_ns();
		ssize_t n = 1;

		if (now_ns >= until_ns)
			return -ETIMEDOUT;
		if (poll(fds, ARRAY_SIZE(fds), (int)((until_ns - now_ns) / NS_PER_MSEC) + 1) < 0 &&
		    errno != EINTR)
			return -errno;
		if (fds[0].revents) {
			n = take(c->out, out);
			if (n < 0)
				return (int)n;
			fds[0].fd = n ? c->out : -1;
		}
		if (fds[1].revents & POLLIN && (!err || take(c->err, err) == -EMSGSIZE))
			discard(c->err);
		else if (fds[1].revents & (POLLHUP | POLLERR) && !(fds[1].revents & POLLIN))
			fds[1].fd = -1;
		fds[0].revents = fds[1].revents = 0;
	}
	return 0;
}

int command_run(const char *program, const char *const *argv, struct strbuf *out,
		struct strbuf *reterr)
{
	struct child c = {.out = -1, .err = -1};
	int status = 0, r;

	r = start(program, argv, &c);
	if (r == 0) {
		r = collect(&c, out, reterr);
		if (r < 0)
			(void)kill(c.pid, SIGKILL);
		while (waitpid(c.pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	(void)fd_close(c.out);
	(void)fd_close(c.err);
	if (r < 0)
		return r;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EIO;
}
