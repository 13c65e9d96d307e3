/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a sink's process. Private to audit/sink*.c. */
#pragma once

#include <sys/types.h>

#include "audit/sink.h"

/* A message holds a line in other words; a control character may take four bytes ("\x01"). */
#define SINK_TEXT_MAX (READER_LINE_MAX * 6)

/* Where the messages go. */
struct sink_target {
	struct sink_spec spec;
	int fd;         /* -1: not connected */
	pid_t pid;      /* of the command */
	size_t taken;   /* of the message that is under way: a pipe or a stream takes parts */
	bool is_stream; /* the socket is one */
};

/* Appends the message for @line. */
void sink_encode(enum sink_kind kind, const struct format_context *c,
		 const struct reader_line *line, struct strbuf *out);

/* A command is started here, its standard input a pipe; sockets are connected when there is
 * something to send. Return: 0, -errno. */
int sink_target_open(const struct sink_spec *spec, struct sink_target *ret);
/*
 * Sends @message without waiting. Return: 0; -EAGAIN: not now, poll for POLLOUT; -ENOTCONN with
 * *ret_error: nobody is there, try again later; -EMSGSIZE: it is too long for them; -EPIPE: the
 * command does not read any more, for good.
 */
int sink_target_send(struct sink_target *t, struct bytes message, int *ret_error);
/* Lets the command finish what it has; with @is_forced ends it. */
void sink_target_close(struct sink_target *t, bool is_forced);
