/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The null supervisor: runs COMMAND under a seccomp filter whose notifications it receives and
 * answers "continue", and does nothing else. No call is looked at, so what it costs is the floor of
 * the mechanism, with which tools/bench compares Holdfast.
 *
 * With -x it compares: an exec is stopped before the new image's first instruction, and what runs
 * is read there (the image's device and inode, the arguments). That is the least that makes an exec
 * free of races without privilege; what was read is not used.
 *
 * With -o it opens: it reads the path, opens it itself and hands the descriptor over. That is the
 * least that makes an open free of races; nothing is decided.
 *
 * With -k, beside -o, opens below DIR wait for their answer until SIGUSR1: what the kernel makes of
 * many notifications that wait.
 *
 * With -n it connects: it takes a duplicate of the caller's socket, reads the address, connects and
 * answers. That is the least that makes a connect free of races.
 *
 *   null-supervisor [-c CLASS] [-r RECEIVERS] [-k N:DIR] [-n] [-o] [-x] [-p] [-S] [--] COMMAND...
 *
 * It uses nothing of Holdfast's own code, so that a mistake there cannot show in both.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "null-filter.h"

/* Later than the headers of Debian 12: Linux 5.19 and 6.6. */
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif
#ifndef SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif
#ifndef __NR_openat2
#define __NR_openat2 437
#endif

#define PIDFD_OF_THREAD O_EXCL /* Linux 6.9 */

#define EXIT_OWN_FAILURE 125
#define EXIT_CANNOT_RUN  126
#define EXIT_NOT_FOUND   127
#define RECEIVERS_MAX    64
#define KEPT_MAX         100000

static const char *const class_names[_CLASS_MAX] = {
	[CLASS_ALL] = "all",
	[CLASS_WRITES] = "writes",
	[CLASS_EXEC] = "exec",
};

struct options {
	enum trap_class class;
	unsigned receivers;
	bool pin;
	bool opens, connects;
	const char *kept_dir; /* -k; NULL: nothing is kept */
	unsigned kept_count;
	bool compares;
	bool sync_wake_up;
	char *const *command;
};

struct receiver {
	int listener;
	int cpu; /* -1: any */
	const struct options *options;
};

/* The child: loads the filter, tells the listener's number, executes. */
static _Noreturn void run_command(const struct program *p, int tell, char *const *command)
{
	/* The kernel does not write to the program. */
	struct sock_fprog fprog = {.len = p->len,
				   .filter = (struct sock_filter *)(uintptr_t)p->insns};
	int listener;

	/* Without no_new_privs the filter is refused, which the next line reports. */
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	listener = (int)syscall(
		__NR_seccomp, SECCOMP_SET_MODE_FILTER,
		SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &fprog);
	if (listener < 0)
		listener = -errno;
	if (write(tell, &listener, sizeof(listener)) != sizeof(listener) || listener < 0)
		_exit(EXIT_OWN_FAILURE);
	(void)execvp(command[0], command);
	fprintf(stderr, "null-supervisor: cannot run %s: %s\n", command[0], strerror(errno));
	_exit(errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN);
}

/*
 * CLONE_FILES: the listener that the child gets appears here under the same number; its exec
 * gives it a table of its own, and closes its copy of the listener (O_CLOEXEC).
 */
static pid_t start(const struct options *o, int *ret_listener)
{
	struct program p = {.len = 0};
	int ends[2];
	pid_t pid;

	build_filter(o->class, &p);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	pid = (pid_t)syscall(__NR_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0)
		run_command(&p, ends[1], o->command);
	if (pid < 0)
		return -errno;
	if (read(ends[0], ret_listener, sizeof(*ret_listener)) != sizeof(*ret_listener))
		return -EPIPE;
	return *ret_listener < 0 ? *ret_listener : pid;
}

static bool has_hung_up(int listener)
{
	struct pollfd p = {.fd = listener};

	return poll(&p, 1, 0) == 1 && (p.revents & POLLHUP);
}

/* The pointer to the path among the arguments, -1 for calls without one that are trapped here. */
static int path_argument(int nr)
{
	switch (nr) {
#ifdef __NR_open
	case __NR_open:
#endif
	case __NR_execve:
		return 0;
	case __NR_openat:
	case __NR_openat2:
	case __NR_execveat:
		return 1;
	default:
		return -1;
	}
}

static bool is_exec(const struct seccomp_notif *n)
{
	return n->data.nr == __NR_execve || n->data.nr == __NR_execveat;
}

static void read_image(pid_t pid)
{
	char path[32], text[4096];
	struct stat st;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	(void)stat(path, &st);
	(void)snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)!read(fd, text, sizeof(text));
	(void)close(fd);
}

