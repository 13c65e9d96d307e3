/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One run of the program of --ask command:PROGRAM: the question on its standard input, its answer
 * on its standard output. It has a process group of its own, so that it can be ended with what it
 * started. Everything but an answer in the form that program_read_answer() takes is a failure, and
 * a failure is a deny.
 */
#pragma once

#include <poll.h>

#include "control/asker.h"

#define PROGRAM_ANSWER_MAX ((size_t)64 * 1024)
#define PROGRAM_FDS        4 /* that one run wants watched */

struct program {
	char id[HELD_ID_SIZE]; /* "": not running */
	pid_t pid;
	int pidfd, in, out, err;
	uint64_t started_ns, deadline_ns;
	struct strbuf question;
	size_t written;
	struct strbuf answer;
	char complaint[160]; /* the end of what it wrote to its standard error; a string */
};

/*
 * Starts `sh -c @command` with @question (copied) on its standard input, to be over at
 * @deadline_ns. Return: 0, -errno (and @p is not running).
 */
int program_start(struct program *p, const char *command, const char *id, struct bytes question,
		  uint64_t deadline_ns) _must_check_;
/* What to wait for, besides @p->deadline_ns. Return: how many of @fds were filled. */
size_t program_poll(const struct program *p, struct pollfd fds[static PROGRAM_FDS]);
/*
 * Moves data, and looks whether it is over: it has exited, it took too long, or it said too much.
 * Return: whether it is; then @ret is its answer, or a deny with the failure as its reason.
 */
bool program_step(struct program *p, uint64_t now_ns, struct control_request *ret);
/* Kills it and all of its group, and forgets it. No-op when it is not running. */
void program_end(struct program *p);

/*
 * Reads an answer: {"answer":"allow"|"deny"}, and, if wanted, "reason", "for" and "scope"; white
 * space around it, and nothing else. Sets but q->op nothing that it does not hold.
 * Return: NULL, or what is wrong with it, in words that follow "it answered with".
 */
const char *program_read_answer(struct bytes text, struct control_request *q);
