/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The launcher: what stays of `holdfast run` in the shell's job. It forks the supervisor, forwards
 * signals to the command, stops and goes on as the command does, prints what the supervisor has to
 * say, and exits as the command did.
 *
 * Two processes rather than one because job control would stop a supervisor that sits in the job's
 * process group, and with it every process of the agent that is not stopped: background jobs would
 * hang in their next call.
 */
#pragma once

#include <signal.h>
#include <sys/types.h>

#include "base/util.h"

/* Exit statuses of `run` besides the command's own (docs/holdfast.1.scd). */
enum run_exit {
	RUN_EXIT_ENDED = 124,          /* ended by a deadline, a budget or the kill switch */
	RUN_EXIT_FAILED = 125,         /* Holdfast failed before the command started */
	RUN_EXIT_NOT_EXECUTABLE = 126, /* found, but cannot be executed */
	RUN_EXIT_NOT_FOUND = 127,
	RUN_EXIT_SIGNAL = 128, /* plus the signal */
};

/* From the supervisor to the launcher, one SOCK_SEQPACKET message each. */
enum launch_message_type {
	LAUNCH_STARTED, /* value: the command's pid */
	LAUNCH_FAILED,  /* value: exit status; text: why */
	LAUNCH_CUT,     /* value: exit status; text: why the session was ended before its time */
	LAUNCH_STOPPED, /* value: the signal that stopped the command */
	LAUNCH_NOTICE,  /* text: a line for the person at the terminal, when its screen is free */
	LAUNCH_EXITED, /* value: wait status of the command; processes of the session may live on */
	LAUNCH_ENDED,  /* value: as LAUNCH_EXITED; the supervisor is about to exit as well */
};

#define LAUNCH_TEXT_MAX 2000

struct launch_message {
	enum launch_message_type type;
	int value;
	char text[LAUNCH_TEXT_MAX];
};

/* Return: 0, -errno (-EPIPE: the launcher has gone). Never blocks: a notice that does not fit is
 * dropped. */
int launch_send(int sock, enum launch_message_type type, int value, const char *fmt, ...)
	_printf_(4, 5);

/*
 * Forks twice; runs @supervisor(arg, sock, original mask) in the grandchild, which must not return
 * to the caller's code, its keeper in the child, and the launcher's loop in the parent. Return: the
 * exit status for the process.
 */
int launch_run(int (*supervisor)(void *arg, int sock, const sigset_t *mask), void *arg);
/* In the supervisor: @path goes with the session, also when the supervisor is killed. */
void launch_note_cgroup(const char *path);
