/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pseudo-terminal with a session on it. As in a session of Holdfast's: a launcher leads the
 * terminal's session and its foreground group; the supervisor is in a group of its own; an agent is
 * the supervisor's child in the launcher's group. The test is the person: it holds the master.
 */
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>

#include "approve/prompt.h"
#include "base/clock.h"
#include "base/io.h"

#include "unit.h"

#define WAIT_MS    10000
#define SCREEN_MAX ((size_t)1 << 20)

struct pty {
	int master;
	char slave[64];
	pid_t launcher;
	int report; /* what the supervisor says, a line at a time */
	int stay;   /* the launcher, and so the terminal's session, lives until this is closed */
	struct strbuf screen;
	struct strbuf reports;
};

/* What runs as the supervisor. */
typedef void (*scenario_fn)(const struct prompt_config *config, int report);

/* ---- the processes of the session */

static void supervisor(scenario_fn scenario, pid_t launcher, int report)
{
	struct prompt_config config = {.job_pgrp = launcher, .supervisor = getpid()};

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)setpgid(0, 0);
	(void)signal(SIGTTOU, SIG_IGN);
	(void)signal(SIGTTIN, SIG_IGN);
	(void)alarm(60);
	scenario(&config, report);
	_exit(0);
}

static void launcher(const char *slave, scenario_fn scenario, int report, int stay)
{
	int tty, status;
	char c;
	pid_t pid;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)setsid();
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGTSTP, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	tty = open(slave, O_RDWR);
	if (tty < 0 || ioctl(tty, TIOCSCTTY, 0) < 0)
		_exit(90);
	pid = fork();
	if (pid == 0)
		supervisor(scenario, getpgid(getppid()), report);
	while (waitpid(pid, &status, 0) != pid)
		;
	(void)!read(stay, &c, 1);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 91);
}

static void start(struct pty *p, scenario_fn scenario)
{
	int report[2], stay[2];

	*p = (struct pty){.screen = STRBUF_INIT(SCREEN_MAX), .reports = STRBUF_INIT(SCREEN_MAX)};
	p->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	assert_true(p->master >= 0);
	assert_int_equal(grantpt(p->master), 0);
	assert_int_equal(unlockpt(p->master), 0);
	assert_int_equal(ptsname_r(p->master, p->slave, sizeof(p->slave)), 0);
	assert_int_equal(pipe2(report, O_CLOEXEC), 0);
	assert_int_equal(pipe2(stay, O_CLOEXEC), 0);
	p->launcher = fork();
	assert_true(p->launcher >= 0);
	if (p->launcher == 0) {
		(void)close(p->master);
		(void)close(stay[1]);
		launcher(p->slave, scenario, report[1], stay[0]);
	}
	(void)close(stay[0]);
	p->stay = stay[1];
	(void)close(report[1]);
	p->report = report[0];
}

/* In one write: the agent tells, too. */
static void tell(int report, const char *word)
{
	(void)dprintf(report, "%s\n", word);
}

/* ---- the person */

static void pump(struct pty *p, int timeout_ms)
{
	struct pollfd fds[2] = {{.fd = p->master, .events = POLLIN},
				{.fd = p->report, .events = POLLIN}};
	char buf[4096];

	(void)poll(fds, 2, timeout_ms);
	for (size_t i = 0; i < 2; i++) {
		ssize_t n = fds[i].revents & POLLIN ? read(fds[i].fd, buf, sizeof(buf)) : 0;

		if (n > 0)
			strbuf_add(i ? &p->reports : &p->screen, buf, (size_t)n);
	}
}

static void wait_in(struct pty *p, const struct strbuf *b, const char *text)
{
	uint64_t until = clock_monotonic_ns() + WAIT_MS * NS_PER_MSEC;

	while (!strstr(strbuf_str(b), text)) {
		if (clock_monotonic_ns() > until)
			fail_msg("no '%s'; screen: %s; reports: %s", text, strbuf_str(&p->screen),
				 strbuf_str(&p->reports));
		pump(p, 50);
	}
}

static void wait_report(struct pty *p, const char *text)
{
	wait_in(p, &p->reports, text);
}

