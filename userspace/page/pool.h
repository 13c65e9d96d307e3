/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads for what may take a while (sessions that are asked, logs that are read), so that the
 * server's one thread never waits. The queue is bounded: past it work is refused.
 */
#pragma once

#include "base/util.h"

#define POOL_THREADS   4
#define POOL_QUEUE_MAX 64

struct pool;

int pool_new(struct pool **ret) _must_check_; /* 0, -errno */
/* Finishes what is queued, and takes no more. */
void pool_stop(struct pool *p);
/* pool_stop(), and no thread uses it any more. NULL-safe. Return: NULL. */
struct pool *pool_free(struct pool *p);
/* Return: 0; -EBUSY: too much is queued, or it was stopped. */
int pool_add(struct pool *p, void (*fn)(void *arg), void *arg) _must_check_;
