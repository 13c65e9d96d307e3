/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verdicts on files as the kernel carries them out, alone: children of this process make calls
 * that nobody notifies of, and what comes of each is what the policies say of the path. It takes
 * root and BPF LSM, so it is tools/check-kernel that runs it, in its guests.
 */
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "loader/lsm.h"
#include "policy/naming.h"
#include "policy/pathmap.h"

#include "tests/unit/policy_harness.h"

#define DIR_  "/tmp/hf-lsm"
#define FILES ((1U << _LSM_FILE_OP_MAX) - 1)

static const char *const policy =
	"version: 1\n"
	"name: lsm\n"
	"default: {tool: allow, path: allow, network: allow}\n"
	"rules:\n"
	"  - {name: exact, match: {path: '" DIR_ "/exact'}, action: deny}\n"
	"  - {name: free, match: {path: '" DIR_ "/tree/free/**'}, action: allow}\n"
	"  - {name: tree, match: {path: '" DIR_ "/tree/**'}, action: deny}\n"
	"  - {name: base, match: {path: '**/id_{rsa,dsa}'}, action: deny}\n"
	"  - {name: suffix, match: {path: '**/*.pem', op: read}, action: deny, unless: {path: '**/certs/**'}}\n"
	"  - {name: gap, match: {path: '" DIR_ "/a/**/z/*.c'}, action: ask}\n"
	"  - {name: seen, match: {path: '**/flagged*'}, action: flag}\n";

struct world {
	struct harness h;
	struct pathmap *map;
	struct lsm *lsm;
};

static struct world w;

/* ---- what a child does; each returns 0 or an errno */

/* @name on the file system of @path. Return: a static buffer. */
static const char *beside(const char *path, const char *name)
{
	static char buf[256];
	const bool is_below = strncmp(path, DIR_ "/mount/", sizeof(DIR_ "/mount/") - 1) == 0;

	(void)snprintf(buf, sizeof(buf), "%s/%s", is_below ? DIR_ "/mount" : DIR_, name);
	return buf;
}

static int result(long r)
{
	return r < 0 ? errno : 0;
}

static int do_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK, 0600);
	int r = result(fd);

	(void)fd_close(fd);
	return r;
}

static int do_read(const char *path)
{
	return do_open(path, O_RDONLY);
}

static int do_write(const char *path)
{
	return do_open(path, O_WRONLY);
}

static int do_create(const char *path)
{
	return do_open(path, O_CREAT | O_EXCL | O_WRONLY);
}

static int do_truncate(const char *path)
{
	return result(truncate(path, 0));
}

static int do_unlink(const char *path)
{
	return result(unlink(path));
}

static int do_rmdir(const char *path)
{
	return result(rmdir(path));
}

static int do_mkdir(const char *path)
{
	return result(mkdir(path, 0700));
}

static int do_mknod(const char *path)
{
	return result(mknod(path, S_IFIFO | 0600, 0));
}

static int do_symlink(const char *path)
{
	return result(symlink("x", path));
}

static int do_link(const char *path)
{
	return result(link(beside(path, "plain"), path));
}

static int do_link_of(const char *path)
{
	return result(link(path, beside(path, "other")));
}

static int do_rename(const char *path)
{
	return result(rename(path, beside(path, "other")));
}

static int do_rename_to(const char *path)
{
	return result(rename(beside(path, "plain"), path));
}

static int do_chmod(const char *path)
{
	return result(chmod(path, 0700));
}

static int do_chown(const char *path)
{
	return result(chown(path, 0, 0));
}

/* By another name: what counts is the object. */
static int do_read_by_link(const char *path)
{
	(void)unlink("/tmp/hf-lsm-link");
	return symlink(path, "/tmp/hf-lsm-link") < 0 ? errno : do_read("/tmp/hf-lsm-link");
}

static int do_read_by_descriptor(const char *path)
{
	char name[64];
	int fd = open(path, O_PATH | O_CLOEXEC);

	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	return fd < 0 ? errno : do_read(name);
}

static int do_read_from_below(const char *path)
{
	const char *name = strrchr(path, '/');
	char dir[256];

	(void)snprintf(dir, sizeof(dir), "%.*s", (int)(name - path), path);
	return chdir(dir) < 0 ? errno : do_read(name + 1);
}