/*
 * The interrupt is pending while the call goes on, so that the caller stops in any case: at the
 * exec, or where a call that failed returns.
 */
static void answer_exec(int listener, struct seccomp_notif *n, struct seccomp_notif_resp *answer)
{
	const pid_t tid = (pid_t)n->pid;
	siginfo_t si;

	if (ptrace(PTRACE_SEIZE, tid, 0, PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL) < 0)
		abort();
	(void)ptrace(PTRACE_INTERRUPT, tid, 0, 0);
	(void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, answer);
	while (waitid(P_ALL, 0, &si, WEXITED | WSTOPPED | __WALL | __WNOTHREAD) < 0)
		if (errno != EINTR)
			return;
	if (si.si_code != CLD_TRAPPED)
		return;
	if (si.si_status == (SIGTRAP | PTRACE_EVENT_EXEC << 8))
		read_image(si.si_pid);
	(void)ptrace(PTRACE_DETACH, si.si_pid, 0, 0);
}

/* The directory that a relative path of @n starts from, as a descriptor of ours; -1: none. */
static int open_base(const struct seccomp_notif *n)
{
	int dirfd = path_argument(n->data.nr) == 1 ? (int)n->data.args[0] : AT_FDCWD;
	char link[64];

	if (dirfd == AT_FDCWD)
		(void)snprintf(link, sizeof(link), "/proc/%u/cwd", n->pid);
	else
		(void)snprintf(link, sizeof(link), "/proc/%u/fd/%d", n->pid, dirfd);
	return open(link, O_PATH | O_CLOEXEC);
}

/* Notifications that -k keeps unanswered. */
static uint64_t *kept;
static atomic_uint n_kept;

static bool keep(const struct options *o, const struct seccomp_notif *n, const char *path)
{
	unsigned count = atomic_load(&n_kept);

	if (!o->kept_dir || count == o->kept_count ||
	    strncmp(path, o->kept_dir, strlen(o->kept_dir)) != 0)
		return false;
	kept[count++] = n->id;
	atomic_store(&n_kept, count);
	if (count == o->kept_count)
		fputs("kept\n", stderr);
	return true;
}

/* With the signal blocked in all threads. */
static void *release(void *arg)
{
	const int *listener = arg;
	sigset_t set;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	(void)sigwait(&set, &sig);
	for (unsigned i = 0; i < atomic_load(&n_kept); i++) {
		struct seccomp_notif_resp answer = {.id = kept[i],
						    .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};

		(void)ioctl(*listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
	}
	return NULL;
}

static int start_keeping(const struct options *o, int listener)
{
	static int of;
	pthread_t thread;
	sigset_t set;
	int e;

	if (!o->kept_dir)
		return 0;
	of = listener;
	kept = calloc(o->kept_count, sizeof(*kept));
	if (!kept)
		return -ENOMEM;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL);
	e = pthread_create(&thread, NULL, release, &of);
	if (e == 0)
		(void)pthread_detach(thread);
	return -e;
}

/* What means something else to us than to the caller: /proc/self, /dev/tty, /dev/fd. */
static bool is_its_own(const char *path)
{
	return strncmp(path, "/proc/", 6) == 0 || strncmp(path, "/dev/", 5) == 0;
}

/* Opens for the caller and answers. Return: false when it is to be told to go on itself: no open,
 * O_PATH, which cannot be injected, or what we cannot open for it. */
