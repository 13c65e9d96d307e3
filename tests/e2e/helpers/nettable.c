/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nettable: makes network calls in its working directory and on loopback, and prints a line for
 * each: its name, what it returned, and what of it can be seen. Run natively and in a session, the
 * output must be the same.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MSG_FASTOPEN
#define MSG_FASTOPEN 0x20000000
#endif

static volatile sig_atomic_t sigpipes, alarms;

static void on_signal(int number)
{
	if (number == SIGPIPE)
		sigpipes++;
	else
		alarms++;
}

static void row(const char *name, long r)
{
	printf("%s: %ld %s", name, r, r < 0 ? strerrorname_np(errno) : "");
	if (sigpipes)
		printf(" SIGPIPE=%d", (int)sigpipes);
	printf("\n");
	sigpipes = 0;
}

static int new_socket(int family, int type)
{
	return socket(family, type | SOCK_CLOEXEC, 0);
}

static struct sockaddr_in loop(in_port_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = port};
}

static struct sockaddr_in name_of(int fd)
{
	struct sockaddr_in a = {0};
	socklen_t len = sizeof(a);

	getsockname(fd, (struct sockaddr *)&a, &len);
	return a;
}

static long conn(int fd, const void *a, size_t len)
{
	return connect(fd, a, (socklen_t)len);
}

static int listener(void)
{
	struct sockaddr_in a = loop(0);
	int fd = new_socket(AF_INET, SOCK_STREAM);

	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 8) < 0)
		exit(3);
	return fd;
}

static int closed_port(void)
{
	int fd = new_socket(AF_INET, SOCK_STREAM);
	struct sockaddr_in a = loop(0);

	bind(fd, (struct sockaddr *)&a, sizeof(a));
	a = name_of(fd);
	close(fd);
	return a.sin_port;
}

