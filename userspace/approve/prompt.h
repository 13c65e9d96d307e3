/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The question on the terminal (`--ask terminal`). Lives in the supervisor's main thread; driven by
 * epoll, never blocks, one question at a time. Knows nothing of the held table: the caller shows a
 * copy (held_table_copy()) and carries the answer out.
 *
 * The terminal belongs to the agent's job. To ask, the prompt borrows it: it makes the supervisor's
 * own process group the foreground one, so that what is typed comes here and to nobody else, and
 * gives it back afterwards with the settings that it found. Meanwhile a process of the agent that
 * reads the terminal is stopped by SIGTTIN (one that changes it, by SIGTTOU): these stops are ours
 * (prompt_caused_stop()), are not to be mirrored to the shell, and end with the SIGCONT that the
 * prompt sends when it gives the terminal back. While one has the terminal in a mode of its own,
 * nothing is asked (PROMPT_E_RAW). A reader that sleeps in read(2) already keeps what
 * is typed (the kernel checks the group once, at the start of a read): then no answer comes here,
 * and the way out is `holdfast approve`, which the question names.
 *
 * The caller must have SIGTTOU and SIGTTIN ignored or blocked, and must be in a process group of
 * its own.
 */
#pragma once

#include "approve/held.h"

#define PROMPT_SETTLE_NS                                                                           \
	(300 * NS_PER_MSEC) /* what is typed in this time after the question appears is dropped */

enum {
	PROMPT_E_RAW = 1, /* a program of the session has the terminal to itself */
};

enum prompt_result {
	PROMPT_PENDING,
	PROMPT_APPROVE,
	PROMPT_DENY,
	/* Ctrl-Z, or the shell took the terminal: nobody answered; the action stays held, try
	 * prompt_show() later. */
	PROMPT_SUSPENDED,
	_PROMPT_RESULT_MAX,
};

/* Both strings are borrowed from the prompt, until the next call. For PROMPT_APPROVE and
 * PROMPT_DENY only. */
struct prompt_answer {
	char id[HELD_ID_SIZE];
	struct bytes reason;   /* .p NULL when the person gave none */
	struct bytes approver; /* "alice (on /dev/pts/3)" */
};

struct prompt_config {
	const char *tty;  /* NULL: /dev/tty */
	pid_t job_pgrp;   /* the launcher's process group */
	pid_t supervisor; /* the root of the session's process tree */
};

struct prompt;

/* Return: 0; -ENXIO when there is no terminal; -ENOMEM, -errno. */
int prompt_new(const struct prompt_config *config, struct prompt **ret) _must_check_;
/* Hides without a word, restores everything. NULL-safe. Return: NULL. */
struct prompt *prompt_free(struct prompt *p);
/* An epoll descriptor, readable when prompt_dispatch() has something to do. Borrowed. */
int prompt_fd(const struct prompt *p);
/*
 * Asks about @h (not kept).
 * Return: 0; PROMPT_E_RAW when a program reads keys rather than lines from it, or what is typed
 * does not show (an editor, a pager, the agent's own screen, a password): nothing is drawn over
 * that, so say elsewhere what waits, and try again in a second; -EBUSY when a question is up;
 * -EAGAIN when the terminal is with another job than the session's (the session is in the
 * background: try again in a second; the action stays held); -EIO when the terminal has gone, for
 * good.
 */
int prompt_show(struct prompt *p, const struct held *h, uint64_t now_ns) _must_check_;
/* Reads what came. On any result but PROMPT_PENDING the question is down and the terminal given
 * back. */
enum prompt_result prompt_dispatch(struct prompt *p, uint64_t now_ns, struct prompt_answer *ret);
/* The action ended otherwise: @how is a few words, "timed out", "approved by root (pid 7)". No-op
 * when not active. */
void prompt_hide(struct prompt *p, uint64_t now_ns, const char *how);
bool prompt_is_active(const struct prompt *p);
/* The id that is asked about, "" when none. */
const char *prompt_id(const struct prompt *p);
/*
 * True when a stop of an agent's process by SIGTTIN or SIGTTOU is our doing: a question is up, or
 * was a moment ago. If it is true and prompt_is_active() is false, the stop crossed the SIGCONT:
 * send it another SIGCONT.
 */
bool prompt_caused_stop(const struct prompt *p, uint64_t now_ns);
