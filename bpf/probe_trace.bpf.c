/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Is a tracepoint with typed arguments called here? The canary is a process whose end it counts. */
#include "bpf/vmlinux.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

int canary; /* process id, set by the loader */
__u32 seen; /* how many of its threads ended */

SEC("tp_btf/sched_process_exit")
int BPF_PROG(probe_exit, struct task_struct *task)
{
	if (canary && task->tgid == canary)
		__sync_fetch_and_add(&seen, 1);
	return 0;
}
