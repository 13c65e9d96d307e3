/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every call that reads, changes or runs something, under every other name of it that Linux knows
 * (matrix.h): the names are made here, the calls are in matrix_calls.c.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/io.h"

#include "tests/attack/matrix_calls.h"

/* ---- names of the objects */

static void place(struct spot *s, int dirfd, const char *prefix)
{
	s->dirfd = dirfd;
	(void)snprintf(s->file, sizeof(s->file), "%s" MATRIX_TAG "%04zuf", prefix, s->number);
	(void)snprintf(s->dir, sizeof(s->dir), "%s" MATRIX_TAG "%04zud", prefix, s->number);
	(void)snprintf(s->fresh, sizeof(s->fresh), "%s" MATRIX_TAG "%04zun", prefix, s->number);
}

static void place_fmt(struct spot *s, int dirfd, const char *fmt, ...) _printf_(3, 4);

static void place_fmt(struct spot *s, int dirfd, const char *fmt, ...)
{
	char prefix[SPOT_PATH_SIZE - 16];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(prefix, sizeof(prefix), fmt, ap);
	va_end(ap);
	place(s, dirfd, prefix);
}

/* Of the directory of the objects or one on the way. What cannot be opened gives no name. */
static int open_dir(const char *path, int flags)
{
	int fd = open(path, flags | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		_exit(errno == EACCES ? MATRIX_NO_NAME : errno);
	return fd;
}

static int plain(struct spot *s)
{
	place_fmt(s, AT_FDCWD, "%s/", s->base);
	return 0;
}

static int doubled(struct spot *s)
{
	place_fmt(s, AT_FDCWD, "/.//../%s/././/", s->base);
	return 0;
}

static int dots(struct spot *s)
{
	place_fmt(s, AT_FDCWD, "%s/w/dir/../../%s/", s->top, s->below);
	return 0;
}

static int longest(struct spot *s)
{
	char dots[3001];

	for (size_t i = 0; i < sizeof(dots) - 1; i += 2)
		memcpy(dots + i, "./", 2);
	dots[sizeof(dots) - 1] = '\0';
	place_fmt(s, AT_FDCWD, "%s/%s", s->base, dots);
	return 0;
}

static int relative(struct spot *s)
{
	place_fmt(s, AT_FDCWD, "../%s/", s->below);
	return 0;
}

static int from_inside(struct spot *s)
{
	place(s, AT_FDCWD, "");
	return outcome(chdir(s->base));
}

static int by_dirfd(struct spot *s)
{
	place(s, open_dir(s->base, O_PATH), "");
	return 0;
}

static int by_readable_dirfd(struct spot *s)
{
	place(s, open_dir(s->base, O_RDONLY), "");
	return 0;
}

static int by_sibling_fd(struct spot *s)
{
	place_fmt(s, open_dir("dir", O_PATH), "../../%s/", s->below);
	return 0;
}

static int by_bad_fd(struct spot *s)
{
	place_fmt(s, -1000, "%s/", s->base);
	return 0;
}

static int by_proc_fd(struct spot *s)
{
	place_fmt(s, open_dir("/proc/self", O_PATH), "root%s/", s->base);
	return 0;
}

static int self_root(struct spot *s)
{
	place_fmt(s, AT_FDCWD, "/proc/self/root%s/", s->base);
	return 0;
}

static int thread_root(struct spot *s)
{
	place_fmt(s, AT_FDCWD, "/proc/thread-self/root%s/", s->base);
	return 0;
}

static int task_cwd(struct spot *s)
{
	place_fmt(s, AT_FDCWD, "/proc/%d/task/%d/cwd/../%s/", getpid(), getpid(), s->below);
	return 0;
}

static int decoy_root(struct spot *s)
{
	place_fmt(s, AT_FDCWD, "/proc/%d/root%s/", s->decoy, s->base);
	return 0;
}

static int parent_cwd(struct spot *s)
{
	place_fmt(s, AT_FDCWD, "/proc/%d/cwd/../%s/", getppid(), s->below);
	return 0;
}

static int self_cwd(struct spot *s)
{
	place(s, AT_FDCWD, "/proc/self/cwd/");
	return outcome(chdir(s->base));
}

static int self_fd(struct spot *s)
{
	place_fmt(s, AT_FDCWD, "/proc/self/fd/%d/", open_dir(s->base, O_PATH));
	return 0;
}

static int dev_fd(struct spot *s)
{
	place_fmt(s, AT_FDCWD, "/dev/fd/%d/", open_dir(s->base, O_PATH));
	return 0;
}

static int dev_fd_parent(struct spot *s)
{
	place_fmt(s, AT_FDCWD, "/dev/fd/%d/../%s/", open_dir(s->base, O_PATH),
		  strrchr(s->base, '/') + 1);
	return 0;
}

/* A link to the directory, which the agent made. */
static int by_link(struct spot *s)
{
	char link[64];

	(void)snprintf(link, sizeof(link), "tmp/l%zu", s->number);
	place_fmt(s, AT_FDCWD, "%s/", link);
	return outcome(symlink(s->base, link));
}

static int by_link_to_proc(struct spot *s)
{
	char link[64];

	(void)snprintf(link, sizeof(link), "tmp/l%zu", s->number);
	place_fmt(s, AT_FDCWD, "%s/../%s/", link, s->below);
	return outcome(symlink("/proc/self/cwd", link));
}

static int by_links(struct spot *s)
{
	char link[64], to[64];

	(void)snprintf(to, sizeof(to), "%s", "../dir");
	for (int i = 0; i < 20; i++) {
		(void)snprintf(link, sizeof(link), "tmp/l%zu-%d", s->number, i);
		if (symlink(to, link) < 0)
			return -errno;
		(void)snprintf(to, sizeof(to), "l%zu-%d", s->number, i);
	}
	place_fmt(s, AT_FDCWD, "%s/../../%s/", link, s->below);
	return 0;
}

/* A link to the object itself: what follows links only. */
static int by_last_link(struct spot *s)
{
	char from[3][64];
	const char *to[3];

	plain(s);
	to[0] = s->file;
	to[1] = s->dir;
	to[2] = s->fresh;
	for (size_t i = 0; i < 3; i++) {
		(void)snprintf(from[i], sizeof(from[i]), "tmp/l%zu%c", s->number, "fdn"[i]);
		if (symlink(to[i], from[i]) < 0)
			return -errno;
	}
	memcpy(s->file, from[0], sizeof(from[0]));
	memcpy(s->dir, from[1], sizeof(from[1]));
	memcpy(s->fresh, from[2], sizeof(from[2]));
	return 0;
}

/* ---- who calls: a thread that shares less with its process than usual */

static int own_directory(struct spot *s)
{
	place(s, AT_FDCWD, "");
	s->unshares = CLONE_FS;
	return 0;
}

/* The number is the workspace's in the process, the object's directory in the thread. */
static int own_descriptors(struct spot *s)
{
	place(s, open_dir("dir", O_PATH), "");
	s->unshares = CLONE_FILES;
	return 0;
}

static int ends_with_slash(struct spot *s)
{
	plain(s);
	s->is_dir_only = true;
	(void)snprintf(s->dir, sizeof(s->dir), "%s/" MATRIX_TAG "%04zud/", s->base, s->number);
	return 0;
}

static int through_itself(struct spot *s)
{
	plain(s);
	s->is_dir_only = true;
	(void)snprintf(s->dir, sizeof(s->dir), "%s/" MATRIX_TAG "%04zud/../" MATRIX_TAG "%04zud",
		       s->base, s->number, s->number);
	return 0;
}

static const struct alias {
	const char *name;
	int (*make)(struct spot *s);
	bool is_link;   /* the name's own object is a link in the workspace */
	bool is_untold; /* the kernel refuses the way there (Landlock) */
} aliases[] = {
	{"plain", plain, false, false},
	{"// and /./", doubled, false, false},
	{"..", dots, false, false},
	{"3000 dots", longest, false, false},
	{"relative", relative, false, false},
	{"after chdir", from_inside, false, false},
	{"dirfd", by_dirfd, false, false},
	{"readable dirfd", by_readable_dirfd, false, false},
	{"dirfd and ..", by_sibling_fd, false, false},
	{"a dirfd that is not open", by_bad_fd, false, false},
	{"dirfd of /proc/self", by_proc_fd, false, false},
	{"/proc/self/root", self_root, false, false},
	{"/proc/thread-self/root", thread_root, false, false},
	{"/proc/PID/task/TID/cwd", task_cwd, false, false},
	{"root of a process outside", decoy_root, false, true},
	{"the parent's cwd", parent_cwd, false, false},
	{"/proc/self/cwd", self_cwd, false, false},
	{"/proc/self/fd", self_fd, false, false},
	{"/dev/fd", dev_fd, false, false},
	{"/dev/fd and ..", dev_fd_parent, false, false},
	{"link", by_link, false, false},
	{"link to /proc", by_link_to_proc, false, false},
	{"chain of links", by_links, false, false},
	{"link to itself", by_last_link, true, false},
	{"a thread's own directory", own_directory, false, false},
	{"a thread's own descriptors", own_descriptors, false, false},
	{"slash at the end", ends_with_slash, false, false},
	{"itself and ..", through_itself, false, false},
};

/* ---- pairs */

static const struct calls *calls_of(const struct matrix *m);

static bool is_pair(const struct call *c, const struct alias *a, const struct spot *s)
{
	if (a->is_link && (c->flags & CALL_ENTRY))
		return false;
	if (s->is_dir_only && !(c->flags & CALL_DIR))
		return false;
	return s->dirfd == AT_FDCWD || (c->flags & CALL_DIRFD);
}

static void *call_in_thread(void *arg)
{
	struct spot *s = arg;
	int r = 0;

	if (unshare(s->unshares) < 0)
		r = -errno;
	else if (s->unshares == CLONE_FS)
		r = outcome(chdir(s->base));
	else
		r = outcome(dup2(open_dir(s->base, O_PATH), s->dirfd));
	s->result = r < 0 ? r : s->call->make(s);
	return NULL;
}

static int call_it(struct spot *s)
{
	pthread_t thread;

	if (!s->unshares)
		return s->call->make(s);
	if (pthread_create(&thread, NULL, call_in_thread, s) != 0)
		return -EAGAIN;
	(void)pthread_join(thread, NULL);
	return s->result;
}

/* In a process of its own: names need working directories and descriptors. */
static int try_pair(struct spot *s, const struct alias *a)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return errno;
	if (pid == 0) {
		int r = a->make(s);

		if (r == 0 && !is_pair(s->call, a, s))
			_exit(EXDEV);
		if (r == -EACCES)
			_exit(MATRIX_NO_NAME);
		r = r < 0 ? r : call_it(s);
		_exit(r < 0 ? -r : 0);
	}
	if (waitpid(pid, &status, 0) < 0)
		return errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int attack_with(const struct world *w, const struct matrix *m, const char *below)
{
	const struct calls *calls = calls_of(m);

	(void)fflush(stdout);
	for (size_t i = 0; i < m->n; i++) {
		struct spot s = {.number = i,
				 .top = w->top,
				 .base = in(w, "%s", below),
				 .below = below,
				 .decoy = w->decoy,
				 .call = &calls->all[i / ARRAY_SIZE(aliases)]};

		matrix_tell(i, try_pair(&s, &aliases[i % ARRAY_SIZE(aliases)]));
	}
	return -EACCES; /* each pair has its own result */
}

static void name_with(const struct calls *calls, size_t i, char out[static MATRIX_NAME_SIZE])
{
	(void)snprintf(out, MATRIX_NAME_SIZE, "%s by %s", calls->all[i / ARRAY_SIZE(aliases)].name,
		       aliases[i % ARRAY_SIZE(aliases)].name);
}

static bool is_untold_with(const struct calls *calls, size_t i)
{
	return (calls->all[i / ARRAY_SIZE(aliases)].flags & CALL_UNTOLD) ||
	       aliases[i % ARRAY_SIZE(aliases)].is_untold;
}

/* A file with the secret, a directory, and a name that is free, for each pair. */
static int put_objects(const struct world *w, const struct matrix *m, const char *below)
{
	_cleanup_(strbuf_fini) struct strbuf secret = STRBUF_INIT(4096);
	_cleanup_(fd_closep) int dir = open_dir(in(w, "%s", below), O_PATH);
	int r = io_read_file_at(AT_FDCWD, in(w, "home/.ssh/id_rsa"), &secret);

	for (size_t i = 0; r == 0 && i < m->n; i++) {
		_cleanup_(fd_closep) int fd = -1;
		char name[32];

		(void)snprintf(name, sizeof(name), MATRIX_TAG "%04zuf", i);
		fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
		r = fd < 0 ? -errno : calls_of(m)->fill(fd, strbuf_bytes(&secret));
		(void)snprintf(name, sizeof(name), MATRIX_TAG "%04zud", i);
		if (r == 0)
			r = outcome(mkdirat(dir, name, 0755));
	}
	return r;
}

#define MATRIX(label, calls, below, at_least)                                                      \
	static void label##_name(size_t i, char out[static MATRIX_NAME_SIZE])                      \
	{                                                                                          \
		name_with(&(calls), i, out);                                                       \
	}                                                                                          \
	static bool label##_is_untold(size_t i)                                                    \
	{                                                                                          \
		return is_untold_with(&(calls), i);                                                \
	}                                                                                          \
	static const struct matrix label##_matrix = {.n = (calls##_SIZE) * ARRAY_SIZE(aliases),    \
						     .name = label##_name,                         \
						     .is_untold = label##_is_untold,               \
						     .least = at_least};                           \
	static int label##_attack(const struct world *w)                                           \
	{                                                                                          \
		return attack_with(w, &label##_matrix, below);                                     \
	}                                                                                          \
	static int label##_prepare(const struct world *w)                                          \
	{                                                                                          \
		return put_objects(w, &label##_matrix, below);                                     \
	}

MATRIX(reads, matrix_reads, "home/.ssh", 200)
MATRIX(changes, matrix_changes, "home/.ssh", 1100)
MATRIX(hooks, matrix_changes, "w/.git/hooks", 1100)
MATRIX(execs, matrix_execs, "evil", 110)

static const struct calls *calls_of(const struct matrix *m)
{
	if (m == &reads_matrix)
		return &matrix_reads;
	return m == &execs_matrix ? &matrix_execs : &matrix_changes;
}

/* Each pair counts its own records. */
#define ROW(fact, label, ids, policies, effect)                                                    \
	{                                                                                          \
		fact, ids, label##_attack, policies, 0, effect, .denies = DENIES_ANY,              \
								.matrix = &label##_matrix,         \
								.prepare = label##_prepare         \
	}

static const struct attack_row rows[] = {
	ROW("no_call_reads_a_secret_by_any_name", reads, "B1 B13 B19 A17 A18 T036 P20", SHIP | PW,
	    EFFECT_LEAKED),
	ROW("no_call_changes_a_secret_by_any_name", changes, "B1 P16 D:open D:attr", SHIP | PW,
	    EFFECT_CHANGED),
	ROW("no_call_changes_a_hook_inside_the_project_by_any_name", hooks, "B1 K T096", SHIP,
	    EFFECT_CHANGED),
	ROW("no_call_runs_a_program_by_any_name", execs, "C1 C4 T028 T030", PW, EFFECT_RAN),
};

const struct attack_group attack_group = {"matrix", rows, ARRAY_SIZE(rows), false, false};