static bool open_for(const struct options *o, int listener, const struct seccomp_notif *n)
{
	int arg = path_argument(n->data.nr);
	bool is_open = arg >= 0 && !is_exec(n) && n->data.nr != __NR_openat2;
	int flags = is_open ? (int)n->data.args[arg + 1] : O_PATH;
	struct seccomp_notif_addfd add = {
		.id = n->id, .flags = SECCOMP_ADDFD_FLAG_SEND, .newfd_flags = flags & O_CLOEXEC};
	struct seccomp_notif_resp answer = {.id = n->id};
	char path[256];
	struct iovec local = {.iov_base = path, .iov_len = sizeof(path)};
	struct iovec remote = {.iov_len = sizeof(path)};
	int base = -1;
	int fd;

	if (flags & O_PATH)
		return false;
	remote.iov_base = (void *)(uintptr_t)n->data.args[arg];
	if (process_vm_readv((pid_t)n->pid, &local, 1, &remote, 1, 0) <= 0)
		return false;
	path[sizeof(path) - 1] = '\0';
	if (keep(o, n, path))
		return true;
	if (is_its_own(path))
		return false;
	if (path[0] != '/')
		base = open_base(n);
	fd = openat(base < 0 ? AT_FDCWD : base, path, flags | O_CLOEXEC | O_NOCTTY,
		    (mode_t)n->data.args[arg + 2]);
	answer.error = fd < 0 ? -errno : 0;
	add.srcfd = (uint32_t)fd;
	/* ENOENT: the caller died meanwhile. */
	if (fd < 0)
		(void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
	else
		(void)ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add);
	if (fd >= 0)
		(void)close(fd);
	if (base >= 0)
		(void)close(base);
	return true;
}

/* Connects for the caller and answers. Return: as open_for(). */
static bool connect_for(int listener, const struct seccomp_notif *n)
{
	struct seccomp_notif_resp answer = {.id = n->id};
	struct sockaddr_storage address;
	const size_t len = (size_t)n->data.args[2];
	struct iovec local = {.iov_base = &address, .iov_len = len};
	struct iovec remote = {.iov_base = (void *)(uintptr_t)n->data.args[1], .iov_len = len};
	uint64_t id = n->id;
	int pidfd, fd;

	if (n->data.nr != __NR_connect || len > sizeof(address) ||
	    process_vm_readv((pid_t)n->pid, &local, 1, &remote, 1, 0) != (ssize_t)len)
		return false;
	pidfd = (int)syscall(__NR_pidfd_open, (pid_t)n->pid, PIDFD_OF_THREAD);
	fd = (int)syscall(__NR_pidfd_getfd, pidfd, (int)n->data.args[0], 0);
	(void)close(pidfd);
	/* It takes effect, and the numbers may be another's by now. */
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) < 0)
		answer.error = -EBADF;
	else if (connect(fd, (const struct sockaddr *)&address, (socklen_t)len) < 0)
		answer.error = -errno;
	(void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
	(void)close(fd);
	return true;
}

static void *receive(void *arg)
{
	const struct receiver *r = arg;
	const struct options *o = r->options;
	cpu_set_t cpus;

	if (r->cpu >= 0) {
		CPU_ZERO(&cpus);
		CPU_SET(r->cpu, &cpus);
		(void)sched_setaffinity(0, sizeof(cpus), &cpus);
	}
	for (;;) {
		struct seccomp_notif n = {0};
		struct seccomp_notif_resp answer = {.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};

		if (ioctl(r->listener, SECCOMP_IOCTL_NOTIF_RECV, &n) < 0) {
			if (errno != ENOENT && errno != EINTR)
				abort();
			if (has_hung_up(r->listener))
				return NULL;
			continue;
		}
		if (o->opens && open_for(o, r->listener, &n))
			continue;
		if (o->connects && connect_for(r->listener, &n))
			continue;
		answer.id = n.id;
		if (o->compares && is_exec(&n)) {
			answer_exec(r->listener, &n, &answer);
			continue;
		}
		/* ENOENT: the caller died meanwhile. */
		(void)ioctl(r->listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
	}
}

/* Starts the receivers; they are never joined: the process ends with the command's tree. */
static int start_receivers(const struct options *o, int listener)
{
	static struct receiver receivers[RECEIVERS_MAX];
	pthread_t thread;
	int e;

	for (unsigned i = 0; i < o->receivers; i++) {
		receivers[i] = (struct receiver){
			.listener = listener, .cpu = o->pin ? (int)i : -1, .options = o};
		e = pthread_create(&thread, NULL, receive, &receivers[i]);
		if (e)
			return -e;
		(void)pthread_detach(thread);
	}
	return 0;
}

/* Returns when no task is under the filter any more. epoll always reports a hang-up, and without
 * EPOLLIN it does not wake for each notification. */
static int wait_for_end(int listener)
{
	struct epoll_event event = {.events = 0};
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) < 0)
		return -errno;
	while (epoll_wait(epoll, &event, 1, -1) != 1)
		if (errno != EINTR)
			return -errno;
	return 0;
}

