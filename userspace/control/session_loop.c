/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#include "base/clock.h"

#include "control/session_private.h"
#include "control/tree.h"

#define KILL_TIMEOUT_NS (5 * NS_PER_SEC)
#define REAP_RETRY_NS   (5 * NS_PER_MSEC)

enum source {
	SOURCE_LISTENER,
	SOURCE_LAUNCHER,
	SOURCE_SIGNALS,
	SOURCE_EXEC_STATUS,
	SOURCE_TIMER,
	SOURCE_HELD,
	SOURCE_CONTROL,
	SOURCE_APPROVERS,
	SOURCE_PROMPT,
	SOURCE_STOP,
	SOURCE_SPEND,
	SOURCE_SINK,
	SOURCE_ASKER,
	SOURCE_DELAYED,
	SOURCE_SIGHT,
	SOURCE_LOADER,
	SOURCE_KEEPER,
	SOURCE_NET,
	SOURCE_LSM,
	_SOURCE_MAX,
};

static int watch(struct session *s, int fd, enum source source, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.u32 = source};

	return epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

/* Who is dead before there is a descriptor of it is our parent no longer. */
static int watch_keeper(struct session *s)
{
	pid_t keeper = getppid();

	s->keeper = (int)syscall(SYS_pidfd_open, keeper, 0);
	if (s->keeper < 0 || getppid() != keeper)
		return -ESRCH;
	return watch(s, s->keeper, SOURCE_KEEPER, EPOLLIN);
}

int session_loop_init(struct session *s)
{
	sigset_t handled;
	int r;

	(void)sigemptyset(&handled);
	(void)sigaddset(&handled, SIGCHLD);
	(void)sigaddset(&handled, SIGTERM);
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	s->signals = signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK);
	s->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	s->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->epoll < 0 || s->signals < 0 || s->timer < 0 || s->stop < 0)
		return -ENOMEM;
	/* No EPOLLIN: notifications are the receivers'. The hang-up, always reported, says that
	 * nobody is left. */
	r = watch(s, s->listener, SOURCE_LISTENER, 0);
	if (r == 0)
		r = watch(s, s->sock, SOURCE_LAUNCHER, EPOLLIN);
	if (r == 0)
		r = watch(s, s->signals, SOURCE_SIGNALS, EPOLLIN);
	if (r == 0)
		r = watch(s, s->exec_status, SOURCE_EXEC_STATUS, EPOLLIN);
	if (r == 0)
		r = watch(s, s->timer, SOURCE_TIMER, EPOLLIN);
	if (r == 0)
		r = watch(s, held_table_fd(s->held), SOURCE_HELD, EPOLLIN);
	if (r == 0)
		r = watch(s, control_server_fd(s->server), SOURCE_CONTROL, EPOLLIN);
	if (r == 0 && s->approvers)
		r = watch(s, control_server_fd(s->approvers), SOURCE_APPROVERS, EPOLLIN);
	if (r == 0)
		r = watch(s, s->stop, SOURCE_STOP, EPOLLIN);
	if (r == 0)
		r = watch_keeper(s);
	if (r == 0)
		r = watch(s, control_server_fd(s->spend_server), SOURCE_SPEND, EPOLLIN);
	if (r == 0 && s->prompt)
		r = watch(s, prompt_fd(s->prompt), SOURCE_PROMPT, EPOLLIN);
	if (r == 0)
		r = session_sinks_watch(s, SOURCE_SINK);
	if (r == 0)
		r = session_ask_init(s, SOURCE_ASKER);
	if (r == 0)
		r = session_sight_watch(s, SOURCE_SIGHT, SOURCE_LOADER);
	if (r == 0)
		r = session_net_watch(s, SOURCE_NET);
	if (r == 0)
		r = session_lsm_watch(s, SOURCE_LSM);
	return r < 0 ? -ENOMEM : 0;
}

/* Ends the session by force: the launcher was killed, or somebody sent SIGTERM to the supervisor.
 */
static void end_session(struct session *s)
{
	/* Without a descriptor to find them with, the others are the keeper's, who kills them when
	 * we have ended; and for that the command has to end. */
	if (tree_kill(KILL_TIMEOUT_NS) != 0 && !s->has_exited)
		(void)kill(s->command, SIGKILL);
	s->is_over = true;
}

