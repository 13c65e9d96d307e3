/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/clock.h"

#include "broker/program.h"

static void close_all(struct program *p)
{
	p->in = fd_close(p->in);
	p->out = fd_close(p->out);
	p->err = fd_close(p->err);
	p->pidfd = fd_close(p->pidfd);
}

/* In the child; does not return. */
static void become(const char *command, int in, int out, int err)
{
	const char *const argv[] = {"sh", "-c", command, NULL};
	sigset_t none;

	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
	    dup2(err, STDERR_FILENO) < 0)
		_exit(126);
	/* Its signature says that it may change the strings; it does not. */
	(void)execv("/bin/sh", (char *const *)(uintptr_t)argv);
	_exit(127);
}

static int make_pipe(int *ret_read, int *ret_write)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	*ret_read = fds[0];
	*ret_write = fds[1];
	return 0;
}

static int set_nonblocking(int fd)
{
	return fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

static int spawn(struct program *p, const char *command)
{
	_cleanup_(fd_closep) int in = -1, out = -1, err = -1;
	int r = make_pipe(&in, &p->in);

	if (r == 0)
		r = make_pipe(&p->out, &out);
	if (r == 0)
		r = make_pipe(&p->err, &err);
	if (r == 0)
		r = set_nonblocking(p->in);
	if (r == 0)
		r = set_nonblocking(p->out);
	if (r == 0)
		r = set_nonblocking(p->err);
	if (r < 0)
		return r;
	p->pid = fork();
	if (p->pid < 0)
		return -errno;
	if (p->pid == 0)
		become(command, in, out, err);
	(void)setpgid(p->pid, p->pid); /* whichever of us comes first */
	p->pidfd = (int)syscall(SYS_pidfd_open, p->pid, 0);
	return p->pidfd < 0 ? -errno : 0;
}

static void forget(struct program *p)
{
	close_all(p);
	strbuf_fini(&p->question);
	strbuf_fini(&p->answer);
	*p = (struct program){.pidfd = -1, .in = -1, .out = -1, .err = -1};
}

int program_start(struct program *p, const char *command, const char *id, struct bytes question,
		  uint64_t deadline_ns)
{
	int r;

	*p = (struct program){
		.pidfd = -1,
		.in = -1,
		.out = -1,
		.err = -1,
		.started_ns = clock_monotonic_ns(),
		.deadline_ns = deadline_ns,
		.question = STRBUF_INIT(ASKER_QUESTION_MAX),
		.answer = STRBUF_INIT(PROGRAM_ANSWER_MAX),
	};
	memcpy(p->id, id, HELD_ID_SIZE);
	strbuf_add_bytes(&p->question, question);
	r = strbuf_error(&p->question);
	if (r == 0)
		r = spawn(p, command);
	if (r < 0)
		program_end(p);
	return r;
}

void program_end(struct program *p)
{
	if (!p->id[0])
		return;
	if (p->pid > 0) {
		(void)kill(-p->pid, SIGKILL);
		(void)kill(p->pid, SIGKILL);
		(void)waitpid(p->pid, NULL, 0);
	}
	forget(p);
}

size_t program_poll(const struct program *p, struct pollfd fds[static PROGRAM_FDS])
{
	size_t n = 0;

	if (!p->id[0])
		return 0;
	fds[n++] = (struct pollfd){.fd = p->pidfd, .events = POLLIN};
	if (p->in >= 0)
		fds[n++] = (struct pollfd){.fd = p->in, .events = POLLOUT};
	if (p->out >= 0)
		fds[n++] = (struct pollfd){.fd = p->out, .events = POLLIN};
	if (p->err >= 0)
		fds[n++] = (struct pollfd){.fd = p->err, .events = POLLIN};
	return n;
}

/* ---- moving data */

/* A program may answer without reading all, or anything. */
static void feed(struct program *p)
{
	while (p->in >= 0) {
		size_t left = p->question.len - p->written;
		ssize_t n = left ? write(p->in, p->question.p + p->written, left) : -1;

		if (left && n < 0 && errno == EINTR)
			continue;
		if (left && n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			p->in = fd_close(p->in);
		else
			p->written += (size_t)n;
	}
}

static void take_answer(struct program *p)
{
	char part[4096];

	while (p->out >= 0 && !strbuf_error(&p->answer)) {
		ssize_t n = read(p->out, part, sizeof(part));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0)
			p->out = fd_close(p->out);
		else
			strbuf_add(&p->answer, part, (size_t)n);
	}
}

/* The last line that has something in it; a program may talk for ever, so only so much at once. */
static void take_complaint(struct program *p)
{
	char part[4096];
	ssize_t n = p->err < 0 ? 0 : read(p->err, part, sizeof(part));
	size_t end, start;

	if (n <= 0) {
		if (p->err >= 0 && (n == 0 || (errno != EAGAIN && errno != EINTR)))
			p->err = fd_close(p->err);
		return;
	}
	for (end = (size_t)n; end > 0 && (part[end - 1] == '\n' || part[end - 1] == '\r'); end--)
		;
	for (start = end; start > 0 && part[start - 1] != '\n'; start--)
		;
	if (start == end)
		return;
	(void)snprintf(p->complaint, sizeof(p->complaint), ": %.*s", (int)(end - start),
		       part + start);
}

/* ---- its end */

static void fail(struct program *p, struct control_request *ret, const char *how)
{
	int n = snprintf(ret->reason, sizeof(ret->reason), "The program %s%s", how, p->complaint);

	ret->op = CONTROL_DENY;
	ret->reason_len = MIN((size_t)n, sizeof(ret->reason) - 1);
}

static void judge(struct program *p, const siginfo_t *si, struct control_request *ret)
{
	const char *problem;
	char how[160];

	if (si->si_code != CLD_EXITED) {
		(void)snprintf(how, sizeof(how), "was killed by signal %d", si->si_status);
		fail(p, ret, how);
		return;
	}
	if (si->si_status != 0) {
		(void)snprintf(how, sizeof(how), "failed with status %d", si->si_status);
		fail(p, ret, how);
		return;
	}
	problem = program_read_answer(strbuf_bytes(&p->answer), ret);
	if (!problem)
		return;
	*ret = (struct control_request){.op = CONTROL_DENY};
	(void)snprintf(how, sizeof(how), "answered with %s", problem);
	fail(p, ret, how);
}

static void say_late(struct program *p, uint64_t now_ns, struct control_request *ret)
{
	char how[64];

	(void)snprintf(how, sizeof(how), "did not answer within %llu s",
		       (unsigned long long)((now_ns - p->started_ns) / NS_PER_SEC));
	fail(p, ret, how);
}

bool program_step(struct program *p, uint64_t now_ns, struct control_request *ret)
{
	siginfo_t si = {};
	bool has_exited;

	if (!p->id[0])
		return false;
	*ret = (struct control_request){};
	/* First whether it is over: what it wrote before that is in the pipes by then. What a
	 * process that it left behind may write later is not waited for. */
	has_exited =
		waitid(P_PID, (id_t)p->pid, &si, WEXITED | WNOHANG | WNOWAIT) == 0 && si.si_pid;
	feed(p);
	take_answer(p);
	take_complaint(p);
	if (strbuf_error(&p->answer))
		fail(p, ret, "answered with more than 64 KiB");
	else if (has_exited)
		judge(p, &si, ret);
	else if (now_ns >= p->deadline_ns)
		say_late(p, now_ns, ret);
	else
		return false;
	memcpy(ret->id, p->id, HELD_ID_SIZE);
	program_end(p);
	return true;
}
