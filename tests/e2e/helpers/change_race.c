/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Races against the check of a change: while this changes one place again and again, somebody else
 * changes what the place means. A win is anything that happens to the forbidden directory or the
 * file in it, told by their ctime, which no call can set back.
 *
 *	change_race WAY ROUNDS ALLOWED FORBIDDEN
 *
 * Both are directories with a file "f". FORBIDDEN has besides what ALLOWED lacks (a file "victim",
 *a directory "vd"), ALLOWED has "fresh": so that a call fails where it may be made, and leaves the
 * place as it was for the next round, and has an effect where it may not. Prints "wins=N denied=N
 * other=N", exit status 1 if there was a win.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define FILE_NUMBER   100 /* descriptors over which others are put */
#define DIR_NUMBER    101
#define NAME_SIZE     (PATH_MAX / 4)

/* What is changed, relative to dirfd. */
struct names {
	char victim[NAME_SIZE], victim_dir[NAME_SIZE], fresh[NAME_SIZE], file[NAME_SIZE];
};

static struct names *names, good, bad; /* the first is shared with whoever flips */
static atomic_bool *is_over;
static int dirfd = AT_FDCWD;
static char work[NAME_SIZE / 2], source[NAME_SIZE], spare[NAME_SIZE]; /* the attacker's own */
static int good_fds[2], bad_fds[2];

static void must(int r, const char *what)
{
	if (r < 0) {
		perror(what);
		exit(2);
	}
}

static void set_names(struct names *n, const char *dir)
{
	snprintf(n->victim, NAME_SIZE, "%s/victim", dir);
	snprintf(n->victim_dir, NAME_SIZE, "%s/vd", dir);
	snprintf(n->fresh, NAME_SIZE, "%s/fresh", dir);
	snprintf(n->file, NAME_SIZE, "%s/f", dir);
}

/* ---- what is tried */

static int do_unlink(void)
{
	return unlinkat(dirfd, names->victim, 0);
}

static int do_rmdir(void)
{
	return unlinkat(dirfd, names->victim_dir, AT_REMOVEDIR);
}

static int do_rename(void)
{
	return renameat(dirfd, names->victim, AT_FDCWD, spare);
}

static int do_rename_to(void)
{
	return renameat2(AT_FDCWD, source, dirfd, names->fresh, RENAME_NOREPLACE);
}

static int do_exchange(void)
{
	return renameat2(dirfd, names->victim, AT_FDCWD, source, RENAME_EXCHANGE);
}

static int do_link(void)
{
	(void)unlink(spare);
	return linkat(dirfd, names->file, AT_FDCWD, spare, 0);
}

static int do_link_to(void)
{
	return linkat(AT_FDCWD, source, dirfd, names->fresh, 0);
}

static int do_mkdir(void)
{
	return mkdirat(dirfd, names->fresh, 0700);
}

static int do_mknod(void)
{
	return mknodat(dirfd, names->fresh, S_IFIFO | 0600, 0);
}

static int do_symlink(void)
{
	return symlinkat("text", dirfd, names->fresh);
}

static int do_chmod(void)
{
	return fchmodat(dirfd, names->file, 0640, 0);
}

static int do_chown(void)
{
	return fchownat(dirfd, names->file, getuid(), getgid(), 0);
}

static int do_times(void)
{
	return utimensat(dirfd, names->file, NULL, 0);
}

static int do_setxattr(void)
{
	return setxattr(names->file, "user.k", "v", 1, 0);
}

static int do_truncate(void)
{
	return truncate(names->file, 3);
}

static int do_fchmod(void)
{
	return fchmod(FILE_NUMBER, 0640);
}

static int do_fchown(void)
{
	return fchown(FILE_NUMBER, getuid(), getgid());
}

static int do_futimens(void)
{
	return futimens(FILE_NUMBER, NULL);
}

static int do_fsetxattr(void)
{
	return fsetxattr(FILE_NUMBER, "user.k", "v", 1, 0);
}

static int (*const by_path[])(void) = {
	do_unlink, do_rmdir,   do_rename, do_rename_to, do_exchange,
	do_link,   do_link_to, do_mkdir,  do_mknod,     do_symlink,
	do_chmod,  do_chown,   do_times,  do_setxattr,  do_truncate,
};
static int (*const by_fd[])(void) = {
	do_unlink,  do_rmdir,  do_rename, do_rename_to, do_exchange,  do_link,
	do_link_to, do_mkdir,  do_mknod,  do_symlink,   do_chmod,     do_chown,
	do_times,   do_fchmod, do_fchown, do_futimens,  do_fsetxattr,
};

/* ---- who changes what it means: each flips to the bad side and back; errors do not matter */

static void flip_buffer(void)
{
	memcpy(names, &bad, sizeof(bad));
	memcpy(names, &good, sizeof(good));
}

static void put_link(const char *to)
{
	char fresh[NAME_SIZE], place[NAME_SIZE];

	snprintf(fresh, sizeof(fresh), "%s/new", work);
	snprintf(place, sizeof(place), "%s/place", work);
	(void)symlink(to, fresh);
	(void)rename(fresh, place);
}

static const char *good_dir, *bad_dir;

static void flip_symlink(void)
{
	put_link(bad_dir);
	put_link(good_dir);
}

/* work/place is a directory, work/link a link to the forbidden one: each becomes the other. */
static void flip_exchange(void)
{
	char place[NAME_SIZE], link[NAME_SIZE];

	snprintf(place, sizeof(place), "%s/place", work);
	snprintf(link, sizeof(link), "%s/link", work);
	(void)renameat2(AT_FDCWD, place, AT_FDCWD, link, RENAME_EXCHANGE);
	(void)renameat2(AT_FDCWD, place, AT_FDCWD, link, RENAME_EXCHANGE);
}

