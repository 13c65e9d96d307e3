/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "names/helper.h"

#define RESOLV_CONF   "/etc/resolv.conf"
#define FDS_MAX       NAMES_LISTENERS
#define MAKER_TIMEOUT 2   /* s; it answers in microseconds, or has ended */
#define RESTART_NS    100 /* ms between two lives of a resolver */

struct socket_request {
	uint32_t seq;
	int32_t family, type;
};

struct socket_reply {
	uint32_t seq;
	int32_t error;
};

/* What the minder says first. */
struct ready {
	int32_t error;
	uint16_t ports[NAMES_LISTENERS]; /* see struct names_helper */
};

/* ---- messages with descriptors */

static int send_fds(int sock, const void *p, size_t len, const int *fds, size_t n)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(FDS_MAX * sizeof(int))];
	} control = {};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)p, .iov_len = len};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};

	if (n) {
		struct cmsghdr *c;

		h.msg_control = control.buf;
		h.msg_controllen = CMSG_SPACE(n * sizeof(int));
		c = CMSG_FIRSTHDR(&h);
		*c = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
				      .cmsg_type = SCM_RIGHTS,
				      .cmsg_len = CMSG_LEN(n * sizeof(int))};
		memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	}
	return sendmsg(sock, &h, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Return: how many descriptors came along, -errno; -EPIPE: the other side has gone. */
static int receive_fds(int sock, void *p, size_t len, int fds[static FDS_MAX])
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(FDS_MAX * sizeof(int))];
	} control = {};
	struct iovec iov = {.iov_base = p, .iov_len = len};
	struct msghdr h = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control.buf,
			   .msg_controllen = sizeof(control.buf)};
	ssize_t n = recvmsg(sock, &h, MSG_CMSG_CLOEXEC);
	struct cmsghdr *c;
	size_t size;

	if (n < 0)
		return -errno;
	if (n == 0)
		return -EPIPE;
	c = CMSG_FIRSTHDR(&h);
	size = c && c->cmsg_type == SCM_RIGHTS ? c->cmsg_len - CMSG_LEN(0) : 0;
	if (size)
		memcpy(fds, CMSG_DATA(c), size);
	if ((size_t)n == len)
		return (int)(size / sizeof(int));
	for (size_t i = 0; i < size / sizeof(int); i++)
		(void)close(fds[i]);
	return -EBADMSG;
}

/* ---- the maker */

static int make_socket(const struct socket_request *q)
{
	int fd;

	if ((q->family != AF_INET && q->family != AF_INET6) ||
	    (q->type != SOCK_DGRAM && q->type != SOCK_STREAM))
		return -EINVAL;
	fd = socket(q->family, q->type | SOCK_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

/* Tells the minder of the listeners, and then the supervisor's side of @sockets that it is ready.
 */
static _Noreturn void maker_run(int minder, int sockets)
{
	int listeners[NAMES_LISTENERS] = {-1, -1, -1, -1};
	struct socket_request q;
	int none[FDS_MAX];
	size_t n = 0;
	int r;

	r = namespace_enter();
	if (r == 0)
		r = namespace_listen(listeners);
	/* Those of IPv6 come last, and are there or not. */
	while (r == 0 && n < NAMES_LISTENERS && listeners[n] >= 0)
		n++;
	(void)send_fds(minder, &r, sizeof(r), listeners, n);
	for (size_t i = 0; i < NAMES_LISTENERS; i++)
		(void)fd_close(listeners[i]);
	(void)close(minder);
	while (r == 0 && receive_fds(sockets, &q, sizeof(q), none) == 0) {
		_cleanup_(fd_closep) int fd = make_socket(&q);
		struct socket_reply reply = {.seq = q.seq, .error = fd < 0 ? -fd : 0};

		(void)send_fds(sockets, &reply, sizeof(reply), &fd, fd >= 0);
	}
	_exit(EXIT_SUCCESS);
}

/* ---- the minder */

/* What reads bytes from the network keeps no right that it does not need. */
static void drop_rights(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
	const struct rlimit no_core = {};

	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	(void)syscall(SYS_capset, &head, none);
	(void)setrlimit(RLIMIT_CORE, &no_core);
	(void)prctl(PR_SET_DUMPABLE, 0);
}

/* @minder: who is to be there still; it may have ended before the kernel was asked to tell. */
static void begin_child(pid_t minder, const char *name)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != minder)
		_exit(EXIT_FAILURE);
	(void)prctl(PR_SET_NAME, name);
	(void)prctl(PR_SET_DUMPABLE, 0);
}

static pid_t start_resolver(const struct resolver_config *config)
{
	pid_t minder = getpid(), pid = fork();

	if (pid)
		return pid;
	begin_child(minder, "holdfast-dns");
	drop_rights();
	resolver_run(config);
}

static bool has_hung_up(int sock)
{
	struct pollfd p = {.fd = sock};

	return poll(&p, 1, 0) < 0 || p.revents;
}

/* One resolver after the other, until the supervisor or the maker has gone. @maker 0: there is
 * none.
 */
