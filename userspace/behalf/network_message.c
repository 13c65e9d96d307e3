/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One message of a send. Where it goes and what goes along with it are copies of the decoder's; the
 * bytes themselves, on which nobody decides, are read from the agent now, once each.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "behalf/network_private.h"

#define SMALL_BYTES  8192
#define PIECES_BATCH 64 /* of the agent's memory, in one read */
/* The kernel's PIDFD_THREAD, since Linux 6.9. */
#define PIDFD_OF_THREAD O_EXCL

/* What goes along, with descriptors of ours in the place of the agent's. */
struct control {
	char *p; /* malloc'd; NULL: none */
	size_t len;
	size_t end; /* of the last header and what belongs to it; the rest is too short for one */
	int fds[SEND_FDS_MAX];
	size_t n_fds;
	struct ucred *creds; /* in @p; NULL: none */
};

static void control_fini(struct control *c)
{
	while (c->n_fds)
		(void)fd_close(c->fds[--c->n_fds]);
	free(c->p);
}

/* The kernel takes SCM_RIGHTS and SCM_CREDENTIALS of these two only (__scm_send()). */
static bool takes_scm(const struct act_network *net)
{
	return net->family == AF_UNIX || net->family == AF_NETLINK;
}

static int open_pidfd(const struct action *a)
{
	int fd = (int)syscall(SYS_pidfd_open, a->tid, PIDFD_OF_THREAD);

	if (fd < 0)
		fd = (int)syscall(SYS_pidfd_open, a->pid, 0);
	return fd < 0 ? -errno : fd;
}

/* Puts duplicates in the place of the agent's descriptor numbers from @data on. */
static int take_fds(const struct action *a, struct control *c, char *data, size_t n)
{
	_cleanup_(fd_closep) int pidfd = -1;

	if (n > SEND_FDS_MAX - c->n_fds)
		return -EINVAL;
	pidfd = open_pidfd(a);
	if (pidfd < 0)
		return pidfd;
	for (size_t i = 0; i < n; i++) {
		int number, fd;

		memcpy(&number, data + i * sizeof(number), sizeof(number));
		fd = number < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
		if (number < 0 || (fd < 0 && errno == EBADF))
			return -EBADF;
		if (fd < 0)
			return -ETOOMANYREFS; /* out of descriptors: as if too many were under way
					       */
		c->fds[c->n_fds++] = fd;
		memcpy(data + i * sizeof(fd), &fd, sizeof(fd));
	}
	return 0;
}

/*
 * The IDs that a task may claim are its own. Ours are others where the agent's differ from the
 * session's start, and the kernel would let through what the supervisor could claim.
 */
static int check_creds(const struct action *a, const struct ucred *creds)
{
	const struct act_creds *own = &a->act.creds;

	return own->differs && (creds->uid != own->fsuid || creds->gid != own->fsgid) ? -EPERM : 0;
}

/* A source route sends the packet somewhere else first, of which nobody was asked. */
static bool is_source_route(const struct cmsghdr *h)
{
	return (h->cmsg_level == IPPROTO_IP && h->cmsg_type == IP_RETOPTS) ||
	       (h->cmsg_level == IPPROTO_IPV6 &&
		(h->cmsg_type == IPV6_RTHDR || h->cmsg_type == IPV6_2292RTHDR));
}

static int take_one(const struct action *a, struct control *c, struct cmsghdr *h)
{
	size_t len = h->cmsg_len - CMSG_LEN(0);

	if (!takes_scm(&a->act.network))
		return is_source_route(h) ? -EPERM : 0;

	if (h->cmsg_level != SOL_SOCKET)
		return 0;
	if (h->cmsg_type == SCM_RIGHTS)
		return take_fds(a, c, (char *)CMSG_DATA(h), len / sizeof(int));
	if (h->cmsg_type != SCM_CREDENTIALS)
		return 0;
	if (len != sizeof(struct ucred))
		return -EINVAL;
	c->creds = (struct ucred *)(void *)CMSG_DATA(h);
	return check_creds(a, c->creds);
}

/*
 * The kernel's walk (__cmsg_nxthdr(), CMSG_OK()), written out: a descriptor number that is found by
 * the kernel and not by us would be one of ours. A header that is not in order is refused here
 * already, as there.
 */