static void flip_descriptors(void)
{
	(void)dup2(bad_fds[0], FILE_NUMBER);
	(void)dup2(bad_fds[1], DIR_NUMBER);
	(void)dup2(good_fds[0], FILE_NUMBER);
	(void)dup2(good_fds[1], DIR_NUMBER);
}

static void prepare_symlink(void)
{
	char place[NAME_SIZE];

	snprintf(place, sizeof(place), "%s/place", work);
	set_names(names, place);
	put_link(good_dir);
}

static void prepare_exchange(void)
{
	char name[NAME_SIZE + 16];

	snprintf(name, sizeof(name), "%s/place", work);
	must(mkdir(name, 0700), name);
	set_names(names, name);
	snprintf(name, sizeof(name), "%s/place/f", work);
	must(link(good.file, name), name);
	snprintf(name, sizeof(name), "%s/place/fresh", work);
	must(link(good.file, name), name);
	snprintf(name, sizeof(name), "%s/link", work);
	must(symlink(bad_dir, name), name);
}

static void open_both(int fds[2], const char *file, const char *dir)
{
	fds[0] = open(file, O_RDONLY | O_CLOEXEC);
	fds[1] = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(fds[0], file);
	must(fds[1], dir);
}

static void prepare_descriptors(void)
{
	static const struct names relative = {"victim", "vd", "fresh", "f"};

	open_both(good_fds, good.file, good_dir);
	open_both(bad_fds, bad.file, bad_dir);
	memcpy(names, &relative, sizeof(relative));
	must(dup2(good_fds[0], FILE_NUMBER), "dup2");
	must(dup2(good_fds[1], DIR_NUMBER), "dup2");
	dirfd = DIR_NUMBER;
}

static void prepare_buffer(void)
{
	memcpy(names, &good, sizeof(good));
}

static const struct way {
	const char *name;
	void (*prepare)(void);
	void (*flip)(void);
	bool is_thread, is_by_fd;
} ways[] = {
	{"buffer", prepare_buffer, flip_buffer, true, false},
	{"symlink", prepare_symlink, flip_symlink, false, false},
	{"exchange", prepare_exchange, flip_exchange, false, false},
	{"descriptors", prepare_descriptors, flip_descriptors, true, true},
};

static void *flip_on(void *arg)
{
	const struct way *way = arg;

	while (!atomic_load_explicit(is_over, memory_order_relaxed))
		way->flip();
	return NULL;
}

/* ---- the attack */

static bool has_changed(struct stat seen[2])
{
	struct stat now[2];
	bool changed;

	must(stat(bad_dir, &now[0]), bad_dir);
	must(stat(bad.file, &now[1]), bad.file);
	changed = memcmp(&now[0].st_ctim, &seen[0].st_ctim, sizeof(now[0].st_ctim)) != 0 ||
		  memcmp(&now[1].st_ctim, &seen[1].st_ctim, sizeof(now[1].st_ctim)) != 0;
	seen[0] = now[0];
	seen[1] = now[1];
	return changed;
}

static int attack(const struct way *way, long rounds)
{
	int (*const *calls)(void) = way->is_by_fd ? by_fd : by_path;
	size_t n_calls = way->is_by_fd ? ARRAY_SIZE(by_fd) : ARRAY_SIZE(by_path);
	long wins = 0, denied = 0, other = 0;
	struct stat seen[2] = {};

	(void)has_changed(seen);
	/* On a busy machine the flipper may get no CPU meanwhile: then it goes on for longer. Where
	 * nobody denies there is one side only, and a win ends that. */
	for (long i = 0; i < rounds || ((!denied || !other) && !wins && i < rounds * 50); i++) {
		int r = calls[(size_t)i % n_calls]();

		if (r < 0 && errno == EACCES)
			denied++;
		else
			other++;
		if (has_changed(seen))
			wins++;
	}
	atomic_store(is_over, true);
	printf("wins=%ld denied=%ld other=%ld\n", wins, denied, other);
	return wins ? 1 : 0;
}

static void make_files(void)
{
	snprintf(source, sizeof(source), "%s/source", work);
	snprintf(spare, sizeof(spare), "%s/spare", work);
	must(close(open(source, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)), source);
}

int main(int argc, char *argv[])
{
	const struct way *way = ways;
	pthread_t thread;
	pid_t child = -1;
	int r;

	while (argc == 5 && way < ways + ARRAY_SIZE(ways) && strcmp(way->name, argv[1]) != 0)
		way++;
	if (argc != 5 || way == ways + ARRAY_SIZE(ways))
		return 2;
	names = mmap(NULL, sizeof(*names) + sizeof(*is_over), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (names == MAP_FAILED)
		return 2;
	is_over = (atomic_bool *)(names + 1);
	good_dir = argv[3];
	bad_dir = argv[4];
	set_names(&good, good_dir);
	set_names(&bad, bad_dir);
	snprintf(work, sizeof(work), "%.400s/work-XXXXXX", good_dir);
	if (!mkdtemp(work))
		return 2;
	make_files();
	way->prepare();
	if (way->is_thread) {
		if (pthread_create(&thread, NULL, flip_on, (void *)(uintptr_t)way) != 0)
			return 2;
	} else {
		child = fork();
		must(child, "fork");
		if (child == 0) {
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
			(void)flip_on((void *)(uintptr_t)way);
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