static socklen_t path_to(struct sockaddr_un *a, const char *path, size_t len)
{
	*a = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(a->sun_path, path, len);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

static void show_name(const char *name, int fd)
{
	struct sockaddr_un a;
	socklen_t len = sizeof(a);

	memset(&a, 0, sizeof(a));
	getsockname(fd, (struct sockaddr *)&a, &len);
	printf("%s: name of %u bytes '%s'\n", name, a.sun_path[0] ? (unsigned)len : 0, a.sun_path);
}

static void rows_connect(void)
{
	int l = listener(), c = new_socket(AF_INET, SOCK_STREAM), error = -1, u;
	struct sockaddr_in a = name_of(l), none = {.sin_family = AF_UNSPEC};
	struct sockaddr_in6 a6 = {.sin6_family = AF_INET6, .sin6_port = a.sin_port};
	socklen_t len = sizeof(error);

	row("connect", conn(c, &a, sizeof(a)));
	row("connect again", conn(c, &a, sizeof(a)));
	row("disconnect", conn(c, &none, sizeof(none)));
	row("reconnect", conn(c, &a, sizeof(a)));
	c = new_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
	row("connect without blocking", conn(c, &a, sizeof(a)));
	poll(&(struct pollfd){.fd = c, .events = POLLOUT}, 1, 2000);
	getsockopt(c, SOL_SOCKET, SO_ERROR, &error, &len);
	row("SO_ERROR then", error);
	row("O_NONBLOCK is left on", fcntl(c, F_GETFL) & O_NONBLOCK);
	c = new_socket(AF_INET, SOCK_STREAM);
	row("short address", conn(c, &a, sizeof(a) - 1));
	row("one byte", conn(c, &a, 1));
	row("long address", conn(c, &a, 129));
	row("negative length", conn(c, &a, (size_t)-1));
	row("bad pointer", conn(c, (void *)8, sizeof(a)));
	row("bad descriptor", conn(999, &a, sizeof(a)));
	row("not a socket", conn(1, &a, sizeof(a)));
	u = open(".", O_PATH);
	row("O_PATH", conn(u, &a, sizeof(a)));
	row("IPv6 address, IPv4 socket", conn(c, &a6, sizeof(a6)));
	row("IPv4 address, IPv6 socket", conn(new_socket(AF_INET6, SOCK_STREAM), &a, sizeof(a)));
	inet_pton(AF_INET6, "::ffff:127.0.0.1", &a6.sin6_addr);
	row("mapped address", conn(new_socket(AF_INET6, SOCK_STREAM), &a6, sizeof(a6)));
	a.sin_addr.s_addr = 0;
	row("to any", conn(new_socket(AF_INET, SOCK_STREAM), &a, sizeof(a)));
	a = loop((in_port_t)closed_port());
	row("refused", conn(c, &a, sizeof(a)));
	u = new_socket(AF_INET, SOCK_DGRAM);
	row("udp connect", conn(u, &a, sizeof(a)));
	a.sin_port = htons(9);
	row("udp reconnect", conn(u, &a, sizeof(a)));
	row("udp disconnect", conn(u, &none, sizeof(none)));
	row("udp send without a peer", send(u, "x", 1, 0));
	row("netlink address on tcp",
	    conn(c, &(struct sockaddr_nl){.nl_family = AF_NETLINK}, sizeof(struct sockaddr_nl)));
}

static void rows_bind(void)
{
	struct sockaddr_in a = loop(0), low = loop(htons((in_port_t)(200 + getpid() % 800)));
	int s = new_socket(AF_INET, SOCK_STREAM), t = new_socket(AF_INET, SOCK_STREAM);

	row("bind", bind(s, (struct sockaddr *)&a, sizeof(a)));
	row("bind again", bind(s, (struct sockaddr *)&a, sizeof(a)));
	a = name_of(s);
	row("listen", listen(s, 1));
	row("bind in use", bind(t, (struct sockaddr *)&a, sizeof(a)));
	a.sin_addr.s_addr = htonl(0xc0000201);
	row("bind to another's address", bind(t, (struct sockaddr *)&a, sizeof(a)));
	row("bind to a low port", bind(t, (struct sockaddr *)&low, sizeof(low)));
	a = (struct sockaddr_in){.sin_family = AF_UNSPEC};
	row("bind without a family",
	    bind(new_socket(AF_INET, SOCK_STREAM), (struct sockaddr *)&a, sizeof(a)));
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	row("bind without a family, to an address",
	    bind(new_socket(AF_INET, SOCK_STREAM), (struct sockaddr *)&a, sizeof(a)));
	s = new_socket(AF_INET, SOCK_STREAM);
	row("listen unbound", listen(s, 1));
	row("it has a port", name_of(s).sin_port != 0);
	row("listen again", listen(s, 5));
	s = new_socket(AF_INET6, SOCK_STREAM);
	row("listen unbound, IPv6", listen(s, 1));
	row("listen on udp", listen(new_socket(AF_INET, SOCK_DGRAM), 1));
	row("listen on what is none", listen(1, 1));
}

static void rows_unix_paths(void)
{
	char here[200], path[300];
	struct sockaddr_un a;
	char abstract[16] = "";
	int s = new_socket(AF_UNIX, SOCK_STREAM), c;
	struct stat st;

	if (!getcwd(here, sizeof(here)))
		exit(4);
	/* A NUL within and one at the end are part of the name. */
	snprintf(abstract + 1, sizeof(abstract) - 1, "hf%d", getpid());
	umask(027);
	row("bind a name", bind(s, (struct sockaddr *)&a, path_to(&a, "sock", 4)));
	show_name("bind a name", s);
	stat("sock", &st);
	row("its mode", st.st_mode & 0777);
	row("listen", listen(s, 2));
	c = new_socket(AF_UNIX, SOCK_STREAM);
	row("connect to the name", conn(c, &a, path_to(&a, "sock", 4)));
	row("connect twice", conn(c, &a, path_to(&a, "sock", 5)));
	snprintf(path, sizeof(path), "%s/sock", here);
	if (strlen(path) < 108)
		row("connect by its whole path", conn(new_socket(AF_UNIX, SOCK_STREAM), &a,
						      path_to(&a, path, strlen(path) + 1)));
	symlink("sock", "link");
	row("connect by a link",
	    conn(new_socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK), &a, path_to(&a, "link", 5)));
	row("connect to none", conn(new_socket(AF_UNIX, SOCK_STREAM), &a, path_to(&a, "none", 5)));
	row("connect to a directory",
	    conn(new_socket(AF_UNIX, SOCK_STREAM), &a, path_to(&a, ".", 2)));
	row("connect with a slash",
	    conn(new_socket(AF_UNIX, SOCK_STREAM), &a, path_to(&a, "sock/", 6)));
	row("connect below it",
	    conn(new_socket(AF_UNIX, SOCK_STREAM), &a, path_to(&a, "sock/x", 7)));
	row("datagram to a stream",
	    conn(new_socket(AF_UNIX, SOCK_DGRAM), &a, path_to(&a, "sock", 5)));
	row("no address", conn(new_socket(AF_UNIX, SOCK_STREAM), &a, 2));
	close(open("file", O_CREAT | O_WRONLY, 0600));
	row("connect to a file",
	    conn(new_socket(AF_UNIX, SOCK_STREAM), &a, path_to(&a, "file", 5)));
	s = new_socket(AF_UNIX, SOCK_STREAM);
	row("bind in use", bind(s, (struct sockaddr *)&a, path_to(&a, "sock", 5)));
	row("bind to a file", bind(s, (struct sockaddr *)&a, path_to(&a, "file", 5)));
	row("bind to a link", bind(s, (struct sockaddr *)&a, path_to(&a, "link", 5)));
	row("bind in no directory", bind(s, (struct sockaddr *)&a, path_to(&a, "no/s", 5)));
	row("bind with a slash", bind(s, (struct sockaddr *)&a, path_to(&a, "new/", 5)));
	row("bind to .", bind(s, (struct sockaddr *)&a, path_to(&a, ".", 2)));
	mkdir("dir", 0700);
	row("bind below", bind(s, (struct sockaddr *)&a, path_to(&a, "./dir//../dir/s", 16)));
	show_name("bind below", s);
	row("it is there", access("dir/s", F_OK));
	row("bind twice", bind(s, (struct sockaddr *)&a, path_to(&a, "dir/t", 6)));
	s = new_socket(AF_UNIX, SOCK_STREAM);
	row("bind to an abstract name",
	    bind(s, (struct sockaddr *)&a, path_to(&a, abstract, sizeof(abstract))));
	row("listen", listen(s, 1));
	row("connect to it",
	    conn(new_socket(AF_UNIX, SOCK_STREAM), &a, path_to(&a, abstract, sizeof(abstract))));
	row("connect to another", conn(new_socket(AF_UNIX, SOCK_STREAM), &a,
				       path_to(&a, abstract, sizeof(abstract) - 1)));
	s = new_socket(AF_UNIX, SOCK_STREAM);
	row("listen unbound", listen(s, 1));
	row("autobind", bind(s, (struct sockaddr *)&a, 2));
	row("listen", listen(s, 1));
}

