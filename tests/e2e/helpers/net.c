/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net OP ADDRESS [PORT]: one network operation by a given system call; prints "OK" or the errno's
 * name.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static int result(long r)
{
	return r < 0 ? errno : 0;
}

static socklen_t inet_address(char **a, struct sockaddr_storage *ret)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;

	*ret = (struct sockaddr_storage){0};
	if (inet_pton(AF_INET, a[0], &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)atoi(a[1]));
		return sizeof(*v4);
	}
	inet_pton(AF_INET6, a[0], &v6->sin6_addr);
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons((uint16_t)atoi(a[1]));
	return sizeof(*v6);
}

static int op_connect(char **a)
{
	struct sockaddr_storage to;
	socklen_t len = inet_address(a, &to);
	int fd = socket(to.ss_family, SOCK_STREAM, 0);

	return result(connect(fd, (struct sockaddr *)&to, len));
}

static int op_connect_udp(char **a)
{
	struct sockaddr_storage to;
	socklen_t len = inet_address(a, &to);
	int fd = socket(to.ss_family, SOCK_DGRAM, 0);

	return result(connect(fd, (struct sockaddr *)&to, len));
}

static int op_sendto(char **a)
{
	struct sockaddr_storage to;
	socklen_t len = inet_address(a, &to);
	int fd = socket(to.ss_family, SOCK_DGRAM, 0);

	return result(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, len));
}

static int op_sendmsg(char **a)
{
	struct sockaddr_storage to;
	socklen_t len = inet_address(a, &to);
	struct iovec io = {.iov_base = "x", .iov_len = 1};
	struct msghdr m = {.msg_name = &to, .msg_namelen = len, .msg_iov = &io, .msg_iovlen = 1};

	return result(sendmsg(socket(to.ss_family, SOCK_DGRAM, 0), &m, 0));
}

static int op_sendmmsg(char **a)
{
	struct sockaddr_storage to, loopback;
	socklen_t len = inet_address(a, &to);
	char *local[] = {"127.0.0.1", "9"};
	socklen_t local_len = inet_address(local, &loopback);
	struct iovec io = {.iov_base = "x", .iov_len = 1};
	struct mmsghdr m[2] = {
		{.msg_hdr = {&loopback, local_len, &io, 1, NULL, 0, 0}},
		{.msg_hdr = {&to, len, &io, 1, NULL, 0, 0}},
	};

	return result(sendmmsg(socket(to.ss_family, SOCK_DGRAM, 0), m, 2, 0));
}

static int op_fastopen(char **a)
{
	struct sockaddr_storage to;
	socklen_t len = inet_address(a, &to);
	int fd = socket(to.ss_family, SOCK_STREAM, 0);

	return result(sendto(fd, "x", 1, MSG_FASTOPEN, (struct sockaddr *)&to, len));
}

static int op_bind(char **a)
{
	struct sockaddr_storage to;
	socklen_t len = inet_address(a, &to);

	return result(bind(socket(to.ss_family, SOCK_STREAM, 0), (struct sockaddr *)&to, len));
}

static int op_bind_unix(char **a)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};

	snprintf(to.sun_path, sizeof(to.sun_path), "%s", a[0]);
	return result(bind(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&to, sizeof(to)));
}

static int op_connect_unix(char **a)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};

	snprintf(to.sun_path, sizeof(to.sun_path), "%s", a[0]);
	return result(connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&to, sizeof(to)));
}

static const struct op {
	const char *name;
	int (*perform)(char **args);
} ops[] = {
	{"connect", op_connect}, {"connect-udp", op_connect_udp}, {"sendto", op_sendto},
	{"sendmsg", op_sendmsg}, {"sendmmsg", op_sendmmsg},       {"fastopen", op_fastopen},
	{"bind", op_bind},       {"bind-unix", op_bind_unix},     {"connect-unix", op_connect_unix},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 2 && i < sizeof(ops) / sizeof(ops[0]); i++) {
		int r;

		if (strcmp(ops[i].name, argv[1]) != 0)
			continue;
		r = ops[i].perform(argv + 2);
		puts(r ? strerrorname_np(r) : "OK");
		return r ? 1 : 0;
	}
	return 2;
}
