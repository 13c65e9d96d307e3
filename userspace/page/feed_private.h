/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of the feed: feed.c has the thread and the sessions, feed_log.c follows one log.
 */
#pragma once

#include "page/feed.h"
#include "page/guard.h"

#define FEED_LINE_MAX ((size_t)512 * 1024)

struct followed {
	char name[GUARD_NAME_MAX + 1];
	pid_t supervisor;
	char *log;
	int fd, watch;          /* of the log; -1: not open */
	struct strbuf rest;     /* the beginning of a line */
	bool is_skipping;       /* the line that is being read is too long, or begins before us */
	bool is_seen;           /* by the scan that is going on */
	uint64_t credit, at_ns; /* lines that may still be shown; when that was */
};

/* Opens the log at @at_end or at its beginning, and watches it with @inotify. Return: 0, -errno. */
int feed_log_open(struct followed *s, int inotify, bool at_end);
void feed_log_close(struct followed *s);
/* Tells @hub what has come. */
void feed_log_read(struct followed *s, struct hub *hub);
/* A record as the page's event: what a list shows, long strings cut. Return: false: no record. */
bool feed_brief(struct bytes line, struct strbuf *out);