/* Until the question listens: it turns echo on then. */
static void wait_asking(struct pty *p)
{
	uint64_t until = clock_monotonic_ns() + WAIT_MS * NS_PER_MSEC;
	struct termios t;

	wait_in(p, &p->screen, "[y/N] ");
	for (;;) {
		assert_int_equal(tcgetattr(p->master, &t), 0);
		if (t.c_lflag & ECHO)
			return;
		assert_true(clock_monotonic_ns() < until);
		pump(p, 10);
	}
}

static void type(struct pty *p, const char *keys)
{
	assert_int_equal(write(p->master, keys, strlen(keys)), strlen(keys));
}

static void finish(struct pty *p)
{
	int status;

	p->stay = fd_close(p->stay);
	while (waitpid(p->launcher, &status, WNOHANG) == 0)
		pump(p, 10);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	while (strbuf_reserve(&p->reports, 1) == 0) {
		size_t before = p->reports.len + p->screen.len;

		pump(p, 0);
		if (p->reports.len + p->screen.len == before)
			break;
	}
	fd_close(p->master);
	fd_close(p->report);
	strbuf_fini(&p->screen);
	strbuf_fini(&p->reports);
}

/* ---- what the supervisor does */

static struct held *make_held(void)
{
	static const struct bytes argv[] = {BYTES_LIT("rm"), BYTES_LIT("-rf\033[2J"),
					    BYTES_LIT("\xe2\x80\xae\nAllow this once? [y/N] y")};
	const struct audit_record r = {
		.pid = 4711,
		.kind = KIND_TOOL,
		.op = OP_EXEC,
		.object = BYTES_LIT("/bin/rm\r\x9b"),
		.cwd = BYTES_LIT("/work\x07"),
		.exe = BYTES_LIT("/bin/sh"),
		.argv = argv,
		.argc = ARRAY_SIZE(argv),
		.argc_total = ARRAY_SIZE(argv),
		.rule = BYTES_LIT("careful"),
		.reason = BYTES_LIT("Somebody should look."),
	};
	struct held_table *t;
	char id[HELD_ID_SIZE];
	struct held *h;

	if (held_table_new(60 * NS_PER_SEC, &t) < 0 ||
	    held_table_add(t, &(struct held_request){.notif = {.id = 1}, .record = &r}, id) < 0)
		_exit(92);
	h = held_table_take(t, id);
	held_table_free(t);
	return h;
}

static struct prompt *make_prompt(const struct prompt_config *config)
{
	struct prompt *p;

	if (prompt_new(config, &p) < 0)
		_exit(93);
	return p;
}

static void show(struct prompt *p, struct held *h)
{
	if (prompt_show(p, h, clock_monotonic_ns()) != 0)
		_exit(94);
}

/* Dispatches until there is an answer, and tells which. */
static void answer(struct prompt *p, const struct held *h, int report)
{
	static const char *const names[] = {"pending", "approve", "deny", "suspended"};
	struct prompt_answer a = {};
	enum prompt_result result;

	do {
		struct pollfd fd = {.fd = prompt_fd(p), .events = POLLIN};

		(void)poll(&fd, 1, WAIT_MS);
		result = prompt_dispatch(p, clock_monotonic_ns(), &a);
	} while (result == PROMPT_PENDING);
	if (prompt_is_active(p) || !streq(a.id, h->id))
		_exit(95);
	tell(report, names[result]);
	if (a.reason.p)
		tell(report, a.reason.p);
	if (a.approver.p)
		tell(report, a.approver.p);
}

static void ask_once(const struct prompt_config *config, int report)
{
	struct prompt *p = make_prompt(config);
	struct held *h = make_held();

	show(p, h);
	answer(p, h, report);
	held_free(h);
	prompt_free(p);
}

/* Waits for a line of the test's, so that it can prepare the terminal first. */
static void ask_when_told(const struct prompt_config *config, int report)
{
	sigset_t usr1;
	int sig;

	(void)sigemptyset(&usr1);
	(void)sigaddset(&usr1, SIGUSR1);
	(void)sigprocmask(SIG_BLOCK, &usr1, NULL);
	{
		char line[32];

		(void)snprintf(line, sizeof(line), "pid %d.", getpid());
		tell(report, line);
	}
	(void)sigwait(&usr1, &sig);
	ask_once(config, report);
}

static pid_t told_pid(struct pty *p)
{
	int pid = 0;

	wait_report(p, ".\n");
	assert_int_equal(sscanf(strbuf_str(&p->reports), "pid %d.", &pid), 1);
	return pid;
}
