/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which sessions live, and what happens in them: a thread that is woken by inotify when a control
 * socket appears or a log grows, and tells the hub. It asks no session anything in its own thread
 * (a stopped one would not answer): that is the pool's work.
 *
 * Events: "sessions" one began or ended; "held" {"session"} what is held may have changed;
 * "decision" a record, its long strings cut; "skipped" {"session", "n"} records came faster than
 * anybody reads.
 */
#pragma once

#include <sys/types.h>

#include "base/json.h"
#include "page/hub.h"
#include "page/pool.h"

#define FEED_SESSIONS_MAX 256
#define FEED_LINES_PER_S  100 /* of each session, and as many at once */

struct feed_config {
	struct pool *pool;
	struct hub *hub;
	/* Called by the thread about once a second while @is_busy() says so. */
	void (*tick)(void *arg);
	bool (*is_busy)(void *arg);
	void *arg;
};

struct feed;

int feed_new(const struct feed_config *config, struct feed **ret) _must_check_; /* 0, -errno */
/* The pool must have finished. NULL-safe. Return: NULL. */
struct feed *feed_free(struct feed *f);
/* Ends its thread; nothing is added to the pool any more. */
void feed_stop(struct feed *f);
/* Makes it look whether @is_busy(). */
void feed_wake(struct feed *f);
/* The supervisors of all living sessions. Return: how many, at most @max. */
size_t feed_supervisors(struct feed *f, pid_t *out, size_t max);
/* The log of the living session @name as a heap string; NULL: it does not live. */
char *feed_log_of(struct feed *f, const char *name);
/* The name of the session of @supervisor; "" when there is none. */
void feed_name_of(struct feed *f, pid_t supervisor, char *out, size_t size);
