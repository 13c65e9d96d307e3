/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dnscalls WHAT...: the same question to port 53 by calls that are easily overlooked, and what a
 * socket is good for afterwards. Prints what each came to; an rcode is an answer of the resolver.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SERVER  "203.0.113.53"
#define OTHER   "198.51.100.2"
#define WAIT_MS 5000

/* "secret.evil.example", A */
static const char question[] = "\1\2\1\0\0\1\0\0\0\0\0\0\6secret\4evil\7example\0\0\1\0\1";
static const size_t question_len = sizeof(question) - 1;

static struct sockaddr_in in_of(const char *ip, int port, sa_family_t family)
{
	struct sockaddr_in a = {.sin_family = family, .sin_port = htons((uint16_t)port)};

	inet_pton(AF_INET, ip, &a.sin_addr);
	return a;
}

static void tell(const char *what, ssize_t r, int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char answer[512];

	if (r < 0) {
		printf("%s: %s\n", what, strerror(errno));
		return;
	}
	if (poll(&p, 1, WAIT_MS) != 1 || (r = recv(fd, answer, sizeof(answer), 0)) < 0)
		printf("%s: no answer\n", what);
	else
		printf("%s: rcode %d\n", what, answer[r > 100 ? 5 : 3] & 15);
}

static void families(void)
{
	const struct sockaddr_in plain = in_of(SERVER, 53, AF_INET);
	const struct sockaddr_in none = in_of(SERVER, 53, AF_UNSPEC);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	tell("without a family",
	     sendto(fd, question, question_len, 0, (const struct sockaddr *)&none, sizeof(none)),
	     fd);
	fd = socket(AF_INET6, SOCK_DGRAM, 0);
	tell("IPv4 on IPv6",
	     sendto(fd, question, question_len, 0, (const struct sockaddr *)&plain, sizeof(plain)),
	     fd);
	fd = socket(AF_INET6, SOCK_DGRAM, 0);
	if (connect(fd, (const struct sockaddr *)&plain, sizeof(plain)) < 0)
		printf("connected IPv4 on IPv6: %s\n", strerror(errno));
	else
		tell("connected IPv4 on IPv6", send(fd, question, question_len, 0), fd);
}

/* One batch to three places: what is refused ends it. */
static void batch(void)
{
	struct sockaddr_in to[3] = {in_of(SERVER, 53, AF_INET), in_of(OTHER, 9, AF_INET),
				    in_of(SERVER, 53, AF_INET)};
	struct iovec iov = {.iov_base = (void *)(size_t)question, .iov_len = question_len};
	struct mmsghdr m[3] = {};
	int fd = socket(AF_INET, SOCK_DGRAM, 0), n;

	for (int i = 0; i < 3; i++)
		m[i].msg_hdr = (struct msghdr){.msg_name = &to[i],
					       .msg_namelen = sizeof(to[i]),
					       .msg_iov = &iov,
					       .msg_iovlen = 1};
	n = sendmmsg(fd, m, 3, 0);
	printf("batch: %d went\n", n);
	tell("its first", n, fd);
	n = sendmmsg(fd, m + 1, 2, 0);
	printf("the rest: %s\n", n < 0 ? strerror(errno) : "went");
}

/* A socket that asked is dissolved, and used for something else. */
static void reconnect(void)
{
	const struct sockaddr_in server = in_of(SERVER, 53, AF_INET);
	const struct sockaddr_in other = in_of(OTHER, 9, AF_INET);
	const struct sockaddr none = {.sa_family = AF_UNSPEC};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (connect(fd, (const struct sockaddr *)&server, sizeof(server)) < 0)
		printf("connect: %s\n", strerror(errno));
	tell("connected", send(fd, question, question_len, 0), fd);
	if (connect(fd, &none, sizeof(none)) < 0)
		printf("dissolve: %s\n", strerror(errno));
	printf("dissolved: %s\n",
	       sendto(fd, "x", 1, 0, (const struct sockaddr *)&other, sizeof(other)) < 0
		       ? strerror(errno)
		       : "went to another address");
	printf("reconnected: %s\n", connect(fd, (const struct sockaddr *)&other, sizeof(other)) < 0
					    ? strerror(errno)
					    : "to another address");
	tell("asked again",
	     sendto(fd, question, question_len, 0, (const struct sockaddr *)&server,
		    sizeof(server)),
	     fd);
}

/* TCP Fast Open: a connection by a send. */
static void fastopen(void)
{
	const struct sockaddr_in server = in_of(SERVER, 53, AF_INET);
	const struct sockaddr_in other = in_of(OTHER, 80, AF_INET);
	char framed[128];
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	framed[0] = 0;
	framed[1] = (char)question_len;
	memcpy(framed + 2, question, question_len);
	if (sendto(fd, framed, question_len + 2, MSG_FASTOPEN, (const struct sockaddr *)&server,
		   sizeof(server)) < 0) {
		printf("fast open: %s\n", strerror(errno));
	} else {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		char answer[512];

		printf("fast open: %s\n",
		       poll(&p, 1, WAIT_MS) == 1 && recv(fd, answer, sizeof(answer), 0) > 5
			       ? "an answer"
			       : "no answer");
	}
	fd = socket(AF_INET, SOCK_STREAM, 0);
	printf("elsewhere: %s\n",
	       sendto(fd, "x", 1, MSG_FASTOPEN, (const struct sockaddr *)&other, sizeof(other)) < 0
		       ? strerror(errno)
		       : "went");
}

int main(void)
{
	families();
	batch();
	reconnect();
	fastopen();
	return 0;
}
