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
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
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

/* Return: as matrix_tell() has it. */
static int make_pair(struct spot *s, const struct alias *a)
{
	int r = a->make(s);

	if (r == 0 && !is_pair(s->call, a, s))
		return EXDEV;
	if (r == -EACCES)
		return MATRIX_NO_NAME;
	r = r < 0 ? r : call_it(s);
	return r < 0 ? -r : 0;
}

/* In a process of its own: names need working directories and descriptors. */
static int try_pair(struct spot *s, const struct alias *a)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return errno;
	if (pid == 0)
		_exit(make_pair(s, a));
	if (waitpid(pid, &status, 0) < 0)
		return errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* All calls by one alias. */
static void try_alias(struct spot *spots, size_t n, const struct alias *a)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		for (size_t i = 0; i < n; i++)
			matrix_tell(spots[i].number, make_pair(&spots[i], a));
		(void)fflush(stdout);
		_exit(0);
	}
	(void)waitpid(pid, &status, 0);
}

static int attack_with(const struct world *w, const struct matrix *m, const char *below)
{
	const struct calls *calls = calls_of(m);
	size_t n_calls = m->n / ARRAY_SIZE(aliases);
	static struct spot spots[MATRIX_PAIRS_MAX / ARRAY_SIZE(aliases)];
	const char *base = in(w, "%s", below);

	(void)fflush(stdout);
	for (size_t i = 0; i < m->n; i++) {
		const struct alias *a = &aliases[i / n_calls];
		struct spot *s = &spots[i % n_calls];

		*s = (struct spot){.number = i,
				   .top = w->top,
				   .base = base,
				   .below = below,
				   .decoy = w->decoy,
				   .call = &calls->all[i % n_calls]};
		if (!calls->shares_process)
			matrix_tell(i, try_pair(s, a));
		else if (i % n_calls == n_calls - 1)
			try_alias(spots, n_calls, a);
	}
	return -EACCES; /* each pair has its own result */
}

static void name_with(const struct matrix *m, size_t i, char out[static MATRIX_NAME_SIZE])
{
	size_t n_calls = m->n / ARRAY_SIZE(aliases);

	(void)snprintf(out, MATRIX_NAME_SIZE, "%s by %s", calls_of(m)->all[i % n_calls].name,
		       aliases[i / n_calls].name);
}

static bool is_untold_with(const struct matrix *m, size_t i)
{
	size_t n_calls = m->n / ARRAY_SIZE(aliases);

	return (calls_of(m)->all[i % n_calls].flags & CALL_UNTOLD) ||
	       aliases[i / n_calls].is_untold;
}

/* ---- sockets: three that listen, and a hard link to one of them for each pair */

static int listeners[3] = {-1, -1, -1};

static int listen_at(const char *path, int type)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		return -errno;
	return type != SOCK_DGRAM && listen(fd, MATRIX_PAIRS_MAX) < 0 ? -errno : fd;
}

static int put_sockets(const struct world *w, const struct matrix *m, const char *below)
{
	static const int types[] = {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM};
	static const char *const names[] = {"stream", "packets", "datagrams"};
	size_t n_calls = m->n / ARRAY_SIZE(aliases);
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(types); i++) {
		listeners[i] = listen_at(in(w, "%s/%s", below, names[i]), types[i]);
		r = MIN(listeners[i], 0);
	}
	for (size_t i = 0; r == 0 && i < m->n; i++) {
		unsigned int flags = calls_of(m)->all[i % n_calls].flags;
		const char *name = names[flags & CALL_STREAM ? 0 : flags & CALL_PACKETS ? 1 : 2];

		r = outcome(link(in(w, "%s/%s", below, name),
				 in(w, "%s/" MATRIX_TAG "%04zuf", below, i)));
	}
	return r;
}

static bool is_socket_reached(const struct world *w)
{
	bool is_reached = false;

	(void)w;
	for (size_t i = 0; i < ARRAY_SIZE(listeners); i++) {
		int client = accept4(listeners[i], NULL, NULL, SOCK_CLOEXEC);
		char byte;

		is_reached = is_reached || client >= 0 || recv(listeners[i], &byte, 1, 0) >= 0;
		(void)fd_close(client);
		listeners[i] = fd_close(listeners[i]);
	}
	return is_reached;
}

