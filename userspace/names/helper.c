/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "names/helper.h"
#include "names/lead.h"

#define RESOLV_CONF "/etc/resolv.conf"
_Static_assert(NAMES_LISTENERS <= FDS_MAX, "they are sent at once");
#define MAKER_TIMEOUT 2   /* s; it answers in microseconds, or has ended */
#define RESTART_NS    100 /* ms between two lives of a resolver */

struct socket_request {
	uint32_t seq;
	int32_t family, type;
	uint32_t port; /* that is to be listened on; 0: none */
};

struct socket_reply {
	uint32_t seq;
	int32_t error;
};

/* What the minder says first. */
struct ready {
	int32_t error;
	/* See struct names_helper. */
	uint16_t ports[NAMES_LISTENERS], lead_ports[LEAD_LISTENERS];
};

/* ---- messages with descriptors */

int fds_send(int sock, const void *p, size_t len, const int *fds, size_t n)
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
		if (!c || n > FDS_MAX)
			return -EINVAL;
		*c = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
				      .cmsg_type = SCM_RIGHTS,
				      .cmsg_len = CMSG_LEN(n * sizeof(int))};
		memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	}
	return sendmsg(sock, &h, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int fds_receive(int sock, void *p, size_t len, int fds[static FDS_MAX])
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
	if (fd < 0)
		return -errno;
	if (q->type == SOCK_STREAM)
		(void)namespace_set_congestion(fd);
	return fd;
}

/* What the leader listens on. */
struct maker {
	int leader;
	size_t n;
	struct {
		uint16_t port;
		int fds[2];
		size_t n_fds;
	} ports[LEAD_PORTS_MAX];
};

static void tell_leader(struct maker *m, size_t i)
{
	(void)fds_send(m->leader, &m->ports[i].port, sizeof(m->ports[i].port), m->ports[i].fds,
		       m->ports[i].n_fds);
}

static int listen_on(struct maker *m, uint16_t port)
{
	int fd;

	for (size_t i = 0; i < m->n; i++)
		if (m->ports[i].port == port)
			return 0;
	if (m->n == LEAD_PORTS_MAX)
		return -EMFILE;
	fd = namespace_listen_tcp(AF_INET, port);
	if (fd < 0)
		return fd;
	m->ports[m->n].port = port;
	m->ports[m->n].fds[0] = fd;
	m->ports[m->n].n_fds = 1;
	fd = namespace_listen_tcp(AF_INET6, port);
	if (fd >= 0) /* else there is no IPv6, and nobody connects by it */
		m->ports[m->n].fds[m->ports[m->n].n_fds++] = fd;
	tell_leader(m, m->n++);
	return 0;
}

/* A leader that has begun knows no listener yet. */
static void serve_leader(struct maker *m)
{
	char byte;

	if (recv(m->leader, &byte, sizeof(byte), MSG_DONTWAIT) <= 0)
		return;
	for (size_t i = 0; i < m->n; i++)
		tell_leader(m, i);
}

/* Return: 0, -errno: the supervisor has gone. */
static int serve_supervisor(struct maker *m, int sockets)
{
	_cleanup_(fd_closep) int fd = -1;
	struct socket_request q = {};
	struct socket_reply reply = {};
	int none[FDS_MAX];
	int r = fds_receive(sockets, &q, sizeof(q), none);

	if (r < 0)
		return r;
	r = q.port ? listen_on(m, (uint16_t)q.port) : 0;
	fd = r < 0 ? r : make_socket(&q);
	reply = (struct socket_reply){.seq = q.seq, .error = fd < 0 ? -fd : 0};
	(void)fds_send(sockets, &reply, sizeof(reply), &fd, fd >= 0);
	return 0;
}

static void serve(struct maker *m, int sockets)
{
	struct pollfd p[] = {{.fd = sockets, .events = POLLIN},
			     {.fd = m->leader, .events = POLLIN}};

	for (;;) {
		if (poll(p, ARRAY_SIZE(p), -1) < 0)
			continue;
		if (p[1].revents)
			serve_leader(m);
		if (p[0].revents && serve_supervisor(m, sockets) < 0)
			return;
	}
}

/* Tells the minder of the listeners, and then the supervisor's side of @sockets that it is ready.
 */
