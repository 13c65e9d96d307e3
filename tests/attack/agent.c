/* SPDX-License-Identifier: Apache-2.0 */
/* What attacks have in common. Runs in the agent, but for in(). */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/io.h"

#include "tests/attack/attack.h"

#define IN_BUFFERS     16
#define ROUNDS_DEFAULT 300

const char *in(const struct world *w, const char *fmt, ...)
{
	static char buffers[IN_BUFFERS][4096];
	static unsigned int next;
	char *out = buffers[next++ % IN_BUFFERS];
	int len = snprintf(out, sizeof(buffers[0]), "%s/", w->top);
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(out + len, sizeof(buffers[0]) - (size_t)len, fmt, ap);
	va_end(ap);
	return out;
}

int attack_cannot(const char *fmt, ...)
{
	va_list ap;

	(void)printf("CANNOT ");
	va_start(ap, fmt);
	(void)vprintf(fmt, ap);
	va_end(ap);
	(void)printf("\n");
	(void)fflush(stdout);
	return ATTACK_CANNOT;
}

int outcome(long r)
{
	return r < 0 ? -errno : 0;
}

int print_fd(int fd)
{
	char buf[4096];
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, buf, sizeof(buf));
	if (n >= 0)
		n = write(STDOUT_FILENO, buf, (size_t)n);
	if (n < 0)
		n = -errno;
	(void)close(fd);
	return n < 0 ? (int)n : 0;
}

int scribble_fd(int fd)
{
	int r;

	if (fd < 0)
		return -errno;
	r = io_write_all(fd, "attacked\n", 9);
	(void)close(fd);
	return r;
}

int in_child(int (*f)(const struct world *w), const struct world *w)
{
	int status;
	pid_t pid;

	(void)fflush(stdout);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		int r = f(w);

		(void)fflush(stdout);
		_exit(r == ATTACK_CANNOT ? 200 : -r);
	}
	if (waitpid(pid, &status, 0) < 0)
		return -errno;
	if (WIFSIGNALED(status))
		return -EINTR;
	return WEXITSTATUS(status) == 200 ? ATTACK_CANNOT : -WEXITSTATUS(status);
}

int run_program(const char *const argv[])
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		(void)execv(argv[0], (char *const *)(uintptr_t)argv);
		_exit(errno);
	}
	if (waitpid(pid, &status, 0) < 0)
		return -errno;
	if (!WIFEXITED(status))
		return -ECANCELED;
	return -WEXITSTATUS(status);
}

static void flip_until_over(struct flipper *f)
{
	while (!__atomic_load_n(&f->is_over, __ATOMIC_RELAXED))
		f->flip(f->arg);
}

static void *flipper_main(void *arg)
{
	flip_until_over(arg);
	return NULL;
}

int flipper_start_thread(struct flipper *f)
{
	pthread_t thread;
	int r = pthread_create(&thread, NULL, flipper_main, f);

	f->thread = thread;
	return -r;
}

int flipper_start_process(struct flipper *f)
{
	f->process = fork();
	if (f->process < 0)
		return -errno;
	if (f->process == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		flip_until_over(f);
		_exit(0);
	}
	return 0;
}

void flipper_stop(struct flipper *f)
{
	__atomic_store_n(&f->is_over, true, __ATOMIC_RELAXED);
	if (f->process > 0) {
		/* Its own is_over is in its own memory. */
		(void)kill(f->process, SIGKILL);
		(void)waitpid(f->process, NULL, 0);
		f->process = 0;
	} else if (f->thread) {
		(void)pthread_join(f->thread, NULL);
		f->thread = 0;
	}
}

unsigned int race_rounds(void)
{
	const char *text = getenv("ATTACK_ROUNDS");
	uint64_t n;

	if (!text || parse_u64(bytes_of(text), 100000000, &n) < 0)
		return ROUNDS_DEFAULT;
	return (unsigned int)n;
}