static int fail(const char *what, int error)
{
	fprintf(stderr, "null-supervisor: %s: %s\n", what, strerror(-error));
	return EXIT_OWN_FAILURE;
}

static int supervise(const struct options *o)
{
	int listener = -1;
	pid_t pid = start(o, &listener);
	int status;
	int r;

	if (pid < 0)
		return fail("cannot start the command under a filter", pid);
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS,
		  o->sync_wake_up ? SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP : 0UL) < 0 &&
	    o->sync_wake_up)
		fprintf(stderr, "null-supervisor: no synchronous wake-ups (Linux 6.6), ignoring\n");
	r = start_keeping(o, listener);
	if (r == 0)
		r = start_receivers(o, listener);
	if (r < 0)
		return fail("cannot start a receiver", r);
	r = wait_for_end(listener);
	if (r < 0)
		return fail("cannot wait for the command", r);
	if (waitpid(pid, &status, __WNOTHREAD) < 0)
		return fail("cannot wait for the command", -errno);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static const char usage[] =
	"Usage: null-supervisor [-c all|writes|exec] [-r N|cpus] [-k N:DIR] [-n] [-o] [-x] [-p] [-S] "
	"[--] COMMAND...\n"
	"  -c  which opens are trapped, beside exec and connect (default: all)\n"
	"  -r  receivers (default: 1)\n"
	"  -k  keep: answer opens below DIR only at SIGUSR1; \"kept\" on standard error when there are N\n"
	"  -x  compare: stop each exec before the new image's first instruction, read what it is\n"
	"  -n  connect: read the address, connect a duplicate of the socket\n"
	"  -o  open: read the path, open it, hand the descriptor over\n"
	"  -p  pin each receiver to a CPU of its own\n"
	"  -S  no synchronous wake-ups\n";

static bool parse_class(const char *s, enum trap_class *ret)
{
	for (unsigned i = 0; i < _CLASS_MAX; i++) {
		if (strcmp(class_names[i], s) == 0) {
			*ret = (enum trap_class)i;
			return true;
		}
	}
	return false;
}

static bool parse_receivers(const char *s, unsigned *ret)
{
	const long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned n = 0;

	if (strcmp(s, "cpus") == 0)
		n = cpus > 0 ? (unsigned)cpus : 1;
	else
		for (; *s >= '0' && *s <= '9' && n <= RECEIVERS_MAX; s++)
			n = n * 10 + (unsigned)(*s - '0');
	*ret = n < RECEIVERS_MAX ? n : RECEIVERS_MAX;
	return n > 0;
}

/* "N:DIR" */
static bool parse_kept(const char *s, struct options *ret)
{
	unsigned n = 0;

	for (; *s >= '0' && *s <= '9' && n <= KEPT_MAX; s++)
		n = n * 10 + (unsigned)(*s - '0');
	ret->kept_count = n;
	ret->kept_dir = s + 1;
	return n > 0 && n <= KEPT_MAX && *s == ':' && s[1];
}

static bool parse_options(int argc, char *argv[], struct options *ret)
{
	struct options o = {.class = CLASS_ALL, .receivers = 1, .sync_wake_up = true};
	bool is_good = true;
	int c;

	while (is_good && (c = getopt(argc, argv, "+c:r:k:nopSx")) != -1) {
		switch (c) {
		case 'c':
			is_good = parse_class(optarg, &o.class);
			break;
		case 'r':
			is_good = parse_receivers(optarg, &o.receivers);
			break;
		case 'k':
			is_good = parse_kept(optarg, &o);
			break;
		case 'x':
			o.compares = true;
			break;
		case 'n':
			o.connects = true;
			break;
		case 'o':
			o.opens = true;
			break;
		case 'p':
			o.pin = true;
			break;
		case 'S':
			o.sync_wake_up = false;
			break;
		default:
			is_good = false;
		}
	}
	o.command = argv + optind;
	*ret = o;
	return is_good && optind < argc;
}

int main(int argc, char *argv[])
{
	struct options o;

	if (!parse_options(argc, argv, &o)) {
		fputs(usage, stderr);
		return EXIT_OWN_FAILURE;
	}
	return supervise(&o);
}
