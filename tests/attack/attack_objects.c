/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects without a name that processes outside hold, and files that are reached or harmed by
 * another thing than their name: a descriptor, a lease, a path that only the kernel can read.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/io.h"

#include "tests/attack/attack.h"

#define NAME_FILE "w/held" /* where the attack reads what /proc calls the object */
#define HELD_FD   60       /* a number that the process outside has it under */
#define TEXT_MAX  64

/* ---- in the host: a process outside that has the object open */

static int object = -1; /* what was written to it can be read here */
static pid_t holder;

static _Noreturn void hold(int fd)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(fd, HELD_FD) < 0)
		_exit(1);
	for (;;)
		(void)pause();
}

static int let_hold(const struct world *w, int fd)
{
	_cleanup_(fd_closep) int note =
		open(in(w, NAME_FILE), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	char name[TEXT_MAX];

	holder = fork();
	if (holder == 0)
		hold(fd);
	/* The number that it has from its birth: there is nothing to wait for. */
	(void)snprintf(name, sizeof(name), "/proc/%d/fd/%d", holder, fd);
	return holder < 0 || note < 0 ? -errno : io_write_all(note, name, strlen(name));
}

static int write_secret(const struct world *w, int fd)
{
	_cleanup_(fd_closep) int secret = open(in(w, "secret/id_rsa"), O_RDONLY | O_CLOEXEC);
	char text[TEXT_MAX];
	ssize_t n = secret < 0 ? -1 : read(secret, text, sizeof(text));

	return n <= 0 ? -EIO : io_write_all(fd, text, (size_t)n);
}

static int hold_pipe(const struct world *w)
{
	int ends[2];
	int r;

	if (pipe2(ends, O_NONBLOCK) < 0)
		return -errno;
	r = write_secret(w, ends[1]);
	object = ends[0];
	r = r < 0 ? r : let_hold(w, ends[0]);
	(void)close(ends[1]);
	return r;
}

static int hold_memory(const struct world *w)
{
	object = memfd_create("held", 0);
	return object < 0 || write_secret(w, object) < 0 ? -EIO : let_hold(w, object);
}

static int hold_deleted(const struct world *w)
{
	object = open(in(w, "out/held"), O_RDWR | O_CREAT | O_EXCL, 0600);
	if (object < 0 || unlink(in(w, "out/held")) < 0 || write_secret(w, object) < 0)
		return -EIO;
	return let_hold(w, object);
}

static bool is_scribbled_on(const struct world *w)
{
	char text[TEXT_MAX * 4] = "";
	ssize_t n = pread(object, text, sizeof(text) - 1, 0);

	(void)w;
	if (n < 0)
		n = read(object, text, sizeof(text) - 1);
	if (holder > 0) {
		(void)kill(holder, SIGKILL);
		(void)waitpid(holder, NULL, 0);
	}
	holder = 0;
	object = fd_close(object);
	return n > 0 && strstr(text, "attacked");
}

/* ---- in the agent */

static int open_held(const struct world *w, int flags)
{
	_cleanup_(fd_closep) int note = open(in(w, NAME_FILE), O_RDONLY | O_CLOEXEC);
	char name[TEXT_MAX] = "";

	if (note < 0 || read(note, name, sizeof(name) - 1) <= 0)
		return -1;
	return open(name, flags | O_NONBLOCK | O_CLOEXEC);
}

static int read_held(const struct world *w)
{
	return print_fd(open_held(w, O_RDONLY));
}

static int write_held(const struct world *w)
{
	return scribble_fd(open_held(w, O_WRONLY));
}

/* By a descriptor that is a path only, then by that. */
static int read_held_reopened(const struct world *w)
{
	char name[TEXT_MAX];
	int fd = open_held(w, O_PATH);

	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	return fd < 0 ? -errno : print_fd(open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC));
}

/* In another procfs, from before the session: the numbers are the same. */
static int mount_proc(const struct world *w)
{
	int r = hold_pipe(w);

	return r < 0 ? r : outcome(mount("none", in(w, "w/dir"), "proc", 0, NULL));
}

static bool unmount_proc(const struct world *w)
{
	(void)umount2(in(w, "w/dir"), MNT_DETACH);
	return is_scribbled_on(w);
}

static int write_held_elsewhere(const struct world *w)
{
	_cleanup_(fd_closep) int note = open(in(w, NAME_FILE), O_RDONLY | O_CLOEXEC);
	char name[TEXT_MAX * 2] = "dir";

	/* It begins with "/proc". */
	if (note < 0 || read(note, name, TEXT_MAX) <= 0)
		return -errno;
	memcpy(name, "./dir", 5);
	return scribble_fd(open(name, O_WRONLY | O_NONBLOCK | O_CLOEXEC));
}

