/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of execs: processes that another one traces (execs_traced.c), and what both halves ask of
 * /proc.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "supervise/execs.h"

/* Processes under a debugger that execute at one time. More are refused. */
#define EXECS_TRACED_MAX 64

/* One exec whose outcome was not seen. */
struct execs_traced_one {
	int pidfd; /* of the process; -1: free */
	pid_t pid, tid;
	dev_t old_dev, image_dev;
	ino_t old_ino, image_ino;
	bool is_cmdline_whole;
	struct bytes cmdline; /* owned */
};

struct execs_traced {
	atomic_uint n; /* so that there is nothing to lock while nobody is traced */
	pthread_mutex_t lock;
	struct execs_traced_one all[EXECS_TRACED_MAX];
};

void execs_traced_init(struct execs_traced *t);
void execs_traced_fini(struct execs_traced *t);
/* Remembers what @a is to come to. Return: 0; -EPERM: its process is not traced, something else
 * keeps us from seizing it; -errno. */
int execs_traced_add(struct execs_traced *t, const struct action *a) _must_check_;
/* @pid is about to execute, and that will be seen. */
void execs_traced_forget(struct execs_traced *t, pid_t pid);
/* Whether the process of @a, which makes a call, runs what was not judged. Forgets what is known
 * then. */
bool execs_traced_is_changed(struct execs_traced *t, const struct action *a);

/* Whether @pid runs @expected. False also when it cannot be told. */
bool execs_runs(pid_t pid, const struct act_exec *expected);
void execs_describe(pid_t pid, struct exec_ran *ret);

struct execs {
	struct execs_config config;
	pthread_mutex_t command_wait;
	struct execs_traced traced;
};
