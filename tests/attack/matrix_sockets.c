/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ways to reach a socket that has a name in the file system. The objects are hard links to three
 * sockets, so that each pair has a name of its own and there is somebody who listens.
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "tests/attack/matrix_calls.h"

/* How the name stands in the address. */
enum form {
	FORM_WHOLE,   /* NULs up to the end of the struct */
	FORM_TIGHT,   /* no NUL at all behind it */
	FORM_RUBBISH, /* a NUL, then another name */
};

static int address_of(const struct spot *s, enum form form, struct sockaddr_un *ret, socklen_t *len)
{
	size_t n = strlen(s->file);

	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	*len = sizeof(*ret);
	if (n >= sizeof(ret->sun_path))
		return -ENAMETOOLONG;
	if (form == FORM_RUBBISH)
		memset(ret->sun_path, 'x', sizeof(ret->sun_path));
	memcpy(ret->sun_path, s->file, n);
	ret->sun_path[n] = '\0';
	if (form == FORM_TIGHT)
		*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
	return 0;
}

/* The queue of datagrams is short and nobody empties it: that it is full is as good as being in. */
static int sent(ssize_t n)
{
	return n < 0 && errno == EAGAIN ? 0 : outcome(n);
}

static int connect_as(struct spot *s, int type, enum form form)
{
	struct sockaddr_un sun;
	socklen_t len;
	int r = address_of(s, form, &sun, &len);
	int fd = r < 0 ? r : socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	if (r < 0)
		return r;
	if (connect(fd, (struct sockaddr *)&sun, len) < 0)
		return -errno;
	return sent(send(fd, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT));
}

static int connect_stream(struct spot *s)
{
	return connect_as(s, SOCK_STREAM, FORM_WHOLE);
}

static int connect_tight(struct spot *s)
{
	return connect_as(s, SOCK_STREAM, FORM_TIGHT);
}

static int connect_rubbish(struct spot *s)
{
	return connect_as(s, SOCK_STREAM, FORM_RUBBISH);
}

static int connect_nonblocking(struct spot *s)
{
	return connect_as(s, SOCK_STREAM | SOCK_NONBLOCK, FORM_WHOLE);
}

static int connect_packets(struct spot *s)
{
	return connect_as(s, SOCK_SEQPACKET, FORM_WHOLE);
}

static int connect_datagram(struct spot *s)
{
	return connect_as(s, SOCK_DGRAM, FORM_WHOLE);
}

static int connect_in_child(struct spot *s)
{
	struct sockaddr_un sun;
	socklen_t len;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r = address_of(s, FORM_WHOLE, &sun, &len);
	int status;
	pid_t pid;

	if (r < 0)
		return r;
	pid = vfork();
	if (pid == 0)
		_exit(connect(fd, (struct sockaddr *)&sun, len) < 0 ? errno : 0);
	return waitpid(pid, &status, 0) < 0 ? -errno : -WEXITSTATUS(status);
}

/* A socket that is connected already, and then to another one. */
static int reconnect(struct spot *s)
{
	struct sockaddr_un sun;
	int fds[2];
	socklen_t len;
	int r = address_of(s, FORM_WHOLE, &sun, &len);

	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds) < 0 ||
	    connect(fds[0], (struct sockaddr *)&sun, len) < 0)
		return -errno;
	return sent(send(fds[0], "x", 1, MSG_DONTWAIT));
}

static int send_as(struct spot *s, int how, enum form form)
{
	struct sockaddr_un sun;
	struct iovec io = {.iov_base = (char[]){'x'}, .iov_len = 1};
	struct mmsghdr m = {.msg_hdr = {.msg_name = &sun, .msg_iov = &io, .msg_iovlen = 1}};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int r = address_of(s, form, &sun, &m.msg_hdr.msg_namelen);

	if (r < 0)
		return r;
	if (how == 0)
		return sent(sendto(fd, "x", 1, MSG_DONTWAIT, (struct sockaddr *)&sun,
				   m.msg_hdr.msg_namelen));
	return sent(how == 1 ? sendmsg(fd, &m.msg_hdr, MSG_DONTWAIT)
			     : sendmmsg(fd, &m, 1, MSG_DONTWAIT));
}

static int do_sendto(struct spot *s)
{
	return send_as(s, 0, FORM_WHOLE);
}

static int do_sendto_tight(struct spot *s)
{
	return send_as(s, 0, FORM_TIGHT);
}

static int do_sendmsg(struct spot *s)
{
	return send_as(s, 1, FORM_RUBBISH);
}

static int do_sendmmsg(struct spot *s)
{
	return send_as(s, 2, FORM_WHOLE);
}

static const struct call sockets[] = {
	{"connect", connect_stream, CALL_STREAM},
	{"connect without a NUL", connect_tight, CALL_STREAM},
	{"connect with rubbish", connect_rubbish, CALL_STREAM},
	{"connect that does not block", connect_nonblocking, CALL_STREAM},
	{"connect in vfork", connect_in_child, CALL_STREAM},
	{"connect of packets", connect_packets, CALL_PACKETS},
	{"connect of datagrams", connect_datagram, 0},
	{"connect for the second time", reconnect, 0},
	{"sendto", do_sendto, 0},
	{"sendto without a NUL", do_sendto_tight, 0},
	{"sendmsg", do_sendmsg, 0},
	{"sendmmsg", do_sendmmsg, 0},
};
_Static_assert(ARRAY_SIZE(sockets) == matrix_sockets_SIZE, "as in the header");
const struct calls matrix_sockets = {.all = sockets};