static long send_to(int fd, const void *p, size_t len, int flags, const void *a, size_t alen)
{
	return sendto(fd, p, len, flags, a, (socklen_t)alen);
}

static void rows_datagrams(void)
{
	static char big[70000];
	struct sockaddr_in a = loop(0), none = {.sin_family = AF_UNSPEC};
	int in = new_socket(AF_INET, SOCK_DGRAM), out = new_socket(AF_INET, SOCK_DGRAM);
	struct iovec two[2] = {{"ab", 2}, {"cde", 3}};
	struct msghdr m = {
		.msg_name = &a, .msg_namelen = sizeof(a), .msg_iov = two, .msg_iovlen = 2};
	struct mmsghdr v[3] = {{m, 99}, {m, 99}, {m, 99}};
	char control[CMSG_SPACE(2)] = {0};
	struct cmsghdr *h = (struct cmsghdr *)control;

	bind(in, (struct sockaddr *)&a, sizeof(a));
	a = name_of(in);
	row("sendto", send_to(out, "x", 1, 0, &a, sizeof(a)));
	row("received", recv(in, big, sizeof(big), 0));
	row("nothing", send_to(out, NULL, 0, 0, &a, sizeof(a)));
	row("received", recv(in, big, sizeof(big), 0));
	row("too big", send_to(out, big, 65508, 0, &a, sizeof(a)));
	row("as big as can be", send_to(out, big, 65507, 0, &a, sizeof(a)));
	row("received", recv(in, big, sizeof(big), 0));
	row("unreadable", send_to(out, (void *)8, 100, 0, &a, sizeof(a)));
	row("short address", send_to(out, "x", 1, 0, &a, 8));
	row("no length", send_to(out, "x", 1, 0, &a, 0));
	row("sendmsg", sendmsg(out, &m, 0));
	row("received", recv(in, big, sizeof(big), 0));
	m.msg_iovlen = 1025;
	row("many pieces", sendmsg(out, &m, 0));
	m.msg_iovlen = 0;
	row("no piece", sendmsg(out, &m, 0));
	row("received", recv(in, big, sizeof(big), 0));
	m.msg_iovlen = 2;
	m.msg_iov = (void *)8;
	row("bad pieces", sendmsg(out, &m, 0));
	m.msg_iov = two;
	m.msg_control = (void *)8;
	m.msg_controllen = 16;
	row("bad control", sendmsg(out, &m, 0));
	*h = (struct cmsghdr){.cmsg_len = 3, .cmsg_level = SOL_UDP, .cmsg_type = UDP_SEGMENT};
	m.msg_control = control;
	m.msg_controllen = sizeof(control);
	row("control out of order", sendmsg(out, &m, 0));
	h->cmsg_len = CMSG_LEN(2);
	memcpy(CMSG_DATA(h), &(unsigned short){2}, 2);
	row("segmented", sendmsg(out, &m, 0));
	row("first", recv(in, big, sizeof(big), 0));
	row("second", recv(in, big, sizeof(big), 0));
	row("third", recv(in, big, sizeof(big), 0));
	row("sendmmsg", sendmmsg(out, v, 3, 0));
	row("lengths", v[0].msg_len + v[1].msg_len + v[2].msg_len);
	v[1].msg_hdr.msg_iov = (void *)8;
	v[0].msg_len = v[2].msg_len = 99;
	row("sendmmsg with a bad second", sendmmsg(out, v, 3, 0));
	row("lengths", v[0].msg_len + v[2].msg_len);
	v[0].msg_hdr.msg_iov = (void *)8;
	row("sendmmsg with a bad first", sendmmsg(out, v, 3, 0));
	row("sendmmsg of none", sendmmsg(out, v, 0, 0));
	row("sendmmsg of no memory", sendmmsg(out, (void *)8, 1, 0));
	m = (struct msghdr){.msg_iov = two, .msg_iovlen = 2};
	row("sendmsg without a peer", sendmsg(out, &m, 0));
	row("connect", conn(out, &a, sizeof(a)));
	row("sendmsg to the peer", sendmsg(out, &m, 0));
	m.msg_name = &none;
	m.msg_namelen = 0;
	row("sendmsg with an empty name", sendmsg(out, &m, 0));
	none.sin_port = a.sin_port;
	none.sin_addr = a.sin_addr;
	row("without a family", send_to(out, "x", 1, 0, &none, sizeof(none)));
	row("unknown flag", sendmsg(out, &m, (int)0x80000000));
	shutdown(out, SHUT_WR);
	row("after shutdown", sendmsg(out, &m, 0));
}