static int take_all(const struct action *a, struct control *c)
{
	size_t at = 0;

	while (c->len - at >= sizeof(struct cmsghdr)) {
		struct cmsghdr *h = (struct cmsghdr *)(void *)(c->p + at);
		size_t left = c->len - at;
		int r;

		/* Of other families, which take no descriptors, the kernel says what it thinks. */
		if (h->cmsg_len < sizeof(*h) || h->cmsg_len > left)
			return takes_scm(&a->act.network) ? -EINVAL : 0;
		r = take_one(a, c, h);
		if (r < 0)
			return r;
		at += CMSG_ALIGN(h->cmsg_len);
		c->end = at;
		if (at > c->len)
			break;
	}
	return 0;
}

/*
 * A receiver that asks for it is told who sends. Without a word of ours that would be the
 * supervisor's real IDs: root's, for an agent that has laid them down.
 */
static void add_creds(const struct action *a, struct control *c)
{
	struct cmsghdr *h = (struct cmsghdr *)(void *)(c->p + c->end);
	const struct ucred creds = {
		.pid = getpid(), .uid = a->act.creds.fsuid, .gid = a->act.creds.fsgid};

	*h = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(creds)),
			      .cmsg_level = SOL_SOCKET,
			      .cmsg_type = SCM_CREDENTIALS};
	memcpy(CMSG_DATA(h), &creds, sizeof(creds));
	c->len = c->end + CMSG_SPACE(sizeof(creds));
}

static int control_take(const struct action *a, const struct act_message *m, struct control *c)
{
	const struct act_network *net = &a->act.network;
	bool wants_creds = net->family == AF_UNIX && a->act.creds.differs;
	int r = 0;

	if (m->control.len == 0 && !wants_creds)
		return 0;
	c->p = calloc(1, CMSG_ALIGN(m->control.len) + CMSG_SPACE(sizeof(struct ucred)));
	if (!c->p)
		return -ENOBUFS;
	if (m->control.len)
		memcpy(c->p, m->control.p, m->control.len);
	c->len = m->control.len;
	r = take_all(a, c);
	if (r == 0 && wants_creds && !c->creds)
		add_creds(a, c);
	return r;
}

/* ---- the bytes */

/* Where the next byte is in the agent's memory. */
struct cursor {
	const struct iovec *iov;
	size_t n;
	size_t done; /* of the first */
};

/* Return: how much could be read of @len, which is less only where the memory ends. */
static size_t read_bytes(pid_t tid, struct cursor *at, char *buf, size_t len)
{
	size_t total = 0;

	while (total < len) {
		struct iovec local = {.iov_base = buf + total, .iov_len = 0}, remote[PIECES_BATCH];
		size_t n = 0;
		ssize_t got;

		for (; at->n && n < PIECES_BATCH && total + local.iov_len < len; n++) {
			size_t size = MIN(at->iov->iov_len - at->done, len - total - local.iov_len);

			remote[n] = (struct iovec){.iov_base = (char *)at->iov->iov_base + at->done,
						   .iov_len = size};
			local.iov_len += size;
			at->done += size;
			if (at->done < at->iov->iov_len)
				continue;
			at->iov++;
			at->n--;
			at->done = 0;
		}
		if (local.iov_len == 0) {
			if (at->n == 0)
				break;
			continue; /* nothing but empty pieces */
		}
		got = process_vm_readv(tid, &local, 1, remote, n, 0);
		if (got > 0)
			total += (size_t)got;
		if (got < 0 || (size_t)got < local.iov_len)
			break;
	}
	return total;
}

struct buffer {
	char *p;
	size_t size;
	bool is_mapped;
	char small[SMALL_BYTES];
};

/*
 * What is sent with MSG_ZEROCOPY stays the socket's until it says so on the error queue; so it gets
 * pages of its own, which we give away by forgetting them.
 */
static int buffer_get(struct buffer *b, size_t size, bool is_given_away)
{
	b->size = size;
	b->p = b->small;
	if (is_given_away && size) {
		b->p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		b->is_mapped = b->p != MAP_FAILED;
		return b->is_mapped ? 0 : -ENOBUFS;
	}
	if (size > sizeof(b->small))
		b->p = malloc(size);
	return b->p ? 0 : -ENOBUFS;
}

static void buffer_fini(struct buffer *b)
{
	if (b->is_mapped)
		(void)munmap(b->p, b->size);
	else if (b->p != b->small)
		free(b->p);
}

struct send_order {
	const struct msghdr *header;
	int flags;
	ssize_t result;
};

