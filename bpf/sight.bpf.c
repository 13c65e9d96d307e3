/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The processes of one session as the kernel makes, changes and ends them. A task is the session's
 * when it has an entry in @marks; the entry is inherited at fork, before the child runs, and no
 * task can lose it. Tasks without one cost a look-up.
 */
#include "bpf/vmlinux.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/abi.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u32);
} marks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, SIGHT_RING_BYTES);
} events SEC(".maps");

struct sight_lost lost; /* alone in .bss, which user space maps */

static __always_inline struct sight_event *begin(enum sight_kind kind, struct task_struct *task)
{
	struct sight_event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);

	if (!e) {
		__sync_fetch_and_add(&lost.events[kind], 1);
		return 0;
	}
	__builtin_memset(e, 0, sizeof(*e));
	e->time_ns = bpf_ktime_get_ns();
	e->kind = kind;
	e->pid = task->tgid;
	e->parent = task->real_parent->tgid;
	return e;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(sight_fork, struct task_struct *parent, struct task_struct *child)
{
	struct sight_event *e;

	if (!bpf_task_storage_get(&marks, parent, 0, 0))
		return 0;
	if (!bpf_task_storage_get(&marks, child, 0, BPF_LOCAL_STORAGE_GET_F_CREATE)) {
		__sync_fetch_and_add(&lost.unmarked, 1);
		return 0;
	}
	if (child->pid != child->tgid)
		return 0; /* a thread */
	e = begin(SIGHT_FORK, child);
	if (!e)
		return 0;
	e->parent = parent->tgid;
	bpf_probe_read_kernel(e->comm, sizeof(e->comm), child->comm);
	bpf_ringbuf_submit(e, 0);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(sight_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	struct sight_event *e;

	if (!bpf_task_storage_get(&marks, task, 0, 0))
		return 0;
	e = begin(SIGHT_EXEC, task);
	if (!e)
		return 0;
	e->inode = bprm->file->f_inode->i_ino;
	e->device = bprm->file->f_inode->i_sb->s_dev;
	bpf_probe_read_kernel(e->comm, sizeof(e->comm), task->comm);
	bpf_ringbuf_submit(e, 0);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(sight_exit, struct task_struct *task)
{
	struct sight_event *e;

	if (!bpf_task_storage_get(&marks, task, 0, 0))
		return 0;
	if (task->signal->live.counter != 0)
		return 0; /* other threads of the process go on */
	e = begin(SIGHT_EXIT, task);
	if (!e)
		return 0;
	e->status = task->exit_code;
	bpf_probe_read_kernel(e->comm, sizeof(e->comm), task->comm);
	bpf_ringbuf_submit(e, 0);
	return 0;
}