static _Noreturn void mind(const struct resolver_config *config, pid_t maker)
{
	const struct timespec pause = {.tv_nsec = RESTART_NS * 1000000L};
	pid_t resolver = start_resolver(config), pid;

	for (;;) {
		pid = waitpid(-1, NULL, 0);
		if ((maker && pid == maker) || (pid < 0 && errno == ECHILD) ||
		    has_hung_up(config->questions))
			_exit(EXIT_SUCCESS);
		if (pid != resolver)
			continue;
		(void)nanosleep(&pause, NULL);
		resolver = start_resolver(config);
	}
}

/* Away from the job: neither its terminal's signals nor its descriptors are the helper's. */
static void leave_job(int questions, int sockets)
{
	sigset_t none;

	(void)setpgid(0, 0);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGTSTP, SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL);
	for (int fd = 0; fd < MIN(questions, sockets); fd++)
		(void)close(fd);
	for (int fd = MIN(questions, sockets) + 1; fd < MAX(questions, sockets); fd++)
		(void)close(fd);
	(void)syscall(SYS_close_range, (unsigned)MAX(questions, sockets) + 1, ~0U, 0);
	(void)prctl(PR_SET_DUMPABLE, 0);
	(void)prctl(PR_SET_NAME, "holdfast-names");
	if (chdir("/") < 0)
		_exit(EXIT_FAILURE);
}

static _Noreturn void minder_run(int questions, int sockets)
{
	struct resolver_config config = {.questions = questions, .resolv_conf = RESOLV_CONF};
	struct ready ready = {};
	pid_t minder, maker;
	int pair[2], n, r = 0;

	leave_job(questions, sockets);
	minder = getpid();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		_exit(EXIT_FAILURE);
	maker = fork();
	if (maker == 0) {
		begin_child(minder, "holdfast-net");
		(void)close(pair[0]);
		(void)close(questions);
		maker_run(pair[1], sockets);
	}
	(void)close(pair[1]);
	for (size_t i = 0; i < NAMES_LISTENERS; i++)
		config.listeners[i] = -1;
	n = receive_fds(pair[0], &r, sizeof(r), config.listeners);
	(void)close(pair[0]);
	r = n < 0 ? n : r;
	if (r < 0) {
		(void)waitpid(maker, NULL, 0);
		maker = 0;
		if (namespace_listen_on_loopback(config.listeners, ready.ports) < 0)
			ready.error = -r;
	}
	(void)send_fds(sockets, &ready, sizeof(ready), NULL, 0);
	(void)close(sockets);
	if (ready.error)
		_exit(EXIT_FAILURE);
	mind(&config, maker);
}

/* ---- the supervisor's side */

/* Of the namespace in which @fd was made; -1: ours. */
static int net_cookie(int fd, uint64_t *ret)
{
	_cleanup_(fd_closep) int own = fd < 0 ? socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;
	socklen_t len = sizeof(*ret);

	return getsockopt(fd < 0 ? own : fd, SOL_SOCKET, SO_NETNS_COOKIE, ret, &len) < 0 ? -errno
											 : 0;
}

static int maker_cookie(struct names_helper *h)
{
	_cleanup_(fd_closep) int fd = names_socket(h->sockets, AF_INET, SOCK_DGRAM);

	return fd < 0 ? fd : net_cookie(fd, &h->own_cookie);
}

/* Waits until the resolver has a place to listen, or none. */
static int await_ready(struct names_helper *h)
{
	const struct timeval timeout = {.tv_sec = MAKER_TIMEOUT};
	struct ready ready;
	int none[FDS_MAX], r;

	r = receive_fds(h->sockets, &ready, sizeof(ready), none);
	if (r < 0)
		return r;
	if (ready.error)
		return -ready.error;
	memcpy(h->ports, ready.ports, sizeof(h->ports));
	return setsockopt(h->sockets, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0
		       ? -errno
		       : 0;
}

int names_helper_start(struct names_helper *ret)
{
	int questions[2], sockets[2];
	pid_t pid;
	int r;

	*ret = NAMES_HELPER_INIT;
	r = net_cookie(-1, &ret->net_cookie);
	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, questions) < 0)
		return -errno;
	ret->questions = questions[0];
	r = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0 ? -errno : 0;
	if (r == 0) {
		ret->sockets = sockets[0];
		pid = fork();
		if (pid == 0)
			minder_run(questions[1], sockets[1]);
		r = pid < 0 ? -errno : 0;
		(void)close(sockets[1]);
	}
	(void)close(questions[1]);
	if (r == 0)
		r = await_ready(ret);
	if (r == 0 && !names_helper_is_on_loopback(ret))
		r = maker_cookie(ret);
	if (r < 0)
		names_helper_close(ret);
	return r;
}

void names_helper_close(struct names_helper *h)
{
	h->questions = fd_close(h->questions);
	h->sockets = fd_close(h->sockets);
}

int names_socket(int sockets, int family, int type)
{
	static uint32_t seq;
	const struct socket_request q = {.seq = ++seq, .family = family, .type = type};
	struct socket_reply reply;
	int fds[FDS_MAX];
	int r;

	r = send_fds(sockets, &q, sizeof(q), NULL, 0);
	while (r >= 0) {
		r = receive_fds(sockets, &reply, sizeof(reply), fds);
		if (r >= 0 && reply.seq == q.seq)
			break;
		/* The answer to one that was given up. */
		for (int i = 0; i < r; i++)
			(void)close(fds[i]);
	}
	if (r < 0)
		return r;
	if (r == 1)
		return fds[0];
	return reply.error ? -reply.error : -EBADMSG;
}