static const char *proc_file(const struct world *w, const char *name)
{
	return in(&(struct world){.top = "/proc"}, "%d/%s", w->decoy, name);
}

static int read_memory(const struct world *w)
{
	int fd = open(proc_file(w, "mem"), O_RDONLY | O_CLOEXEC);

	if (fd < 0 || lseek(fd, (off_t)(uintptr_t)(w->page + 1), SEEK_SET) < 0)
		return -errno;
	return print_fd(fd);
}

static int read_memory_of_thread(const struct world *w)
{
	char name[TEXT_MAX];

	(void)snprintf(name, sizeof(name), "task/%d/mem", w->decoy);
	return outcome(open(proc_file(w, name), O_RDONLY | O_CLOEXEC));
}

static int read_environment(const struct world *w)
{
	return outcome(open(proc_file(w, "environ"), O_RDONLY | O_CLOEXEC));
}

static int read_environment_reopened(const struct world *w)
{
	char name[TEXT_MAX];
	int fd = open(proc_file(w, "environ"), O_PATH | O_CLOEXEC);

	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	return fd < 0 ? -errno : outcome(open(name, O_RDONLY | O_CLOEXEC));
}

/* A process of the session looks into another one, as debuggers and shells do. */
static int look_at_own_child(const struct world *w)
{
	static const char *const names[] = {"environ", "mem", "maps", "fd/0", "fd/60"};
	int ends[2], status;
	int r = 0;
	pid_t pid;

	(void)w;
	if (pipe(ends) < 0 || dup2(ends[0], HELD_FD) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		(void)pause();
		_exit(0);
	}
	for (size_t i = 0; pid > 0 && r == 0 && i < ARRAY_SIZE(names); i++)
		r = outcome(open(in(&(struct world){.top = "/proc"}, "%d/%s", pid, names[i]),
				 O_RDONLY | O_NONBLOCK | O_CLOEXEC));
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, &status, 0);
	return r;
}

/* Linux 6.10 lets whoever opened it do this. */
static int link_descriptor(const struct world *w)
{
	int fd = open(in(w, "secret/id_rsa"), O_PATH | O_CLOEXEC);

	if (fd < 0 || linkat(fd, "", AT_FDCWD, "taken", AT_EMPTY_PATH) < 0)
		return -errno;
	return print_fd(open("taken", O_RDONLY | O_CLOEXEC));
}

/* RENAME_WHITEOUT, which leaves a device behind, and RENAME_EXCHANGE. */
static int rename_leaving(const struct world *w)
{
	return outcome(
		syscall(SYS_renameat2, AT_FDCWD, in(w, "out/file"), AT_FDCWD, "taken", 1 << 2));
}

static int exchange_from_inside(const struct world *w)
{
	return outcome(
		syscall(SYS_renameat2, AT_FDCWD, "file", AT_FDCWD, in(w, "out/file"), 1 << 1));
}

/* ---- leases: whoever opens the file waits for 45 seconds, or fails */

