/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs whose opens are held:
 *   hold two PATH       a thread opens PATH; meanwhile the other works, and prints "working on"
 *   hold many N DIR     N threads open DIR/0 .. DIR/N-1; prints how many got what
 *   hold handler PATH   with a SIGINT handler without SA_RESTART
 *   hold restart PATH   the same with SA_RESTART
 */
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
	return 2;
}