static const struct deed {
	const char *name;
	enum action_op op;
	int (*fn)(const char *path);
	bool makes; /* nothing is there before */
	bool is_directory;
} deeds[] = {
	{"read", OP_READ, do_read, false, false},
	{"read by a link", OP_READ, do_read_by_link, false, false},
	{"read by a descriptor", OP_READ, do_read_by_descriptor, false, false},
	{"read from where it is", OP_READ, do_read_from_below, false, false},
	{"list", OP_READ, do_read, false, true},
	{"write", OP_WRITE, do_write, false, false},
	{"create", OP_CREATE, do_create, true, false},
	{"truncate", OP_TRUNCATE, do_truncate, false, false},
	{"unlink", OP_DELETE, do_unlink, false, false},
	{"rmdir", OP_DELETE, do_rmdir, false, true},
	{"mkdir", OP_MKDIR, do_mkdir, true, false},
	{"mknod", OP_MKNOD, do_mknod, true, false},
	{"symlink", OP_SYMLINK, do_symlink, true, false},
	{"link", OP_LINK, do_link, true, false},
	{"link of", OP_LINK, do_link_of, false, false},
	{"rename", OP_RENAME, do_rename, false, false},
	{"rename to", OP_RENAME, do_rename_to, true, false},
	{"chmod", OP_CHMOD, do_chmod, false, false},
	{"chown", OP_CHOWN, do_chown, false, false},
};

static const char *const places[] = {
	DIR_ "/exact",       DIR_ "/exact2",      DIR_ "/tree/x",       DIR_ "/tree/free/y",
	DIR_ "/treex",       DIR_ "/id_rsa",      DIR_ "/sub/id_dsa",   DIR_ "/id_rsax",
	DIR_ "/k.pem",       DIR_ "/certs/k.pem", DIR_ "/a/z/q.c",      DIR_ "/a/b/c/z/q.c",
	DIR_ "/a/b/c/z/q.h", DIR_ "/flagged1",    DIR_ "/sub/.flagged", DIR_ "/mount/id_rsa",
	DIR_ "/mount/q",
};

static const char *const directories[] = {
	DIR_,        DIR_ "/tree", DIR_ "/tree/free", DIR_ "/sub",     DIR_ "/certs", DIR_ "/a",
	DIR_ "/a/z", DIR_ "/a/b",  DIR_ "/a/b/c",     DIR_ "/a/b/c/z", DIR_ "/mount",
};

/* ---- the world */

static void make_file(const char *path)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	fd_close(fd);
}

static void prepare(const struct deed *d, const char *path)
{
	(void)unlink(beside(path, "other"));
	(void)rmdir(beside(path, "other"));
	(void)unlink(path);
	(void)rmdir(path);
	make_file(beside(path, "plain"));
	if (!d->makes && d->is_directory)
		assert_int_equal(mkdir(path, 0700), 0);
	else if (!d->makes)
		make_file(path);
}

/* A child, of the session if @joins; 254 is what its death or an obstacle comes to. */
static pid_t start_child(bool joins)
{
	char reason[LAYERS_REASON_MAX];
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0 && joins &&
	    (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || lsm_join(w.lsm, reason) < 0))
		_exit(254);
	return pid;
}