static int lease(const struct world *w, unsigned long command, unsigned long kind)
{
	int fd = open(in(w, "w/file"), O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : outcome(syscall(SYS_fcntl, fd, command, kind));
}

static int lease_against_writers(const struct world *w)
{
	return lease(w, F_SETLEASE, F_RDLCK);
}

static int lease_against_all(const struct world *w)
{
	return lease(w, F_SETLEASE, F_WRLCK);
}

static int lease_high(const struct world *w)
{
	return lease(w, 1UL << 32 | F_SETLEASE, F_WRLCK);
}

static int delegation(const struct world *w)
{
	const uint32_t delegation[2] = {0, F_RDLCK};

	return lease(w, 1040 /* F_SETDELEG, Linux 6.19 */, (unsigned long)(uintptr_t)delegation);
}

/* ---- names in memory that nobody but the caller and the kernel can read */

static char *secret_text(const char *text)
{
	int fd = (int)syscall(447 /* memfd_secret */, 0);
	char *p;

	if (fd < 0 || ftruncate(fd, 4096) < 0)
		return NULL;
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return NULL;
	(void)snprintf(p, 4096, "%s", text);
	return p;
}

static int read_by_secret_name(const struct world *w)
{
	const char *name = secret_text(in(w, "secret/id_rsa"));

	return name ? print_fd(open(name, O_RDONLY | O_CLOEXEC))
		    : attack_cannot("no secret memory: %m");
}

static int write_by_secret_name(const struct world *w)
{
	const char *name = secret_text(in(w, "out/file"));

	return name ? scribble_fd(open(name, O_WRONLY | O_CLOEXEC))
		    : attack_cannot("no secret memory: %m");
}

static int run_by_secret_name(const struct world *w)
{
	const char *name = secret_text(in(w, "evil/at"));

	return name ? run_program((const char *const[]){name, NULL})
		    : attack_cannot("no secret memory: %m");
}

/* Root's session lacks the capability, so there they are not even found. */
#define HELD(fact, attack, put, what)                                                              \
	{                                                                                          \
		fact, "B19 A17", attack, SHIP | READ_ONLY | PW | PA,                               \
			.effect = what, .denies = DENIES_ANY, .error = ENOENT, .prepare = put,     \
			.look = is_scribbled_on                                                    \
	}
#define LEASE(fact, attack)                                                                        \
	{                                                                                          \
		fact, "H4 H15", attack, SHIP | READ_ONLY | PW, .object = "fcntl", .only = EPERM    \
	}
#define HIDDEN(fact, attack, what)                                                                 \
	{                                                                                          \
		fact, "A15 A16", attack, SHIP | PW, .effect = what, .denies = DENIES_ANY,          \
						    .error = EFAULT                                \
	}

static const struct attack_row rows[] = {
	HELD("pipe_of_a_process_outside_is_not_read", read_held, hold_pipe, EFFECT_LEAKED),
	HELD("memory_file_of_a_process_outside_is_not_read", read_held, hold_memory, EFFECT_LEAKED),
	HELD("deleted_file_of_a_process_outside_is_not_read", read_held, hold_deleted,
	     EFFECT_LEAKED),
	HELD("pipe_of_a_process_outside_is_not_written", write_held, hold_pipe, EFFECT_HOST),
	HELD("memory_file_of_a_process_outside_is_not_written", write_held, hold_memory,
	     EFFECT_HOST),
	HELD("deleted_file_of_a_process_outside_is_not_written", write_held, hold_deleted,
	     EFFECT_HOST),
	HELD("pipe_of_a_process_outside_is_not_read_by_a_path_only", read_held_reopened, hold_pipe,
	     EFFECT_LEAKED),
	{"pipe_of_a_process_outside_is_not_written_by_another_proc", "B5 B19", write_held_elsewhere,
	 PA, .flags = ROW_ROOT, .effect = EFFECT_HOST, .denies = DENIES_ANY, .error = ENOENT,
	 .prepare = mount_proc, .look = unmount_proc},
	{"memory_of_a_process_outside_is_not_read_whatever_is_allowed", "B19 E10 P19", read_memory,
	 PA, .effect = EFFECT_LEAKED, .object = "/mem"},
	{"memory_of_a_process_outside_is_not_read_by_its_thread", "B19 E10", read_memory_of_thread,
	 PA, .object = "/mem"},
	{"environment_of_a_process_outside_is_not_read", "B19 P50", read_environment,
	 SHIP | READ_ONLY | PW | PA, .object = "/environ"},
	{"environment_of_a_process_outside_is_not_read_by_a_path_only", "B19 P50",
	 read_environment_reopened, SHIP | READ_ONLY | PW | PA, .object = "/environ"},
	{"process_of_the_session_looks_at_its_child", "B19", look_at_own_child, PA,
	 .flags = ROW_ALLOWED},
	{"descriptor_of_a_secret_cannot_be_linked", "B2 P16", link_descriptor, SHIP | PW,
	 .effect = EFFECT_LEAKED, .object = "id_rsa"},
	{"rename_that_leaves_a_device_is_denied", "D:rename", rename_leaving, SHIP | PW,
	 .effect = EFFECT_CHANGED, .object = "out/file"},
	{"exchange_from_inside_is_denied", "D:rename", exchange_from_inside, SHIP | PW,
	 .effect = EFFECT_CHANGED, .object = "out/file"},
	LEASE("lease_against_writers_is_refused", lease_against_writers),
	LEASE("lease_against_all_is_refused", lease_against_all),
	LEASE("lease_with_high_bits_is_refused", lease_high),
	LEASE("delegation_is_refused", delegation),
	HIDDEN("name_in_secret_memory_does_not_hide_a_secret", read_by_secret_name, EFFECT_LEAKED),
	HIDDEN("name_in_secret_memory_does_not_hide_a_write", write_by_secret_name, EFFECT_CHANGED),
	HIDDEN("name_in_secret_memory_does_not_hide_a_program", run_by_secret_name, EFFECT_RAN),
};

const struct attack_group attack_group = {"objects", rows, ARRAY_SIZE(rows), false, true};
