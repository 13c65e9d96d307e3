/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent whose calls tools/bench counts and times: opens of one file, made in as many ways as
 * there are curves. It prints one line of JSON. It uses nothing of Holdfast's own code.
 *
 *   bench-load open N PATH            N opens, each timed
 *   bench-load threads T N PATH       T threads share N opens
 *   bench-load processes P N PATH     P processes that live at the same time, N opens each
 *   bench-load held H N PATH DIR      opens of DIR/0, DIR/1, ... by H threads, which wait; when a
 * byte comes on standard input, N timed opens of PATH; then it waits for the threads
 *   bench-load loops N PATH PROGRAM   for each byte on standard input: what an open of PATH, a fork
 * with the child's end, and such a child that executes PROGRAM take, N times each
 */
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S    1000000000ULL
#define NUMBER_MAX  ((size_t)10000000)
#define THREADS_MAX ((size_t)10000)
#define STACK_BYTES ((size_t)64 * 1024)

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	if (clock_gettime(CLOCK_MONOTONIC, &t) < 0)
		die("clock_gettime");
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static size_t number(const char *s, size_t max)
{
	size_t n = 0;

	for (const char *p = s; *p >= '0' && *p <= '9' && n <= max; p++)
		n = 10 * n + (size_t)(*p - '0');
	if (n < 1 || n > max) {
		(void)fprintf(stderr, "bench-load: '%s' is no number from 1 to %zu\n", s, max);
		exit(2);
	}
	return n;
}

static void open_once(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		die(path);
	(void)close(fd);
}

static int compare(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* The first tenth fills caches and is not in the figures. */
static void time_opens(size_t n, const char *path)
{
	const size_t skipped = n / 10;
	uint64_t *took = calloc(n, sizeof(*took));
	uint64_t begin = 0, end;

	if (!took)
		die("calloc");
	for (size_t i = 0; i < n; i++) {
		uint64_t start = now_ns();

		if (i == skipped)
			begin = start;
		open_once(path);
		took[i] = now_ns() - start;
	}
	end = now_ns();
	n -= skipped;
	qsort(took + skipped, n, sizeof(*took), compare);
	(void)printf("{\"n\": %zu, \"mean_ns\": %" PRIu64 ", \"p50_ns\": %" PRIu64
		     ", \"p99_ns\": %" PRIu64 "}\n",
		     n, (end - begin) / n, took[skipped + n / 2], took[skipped + n * 99 / 100]);
	(void)fflush(stdout);
	free(took);
}

struct task {
	const char *path;
	size_t n;
	pthread_barrier_t *start;
};

static void *open_many(void *arg)
{
	const struct task *t = arg;

	(void)pthread_barrier_wait(t->start);
	for (size_t i = 0; i < t->n; i++)
		open_once(t->path);
	return NULL;
}

static void start_thread(pthread_t *ret, void *(*run)(void *), void *arg)
{
	pthread_attr_t attr;

	if (pthread_attr_init(&attr) || pthread_attr_setstacksize(&attr, STACK_BYTES) ||
	    pthread_create(ret, &attr, run, arg))
		die("pthread_create");
	(void)pthread_attr_destroy(&attr);
}

static void run_threads(size_t count, size_t n, const char *path)
{
	pthread_t *threads = calloc(count, sizeof(*threads));
	pthread_barrier_t barrier;
	struct task task = {.path = path, .n = n / count, .start = &barrier};
	uint64_t start;

	if (!threads || pthread_barrier_init(&barrier, NULL, (unsigned)count + 1))
		die("pthread_barrier_init");
	for (size_t i = 0; i < count; i++)
		start_thread(&threads[i], open_many, &task);
	(void)pthread_barrier_wait(&barrier);
	start = now_ns();
	for (size_t i = 0; i < count; i++)
		(void)pthread_join(threads[i], NULL);
	(void)printf("{\"n\": %zu, \"seconds\": %.6f}\n", task.n * count,
		     (double)(now_ns() - start) / (double)NS_PER_S);
	free(threads);
}

/* All live until the last has made its opens: the pipe's end says so. */
static void run_processes(size_t count, size_t n, const char *path)
{
	uint64_t start = now_ns();
	int begin[2], done[2];
	char byte = 0;
	int status;

	if (pipe2(begin, O_CLOEXEC) < 0 || pipe2(done, O_CLOEXEC) < 0)
		die("pipe2");
	for (size_t i = 0; i < count; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (pid > 0)
			continue;
		(void)close(begin[1]);
		for (size_t j = 0; j < n; j++)
			open_once(path);
		if (write(done[1], "", 1) != 1)
			_exit(1);
		_exit(read(begin[0], &byte, 1) != 0);
	}
	for (size_t i = 0; i < count; i++)
		if (read(done[0], &byte, 1) != 1)
			die("read");
	(void)printf("{\"n\": %zu, \"seconds\": %.6f}\n", n * count,
		     (double)(now_ns() - start) / (double)NS_PER_S);
	(void)fflush(stdout);
	/* Somebody may want to look at us while all are alive. */
	(void)!read(STDIN_FILENO, &byte, 1);
	(void)close(begin[1]);
	while (wait(&status) > 0)
		if (status)
			exit(1);
}

struct waiter {
	pthread_t thread;
	char path[512];
};

static void *open_held(void *arg)
{
	const struct waiter *w = arg;

	open_once(w->path);
	return NULL;
}

static void run_held(size_t count, size_t n, const char *path, const char *dir)
{
	struct waiter *waiters = calloc(count, sizeof(*waiters));
	char byte;

	if (!waiters)
		die("calloc");
	for (size_t i = 0; i < count; i++) {
		(void)snprintf(waiters[i].path, sizeof(waiters[i].path), "%s/%zu", dir, i);
		start_thread(&waiters[i].thread, open_held, &waiters[i]);
	}
	if (read(STDIN_FILENO, &byte, 1) != 1)
		die("read");
	time_opens(n, path);
	for (size_t i = 0; i < count; i++)
		(void)pthread_join(waiters[i].thread, NULL);
	free(waiters);
}

#define OPENS_AT_ONCE 100

static void open_some(const char *path)
{
	for (int i = 0; i < OPENS_AT_ONCE; i++)
		open_once(path);
}

static void wait_for(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) < 0 || status)
		die("fork");
}

