/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Does a BPF LSM program decide here? Without "bpf" in the kernel's lsm= it loads and attaches and
 * is never called, so only the canary tells: a process that must not be able to open a file.
 */
#include "bpf/vmlinux.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define EACCES 13

char LICENSE[] SEC("license") = "Dual BSD/GPL";

int canary; /* process id, set by the loader */

SEC("lsm/file_open")
int BPF_PROG(probe_open, struct file *file, int ret)
{
	if (ret)
		return ret;
	if (canary && (int)(bpf_get_current_pid_tgid() >> 32) == canary)
		return -EACCES;
	return 0;
}
