/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "supervise/execs_private.h"
#include "supervise/supervise_private.h"

/* Later than glibc 2.36 has it under this name: the stop of PTRACE_INTERRUPT (ptrace(2)). */
#define STOP_EVENT(status) ((status) >> 8)

int execs_new(const struct execs_config *config, struct execs **ret)
{
	struct execs *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->config = *config;
	(void)pthread_mutex_init(&e->command_wait, NULL); /* cannot fail with default attributes */
	execs_traced_init(&e->traced);
	*ret = e;
	return 0;
}

struct execs *execs_free(struct execs *e)
{
	if (!e)
		return NULL;
	execs_traced_fini(&e->traced);
	(void)pthread_mutex_destroy(&e->command_wait);
	free(e);
	return NULL;
}

/* Whether /proc/PID/cmdline is, or begins as, expected. Nobody but the stopped thread has its
 * memory. */
static bool has_cmdline(pid_t pid, const struct act_exec *expected)
{
	_cleanup_(fd_closep) int fd = -1;
	char path[32], buf[4096];
	size_t done = 0;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		size_t same = MIN((size_t)n, expected->cmdline.len - done);

		if (memcmp(buf, expected->cmdline.p + done, same) != 0)
			return false;
		done += same;
		if (same < (size_t)n)
			return !expected->is_cmdline_whole;
	}
	return n == 0 && done == expected->cmdline.len;
}

bool execs_runs(pid_t pid, const struct act_exec *expected)
{
	struct stat st;
	char path[32];

	if (!expected->image_ino)
		return false;
	(void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	if (stat(path, &st) < 0)
		return false;
	return st.st_dev == expected->image_dev && st.st_ino == expected->image_ino &&
	       has_cmdline(pid, expected);
}

void execs_describe(pid_t pid, struct exec_ran *ret)
{
	_cleanup_(fd_closep) int fd = -1;
	char path[32];
	ssize_t n;
	char *p;

	ret->exe = BYTES_NULL;
	ret->argc = ret->argc_total = 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	n = readlink(path, ret->exe_text, sizeof(ret->exe_text) - 1);
	if (n > 0) {
		ret->exe_text[n] = '\0';
		ret->exe = (struct bytes){.p = ret->exe_text, .len = (size_t)n};
	}
	(void)snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, ret->cmdline, sizeof(ret->cmdline) - 1);
	n = MAX(n, (ssize_t)0);
	ret->cmdline[n] = '\0';
	ret->is_cut = (size_t)n == sizeof(ret->cmdline) - 1;
	for (p = ret->cmdline; p < ret->cmdline + n; p += strlen(p) + 1) {
		ret->argc_total++;
		if (ret->argc < EXEC_RAN_ARGV)
			ret->argv[ret->argc++] = bytes_of(p);
	}
	ret->is_cut = ret->is_cut || ret->argc < ret->argc_total;
}

/* The thread has died. Its remains are for its parent: the kernel hands them on when we have seen
 * them, unless the parent is this process, whose main thread then waits for them. */
static void leave_remains(const siginfo_t *si)
{
	siginfo_t gone;
	pid_t parent;

	if (action_pid_parent(si->si_pid, &parent) == 0 && parent == getpid())
		return;
	(void)waitid(P_PID, (id_t)si->si_pid, &gone, WEXITED | WNOHANG | __WALL | __WNOTHREAD);
}

/*
 * Sleeps until the thread that this one traces has stopped or died. A thread that does not lead its
 * group changes its id by the exec, so it cannot be waited for by id.
 *
 * WNOWAIT: what wait() has taken the main thread, were it the parent, could no longer take.
 * Return: true: stopped, *ret says how; false: dead.
 */
static bool wait_for_stop(const struct action *a, siginfo_t *ret)
{
	bool is_leader = a->tid == a->pid;
	siginfo_t taken;

	for (;;) {
		*ret = (siginfo_t){};
		if (waitid(is_leader ? P_PID : P_ALL, is_leader ? (id_t)a->tid : 0, ret,
			   WEXITED | WSTOPPED | WNOWAIT | __WALL | __WNOTHREAD) < 0) {
			if (errno == EINTR)
				continue;
			return false; /* ECHILD: dead, and somebody has seen it */
		}
		if (ret->si_pid != a->tid && ret->si_pid != a->pid) {
			/* One that died earlier, and that the main thread is about to take. */
			(void)sched_yield();
			continue;
		}
		if (ret->si_code == CLD_TRAPPED || ret->si_code == CLD_STOPPED) {
			/* The kernel wants the stop of a thread that has got another id taken
			 * before it obeys (looks_like_a_spurious_pid() in kernel/ptrace.c). */
			if (!is_leader)
				(void)waitid(P_PID, (id_t)ret->si_pid, &taken,
					     WSTOPPED | WNOHANG | __WALL | __WNOTHREAD);
			return true;
		}
		leave_remains(ret);
		return false;
	}
}

