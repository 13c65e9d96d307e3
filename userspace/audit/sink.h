/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sinks: where the lines of a log go besides the file, best effort. A sink is a process of its own
 * that follows the file from behind, so that nothing that it waits for, and nothing that it parses,
 * is on the decision path or in the log's writer: the file itself is the queue, and a sink that is
 * slow, dead or hanging costs the agent nothing. What it does not take in time is dropped and
 * counted; the supervisor notes that in the log (control/sinks.h).
 */
#pragma once

#include "audit/format.h"

enum sink_kind {
	SINK_JOURNALD, /* the native protocol: a datagram of fields for each line */
	SINK_SYSLOG,   /* RFC 5424 in datagrams */
	SINK_COMMAND,  /* the lines themselves on its standard input */
	_SINK_KIND_MAX,
};

struct sink_spec {
	enum sink_kind kind;
	const char *where; /* the socket; the command for /bin/sh. Borrowed */
};

/* Reads "journald[:SOCKET]", "syslog[:SOCKET]", "command:PROGRAM". Return: 0, -EINVAL. */
int sink_parse(const char *text, struct sink_spec *ret);

/* Between a sink's process and its supervisor, SOCK_SEQPACKET: */
#define SINK_MESSAGE_MAX 512
enum sink_message {
	SINK_NOTICE = 'n', /* to the supervisor: the rest is a sentence for the log */
	SINK_DONE = 'd',   /* to the supervisor: all is taken, or noted as not taken */
	SINK_FINISH = 'f', /* to the sink: the session's last line follows; answer SINK_DONE soon */
};

struct sink_config {
	struct sink_spec spec;
	const char *name; /* as the user wrote it, for notices */
	const char *log_path;
	const char *session; /* only its lines */
	int control;         /* to the supervisor */
};

/* The body of a sink's process: until the supervisor has gone and all is taken, or for 5 s more.
 * Return: 0, -errno. */
int sink_run(const struct sink_config *config);