static void *read_all(void *arg)
{
	static char buf[65536];
	long sum = 0, n;

	while ((n = read(*(int *)arg, buf, sizeof(buf))) > 0)
		for (long i = 0; i < n; i++)
			sum = sum * 31 + buf[i];
	return (void *)sum;
}

static void rows_streams(void)
{
	static char big[3000000];
	int l = listener(), c = new_socket(AF_INET, SOCK_STREAM), s, pair[2];
	struct sockaddr_in a = name_of(l);
	struct iovec two[2] = {{big, 1000001}, {big + 1000001, sizeof(big) - 1000001}};
	struct msghdr m = {.msg_iov = two, .msg_iovlen = 2};
	struct timeval soon = {.tv_usec = 50000};
	pthread_t reader;
	void *sum;

	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 7 + i / 4096);
	conn(c, &a, sizeof(a));
	s = accept(l, NULL, NULL);
	pthread_create(&reader, NULL, read_all, &s);
	row("3 MB in one sendmsg", sendmsg(c, &m, 0));
	row("with a name that counts for nothing", send_to(c, "x", 1, 0, &a, sizeof(a)));
	close(c);
	pthread_join(reader, &sum);
	printf("what arrived: %ld\n", (long)sum);
	c = new_socket(AF_INET, SOCK_STREAM);
	conn(c, &a, sizeof(a));
	s = accept(l, NULL, NULL);
	row("MSG_OOB", (m.msg_iovlen = 1, two[0].iov_len = 3, sendmsg(c, &m, MSG_OOB)));
	row("MSG_OOB received", recv(s, big, 1, MSG_OOB));
	two[0].iov_len = sizeof(big);
	row("a part goes without blocking",
	    sendmsg(c, &m, MSG_DONTWAIT) < (long)sizeof(big) ? 1 : 0);
	while (sendmsg(c, &m, MSG_DONTWAIT) > 0)
		;
	row("nothing goes without blocking", sendmsg(c, &m, MSG_DONTWAIT));
	setsockopt(c, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof(soon));
	row("nothing goes in time", sendmsg(c, &m, 0));
	close(s);
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	close(pair[1]);
	row("broken pipe", sendmsg(pair[0], &m, 0));
	row("broken pipe, no signal", sendmsg(pair[0], &m, MSG_NOSIGNAL));
	socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair);
	close(pair[1]);
	row("broken packets", (two[0].iov_len = 1, sendmsg(pair[0], &m, 0)));
	c = new_socket(AF_INET, SOCK_STREAM);
	row("not connected", sendmsg(c, &m, 0));
	row("MSG_FASTOPEN", send_to(c, "hi", 2, MSG_FASTOPEN, &a, sizeof(a)));
	s = accept(l, NULL, NULL);
	row("received", recv(s, big, 10, 0));
	row("MSG_FASTOPEN again", send_to(c, "hi", 2, MSG_FASTOPEN, &a, sizeof(a)));
	shutdown(c, SHUT_WR);
	two[0].iov_len = 1;
	row("after shutdown", sendmsg(c, &m, 0));
}

