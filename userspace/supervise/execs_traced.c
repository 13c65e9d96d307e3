/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Execs of processes that somebody in the session traces. Only he is told of the exec, so its
 * outcome is looked at when the process makes its next call that we see. Until then it can do no
 * more than any image can that a program maps for itself.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/io.h"
#include "base/strbuf.h"

#include "action/rights.h"

#include "supervise/execs_private.h"

#define STATUS_MAX_BYTES 8192

void execs_traced_init(struct execs_traced *t)
{
	(void)pthread_mutex_init(&t->lock, NULL); /* cannot fail with default attributes */
	atomic_init(&t->n, 0);
	for (size_t i = 0; i < EXECS_TRACED_MAX; i++)
		t->all[i].pidfd = -1;
}

static void forget(struct execs_traced *t, struct execs_traced_one *o)
{
	o->pidfd = fd_close(o->pidfd);
	free((void *)(uintptr_t)o->cmdline.p);
	o->cmdline = BYTES_NULL;
	(void)atomic_fetch_sub(&t->n, 1);
}

void execs_traced_fini(struct execs_traced *t)
{
	for (size_t i = 0; i < EXECS_TRACED_MAX; i++)
		if (t->all[i].pidfd >= 0)
			forget(t, &t->all[i]);
	(void)pthread_mutex_destroy(&t->lock);
}

static bool is_dead(const struct execs_traced_one *o)
{
	struct pollfd p = {.fd = o->pidfd, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

/* A free place; the same process has one at most. NULL: none. */
static struct execs_traced_one *find_place(struct execs_traced *t, pid_t pid)
{
	struct execs_traced_one *free_one = NULL;

	for (size_t i = 0; i < EXECS_TRACED_MAX; i++) {
		struct execs_traced_one *o = &t->all[i];

		if (o->pidfd >= 0 && (o->pid == pid || is_dead(o)))
			forget(t, o);
		if (o->pidfd < 0 && !free_one)
			free_one = o;
	}
	return free_one;
}

/* Somebody else than we: what PTRACE_TRACEME gave us, when its caller had become our child, nobody
 * would look at. */
static bool has_tracer(pid_t tid)
{
	struct strbuf text = STRBUF_INIT(STATUS_MAX_BYTES);
	uint64_t tracer = 0;
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	if (io_read_file_at(AT_FDCWD, path, &text) == 0)
		(void)parse_status_field(text.p, "TracerPid", &tracer);
	strbuf_fini(&text);
	return tracer != 0 && tracer != (uint64_t)getpid();
}

static int stat_exe(pid_t pid, struct stat *ret)
{
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	return stat(path, ret) < 0 ? -errno : 0;
}

static int remember(struct execs_traced *t, const struct action *a)
{
	struct execs_traced_one *o = find_place(t, a->pid);
	const struct act_exec *x = &a->act.exec;
	_cleanup_(fd_closep) int pidfd = -1;
	struct stat old;
	char *text;
	int r;

	if (!o)
		return -EMFILE;
	r = stat_exe(a->pid, &old);
	if (r < 0)
		return r;
	pidfd = (int)syscall(SYS_pidfd_open, a->pid, 0);
	if (pidfd < 0)
		return -errno;
	text = malloc(x->cmdline.len + 1);
	if (!text)
		return -ENOMEM;
	if (x->cmdline.len)
		memcpy(text, x->cmdline.p, x->cmdline.len);
	*o = (struct execs_traced_one){
		.pidfd = TAKE_FD(pidfd),
		.pid = a->pid,
		.tid = a->tid,
		.old_dev = old.st_dev,
		.old_ino = old.st_ino,
		.image_dev = x->image_dev,
		.image_ino = x->image_ino,
		.is_cmdline_whole = x->is_cmdline_whole,
		.cmdline = {.p = text, .len = x->cmdline.len},
	};
	(void)atomic_fetch_add(&t->n, 1);
	return 0;
}

int execs_traced_add(struct execs_traced *t, const struct action *a)
{
	int r;

	if (!has_tracer(a->tid))
		return -EPERM;
	(void)pthread_mutex_lock(&t->lock);
	r = remember(t, a);
	(void)pthread_mutex_unlock(&t->lock);
	return r;
}

void execs_traced_forget(struct execs_traced *t, pid_t pid)
{
	if (atomic_load_explicit(&t->n, memory_order_relaxed) == 0)
		return;
	(void)pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < EXECS_TRACED_MAX; i++)
		if (t->all[i].pidfd >= 0 && t->all[i].pid == pid)
			forget(t, &t->all[i]);
	(void)pthread_mutex_unlock(&t->lock);
}

/* True when @o is settled, one way or the other. */
static bool look(const struct execs_traced_one *o, const struct action *a, bool *ret_is_changed)
{
	const struct act_exec expected = {.image_dev = o->image_dev,
					  .image_ino = o->image_ino,
					  .cmdline = o->cmdline,
					  .is_cmdline_whole = o->is_cmdline_whole};
	struct stat st;

	*ret_is_changed = false;
	if (execs_runs(a->pid, &expected))
		return true;
	/* Still the old image: the call has failed, or goes on while another thread makes this
	 * call. */
	if (stat_exe(a->pid, &st) == 0 && st.st_dev == o->old_dev && st.st_ino == o->old_ino)
		return a->tid == o->tid;
	*ret_is_changed = true;
	return true;
}

bool execs_traced_is_changed(struct execs_traced *t, const struct action *a)
{
	bool is_changed = false;

	if (atomic_load_explicit(&t->n, memory_order_relaxed) == 0)
		return false;
	(void)rights_settle();
	(void)pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < EXECS_TRACED_MAX; i++) {
		struct execs_traced_one *o = &t->all[i];

		if (o->pidfd < 0 || o->pid != a->pid)
			continue;
		if (is_dead(o) || look(o, a, &is_changed))
			forget(t, o);
	}
	(void)pthread_mutex_unlock(&t->lock);
	return is_changed;
}
