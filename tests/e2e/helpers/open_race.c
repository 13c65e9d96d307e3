/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Races against the check of an open: while this opens one place again and again, somebody else
 * changes what the place means. A win is an open that gave the forbidden file, told by its content.
 *
 *   open_race WAY ROUNDS ALLOWED FORBIDDEN
 *
 * ALLOWED and FORBIDDEN are directories, each with a file "f"; the content of the forbidden one
 * begins with an 'F'. Prints "wins=N opened=N refused=N", exit status 1 if there was a win.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct shared {
	char path[PATH_MAX];
	struct open_how how;
	atomic_bool is_over;
};

static struct shared *shared;
static char good[PATH_MAX], bad[PATH_MAX]; /* the two files */
static char place[PATH_MAX + 16];          /* what is opened where it is not the buffer */
static char work[PATH_MAX - 8];            /* a directory of the attacker's own, allowed */

static void must(int r, const char *what)
{
	if (r < 0) {
		perror(what);
		exit(2);
	}
}

/* Each flips once to the bad side and once back. Errors are the race's own and do not matter. */

static void flip_buffer(void)
{
	memcpy(shared->path, bad, strlen(bad) + 1);
	memcpy(shared->path, good, strlen(good) + 1);
}

static void flip_how(void)
{
	shared->how.flags = O_PATH;
	memcpy(shared->path, bad, strlen(bad) + 1);
	shared->how.flags = O_RDONLY;
	memcpy(shared->path, good, strlen(good) + 1);
}

static void flip_link_to(const char *from, const char *to)
{
	char fresh[PATH_MAX + 64];

	(void)snprintf(fresh, sizeof(fresh), "%s.new", to);
	(void)symlink(from, fresh);
	(void)rename(fresh, to);
}

static void flip_symlink(void)
{
	flip_link_to(bad, place);
	flip_link_to(good, place);
}

static void flip_file_and_link(void)
{
	char plain[PATH_MAX + 64];

	flip_link_to(bad, place);
	(void)snprintf(plain, sizeof(plain), "%s.plain", place);
	(void)close(open(plain, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	(void)rename(plain, place);
}

/* work/d is now a directory of ours, now a link to the forbidden one. */
static void flip_directory(void)
{
	char d[PATH_MAX + 64], real[PATH_MAX + 64], link[PATH_MAX + 64];

	(void)snprintf(d, sizeof(d), "%s/d", work);
	(void)snprintf(real, sizeof(real), "%s/real", work);
	(void)snprintf(link, sizeof(link), "%s/link", work);
	(void)rename(d, real);
	(void)rename(link, d);
	(void)rename(d, link);
	(void)rename(real, d);
}

static void flip_exchange(void)
{
	char d[PATH_MAX + 64], link[PATH_MAX + 64];

	(void)snprintf(d, sizeof(d), "%s/d", work);
	(void)snprintf(link, sizeof(link), "%s/link", work);
	(void)renameat2(AT_FDCWD, d, AT_FDCWD, link, RENAME_EXCHANGE);
	(void)renameat2(AT_FDCWD, d, AT_FDCWD, link, RENAME_EXCHANGE);
}

/* A hard link to the forbidden file takes the place of ours: to make one is itself refused. */
static void flip_hard_link(void)
{
	char fresh[PATH_MAX + 64];

	(void)snprintf(fresh, sizeof(fresh), "%s.hard", place);
	(void)link(bad, fresh);
	(void)rename(fresh, place);
	(void)close(open(place, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	(void)unlink(place);
}

static void prepare_directory(const char *forbidden)
{
	char name[PATH_MAX + 64];

	(void)snprintf(name, sizeof(name), "%s/d", work);
	must(mkdir(name, 0700), name);
	(void)snprintf(place, sizeof(place), "%s/d/f", work);
	must(link(good, place), place);
	(void)snprintf(name, sizeof(name), "%s/link", work);
	must(symlink(forbidden, name), name);
}

static const struct {
	const char *name;
	void (*flip)(void);
	bool has_directory, is_thread, is_openat2;
	bool is_refused; /* the bad side is met often enough to count on */
	int flags;
} ways[] = {
	{"buffer", flip_buffer, false, true, false, true, O_RDONLY},
	{"how", flip_how, false, true, true, false, O_RDONLY},
	{"symlink", flip_symlink, false, false, false, true, O_RDONLY},
	{"file-and-link", flip_file_and_link, false, false, false, false, O_RDWR},
	{"create-and-link", flip_file_and_link, false, false, false, false, O_RDWR | O_CREAT},
	{"directory", flip_directory, true, false, false, false, O_RDONLY},
	{"exchange", flip_exchange, true, false, false, true, O_RDONLY},
	{"hard-link", flip_hard_link, false, false, false, false, O_RDONLY},
};

static void *flip_on(void *arg)
{
	void (*flip)(void) = *(void (**)(void))arg;

	while (!atomic_load_explicit(&shared->is_over, memory_order_relaxed))
		flip();
	return NULL;
}

static int open_once(size_t way)
{
	if (ways[way].is_openat2)
		return (int)syscall(SYS_openat2, AT_FDCWD, shared->path, &shared->how,
				    sizeof(shared->how));
	return open(ways[way].is_thread ? shared->path : place, ways[way].flags | O_CLOEXEC, 0600);
}

static bool is_one_sided(size_t way, long opened, long refused)
{
	return opened == 0 || (ways[way].is_refused && refused == 0);
}

static int attack(size_t way, long rounds)
{
	long wins = 0, opened = 0, refused = 0;
	char first;

	/* On a busy machine the flipper may get no CPU meanwhile: then it goes on for longer. */
	for (long i = 0; i < rounds || (is_one_sided(way, opened, refused) && i < rounds * 50);
	     i++) {
		int fd = open_once(way);

		if (fd < 0) {
			refused += errno == EACCES;
			continue;
		}
		opened++;
		wins += pread(fd, &first, 1, 0) == 1 && first == 'F';
		(void)close(fd);
	}
	atomic_store(&shared->is_over, true);
	printf("wins=%ld opened=%ld refused=%ld\n", wins, opened, refused);
	return wins ? 1 : 0;
}

int main(int argc, char *argv[])
{
	size_t way = 0;
	void (*flip)(void);
	pthread_t thread;
	pid_t child = -1;
	int r;

	while (argc == 5 && way < sizeof(ways) / sizeof(ways[0]) && strcmp(ways[way].name, argv[1]))
		way++;
	if (argc != 5 || way == sizeof(ways) / sizeof(ways[0]))
		return 2;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		return 2;
	(void)snprintf(good, sizeof(good), "%s/f", argv[3]);
	(void)snprintf(bad, sizeof(bad), "%s/f", argv[4]);
	(void)snprintf(work, sizeof(work), "%s/work-XXXXXX", argv[3]);
	if (!mkdtemp(work))
		return 2;
	(void)snprintf(place, sizeof(place), "%s/place", work);
	if (ways[way].has_directory)
		prepare_directory(argv[4]);
	memcpy(shared->path, good, strlen(good) + 1);
	flip = ways[way].flip;
	if (ways[way].is_thread) {
		if (pthread_create(&thread, NULL, flip_on, &flip) != 0)
			return 2;
	} else {
		child = fork();
		must(child, "fork");
		if (child == 0) {
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
			(void)flip_on(&flip);
			_exit(0);
		}
	}
	r = attack(way, strtol(argv[2], NULL, 10));
	if (child > 0)
		(void)waitpid(child, NULL, 0);
	else
		(void)pthread_join(thread, NULL);
	return r;
}