static _Noreturn void maker_run(int minder, int sockets, int leader)
{
	static struct maker maker;
	int listeners[NAMES_LISTENERS] = {-1, -1, -1, -1};
	size_t n = 0;
	int r;

	r = namespace_enter();
	if (r == 0)
		r = namespace_listen(listeners);
	/* Those of IPv6 come last, and are there or not. */
	while (r == 0 && n < NAMES_LISTENERS && listeners[n] >= 0)
		n++;
	(void)fds_send(minder, &r, sizeof(r), listeners, n);
	for (size_t i = 0; i < NAMES_LISTENERS; i++)
		(void)fd_close(listeners[i]);
	(void)close(minder);
	maker.leader = leader;
	if (r == 0)
		serve(&maker, sockets);
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

static pid_t start_resolver(const struct resolver_config *config, const struct lead_config *lead)
{
	pid_t minder = getpid(), pid = fork();

	if (pid)
		return pid;
	begin_child(minder, "holdfast-dns");
	(void)close(lead->supervisor);
	(void)close(lead->maker);
	for (size_t i = 0; i < LEAD_LISTENERS; i++)
		(void)fd_close(lead->listeners[i]);
	drop_rights();
	resolver_run(config);
}

static pid_t start_leader(const struct resolver_config *config, const struct lead_config *lead)
{
	pid_t minder = getpid(), pid = fork();

	if (pid)
		return pid;
	begin_child(minder, "holdfast-lead");
	(void)close(config->questions);
	for (size_t i = 0; i < NAMES_LISTENERS; i++)
		(void)fd_close(config->listeners[i]);
	drop_rights();
	lead_run(lead);
}

static bool has_hung_up(int sock)
{
	struct pollfd p = {.fd = sock};

	return poll(&p, 1, 0) < 0 || p.revents;
}

/* One resolver and one leader after the other, until the supervisor or the maker has gone. @maker
 * 0: there is none. */
static _Noreturn void mind(const struct resolver_config *config, const struct lead_config *lead,
			   pid_t maker)
{
	const struct timespec pause = {.tv_nsec = RESTART_NS * 1000000L};
	pid_t resolver = start_resolver(config, lead), pid;
	pid_t leader = start_leader(config, lead);

	for (;;) {
		pid = waitpid(-1, NULL, 0);
		if ((maker && pid == maker) || (pid < 0 && errno == ECHILD) ||
		    has_hung_up(config->questions))
			_exit(EXIT_SUCCESS);
		if (pid != resolver && pid != leader)
			continue;
		(void)nanosleep(&pause, NULL);
		if (pid == resolver)
			resolver = start_resolver(config, lead);
		else
			leader = start_leader(config, lead);
	}
}

/* Away from the job: neither its terminal's signals nor its descriptors are the helper's. */
static void leave_job(int fds[static 3])
{
	int last = 2;
	sigset_t none;

	(void)setpgid(0, 0);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGTSTP, SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL);
	for (int i = 0; i < 3; i++)
		last = MAX(last, fds[i]);
	for (int fd = 0; fd < last; fd++)
		if (fd != fds[0] && fd != fds[1] && fd != fds[2])
			(void)close(fd);
	(void)syscall(SYS_close_range, (unsigned)last + 1, ~0U, 0);
	(void)prctl(PR_SET_DUMPABLE, 0);
	(void)prctl(PR_SET_NAME, "holdfast-names");
	if (chdir("/") < 0)
		_exit(EXIT_FAILURE);
}

/* Where there is no maker. Return: 0, -errno. */
static int listen_on_loopback(struct resolver_config *config, struct lead_config *lead,
			      struct ready *ready)
{
	static const int families[LEAD_LISTENERS] = {AF_INET, AF_INET6};
	int r = namespace_listen_on_loopback(config->listeners, ready->ports);

	for (size_t i = 0; r == 0 && i < LEAD_LISTENERS; i++) {
		lead->listeners[i] = MAX(namespace_listen_tcp(families[i], 0), -1);
		if (lead->listeners[i] >= 0)
			ready->lead_ports[i] = namespace_port_of(lead->listeners[i]);
	}
	return r;
}

static _Noreturn void minder_run(int questions, int looks, int sockets)
{
	struct resolver_config config = {.questions = questions, .resolv_conf = RESOLV_CONF};
	struct ready ready = {};
	struct lead_config lead = {.supervisor = looks, .listeners = {-1, -1}};
	pid_t minder, maker;
	int pair[2], leader[2], n, r = 0;

	leave_job((int[]){questions, looks, sockets});
	minder = getpid();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, leader) < 0)
		_exit(EXIT_FAILURE);
	maker = fork();
	if (maker == 0) {
		begin_child(minder, "holdfast-net");
		(void)close(pair[0]);
		(void)close(leader[0]);
		(void)close(questions);
		(void)close(looks);
		maker_run(pair[1], sockets, leader[1]);
	}
	(void)close(pair[1]);
	(void)close(leader[1]);
	lead.maker = leader[0];
	lead.sent = mmap(NULL, LEAD_LIMITS_MAX * sizeof(*lead.sent), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (lead.sent == MAP_FAILED)
		_exit(EXIT_FAILURE);
	for (size_t i = 0; i < NAMES_LISTENERS; i++)
		config.listeners[i] = -1;
	n = fds_receive(pair[0], &r, sizeof(r), config.listeners);
	(void)close(pair[0]);
	r = n < 0 ? n : r;
	if (r < 0) {
		(void)waitpid(maker, NULL, 0);
		maker = 0;
		if (listen_on_loopback(&config, &lead, &ready) < 0)
			ready.error = -r;
	}
	(void)fds_send(sockets, &ready, sizeof(ready), NULL, 0);
	(void)close(sockets);
	if (ready.error)
		_exit(EXIT_FAILURE);
	mind(&config, &lead, maker);
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
	_cleanup_(fd_closep) int fd = names_socket(h, AF_INET, SOCK_DGRAM, 0);

	return fd < 0 ? fd : net_cookie(fd, &h->own_cookie);
}