void session_notice(struct session *s, struct bytes note)
{
	const struct audit_record r = {
		.event = AUDIT_NOTICE,
		.time_ns = clock_realtime_ns(),
		.verdict = VERDICT_DENY,
		.would_have = VERDICT_DENY,
		.result = AUDIT_RESULT_REFUSED,
		.note = note,
	};

	(void)audit_append(s->audit, &r);
}

void session_stop(void *arg, const char *reason)
{
	static const uint64_t one = 1;
	struct session *s = arg;

	if (atomic_flag_test_and_set(&s->has_stopper))
		return;
	(void)snprintf(s->stop_reason, sizeof(s->stop_reason), "%s", reason);
	atomic_store(&s->has_stop_reason, true);
	(void)!write(s->stop, &one, sizeof(one)); /* the first write: there is room */
}

/* From any thread: the log takes it from all of them, and so does the launcher's socket. */
void session_looping(void *arg, struct bytes words)
{
	struct session *s = arg;

	session_notice(s, words);
	if (s->sock >= 0)
		(void)launch_send(s->sock, LAUNCH_NOTICE, 0, "%.*s", (int)words.len, words.p);
}

static void on_stop(struct session *s)
{
	char note[BUDGET_REASON_MAX + 32];
	int n = snprintf(note, sizeof(note), "The session was ended: %s", s->stop_reason);

	s->is_cut = true;
	session_notice(s, (struct bytes){.p = note, .len = (size_t)n});
	end_session(s);
}

/* ---- held actions */

static void session_why(void *arg, const char *id, struct json *j)
{
	struct session *s = arg;

	supervise_why(s->supervise, id, j);
}

static void note_attempt(void *arg, struct bytes note)
{
	session_notice(arg, note);
}

const struct control_ops session_control_ops = {
	.answer = session_answer,
	.grant = session_grant_json,
	.revoke = session_revoke,
	.why = session_why,
	.status = session_status_json,
	.attempt = note_attempt,
	.spend = session_spend,
};

/* ---- processes */

static void on_command_stopped(struct session *s, int sig)
{
	uint64_t now_ns = clock_monotonic_ns();

	if ((sig == SIGTTIN || sig == SIGTTOU) && s->prompt &&
	    prompt_caused_stop(s->prompt, now_ns)) {
		if (!prompt_is_active(s->prompt))
			(void)kill(s->command, SIGCONT);
		return;
	}
	(void)launch_send(s->sock, LAUNCH_STOPPED, sig, "%s", "");
}

static bool listener_hung_up(const struct session *s)
{
	struct pollfd fd = {.fd = s->listener};

	return poll(&fd, 1, 0) == 1 && (fd.revents & POLLHUP);
}

/* The command has exited. Daemons that it left stay supervised; the launcher need not wait for
 * them. */
static void on_command_exited(struct session *s, int wait_status)
{
	s->has_exited = true;
	s->wait_status = wait_status;
	if (atomic_load(&s->has_stop_reason))
		return; /* which decides how the session ends */
	if (listener_hung_up(s)) {
		s->is_over = true;
		return;
	}
	if (s->keeper < 0) { /* daemons would be left with nobody behind us */
		end_session(s);
		return;
	}
	(void)audit_flush(s->audit);
	if (!s->has_told)
		(void)launch_send(s->sock, LAUNCH_EXITED, wait_status, "%s", "");
	s->has_told = true;
}

/*
 * Takes a child that has exited: the command, or an orphan that we adopted. First a look, and then
 * only what has exited: wait(2) would also give us, and take from the receiver that waits for it,
 * the stop of a child that executes (supervise/execs.h).
 *
 * Return: the child; 0: none; -EAGAIN: such a stop hides those that exited. It is over soon.
 */
static int reap_one(int *ret_status)
{
	siginfo_t si = {};

	if (waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT | __WNOTHREAD) < 0)
		return 0;
	if (!si.si_pid)
		return 0;
	if (si.si_code == CLD_TRAPPED || si.si_code == CLD_STOPPED)
		return -EAGAIN;
	/* An exited child answers to its own id with its exit only. */
	return MAX(waitpid(si.si_pid, ret_status, WNOHANG | __WNOTHREAD), 0);
}

