/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel refused or decided on the session's files: records, as session_net.c makes them
 * of connections.
 */
#include <stdio.h>

#include "control/session_private.h"

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
		part->why = plan_start_lsm(s->config->policies->stack, &s->plan_config, &s->lsm,
					   &part->leaves_reads, s->lsm_reason);
	if (s->lsm)
		part->why = "";
	part->is_there = s->lsm != NULL;
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

static bool drain(void *arg)
{
	struct session *s = arg;
	bool has_more = lsm_read(s->lsm, LSM_BATCH, record, s);
	struct lsm_lost lost;

	if (lsm_take_lost(s->lsm, &lost))
		(void)audit_append_event(s->audit, "lost", add_lost, &lost);
	return has_more;
}

static bool is_readable(const void *arg)
{
	const struct session *s = arg;

	return lsm_is_readable(s->lsm);
}

static bool is_urgent(const void *arg)
{
	const struct session *s = arg;

	return lsm_is_urgent(s->lsm);
}

int session_lsm_watch(struct session *s, uint32_t source)
{
	static const struct ring_reader_ops ops = {drain, is_readable, is_urgent};
	struct ring_reader *reader = &s->readers[LAYER_BPF_LSM];
	int fds[_LSM_RING_MAX];

	if (!s->lsm)
		return 0;
	for (int i = 0; i < _LSM_RING_MAX; i++)
		fds[i] = lsm_ring_fd(s->lsm, (enum lsm_ring)i);
	*reader = (struct ring_reader){.ops = &ops, .arg = s};
	return ring_reader_watch(reader, s->epoll, fds, ARRAY_SIZE(fds), source);
}

void session_lsm_end(struct session *s)
{
	ring_reader_end(&s->readers[LAYER_BPF_LSM]);
	s->lsm = lsm_free(s->lsm);
}