static void rows_signals(void)
{
	struct itimerval soon = {.it_value.tv_usec = 50000};
	int pair[2];
	static char big[1000000];
	struct iovec one = {big, sizeof(big)};
	struct msghdr m = {.msg_iov = &one, .msg_iovlen = 1};

	socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
	one.iov_len = 1000;
	while (sendmsg(pair[0], &m, MSG_DONTWAIT) > 0)
		;
	setitimer(ITIMER_REAL, &soon, NULL);
	row("a send that a signal interrupts", sendmsg(pair[0], &m, 0));
	row("signals seen", alarms);
}

static void rows_passing(void)
{
	int pair[2], ends[2];
	struct iovec one = {"z", 1};
	union {
		char space[CMSG_SPACE(254 * sizeof(int))];
		struct cmsghdr h;
	} u;
	struct msghdr m = {.msg_iov = &one, .msg_iovlen = 1, .msg_control = u.space};
	struct ucred me = {getpid(), getuid(), getgid()};
	char buf[8];
	int got, *numbers = (int *)CMSG_DATA(&u.h);

	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	if (pipe(ends) < 0)
		exit(5);
	u.h = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
	numbers[0] = ends[1];
	m.msg_controllen = CMSG_SPACE(sizeof(int));
	row("pass a descriptor", sendmsg(pair[0], &m, 0));
	one.iov_base = buf;
	row("receive it", recvmsg(pair[1], &m, 0));
	memcpy(&got, numbers, sizeof(got));
	row("it is another number", got != ends[1] && got > 2);
	row("of the same pipe", write(got, "q", 1) == 1 && read(ends[0], buf, 1) == 1);
	numbers[0] = 999;
	m.msg_controllen = CMSG_SPACE(sizeof(int));
	u.h = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
	row("pass none", sendmsg(pair[0], &m, 0));
	numbers[0] = -1;
	row("pass -1", sendmsg(pair[0], &m, 0));
	u.h.cmsg_len = CMSG_LEN(254 * sizeof(int));
	m.msg_controllen = sizeof(u.space);
	for (int i = 0; i < 254; i++)
		numbers[i] = 1;
	row("pass 254", sendmsg(pair[0], &m, 0));
	u.h.cmsg_len = CMSG_LEN(253 * sizeof(int));
	m.msg_controllen = CMSG_SPACE(253 * sizeof(int));
	row("pass 253", sendmsg(pair[0], &m, 0));
	m.msg_controllen = CMSG_LEN(0) - 1;
	row("a piece of a header", sendmsg(pair[0], &m, 0));
	u.h = (struct cmsghdr){CMSG_LEN(sizeof(me)) + 1000, SOL_SOCKET, SCM_CREDENTIALS};
	m.msg_controllen = CMSG_SPACE(sizeof(me));
	row("a header that is too long", sendmsg(pair[0], &m, 0));
	u.h.cmsg_len = CMSG_LEN(sizeof(me));
	memcpy(CMSG_DATA(&u.h), &me, sizeof(me));
	row("own credentials", sendmsg(pair[0], &m, 0));
	u.h.cmsg_len = CMSG_LEN(sizeof(me)) - 1;
	row("part of credentials", sendmsg(pair[0], &m, 0));
}