static void reap(struct session *s)
{
	int pid, stop, status, command_status = 0;
	bool has_exited = false;

	s->next_reap_ns = 0;
	while ((pid = reap_one(&status)) > 0) {
		if (pid != s->command)
			continue;
		has_exited = true;
		command_status = status;
	}
	stop = s->has_exited || has_exited ? 0 : supervise_command_stop(s->supervise);
	if (pid == -EAGAIN || stop == -EAGAIN)
		s->next_reap_ns = clock_monotonic_ns() + REAP_RETRY_NS;
	if (stop > 0)
		on_command_stopped(s, stop);
	/* After the orphans were reaped: perhaps the command was the last of the session. */
	if (has_exited)
		on_command_exited(s, command_status);
}

/* A ring that fills is read now, else when the timer says so. */
static void on_ring(struct ring_reader *reader)
{
	ring_reader_wake(reader);
	ring_reader_tick(reader);
}

static void on_timer(struct session *s)
{
	uint64_t now_ns = clock_monotonic_ns(), expirations;
	struct held *h;
	ssize_t n = read(s->timer, &expirations, sizeof(expirations));

	(void)n; /* EAGAIN when it was set anew meanwhile */
	while ((h = held_table_take_expired(s->held, now_ns)))
		supervise_end_hold(s->supervise, h, HOLD_TIMED_OUT, BYTES_NULL, BYTES_NULL);
	supervise_scan_holds(s->supervise);
	supervise_answer_delayed(s->supervise);
	s->next_scan_ns = 0;
	session_budget_tick(s);
	session_grants_tick(s);
	for (size_t i = 0; i < ARRAY_SIZE(s->readers); i++)
		ring_reader_tick(&s->readers[i]);
	if (s->next_reap_ns && now_ns >= s->next_reap_ns)
		reap(s);
}

/* While something is held the timer runs for its deadline, its process and the question; while a
 * budget has to be looked after, for that; else not at all. */
