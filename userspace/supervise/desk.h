/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thread of the supervisor's that decides on what a helper process hands over by a socket, one
 * message after the other. Inside of supervise/.
 */
#pragma once

#include <pthread.h>

#include "supervise/supervise_private.h"

struct desk {
	struct supervise *supervise;
	struct engine *engine;
	struct redact_scratch *scratch; /* NULL: nothing is redacted */
	int socket;                     /* the helper's, borrowed */
	pthread_t thread;
};

/* @main, with @arg, receives from @socket until that is shut down. Return: 0; -errno: then there is
 * nothing to be stopped. */
int desk_start(struct desk *d, struct supervise *s, int socket, void *(*entry)(void *arg),
	       void *arg) _must_check_;
/* Waits for the thread. */
void desk_stop(struct desk *d);
