/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel refused or decided on the session's files: records, as session_net.c makes them
 * of connections.
 */
#include <stdio.h>
#include <sys/epoll.h>

#include "base/clock.h"

#include "control/session_private.h"

#define LSM_DELAY_NS (50 * NS_PER_MSEC)
/* What one tick takes before it lets others have their turn. */
#define LSM_BATCH 4096

static const struct {
	const char *syscall; /* one of those that it may have been */
	enum grant grant;
} calls[_LSM_OP_MAX] = {
	[LSM_READ] = {.syscall = "open"},
	[LSM_WRITE] = {.syscall = "open"},
	[LSM_CREATE] = {.syscall = "open"},
	[LSM_TRUNCATE] = {.syscall = "truncate"},
	[LSM_DELETE] = {.syscall = "unlink"},
	[LSM_RENAME] = {.syscall = "rename"},
	[LSM_LINK] = {.syscall = "link"},
	[LSM_SYMLINK] = {.syscall = "symlink"},
	[LSM_MKDIR] = {.syscall = "mkdir"},
	[LSM_MKNOD] = {.syscall = "mknod"},
	[LSM_CHMOD] = {.syscall = "chmod"},
	[LSM_CHOWN] = {.syscall = "chown"},
	[LSM_XATTR] = {.syscall = "setxattr"},
	[LSM_TIMES] = {.syscall = "utimensat"},
	[LSM_BPF] = {.syscall = "bpf", .grant = GRANT_BPF},
	[LSM_MOUNT] = {.syscall = "mount", .grant = GRANT_MOUNT},
	[LSM_USERNS] = {.syscall = "unshare", .grant = GRANT_NAMESPACES},
	[LSM_PTRACE] = {.syscall = "ptrace", .grant = GRANT_PTRACE},
	[LSM_KILL] = {.syscall = "kill", .grant = GRANT_PROCESSES},
};

void session_lsm_init(struct session *s)
{
	struct plan_part *part = &s->parts[LAYER_BPF_LSM];

	if (layer_is_wished(&s->plan_config.wishes, LAYER_BPF_LSM, &part->why))
		part->why = plan_start_lsm(s->config->policies->stack, &s->plan_config.wishes,
					   &s->lsm, &part->leaves_reads, s->lsm_reason);
	if (s->lsm)
		part->why = "";
	part->is_there = s->lsm != NULL;
}

/* Edges: what is in the ring stays there until the tick. */
int session_lsm_watch(struct session *s, uint32_t source)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u32 = source};

	for (int i = 0; s->lsm && i < _LSM_RING_MAX; i++)
		if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, lsm_ring_fd(s->lsm, (enum lsm_ring)i),
			      &event) < 0)
			return -errno;
	/* What came before it was watched. */
	if (s->lsm)
		session_lsm_wake(s);
	return 0;
}

void session_lsm_wake(struct session *s)
{
	if (!s->next_lsm_ns)
		s->next_lsm_ns = clock_monotonic_ns() + LSM_DELAY_NS;
}

static void record(const struct lsm_event *e, struct bytes path, void *arg)
{
	const enum lsm_op op = MIN((enum lsm_op)e->op, (enum lsm_op)(_LSM_OP_MAX - 1));
	struct session *s = arg;
	const struct supervise_of_kernel k = {
		.action = {.op = op < _LSM_FILE_OP_MAX ? (enum action_op)(OP_READ + op)
						       : OP_SYSCALL,
			   .grant = calls[op].grant,
			   .syscall = calls[op].syscall,
			   .object = e->n_path ? path : BYTES_NULL,
			   .tid = (pid_t)e->tid,
			   .pid = (pid_t)e->pid,
			   .ppid = (pid_t)e->parent},
		.time_ns = e->time_ns,
		.exe_inode = e->exe_inode,
		.verdict = (enum verdict)MIN((unsigned)e->verdict, (unsigned)VERDICT_DENY),
	};

	supervise_record_of_kernel(s->supervise, &k);
}

static void add_lost(struct json *j, void *arg)
{
	const struct lsm_lost *lost = arg;

	json_key_u64(j, "files_refused", lost->refused);
	json_key_u64(j, "files_unwritten", lost->unwritten);
}

/* Return: whether there may be more. */
static bool drain(struct session *s)
{
	bool has_more = lsm_read(s->lsm, LSM_BATCH, record, s);
	struct lsm_lost lost;

	if (lsm_take_lost(s->lsm, &lost))
		(void)audit_append_event(s->audit, "lost", add_lost, &lost);
	return has_more;
}

void session_lsm_tick(struct session *s)
{
	if (!s->lsm || !s->next_lsm_ns ||
	    (clock_monotonic_ns() < s->next_lsm_ns && !lsm_is_urgent(s->lsm)))
		return;
	s->next_lsm_ns = 0;
	(void)drain(s);
	if (lsm_is_readable(s->lsm))
		session_lsm_wake(s);
}

void session_lsm_end(struct session *s)
{
	while (s->lsm && s->supervise && drain(s))
		;
	s->next_lsm_ns = 0;
	s->lsm = lsm_free(s->lsm);
}
