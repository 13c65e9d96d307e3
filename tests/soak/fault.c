/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LD_PRELOAD: faults that a machine cannot be made to have without harm.
 *   FAULT_WRITE=SIZE:ERRNO@FILE  write(2) to FILE fails once FILE has so many bytes
 *   FAULT_SYNC=SIZE:ERRNO@FILE   fdatasync(2) likewise
 *   FAULT_CLOCK=SECONDS          CLOCK_REALTIME jumps by up to so much to and fro, each time it is
 * read
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Return: the errno to fail with, 0. */
static int is_due(const char *name, int fd)
{
	const char *fault = getenv(name);
	struct stat a, b;
	char path[4096];
	int size, error;

	if (!fault || sscanf(fault, "%d:%d@%4095s", &size, &error, path) != 3)
		return 0;
	if (fstat(fd, &a) < 0 || stat(path, &b) < 0 || a.st_ino != b.st_ino || a.st_dev != b.st_dev)
		return 0;
	return a.st_size >= size ? error : 0;
}

ssize_t write(int fd, const void *p, size_t len)
{
	int error = is_due("FAULT_WRITE", fd);

	if (error) {
		errno = error;
		return -1;
	}
	return syscall(SYS_write, fd, p, len);
}

int fdatasync(int fd)
{
	int error = is_due("FAULT_SYNC", fd);

	if (error) {
		errno = error;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

int clock_gettime(clockid_t clock, struct timespec *ret)
{
	static atomic_uint turn;
	const char *fault = getenv("FAULT_CLOCK");
	int r = (int)syscall(SYS_clock_gettime, clock, ret);

	if (r == 0 && fault && clock == CLOCK_REALTIME) {
		unsigned n = atomic_fetch_add(&turn, 1);
		int seconds = 0;

		(void)sscanf(fault, "%d", &seconds);
		seconds = seconds / 6 * (int)(n % 7);
		ret->tv_sec += n % 2 ? seconds : -seconds;
	}
	return r;
}
