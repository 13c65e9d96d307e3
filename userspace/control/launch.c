/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>

#include "base/say.h"
#include "base/strbuf.h"

#include "control/launch.h"
#include "control/tree.h"

#define KILL_TIMEOUT_NS (5 * NS_PER_SEC)
#define LATE_MAX        ((size_t)16 * 1024) /* bytes of notices that wait for the terminal */
#define LATE_RETRY_MS   500
#define CGROUP_ROUNDS   100

struct launcher {
	pid_t keeper;  /* which is the supervisor's parent */
	pid_t command; /* 0 until it is started */
	int sock;
	int signals;
	bool has_result;
	int exit_status;
	int terminal;            /* -1: none */
	struct termios settings; /* of the terminal, as they were at the start */
	struct strbuf late;      /* notices for which the terminal is not free; lines */
};

int launch_send(int sock, enum launch_message_type type, int value, const char *fmt, ...)
{
	struct launch_message m = {.type = type, .value = value};
	size_t len;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(m.text, sizeof(m.text), fmt, ap);
	va_end(ap);
	len = offsetof(struct launch_message, text) + strlen(m.text) + 1;
	if (send(sock, &m, len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return -errno;
	return 0;
}

static int status_of_wait(int wait_status)
{
	if (WIFSIGNALED(wait_status))
		return RUN_EXIT_SIGNAL + WTERMSIG(wait_status);
	return WEXITSTATUS(wait_status);
}

/* The command stopped: stop as well, so that the shell takes its terminal back. */
static void launcher_stop(void)
{
	/*
	 * SIGSTOP rather than the signal that stopped the command: SIGTSTP is blocked here, and is
	 * discarded anyway in an orphaned process group, where the command could not have been
	 * stopped by it either.
	 */
	(void)kill(getpid(), SIGSTOP);
}

/*
 * Signals that the terminal sends go to the whole foreground group, so the command has had them;
 * those that a process sent were meant for the command and reach only us.
 */
static void launcher_forward(const struct launcher *l, const struct signalfd_siginfo *si)
{
	if (l->command <= 0)
		return;
	if (si->ssi_signo == SIGCONT || si->ssi_code <= 0)
		(void)kill(l->command, (int)si->ssi_signo);
}

static void launcher_signals(struct launcher *l)
{
	struct signalfd_siginfo si;

	while (read(l->signals, &si, sizeof(si)) == (ssize_t)sizeof(si))
		if (si.ssi_signo != SIGCHLD)
			launcher_forward(l, &si);
}

/* Who reads keys rather than lines draws the screen as well: what we wrote would be in between. */
static bool is_screen_taken(void)
{
	struct termios t;

	return tcgetattr(STDERR_FILENO, &t) == 0 && !(t.c_lflag & ICANON);
}

static void notices_flush(struct launcher *l)
{
	char *state = NULL;

	if (!l->late.len)
		return;
	for (char *line = strtok_r(l->late.p, "\n", &state); line;
	     line = strtok_r(NULL, "\n", &state))
		say("%s", line);
	if (strbuf_error(&l->late))
		say("(more was said while a program had the terminal to itself; `holdfast log` has "
		    "it)");
	strbuf_reset(&l->late);
}

/* The bell moves nothing on a screen, and says that there is something. */
static void notice(struct launcher *l, const char *text)
{
	if (!is_screen_taken()) {
		notices_flush(l);
		say("%s", text);
		return;
	}
	if (!l->late.len)
		(void)!write(STDERR_FILENO, "\a", 1);
	strbuf_add_fmt(&l->late, "%s\n", text);
}

static void launcher_message(struct launcher *l, const struct launch_message *m)
{
	switch (m->type) {
	case LAUNCH_STARTED:
		l->command = m->value;
		return;
	case LAUNCH_NOTICE:
		notice(l, m->text);
		return;
	case LAUNCH_STOPPED:
		launcher_stop();
		return;
	case LAUNCH_FAILED:
	case LAUNCH_CUT:
		say("%s", m->text);
		/* Nothing runs any more, so it ends at once; until then it has the log. */
		(void)waitpid(l->keeper, NULL, 0);
		l->exit_status = m->value;
		l->has_result = true;
		return;
	case LAUNCH_ENDED:
		/* The supervisor exits at once: leave no zombie, and nothing that ps(1) would show,
		 * behind. */
		(void)waitpid(l->keeper, NULL, 0);
		l->exit_status = status_of_wait(m->value);
		l->has_result = true;
		return;
	case LAUNCH_EXITED:
		l->exit_status = status_of_wait(m->value);
		l->has_result = true;
		return;
	}
}

/* Return: false when the supervisor has gone without a result. */
static bool launcher_receive(struct launcher *l)
{
	for (;;) {
		struct launch_message m = {};
		ssize_t n = recv(l->sock, &m, sizeof(m) - 1, MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN;
		if (n == 0)
			return false;
		launcher_message(l, &m);
		if (l->has_result)
			return true;
	}
}

static void terminal_save(struct launcher *l)
{
	l->terminal = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (l->terminal >= 0 && tcgetattr(l->terminal, &l->settings) < 0)
		l->terminal = fd_close(l->terminal);
}

/* A question on the terminal, or a full-screen program, died without giving it back. */
static void terminal_restore(const struct launcher *l)
{
	if (l->terminal < 0)
		return;
	(void)tcsetpgrp(l->terminal, getpgrp()); /* SIGTTOU is blocked, as all signals are */
	(void)tcsetattr(l->terminal, TCSANOW, &l->settings);
}

/* A page that launcher, keeper and supervisor share; an empty string: there is no cgroup. NULL:
 * there is no page. */
static char *shared_cgroup;

static void share_cgroup(void)
{
	void *p = mmap(NULL, PATH_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	shared_cgroup = p == MAP_FAILED ? NULL : p;
}

void launch_note_cgroup(const char *path)
{
	if (shared_cgroup && strlen(path) < PATH_MAX)
		memcpy(shared_cgroup, path, strlen(path) + 1);
}

/* Of a supervisor that died: the tree was killed, and its last processes may be about to go. */
static void remove_cgroup(void)
{
	const struct timespec round = {.tv_nsec = 10 * (long)NS_PER_MSEC};

	if (!shared_cgroup || !*shared_cgroup)
		return;
	for (int i = 0; i < CGROUP_ROUNDS && rmdir(shared_cgroup) < 0 && errno == EBUSY; i++)
		(void)nanosleep(&round, NULL);
}

/*
 * The supervisor died, and the keeper, whose end is waited for, killed its tree. If the keeper was
 * killed as well, the kernel gave the tree to us, the next subreaper.
 */
static int launcher_bereaved(struct launcher *l)
{
	int left;

	(void)waitpid(l->keeper, NULL, 0);
	left = tree_kill(KILL_TIMEOUT_NS);
	remove_cgroup();
	terminal_restore(l);
	if (l->command > 0)
		say("the supervisor died; the command and its processes were killed%s",
		    left ? ", but some could not be" : "");
	else
		say("the supervisor died before the command started");
	return l->command > 0 ? RUN_EXIT_SIGNAL + SIGKILL : RUN_EXIT_FAILED;
}

static int launcher_loop(struct launcher *l)
{
	struct pollfd fds[] = {{.fd = l->sock, .events = POLLIN},
			       {.fd = l->signals, .events = POLLIN}};

	for (;;) {
		if (poll(fds, ARRAY_SIZE(fds), l->late.len ? LATE_RETRY_MS : -1) < 0 &&
		    errno != EINTR)
			return RUN_EXIT_FAILED;
		if (l->late.len && !is_screen_taken())
			notices_flush(l);
		if (fds[1].revents)
			launcher_signals(l);
		if (!launcher_receive(l)) {
			notices_flush(l);
			return launcher_bereaved(l);
		}
		if (l->has_result) {
			notices_flush(l);
			return l->exit_status;
		}
	}
}

/*
 * The supervisor's parent for as long as it lives, and nothing else. When the supervisor dies,
 * calls that the filter notifies fail (ENOSYS), but all others would go on unsupervised; so its
 * tree, which the kernel then gives to the keeper, is killed. The launcher cannot do that: it
 * leaves with the command, while daemons of the session may live on. Holds no descriptor that
 * anybody could wait for.
 */
static _Noreturn void keeper_run(int (*supervisor)(void *arg, int sock, const sigset_t *mask),
				 void *arg, int sock, const sigset_t *original)
{
	pid_t pid, supervisor_pid;
	int wait_status;

	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	/* Out of the job: neither its end nor its stops are the keeper's. All signals are blocked.
	 */
	(void)setpgid(0, 0);
	supervisor_pid = fork();
	if (supervisor_pid == 0)
		_exit(supervisor(arg, sock, original));
	(void)prctl(PR_SET_DUMPABLE, 0);
	(void)signal(SIGCHLD, SIG_DFL);
	(void)syscall(__NR_close_range, 0U, ~0U, 0U);
	if (supervisor_pid < 0)
		_exit(RUN_EXIT_FAILED);
	do
		pid = waitpid(-1, &wait_status, 0);
	while (pid != supervisor_pid && (pid > 0 || errno == EINTR));
	wait_status = tree_kill(KILL_TIMEOUT_NS);
	remove_cgroup();
	_exit(wait_status == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

int launch_run(int (*supervisor)(void *arg, int sock, const sigset_t *mask), void *arg)
{
	struct launcher l = {
		.sock = -1, .signals = -1, .terminal = -1, .late = STRBUF_INIT(LATE_MAX)};
	sigset_t all, original;
	int socks[2];

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, &original);
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	share_cgroup();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, socks) < 0) {
		say("cannot start: socketpair: %s", strerror(errno));
		return RUN_EXIT_FAILED;
	}
	l.keeper = fork();
	if (l.keeper < 0) {
		say("cannot start: fork: %s", strerror(errno));
		return RUN_EXIT_FAILED;
	}
	if (l.keeper == 0) {
		fd_close(socks[0]);
		keeper_run(supervisor, arg, socks[1], &original);
	}
	/* Dispositions are left as they were until now: the command inherits them through the
	 * supervisor. */
	(void)signal(SIGCHLD, SIG_DFL);
	(void)prctl(PR_SET_DUMPABLE,
		    0); /* nobody of the same user traces it, or takes its descriptors */
	terminal_save(&l);
	fd_close(socks[1]);
	l.sock = socks[0];
	l.signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (l.signals < 0) {
		say("cannot start: signalfd: %s", strerror(errno));
		return RUN_EXIT_FAILED;
	}
	return launcher_loop(&l);
}