/*
 * Lets the thread go on, untraced. One that was killed in its stop can no longer be let go; it is
 * our tracee until we have seen it dead, and its parent would wait for it as long.
 */
static void detach(const struct action *a, siginfo_t *si)
{
	int sig;

	do {
		/* Of the stops that there can be, only that before a signal is delivered has a
		 * signal: it goes on to the process. */
		sig = STOP_EVENT(si->si_status) ? 0 : si->si_status;
		if (ptrace(PTRACE_DETACH, si->si_pid, NULL, (void *)(uintptr_t)sig) == 0)
			return;
	} while (wait_for_stop(a, si));
}

static void kill_stopped(const struct action *a, const siginfo_t *si)
{
	siginfo_t end;

	(void)kill(si->si_pid, SIGKILL);
	/* It dies from where it stands; a stop that is still reported is the same one. */
	while (wait_for_stop(a, &end))
		(void)sched_yield();
}

static enum execs_end watch(struct execs *e, const struct action *a, uint64_t id,
			    struct exec_ran *ret)
{
	siginfo_t si;

	execs_traced_forget(&e->traced, a->pid);
	/* Cannot fail while it is seized; should it have died, the wait says so. */
	(void)ptrace(PTRACE_INTERRUPT, a->tid, NULL, NULL);
	/* Nobody there any more: the interrupt stops whoever it was, and he is let go. */
	(void)supervise_answer_continue(e->config.listener, id);
	if (!wait_for_stop(a, &si))
		return EXECS_FINE;
	if (STOP_EVENT(si.si_status) != PTRACE_EVENT_EXEC || execs_runs(si.si_pid, &a->act.exec)) {
		detach(a, &si);
		return EXECS_FINE;
	}
	execs_describe(si.si_pid, ret);
	if (e->config.is_audit)
		detach(a, &si);
	else
		kill_stopped(a, &si);
	return EXECS_CHANGED;
}

/* It cannot be seized. */
static enum execs_end go_unwatched(struct execs *e, const struct action *a, uint64_t id)
{
	if (execs_traced_add(&e->traced, a) == 0 || e->config.is_audit) {
		(void)supervise_answer_continue(e->config.listener, id);
		return EXECS_FINE;
	}
	return EXECS_UNCHECKED;
}

enum execs_end execs_continue(struct execs *e, const struct action *a, uint64_t id,
			      struct exec_ran *ret)
{
	bool is_command = a->pid == e->config.command;
	enum execs_end end;

	/* While the command is seized, its stops are not the shell's. */
	if (is_command)
		(void)pthread_mutex_lock(&e->command_wait);
	if (ptrace(PTRACE_SEIZE, a->tid, NULL,
		   (void *)(uintptr_t)(PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL)) == 0)
		end = watch(e, a, id, ret);
	else if (errno == ESRCH)
		end = EXECS_FINE; /* dead */
	else
		end = go_unwatched(e, a, id);
	if (is_command)
		(void)pthread_mutex_unlock(&e->command_wait);
	return end;
}

bool execs_check(struct execs *e, const struct action *a, struct exec_ran *ret)
{
	if (!execs_traced_is_changed(&e->traced, a))
		return false;
	execs_describe(a->pid, ret);
	if (!e->config.is_audit)
		(void)kill(a->pid, SIGKILL); /* its call waits for our answer: it is no other's */
	return true;
}

int execs_command_stop(struct execs *e)
{
	siginfo_t si = {};
	int r;

	if (pthread_mutex_trylock(&e->command_wait) != 0)
		return -EAGAIN;
	r = waitid(P_PID, (id_t)e->config.command, &si, WSTOPPED | WNOHANG | __WNOTHREAD);
	(void)pthread_mutex_unlock(&e->command_wait);
	return r == 0 && si.si_pid && si.si_code == CLD_STOPPED ? si.si_status : 0;
}
