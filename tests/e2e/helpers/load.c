/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs that keep a supervisor busy:
 *   load threads N FILE...   N threads read every FILE; prints the sum of their bytes
 *   load spawn N COMMAND     N processes of COMMAND, one after the other; prints how many succeeded
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static char **files;

static void *read_files(void *arg)
{
	unsigned long *sum = arg;

	for (char **f = files; *f; f++) {
		int fd = open(*f, O_RDONLY | O_CLOEXEC);
		unsigned char buf[4096];
		ssize_t n;

		if (fd < 0)
			return NULL;
		while ((n = read(fd, buf, sizeof(buf))) > 0)
			for (ssize_t i = 0; i < n; i++)
				*sum += buf[i];
		close(fd);
	}
	return NULL;
}

static int threads(int n)
{
	pthread_t *t = calloc((size_t)n, sizeof(*t));
	unsigned long *sums = calloc((size_t)n, sizeof(*sums)), total = 0;

	for (int i = 0; i < n; i++)
		if (pthread_create(&t[i], NULL, read_files, &sums[i]) != 0)
			return 2;
	for (int i = 0; i < n; i++) {
		pthread_join(t[i], NULL);
		total += sums[i];
	}
	printf("%d threads, sum %lu\n", n, total);
	return 0;
}

static int spawn(int n, char **command)
{
	int ok = 0;

	for (int i = 0; i < n; i++) {
		int status;
		pid_t pid;

		if (posix_spawnp(&pid, command[0], NULL, NULL, command, environ) != 0)
			continue;
		if (waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
		    WEXITSTATUS(status) == 0)
			ok++;
	}
	printf("%d of %d\n", ok, n);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	files = argv + 3;
	if (strcmp(argv[1], "threads") == 0)
		return threads(atoi(argv[2]));
	return spawn(atoi(argv[2]), argv + 3);
}