static void set_timer(struct session *s)
{
	uint64_t next = held_table_next_deadline(s->held);
	struct itimerspec when = {};

	if (next == UINT64_MAX) {
		s->next_scan_ns = 0;
	} else {
		/* Kept over other events: a scan that each of them puts off never comes. */
		if (!s->next_scan_ns)
			s->next_scan_ns = clock_monotonic_ns() + HOLD_SCAN_NS;
		next = MIN(next, s->next_scan_ns);
	}
	next = MIN(next, session_budget_next(s));
	next = MIN(next, session_grants_next(s));
	next = MIN(next, supervise_delayed_next(s->supervise));
	for (size_t i = 0; i < ARRAY_SIZE(s->readers); i++)
		next = MIN(next, ring_reader_next(&s->readers[i]));
	if (s->next_reap_ns)
		next = MIN(next, s->next_reap_ns);
	if (next != UINT64_MAX) {
		next = MAX(next, UINT64_C(1)); /* 0 would switch it off */
		when.it_value.tv_sec = (time_t)(next / NS_PER_SEC);
		when.it_value.tv_nsec = (long)(next % NS_PER_SEC);
	}
	(void)timerfd_settime(s->timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static void on_signals(struct session *s)
{
	struct signalfd_siginfo si;

	while (read(s->signals, &si, sizeof(si)) == (ssize_t)sizeof(si))
		if (si.ssi_signo == SIGTERM)
			end_session(s);
	reap(s);
}

/* The command's exec came back with an error: say why, in terms of the policy if it was that. */
static void on_exec_status(struct session *s)
{
	const char *denial = supervise_command_denial(s->supervise);
	int error;

	if (read(s->exec_status, &error, sizeof(error)) == (ssize_t)sizeof(error) &&
	    !atomic_load(&s->has_stop_reason)) {
		(void)launch_send(s->sock, LAUNCH_FAILED,
				  error == ENOENT ? RUN_EXIT_NOT_FOUND : RUN_EXIT_NOT_EXECUTABLE,
				  "cannot execute '%s': %s%s%s", s->config->command,
				  strerror(error), denial[0] ? "; " : "", denial);
		s->has_told = true;
	}
	(void)epoll_ctl(s->epoll, EPOLL_CTL_DEL, s->exec_status, NULL);
	s->exec_status = fd_close(s->exec_status);
}

static void on_launcher_gone(struct session *s)
{
	(void)epoll_ctl(s->epoll, EPOLL_CTL_DEL, s->sock, NULL);
	s->sock = fd_close(s->sock);
	if (!s->has_told) /* it was killed: the session ends with it */
		end_session(s);
}

/*
 * While the launcher lives it stands behind us as the keeper did. Once it has left, nobody would:
 * if we died, what is left of the session would run on.
 */
static void on_keeper_gone(struct session *s)
{
	(void)epoll_ctl(s->epoll, EPOLL_CTL_DEL, s->keeper, NULL);
	s->keeper = fd_close(s->keeper);
	session_notice(s, BYTES_LIT("The keeper, which would end the session's processes if the "
				    "supervisor died, was killed"));
	if (s->has_told)
		end_session(s);
}

static void session_event(struct session *s, enum source source)
{
	switch (source) {
	case SOURCE_LISTENER:
		s->is_over = true;
		return;
	case SOURCE_LAUNCHER:
		on_launcher_gone(s);
		return;
	case SOURCE_SIGNALS:
		on_signals(s);
		return;
	case SOURCE_EXEC_STATUS:
		on_exec_status(s);
		return;
	case SOURCE_TIMER:
		on_timer(s);
		return;
	case SOURCE_HELD:
		session_announce(s);
		return;
	case SOURCE_CONTROL:
		control_server_dispatch(s->server);
		return;
	case SOURCE_APPROVERS:
		control_server_dispatch(s->approvers);
		return;
	case SOURCE_PROMPT:
		session_prompt_dispatch(s);
		return;
	case SOURCE_STOP:
		/* True: the load is what orders our reading of the reason after its writing. */
		if (atomic_load(&s->has_stop_reason))
			on_stop(s);
		return;
	case SOURCE_SPEND:
		control_server_dispatch(s->spend_server);
		return;
	case SOURCE_SINK:
		session_sinks_dispatch(s);
		return;
	case SOURCE_ASKER:
		session_ask_dispatch(s);
		return;
	case SOURCE_DELAYED:
		supervise_answer_delayed(s->supervise);
		return;
	case SOURCE_SIGHT:
		on_ring(&s->readers[LAYER_SIGHT]);
		return;
	case SOURCE_NET:
		on_ring(&s->readers[LAYER_BPF_NET]);
		return;
	case SOURCE_LSM:
		on_ring(&s->readers[LAYER_BPF_LSM]);
		return;
	case SOURCE_LOADER:
		session_sight_lose(s);
		return;
	case SOURCE_KEEPER:
		on_keeper_gone(s);
		return;
	case _SOURCE_MAX:
		return;
	}
}

/* Not waitpid() at once: see reap_one(). Return: false: somebody else has taken it. */
static bool wait_for_command(struct session *s)
{
	siginfo_t si;

	/* Without __WNOTHREAD, with which the kernel would not wake us at the end of a command that
	 * a receiver traces. */
	while (waitid(P_PID, (id_t)s->command, &si, WEXITED | WNOWAIT) == 0) {
		if (si.si_code != CLD_TRAPPED && si.si_code != CLD_STOPPED)
			return waitpid(s->command, &s->wait_status, __WNOTHREAD) == s->command;
		(void)sched_yield(); /* it executes; whoever watches that lets it go */
	}
	return false;
}

void session_loop(struct session *s)
{
	struct epoll_event events[_SOURCE_MAX];

	if (watch(s, supervise_delayed_fd(s->supervise), SOURCE_DELAYED, EPOLLIN) < 0)
		session_stop(s, "out of memory");

	while (!s->is_over) {
		int n;

		set_timer(s);
		n = epoll_wait(s->epoll, events, ARRAY_SIZE(events), -1);
		for (int i = 0; i < n && !s->is_over; i++)
			session_event(s, (enum source)events[i].data.u32);
		session_prompt_next(s);
		session_ask_next(s);
	}
	/* The exec's result may have come together with the end of the process that failed to
	 * execute. */
	if (s->exec_status >= 0)
		on_exec_status(s);
	if (!s->is_cut && atomic_load(&s->has_stop_reason))
		on_stop(s);
	if (!s->has_exited)
		s->has_exited = wait_for_command(s);
}