static void fork_once(const char *program)
{
	pid_t pid = fork();

	(void)program;
	if (pid == 0)
		_exit(0);
	wait_for(pid);
}

static void execute_once(const char *program)
{
	pid_t pid = fork();

	if (pid == 0) {
		(void)execl(program, program, (char *)NULL);
		_exit(1);
	}
	wait_for(pid);
}

/* The tenth of @n that are faster than the others say what it takes when nobody interferes. */
static uint64_t time_loop(void (*fn)(const char *arg), const char *arg, size_t n, uint64_t *took)
{
	for (size_t i = 0; i < n; i++) {
		const uint64_t start = now_ns();

		fn(arg);
		took[i] = now_ns() - start;
	}
	qsort(took, n, sizeof(*took), compare);
	return took[n / 10];
}

static void run_loops(size_t n, const char *path, const char *program)
{
	uint64_t *took = calloc(n, sizeof(*took));
	uint64_t opens, forks, execs;
	char byte;

	if (!took)
		die("calloc");
	while (read(STDIN_FILENO, &byte, 1) == 1) {
		opens = time_loop(open_some, path, n, took) / OPENS_AT_ONCE;
		forks = time_loop(fork_once, path, n, took);
		execs = time_loop(execute_once, program, n, took);
		(void)printf("{\"open\": %" PRIu64 ", \"fork\": %" PRIu64 ", \"exec\": %" PRIu64
			     "}\n",
			     opens, forks, execs);
		(void)fflush(stdout);
	}
	free(took);
}

int main(int argc, char *argv[])
{
	const char *what = argc > 1 ? argv[1] : "";

	if (argc == 4 && strcmp(what, "open") == 0)
		time_opens(number(argv[2], NUMBER_MAX), argv[3]);
	else if (argc == 5 && strcmp(what, "threads") == 0)
		run_threads(number(argv[2], THREADS_MAX), number(argv[3], NUMBER_MAX), argv[4]);
	else if (argc == 5 && strcmp(what, "processes") == 0)
		run_processes(number(argv[2], THREADS_MAX), number(argv[3], NUMBER_MAX), argv[4]);
	else if (argc == 6 && strcmp(what, "held") == 0)
		run_held(number(argv[2], THREADS_MAX), number(argv[3], NUMBER_MAX), argv[4],
			 argv[5]);
	else if (argc == 5 && strcmp(what, "loops") == 0)
		run_loops(number(argv[2], NUMBER_MAX), argv[3], argv[4]);
	else
		return 2;
	return 0;
}