/* Waits until the resolver has a place to listen, or none. */
static int await_ready(struct names_helper *h)
{
	const struct timeval timeout = {.tv_sec = MAKER_TIMEOUT};
	struct ready ready;
	int none[FDS_MAX], r;

	r = fds_receive(h->sockets, &ready, sizeof(ready), none);
	if (r < 0)
		return r;
	if (ready.error)
		return -ready.error;
	memcpy(h->ports, ready.ports, sizeof(h->ports));
	memcpy(h->lead_ports, ready.lead_ports, sizeof(h->lead_ports));
	return setsockopt(h->sockets, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0
		       ? -errno
		       : 0;
}

int names_helper_start(struct names_helper *ret)
{
	/* The supervisor's ends, which are the first of each pair, and the helper's. */
	int *const ours[] = {&ret->questions, &ret->looks, &ret->sockets};
	int theirs[ARRAY_SIZE(ours)] = {-1, -1, -1};
	int r;

	*ret = NAMES_HELPER_INIT;
	r = net_cookie(-1, &ret->net_cookie);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(ours); i++) {
		int pair[2];

		r = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 ? -errno : 0;
		if (r == 0) {
			*ours[i] = pair[0];
			theirs[i] = pair[1];
		}
	}
	if (r == 0) {
		pid_t pid = fork();

		if (pid == 0)
			minder_run(theirs[0], theirs[1], theirs[2]);
		r = pid < 0 ? -errno : 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		(void)fd_close(theirs[i]);
	if (r < 0)
		names_helper_close(ret);
	return r;
}

int names_helper_await(struct names_helper *h)
{
	int r = await_ready(h);

	if (r == 0 && !names_helper_is_on_loopback(h))
		r = maker_cookie(h);
	if (r < 0)
		names_helper_close(h);
	return r;
}

/* ---- sockets of the maker's */

/* Return: the request's number, -errno. */
static int64_t order(struct names_helper *h, int family, int type, uint16_t port)
{
	struct socket_request q = {.family = family, .type = type, .port = port};
	int r;

	h->seq += h->seq == UINT32_MAX ? 2 : 1; /* 0 is no number */
	q.seq = h->seq;
	r = fds_send(h->sockets, &q, sizeof(q), NULL, 0);
	return r < 0 ? r : (int64_t)q.seq;
}

/* The reply to @seq. That to the next request may come before it; one to neither was given up.
 * Return: a descriptor, -errno. */
static int await_socket(struct names_helper *h, uint32_t seq)
{
	struct names_next *next = &h->next;

	for (;;) {
		struct socket_reply reply;
		int fds[FDS_MAX], fd;
		int r = fds_receive(h->sockets, &reply, sizeof(reply), fds);

		if (r < 0)
			return r;
		fd = r == 1 ? fds[0] : -EBADMSG;
		if (r != 1 && reply.error)
			fd = -reply.error;
		if (reply.seq == seq)
			return fd;
		if (reply.seq == next->seq && !next->is_there) {
			next->is_there = true;
			next->fd = fd;
			continue;
		}
		for (int i = 0; i < r; i++)
			(void)close(fds[i]);
	}
}

static void forget_next(struct names_helper *h)
{
	if (h->next.is_there)
		(void)fd_close(h->next.fd);
	h->next = (struct names_next){.fd = -1};
}

void names_helper_close(struct names_helper *h)
{
	h->questions = fd_close(h->questions);
	h->looks = fd_close(h->looks);
	h->sockets = fd_close(h->sockets);
	forget_next(h);
}

/* Who asks one question asks others, by sockets of the same kind. */
static void order_next(struct names_helper *h, int family, int type)
{
	int64_t seq;

	if (h->next.seq && h->next.family == family && h->next.type == type)
		return;
	forget_next(h);
	seq = order(h, family, type, 0);
	if (seq > 0)
		h->next = (struct names_next){
			.seq = (uint32_t)seq, .family = family, .type = type, .fd = -1};
}

static int take_next(struct names_helper *h)
{
	struct names_next next = h->next;

	h->next = (struct names_next){.fd = -1};
	return next.is_there ? next.fd : await_socket(h, next.seq);
}

int names_socket(struct names_helper *h, int family, int type, uint16_t port)
{
	int64_t seq = 0;
	int fd;

	if (port == 0 && h->next.seq && h->next.family == family && h->next.type == type) {
		fd = take_next(h);
	} else {
		seq = order(h, family, type, port);
		fd = seq < 0 ? (int)seq : await_socket(h, (uint32_t)seq);
	}
	if (fd >= 0 && port == 0)
		order_next(h, family, type);
	return fd;
}