static int finish_child(pid_t pid, int (*fn)(const char *path), const char *path)
{
	int status;

	if (pid == 0)
		_exit(fn(path));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int in_child(int (*fn)(const char *path), const char *path)
{
	return finish_child(start_child(true), fn, path);
}

/* One child for all of the table: forks take their time under emulation. */
struct worker {
	int socket;
	pid_t pid;
};

struct order {
	const struct deed *deed;
	const char *path;
};

static struct worker worker_start(void)
{
	struct worker worker;
	struct order order;
	int pair[2], r;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	worker = (struct worker){.socket = pair[0], .pid = start_child(true)};
	if (worker.pid == 0) {
		fd_close(pair[0]);
		while (read(pair[1], &order, sizeof(order)) == sizeof(order)) {
			r = order.deed->fn(order.path);
			if (write(pair[1], &r, sizeof(r)) != sizeof(r))
				break;
		}
		_exit(0);
	}
	fd_close(pair[1]);
	return worker;
}

static int worker_do(const struct worker *worker, const struct deed *d, const char *path)
{
	const struct order order = {d, path};
	int r;

	assert_int_equal(write(worker->socket, &order, sizeof(order)), sizeof(order));
	assert_int_equal(read(worker->socket, &r, sizeof(r)), sizeof(r));
	return r;
}

static void worker_end(struct worker *worker)
{
	fd_close(worker->socket);
	assert_int_equal(waitpid(worker->pid, NULL, 0), worker->pid);
}

struct seen {
	const char *path;
	enum lsm_op op;
	unsigned n, n_others;
	enum verdict verdict;
};

static void see(const struct lsm_event *event, struct bytes path, void *arg)
{
	struct seen *s = arg;

	assert_true(event->pid && event->tid && event->exe_inode && event->parent);
	if (event->op == s->op && bytes_eq_str(path, s->path)) {
		s->n++;
		s->verdict = (enum verdict)event->verdict;
	} else {
		s->n_others += event->verdict >= NET_ASK;
	}
}

static enum verdict verdict_of(enum action_op op, const char *path)
{
	return harness_path(&w.h, op, path).verdict;
}

static void try_deed(const struct worker *worker, const struct deed *d, const char *path)
{
	const enum verdict expected = verdict_of(d->op, path);
	struct seen seen = {.path = path, .op = (enum lsm_op)(d->op - OP_READ)};
	int r;

	prepare(d, path);
	r = worker_do(worker, d, path);
	while (lsm_read(w.lsm, 1000, see, &seen))
		;
	if (r != (expected >= VERDICT_ASK ? EACCES : 0))
		fail_msg("%s of %s: %s, and the policy says %s", d->name, path, strerror(r),
			 verdict_name(expected));
	if (seen.n != 1 || seen.verdict != expected || seen.n_others)
		fail_msg("%s of %s: %u records with verdict %s, %u others", d->name, path, seen.n,
			 verdict_name(seen.verdict), seen.n_others);
}

static void test_files(void **state _unused_)
{
	struct worker worker = worker_start();

	for (size_t i = 0; i < ARRAY_SIZE(deeds); i++)
		for (size_t k = 0; k < ARRAY_SIZE(places); k++)
			try_deed(&worker, &deeds[i], places[k]);
	worker_end(&worker);
}

/* Nobody else is bound: neither we, who asked for it, nor a child of ours that has not joined. */
static void test_others(void **state _unused_)
{
	make_file(DIR_ "/exact");
	assert_int_equal(do_read(DIR_ "/exact"), 0);
	assert_int_equal(finish_child(start_child(false), do_read, DIR_ "/exact"), 0);
}

static int read_in_thread_of_a_grandchild(const char *path)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		(void)setsid();
		pid = fork();
		if (pid == 0)
			_exit(do_read(path));
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static void test_descendants(void **state _unused_)
{
	make_file(DIR_ "/exact");
	assert_int_equal(in_child(read_in_thread_of_a_grandchild, DIR_ "/exact"), EACCES);
}

static int read_own_pipe(const char *path _unused_)
{
	char name[64];
	int pipes[2];

	if (pipe2(pipes, O_CLOEXEC) < 0)
		return errno;
	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", pipes[0]);
	return do_read(name);
}

/* Of a process that is none of ours: whoever waits for it has closed it. */
static int read_foreign_pipe(const char *path)
{
	for (int fd = 3; fd < 256; fd++)
		(void)fd_close(fd);
	return do_read(path);
}

static int make_too_deep(const char *path)
{
	char name[101];

	memset(name, 'd', 100);
	name[100] = '\0';
	if (chdir(path) < 0)
		return 255;
	for (int i = 0; i < 45; i++)
		if ((mkdir(name, 0700) < 0 && errno != EEXIST) || chdir(name) < 0)
			return errno;
	return 0;
}

static void test_odd_paths(void **state _unused_)
{
	int pipes[2];
	char name[64];

	assert_int_equal(in_child(read_own_pipe, ""), 0);
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	(void)snprintf(name, sizeof(name), "/proc/%d/fd/%d", (int)getpid(), pipes[0]);
	assert_int_equal(in_child(do_read, name), 0);
	assert_int_equal(in_child(read_foreign_pipe, name), EACCES);
	fd_close(pipes[0]);
	fd_close(pipes[1]);
	/* Longer than any path: refused, where it cannot be judged. */
	assert_int_equal(in_child(make_too_deep, DIR_ "/sub"), EACCES);
	assert_int_equal(in_child(do_read, "/"), 0);
}

/* ---- the system */

static int do_bpf(const char *path _unused_)
{
	char attributes[128] = {};

	return result(syscall(SYS_bpf, 0, attributes, sizeof(attributes)));
}

static int do_mount(const char *path)
{
	return result(mount("none", path, "tmpfs", 0, NULL));
}

static int do_unshare(const char *path _unused_)
{
	return result(unshare(CLONE_NEWUSER));
}

static int do_kill_init(const char *path _unused_)
{
	return result(kill(1, 0));
}

static int do_read_memory_of_init(const char *path _unused_)
{
	return do_open("/proc/1/mem", O_RDWR);
}

/* Who asked for the verdicts is none of the session. */
static int do_kill_parent(const char *path _unused_)
{
	return result(kill(getppid(), 0));
}

static int do_kill_child(const char *path _unused_)
{
	pid_t pid = fork();
	int r;

	if (pid == 0) {
		(void)pause();
		_exit(0);
	}
	r = pid < 0 ? 255 : result(kill(pid, SIGKILL));
	(void)waitpid(pid, NULL, 0);
	return r;
}

static void test_system(void **state _unused_)
{
	static const struct {
		int (*fn)(const char *path);
		enum lsm_op op;
		int error;
	} rows[] = {
		{do_bpf, LSM_BPF, EPERM},          {do_mount, LSM_MOUNT, EPERM},
		{do_unshare, LSM_USERNS, EPERM},   {do_kill_init, LSM_KILL, EPERM},
		{do_kill_child, LSM_KILL, 0},      {do_read_memory_of_init, LSM_PTRACE, EACCES},
		{do_kill_parent, LSM_KILL, EPERM},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct seen seen = {.path = "", .op = rows[i].op};
		int r;

		while (lsm_read(w.lsm, 1000, see, &seen))
			;
		seen.n = 0;
		r = in_child(rows[i].fn, DIR_ "/sub");
		while (lsm_read(w.lsm, 1000, see, &seen))
			;
		if (r != rows[i].error || (seen.n > 0) != (rows[i].error != 0))
			fail_msg("row %zu: %s, %u records", i, strerror(r), seen.n);
	}
}

static int join(const char *path _unused_)
{
	char reason[LAYERS_REASON_MAX];

	return -lsm_join(w.lsm, reason);
}

/* Whose child it is, and whether it could become somebody else, is the loader's to look at. */
static void test_who_may_join(void **state _unused_)
{
	assert_int_equal(finish_child(start_child(false), join, ""), EPERM);
}

static int setup(void **state _unused_)
{
	const struct lsm_wishes wishes = {.floor = ~FILES, .decides = FILES, .records = FILES};
	char reason[LAYERS_REASON_MAX];
	struct lsm_tables t;
	const struct pathmap_kept kept = {};
	const char *why;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(directories); i++)
		(void)mkdir(directories[i], 0700);
	w.h = harness_one(policy);
	assert_int_equal(pathmap_new(w.h.stack, &kept, &w.map, &why), 0);
	t = (struct lsm_tables){.classes = w.map->bytes,
				.n_classes = w.map->n_classes,
				.cells = w.map->cells,
				.n_states = w.map->n_states,
				.verdicts = w.map->verdicts,
				.n_verdicts = w.map->n_verdicts};
	for (size_t i = 0; i < LSM_PARTS; i++)
		t.parts[i] = (struct lsm_part){w.map->parts[i].first, w.map->parts[i].n_kinds};
	r = lsm_start(&t, &wishes, &w.lsm, reason);
	if (r < 0)
		print_message("# %s\n", reason);
	return r;
}

static int teardown(void **state _unused_)
{
	lsm_free(w.lsm);
	pathmap_free(w.map);
	harness_fini(&w.h);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),       cmocka_unit_test(test_others),
		cmocka_unit_test(test_descendants), cmocka_unit_test(test_odd_paths),
		cmocka_unit_test(test_system),      cmocka_unit_test(test_who_may_join),
	};

	if (!getenv("HOLDFAST_TEST_LSM")) {
		(void)puts("1..0 # SKIP it is for the guests of tools/check-kernel");
		return 0;
	}
	/* Some of the places are on another file system. */
	(void)mkdir(DIR_, 0700);
	(void)mkdir(DIR_ "/mount", 0700);
	if (mount("none", DIR_ "/mount", "tmpfs", 0, NULL) < 0)
		return EXIT_FAILURE;
	return cmocka_run_group_tests(tests, setup, teardown);
}
