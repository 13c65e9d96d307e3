/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netrace MODE ROUNDS DIR [ALLOWED DENIED]: an agent that makes a network call while a second
 * thread changes what the call names, between an allowed and a denied place. Both places are its
 * own. Prints how many calls reached each, and how many failed.
 *
 * The ports are those of the policy of tests/e2e/network_race.bats; the unix sockets are DIR/good/s
 * and DIR/evil/s.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static int allowed_port = 47001, denied_port = 47002;
static const char *dir;
static atomic_bool stop;
static long reached_good, reached_evil, failed;

static struct sockaddr_in inet_to(int port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_port = htons((uint16_t)port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static struct sockaddr_un unix_to(const char *where)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	snprintf(a.sun_path, sizeof(a.sun_path), "%s/%s/s", dir, where);
	return a;
}

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static int socket_of(int family, int type)
{
	int fd = socket(family, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket");
	return fd;
}

static int inet_receiver(int port)
{
	struct sockaddr_in a = inet_to(port);
	int fd = socket_of(AF_INET, SOCK_DGRAM);

	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		die("bind");
	return fd;
}

static long drain(int fd)
{
	char buf[16];
	long n = 0;

	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) >= 0)
		n++;
	return n;
}

/* What both threads look at. */
static struct {
	union {
		struct sockaddr_in in;
		struct sockaddr_un un;
	} name;
	struct msghdr message;
	struct mmsghdr batch[2];
	struct iovec iov;
	int fd, tcp, udp;
	char link[128], other[128];
} shared;

/* ---- what is flipped */

static void flip_port(bool evil)
{
	shared.name.in.sin_port = htons((uint16_t)(evil ? denied_port : allowed_port));
}

static void flip_name(bool evil)
{
	__atomic_store_n(&shared.message.msg_name, evil ? &shared.name : NULL, __ATOMIC_RELAXED);
}

static void flip_batch(bool evil)
{
	static struct sockaddr_in good, bad;

	good = inet_to(allowed_port);
	bad = inet_to(denied_port);
	__atomic_store_n(&shared.batch[1].msg_hdr.msg_name, evil ? &bad : &good, __ATOMIC_RELAXED);
}

static void flip_path(bool evil)
{
	/* "good" and "evil" differ in one place of the text that is as long. */
	memcpy(shared.name.un.sun_path + strlen(dir) + 1, evil ? "evil" : "good", 4);
}

static void flip_fd(bool evil)
{
	dup2(evil ? shared.udp : shared.tcp, shared.fd);
}

static void flip_link(bool evil)
{
	if (symlink(evil ? "evil" : "good", shared.other) == 0 || errno == EEXIST)
		(void)syscall(SYS_renameat2, AT_FDCWD, shared.other, AT_FDCWD, shared.link, 0);
}

static void *flipper(void *arg)
{
	void (*flip)(bool evil) = *(void (**)(bool))arg;
	unsigned i = 0;

	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		flip(i++ & 1);
		for (volatile unsigned wait = 0; wait < (i * 37) % 400; wait++)
			;
	}
	return NULL;
}

/* ---- the calls */

static void count_inet_peer(int fd)
{
	struct sockaddr_in peer;
	socklen_t len = sizeof(peer);

	if (getpeername(fd, (struct sockaddr *)&peer, &len) < 0)
		failed++;
	else if (ntohs(peer.sin_port) == denied_port)
		reached_evil++;
	else
		reached_good++;
}

static void round_connect(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = socket_of(AF_INET, SOCK_DGRAM);
	if (connect(fd, (struct sockaddr *)&shared.name, sizeof(shared.name.in)) < 0)
		failed++;
	else
		count_inet_peer(fd);
}

/* Only UDP is denied there: the socket is judged and another one is there when it is used. */
static void round_fd(void)
{
	struct sockaddr_in to = inet_to(denied_port), peer;
	struct sockaddr_in none = {.sin_family = AF_UNSPEC};
	socklen_t len = sizeof(peer);
	int r = connect(shared.fd, (struct sockaddr *)&to, sizeof(to));

	if (getpeername(shared.udp, (struct sockaddr *)&peer, &len) == 0) {
		reached_evil++;
		(void)connect(shared.udp, (struct sockaddr *)&none, sizeof(none));
	} else if (r < 0 && errno == EACCES) {
		failed++;
	} else {
		reached_good++;
	}
}

static int good_fd, evil_fd, sender;

static void count_arrivals(ssize_t r)
{
	long evil = drain(evil_fd), good = drain(good_fd);

	reached_evil += evil;
	reached_good += good;
	failed += r < 0;
}

static void round_sendto(void)
{
	count_arrivals(sendto(sender, "x", 1, 0, (struct sockaddr *)&shared.name,
			      shared.name.in.sin_family == AF_INET ? sizeof(shared.name.in)
								   : sizeof(shared.name.un)));
}

static void round_sendmsg(void)
{
	count_arrivals(sendmsg(sender, &shared.message, 0));
}

static void round_sendmmsg(void)
{
	count_arrivals(sendmmsg(sender, shared.batch, 2, 0));
}

static void count_unix_peer(int fd)
{
	struct sockaddr_un peer = {.sun_family = 0};
	socklen_t len = sizeof(peer);

	if (getpeername(fd, (struct sockaddr *)&peer, &len) < 0)
		failed++;
	else if (strstr(peer.sun_path, "/evil/"))
		reached_evil++;
	else
		reached_good++;
}

