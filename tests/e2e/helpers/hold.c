/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs whose opens are held:
 *   hold two PATH       a thread opens PATH; meanwhile the other works, and prints "working on"
 *   hold many N DIR     N threads open DIR/0 .. DIR/N-1; prints how many got what
 *   hold handler PATH   with a SIGINT handler without SA_RESTART
 *   hold restart PATH   the same with SA_RESTART
 *   hold swap open GO A B     opens A; its other thread makes the argument B when the file GO is
 *   hold swap exec GO A B     there, and then removes GO. exec: echo A. connect: A and B are ports
 *   hold swap connect GO A B  of 127.0.0.1
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t interrupts;

static void on_signal(int number)
{
	(void)number;
	interrupts++;
}

static const char *try_open(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return strerrorname_np(errno);
	close(fd);
	return "OK";
}

static void *open_thread(void *arg)
{
	return (void *)try_open(arg);
}

static int two(char **args)
{
	pthread_t t;
	void *got;

	if (pthread_create(&t, NULL, open_thread, args[0]) != 0)
		return 2;
	for (int i = 0; i < 200; i++) {
		const char *r = try_open("/dev/null");

		if (strcmp(r, "OK") != 0)
			return 2;
	}
	puts("working on");
	fflush(stdout);
	pthread_join(t, &got);
	printf("held open: %s\n", (const char *)got);
	return 0;
}

static int many(char **args)
{
	int n = atoi(args[0]), ok = 0, denied = 0, other = 0;
	pthread_t *threads = calloc((size_t)n, sizeof(*threads));
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 * 1024);
	for (int i = 0; i < n; i++) {
		char *path;

		if (asprintf(&path, "%s/%d", args[1], i) < 0 ||
		    pthread_create(&threads[i], &attr, open_thread, path) != 0)
			return 2;
	}
	for (int i = 0; i < n; i++) {
		void *got;

		pthread_join(threads[i], &got);
		if (strcmp(got, "OK") == 0)
			ok++;
		else if (strcmp(got, "EACCES") == 0)
			denied++;
		else
			other++;
	}
	printf("ok %d denied %d other %d\n", ok, denied, other);
	return 0;
}

static int interrupted(char **args, int flags)
{
	struct sigaction sa = {.sa_handler = on_signal, .sa_flags = flags};

	sigaction(SIGINT, &sa, NULL);
	puts("ready");
	fflush(stdout);
	printf("open: %s\n", try_open(args[0]));
	printf("interrupts: %d\n", (int)interrupts);
	return 0;
}

static struct swap {
	char argument[4096];
	struct sockaddr_in address;
	char **args; /* GO A B */
} swap;

static void *swap_thread(void *unused)
{
	while (access(swap.args[0], F_OK) < 0)
		usleep(1000);
	strcpy(swap.argument, swap.args[2]);
	swap.address.sin_port = htons((uint16_t)atoi(swap.args[2]));
	unlink(swap.args[0]);
	for (;;)
		pause();
	return unused;
}

static int swapped(char **args)
{
	char *argv[] = {"echo", swap.argument, NULL};
	pthread_t t;
	int fd;

	swap.args = args + 1;
	strcpy(swap.argument, args[2]);
	swap.address = (struct sockaddr_in){.sin_family = AF_INET,
					    .sin_port = htons((uint16_t)atoi(args[2])),
					    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (pthread_create(&t, NULL, swap_thread, NULL) != 0)
		return 2;
	if (strcmp(args[0], "open") == 0) {
		printf("%s\n", try_open(swap.argument));
		return 0;
	}
	if (strcmp(args[0], "exec") == 0) {
		execv("/bin/echo", argv);
		printf("%s\n", strerrorname_np(errno));
		return 0;
	}
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(fd, (struct sockaddr *)&swap.address, sizeof(swap.address)) == 0)
		puts("OK");
	else
		puts(strerrorname_np(errno));
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "two") == 0)
		return two(argv + 2);
	if (argc == 4 && strcmp(argv[1], "many") == 0)
		return many(argv + 2);
	if (argc == 3 && strcmp(argv[1], "handler") == 0)
		return interrupted(argv + 2, 0);
	if (argc == 3 && strcmp(argv[1], "restart") == 0)
		return interrupted(argv + 2, SA_RESTART);
	if (argc == 6 && strcmp(argv[1], "swap") == 0)
		return swapped(argv + 2);
	return 2;
}