static int send_as_agent(struct behalf *b, const struct action *a, void *arg)
{
	struct send_order *o = arg;
	const struct msghdr *h = o->header;
	int fd = a->act.network.socket;
	int r = network_identify(b, a);

	if (r < 0)
		return r;
	/* sendto(2) can give an address of no bytes; sendmsg(2) takes that for none. */
	if (h->msg_name && h->msg_namelen == 0 && h->msg_controllen == 0)
		o->result = sendto(fd, h->msg_iov->iov_base, h->msg_iov->iov_len, o->flags,
				   h->msg_name, 0);
	else
		o->result = sendmsg(fd, h, o->flags);
	return o->result < 0 ? -errno : 0;
}

static ssize_t send_once(struct behalf *b, const struct action *a, const struct msghdr *h,
			 int flags)
{
	struct send_order o = {.header = h, .flags = flags};
	int r = behalf_call(b, a, send_as_agent, &o);

	return r < 0 ? r : o.result;
}

/* A claim to be the agent's process is one to be ours, where the kernel lets us claim no other. */
static ssize_t send_claiming(struct behalf *b, const struct action *a, const struct control *c,
			     const struct msghdr *h, int flags)
{
	ssize_t n = send_once(b, a, h, flags | MSG_NOSIGNAL);

	if (n == -EPERM && c->creds && c->creds->pid == a->pid) {
		c->creds->pid = getpid();
		n = send_once(b, a, h, flags | MSG_NOSIGNAL);
	}
	return n;
}

/* One chunk after the other. What has gone is the result, whatever stops the rest. */
static ssize_t send_bytes(struct behalf *b, const struct action *a, const struct act_message *m,
			  struct msghdr *h, const struct control *c, struct buffer *buf, int flags)
{
	struct cursor at = {.iov = m->iov, .n = m->n_iov};
	struct iovec iov = {.iov_base = buf->p};
	bool is_stream = a->act.network.type == SOCK_STREAM;
	size_t sent = 0;

	h->msg_iov = &iov;
	h->msg_iovlen = 1;
	do {
		size_t want = MIN(m->len - sent, buf->size);
		bool is_last = sent + want == m->len;
		ssize_t n;

		iov.iov_len = read_bytes(a->tid, &at, buf->p, want);
		if (iov.iov_len < want && (!is_stream || iov.iov_len == 0))
			return sent ? (ssize_t)sent : -EFAULT;
		n = send_claiming(b, a, c, h, is_last ? flags : (flags & ~MSG_OOB) | MSG_MORE);
		if (n < 0)
			return sent ? (ssize_t)sent : n;
		sent += (size_t)n;
		if ((size_t)n < want || (flags & MSG_ZEROCOPY))
			break;
		/* The address and what goes along belong to the first byte. */
		h->msg_name = NULL;
		h->msg_namelen = 0;
		h->msg_control = NULL;
		h->msg_controllen = 0;
		flags &= ~MSG_FASTOPEN;
	} while (sent < m->len);
	return (ssize_t)sent;
}

ssize_t network_send(struct behalf *b, const struct action *a, const struct act_message *m,
		     int flags)
{
	_cleanup_(control_fini) struct control control _uninitialized_;
	_cleanup_(buffer_fini) struct buffer buf _uninitialized_;
	bool is_stream = a->act.network.type == SOCK_STREAM;
	struct msghdr h = {.msg_name = (void *)(uintptr_t)m->name.p,
			   .msg_namelen = (socklen_t)m->name.len};
	struct sockaddr_un un;
	size_t size = m->len;
	int r;

	control.p = NULL;
	control.n_fds = control.len = control.end = 0;
	control.creds = NULL;
	buf.p = buf.small;
	buf.is_mapped = false;
	if (m->is_pinned) {
		if (a->act.pin.object < 0)
			return a->act.pin.error ? -a->act.pin.error : -ENOENT;
		h.msg_name = &un;
		h.msg_namelen = network_pinned_address(a->act.pin.object, &un);
	}
	if (!is_stream && size > SEND_WHOLE_MAX)
		return -EMSGSIZE;
	if (is_stream)
		size = MIN(size, flags & MSG_ZEROCOPY ? SEND_WHOLE_MAX : SEND_CHUNK_BYTES);
	r = control_take(a, m, &control);
	if (r == 0)
		r = buffer_get(&buf, size, flags & MSG_ZEROCOPY);
	if (r < 0)
		return r;
	h.msg_control = control.len ? control.p : NULL;
	h.msg_controllen = control.len;
	return send_bytes(b, a, m, &h, &control, &buf, flags);
}