static void round_unix(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = socket_of(AF_UNIX, SOCK_DGRAM);
	if (connect(fd, (struct sockaddr *)&shared.name, sizeof(shared.name.un)) < 0)
		failed++;
	else
		count_unix_peer(fd);
}

static void round_bind(void)
{
	char good[160], evil[160];
	int fd = socket_of(AF_UNIX, SOCK_DGRAM);
	int r = bind(fd, (struct sockaddr *)&shared.name, sizeof(shared.name.un));

	snprintf(good, sizeof(good), "%s/good/b", dir);
	snprintf(evil, sizeof(evil), "%s/evil/b", dir);
	if (access(evil, F_OK) == 0) {
		reached_evil++;
		(void)rename(evil, good); /* what is in evil cannot be removed there */
	} else if (access(good, F_OK) == 0) {
		reached_good++;
	} else if (r < 0) {
		failed++;
	}
	(void)unlink(good);
	close(fd);
}

/* ---- setting up */

static void prepare_inet(void)
{
	good_fd = inet_receiver(allowed_port);
	evil_fd = inet_receiver(denied_port);
	sender = socket_of(AF_INET, SOCK_DGRAM);
	shared.name.in = inet_to(allowed_port);
}

static void prepare_messages(void)
{
	prepare_inet();
	shared.iov = (struct iovec){.iov_base = "x", .iov_len = 1};
	shared.message = (struct msghdr){
		.msg_namelen = sizeof(shared.name.in), .msg_iov = &shared.iov, .msg_iovlen = 1};
	for (int i = 0; i < 2; i++) {
		shared.batch[i].msg_hdr = shared.message;
		shared.batch[i].msg_hdr.msg_name = &shared.name;
	}
}

/* Connected to the allowed place; the name that comes and goes is the denied one. */
static void prepare_nameless(void)
{
	prepare_messages();
	if (connect(sender, (struct sockaddr *)&shared.name, sizeof(shared.name.in)) < 0)
		die("connect");
	shared.name.in = inet_to(denied_port);
}

static void prepare_fd(void)
{
	shared.tcp = socket_of(AF_INET, SOCK_STREAM);
	shared.udp = socket_of(AF_INET, SOCK_DGRAM);
	shared.fd = dup(shared.tcp);
}

static int unix_receiver(const char *where)
{
	struct sockaddr_un a = unix_to(where);
	int fd = socket_of(AF_UNIX, SOCK_DGRAM);

	unlink(a.sun_path);
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		die(a.sun_path);
	return fd;
}

static void prepare_unix(void)
{
	good_fd = unix_receiver("good");
	evil_fd = unix_receiver("evil");
	sender = socket_of(AF_UNIX, SOCK_DGRAM);
	shared.name.un = unix_to("good");
}

static void prepare_link(void)
{
	prepare_unix();
	snprintf(shared.link, sizeof(shared.link), "%s/link", dir);
	snprintf(shared.other, sizeof(shared.other), "%s/link.new", dir);
	flip_link(false);
	shared.name.un = unix_to("link");
}

static void prepare_bind(void)
{
	shared.name.un = unix_to("good");
	shared.name.un.sun_path[strlen(shared.name.un.sun_path) - 1] = 'b';
}

static void prepare_bind_link(void)
{
	snprintf(shared.link, sizeof(shared.link), "%s/link", dir);
	snprintf(shared.other, sizeof(shared.other), "%s/link.new", dir);
	flip_link(false);
	shared.name.un = unix_to("link");
	shared.name.un.sun_path[strlen(shared.name.un.sun_path) - 1] = 'b';
}

static const struct mode {
	const char *name;
	void (*prepare)(void);
	void (*flip)(bool evil);
	void (*round)(void);
} modes[] = {
	{"connect-address", prepare_inet, flip_port, round_connect},
	{"connect-fd", prepare_fd, flip_fd, round_fd},
	{"sendto-address", prepare_inet, flip_port, round_sendto},
	{"sendmsg-name", prepare_nameless, flip_name, round_sendmsg},
	{"sendmmsg-name", prepare_messages, flip_batch, round_sendmmsg},
	{"unix-path", prepare_unix, flip_path, round_unix},
	{"unix-link", prepare_link, flip_link, round_unix},
	{"unix-sendto", prepare_unix, flip_path, round_sendto},
	{"bind-path", prepare_bind, flip_path, round_bind},
	{"bind-link", prepare_bind_link, flip_link, round_bind},
};

static void run(const struct mode *m, long rounds)
{
	pthread_t thread;

	m->prepare();
	if (pthread_create(&thread, NULL, flipper, (void *)&m->flip) != 0)
		die("pthread_create");
	/* On a busy machine the flipper may stay on one side meanwhile: then it goes on for longer.
	 */
	for (long i = 0; i < rounds || (!reached_good && i < rounds * 50); i++)
		m->round();
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	printf("good=%ld evil=%ld failed=%ld\n", reached_good, reached_evil, failed);
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	dir = argv[3];
	if (argc > 5) {
		allowed_port = atoi(argv[4]);
		denied_port = atoi(argv[5]);
	}
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(modes[i].name, argv[1]) == 0) {
			run(&modes[i], atol(argv[2]));
			return 0;
		}
	return 2;
}