static void rows_netlink(void)
{
	struct sockaddr_nl a = {.nl_family = AF_NETLINK};
	int s = new_socket(AF_NETLINK, SOCK_RAW);
	struct {
		struct nlmsghdr h;
		struct rtgenmsg g;
	} ask = {.h = {.nlmsg_len = sizeof(ask),
		       .nlmsg_type = RTM_GETLINK,
		       .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		       .nlmsg_seq = 7}};
	static char buf[65536];

	row("netlink bind", bind(s, (struct sockaddr *)&a, sizeof(a)));
	row("netlink ask", send_to(s, &ask, sizeof(ask), 0, &a, sizeof(a)));
	row("netlink answer", recv(s, buf, sizeof(buf), 0) > 0);
	row("of the sequence", (long)((struct nlmsghdr *)buf)->nlmsg_seq);
	row("netlink connect", conn(s, &a, sizeof(a)));
}

int main(void)
{
	struct sigaction sa = {.sa_handler = on_signal};

	setvbuf(stdout, NULL, _IOLBF, 0);
	sigaction(SIGPIPE, &sa, NULL);
	sigaction(SIGALRM, &sa, NULL);
	rows_connect();
	rows_bind();
	rows_unix_paths();
	rows_datagrams();
	rows_streams();
	rows_passing();
	rows_netlink();
	rows_signals();
	return 0;
}