/* A file with the secret, or what else the call has an object of. */
static int put_object(const struct calls *calls, unsigned int flags, int dir, size_t i,
		      const struct strbuf *secret)
{
	_cleanup_(fd_closep) int fd = -1;
	char name[32];

	if (flags & CALL_DIR) {
		(void)snprintf(name, sizeof(name), MATRIX_TAG "%04zud", i);
		return outcome(mkdirat(dir, name, 0755));
	}
	(void)snprintf(name, sizeof(name), MATRIX_TAG "%04zuf", i);
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	return fd < 0 ? -errno : calls->fill(fd, strbuf_bytes(secret));
}

static int put_objects(const struct world *w, const struct matrix *m, const char *below)
{
	_cleanup_(strbuf_fini) struct strbuf secret = STRBUF_INIT(4096);
	_cleanup_(fd_closep) int dir = open_dir(in(w, "%s", below), O_PATH);
	const struct calls *calls = calls_of(m);
	size_t n_calls = m->n / ARRAY_SIZE(aliases);
	int r = io_read_file_at(AT_FDCWD, in(w, "home/.ssh/id_rsa"), &secret);

	if (!calls->fill)
		return put_sockets(w, m, below);
	for (size_t i = 0; r == 0 && i < m->n; i++)
		if (!(calls->all[i % n_calls].flags & CALL_FRESH))
			r = put_object(calls, calls->all[i % n_calls].flags, dir, i, &secret);
	return r;
}

#define MATRIX(label, calls, below, at_least, ...)                                                 \
	static const struct matrix label##_matrix;                                                 \
	static void label##_name(size_t i, char out[static MATRIX_NAME_SIZE])                      \
	{                                                                                          \
		name_with(&label##_matrix, i, out);                                                \
	}                                                                                          \
	static bool label##_is_untold(size_t i)                                                    \
	{                                                                                          \
		return is_untold_with(&label##_matrix, i);                                         \
	}                                                                                          \
	static const struct matrix label##_matrix = {.n = (calls##_SIZE) * ARRAY_SIZE(aliases),    \
						     .name = label##_name,                         \
						     .is_untold = label##_is_untold,               \
						     .least = at_least,                            \
						     ##__VA_ARGS__};                               \
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
MATRIX(sockets, matrix_sockets, "home/.docker/run", 200)
#ifdef __x86_64__
MATRIX(abis, matrix_abis, "home/.ssh", 600, .is_optional = true)
#endif

static const struct calls *calls_of(const struct matrix *m)
{
	if (m == &reads_matrix)
		return &matrix_reads;
	if (m == &sockets_matrix)
		return &matrix_sockets;
#ifdef __x86_64__
	if (m == &abis_matrix)
		return &matrix_abis;
#endif
	return m == &execs_matrix ? &matrix_execs : &matrix_changes;
}

/* Each pair counts its own records. */
#define ROW(fact, label, ids, policies, effect, ...)                                               \
	{                                                                                          \
		fact, ids, label##_attack, policies, 0, effect,                                    \
			.denies = DENIES_ANY, .matrix = &label##_matrix,                           \
			.prepare = label##_prepare, ##__VA_ARGS__                                  \
	}

static const struct attack_row rows[] = {
	ROW("no_call_reads_a_secret_by_any_name", reads, "B1 B13 B19 A17 A18 T036 P20", SHIP | PW,
	    EFFECT_LEAKED),
	ROW("no_call_changes_a_secret_by_any_name", changes, "B1 P16 D:open D:attr", SHIP | PW,
	    EFFECT_CHANGED),
	ROW("no_call_changes_a_hook_inside_the_project_by_any_name", hooks, "B1 K T096", SHIP,
	    EFFECT_CHANGED),
	ROW("no_call_runs_a_program_by_any_name", execs, "C1 C4 T028 T030", PW, EFFECT_RAN),
	ROW("no_call_reaches_a_socket_by_any_name", sockets, "G8 G10 T020 T022 P18 P40",
	    SHIP | READ_ONLY | PW, EFFECT_HOST, .look = is_socket_reached),
#ifdef __x86_64__
	ROW("no_call_of_another_abi_does_anything_by_any_name", abis, "E4 E5 T064 P12 P13", SHIP,
	    EFFECT_CHANGED),
#endif
};

const struct attack_group attack_group = {"matrix", rows, ARRAY_SIZE(rows), false, false};
